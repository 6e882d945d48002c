"""Sparse matrices whose arrays do not fit together are refused, not followed."""

import numpy as np
import pytest
from common import ESTIMATORS, few_epochs
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse

from skreg._kernels import engine
from skreg._problem.sparse_input import check_indices

N, P = 40, 4


def column_beyond(X):
    X.indices[-1] = 10_000_000


def column_just_beyond(X):
    X.indices[-1] = X.shape[X.format == "csr"]


def column_negative(X):
    X.indices[0] = -1


def column_that_wraps(X):
    X.indices = X.indices.astype(np.int64)
    X.indptr = X.indptr.astype(np.int64)
    X.indices[0] += 2**32


def pointers_down(X):
    X.indptr[1] = X.indptr[-1]


def pointers_beyond(X):
    X.indptr[-1] += 1_000_000


def pointers_negative(X):
    X.indptr[0] = -5


def pointers_missing(X):
    X.indptr = X.indptr[:-1]


def indices_missing(X):
    X.indices = X.indices[:-1]


BREAKS = [
    column_beyond,
    column_just_beyond,
    column_negative,
    column_that_wraps,
    pointers_down,
    pointers_beyond,
    pointers_negative,
    pointers_missing,
    indices_missing,
]
each_break = pytest.mark.parametrize("break_up", BREAKS, ids=lambda f: f.__name__)


def rows(dtype=np.float32, form="csr"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) * (rng.random((N, P)) < 0.6)
    X[:, 0] = X[:, -1] = 1.0
    return sparse.csr_array(X, dtype=dtype).asformat(form)


def broken(break_up, dtype=np.float32, form="csr"):
    X = rows(dtype, form)
    break_up(X)
    return X


Y = np.arange(N) % 2

CALLS = {
    "fit": lambda model, good, bad: model.fit(bad, Y),
    "partial_fit": lambda model, good, bad: model.fit(good, Y).partial_fit(bad, Y),
    "predict": lambda model, good, bad: model.fit(good, Y).predict(bad),
    "predict, sparse weights": lambda model, good, bad: (
        model.fit(good, Y).sparsify_weights().predict(bad)
    ),
    "X_val": lambda model, good, bad: model.set_params(early_stopping=True).fit(
        good, Y, X_val=bad, y_val=Y
    ),
    "fine_tune": lambda model, good, bad: model.fit(good, Y).fine_tune(bad, Y),
    "lbfgs": lambda model, good, bad: model.set_params(solver="lbfgs").fit(bad, Y),
}


@few_epochs
@each_break
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_in_every_call(Estimator, call, break_up):
    model = Estimator((3,), max_iter=2, random_state=0)
    name = "X_val" if call == "X_val" else "X"
    with pytest.raises(ValueError, match=rf"^{name} is a sparse csr .*Build it anew"):
        CALLS[call](model, rows(), broken(break_up))


@each_break
@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_before_it_is_converted(break_up, form, dtype):
    """Another dtype, or another format, goes through SciPy's own compiled code."""
    model = RegularizedMLPRegressor((), solver="lbfgs").fit(rows(), Y)
    with pytest.raises(ValueError, match=f"sparse {form} matrix"):
        model.predict(broken(break_up, dtype, form))


def test_coo():
    X = rows(form="coo")
    X.coords[1][-1] = 99
    with pytest.raises(ValueError, match=r"col must be whole numbers from 0 to 3"):
        RegularizedMLPRegressor(()).fit(X, Y)


def test_multilabel_targets():
    bad = sparse.csr_array(np.eye(N)[:, :3])
    bad.indices[0] = 70_000_000
    with pytest.raises(ValueError, match="y is a sparse csr matrix"):
        RegularizedMLPClassifier(()).fit(rows(), bad)


@pytest.mark.parametrize("form", ["csr", "csc", "bsr", "coo", "lil", "dok", "dia"])
def test_what_fits_together_passes(form):
    check_indices(rows(form=form))
    check_indices(sparse.csr_array((0, 0)).asformat(form))


def test_the_kernels_check_for_themselves():
    for break_up in (column_beyond, column_negative, pointers_down, pointers_beyond):
        with pytest.raises(ValueError, match="of a sparse matrix must"):
            engine.Data(broken(break_up), None, None, 1)


def test_unsorted_and_repeated_entries_are_sums():
    """As SciPy's products read them."""
    good = rows(np.float64)
    odd = good.copy()
    first, last = odd.indptr[2], odd.indptr[3]
    for array in (odd.indices, odd.data):
        array[first:last] = array[first:last][::-1].copy()
    twice = sparse.csr_array(
        (np.repeat(good.data / 2, 2), np.repeat(good.indices, 2), 2 * good.indptr),
        shape=good.shape,
    )
    models = [
        RegularizedMLPRegressor(
            (5,), batch_size=8, max_iter=3, dtype="float64", random_state=0, tol=0
        )
        for _ in range(3)
    ]
    with pytest.warns(match="not converged"):
        found = [
            model.fit(X, Y).predict(good)
            for model, X in zip(models, [good, odd, twice], strict=True)
        ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-10)


@few_epochs
@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.predict(rows()),
        lambda model: model.predict(rows().toarray()),
        lambda model: model.densify(),
        lambda model: model.prune(),
    ],
    ids=["predict", "predict dense", "densify", "prune"],
)
@pytest.mark.parametrize("predicts_before", [False, True])
def test_weights_that_are_sparse(call, predicts_before):
    model = RegularizedMLPRegressor((6,), max_iter=2, random_state=0).fit(rows(), Y)
    model.sparsify_weights()
    if predicts_before:
        model.predict(rows())
    W = model.coefs_[0]
    W.indices = W.indices.copy()
    W.indices[-1] = 1_000_000
    with pytest.raises(ValueError, match=r"coefs_\[0\] is a sparse csc matrix"):
        call(model)
