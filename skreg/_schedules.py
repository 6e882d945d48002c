"""Learning-rate schedules, for adam and sgd alike.

A schedule gives the rate of every step of an epoch. Rates of an epoch come as one
array, so that the compiled epoch needs nothing from Python.
"""

import numpy as np

# An adaptive rate at or below this has been divided often enough: training stops.
SMALLEST_ADAPTIVE_RATE = 1e-6


class Constant:
    """lr = learning_rate_init."""

    # Whether the end of training is part of the schedule: such a schedule runs for
    # max_iter epochs, and neither stops on a plateau of the training loss nor warns
    # that it has not converged.
    has_end = False

    def __init__(self, rate, *, power_t, max_iter):
        self.initial_rate = rate
        self.rate = rate
        self.power_t = power_t
        self.max_iter = max_iter

    def rates(self, epoch, n_steps, n_seen):
        """The rates of one epoch.

        Parameters
        ----------
        epoch : int
            Epochs of this fit before this one.
        n_steps : int
            Steps per epoch.
        n_seen : int
            Rows seen before, by all fits (``t_``).
        """
        return np.full(n_steps, self.rate)

    def is_like(self, other):
        """Whether `other`, a new schedule, has the same settings as this one."""
        return type(self) is type(other) and (self.initial_rate, self.power_t) == (
            other.initial_rate,
            other.power_t,
        )

    def stops_on_plateau(self):
        """Called after `n_iter_no_change` epochs without progress."""
        return True


class InverseScaling(Constant):
    """lr = learning_rate_init / (t + 1)^power_t, t the rows seen before the epoch."""

    def rates(self, epoch, n_steps, n_seen):
        return np.full(n_steps, self.rate / (n_seen + 1) ** self.power_t)


class Adaptive(Constant):
    """Divided by 5 on each plateau, until it is tiny."""

    def stops_on_plateau(self):
        if self.rate <= SMALLEST_ADAPTIVE_RATE:
            return True
        self.rate /= 5.0
        return False


class Cosine(Constant):
    """lr = learning_rate_init (1 + cos(pi s)) / 2, s the share of steps done.

    Loshchilov & Hutter (2017), one period without restarts.
    """

    has_end = True

    def rates(self, epoch, n_steps, n_seen):
        return self.rate * self.shape(self.progress(epoch, n_steps))

    def progress(self, epoch, n_steps):
        """Share of all steps done before each step of the epoch."""
        return (epoch + np.arange(n_steps) / n_steps) / self.max_iter

    def shape(self, progress):
        return 0.5 * (1.0 + np.cos(np.pi * progress))


class OneCycle(Cosine):
    """Up to learning_rate_init in the first 30 % of the steps, down in the rest.

    Both ways along half a cosine, from 1/25 and to 1/250000 of the peak (Smith & Topin
    2018).
    """

    rising = 0.3
    start = 1 / 25
    end = 1 / 250_000

    def shape(self, progress):
        up = half_cosine(progress / self.rising, self.start, 1.0)
        down = half_cosine((progress - self.rising) / (1 - self.rising), 1.0, self.end)
        return np.where(progress < self.rising, up, down)


def half_cosine(progress, start, end):
    """From start at 0 to end at 1, level at both."""
    return end + (start - end) * 0.5 * (1.0 + np.cos(np.pi * progress))


SCHEDULES = {
    "constant": Constant,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}
