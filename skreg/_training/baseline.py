"""The loss of a network's outputs, and what it is compared with."""

import numpy as np
from scipy.special import expit, log_expit, logsumexp, softmax, xlogy

from skreg._network.network import Network


class LossOfOutputs:
    """Mean loss of raw outputs: that of a network which passes its input on.

    Parameters
    ----------
    network : Network
        Whose outputs they are.
    targets : ndarray of shape (n,), int32, or (n, n_outputs)
    weights : ndarray of shape (n,) or None
    """

    def __init__(self, network, targets, weights):
        n_outputs = network.layer_sizes[-1]
        self.network = Network(
            [n_outputs, n_outputs],
            [],
            network.loss,
            network.loss_parameter,
            np.dtype(np.float64),
        )
        self.network.coefs[0][:] = np.eye(n_outputs)
        if targets.dtype != np.int32:
            targets = np.ascontiguousarray(targets, dtype=np.float64)
        self.targets, self.weights = targets, weights
        self.engine = self.network.engine()

    def __call__(self, outputs):
        """The loss of outputs, (n, n_outputs), float64."""
        data = self.network.data(outputs, self.targets, self.weights)
        return self.engine.loss_and_gradient(self.network.params, data)


def is_nearly_constant(targets, weights):
    """Whether all rows but less than one, by weight, have the same targets.

    A share of the loss of such a constant says nothing of predictions: it is itself as
    small as the weights of the other rows.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, n_outputs)
    weights : ndarray of shape (n,) or None
    """
    columns = targets.reshape(len(targets), -1).T
    if weights is None:
        return all((column == column[0]).all() for column in columns)
    weights = weights / weights.mean()
    for column in columns:
        _, numbers = np.unique(column, return_inverse=True)
        others = len(weights) - np.bincount(numbers, weights).max()
        # weights come from float32
        if others > 1 - 1e-6:
            return False
    return True


class Baseline:
    """What a fit on the rows of a problem is compared with.

    Attributes
    ----------
    constant : float
        Mean loss of the best constant; with label smoothing, of smoothed targets.
    room : float
        How much less that of the targets themselves is; 0 where all are the same, or
        but for less than the weight of one row.
    """

    def __init__(self, problem):
        data, network = problem.data, problem.network
        self.smoothing = problem.settings.label_smoothing
        self.network = network
        targets, weights = data.targets, data.weights
        if data.subset is not None:
            targets = targets[data.subset]
            weights = None if weights is None else weights[data.subset]
        if weights is not None:
            weights = weights.astype(np.float64)
        self.weights = weights
        self.loss = LossOfOutputs(network, targets, weights)
        n_outputs = network.layer_sizes[-1]
        with np.errstate(all="ignore"):
            self.level = self._best_constant(targets, weights)
            self.constant = self.of_outputs(np.tile(self.level, (len(targets), 1)))
            room = self.constant - self._of_targets(targets, n_outputs)
        # beyond rounding: with a log link the constant's loss has the logarithm of the
        # level in it, beside which a small variation is little
        enough = room > 1e-13 * max(abs(self.constant), np.finfo(np.float64).tiny)
        enough = enough and np.isfinite(room)
        self.room = 0.0 if not enough or is_nearly_constant(targets, weights) else room

    def _best_constant(self, targets, weights):
        loss, n_outputs = self.network.loss, self.network.layer_sizes[-1]
        is_softmax = loss.out_activation == "softmax"
        constant = loss.best_constant(
            targets if is_softmax else np.asarray(targets, dtype=np.float64),
            weights,
            n_outputs if is_softmax else self.network.loss_parameter,
        )
        if not self.smoothing:
            return constant
        if is_softmax:
            share = softmax(constant)
            return np.log(share + self.smoothing * (1 / n_outputs - share))
        share = expit(constant)
        share += self.smoothing * (0.5 - share)
        return np.log(share / (1 - share))

    def _of_targets(self, targets, n_outputs):
        """The loss of predictions that are the targets."""
        kind = self.network.loss.out_activation
        if kind == "exp":
            if self.network.loss.open_below:
                each = 1 + np.log(targets.astype(np.float64))
            else:
                each = targets - xlogy(targets, targets.astype(np.float64))
            return float(np.average(each.sum(axis=1), weights=self.weights))
        if kind == "identity" or not self.smoothing:
            return 0.0
        n_classes = n_outputs if kind == "softmax" else 2
        rest = self.smoothing / n_classes
        entropy = -xlogy(1 - rest * (n_classes - 1), 1 - rest * (n_classes - 1))
        entropy -= (n_classes - 1) * xlogy(rest, rest)
        return entropy * (1 if kind == "softmax" else n_outputs)

    def of_outputs(self, raw):
        """Mean loss of raw outputs."""
        raw = raw.astype(np.float64)
        loss = self.loss(raw)
        if not self.smoothing:
            return loss
        # the loss is linear in the target
        if self.network.loss.out_activation == "softmax":
            uniform = logsumexp(raw, axis=1) - raw.mean(axis=1)
        else:
            uniform = (-log_expit(-raw) - raw / 2).sum(axis=1)
        uniform = float(np.average(uniform, weights=self.weights))
        return loss + self.smoothing * (uniform - loss)

    def is_far_from_constant(self, loss):
        """Whether a loss is clearly above the constant's, where that is all there is.

        Clearly is more than a guess without any data would lose: the logarithm of the
        number of classes, or half the square of the targets' scale.
        """
        if not np.isfinite(self.constant):
            # that says nothing of whether the targets are alike
            return False
        if self.network.loss.out_activation == "softmax":
            guess = np.log(self.network.layer_sizes[-1])
        elif self.network.loss.out_activation == "logistic":
            guess = np.log(2)
        elif self.network.loss.out_activation == "identity":
            guess = 0.5 * max(1.0, float(np.square(self.level).max()))
        else:
            return False
        return not loss - self.constant <= guess

    def explained(self, loss):
        """D2 of a loss; NaN where there is nothing to explain."""
        if not self.room:
            return np.nan
        # a loss that is not a number explains nothing
        return (self.constant - loss) / self.room if np.isfinite(loss) else -np.inf
