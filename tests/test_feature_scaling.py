"""A learnt scale of each feature; its steps are tested in test_training_step.py."""

import numpy as np
import pytest
from common import SMALL, few_epochs
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import scale

pytestmark = few_epochs

BOTH = [RegularizedMLPClassifier, RegularizedMLPRegressor]


def data_for(model, n=200, noise_features=5):
    X, y = make_friedman1(n, 5 + noise_features, noise=0.1, random_state=0)
    X = scale(X)
    return X, y if isinstance(model, RegularizedMLPRegressor) else y > np.median(y)


def scales_of(model):
    return model._state.optimizer.scales


@pytest.mark.parametrize("Estimator", BOTH)
def test_features_that_are_of_use_get_larger_scales(Estimator):
    model = Estimator(**SMALL | {"max_iter": 60}, feature_scaling=6.0)
    X, y = data_for(model, 500)
    model.fit(X, y)
    s = np.abs(scales_of(model))
    assert s[:5].min() > 1.2 * np.median(s[5:])
    # so that the weights of the others are smaller than without
    plain = clone(model).set_params(feature_scaling=0.0).fit(X, y)
    shares = [
        m.feature_importances_[5:].sum() / m.feature_importances_.sum()
        for m in (model, plain)
    ]
    assert shares[0] < 0.9 * shares[1]


def test_it_predicts_better_where_most_features_are_noise():
    model = RegularizedMLPRegressor(**SMALL | {"max_iter": 60}, feature_scaling=6.0)
    X, y = data_for(model, 1000, noise_features=25)
    scores = [
        clone(model).set_params(feature_scaling=rate).fit(X[:500], y[:500])
        for rate in (6.0, 0.0)
    ]
    scores = [fitted.score(X[500:], y[500:]) for fitted in scores]
    assert 1 - scores[0] < 0.7 * (1 - scores[1])


def test_the_objective_is_that_of_the_weights():
    """The loss and the penalty are as without scales, by the weights that are shown."""
    model = RegularizedMLPRegressor(
        **SMALL, feature_scaling=6.0, l2=0.1, dtype="float64", shuffle=False
    ).set_params(batch_size=200, max_iter=1, learning_rate_init=1e-300)
    X, y = data_for(model)
    plain = clone(model).set_params(feature_scaling=0.0)
    assert_allclose(model.fit(X, y).loss_, plain.fit(X, y).loss_, rtol=1e-12)
    penalty = 0.05 * sum((W**2).sum() for W in model.coefs_)
    half_error = np.mean((model.predict(X) - y) ** 2) / y.var() / 2
    assert model.loss_ == pytest.approx(half_error + penalty, rel=1e-9)


def test_weights_set_in_between_are_those_that_training_goes_on_from():
    model = RegularizedMLPRegressor(**SMALL, feature_scaling=6.0)
    X, y = data_for(model)
    for _ in range(3):
        model.partial_fit(X, y)
    assert not np.allclose(scales_of(model), 1)
    W = np.random.default_rng(0).normal(size=model.coefs_[0].shape)
    model.coefs_[0] = W
    model.set_params(learning_rate_init=1e-30).partial_fit(X, y)
    assert_allclose(model.coefs_[0], W, rtol=1e-5)
    # by scales of their own
    assert_array_equal(scales_of(model), 1)


def test_scales_go_on_with_warm_start_and_begin_anew_with_fit():
    model = RegularizedMLPRegressor(**SMALL, feature_scaling=6.0, warm_start=True)
    X, y = data_for(model)
    first = scales_of(model.fit(X, y)).copy()
    kept = model._state.optimizer.scales
    second = scales_of(model.fit(X, y))
    assert not np.array_equal(first, second)
    # a call works on copies
    assert_array_equal(kept, first)
    model.set_params(warm_start=False).fit(X, y)
    assert_array_equal(scales_of(model), first)
    model.set_params(warm_start=True, feature_scaling=0.0).fit(X, y)
    assert scales_of(model) is None


def test_fine_tuning_has_none():
    model = RegularizedMLPRegressor(**SMALL, feature_scaling=6.0)
    X, y = data_for(model)
    adapted = model.fit(X, y).fine_tune(X, y, method="full", max_iter=2)
    assert scales_of(adapted) is None


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"solver": "sgd"}, "solver='sgd' exclude each other"),
        ({"solver": "lbfgs"}, "solver='lbfgs' exclude each other"),
        ({"l1": 0.1}, "l1=0.1 exclude"),
        ({"l1": [0.1, 0.0]}, "l1="),
        ({"l2": "auto", "early_stopping": True}, "l2='auto' exclude"),
        ({"group_l1": 0.1}, "group_l1=0.1 exclude"),
        ({"max_norm": 2.0}, "max_norm=2.0 exclude"),
        ({"skip": True, "hierarchy": 2.0}, "hierarchy=2.0 exclude"),
        ({"feature_scaling": -1.0}, "feature_scaling"),
        ({"feature_scaling": np.nan}, "feature_scaling"),
    ],
)
def test_what_has_no_step_of_its_own_to_act_on_is_refused(params, words):
    model = RegularizedMLPRegressor(**SMALL).set_params(
        **{"feature_scaling": 6.0} | params
    )
    X, y = data_for(model)
    with pytest.raises(ValueError, match=words):
        model.fit(X, y)
    assert not hasattr(model, "n_iter_")


def test_other_layers_may_have_all_of_that():
    model = RegularizedMLPRegressor(
        **SMALL, feature_scaling=6.0, l1=[0.0, 0.01], max_norm=[np.inf, 1.0]
    )
    X, y = data_for(model)
    assert model.fit(X, y).sparsity_[1] > 0


def test_a_scale_near_zero_makes_no_jump_of_weights_that_are_set():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 100))
    y = X[:, 0] + 0.5 * rng.normal(size=300)
    model = RegularizedMLPRegressor(**SMALL, feature_scaling=30.0).fit(X, y)
    assert np.abs(scales_of(model)).min() < 0.01
    model.coefs_[0] = rng.normal(size=(100, 32)) / 10
    model.set_params(learning_rate_init=1e-3).partial_fit(X, y)
    assert np.abs(model.coefs_[0]).max() < 1
