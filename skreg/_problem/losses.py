"""The losses by name: their kernel, their link, their targets, their best constant."""

from dataclasses import dataclass, field

import numpy as np

from skreg._kernels._tables import LOSSES as NUMBERS


@dataclass(frozen=True)
class Loss:
    """One entry of the registry.

    Attributes
    ----------
    kernel : int
        Its number there, see ``_kernels/_tables.pyx``.
    out_activation : str
        Name of the inverse link, as in ``out_activation_``.
    best_constant : callable
        ``best_constant(y, weights, parameter)``: the raw output, shape (n_outputs,),
        that minimises the loss among constants. Output biases start there.
    parameter : str or None
        The estimator's parameter that the loss takes.
    standardizable : bool
        Whether a shift and a change of scale of y leave the problem the same.
    smallest : float
        The target's lower bound.
    open_below : bool
        Whether the bound itself is excluded.
    bounded_gradient : bool
        Whether the derivative by the raw output does not grow with the target.
    curvature : float
        About the mean of its second derivative by the raw output where a model fits.
        lbfgs weighs it against that of l2; the guess is only a matter of speed.
    has_kinks : bool
        Whether its gradient need not be small at a minimum.
    """

    kernel: int
    out_activation: str
    best_constant: callable
    parameter: str | None = None
    standardizable: bool = True
    smallest: float = -np.inf
    open_below: bool = False
    # not compared: losses in older pickles have none of these
    bounded_gradient: bool = field(default=False, compare=False)
    curvature: float = field(default=1.0, compare=False)
    has_kinks: bool = field(default=False, compare=False)

    @property
    def resists_outliers(self):
        """Whether it grows linearly with an error, so that outliers explain little."""
        return self.bounded_gradient and self.standardizable


def mean(y, weights, parameter=None):
    """Weighted mean by column."""
    return np.average(y, axis=0, weights=weights)


def quantile(y, weights, level):
    """Weighted quantile by column: the least value that reaches the level."""
    if weights is None:
        weights = np.ones(len(y))
    columns = []
    for column in y.T:
        order = np.argsort(column, kind="stable")
        reached = np.cumsum(weights[order])
        k = np.searchsorted(reached, level * reached[-1])
        columns.append(column[order[min(k, len(order) - 1)]])
    return np.array(columns)


def median(y, weights, parameter=None):
    """Weighted median by column."""
    return quantile(y, weights, 0.5)


def huber_location(y, weights, delta):
    """The m with sum_i w_i clip(m - y_i, -delta, delta) = 0, by column.

    The sum rises in m and is linear between the corners y_i - delta and y_i + delta.
    A delta beyond the range of y clips nothing, and would take digits from the corners.
    """
    weights = np.ones(len(y)) if weights is None else weights / weights.max()
    slope_changes = np.concatenate([weights, -weights])
    columns = []
    for column in y.T.astype(np.float64):
        reach = min(delta, np.ptp(column))
        corners = np.concatenate([column - reach, column + reach])
        order = np.argsort(corners)
        corners = corners[order]
        slopes = np.cumsum(slope_changes[order])[:-1]
        rise = np.concatenate([[0.0], np.cumsum(slopes * np.diff(corners))])
        columns.append(np.interp(reach * weights.sum(), rise, corners))
    return np.array(columns)


def log_mean(y, weights, parameter=None):
    """Logarithm of the weighted mean; y > 0 somewhere in each column."""
    found = mean(y, weights)
    return np.log(np.where(found > 0, found, np.finfo(np.float32).tiny))


# The share of a class is kept off 0 and 1: their log odds are infinite, and training
# could never leave such a start.
_SHARE_EPSILON = 1e-6


def logit_mean(y, weights, parameter=None):
    """Log odds of the weighted share of ones by column."""
    share = np.clip(mean(y, weights), _SHARE_EPSILON, 1 - _SHARE_EPSILON)
    return np.log(share / (1 - share))


def log_share(y, weights, parameter=None):
    """Logarithm of the weighted share of each class; y holds class numbers."""
    counts = np.bincount(y, weights=weights, minlength=parameter)
    share = np.clip(counts / counts.sum(), _SHARE_EPSILON, None)
    return np.log(share)


REGRESSION_LOSSES = {
    "squared_error": Loss(NUMBERS["squared_error"], "identity", mean),
    "absolute_error": Loss(
        NUMBERS["absolute_error"],
        "identity",
        median,
        bounded_gradient=True,
        has_kinks=True,
    ),
    "huber": Loss(
        NUMBERS["huber"],
        "identity",
        huber_location,
        parameter="huber_delta",
        bounded_gradient=True,
    ),
    "quantile": Loss(
        NUMBERS["quantile"],
        "identity",
        quantile,
        parameter="quantile",
        bounded_gradient=True,
        has_kinks=True,
    ),
    "poisson": Loss(
        NUMBERS["poisson"], "exp", log_mean, standardizable=False, smallest=0.0
    ),
    "gamma": Loss(
        NUMBERS["gamma"],
        "exp",
        log_mean,
        standardizable=False,
        smallest=0.0,
        open_below=True,
        bounded_gradient=True,
    ),
}

# p (1 - p), of predictions that are mostly sure
BINARY_LOG_LOSS = Loss(
    NUMBERS["binary_log_loss"], "logistic", logit_mean, curvature=0.05
)
MULTINOMIAL_LOG_LOSS = Loss(
    NUMBERS["multinomial_log_loss"], "softmax", log_share, curvature=0.05
)


def loss_name(loss):
    """The name of a Loss, for errors."""
    names = {entry: name for name, entry in REGRESSION_LOSSES.items()}
    return names.get(loss, "log loss")
