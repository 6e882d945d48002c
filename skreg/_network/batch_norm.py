"""Batch normalization between training and prediction.

In training a norm has the statistics of the batch; in prediction it has their running
averages, so that it is an affine map, which is folded into the weights beside it.
"""

from dataclasses import dataclass

import numpy as np

# Added to the variance.
EPSILON = 1e-5

# Of the running averages, per batch.
DECAY = 0.99


@dataclass
class Statistics:
    """Running averages of the hidden layers' means and variances.

    Attributes
    ----------
    values : ndarray
        Means, then variances, layer by layer.
    gathered : float
        The weight of what has been averaged, from 0 to 1; the rest is the start,
        which does not count.
    """

    values: np.ndarray
    gathered: float = 0.0
    decay: float = DECAY

    @classmethod
    def of(cls, widths, dtype):
        """Means 0 and variances 1."""
        parts = [np.repeat([0, 1], width) for width in widths]
        return cls(np.concatenate(parts).astype(dtype))

    def by_layer(self, widths):
        """Views (means, variances) of each layer."""
        start = 0
        for width in widths:
            yield (
                self.values[start : start + width],
                self.values[start + width : start + 2 * width],
            )
            start += 2 * width


def folded(position, coefs, intercepts, scales, shifts, statistics):
    """Weights and biases of a network without norms that predicts the same.

    A norm is v -> a v + c with a = gamma / sqrt(q + epsilon), c = beta - a m. Before
    the activation, v = x W + b, so W <- W diag(a), b <- a b + c. After it, v is the
    next layer's input, so W <- diag(a) W, b <- b + c W there.

    Parameters
    ----------
    position : {"before", "after"}
    coefs, intercepts : list of ndarray
        Of all layers.
    scales, shifts : list of ndarray
        gamma and beta of the hidden layers.
    statistics : iterable of (means, variances)
        Of the hidden layers.

    Returns
    -------
    coefs, intercepts : list of ndarray
    """
    coefs = [W.astype(np.float64) for W in coefs]
    intercepts = [b.astype(np.float64) for b in intercepts]
    parts = zip(scales, shifts, statistics, strict=True)
    for l, (gamma, beta, (mean, variance)) in enumerate(parts):
        a = gamma / np.sqrt(variance.astype(np.float64) + EPSILON)
        c = beta - a * mean
        if position == "before":
            coefs[l] = coefs[l] * a
            intercepts[l] = intercepts[l] * a + c
        else:
            intercepts[l + 1] = intercepts[l + 1] + c @ coefs[l + 1]
            coefs[l + 1] = a[:, None] * coefs[l + 1]
    return coefs, intercepts
