"""The detector: features or pictures in, verdicts out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from joblib import Parallel, delayed  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from convtrace import descriptors
from convtrace.descriptors import Description, Joined
from convtrace.detection import classifiers
from convtrace.detection.attribution import Attribution, Likeness, fit_attribution
from convtrace.detection.calibration import (
    Calibration,
    Rates,
    Unseen,
    calibrate,
    fit_map,
    fit_sigmoid,
)
from convtrace.detection.card import Card, Table
from convtrace.detection.compact import compact
from convtrace.detection.conditions import (
    CONDITIONS,
    in_words,
    is_small,
    is_window,
    of_picture,
    of_small,
    of_whole,
    of_window,
    related,
)
from convtrace.detection.domains import (
    HeldOutVerdicts,
    blocks_of,
    domain_folds,
    with_auxiliary,
)
from convtrace.detection.guard import Guard, fit_guard
from convtrace.detection.held_out import (
    HeldOut,
    fit_model,
    folds_by_group,
    held_out_scores,
)
from convtrace.detection.labels import CLASSES, balanced_weights, even_classes, is_generated
from convtrace.detection.members import Columns, Member, looked_at, margin, parse_members
from convtrace.detection.reasons import (
    about_compression,
    about_generator,
    about_probability,
    about_region,
    about_strangeness,
    about_unjudged,
)
from convtrace.detection.recipes import RECIPES, Recipe
from convtrace.detection.training import training_table
from convtrace.detection.usability import LEAST_SIDE, problems
from convtrace.detection.verdict import Verdict
from convtrace.errors import ConvtraceError, ModelError
from convtrace.image import Picture, read

__all__ = ["Detector", "Examination", "Member"]

Floats = NDArray[np.float64]

# With fewer held-out rows of each class, a condition has no calibration of its own.
_LEAST_ROWS_OF_A_CONDITION = 100


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """All that a verdict needs to know of one picture; the pixels are no longer needed.

    Parameters
    ----------
    name : str
        The picture.
    vector : numpy.ndarray of shape (d,), float64
        Its features.
    condition : str
        Its compression; see `convtrace.detection.conditions`.
    quality : float or None
        Its JPEG quality, None for other formats.
    problems : tuple of str
        Why it cannot be judged; empty where it can.
    remarks : tuple of str
        What else to tell.
    """

    name: str
    vector: Floats
    condition: str
    quality: float | None
    problems: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The columns beside the features of rows to train on; all of shape (n,)."""

    generated: NDArray[np.bool_]
    weights: Floats
    groups: NDArray[np.str_]
    generators: NDArray[np.str_]
    conditions: NDArray[np.str_]
    domains: NDArray[np.str_]
    judged: NDArray[np.bool_]

    def select(self, rows: NDArray[np.intp]) -> _Rows:
        return _Rows(*(getattr(self, each.name)[rows] for each in fields(self)))


class Detector(BaseEstimator):  # type: ignore[misc]
    """Tells real photographs from generated images, or says that it cannot.

    Parameters
    ----------
    recipe : str or Recipe, default="random-forest"
        A recipe, its name, or the name of a classifier; several classifiers joined by "+"
        have their log-odds averaged ("svm+random-forest").
    descriptor : str, optional
        Name of the descriptor of pictures, instead of the recipe's.
    descriptor_params : mapping, optional
        Its options, instead of the recipe's.
    degradations : sequence of str, optional
        What is done to training pictures, instead of the recipe's.
    n_splits : int, default=5
        Folds of the grouped held-out scoring.
    calibration : {"sigmoid", "isotonic"}, default="sigmoid"
        From scores to probabilities.
    false_positive_rate : float, default=0.01
        The share of held-out real photographs that may be called generated.
    miss_rate : float, default=0.05
        The share of held-out generated images that may be called real; what lies between the
        limits is "unsure".
    unseen_false_positive_rate, unseen_miss_rate : float, default=0.05 and 0.1
        The same for pictures of domains left out of training, where `fit` is given domains.
    generator_miss_rate : float, default=0.25
        The share of held-out images of any single generator that may be called real, and of
        those whose domain was left out of training.
    balance : {"none", "class", "generator"}, default="class"
        How rows are weighed; see `convtrace.detection.labels.balanced_weights`.
    per_condition : bool, default=True
        Whether a condition with at least 100 held-out rows of each class has its own
        probabilities and limits.
    attribution : bool, default=True
        Whether to learn which generator made an image.
    attribution_classifier : str, optional
        A classifier for that, instead of the first one of the recipe.
    attribution_accuracy : float, default=0.8
        How often a generator that is named must have been right on held-out images.
    least_side : int, default=64
        Pictures with a shorter side, in pixels, are "unsure".
    small_side : int, default=0
        Pictures with a shorter side have limits of their own, where `fit` is given their sides.
    random_state : int, default=0
        Of everything random.
    cache : str or os.PathLike, optional
        A folder in which the features of pictures are kept.
    n_jobs : int or None, default=None
        Workers, as in scikit-learn.

    Attributes
    ----------
    classes_ : numpy.ndarray
        "real" and "generated": the columns of `predict_proba`.
    members_ : tuple of Member
        The fitted classifiers.
    calibration_ : Calibration
        Over all held-out rows.
    condition_calibrations_ : dict of str to Calibration
        Those of single conditions.
    attribution_ : Attribution or None
        The classifier of generators.
    guard_ : Guard or None
        What is ordinary among the features that the first member looks at; None where there were
        too few rows to tell.
    held_out_ : HeldOut or None
        The held-out scores; they are not stored, so None after loading.
    held_out_verdicts_ : HeldOutVerdicts or None
        Limits and probabilities of domains left out, likewise.
    card_ : Card
        What it is; replace it to add results.
    notes_ : tuple of str
        Remarks from loading, such as another version of scikit-learn.

    Notes
    -----
    Without `groups` every picture is taken to be unrelated to the others. Rows made from one
    picture (degraded copies, crops), or from one video, person or source, must share a
    group: otherwise all that is held out has been seen in training, and every number that
    the detector states about itself is too good.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.array(["real", "fake"] * 50)
    >>> features = rng.normal(size=(100, 4)) + 2.0 * (labels == "fake")[:, None]
    >>> detector = Detector("lda").fit(features, labels)
    >>> detector.predict(np.array([[-1.0] * 4, [3.0] * 4])).tolist()
    ['real', 'generated']
    """

    def __init__(
        self,
        recipe: str | Recipe = "random-forest",
        *,
        descriptor: str | None = None,
        descriptor_params: Mapping[str, Any] | None = None,
        degradations: Sequence[str] | None = None,
        n_splits: int = 5,
        calibration: str = "sigmoid",
        false_positive_rate: float = 0.01,
        miss_rate: float = 0.05,
        unseen_false_positive_rate: float = 0.05,
        unseen_miss_rate: float = 0.1,
        generator_miss_rate: float = 0.25,
        balance: str = "class",
        per_condition: bool = True,
        attribution: bool = True,
        attribution_classifier: str | None = None,
        attribution_accuracy: float = 0.8,
        least_side: int = LEAST_SIDE,
        small_side: int = 0,
        random_state: int = 0,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.descriptor = descriptor
        self.descriptor_params = descriptor_params
        self.degradations = degradations
        self.n_splits = n_splits
        self.calibration = calibration
        self.false_positive_rate = false_positive_rate
        self.miss_rate = miss_rate
        self.unseen_false_positive_rate = unseen_false_positive_rate
        self.unseen_miss_rate = unseen_miss_rate
        self.generator_miss_rate = generator_miss_rate
        self.balance = balance
        self.per_condition = per_condition
        self.attribution = attribution
        self.attribution_classifier = attribution_classifier
        self.attribution_accuracy = attribution_accuracy
        self.least_side = least_side
        self.small_side = small_side
        self.random_state = random_state
        self.cache = cache
        self.n_jobs = n_jobs

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        groups: Any = None,
        generators: Any = None,
        families: Any = None,
        conditions: Any = None,
        formats: Any = None,
        sample_weight: Any = None,
        domains: Any = None,
        auxiliary: Any = None,
        only_scored: Any = None,
        sides: Any = None,
    ) -> Detector:
        """Train on features or pictures, and measure on the held-out part of them.

        Parameters
        ----------
        X : numpy.ndarray or data frame of shape (n, d), or sequence of pictures
            Features, or anything that `convtrace.image.read` takes; pictures are degraded as
            the recipe says.
        y : array-like of shape (n,)
            "real" or "fake", or 0 and 1.
        groups : array-like of shape (n,), optional
            Rows of equal group are never on both sides of a split. Default: all apart.
        generators : array-like of str, shape (n,), optional
            Which generator made each; "" for real and unknown ones.
        families : array-like of str, shape (n,), optional
            What an image is attributed to; by default its generator.
        conditions : array-like of str, shape (n,), optional
            The compression of each row; for pictures the detector finds it.
        formats : array-like of str, shape (n,), optional
            File formats, counted in the card; for pictures the detector finds them.
        sample_weight : array-like of shape (n,), optional
            Multiplies the weights that `balance` gives.
        domains : array-like of str, shape (n,), optional
            Where each row comes from: the cameras, subjects and generators that belong
            together. Each domain is also scored by a model that saw nothing of it, which
            widens the limits of the verdicts. At least three.
        auxiliary : array-like of bool, shape (n,), optional
            Rows to train on that nothing is measured by, such as simulated generators'.
        only_scored : array-like of bool, shape (n,), optional
            Rows that no classifier is trained on: they are in `held_out_` with the scores and
            limits of their group's fold. Such are degradations that the detector is to be measured
            by and not trained on. Each shares its group with a training row. Where they are
            windows (`convtrace.detection.conditions.of_window`), the calibrations and limits of
            windows are set by them, and where they are of pictures under `small_side`, the limits
            of small pictures are set by them too; all else is set by training rows.
        sides : array-like of shape (n,), optional
            The shorter side of each picture, in pixels. Those under `least_side` are trained on and
            scored, but have no part in probabilities and limits, since none of their kind gets a
            verdict; others under `small_side` have a part in the limits of small pictures. By
            default all count, and none is small.

        Returns
        -------
        Detector
            Itself.

        Raises
        ------
        ConvtraceError
            Where the data cannot be trained on.
        """
        recipe = self._resolved_recipe()
        generated = is_generated(y)
        n = len(generated)
        group_of = _column("groups", groups, n, default=np.arange(n).astype(str))
        generator_of = _column("generators", generators, n, default=np.full(n, ""))
        generator_of = np.where(generated, generator_of, "")
        family_of = _column("families", families, n, default=generator_of)
        given = np.ones(n) if sample_weight is None else _numbers("sample_weight", sample_weight, n)
        domain_of = _column("domains", domains, n, default=np.full(n, ""))
        extra = _numbers("auxiliary", np.zeros(n) if auxiliary is None else auxiliary, n) > 0
        told = _numbers("only_scored", np.zeros(n) if only_scored is None else only_scored, n) > 0
        large = max(self.least_side, self.small_side)
        shorter = _numbers("sides", np.full(n, large) if sides is None else sides, n)
        judged = shorter >= self.least_side
        if _is_feature_table(X):
            features = _features(X)
            if len(features) != n:
                raise ConvtraceError(f"there are {len(features)} rows but {n} labels")
            condition_of = _column("conditions", conditions, n, default=np.full(n, ""))
            format_of = _column("formats", formats, n, default=np.full(n, ""))
        else:
            if conditions is not None or formats is not None:
                raise ConvtraceError(
                    "conditions and formats belong to features; of pictures they are found"
                )
            table = training_table(
                X, self._descriptor(recipe), recipe.degradations, seed=self.random_state
            )
            count = len(table.source) // len(recipe.degradations)
            if count != n:
                raise ConvtraceError(f"there are {count} pictures but {n} labels")
            features, condition_of, format_of = table.features, table.conditions, table.formats
            generated, group_of = generated[table.source], group_of[table.source]
            generator_of, given = generator_of[table.source], given[table.source]
            family_of = family_of[table.source]
            domain_of, extra = domain_of[table.source], extra[table.source]
            told, judged = told[table.source], judged[table.source]
            shorter = shorter[table.source]
        learnt = ~extra & ~told
        if generated[learnt].all() or not generated[learnt].any():
            raise ConvtraceError("training needs both real photographs and generated images")
        if len(np.unique(generated[learnt & judged])) < 2:
            raise ConvtraceError(
                f"training needs both classes with sides of {self.least_side} pixels or more"
            )

        self.recipe_ = recipe
        self.n_features_in_ = features.shape[1]
        self.classes_ = np.array(CLASSES)
        self.notes_: tuple[str, ...] = ()
        weights = np.zeros(len(generated))
        weights[~told] = given[~told] * balanced_weights(
            generated[~told], generator_of[~told], balance=self.balance
        )
        condition_of = self._told_small(condition_of, shorter)
        rows = _Rows(
            generated,
            weights,
            group_of,
            generator_of,
            condition_of,
            domain_of,
            judged,
        )
        # With another number of threads sums are rounded otherwise, and a perceptron becomes
        # another one.
        with threadpool_limits(limits=1, user_api="blas"):
            self._fit_members(features, rows, given, extra, told)
        self.attribution_ = self._fit_attribution(
            features[learnt], generated[learnt], family_of[learnt], group_of[learnt]
        )
        self.card_ = self._first_card(format_of[learnt], int(extra.sum()))
        return self

    def _fit_members(
        self,
        X: Floats,
        rows: _Rows,
        given: Floats,
        extra: NDArray[np.bool_],
        told: NDArray[np.bool_],
    ) -> None:
        codes = rows.generated.astype(np.intp)
        # What gets a held-out score: training rows, and those that are only scored.
        chosen = np.nonzero(~extra)[0]
        measured = rows.select(chosen)
        # All that is learnt from scores, is learnt from these of them.
        counted = ~told[chosen]
        places = np.nonzero(counted)[0]
        weights = np.zeros(len(chosen))
        weights[counted] = given[chosen][counted] * balanced_weights(
            measured.generated[counted], measured.generators[counted], balance=self.balance
        )
        own = folds_by_group(
            codes[chosen][counted],
            measured.groups[counted],
            n_splits=self.n_splits,
            seed=self.random_state,
            strata=measured.generators[counted],
        )
        inner = [
            (places[train], np.isin(measured.groups, measured.groups[places[test]]).nonzero()[0])
            for train, test in own
        ]
        if sum(len(test) for _, test in inner) < len(chosen):
            raise ConvtraceError("a row that is only scored shares its group with no training row")
        folds = with_auxiliary(inner, chosen, np.nonzero(extra)[0], rows.groups)
        apart = []
        if rows.domains.any():
            apart = domain_folds(rows.domains, rows.groups, codes, ~extra)
            apart = [(train[~told[train]], test) for train, test in apart]
        # Where nothing tells where rows come from, all are compared.
        blocks = None
        if rows.domains.any():
            blocks = blocks_of(rows.domains, _compressions(rows.conditions))
        kinds = parse_members(self.recipe_.classifier)
        members, member_scores, member_unseen = [], [], []
        for name, parts in kinds:
            columns = self._columns(parts, X.shape[1])
            seen = looked_at(X, columns)
            make = partial(classifiers.create, name, seed=self.random_state)
            score = partial(
                held_out_scores, make, seen, codes, rows.weights, blocks=blocks, n_jobs=self.n_jobs
            )
            scores = margin(score(folds))[chosen]
            unseen_scores = margin(score(apart))[chosen]
            fitted_model = fit_model(
                make,
                seen[~told],
                codes[~told],
                rows.weights[~told],
                blocks=None if blocks is None else blocks[~told],
                n_jobs=self.n_jobs,
            )
            member = Member(name, compact(fitted_model), columns=columns)
            if len(kinds) > 1:
                fitted = fit_sigmoid(scores[counted], measured.generated[counted], weights[counted])
                slope, intercept = float(fitted.first[0]), float(fitted.second[0])
                member = replace(member, slope=slope, intercept=intercept)
                scores = slope * scores + intercept
                unseen_scores = slope * unseen_scores + intercept
            members.append(member)
            member_scores.append(scores)
            member_unseen.append(unseen_scores)
        self.members_ = tuple(members)
        # What pretrained layers see is strange wherever the subject is: no reason for silence.
        ordinary = looked_at(X, self.members_[0].columns)
        self.guard_ = fit_guard(ordinary[chosen[counted]], own)
        scores = np.mean(member_scores, axis=0)
        unseen = np.mean(member_unseen, axis=0) if apart else None

        fit = partial(self._calibrations, scores, unseen, weights, measured, counted)
        self.calibration_, self.condition_calibrations_ = fit(np.ones_like(counted))
        fold_of = np.empty(len(chosen), dtype=np.intp)
        found = np.empty((4, len(chosen)))
        for number, (_, test) in enumerate(inner):
            fold_of[test] = number
            # Calibrated on the other folds, so that no row has a part in its own probability.
            others = np.ones_like(counted)
            others[test] = False
            pooled, single = fit(others)
            single = single if self.per_condition else {}
            for condition in np.unique(measured.conditions[test]):
                here = test[measured.conditions[test] == condition]
                by = _calibration_of(str(condition), pooled, single)
                found[0, here] = by.probability(scores[here])
                found[1, here] = np.nan if unseen is None else by.probability(unseen[here])
                found[2:, here] = np.array([[by.low], [by.high]])
        self.held_out_: HeldOut | None = HeldOut(
            generated=measured.generated,
            scores=scores,
            probabilities=found[0],
            weights=weights,
            folds=fold_of,
            generators=measured.generators,
            conditions=measured.conditions,
            groups=measured.groups,
            only_scored=~counted,
        )
        self.held_out_verdicts_: HeldOutVerdicts | None = HeldOutVerdicts(
            found[2], found[3], None if unseen is None else found[1], measured.judged
        )

    def _calibrations(
        self,
        scores: Floats,
        unseen: Floats | None,
        weights: Floats,
        measured: _Rows,
        counted: NDArray[np.bool_],
        chosen: NDArray[np.bool_],
    ) -> tuple[Calibration, dict[str, Calibration]]:
        """Calibrate some of the held-out rows: all together, and each condition by itself.

        Rows that are only scored count where they are windows or of small pictures, and for these
        alone; those of pictures too small for a verdict never do. Small pictures have limits of
        their own, but the probabilities of all training rows of their compression, so that those
        of pictures of any size can be compared.
        """
        generated, conditions = measured.generated, measured.conditions
        rates = Rates(
            self.false_positive_rate,
            self.miss_rate,
            self.unseen_false_positive_rate,
            self.unseen_miss_rate,
            self.generator_miss_rate,
        )

        def evened(rows: NDArray[np.bool_], own: Floats) -> Floats:
            # Some of the rows hold more of one class than all do.
            return own if self.balance == "none" else even_classes(generated[rows], own)

        def enough(rows: NDArray[np.bool_]) -> bool:
            fewest = min((generated & rows).sum(), (~generated & rows).sum())
            return bool(fewest >= _LEAST_ROWS_OF_A_CONDITION)

        def made(rows: NDArray[np.bool_], by: NDArray[np.bool_]) -> Calibration:
            even = evened(by, weights[by])
            score_map = fit_map(scores[by], generated[by], even, method=self.calibration)
            foreign = None
            if unseen is not None:
                foreign = Unseen(unseen[rows], generated[rows], measured.generators[rows])
            return calibrate(
                scores[rows],
                generated[rows],
                evened(rows, weights[rows]),
                score_map=score_map,
                rates=rates,
                unseen=foreign,
                generators=measured.generators[rows],
            )

        windows, small = (
            np.array([of(condition) for condition in conditions.tolist()], dtype=bool)
            for of in (is_window, is_small)
        )
        weights = np.where((windows | small) & ~counted, 1.0, weights)
        kinds = {each: conditions == each for each in sorted(set(conditions.tolist()) - {""})}
        kinds |= {of_window(""): windows, of_small(""): small}
        compressions = _compressions(conditions)
        chosen = chosen & measured.judged
        single = {}
        for condition, rows in kinds.items():
            rows = chosen & rows & (counted | windows | small)
            if enough(rows):
                whole = of_whole(condition)
                alike = (compressions == whole) | (whole == "")
                by = chosen & counted & alike
                # What windows score is not what pictures do.
                if is_window(condition) or not enough(by):
                    by = rows
                single[condition] = made(rows, by)
        return made(chosen & counted, chosen & counted), single

    def _told_small(self, conditions: NDArray[np.str_], sides: NDArray[Any]) -> NDArray[np.str_]:
        """Return the conditions, those of small pictures as `conditions.of_small`."""
        small = (sides < self.small_side).tolist()
        named = [
            of_small(condition) if below else condition
            for condition, below in zip(conditions.tolist(), small, strict=True)
        ]
        return np.array(named, dtype=str)

    def _rates(self) -> dict[str, float]:
        return {
            "false_positive_rate": self.false_positive_rate,
            "miss_rate": self.miss_rate,
            "unseen_false_positive_rate": self.unseen_false_positive_rate,
            "unseen_miss_rate": self.unseen_miss_rate,
            "generator_miss_rate": self.generator_miss_rate,
        }

    def _fit_attribution(
        self,
        X: Floats,
        generated: NDArray[np.bool_],
        generators: NDArray[np.str_],
        groups: NDArray[np.str_],
    ) -> Attribution | None:
        if not self.attribution:
            return None
        name = self.attribution_classifier or parse_members(self.recipe_.classifier)[0][0]
        return fit_attribution(
            partial(classifiers.create, name, seed=self.random_state),
            X[generated],
            generators[generated],
            groups[generated],
            wanted_accuracy=self.attribution_accuracy,
            n_splits=self.n_splits,
            seed=self.random_state,
            n_jobs=self.n_jobs,
        )

    def _resolved_recipe(self) -> Recipe:
        if isinstance(self.recipe, Recipe):
            recipe = self.recipe
        elif self.recipe in RECIPES:
            recipe = RECIPES.get(self.recipe)
        else:
            recipe = Recipe(name=self.recipe, classifier=self.recipe)
        parse_members(recipe.classifier)
        if self.descriptor is not None:
            recipe = replace(recipe, descriptor=self.descriptor, descriptor_params={})
        if self.descriptor_params is not None:
            recipe = replace(recipe, descriptor_params=dict(self.descriptor_params))
        if self.degradations is not None:
            recipe = replace(recipe, degradations=tuple(self.degradations))
        return recipe

    def _columns(self, parts: tuple[str, ...], count: int) -> Columns:
        """Return where some parts of the descriptor lie among its `count` numbers."""
        if not parts:
            return ()
        descriptor = self._descriptor(self.recipe_)
        if not isinstance(descriptor, Joined):
            raise ConvtraceError(
                f"{self.recipe_.classifier!r} names parts, which {self.recipe_.descriptor!r} does "
                "not have; join descriptors"
            )
        if len(descriptor.get_feature_names_out()) != count:
            raise ConvtraceError(
                f"{self.recipe_.classifier!r} names parts, but the {count} features are not those "
                "of the recipe's descriptor"
            )
        columns: list[tuple[int, int]] = []
        for start, stop in sorted(descriptor.columns_of(part) for part in parts):
            if columns and columns[-1][1] == start:
                start = columns.pop()[0]
            columns.append((start, stop))
        return tuple(columns)

    def _descriptor(self, recipe: Recipe) -> Any:
        descriptor = descriptors.create(recipe.descriptor, **recipe.descriptor_params)
        working = {"n_jobs": self.n_jobs, "cache": self.cache, "on_error": "raise"}
        known = descriptor.get_params()
        return descriptor.set_params(**{k: v for k, v in working.items() if k in known})

    def _first_card(self, formats: NDArray[np.str_], auxiliary: int) -> Card:
        held_out = self.held_out_
        if held_out is None:  # pragma: no cover - fit has just set it
            raise NotFittedError("the detector has no held-out scores")
        learnt = ~held_out.only_scored
        generated = held_out.generated[learnt]
        training = {
            "rows": len(generated),
            "auxiliary_rows": auxiliary,
            "groups": len(np.unique(held_out.groups)),
            "real": int((~generated).sum()),
            "generated": int(generated.sum()),
            "per_generator": _counts(held_out.generators[learnt][generated]),
            "per_format": _counts(formats),
            "per_condition": _counts(_compressions(held_out.conditions[learnt])),
        }
        options = {
            "calibration": self.calibration,
            **self._rates(),
            "balance": self.balance,
            "per_condition": self.per_condition,
            "least_side": self.least_side,
            "small_side": self.small_side,
            "random_state": self.random_state,
        }
        return Card(
            name=self.recipe_.name,
            recipe={**self.recipe_.to_dict(), **options},
            training=training,
            results=_held_out_tables(
                self.calibration_, self.condition_calibrations_, self.attribution_, self.n_splits
            ),
            limits=(
                "It knows the generators, cameras and compressions that it was trained on; on "
                "others its verdict may be no better than a guess.",
                "Its probabilities are for a picture that is as likely real as generated "
                "beforehand.",
            ),
        )

    # --------------------------------------------------------------- predicting

    def decision_function(self, X: Any) -> Floats:
        """Score features or pictures before calibration.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d), or sequence of pictures
            As for `fit`; pictures are taken as they are.

        Returns
        -------
        numpy.ndarray of shape (n,), float64
            Greater is more likely generated.
        """
        features, _ = self._measured(X, None)
        return self._scores(features)

    def predict_proba(self, X: Any, *, conditions: Any = None) -> Floats:
        """Return probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d), or sequence of pictures
            As for `fit`; pictures are taken as they are.
        conditions : array-like of str, shape (n,), optional
            The compression of each row of features; for pictures the detector finds it.

        Returns
        -------
        numpy.ndarray of shape (n, 2), float64
            Of being real and of being generated; rows sum to 1.
        """
        features, condition_of = self._measured(X, conditions)
        generated = self._probabilities(self._scores(features), condition_of)
        return np.stack([1.0 - generated, generated], axis=1)

    def predict(self, X: Any, *, conditions: Any = None) -> NDArray[np.str_]:
        """Return "real", "generated" or "unsure" for each row.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d), or sequence of pictures
            As for `fit`; pictures are taken as they are, and judged as by `verdict`: one that is
            too small or too flat is unsure, of which features tell nothing.
        conditions : array-like of str, shape (n,), optional
            As for `predict_proba`.

        Returns
        -------
        numpy.ndarray of str, shape (n,)
        """
        self._check_fitted()
        if not _is_feature_table(X) and conditions is None:
            found = Parallel(n_jobs=self.n_jobs, prefer="threads")(map(delayed(self.examine), X))
            return np.array([each.label for each in self.judge(found)], dtype="U9")
        features, condition_of = self._measured(X, conditions)
        probabilities = self._probabilities(self._scores(features), condition_of)
        labels = [
            self.calibration_for(str(condition)).label(float(probability))
            for probability, condition in zip(probabilities, condition_of, strict=True)
        ]
        return np.where(self._strangeness(features) > 1, "unsure", np.array(labels, dtype="U9"))

    def _strangeness(self, X: Floats) -> Floats:
        if self.guard_ is None:
            return np.zeros(len(X))
        return self.guard_.strangeness(looked_at(X, self.members_[0].columns))

    def attribute(self, X: Any) -> tuple[tuple[str, ...], Floats]:
        """Say how likely each known generator is, if the pictures are generated.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d), or sequence of pictures
            As for `fit`; pictures are taken as they are.

        Returns
        -------
        names : tuple of str
            The K known generators.
        probabilities : numpy.ndarray of shape (n, K), float64
            Rows sum to 1.

        Raises
        ------
        ModelError
            Where the detector has learnt no generators.
        """
        features, _ = self._measured(X, None)
        if self.attribution_ is None:
            raise ModelError(
                "this detector knows no generators; train it with the generators of at least two"
            )
        return self.attribution_.names, self.attribution_.probabilities(features)

    def examine(self, source: Any, *, compression: str | None = None) -> Examination:
        """Measure one picture for `judge`; the slow half of a verdict, safe in threads.

        Parameters
        ----------
        source : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray or Picture
            The picture.
        compression : str, optional
            That of pixels which no longer tell it, such as
            `convtrace.detection.conditions.of_degradation` returns; by default what the file says.

        Returns
        -------
        Examination

        Raises
        ------
        ImageError
            Where the picture cannot be read, or is too small to be measured.
        """
        self._check_fitted()
        picture = read(source)
        descriptor = self._descriptor(self.recipe_)
        crop = getattr(descriptor, "crop", None)
        if hasattr(descriptor, "inspect"):
            found = descriptor.inspect(picture)
        else:
            found = Description(np.asarray(descriptor.transform([picture]), dtype=np.float64)[0])
        if found.vector.shape != (self.n_features_in_,):
            raise ModelError(
                f"the detector was trained on {self.n_features_in_} features, but its descriptor "
                f"{self.recipe_.descriptor!r} measures {len(found.vector)}; it judges features only"
            )
        region = about_region(picture.width, picture.height, crop)
        return Examination(
            name=picture.name,
            vector=found.vector,
            condition=self.condition_of(picture, compression),
            quality=None if picture.jpeg is None else float(picture.jpeg.quality),
            problems=problems(
                descriptors.centre_crop(picture.pixels, crop),
                width=picture.width,
                height=picture.height,
                regularized=found.regularized,
                converged=found.converged,
                least_side=self.least_side,
            ),
            remarks=((region,) if region else ()) + picture.notes,
        )

    def judge(self, examinations: Iterable[Examination]) -> list[Verdict]:
        """Turn measured pictures into verdicts, all at once.

        Parameters
        ----------
        examinations : iterable of Examination
            From `examine`.

        Returns
        -------
        list of Verdict
        """
        found = list(examinations)
        if not found:
            return []
        features = np.stack([each.vector for each in found])
        scores = self._scores(features)
        probabilities = self._probabilities(
            scores, np.array([each.condition for each in found], dtype=str)
        )
        likeness: list[Likeness | None] = [None] * len(found)
        if self.attribution_ is not None:
            likeness = [*self.attribution_.likeness(features)]
        return [
            self._verdict(each, float(score), float(probability), float(strange), like)
            for each, score, probability, strange, like in zip(
                found, scores, probabilities, self._strangeness(features), likeness, strict=True
            )
        ]

    def verdict(self, source: Any) -> Verdict:
        """Judge one picture.

        Parameters
        ----------
        source : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray or Picture
            The picture.

        Returns
        -------
        Verdict

        Raises
        ------
        ImageError
            Where the picture cannot be read, or is too small to be measured;
            `convtrace.detection.scan` puts it into the verdict instead.
        """
        return self.judge([self.examine(source)])[0]

    def _verdict(
        self,
        found: Examination,
        score: float,
        probability: float,
        strangeness: float,
        likeness: Likeness | None,
    ) -> Verdict:
        calibration = self.calibration_for(found.condition)
        hindrances = found.problems
        if not hindrances and strangeness > 1:
            hindrances = (about_strangeness(strangeness),)
        if hindrances:
            reasons = [*hindrances, about_unjudged(probability), *found.remarks]
            return Verdict(found.name, "unsure", probability, None, tuple(reasons))
        label = calibration.label(probability)
        reasons = [
            about_probability(label, probability, score, calibration),
            about_compression(
                found.condition, found.quality, self.condition_calibrations_.get(found.condition)
            ),
        ]
        generator = None
        if label == "generated" and self.attribution_ is not None and likeness is not None:
            generator = likeness.name or "unknown"
            reasons.append(about_generator(self.attribution_, likeness))
        reasons += found.remarks
        return Verdict(found.name, label, probability, generator, tuple(reasons))

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError("this detector is not trained yet; call fit, or load one")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "calibration_")

    def _measured(self, X: Any, conditions: Any) -> tuple[Floats, NDArray[np.str_]]:
        self._check_fitted()
        if not _is_feature_table(X):
            if conditions is not None:
                raise ConvtraceError("conditions belong to features; of pictures they are found")
            table = training_table(X, self._descriptor(self.recipe_))
            features = table.features
            condition_of = self._told_small(table.conditions, table.sides)
        else:
            features = _features(X)
            n = len(features)
            condition_of = _column("conditions", conditions, n, default=np.full(n, ""))
        if features.shape[1] != self.n_features_in_:
            raise ConvtraceError(
                f"the features have {features.shape[1]} columns, but the detector was trained on "
                f"{self.n_features_in_}"
            )
        return features, condition_of

    def _scores(self, X: Floats) -> Floats:
        scores: Floats = np.mean([member.scores(X) for member in self.members_], axis=0)
        return scores

    def condition_of(self, picture: Picture, compression: str | None = None) -> str:
        """Return by which calibration a picture is judged.

        Parameters
        ----------
        picture : Picture
            From `convtrace.image.read`.
        compression : str, optional
            Its compression, where that is known better than from the file.

        Returns
        -------
        str
            Its compression, and whether it is small; see `convtrace.detection.conditions`.
        """
        found = of_picture(picture) if compression is None else compression
        small = min(picture.width, picture.height) < self.small_side
        return of_small(found) if small else found

    def calibration_for(self, condition: str) -> Calibration:
        """Return the calibration that judges pictures of a condition.

        Parameters
        ----------
        condition : str
            The compression; see `convtrace.detection.conditions`.

        Returns
        -------
        Calibration
            That of all held-out pictures where the condition has none of its own; that of a window,
            or of a small picture, is before that sought among all of these, and in its compression.
        """
        self._check_fitted()
        if not self.per_condition:
            return self.calibration_
        return _calibration_of(condition, self.calibration_, self.condition_calibrations_)

    def _probabilities(self, scores: Floats, conditions: NDArray[np.str_]) -> Floats:
        single = self.condition_calibrations_ if self.per_condition else {}
        return _mapped(scores, conditions, self.calibration_, single)

    # ------------------------------------------------------------------ storing

    def save(self, path: str | os.PathLike[str]) -> Card:
        """Store the detector in one file; see `convtrace.detection.storage`.

        Parameters
        ----------
        path : str or os.PathLike
            The file, by convention ``.convtrace``; replaced where it exists.

        Returns
        -------
        Card
            Its card, with the hash of the file.
        """
        # The storage needs the class, so the class asks for the storage only when used.
        from convtrace.detection import storage

        return storage.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Detector:
        """Load a detector that `save` stored.

        Parameters
        ----------
        path : str or os.PathLike
            The file.

        Returns
        -------
        Detector

        Raises
        ------
        ModelError
            Where the file is missing, damaged, altered, or holds what it should not.
        """
        from convtrace.detection import storage

        return storage.load(path)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the models as JSON values.

        Returns
        -------
        dict
        """
        self._check_fitted()
        return {
            "recipe": self.recipe_.to_dict(),
            "n_features": self.n_features_in_,
            "options": {
                "n_splits": self.n_splits,
                "calibration": self.calibration,
                **self._rates(),
                "balance": self.balance,
                "per_condition": self.per_condition,
                "attribution": self.attribution,
                "attribution_classifier": self.attribution_classifier,
                "attribution_accuracy": self.attribution_accuracy,
                "least_side": self.least_side,
                "small_side": self.small_side,
                "random_state": self.random_state,
            },
            "members": [
                {
                    "name": member.name,
                    "slope": member.slope,
                    "intercept": member.intercept,
                    "columns": member.columns,
                }
                for member in self.members_
            ],
            "calibration": self.calibration_.to_dict(),
            "condition_calibrations": {
                name: calibration.to_dict()
                for name, calibration in self.condition_calibrations_.items()
            },
            "attribution": None if self.attribution_ is None else self.attribution_.to_dict(),
            "guard": None if self.guard_ is None else self.guard_.to_dict(),
        }

    def models(self) -> dict[str, Any]:
        """Return the fitted scikit-learn models: what `to_dict` leaves out.

        Returns
        -------
        dict
            "members", a list, and "attribution" and "guard", each a model or None.
        """
        self._check_fitted()
        return {
            "members": [member.model for member in self.members_],
            "attribution": None if self.attribution_ is None else self.attribution_.model,
            "guard": None if self.guard_ is None else self.guard_.model,
        }

    @classmethod
    def from_dict(
        cls,
        state: Mapping[str, Any],
        models: Mapping[str, Any],
        card: Card,
        *,
        notes: tuple[str, ...] = (),
    ) -> Detector:
        """Rebuild a detector from its parts.

        Parameters
        ----------
        state : mapping
            From `to_dict`.
        models : mapping
            From `models`.
        card : Card
            Its card.
        notes : tuple of str
            Remarks for `notes_`.

        Returns
        -------
        Detector
        """
        recipe = Recipe(
            **{
                **state["recipe"],
                "degradations": tuple(state["recipe"]["degradations"]),
            }
        )
        detector = cls(recipe, **state["options"])
        detector.recipe_ = recipe
        detector.n_features_in_ = int(state["n_features"])
        detector.classes_ = np.array(CLASSES)
        detector.members_ = tuple(
            Member(
                str(each["name"]),
                model,
                float(each["slope"]),
                float(each["intercept"]),
                tuple((int(start), int(stop)) for start, stop in each.get("columns", ())),
            )
            for each, model in zip(state["members"], models["members"], strict=True)
        )
        detector.calibration_ = Calibration.from_dict(state["calibration"])
        detector.condition_calibrations_ = {
            str(name): Calibration.from_dict(each)
            for name, each in state["condition_calibrations"].items()
        }
        detector.attribution_ = None
        if state["attribution"] is not None:
            detector.attribution_ = Attribution.from_dict(
                state["attribution"], models["attribution"]
            )
        detector.guard_ = None
        if state["guard"] is not None:
            detector.guard_ = Guard.from_dict(state["guard"], models["guard"])
        detector.held_out_ = None
        detector.held_out_verdicts_ = None
        detector.card_ = card
        detector.notes_ = notes
        return detector


def _mapped(
    scores: Floats,
    conditions: NDArray[np.str_],
    pooled: Calibration,
    single: Mapping[str, Calibration],
) -> Floats:
    """Map scores to probabilities, each by the calibration of its condition."""
    out = np.empty(len(scores))
    for condition in np.unique(conditions):
        rows = conditions == condition
        out[rows] = _calibration_of(str(condition), pooled, single).probability(scores[rows])
    return out


def _calibration_of(
    condition: str, pooled: Calibration, single: Mapping[str, Calibration]
) -> Calibration:
    return next((single[name] for name in related(condition) if name in single), pooled)


def _is_feature_table(X: Any) -> bool:
    if hasattr(X, "to_numpy"):
        return getattr(X, "ndim", 2) == 2
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "biuf"


def _features(X: Any) -> Floats:
    try:
        features = np.ascontiguousarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConvtraceError(f"the features are not all numbers: {error}") from error
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        raise ConvtraceError(
            f"row {int(np.argmax(bad))} of the features is not finite ({int(bad.sum())} such "
            "rows); leave out pictures that could not be measured"
        )
    return features


def _column(name: str, values: Any, n: int, *, default: NDArray[Any]) -> NDArray[np.str_]:
    column = default if values is None else np.asarray(values)
    if column.shape != (n,):
        raise ConvtraceError(f"{name} must have one entry for each of the {n} rows")
    return column.astype(str)


def _numbers(name: str, values: Any, n: int) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.shape != (n,) or not np.all(column >= 0) or not np.all(np.isfinite(column)):
        raise ConvtraceError(f"{name} must have one number, not negative, for each of the {n} rows")
    return column


def _compressions(conditions: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.array([of_whole(condition) for condition in conditions.tolist()], dtype=str)


def _counts(values: NDArray[np.str_]) -> dict[str, int]:
    names, counts = np.unique(values, return_counts=True)
    return {
        str(name) or "not stated": int(count) for name, count in zip(names, counts, strict=True)
    }


def _by_compression(title: str, rows: Sequence[tuple[str, Calibration]], note: str) -> Table:
    keys = (
        "n_real",
        "n_generated",
        "balanced_accuracy",
        "auc",
        "found",
        "cleared",
        "false_positives",
        "misses",
        "worst_misses",
    )
    return Table(
        title,
        (
            "compression",
            "real",
            "generated",
            "balanced accuracy",
            "AUC",
            "generated called generated",
            "real called real",
            "real called generated",
            "generated called real",
            "of the worst generator",
        ),
        tuple((name, *(_figure(each, key) for key in keys)) for name, each in rows),
        note,
    )


def _figure(calibration: Calibration, key: str) -> float | None:
    found = calibration.measured.get(key)
    return int(found) if found is not None and key.startswith("n_") else found


# What is judged by calibrations of its own beside those of compressions.
_APART = (
    (
        is_window,
        "Windows of pictures, by compression",
        "Small parts of the training pictures, judged by themselves, which no classifier was "
        "trained on. Scores, shares and limits as for whole pictures; the limits are windows' own.",
    ),
    (
        is_small,
        "Small pictures, by compression",
        "Pictures just large enough for a verdict: training pictures of that size, and larger ones "
        "that were scaled down, which no classifier was trained on. Scores, shares and limits as "
        "for all pictures; the limits are their own, the probabilities those of all sizes.",
    ),
)


def _held_out_tables(
    pooled: Calibration,
    by_condition: Mapping[str, Calibration],
    attribution: Attribution | None,
    n_splits: int,
) -> tuple[Table, ...]:
    order = {name: place for place, name in enumerate(CONDITIONS)}
    names = sorted(by_condition, key=lambda name: (order.get(of_whole(name), len(order)), name))
    wholes = [name for name in names if name == of_whole(name)]
    rows = [("all", pooled), *((in_words(name), by_condition[name]) for name in wholes)]
    note = f"Grouped {n_splits}-fold held-out scores of the training pictures."
    tables = [
        _by_compression(
            "Real against generated, by compression",
            rows,
            f"{note} Balanced accuracy is at a probability of 0.5; the other shares are of "
            "verdicts, by limits set on these same rows, and what they leave is unsure.",
        )
    ]
    for of, title, about in _APART:
        apart = [(in_words(name) or "all", by_condition[name]) for name in names if of(name)]
        if apart:
            rows_of = sorted(apart, key=lambda row: row[0] != "all")
            tables.append(_by_compression(title, rows_of, about))
    if "unseen_auc" in pooled.measured:
        unseen_keys = ("auc", "found", "cleared", "false_positives", "misses", "worst_misses")
        tables.append(
            Table(
                "Real against generated, each domain left out of training",
                (
                    "compression",
                    "AUC",
                    "generated called generated",
                    "real called real",
                    "real called generated",
                    "generated called real",
                    "of the worst generator",
                ),
                tuple(
                    (name, *(each.measured.get(f"unseen_{key}") for key in unseen_keys))
                    for name, each in rows
                ),
                "Scores of models that saw no camera, subject or generator of the picture's "
                "domain; the limits of the verdicts are set on these rows too.",
            )
        )
    if attribution is not None:
        measured = attribution.measured
        tables.append(
            Table(
                "Which generator",
                (
                    "generators",
                    "images",
                    "accuracy",
                    "balanced accuracy",
                    "named",
                    "right of these",
                ),
                (
                    (
                        len(attribution.names),
                        int(measured["n"]),
                        measured["accuracy"],
                        measured["balanced_accuracy"],
                        measured["named"],
                        measured["accuracy_named"],
                    ),
                ),
                note,
            )
        )
    return tuple(tables)
