"""The activations by name: their kernel, their initialisation, their formula."""

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Activation:
    """One entry of the registry.

    Attributes
    ----------
    kernel : int
        The number in ``_kernels/activations.pxd``.
    bound : callable
        ``bound(fan_in, fan_out)``: weights start uniform in ``[-bound, bound]``.
    formula : str
        For the documentation.
    """

    kernel: int
    bound: callable
    formula: str


def glorot(fan_in, fan_out):
    """Variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010): slope 1 at zero."""
    return sqrt(6.0 / (fan_in + fan_out))


def glorot_logistic(fan_in, fan_out):
    """Glorot for the logistic function, with the factor of scikit-learn's MLP."""
    return sqrt(2.0 / (fan_in + fan_out))


def he(fan_in, fan_out):
    """Variance 2 / fan_in (He et al. 2015): half of the units pass."""
    return sqrt(6.0 / fan_in)


def lecun(fan_in, fan_out):
    """Variance 1 / fan_in (LeCun et al. 1998), which self-normalisation needs."""
    return sqrt(3.0 / fan_in)


ACTIVATIONS = {
    "identity": Activation(0, glorot, "z"),
    "logistic": Activation(1, glorot_logistic, "1 / (1 + exp(-z))"),
    "tanh": Activation(2, glorot, "tanh(z)"),
    "relu": Activation(3, he, "max(z, 0)"),
    "leaky_relu": Activation(4, he, "max(z, z / 100)"),
    "elu": Activation(5, he, "z if z > 0 else exp(z) - 1"),
    "selu": Activation(6, lecun, "1.0507 (z if z > 0 else 1.6733 (exp(z) - 1))"),
    "gelu": Activation(7, he, "z Phi(z)"),
    "silu": Activation(8, he, "z / (1 + exp(-z))"),
    "mish": Activation(9, he, "z tanh(log(1 + exp(z)))"),
}
