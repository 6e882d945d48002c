"""scikit-learn's own checks of the estimators that choose their strength."""

import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from test_contract import ESTIMATORS as NETWORKS
from test_contract import WEIGHT_CHECKS, from_a_list

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

# The checks' data are a few rows: too few to converge, or for stratified folds.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The least populated class"),
]

# Strictly convex, and to solver precision: equal weights have equal optima.
LINEAR = {
    "hidden_layer_sizes": (),
    "solver": "lbfgs",
    "tol": 1e-10,
    "param": "l2",
    "eps": 1e-3,
    "max_iter": 1000,
    "dtype": "float64",
}
ESTIMATORS = [RegularizedMLPClassifierCV, RegularizedMLPRegressorCV]


def expected_failures(estimator):
    """Weights equal repeated rows where nothing is drawn."""
    if estimator.solver == "lbfgs":
        return {}
    reason = "the rows of a batch are drawn, and with repetitions they are others"
    return {check.__name__: reason for check in WEIGHT_CHECKS}


@from_a_list(
    parametrize_with_checks(
        [
            Estimator(**given, alphas=3, cv=3)
            for Estimator in ESTIMATORS
            for given in ({"max_iter": 20}, LINEAR)
        ],
        expected_failed_checks=expected_failures,
    )
)
def test_check_of_scikit_learn(estimator, check):
    check(estimator)


# Those that choose a strength fit a hundred networks by default, in each of the checks:
# above they have fewer.
@pytest.mark.slow
@pytest.mark.parametrize("Estimator", NETWORKS)
@pytest.mark.filterwarnings("ignore")
def test_as_constructed_by_default(Estimator):
    """Without exceptions but the two checks of weights, which draws explain."""
    results = check_estimator(Estimator(), on_fail=None, on_skip=None)
    failed = {r["check_name"] for r in results if r["status"] == "failed"}
    assert failed <= {check.__name__ for check in WEIGHT_CHECKS}
