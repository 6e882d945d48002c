"""Looking into fitted estimators."""

from skreg.inspection._importances import FeatureImportancesDisplay
from skreg.inspection._loss_curve import LossCurveDisplay
from skreg.inspection._path import RegularizationPathDisplay
from skreg.inspection._robustness import (
    RobustnessCurve,
    RobustnessCurveDisplay,
    robustness_curve,
)
from skreg.inspection._search_curve import SearchCurveDisplay
from skreg.inspection._sparsity import SparsityDisplay
from skreg.inspection._weights import WeightHistogramDisplay

__all__ = [
    "FeatureImportancesDisplay",
    "LossCurveDisplay",
    "RegularizationPathDisplay",
    "RobustnessCurve",
    "RobustnessCurveDisplay",
    "SearchCurveDisplay",
    "SparsityDisplay",
    "WeightHistogramDisplay",
    "robustness_curve",
]
