"""How a rate changes during training, as objects that a grid can search.

A schedule gives a factor for the share of the training that is done. It multiplies
``learning_rate_init`` (parameter ``learning_rate``), the rates of dropout
(``dropout_schedule``) or the decay of the weights (``weight_decay_schedule``). A
schedule of your own is a subclass of `Schedule` with a method ``at``.
"""

from abc import ABCMeta, abstractmethod
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skreg._documentation import DocumentationLinkMixin
from skreg._persistence import VersionedMixin

__all__ = [
    "Cosine",
    "CosineWarmRestarts",
    "CurriculumDropout",
    "EarlyDropout",
    "FlatThenCosine",
    "Linear",
    "OneCycle",
    "Schedule",
]

NON_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
SHARE = Interval(Real, 0, 1, closed="both")


class Schedule(
    DocumentationLinkMixin, VersionedMixin, BaseEstimator, metaclass=ABCMeta
):
    """A factor that depends on the share of the training that is done.

    For a schedule of your own, derive from this class and write `at`; arguments of
    ``__init__`` are stored under their names, as in any scikit-learn estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.schedules import Schedule
    >>> class Steps(Schedule):
    ...     def __init__(self, n_steps=4):
    ...         self.n_steps = n_steps
    ...     def at(self, progress, max_iter=200):
    ...         return 0.5 ** np.floor(self.n_steps * np.asarray(progress))
    >>> Steps().at([0.0, 0.3, 0.6, 0.9]).tolist()
    [1.0, 0.5, 0.25, 0.125]

    It is used, and searched, as those that come with skreg:

    >>> from skreg import RegularizedMLPRegressor
    >>> model = RegularizedMLPRegressor(learning_rate=Steps())
    >>> model.set_params(learning_rate__n_steps=3).learning_rate
    Steps(n_steps=3)
    """

    _parameter_constraints: dict = {}

    @abstractmethod
    def at(self, progress, max_iter=200):
        """The factor when a share of the training is done.

        Parameters
        ----------
        progress : array-like of float
            Shares in [0, 1] of all steps of ``max_iter`` epochs.
        max_iter : int, default=200
            Epochs of the training, as in the estimators.

        Returns
        -------
        factor : ndarray of the shape of `progress`
            Finite and >= 0.
        """


class Linear(Schedule):
    """A ramp, from one factor to another.

        factor(s) = start + (final - start) s,    s the share of training done.

    Parameters
    ----------
    start : float, default=1.0
        Factor at the beginning, >= 0.
    final : float, default=0.0
        Factor at the end, >= 0.

    Examples
    --------
    >>> from skreg.schedules import Linear
    >>> Linear(start=1.0, final=0.5).at([0.0, 0.5, 1.0]).tolist()
    [1.0, 0.75, 0.5]
    """

    _parameter_constraints: dict = {"start": [NON_NEGATIVE], "final": [NON_NEGATIVE]}

    def __init__(self, start=1.0, final=0.0):
        self.start = start
        self.final = final

    def at(self, progress, max_iter=200):
        """See `Schedule.at`."""
        return self.start + (self.final - self.start) * np.asarray(progress)


class Cosine(Schedule):
    """Down along half a cosine (Loshchilov & Hutter 2017, without restarts).

        factor(s) = final + (1 - final) (1 + cos(pi s)) / 2

    Parameters
    ----------
    final : float, default=0.0
        Factor at the end, in [0, 1].

    References
    ----------
    Loshchilov, Hutter (2017). SGDR: stochastic gradient descent with warm restarts.
    ICLR.

    Examples
    --------
    >>> from skreg.schedules import Cosine
    >>> Cosine().at([0.0, 0.5, 1.0]).round(3).tolist()
    [1.0, 0.5, 0.0]
    """

    _parameter_constraints: dict = {"final": [SHARE]}

    def __init__(self, final=0.0):
        self.final = final

    def at(self, progress, max_iter=200):
        """See `Schedule.at`."""
        return half_cosine(np.asarray(progress), 1.0, self.final)


class CosineWarmRestarts(Schedule):
    """Down along half a cosine again and again, each time more slowly.

    Period k = 0, 1, ... takes ``period * factor**k`` epochs. With u in [0, 1) the share
    of the current period that is done,

        factor(s) = final + (1 - final) (1 + cos(pi u)) / 2.

    Parameters
    ----------
    period : float, default=10
        Epochs of the first period, > 0.
    factor : float, default=2
        Ratio of the length of a period to that of the one before, >= 1.
    final : float, default=0.0
        Factor at the end of each period, in [0, 1].

    Notes
    -----
    Training should end with a period, where the rate is low. The periods end after
    ``period * (factor**k - 1) / (factor - 1)`` epochs: by default 10, 30, 70, 150,
    310, ...

    References
    ----------
    Loshchilov, Hutter (2017). SGDR: stochastic gradient descent with warm restarts.
    ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.schedules import CosineWarmRestarts
    >>> epochs = np.array([0, 5, 10, 20, 30])
    >>> CosineWarmRestarts().at(epochs / 70, max_iter=70).round(3).tolist()
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    _parameter_constraints: dict = {
        "period": [POSITIVE],
        "factor": [Interval(Real, 1, None, closed="left")],
        "final": [SHARE],
    }

    def __init__(self, period=10, factor=2, final=0.0):
        self.period = period
        self.factor = factor
        self.final = final

    def at(self, progress, max_iter=200):
        """See `Schedule.at`."""
        # in first periods; rounded, so that the end of an epoch at which a period ends
        # is the beginning of the next in spite of progress being a rounded quotient
        done = np.round(np.asarray(progress) * (max_iter / self.period), 9)
        if self.factor == 1:
            return half_cosine(done % 1, 1.0, self.final)
        # k periods take (factor^k - 1) / (factor - 1)
        growth = self.factor - 1.0
        k = np.floor(np.round(np.log1p(growth * done) / np.log1p(growth), 9))
        length = self.factor**k
        before = (length - 1.0) / growth
        u = np.clip((done - before) / length, 0.0, 1.0)
        return half_cosine(u, 1.0, self.final)


class OneCycle(Schedule):
    """Up to 1, then down to almost nothing (Smith & Topin 2018).

    Both ways along half a cosine:

        factor(s) = start + (1 - start) (1 - cos(pi s / rise)) / 2         for s < rise,
        factor(s) = final + (1 - final) (1 + cos(pi (s - rise) / (1 - rise))) / 2.

    Parameters
    ----------
    rise : float, default=0.3
        Share of the training until the peak, in (0, 1).
    start : float, default=1/25
        Factor at the beginning, in [0, 1].
    final : float, default=1/250000
        Factor at the end, in [0, 1].

    References
    ----------
    Smith, Topin (2018). Super-convergence: very fast training of neural networks using
    large learning rates. arXiv:1708.07120.

    Examples
    --------
    >>> from skreg.schedules import OneCycle
    >>> OneCycle(final=0.0).at([0.0, 0.15, 0.3, 0.65, 1.0]).round(3).tolist()
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    _parameter_constraints: dict = {
        "rise": [Interval(Real, 0, 1, closed="neither")],
        "start": [SHARE],
        "final": [SHARE],
    }

    def __init__(self, rise=0.3, start=1 / 25, final=1 / 250_000):
        self.rise = rise
        self.start = start
        self.final = final

    def at(self, progress, max_iter=200):
        """See `Schedule.at`."""
        progress = np.asarray(progress)
        up = half_cosine(progress / self.rise, self.start, 1.0)
        down = half_cosine((progress - self.rise) / (1 - self.rise), 1.0, self.final)
        return np.where(progress < self.rise, up, down)


class FlatThenCosine(Schedule):
    """Constant, then down along half a cosine.

        factor(s) = 1                                                      for s < flat,
        factor(s) = final + (1 - final) (1 + cos(pi (s - flat) / (1 - flat))) / 2.

    Parameters
    ----------
    flat : float, default=0.7
        Share of the training at the full rate, in [0, 1). 0 is `Cosine`.
    final : float, default=0.0
        Factor at the end, in [0, 1].

    References
    ----------
    Hägele, Bakouch, Kosson, Allal, von Werra, Jaggi (2024). Scaling laws and
    compute-optimal training beyond fixed training durations. NeurIPS 37.

    Examples
    --------
    >>> from skreg.schedules import FlatThenCosine
    >>> FlatThenCosine().at([0.0, 0.7, 0.85, 1.0]).round(3).tolist()
    [1.0, 1.0, 0.5, 0.0]
    """

    _parameter_constraints: dict = {
        "flat": [Interval(Real, 0, 1, closed="left")],
        "final": [SHARE],
    }

    def __init__(self, flat=0.7, final=0.0):
        self.flat = flat
        self.final = final

    def at(self, progress, max_iter=200):
        """See `Schedule.at`."""
        since = np.maximum(np.asarray(progress) - self.flat, 0.0)
        return half_cosine(since / (1 - self.flat), 1.0, self.final)


class CurriculumDropout(Schedule):
    """From nothing up to 1, fast at first (Morerio et al. 2017).

        factor(s) = 1 - exp(-gamma s)

    For ``dropout_schedule``: easy examples first, which are those that miss nothing.

    Parameters
    ----------
    gamma : float, default=10
        How fast it rises, > 0; by default it is 0.993 half way.

    References
    ----------
    Morerio, Cavazza, Volpi, Vidal, Murino (2017). Curriculum dropout. ICCV.

    Examples
    --------
    >>> from skreg.schedules import CurriculumDropout
    >>> CurriculumDropout().at([0.0, 0.1, 0.5, 1.0]).round(3).tolist()
    [0.0, 0.632, 0.993, 1.0]
    """

    _parameter_constraints: dict = {"gamma": [POSITIVE]}

    def __init__(self, gamma=10):
        self.gamma = gamma

    def at(self, progress, max_iter=200):
        """See `Schedule.at`."""
        return -np.expm1(-self.gamma * np.asarray(progress))


class EarlyDropout(Schedule):
    """1 in the first part of the training, then 0 (Liu et al. 2023).

        factor(s) = 1 if s < share, else 0

    For ``dropout_schedule``: dropout against underfitting. It makes early gradients
    agree with each other better, and the rest of the training fits without it.

    Parameters
    ----------
    share : float, default=0.5
        Of the training that has dropout, in (0, 1].

    References
    ----------
    Liu, Xu, Jin, Shen, Darrell (2023). Dropout reduces underfitting. ICML.

    Examples
    --------
    >>> from skreg.schedules import EarlyDropout
    >>> EarlyDropout().at([0.0, 0.4, 0.5, 1.0]).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """

    _parameter_constraints: dict = {"share": [Interval(Real, 0, 1, closed="right")]}

    def __init__(self, share=0.5):
        self.share = share

    def at(self, progress, max_iter=200):
        """See `Schedule.at`."""
        return np.where(np.asarray(progress) < self.share, 1.0, 0.0)


def half_cosine(progress, start, end):
    """From start at 0 to end at 1, level at both."""
    return end + (start - end) * 0.5 * (1.0 + np.cos(np.pi * progress))
