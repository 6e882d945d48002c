"""What an estimator has read, and what later calls of its training carry on."""

from dataclasses import dataclass, replace

import numpy as np

from skreg._problem.optimizers import Optimizer
from skreg._training.adaptive import Tuner
from skreg._training.stochastic import (
    History,
    Progress,
)


@dataclass
class TrainingState:
    """What later calls of partial_fit, or of fit with warm_start, carry on."""

    key: tuple
    history: History
    optimizer: Optimizer | None = None
    schedule: object = None
    loss_progress: Progress | None = None
    # Where training goes on from, if predictions are made from an average.
    iterate: tuple | None = None
    tuner: Tuner | None = None

    def without_memory(self):
        """The same, less the arrays that are as long as the parameters."""
        optimizer = self.optimizer and self.optimizer.without_memory()
        return replace(self, optimizer=optimizer, iterate=None)


@dataclass
class TrainingData:
    """X, y and weights after validation."""

    X: object  # ndarray or CSR in the network's dtype
    y: np.ndarray  # as the user knows it
    targets: np.ndarray  # as the kernels read it
    weights: np.ndarray | None  # with those of the classes
    by_class: np.ndarray | None = None  # these, in the order of the classes
