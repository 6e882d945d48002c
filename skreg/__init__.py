"""Regularized multilayer perceptrons for scikit-learn, on compiled kernels."""

from importlib.metadata import version

from skreg import _kernels  # noqa: F401  first, as it says which install is missing
from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.cv import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV
from skreg._estimators.path import RegularizationPath, regularization_path
from skreg._estimators.regressor import RegularizedMLPRegressor
from skreg._persistence import keep_old_names as _keep_old_names
from skreg._problem.search_space import search_space
from skreg._versions import show_versions

__version__ = version("skreg")
__all__ = [
    "RegularizationPath",
    "RegularizedMLPClassifier",
    "RegularizedMLPClassifierCV",
    "RegularizedMLPRegressor",
    "RegularizedMLPRegressorCV",
    "regularization_path",
    "search_space",
    "show_versions",
]

_keep_old_names()
