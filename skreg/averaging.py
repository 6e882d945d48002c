"""Averages of the weights along the path of training.

Steps on batches scatter around a minimum. The mean of their iterates lies nearer to its
middle, where the loss is flat, and often predicts better than any of them.
"""

from numbers import Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skreg._config import check_object
from skreg._documentation import DocumentationLinkMixin
from skreg._persistence import VersionedMixin

__all__ = ["ExponentialMovingAverage", "StochasticWeightAveraging"]


class ExponentialMovingAverage(DocumentationLinkMixin, VersionedMixin, BaseEstimator):
    """Exponential moving average of the weights, updated after every step.

    After step t, with the weights w,

        average <- d average + (1 - d) w,    d = min(decay, (1 + t) / (10 + t)),

    so that the average of the first steps does not remember the initial weights.
    Predictions, validation scores and ``coefs_`` are those of the average; training
    goes on from w. ``weight_averaging="ema"`` is this with its defaults.

    Parameters
    ----------
    decay : float, default=0.999
        In [0, 1). The average looks back about 1 / (1 - decay) steps; 0 is no average.

    See Also
    --------
    StochasticWeightAveraging : The plain mean over the last epochs.

    References
    ----------
    Polyak, Juditsky (1992). Acceleration of stochastic approximation by averaging. SIAM
    Journal on Control and Optimization 30.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPRegressor
    >>> from skreg.averaging import ExponentialMovingAverage
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RegularizedMLPRegressor(
    ...     (100,), weight_averaging=ExponentialMovingAverage(decay=0.99),
    ...     learning_rate="cosine", max_iter=20, early_stopping=False, random_state=0,
    ... )
    >>> model.fit(scale(X), y).n_iter_
    20
    """

    _parameter_constraints = {"decay": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, decay=0.999):
        self.decay = decay


class StochasticWeightAveraging(DocumentationLinkMixin, VersionedMixin, BaseEstimator):
    """Mean of the weights at the ends of the last epochs (Izmailov et al. 2018).

    After each of the epochs that begin at ``start * max_iter`` or later, the k-th of
    them,

        average <- average + (w - average) / k.

    Works best where the rate stays high: with ``learning_rate="constant"``, which with
    hidden layers is not the default. Training goes on for ``max_iter`` epochs then too,
    unless ``early_stopping`` ends it, which is on by default from 30 rows on.
    Predictions and ``coefs_`` are those of the average. ``weight_averaging="swa"`` is
    this with its defaults.

    Parameters
    ----------
    start : float, default=0.75
        Share of ``max_iter`` epochs before the average begins, in [0, 1).

    See Also
    --------
    ExponentialMovingAverage : Updated after every step; forgets.

    References
    ----------
    Izmailov, Podoprikhin, Garipov, Vetrov, Wilson (2018). Averaging weights leads to
    wider optima and better generalization. UAI.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPRegressor
    >>> from skreg.averaging import StochasticWeightAveraging
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RegularizedMLPRegressor(
    ...     (100,), weight_averaging=StochasticWeightAveraging(start=0.5),
    ...     learning_rate="constant", max_iter=20, early_stopping=False, random_state=0,
    ... )
    >>> model.fit(scale(X), y).n_iter_
    20
    """

    _parameter_constraints = {"start": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, start=0.75):
        self.start = start


NAMES = {"ema": ExponentialMovingAverage, "swa": StochasticWeightAveraging}


def checked(weight_averaging):
    """The object that a value of `weight_averaging` stands for; None if it is off.

    Raises
    ------
    ValueError
        If it is neither a name nor an object of this module, or if its parameters are
        out of range.
    """
    if weight_averaging is None:
        return None
    if isinstance(weight_averaging, str) and weight_averaging in NAMES:
        return NAMES[weight_averaging]()
    if not isinstance(weight_averaging, tuple(NAMES.values())):
        raise ValueError(
            "weight_averaging must be None, 'ema', 'swa' or an object of "
            f"skreg.averaging; got {weight_averaging!r}."
        )
    check_object("weight_averaging", weight_averaging)
    is_ema = isinstance(weight_averaging, ExponentialMovingAverage)
    return None if is_ema and weight_averaging.decay == 0 else weight_averaging
