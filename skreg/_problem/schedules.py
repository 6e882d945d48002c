"""The learning rate of every step, for adam and sgd alike.

Rates of an epoch come as one array, so that the compiled epoch needs nothing from
Python. Shapes over the whole training are the public objects of ``schedules.py``; those
that heed what happens in it are here.
"""

from functools import partial

import numpy as np

from skreg.schedules import (
    Cosine,
    CosineWarmRestarts,
    FlatThenCosine,
    OneCycle,
    Schedule,
)

# An adaptive rate at or below this has been divided often enough: training stops.
SMALLEST_ADAPTIVE_RATE = 1e-6


class Constant:
    """lr = learning_rate_init.

    Parameters
    ----------
    rate : float
        ``learning_rate_init``.
    power_t : float
        Exponent of `InverseScaling`.
    max_iter : int
        Epochs of the fit.
    warm_up : float, default=0.0
        Epochs in which a factor rises from 0 to 1: (steps done + 1) / (steps of the
        warm-up), so that the first step moves as well. It multiplies any schedule.
    """

    # Whether the end of training is part of the schedule: such a schedule runs for
    # max_iter epochs, and neither stops on a plateau of the training loss nor warns
    # that it has not converged.
    has_end = False

    def __init__(self, rate, *, power_t, max_iter, warm_up=0.0):
        self.initial_rate = rate
        self.rate = rate
        self.power_t = power_t
        self.max_iter = max_iter
        self.warm_up = warm_up

    def rates(self, epoch, n_steps, n_seen):
        """The rates of one epoch.

        Parameters
        ----------
        epoch : int
            Epochs of this fit (of all calls of partial_fit) before this one.
        n_steps : int
            Steps per epoch.
        n_seen : int
            Rows seen before, by all fits (``t_``).
        """
        rates = self.full_rates(epoch, n_steps, n_seen)
        if epoch < self.warm_up:
            done = epoch + np.arange(1, n_steps + 1) / n_steps
            rates *= np.minimum(done, self.warm_up) / self.warm_up
        return rates

    def full_rates(self, epoch, n_steps, n_seen):
        """The same without a warm-up; a new array."""
        return np.full(n_steps, self.rate)

    def is_like(self, other):
        """Whether `other`, a new schedule, has the same settings as this one."""
        return type(self) is type(other) and (
            self.initial_rate,
            self.power_t,
            self.warm_up,
        ) == (other.initial_rate, other.power_t, other.warm_up)

    def stops_on_plateau(self):
        """Called after `n_iter_no_change` epochs without progress."""
        return True


class InverseScaling(Constant):
    """lr = learning_rate_init / (t + 1)^power_t, t the rows seen before the epoch."""

    def full_rates(self, epoch, n_steps, n_seen):
        # of a power beyond all numbers, the rate is 0
        with np.errstate(over="ignore"):
            power = np.float64(n_seen + 1) ** self.power_t
        return np.full(n_steps, self.rate / power)


class Adaptive(Constant):
    """Divided by 5 on each plateau, until it is tiny."""

    def stops_on_plateau(self):
        if self.rate <= SMALLEST_ADAPTIVE_RATE:
            return True
        self.rate /= 5.0
        return False


class Shaped(Constant):
    """lr = learning_rate_init * shape(s), s the share of all steps that are done.

    Parameters
    ----------
    shape : Schedule
    """

    has_end = True

    def __init__(self, shape, rate, **settings):
        super().__init__(rate, **settings)
        self.shape = shape

    def full_rates(self, epoch, n_steps, n_seen):
        done = (epoch + np.arange(n_steps) / n_steps) / self.max_iter
        return self.rate * self.shape.at(done, self.max_iter)


SCHEDULES = {
    "constant": Constant,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
    "cosine": partial(Shaped, Cosine()),
    "cosine_restarts": partial(Shaped, CosineWarmRestarts()),
    "flat_cosine": partial(Shaped, FlatThenCosine()),
    "one_cycle": partial(Shaped, OneCycle()),
}
WITHOUT_END = ["constant", "invscaling", "adaptive"]


def has_end(learning_rate):
    """Whether a schedule, given as the estimators' parameter, runs for max_iter."""
    return learning_rate not in WITHOUT_END


def new_schedule(learning_rate, rate, **settings):
    """The rates that the estimators' parameter ``learning_rate`` stands for.

    Parameters
    ----------
    learning_rate : str or Schedule
    rate : float
        ``learning_rate_init``.
    **settings
        ``power_t``, ``max_iter`` and ``warm_up``.
    """
    if isinstance(learning_rate, Schedule):
        return Shaped(learning_rate, rate, **settings)
    return SCHEDULES[learning_rate](rate, **settings)
