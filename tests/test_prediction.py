"""Predictions copy no X, keep their buffers to themselves, and are the same bits."""

import copy
import pickle
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from common import both_estimators, data_for, few_epochs
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import is_classifier

from skreg._problem.data import LEAST_PART_ROWS, PART_SIZE, parts_for_kernels

pytestmark = few_epochs

METHODS = {
    RegularizedMLPClassifier: ["predict", "predict_proba", "predict_log_proba"],
    RegularizedMLPRegressor: ["predict"],
}


def trained(Estimator, X, **given):
    """An estimator that has seen some rows of X."""
    model = Estimator((8,), max_iter=1, random_state=0, **given)
    return model.fit(X[:100], np.arange(100) % (3 if is_classifier(model) else 100))


def tall(dtype=np.float64, n=5 * PART_SIZE // 64 + 17):
    """X of more than one part."""
    return np.random.default_rng(0).standard_normal((n, 64)).astype(dtype)


def peak_of(call):
    """The most bytes that the call had allocated at once."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# As the user brings X of float32 values, without loss.
KINDS = {
    "float64": lambda X: X.astype(np.float64),
    "Fortran order": np.asfortranarray,
    "float64 in Fortran order": lambda X: np.asfortranarray(X, np.float64),
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "reversed": lambda X: X[::-1].copy()[::-1],
    "CSR": sparse.csr_array,
    "CSR of float64": lambda X: sparse.csr_array(X.astype(np.float64)),
    "CSC": sparse.csc_array,
}


@both_estimators
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_X_gives_the_same_bits(Estimator, kind):
    X = tall(np.float32)
    model = trained(Estimator, X)
    given = KINDS[kind](X)
    for method in METHODS[Estimator]:
        expected = getattr(model, method)(sparse.csr_array(X) if "CS" in kind else X)
        assert_array_equal(getattr(model, method)(given), expected, strict=True)


@both_estimators
@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint16, np.int64, bool])
def test_other_numbers_give_the_bits_of_their_conversion(Estimator, dtype):
    X = tall()
    model = trained(Estimator, X)
    X = (X > 1).astype(dtype)
    assert_array_equal(model.predict(X), model.predict(X.astype(np.float32)))


def test_X_that_fits_is_one_part_and_not_copied():
    X = tall(np.float32)
    for given in [X, sparse.csr_array(X)]:
        [(rows, part)] = parts_for_kernels(given, np.dtype(np.float32))
        assert part is given
        assert rows == slice(0, len(X))


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "CSC"])
def test_parts_are_all_rows_in_order(kind):
    X = tall(np.float32)
    end = 0
    for rows, part in parts_for_kernels(KINDS[kind](X), np.dtype(np.float32)):
        assert rows.start == end
        end = rows.stop
        assert part.shape[0] >= LEAST_PART_ROWS or end == len(X)
        dense = part.toarray() if sparse.issparse(part) else part
        assert_array_equal(dense, X[rows], strict=True)
    assert end == len(X)


@both_estimators
@pytest.mark.parametrize("kind", ["as it is", "float64", "Fortran order"])
def test_memory(Estimator, kind):
    X = tall(np.float32, n=100_000)
    model = trained(Estimator, X)
    given = KINDS[kind](X) if kind in KINDS else X
    assert X.nbytes > 25e6
    # raw outputs, class numbers and the classes; a part is one megabyte
    outputs = len(X) * (3 * 4 + 8 + 8)
    parts = 0 if kind == "as it is" else 2 * PART_SIZE * 4
    assert peak_of(lambda: model.predict(given)) < outputs + parts + 300_000


@both_estimators
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_threads_predict_at_once(Estimator, dtype):
    model = Estimator((50, 20), max_iter=2, random_state=0, dtype=dtype)
    X, y = data_for(model)
    model.fit(X, y)
    X = np.tile(X, (20, 1))
    given = [X[i::16] for i in range(16)] + [X[i : i + 1] for i in range(48)]
    for method in METHODS[Estimator]:
        predict = getattr(model, method)
        expected = [predict(part) for part in given]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(8) as pool:
                for _ in range(10):
                    for one, other in zip(
                        pool.map(predict, given), expected, strict=True
                    ):
                        assert_array_equal(one, other, strict=True)
        finally:
            sys.setswitchinterval(interval)


@both_estimators
def test_buffers_of_a_prediction_are_not_copied(Estimator):
    model = Estimator((50,), max_iter=2, random_state=0)
    X, y = data_for(model)
    fresh = len(pickle.dumps(model.fit(X, y)))
    model.predict(X)
    assert len(pickle.dumps(model)) == fresh
    idle = model._network._idle
    assert len(idle) == 1
    for through in [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]:
        copied = through(model._network)
        assert copied._idle == []
        assert_array_equal(copied.params, model._network.params)
    assert model._network._idle is idle


@both_estimators
def test_buffers_are_used_again_and_follow_the_network(Estimator):
    model = Estimator((5,), max_iter=2, random_state=0)
    X, y = data_for(model)
    model.fit(X, y).predict(X)
    [loops] = model._network._idle
    model.predict(X[:1])
    assert model._network._idle == [loops]
    model.set_params(hidden_layer_sizes=(7, 6)).fit(X[:, :2], y)
    assert loops not in model._network._idle
    assert model.predict(X[:, :2]).shape == (len(X),)


@both_estimators
def test_weights_that_change_are_seen(Estimator):
    model = Estimator(random_state=0, max_iter=1)
    X, y = data_for(model)
    before = model.fit(X, y)._network_outputs(X)
    model.partial_fit(X, y)
    assert (model._network_outputs(X) != before).any()


@both_estimators
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e39])
@pytest.mark.parametrize("kind", ["dense", "CSR"])
def test_a_bad_value_in_the_last_row_is_refused(Estimator, bad, kind):
    X = tall()
    model = trained(Estimator, X)
    X[-1, -1] = bad
    message = "NaN" if np.isnan(bad) else r"infinity or a value too large .*float32"
    given = sparse.csr_array(X) if kind == "CSR" else X
    with pytest.raises(ValueError, match=f"Input X contains {message}"):
        model.predict(given)
    if not np.isfinite(bad):
        with pytest.raises(ValueError, match=f"Input X contains {message}"):
            model.predict(given.astype(np.float32))
