"""The activations by name: their kernel, their initialisation, their formula."""

from dataclasses import dataclass
from math import sqrt

from skreg._kernels._tables import ACTIVATIONS as NUMBERS


@dataclass(frozen=True)
class Activation:
    """One entry of the registry.

    Attributes
    ----------
    name : str
    bound : callable
        ``bound(fan_in, fan_out)``: weights start uniform in ``[-bound, bound]``.
    formula : str
        For the documentation.
    """

    name: str
    bound: callable
    formula: str

    @property
    def kernel(self):
        """The number that the kernels know it by."""
        return NUMBERS[self.name]


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
    activation.name: activation
    for activation in [
        Activation("identity", glorot, "z"),
        Activation("logistic", glorot_logistic, "1 / (1 + exp(-z))"),
        Activation("tanh", glorot, "tanh(z)"),
        Activation("relu", glorot, "max(z, 0)"),
        Activation("leaky_relu", glorot, "max(z, z / 100)"),
        Activation("elu", glorot, "z if z > 0 else exp(z) - 1"),
        Activation("selu", lecun, "1.0507 (z if z > 0 else 1.6733 (exp(z) - 1))"),
        Activation("gelu", glorot, "z Phi(z)"),
        Activation("silu", glorot, "z / (1 + exp(-z))"),
        Activation("mish", glorot, "z tanh(log(1 + exp(z)))"),
    ]
}
