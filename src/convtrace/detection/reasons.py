"""The reasons of a verdict in plain words, each resting on a held-out count."""

from __future__ import annotations

from convtrace.detection.attribution import Attribution, Likeness
from convtrace.detection.calibration import Calibration
from convtrace.detection.conditions import in_words, is_small

__all__ = [
    "about_compression",
    "about_generator",
    "about_probability",
    "about_region",
    "about_strangeness",
    "about_unjudged",
]


def _of_hundred(share: float) -> str:
    """Return a share as a count out of 100, never claiming none or all."""
    count = share * 100
    if count < 1:
        return "fewer than 1"
    return "more than 99" if count > 99 else str(round(count))


def about_probability(
    label: str, probability: float, score: float, calibration: Calibration
) -> str:
    """Say what a probability means in held-out pictures.

    Parameters
    ----------
    label : {"real", "generated", "unsure"}
        The verdict.
    probability, score : float
        Of the picture.
    calibration : Calibration
        What held-out pictures said.

    Returns
    -------
    str
    """
    real_high = _of_hundred(calibration.real_at_least(score))
    generated_low = _of_hundred(calibration.generated_at_most(score))
    generated_high = _of_hundred(1 - calibration.generated_at_most(score))
    real_low = _of_hundred(1 - calibration.real_at_least(score))
    hardest, unseen = calibration.hardest_at_most(score), calibration.unseen_at_most(score)
    missed = []
    if hardest is not None and _of_hundred(hardest) != generated_low:
        missed.append(f"{_of_hundred(hardest)} of 100 of the generator that it misses most")
    if unseen is not None and _of_hundred(unseen) != generated_low:
        missed.append(
            f"{_of_hundred(unseen)} of 100 of a generator that it had not been trained on"
        )
    most_missed = f" ({', '.join(missed)})" if missed else ""
    start = _probability(probability)
    if label == "generated":
        return (
            f"{start}: {real_high} of 100 real photographs it was tested on score this high, and "
            f"{generated_high} of 100 generated images."
        )
    if label == "real":
        return (
            f"{start}: {generated_low} of 100 generated images it was tested on score this "
            f"low{most_missed}, and {real_low} of 100 real photographs."
        )
    return (
        f"{start}, which gives no verdict: {real_high} of 100 real photographs it was tested on "
        f"score this high, and {generated_low} of 100 generated images this low{most_missed}."
    )


def about_unjudged(probability: float) -> str:
    """Say what a probability means for a picture that is not judged, whatever it is.

    What held-out pictures said holds for pictures like them.

    Parameters
    ----------
    probability : float
        Of the picture.

    Returns
    -------
    str
    """
    return (
        f"{_probability(probability)}, which tells little: tests were of other kinds of pictures."
    )


def _probability(probability: float) -> str:
    return f"Its pixels give a probability of {probability:.2f} of being generated"


def about_compression(
    condition: str, quality: float | None, calibration: Calibration | None
) -> str:
    """Say how good the detector was on pictures compressed like this one.

    Parameters
    ----------
    condition : str
        One of `convtrace.detection.conditions.CONDITIONS`, or from `of_small` there.
    quality : float or None
        The estimated JPEG quality of the picture.
    calibration : Calibration or None
        What held-out pictures of that condition said; None where there were too few.

    Returns
    -------
    str
    """
    words = in_words(condition)
    small = "small " if is_small(condition) else ""
    start = f"Stored with {words}"
    if quality is not None:
        start = f"Stored as a JPEG of quality about {quality:.0f}"
    if calibration is None:
        return (
            f"{start}: too few {small}pictures stored with {words} were measured to say how good "
            "the detector is on them."
        )
    right = _of_hundred(calibration.measured["balanced_accuracy"])
    count = calibration.measured["n_real"] + calibration.measured["n_generated"]
    return (
        f"{start}: of {small}test pictures stored with {words}, {right} of 100 were told right "
        f"({count:.0f} pictures, real and generated counted alike)."
    )


def about_generator(attribution: Attribution, likeness: Likeness) -> str:
    """Say which generator a generated image points to.

    Parameters
    ----------
    attribution : Attribution
        The classifier of generators.
    likeness : Likeness
        What it said of the image.

    Returns
    -------
    str
    """
    known = len(attribution.names)
    (first, probability, distance), *others = likeness.nearest
    if likeness.name is None:
        apart = (
            f"it lies {distance:.1f} times as far from its images as most of them"
            if distance > 1
            else f"with a probability of {probability:.2f}, too little to name it"
        )
        return (
            f"Its generator is unknown: of the {known} generators that the detector knows it is "
            f"most like {first}, but {apart}."
        )
    right = _of_hundred(attribution.measured["accuracy_named"])
    second, second_probability, _ = others[0]
    return (
        f"Among the {known} generators that the detector knows, its trace is most like {first} "
        f"(probability {probability:.2f}, next {second} with {second_probability:.2f}; held-out "
        f"images so named were right in {right} of 100)."
    )


def about_strangeness(strangeness: float) -> str:
    """Say that a picture is unlike what the detector knows.

    Parameters
    ----------
    strangeness : float
        From `convtrace.detection.guard.Guard.strangeness`, over 1.

    Returns
    -------
    str
    """
    return (
        "The picture is unlike all that the detector was trained on (its features lie "
        f"{strangeness:.1f} times as far out as those of 99 in 100 training pictures), so its "
        "verdict would be a guess."
    )


def about_region(width: int, height: int, crop: int | None) -> str | None:
    """Say which part of the picture was measured.

    Parameters
    ----------
    width, height : int
        Of the picture, in pixels.
    crop : int or None
        The crop of the descriptor.

    Returns
    -------
    str or None
        None where it was all of it.
    """
    if crop is None or (width <= crop and height <= crop):
        return None
    return (
        f"Only the central {min(width, crop)}x{min(height, crop)} of its {width}x{height} pixels "
        "were measured."
    )
