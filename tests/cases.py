"""Networks, data and names that several tests of the compiled core share."""

from itertools import count

import numpy as np
from reference import KINKED_ACTIVATIONS, KINKED_LOSSES, NORM_EPSILON
from scipy import sparse

from skreg._kernels import engine
from skreg._kernels._tables import NORM_POSITIONS
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.losses import (
    BINARY_LOG_LOSS,
    MULTINOMIAL_LOG_LOSS,
    REGRESSION_LOSSES,
)

LOSSES = REGRESSION_LOSSES | {
    "binary_log_loss": BINARY_LOG_LOSS,
    "multinomial_log_loss": MULTINOMIAL_LOG_LOSS,
}
LOSS_PARAMETERS = {"huber": 0.7, "quantile": 0.3}

KEY = (0x243F6A88, 0x85A308D3)

both_dtypes = [np.float32, np.float64]


def random_targets(loss, rng, shape):
    """Targets that suit a loss, (rows, n_outputs), float64."""
    if loss == "poisson":
        return rng.poisson(2.0, shape).astype(float)
    if loss == "gamma":
        return rng.gamma(2.0, size=shape) + 0.1
    if loss == "binary_log_loss":
        return rng.integers(2, size=shape).astype(float)
    if loss == "multinomial_log_loss":
        return np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
    return rng.normal(size=shape)


def random_params(network, rng):
    """Weights that keep the units' inputs near 1, and biases."""
    params = rng.normal(size=network.n_parameters)
    for W in network.matrices(params):
        W /= np.sqrt(len(W))
    return params


def random_weights(rng, rows):
    """Of mean 1, as the kernels want them."""
    weights = rng.uniform(0.2, 3.0, rows)
    return weights / weights.mean()


def random_inputs(rng, rows, features, density=0.7):
    """Rows with zeros among them, so that CSR leaves something out."""
    return rng.normal(size=(rows, features)) * (rng.random((rows, features)) < density)


def engine_of(network, dtype=np.float64, **settings):
    """The compiled loops of a network of `reference`."""
    return engine.Engine(
        network.layer_sizes,
        [ACTIVATIONS[name].kernel for name in network.activations],
        LOSSES[network.loss].kernel,
        network.parameter,
        dtype,
        dropout=network.dropout or None,
        input_dropout=network.input_dropout,
        batch_norm=NORM_POSITIONS[network.batch_norm],
        norm_epsilon=NORM_EPSILON,
        residual=network.residual,
        skip=network.skip,
        label_smoothing=network.label_smoothing,
        **settings,
    )


def data_of(X, y=None, weights=None, *, dtype=np.float64, csr=False, **settings):
    """Rows as the kernels read them; y: (rows, n_outputs), or None and n_outputs."""
    X = sparse.csr_array(X, dtype=dtype) if csr else X.astype(dtype)
    n_outputs = settings.pop("n_outputs", None) or y.shape[1]
    return engine.Data(
        X,
        None if y is None else y.astype(dtype),
        None if weights is None else weights.astype(dtype),
        n_outputs,
        **settings,
    )


def is_smooth(network, params, X, y, masks, margin):
    """Whether no unit and no residual is within `margin` of a kink."""
    f, seen = network.forward(params, X, masks)
    for name, layer in zip(network.activations, seen[:-1], strict=True):
        z = layer["u"] if network.batch_norm == "before" else layer["z"]
        if name in KINKED_ACTIVATIONS and np.abs(z).min() < margin:
            return False
    return network.loss not in KINKED_LOSSES or np.abs(f - y).min() >= margin


def smooth_case(network, rows, *, key=None, step=0, margin=1e-3):
    """(params, X, y, masks) where the loss is differentiable in all directions."""
    for seed in count():
        rng = np.random.default_rng(seed)
        params = random_params(network, rng)
        X = random_inputs(rng, rows, network.layer_sizes[0])
        y = random_targets(network.loss, rng, (rows, network.layer_sizes[-1]))
        masks = network.masks(rows, key, step)
        if is_smooth(network, params, X, y, masks, margin):
            return params, X, y, masks


def differences(function, x, h=1e-5):
    """Central differences of a function of a vector, one coordinate at a time."""
    gradient = np.empty_like(x)
    for i in range(x.size):
        kept = x[i]
        x[i] = kept + h
        above = function(x)
        x[i] = kept - h
        gradient[i] = (above - function(x)) / (2 * h)
        x[i] = kept
    return gradient
