"""Regularized multilayer perceptrons for scikit-learn, on compiled kernels."""

from importlib.metadata import version

from skreg._classifier import RegularizedMLPClassifier
from skreg._regressor import RegularizedMLPRegressor
from skreg._search_space import search_space
from skreg._versions import show_versions

__version__ = version("skreg")
__all__ = [
    "RegularizedMLPClassifier",
    "RegularizedMLPRegressor",
    "search_space",
    "show_versions",
]
