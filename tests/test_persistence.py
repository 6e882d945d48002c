"""Copies of an estimator, on disk and in memory, predict and go on as the original."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from common import assert_same_fit, both_estimators, data_for, few_epochs
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier

pytestmark = few_epochs


def through_pickle(estimator, folder):
    return pickle.loads(pickle.dumps(estimator))


def through_joblib(estimator, folder, **loading):
    # a file of its own each time: one that is mapped must not be written to
    path = folder / f"{len(list(folder.iterdir()))}.joblib"
    joblib.dump(estimator, path)
    return joblib.load(path, **loading)


def through_memory_map(estimator, folder):
    # read-only arrays, as joblib's loky workers get those beyond a megabyte
    return through_joblib(estimator, folder, mmap_mode="r")


def through_deepcopy(estimator, folder):
    return copy.deepcopy(estimator)


all_copies = pytest.mark.parametrize(
    "through", [through_pickle, through_joblib, through_memory_map, through_deepcopy]
)

everything_on = pytest.mark.parametrize(
    "settings",
    [
        {"solver": "adam"},
        {"solver": "sgd", "learning_rate_init": 0.05},
        {"solver": "sgd", "nesterovs_momentum": False, "learning_rate": "invscaling"},
        {"solver": "adam", "learning_rate": "adaptive", "tol": 10.0},
        {"batch_norm": True, "weight_averaging": "ema", "max_norm": 2.0},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)


@both_estimators
@everything_on
@all_copies
def test_partial_fit_goes_on_as_if_uninterrupted(
    Estimator, settings, through, tmp_path
):
    uninterrupted = Estimator(
        (20, 10),
        dropout=0.3,
        input_dropout=0.1,
        l1=1e-3,
        batch_size=32,
        n_iter_no_change=1,
        random_state=0,
        **settings,
    )
    interrupted = clone(uninterrupted)
    X, y = data_for(uninterrupted)
    given = {"classes": [0, 1, 2]} if is_classifier(uninterrupted) else {}
    for _ in range(6):
        uninterrupted.partial_fit(X, y, **given)
        interrupted = through(interrupted.partial_fit(X, y, **given), tmp_path)
    assert_same_fit(interrupted, uninterrupted)


@both_estimators
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@all_copies
def test_warm_start_goes_on_as_if_uninterrupted(Estimator, solver, through, tmp_path):
    settings = {"l1": 1e-3, "max_iter": 3, "random_state": 0}
    if solver != "lbfgs":
        settings |= {"dropout": 0.3, "early_stopping": True}
    uninterrupted = Estimator((20,), solver=solver, warm_start=True, **settings)
    X, y = data_for(uninterrupted)
    interrupted = through(uninterrupted.fit(X, y), tmp_path)
    assert_same_fit(interrupted.fit(X, y), uninterrupted.fit(X, y))


@both_estimators
@all_copies
def test_copy_predicts_the_same_and_leaves_the_original_alone(
    Estimator, through, tmp_path
):
    estimator = Estimator(random_state=0, max_iter=3)
    X, y = data_for(estimator)
    predicted = estimator.fit(X, y).predict(X)
    copied = through(estimator, tmp_path)
    assert_array_equal(copied.predict(X), predicted)
    copied.partial_fit(X, y)
    assert_array_equal(estimator.predict(X), predicted)


@both_estimators
def test_clone_has_the_parameters_and_nothing_learnt(Estimator):
    estimator = Estimator(
        hidden_layer_sizes=[5, 3],
        activation=["tanh", "relu"],
        l1=np.array([0.1, 0.0, 0.2]),
        max_iter=2,
    )
    X, y = data_for(estimator)
    cloned = clone(estimator.fit(X, y))
    assert not hasattr(cloned, "coefs_")
    for name, value in estimator.get_params().items():
        assert_array_equal(getattr(cloned, name), value)


@both_estimators
def test_fitting_again_starts_anew(Estimator):
    estimator = Estimator(random_state=0, max_iter=2)
    X, y = data_for(estimator)
    once = clone(estimator).fit(X, y)
    before = estimator.fit(X, y).coefs_[0]
    copied = before.copy()
    assert_same_fit(estimator.fit(X, y), once)
    assert_array_equal(before, copied)
