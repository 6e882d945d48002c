"""Looking into fitted estimators."""

from skreg.inspection._robustness import (
    RobustnessCurve,
    RobustnessCurveDisplay,
    robustness_curve,
)

__all__ = [
    "RobustnessCurve",
    "RobustnessCurveDisplay",
    "robustness_curve",
]
