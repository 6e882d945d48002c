"""What tests of the estimators share: real data, scaled, and comparing fits."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import scale

ESTIMATORS = [RegularizedMLPClassifier, RegularizedMLPRegressor]
both_estimators = pytest.mark.parametrize("Estimator", ESTIMATORS)

# A small network that learns quickly.
SMALL = {
    "hidden_layer_sizes": (32,),
    "learning_rate_init": 0.01,
    "batch_size": 32,
    "max_iter": 20,
    "random_state": 0,
}

# For tests that train a few epochs only, and those in which max_iter ends a schedule.
few_epochs = pytest.mark.filterwarnings(
    "ignore:.*has not converged", "ignore:The network's predictions"
)
learns_nothing = pytest.mark.filterwarnings("ignore:The network's predictions")


def scaled(load):
    """X with columns of mean 0 and variance 1, and y. Read-only: tests share them."""
    X, y = load(return_X_y=True)
    X = scale(X)
    X.flags.writeable = y.flags.writeable = False
    return X, y


@cache
def iris():
    return scaled(load_iris)


@cache
def breast_cancer():
    return scaled(load_breast_cancer)


@cache
def diabetes():
    return scaled(load_diabetes)


def data_for(estimator):
    """Iris for a classifier, diabetes for a regressor."""
    return iris() if is_classifier(estimator) else diabetes()


def all_weights(estimator):
    """Weights and biases in one array."""
    arrays = [*estimator.coefs_, *estimator.intercepts_]
    if estimator.skip_coef_ is not None:
        arrays.append(estimator.skip_coef_)
    return np.concatenate([array.ravel() for array in arrays])


# What a fit tells of itself, by epoch and of all.
FIGURES = ["loss_curve_", "learning_rates_", "validation_scores_", "n_iter_", "t_"]


def assert_same_fit(actual, desired):
    """Two estimators have learnt the same, bit for bit."""
    assert_array_equal(all_weights(actual), all_weights(desired), strict=True)
    for name in FIGURES:
        assert getattr(actual, name) == getattr(desired, name), name


def assert_refused(call, error, *parts):
    """The call raises the error, with all parts in its message."""
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
