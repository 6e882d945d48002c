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
    """Variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010).

    Also for the rectifiers: He et al. (2015), with variance 2 / fan_in, keep the signal
    through tens of layers, but a first layer of few inputs then starts large, and on
    tables of some ten columns the network predicts worse.
    """
    return sqrt(6.0 / (fan_in + fan_out))


def glorot_logistic(fan_in, fan_out):
    """Glorot for the logistic function, with the factor of scikit-learn's MLP."""
    return sqrt(2.0 / (fan_in + fan_out))


def lecun(fan_in, fan_out):
    """Variance 1 / fan_in (LeCun et al. 1998), which self-normalisation needs."""
    return sqrt(3.0 / fan_in)


ACTIVATIONS = {
    "identity": Activation(0, glorot, "z"),
    "logistic": Activation(1, glorot_logistic, "1 / (1 + exp(-z))"),
    "tanh": Activation(2, glorot, "tanh(z)"),
    "relu": Activation(3, glorot, "max(z, 0)"),
    "leaky_relu": Activation(4, glorot, "max(z, z / 100)"),
    "elu": Activation(5, glorot, "z if z > 0 else exp(z) - 1"),
    "selu": Activation(6, lecun, "1.0507 (z if z > 0 else 1.6733 (exp(z) - 1))"),
    "gelu": Activation(7, glorot, "z Phi(z)"),
    "silu": Activation(8, glorot, "z / (1 + exp(-z))"),
    "mish": Activation(9, glorot, "z tanh(log(1 + exp(z)))"),
}
