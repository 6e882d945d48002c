"""Stability selection: which features are chosen whatever rows are drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.parallel import Parallel, delayed

from skreg._persistence import VersionedMixin


@dataclass
class StabilitySelection(VersionedMixin):
    """How often each feature was selected on halves of the data.

    Attributes
    ----------
    frequencies : ndarray of shape (n_features,)
        Share of the fits that selected the feature.
    selected_features : ndarray of bool of shape (n_features,)
        Where the frequency reaches ``threshold``.
    threshold : float
    n_selected : float
        Features that a fit selects, on average: q.
    feature_names : ndarray of str of shape (n_features,) or None
        As X had them.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.inspection import StabilitySelection
    >>> result = StabilitySelection(
    ...     np.array([1.0, 0.5, 0.0, 0.0]), threshold=0.75, n_selected=1.5
    ... )
    >>> result.selected_features
    array([ True, False, False, False])
    >>> result.expected_false_selections
    1.125
    """

    frequencies: np.ndarray
    threshold: float
    n_selected: float
    feature_names: np.ndarray | None = None

    @property
    def selected_features(self):
        """Where the frequency reaches the threshold."""
        # frequencies are sums of 1 / n
        return self.frequencies >= self.threshold - 1e-12

    @property
    def selected_feature_names(self):
        """Names of the selected features, where X had them; else None."""
        if self.feature_names is None:
            return None
        return self.feature_names[self.selected_features]

    @property
    def expected_false_selections(self):
        """Bound on the expected number of selected features that are noise.

        q^2 / ((2 threshold - 1) n_features), Theorem 1 of Meinshausen & Bühlmann
        (2010). It assumes that a fit selects noise features no more readily than by
        chance and none of them more readily than another. Without these assumptions
        it still bounds the expected number of selected features that a fit on half of
        the rows selects with a probability of at most q / n_features (Shah & Samworth
        2013).
        """
        return self.n_selected**2 / ((2 * self.threshold - 1) * len(self.frequencies))


@validate_params(
    {
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, 0.5, 1.0, closed="right")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def stability_selection(
    estimator,
    X,
    y,
    *,
    n_resamples=50,
    threshold=0.6,
    sample_weight=None,
    n_jobs=None,
    random_state=None,
):
    """Select the features that an estimator selects on most halves of the data.

    For each of ``n_resamples`` complementary pairs, the rows are cut at random into two
    halves, and a clone of the estimator is fitted to each. A feature's frequency is the
    share of the fits that gave it a weight other than zero.

    Parameters
    ----------
    estimator : estimator
        Sets weights of features to exactly zero: one of skreg's with ``l1`` or
        ``group_l1``, a linear model with ``coef_`` such as
        :class:`~sklearn.linear_model.Lasso`, or a pipeline that ends in one of these
        and whose other steps keep the features' number and order. Not changed.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their classes or values. Of a classifier's classes each half has its part.
    n_resamples : int, default=50
        Pairs of halves; there are two fits for each.
    threshold : float, default=0.6
        Frequency from which a feature counts as selected, in (0.5, 1]. The authors
        recommend 0.6 to 0.9.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights, for the fits; not with a pipeline.
    n_jobs : int or None, default=None
        Fits at a time, in threads, or as a joblib context says. None is one, unless
        in such a context.
    random_state : int, RandomState instance or None, default=None
        Of the halves, and of each fit.

    Returns
    -------
    result : StabilitySelection
        ``frequencies``, ``selected_features`` and what is known of the errors.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the fitted estimator does not tell of each
        feature whether it is selected.

    References
    ----------
    Meinshausen, Bühlmann (2010). Stability selection. Journal of the Royal Statistical
    Society B 72(4).

    Shah, Samworth (2013). Variable selection with error control: another look at
    stability selection. Journal of the Royal Statistical Society B 75(1).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPRegressor
    >>> from skreg.inspection import stability_selection
    >>> data = load_diabetes()
    >>> model = RegularizedMLPRegressor((), solver="lbfgs", l1=0.1)
    >>> result = stability_selection(
    ...     model, scale(data.data), data.target, n_resamples=20, random_state=0
    ... )
    >>> [data.feature_names[j] for j in result.selected_features.nonzero()[0]]
    ['bmi', 'bp', 's3', 's5']
    """
    for name, value in estimator.get_params().items():
        if isinstance(value, Iterator):
            raise ValueError(
                f"stability_selection fits clones of the estimator, and {name}="
                f"{value!r} gives what it has once only. Pass list(...) of it."
            )
    names = None
    if hasattr(X, "columns"):
        names = np.asarray(X.columns, dtype=object)
    X, y, sample_weight = indexable(X, y, sample_weight)
    random_state = check_random_state(random_state)
    half = len(y) // 2
    stratified = is_classifier(estimator) and type_of_target(y) in (
        "binary",
        "multiclass",
    )
    splitter = (StratifiedShuffleSplit if stratified else ShuffleSplit)(
        n_resamples, train_size=half, test_size=half, random_state=random_state
    )
    halves = [rows for pair in splitter.split(np.zeros(len(y)), y) for rows in pair]
    seeds = random_state.randint(np.iinfo(np.int32).max, size=len(halves))
    masks = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_selected_by_fit)(estimator, X, y, sample_weight, rows, seed)
        for rows, seed in zip(halves, seeds, strict=True)
    )
    masks = np.array(masks)
    return StabilitySelection(
        masks.mean(axis=0), float(threshold), float(masks.sum(axis=1).mean()), names
    )


def _selected_by_fit(estimator, X, y, sample_weight, rows, seed):
    """Mask of the features that a clone selects on some rows."""
    model = clone(estimator)
    names = [
        name
        for name in model.get_params()
        if name == "random_state" or name.endswith("__random_state")
    ]
    model.set_params(**dict.fromkeys(names, int(seed)))
    weights = {}
    if sample_weight is not None:
        weights = {"sample_weight": _safe_indexing(sample_weight, rows)}
    model.fit(_safe_indexing(X, rows), _safe_indexing(y, rows), **weights)
    mask = _selected_features(model)
    if mask.shape != (X.shape[1],):
        raise ValueError(
            f"The fitted {type(model).__name__} tells of {mask.size} features whether "
            f"they are selected, but X has {X.shape[1]}. Pass an estimator whose steps "
            "keep all features."
        )
    return mask


def _selected_features(model):
    if isinstance(model, Pipeline):
        model = model[-1]
    if hasattr(model, "selected_features_"):
        return np.asarray(model.selected_features_)
    if hasattr(model, "coef_"):
        coef = model.coef_
        coef = coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef)
        return (np.atleast_2d(coef) != 0).any(axis=0)
    raise ValueError(
        f"stability_selection needs an estimator with selected_features_ or coef_; "
        f"{type(model).__name__} has neither. Pass one of skreg's estimators or a "
        "linear model."
    )
