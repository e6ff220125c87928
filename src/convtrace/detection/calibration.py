"""From held-out scores to probabilities, and to the point where to keep silent.

A score is mapped to a probability by a sigmoid (Platt) or an increasing step function
(isotonic), both kept as plain arrays. The limits of the verdicts are stated as error rates
on held-out pictures: "generated" from the probability that at most 1% of real photographs
reach, "real" down to the one that at most 5% of generated images fall to, and in between
"unsure". They are those of split conformal prediction for each class: whatever the scores are
worth, a further picture of the same kind is called the other no more often than that.

Pictures of the same kind are the promise's limit, and it is for rows that do not hang together,
so that several rows of one picture make it an approximate one. Where scores of pictures from
domains that no model saw are given, neither limit may be passed by more than a stated share of
those either. A rate over all generated images may hide a generator most of whose images are called
real, so that the lower limit holds for each generator by itself, too, at a rate of its own, whether
its domain was trained on or left out: "real" must say something of a generator that nobody knows.

References
----------
J. Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin
Classifiers, 1999. B. Zadrozny, C. Elkan, "Transforming classifier scores into accurate
multiclass probability estimates", KDD 2002. V. Vovk, "Conditional validity of inductive
conformal predictors", Machine Learning 92, 2013, doi:10.1007/s10994-013-5355-6 (a rate for each
class and condition).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from convtrace.errors import ConvtraceError

__all__ = [
    "Calibration",
    "Rates",
    "ScoreMap",
    "Unseen",
    "calibrate",
    "error_rate_limits",
    "fit_isotonic",
    "fit_map",
    "fit_sigmoid",
]

Floats = NDArray[np.float64]

# With so many images a generator has a part in a limit. Where its domain was trained on, it takes
# more for a share of them to be quoted: the others say more.
_LEAST_IMAGES = 5
_LEAST_QUOTED = 20
_LEVELS = np.linspace(0.0, 1.0, 201)
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class ScoreMap:
    """An increasing map from score to probability.

    Parameters
    ----------
    kind : {"sigmoid", "isotonic"}
        Its form.
    first, second : numpy.ndarray of float64
        Slope and intercept (one number each) of a sigmoid; scores and probabilities of the
        knots of an isotonic map, between which it is linear.
    """

    kind: str
    first: Floats
    second: Floats

    def __post_init__(self) -> None:
        if self.kind not in ("sigmoid", "isotonic"):
            raise ConvtraceError(f"calibration {self.kind!r}: give 'sigmoid' or 'isotonic'")
        shaped = self.first.ndim == 1 and self.first.shape == self.second.shape
        if not shaped or not np.all(np.isfinite([self.first, self.second])):
            raise ConvtraceError("a calibration map needs two lists of finite numbers")
        if self.kind == "sigmoid" and (len(self.first) != 1 or self.first[0] < 0):
            raise ConvtraceError("a sigmoid needs one slope, not negative, and one intercept")

    def __call__(self, scores: Floats) -> Floats:
        """Map scores.

        Parameters
        ----------
        scores : numpy.ndarray of shape (n,)
            Scores.

        Returns
        -------
        numpy.ndarray of shape (n,), float64
            Probabilities of being generated.
        """
        if self.kind == "sigmoid":
            probabilities: Floats = expit(self.first[0] * scores + self.second[0])
            return probabilities
        return np.interp(scores, self.first, self.second)

    def to_dict(self) -> dict[str, Any]:
        """Return the map as JSON values.

        Returns
        -------
        dict
        """
        return {"kind": self.kind, "first": self.first.tolist(), "second": self.second.tolist()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ScoreMap:
        """Rebuild a map from `to_dict`.

        Parameters
        ----------
        state : mapping
            What `to_dict` returned.

        Returns
        -------
        ScoreMap
        """
        return cls(str(state["kind"]), _floats(state["first"]), _floats(state["second"]))


def fit_sigmoid(scores: Floats, generated: NDArray[np.bool_], weights: Floats) -> ScoreMap:
    """Fit Platt's sigmoid, its slope kept from turning negative.

    Parameters
    ----------
    scores : numpy.ndarray of shape (n,)
        Held-out scores.
    generated : numpy.ndarray of bool, shape (n,)
        The truth.
    weights : numpy.ndarray of shape (n,)
        Row weights.

    Returns
    -------
    ScoreMap

    Examples
    --------
    >>> truth = np.array([False, True] * 20)
    >>> fitted = fit_sigmoid(np.where(truth, 1.0, -1.0), truth, np.ones(40))
    >>> fitted(np.array([-1.0, 0.0, 1.0])).round(2).tolist()
    [0.05, 0.5, 0.95]
    """
    # Platt's targets keep the slope finite where the classes do not overlap.
    count = int(generated.sum())
    targets = np.where(generated, (count + 1) / (count + 2), 1.0 / (len(generated) - count + 2))
    weights = weights / weights.sum()
    centre = float(np.average(scores, weights=weights))
    spread = float(np.sqrt(np.average((scores - centre) ** 2, weights=weights))) or 1.0
    scaled = (scores - centre) / spread

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logits = parameters[0] * scaled + parameters[1]
        slopes = weights * (expit(logits) - targets)
        value = np.sum(weights * (np.logaddexp(0.0, logits) - targets * logits))
        return float(value), np.array([np.sum(slopes * scaled), np.sum(slopes)])

    found = minimize(
        loss,
        np.array([1.0, 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-10, "maxiter": 500},
    )
    slope = float(found.x[0]) / spread
    return ScoreMap("sigmoid", np.array([slope]), np.array([float(found.x[1]) - slope * centre]))


def fit_isotonic(scores: Floats, generated: NDArray[np.bool_], weights: Floats) -> ScoreMap:
    """Fit the best increasing map; for some thousands of rows or more.

    Parameters
    ----------
    scores : numpy.ndarray of shape (n,)
        Held-out scores.
    generated : numpy.ndarray of bool, shape (n,)
        The truth.
    weights : numpy.ndarray of shape (n,)
        Row weights.

    Returns
    -------
    ScoreMap
        Its probabilities keep away from 0 and 1 by one row in n.
    """
    edge = 1.0 / (len(scores) + 2)
    fitted = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    fitted.fit(scores, generated.astype(np.float64), sample_weight=weights)
    return ScoreMap("isotonic", _floats(fitted.X_thresholds_), _floats(fitted.y_thresholds_))


_FITS = {"sigmoid": fit_sigmoid, "isotonic": fit_isotonic}


def fit_map(
    scores: Floats, generated: NDArray[np.bool_], weights: Floats, *, method: str = "sigmoid"
) -> ScoreMap:
    """Fit a map from scores to probabilities.

    Parameters
    ----------
    scores : numpy.ndarray of shape (n,)
        Held-out scores, of both classes.
    generated : numpy.ndarray of bool, shape (n,)
        The truth.
    weights : numpy.ndarray of shape (n,)
        Row weights.
    method : {"sigmoid", "isotonic"}
        Its form.

    Returns
    -------
    ScoreMap

    Raises
    ------
    ConvtraceError
        Where the method is none of these.
    """
    if method not in _FITS:
        raise ConvtraceError(f"calibration={method!r}: give one of {', '.join(_FITS)}")
    return _FITS[method](scores, generated, weights)


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a verdict may be wrong.

    Parameters
    ----------
    false_positive : float
        The share of held-out real photographs that may be called generated.
    miss : float
        The share of held-out generated images that may be called real.
    unseen_false_positive, unseen_miss : float
        The same shares of pictures from domains that were left out of training.
    generator_miss : float
        The share of images of any single generator that may be called real, of those held out
        and of those whose domain was left out.
    """

    false_positive: float = 0.01
    miss: float = 0.05
    unseen_false_positive: float = 0.05
    unseen_miss: float = 0.1
    generator_miss: float = 0.25

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 0.5:
                raise ConvtraceError(f"{name}={value!r}: give a share from 0 to 0.5")


@dataclass(frozen=True, slots=True, eq=False)
class Unseen:
    """Scores of rows by models that saw nothing of their domain.

    Parameters
    ----------
    scores : numpy.ndarray of shape (n,)
        On the scale of the held-out scores.
    generated : numpy.ndarray of bool, shape (n,)
        The truth.
    generators : numpy.ndarray of str, shape (n,), optional
        Which generator made each; "" for real and unknown ones.
    """

    scores: Floats
    generated: NDArray[np.bool_]
    generators: NDArray[np.str_] | None = None


def error_rate_limits(
    real: Floats,
    generated: Floats,
    *,
    false_positive_rate: float = 0.01,
    miss_rate: float = 0.05,
    real_weights: Floats | None = None,
    generated_weights: Floats | None = None,
) -> tuple[float, float]:
    """Find the probabilities up to which a picture is called real, and from which generated.

    Parameters
    ----------
    real, generated : numpy.ndarray of shape (n,), (m,)
        Held-out probabilities of real photographs and of generated images.
    false_positive_rate, miss_rate : float
        The share of each that may be called the other, 0 to 0.5. A further picture counts as
        one more of those held out, as conformal prediction has it, so that few held-out
        pictures give wide limits.
    real_weights, generated_weights : numpy.ndarray, optional
        How much each counts.

    Returns
    -------
    low, high : float
        "real" at or below `low`, "generated" at or above `high`, with low <= high. Where the
        classes are so far apart that both rules hold in between, a single limit in that
        gap, the nearest to 0.5, serves for both.

    Examples
    --------
    >>> real, generated = np.linspace(0, 0.6, 1000), np.linspace(0.4, 1, 1000)
    >>> low, high = error_rate_limits(real, generated)
    >>> round(low, 2), round(high, 2)
    (0.43, 0.59)
    >>> error_rate_limits(real / 2, 0.5 + generated / 2)
    (0.5, 0.5)
    """
    Rates(false_positive_rate, miss_rate)
    high = _lowest_with_rate(real, real_weights, false_positive_rate)
    low = -_lowest_with_rate(-generated, generated_weights, miss_rate)
    if low >= high:
        low = high = min(max(0.5, high), low)
    return low, high


def _lowest_with_rate(values: Floats, weights: Floats | None, rate: float) -> float:
    """Return the least v such that at most `rate` of the values, and one more, are >= v."""
    rate = max(0.0, rate - (1.0 - rate) / len(values))
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    shares = np.cumsum(np.ones(len(values)) if weights is None else weights[order])
    shares = shares / shares[-1]
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)
    # The largest value that too many reach; the limit lies just above it.
    too_many = last_of_ties & (shares > rate + _TOLERANCE)
    return float(np.nextafter(ranked[np.argmax(too_many)], np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """All that held-out pictures (of one condition) said about a score.

    Parameters
    ----------
    score_map : ScoreMap
        Score to probability.
    low, high : float
        The limits of "real" and of "generated"; see `error_rate_limits`.
    real_quantiles, generated_quantiles : numpy.ndarray of shape (201,), float64
        Quantiles of the held-out scores, from the least to the greatest.
    measured : mapping
        Counts and held-out results: n_real, n_generated, balanced_accuracy (at probability
        0.5), auc, unsure (share without a verdict), errors_decided (share of wrong verdicts
        among the others), false_positives (share of real photographs called generated),
        misses (of generated images called real), found and cleared (the right verdicts of
        each), worst_misses (the misses of the generator that has most, where any has enough
        images); with scores of domains left out, the same with "unseen_" before them.
    hardest_quantiles, unseen_quantiles : numpy.ndarray of shape (201,), float64, or None
        At each level the least quantile of any generator's images, held out and with their
        domain left out; None where no generator has enough of them.
    """

    score_map: ScoreMap
    low: float
    high: float
    real_quantiles: Floats
    generated_quantiles: Floats
    measured: Mapping[str, float]
    hardest_quantiles: Floats | None = None
    unseen_quantiles: Floats | None = None

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ConvtraceError(f"limits {self.low} and {self.high} are in the wrong order")
        for quantiles in (
            self.real_quantiles,
            self.generated_quantiles,
            self.hardest_quantiles,
            self.unseen_quantiles,
        ):
            if quantiles is None:
                continue
            if quantiles.shape != _LEVELS.shape or np.any(np.diff(quantiles) < 0):
                raise ConvtraceError("held-out quantiles must be 201 increasing numbers")

    def probability(self, scores: Floats) -> Floats:
        """Map scores to probabilities of being generated.

        Parameters
        ----------
        scores : numpy.ndarray of shape (n,)
            Scores.

        Returns
        -------
        numpy.ndarray of shape (n,), float64
        """
        return self.score_map(scores)

    def label(self, probability: float) -> str:
        """Return the verdict at a probability.

        Parameters
        ----------
        probability : float
            Of being generated.

        Returns
        -------
        {"real", "generated", "unsure"}
        """
        if probability >= self.high:
            return "generated"
        return "real" if probability <= self.low else "unsure"

    def real_at_least(self, score: float) -> float:
        """Return the share of held-out real photographs that score this high.

        Parameters
        ----------
        score : float
            A score.

        Returns
        -------
        float
            0 to 1.
        """
        return 1.0 - float(np.interp(score, self.real_quantiles, _LEVELS, left=0.0, right=1.0))

    def generated_at_most(self, score: float) -> float:
        """Return the share of held-out generated images that score this low.

        Parameters
        ----------
        score : float
            A score.

        Returns
        -------
        float
            0 to 1.
        """
        return float(np.interp(score, self.generated_quantiles, _LEVELS, left=0.0, right=1.0))

    def hardest_at_most(self, score: float) -> float | None:
        """Return the same share of the images of the generator that has most of them.

        Parameters
        ----------
        score : float
            A score.

        Returns
        -------
        float or None
            0 to 1; None where no generator has enough images.
        """
        return _share_at_most(score, self.hardest_quantiles)

    def unseen_at_most(self, score: float) -> float | None:
        """Return the same share where the domain of the generator was left out of training.

        Parameters
        ----------
        score : float
            A score.

        Returns
        -------
        float or None
            0 to 1; None where no domains were left out, or no generator has enough images.
        """
        return _share_at_most(score, self.unseen_quantiles)

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as JSON values.

        Returns
        -------
        dict
        """
        return {
            "score_map": self.score_map.to_dict(),
            "low": self.low,
            "high": self.high,
            "real_quantiles": self.real_quantiles.tolist(),
            "generated_quantiles": self.generated_quantiles.tolist(),
            "measured": dict(self.measured),
            "hardest_quantiles": _listed(self.hardest_quantiles),
            "unseen_quantiles": _listed(self.unseen_quantiles),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Calibration:
        """Rebuild a calibration from `to_dict`.

        Parameters
        ----------
        state : mapping
            What `to_dict` returned.

        Returns
        -------
        Calibration
        """
        return cls(
            ScoreMap.from_dict(state["score_map"]),
            float(state["low"]),
            float(state["high"]),
            _floats(state["real_quantiles"]),
            _floats(state["generated_quantiles"]),
            {str(key): float(value) for key, value in state["measured"].items()},
            *(
                None if state.get(name) is None else _floats(state[name])
                for name in ("hardest_quantiles", "unseen_quantiles")
            ),
        )


def _share_at_most(score: float, quantiles: Floats | None) -> float | None:
    if quantiles is None:
        return None
    return float(np.interp(score, quantiles, _LEVELS, left=0.0, right=1.0))


def _listed(quantiles: Floats | None) -> list[float] | None:
    return None if quantiles is None else quantiles.tolist()


def calibrate(
    scores: Floats,
    generated: NDArray[np.bool_],
    weights: Floats,
    *,
    method: str = "sigmoid",
    rates: Rates | None = None,
    unseen: Unseen | None = None,
    generators: NDArray[np.str_] | None = None,
    score_map: ScoreMap | None = None,
) -> Calibration:
    """Calibrate held-out scores and measure what they are worth.

    Parameters
    ----------
    scores : numpy.ndarray of shape (n,)
        Held-out scores, of both classes.
    generated : numpy.ndarray of bool, shape (n,)
        The truth.
    weights : numpy.ndarray of shape (n,)
        Row weights; with equal totals of the classes the probabilities are for a picture
        that is as likely real as generated beforehand.
    method : {"sigmoid", "isotonic"}
        The form of the map.
    rates : Rates, optional
        How often a verdict may be wrong.
    unseen : Unseen, optional
        Scores of pictures whose domain was left out, by which the limits are widened.
    generators : numpy.ndarray of str, shape (n,), optional
        Which generator made each; "" for real and unknown ones. Those with at least 5 images
        have a part in the lower limit.
    score_map : ScoreMap, optional
        The map from scores to probabilities; by default it is fitted to these scores.

    Returns
    -------
    Calibration
    """
    rates = rates or Rates()
    if score_map is None:
        score_map = fit_map(scores, generated, weights, method=method)
    probabilities = score_map(scores)
    real = ~generated
    low, high = error_rate_limits(
        probabilities[real],
        probabilities[generated],
        false_positive_rate=rates.false_positive,
        miss_rate=rates.miss,
        real_weights=weights[real],
        generated_weights=weights[generated],
    )
    of_generators = _of_generators(scores, generated, generators)
    of_unseen: list[Floats] = []
    if unseen is not None and unseen.generated.any() and not unseen.generated.all():
        of_unseen = _of_generators(unseen.scores, unseen.generated, unseen.generators)
        foreign = score_map(unseen.scores)
        unseen_low, unseen_high = error_rate_limits(
            foreign[~unseen.generated],
            foreign[unseen.generated],
            false_positive_rate=rates.unseen_false_positive,
            miss_rate=rates.unseen_miss,
        )
        low, high = min(low, unseen_low), max(high, unseen_high)
    for images in (*of_generators, *of_unseen):
        low = min(low, -_lowest_with_rate(-score_map(images), None, rates.generator_miss))
    limits = (low, high)
    auc = float(roc_auc_score(generated, scores, sample_weight=weights))
    right = (probabilities >= 0.5) == generated
    measured = {
        "n_real": float(real.sum()),
        "n_generated": float(generated.sum()),
        "balanced_accuracy": _even_share(right, generated, weights),
        "auc": auc,
        **_verdicts(probabilities, generated, weights, limits),
    }
    quoted = [images for images in of_generators if len(images) >= _LEAST_QUOTED]
    for name, each in (("worst_misses", quoted), ("unseen_worst_misses", of_unseen)):
        if each:
            measured[name] = max(
                float(np.mean((found <= low) & (found < high))) for found in map(score_map, each)
            )
    if unseen is not None and unseen.generated.any() and not unseen.generated.all():
        ones = np.ones(len(unseen.scores))
        foreign_verdicts = _verdicts(score_map(unseen.scores), unseen.generated, ones, limits)
        measured["unseen_auc"] = float(roc_auc_score(unseen.generated, unseen.scores))
        measured |= {f"unseen_{key}": value for key, value in foreign_verdicts.items()}
    return Calibration(
        score_map,
        low,
        high,
        _weighted_quantiles(scores[real], weights[real]),
        _weighted_quantiles(scores[generated], weights[generated]),
        measured,
        *(
            np.min([np.quantile(images, _LEVELS) for images in each], axis=0) if each else None
            for each in (quoted, of_unseen)
        ),
    )


def _of_generators(
    scores: Floats, generated: NDArray[np.bool_], generators: NDArray[np.str_] | None
) -> list[Floats]:
    """Return the scores of the images of each generator that has enough of them."""
    if generators is None:
        return []
    names = sorted(set(generators[generated].tolist()) - {""})
    found = [scores[generated & (generators == name)] for name in names]
    return [images for images in found if len(images) >= _LEAST_IMAGES]


def _even_share(event: NDArray[np.bool_], generated: NDArray[np.bool_], weights: Floats) -> float:
    """Weigh both classes the same, whatever their counts."""
    shares = [np.average(event[rows], weights=weights[rows]) for rows in (generated, ~generated)]
    return float(np.mean(shares))


def _verdicts(
    probabilities: Floats,
    generated: NDArray[np.bool_],
    weights: Floats,
    limits: tuple[float, float],
) -> dict[str, float]:
    low, high = limits
    called_generated = probabilities >= high
    called_real = ~called_generated & (probabilities <= low)
    decided = called_generated | called_real
    wrong = np.where(generated, called_real, called_generated)
    share_decided = _even_share(decided, generated, weights)
    return {
        "unsure": 1.0 - share_decided,
        "errors_decided": _even_share(wrong, generated, weights) / max(share_decided, _TOLERANCE),
        "false_positives": float(
            np.average(called_generated[~generated], weights=weights[~generated])
        ),
        "misses": float(np.average(called_real[generated], weights=weights[generated])),
        "found": float(np.average(called_generated[generated], weights=weights[generated])),
        "cleared": float(np.average(called_real[~generated], weights=weights[~generated])),
    }


def _weighted_quantiles(values: Floats, weights: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    # Each value stands in the middle of its share of the weight.
    positions = (cumulated - weights[order] / 2) / cumulated[-1]
    return np.interp(_LEVELS, positions, values[order])


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)
