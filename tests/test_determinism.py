"""The same seed gives the same bits, wherever and in whatever company it runs."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from common import (
    all_weights,
    assert_same_fit,
    both_estimators,
    breast_cancer,
    data_for,
    few_epochs,
    iris,
)
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import clone, is_classifier
from threadpoolctl import threadpool_info, threadpool_limits

from skreg._problem.activations import ACTIVATIONS
from skreg._problem.blas import one_blas_thread

pytestmark = few_epochs

EVERYTHING = {
    "hidden_layer_sizes": (17, 9),
    "activation": ["gelu", "tanh"],
    "l1": 1e-3,
    "dropout": 0.3,
    "input_dropout": 0.1,
    "batch_size": 31,
    "max_iter": 6,
    "random_state": 42,
}
BY_NAME = {
    "adam": EVERYTHING,
    "early_stopping": EVERYTHING | {"early_stopping": True},
    "sgd": EVERYTHING | {"solver": "sgd", "dtype": "float64"},
    "lbfgs": {"solver": "lbfgs", "max_iter": 20, "random_state": 0},
}
SOLVERS = pytest.mark.parametrize("given", BY_NAME.values(), ids=BY_NAME)


def fitted(Estimator, given):
    model = Estimator(**given)
    return model.fit(*data_for(model))


@both_estimators
@SOLVERS
def test_twice(Estimator, given):
    assert_same_fit(fitted(Estimator, given), fitted(Estimator, given))


@both_estimators
def test_another_seed(Estimator):
    one, two = (fitted(Estimator, EVERYTHING | {"random_state": s}) for s in (0, 1))
    assert (all_weights(one) != all_weights(two)).mean() > 0.5


@both_estimators
def test_no_seed_differs_and_follows_the_global_one(Estimator):
    unseeded = EVERYTHING | {"random_state": None}
    np.random.seed(0)  # noqa: NPY002
    one, two = fitted(Estimator, unseeded), fitted(Estimator, unseeded)
    assert (all_weights(one) != all_weights(two)).any()
    np.random.seed(0)  # noqa: NPY002
    assert_same_fit(fitted(Estimator, unseeded), one)


@both_estimators
def test_the_global_generator_is_left_alone(Estimator):
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    fitted(Estimator, EVERYTHING)
    assert np.random.random() == expected  # noqa: NPY002


@both_estimators
def test_a_generator_is_drawn_from(Estimator):
    random_state = np.random.RandomState(0)
    drawing = EVERYTHING | {"random_state": random_state}
    one, two = fitted(Estimator, drawing), fitted(Estimator, drawing)
    assert (all_weights(one) != all_weights(two)).any()
    fresh = EVERYTHING | {"random_state": np.random.RandomState(0)}
    assert_same_fit(fitted(Estimator, fresh), one)


TESTS = str(Path(__file__).parent)
PROCESS = """
import sys, warnings
import numpy as np
warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
from sklearn.preprocessing import scale
sys.path.insert(0, {tests!r})
from plain import RegularizedMLPClassifier
X, y = load_iris(return_X_y=True)
for given in {settings!r}:
    model = RegularizedMLPClassifier(**given).fit(scale(X), y)
    weights = [W.tobytes() for W in [*model.coefs_, *model.intercepts_]]
    print(b"".join(weights).hex())
"""


@pytest.fixture(scope="module")
def of_another_process():
    """name -> the weights that another process has learnt, in hexadecimal digits."""
    code = PROCESS.format(settings=[*BY_NAME.values()], tests=TESTS)
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    return dict(zip(BY_NAME, printed.split(), strict=True))


@pytest.mark.parametrize("name", BY_NAME)
def test_in_another_process(name, of_another_process):
    model = fitted(RegularizedMLPClassifier, BY_NAME[name])
    weights = [W.tobytes() for W in [*model.coefs_, *model.intercepts_]]
    assert of_another_process[name] == b"".join(weights).hex()


@both_estimators
@SOLVERS
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_in_workers(Estimator, given, backend):
    expected = fitted(Estimator, given)
    X, y = data_for(expected)
    with joblib.parallel_config(backend, n_jobs=2):
        workers = joblib.Parallel()(
            joblib.delayed(Estimator(**given).fit)(X, y) for _ in range(4)
        )
    for model in workers:
        assert_same_fit(model, expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_blas_threads(threads):
    """L-BFGS-B adds up more than 10,000 numbers: OpenBLAS would share them out."""
    X = np.random.default_rng(0).standard_normal((200, 100))
    y = X[:, 0] * X[:, 1]
    given = {"solver": "lbfgs", "max_iter": 10, "random_state": 0, "dtype": "float64"}
    expected = RegularizedMLPRegressor((200,), **given).fit(X, y)
    with threadpool_limits(threads, user_api="blas"):
        assert_same_fit(RegularizedMLPRegressor((200,), **given).fit(X, y), expected)


def test_the_limit_of_blas_threads_is_lifted():
    def blas_threads():
        pools = threadpool_info()
        return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]

    before = blas_threads()
    seen = []
    with one_blas_thread():
        with one_blas_thread():
            seen.append(blas_threads())
        seen.append(blas_threads())
    assert seen == [[1] * len(before)] * 2
    assert blas_threads() == before


@both_estimators
def test_fits_at_the_same_time(Estimator):
    """Threads that train different estimators do not disturb each other."""
    settings = [EVERYTHING | {"random_state": seed} for seed in range(8)]
    alone = [fitted(Estimator, given) for given in settings]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda given: fitted(Estimator, given), settings))
    for model, expected in zip(together, alone, strict=True):
        assert_same_fit(model, expected)


@both_estimators
def test_predicts_at_the_same_time(Estimator):
    """Threads may share one fitted estimator."""
    model = fitted(Estimator, EVERYTHING)
    X, _ = data_for(model)
    X = np.tile(X, (20, 1))
    expected = model.predict(X)
    with ThreadPoolExecutor(4) as pool:
        for prediction in pool.map(model.predict, [X] * 16):
            assert_array_equal(prediction, expected)


def outputs(model, X):
    """All that a fitted estimator predicts."""
    names = ["predict", "predict_proba", "predict_log_proba"]
    return [
        getattr(model, name)(X) for name in names[: 3 if is_classifier(model) else 1]
    ]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("problem", ["two classes", "three classes", "values"])
def test_a_row_alone_predicts_as_in_a_batch(activation, dtype, problem):
    X, y = breast_cancer() if problem == "two classes" else iris()
    Estimator = (
        RegularizedMLPRegressor if problem == "values" else RegularizedMLPClassifier
    )
    model = Estimator(
        (13, 7), activation, max_iter=5, dtype=dtype, batch_size=50, random_state=0
    ).fit(X, y)
    batch = outputs(model, X)
    for chunk in [
        slice(0, 1),
        slice(5, 6),
        slice(2, 9),
        slice(100, 131),
        slice(149, 150),
    ]:
        for alone, together in zip(outputs(model, X[chunk]), batch, strict=True):
            assert_array_equal(alone, together[chunk])


@pytest.mark.parametrize("rows", [255, 256, 257, 1000])
def test_chunks_of_a_large_prediction(rows):
    """Rows before and after the limit of a chunk are predicted alike."""
    model = fitted(RegularizedMLPClassifier, EVERYTHING)
    X = np.random.default_rng(0).standard_normal((rows, 4))
    alone = np.concatenate([model.predict_proba(row[None]) for row in X])
    assert_array_equal(model.predict_proba(X), alone)


@both_estimators
def test_a_clone_is_unfitted_and_learns_the_same(Estimator):
    model = fitted(Estimator, EVERYTHING)
    copy = clone(model)
    assert not hasattr(copy, "n_iter_")
    assert_same_fit(copy.fit(*data_for(model)), model)
