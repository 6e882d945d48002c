"""The average of the weights beside the weights that are trained."""

from contextlib import contextmanager

import numpy as np

from skreg.averaging import ExponentialMovingAverage


class Average:
    """What predictions use while training goes on from elsewhere.

    Parameters
    ----------
    settings : ExponentialMovingAverage or StochasticWeightAveraging
    network : Network
    optimizer : Optimizer
        Its compiled steps update the exponential average.
    statistics_of_average : callable
        Sets the network's statistics to those of its weights now; for batch
        normalization, where an average of weights has statistics of its own.
    max_iter : int
    """

    def __init__(
        self, settings, network, optimizer, statistics_of_average, *, max_iter
    ):
        self.network = network
        self.optimizer = optimizer
        self.statistics_of_average = statistics_of_average
        self.exponential = isinstance(settings, ExponentialMovingAverage)
        self.count = 0
        if self.exponential:
            optimizer.average_decay = float(settings.decay)
            if optimizer.average is None:
                optimizer.average = network.params.copy()
        else:
            optimizer.average = None
            self.first_epoch = settings.start * max_iter
            self.mean = network.params.astype(np.float64)

    def epoch_done(self, epoch):
        """Take the weights at the end of an epoch, counted from 0."""
        if not self.exponential and epoch >= self.first_epoch:
            self.count += 1
            self.mean += (self.network.params - self.mean) / self.count

    @property
    def values(self):
        """The average now, or None before it begins."""
        if self.exponential:
            return self.optimizer.average
        return self.mean if self.count else None

    def apply(self):
        """The network's weights become their average."""
        if self.values is None:
            return
        self.network.params[:] = self.values
        self.statistics_of_average()
        self.network.changed()

    @contextmanager
    def applied(self):
        """The same for a while."""
        before = self.network.weights()
        self.apply()
        try:
            yield
        finally:
            self.network.set_weights(before)
