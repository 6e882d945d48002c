"""Threads within a fit: the same bits for any number, and as many as are allowed."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import KEY, both_dtypes, data_of, engine_of, random_params, random_targets
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from reference import Network
from scipy import sparse
from threadpoolctl import threadpool_limits

from skreg._kernels import engine
from skreg._problem import cores
from skreg._problem.optimizers import Optimizer

pytestmark = pytest.mark.skipif(
    engine.max_threads() == 1 and os.environ.get("OMP_NUM_THREADS") != "1",
    reason="built without OpenMP, or on one core: there are no threads to compare",
)


@pytest.fixture
def every_fit_threaded(monkeypatch):
    monkeypatch.setattr(cores, "OPERATIONS_PER_THREAD", 1.0)
    monkeypatch.setattr(cores, "_cores", lambda: 3)
    with threadpool_limits(3):
        yield


# Shapes whose blocks do not divide evenly, one of them wider than a block.
SHAPES = [[9, 5, 3], [37, 70, 45, 3], [150, 300, 3], [40, 1024, 3], [33, 3]]


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize("skip", [False, True], ids=["hidden", "skip"])
@pytest.mark.parametrize("widths", SHAPES, ids=str)
def test_bits_do_not_depend_on_the_number_of_threads(widths, skip, dtype, csr):
    n_hidden = len(widths) - 2
    network = Network(
        widths,
        ["relu"] * n_hidden,
        "multinomial_log_loss",
        dropout=[0.3] * n_hidden,
        input_dropout=0.1,
        skip=skip,
    )
    rng = np.random.default_rng(0)
    rows = 300
    X = rng.normal(size=(rows, widths[0])) * (rng.random((rows, widths[0])) < 0.2)
    y = random_targets(network.loss, rng, (rows, 3))
    start = random_params(network, rng).astype(dtype)
    results = set()
    for threads in [1, 2, 3, 7]:
        params = start.copy()
        loops = engine_of(network, dtype, capacity=140, threads=threads)
        data = data_of(X, y, dtype=dtype, csr=csr)
        optimizer = Optimizer("adam", params.size, np.dtype(dtype))
        n_matrices = len(widths) - 1 + skip
        for epoch in range(2):
            loops.run_epoch(
                params,
                data,
                optimizer=optimizer,
                segments=loops.segments([1e-3] * n_matrices, [1e-3] * n_matrices, 1e-3),
                key=KEY,
                epoch=epoch,
                order=np.empty(rows, np.intp),
                learning_rates=np.full(3, 0.01),
                batch_size=140,
                threads=threads,
            )
        gradient = np.empty_like(params)
        loss = loops.loss_and_gradient(params, data, gradient, threads=threads)
        out = np.empty((rows, 3), dtype)
        predicting = engine_of(network, dtype, training=False, threads=threads)
        predicting.predict(params, data, out, threads=threads)
        results.add((params.tobytes(), loss, gradient.tobytes(), out.tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("model", [RegularizedMLPClassifier, RegularizedMLPRegressor])
def test_fits_have_the_same_bits(every_fit_threaded, model, solver):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 20)).astype("f")
    y = rng.integers(3, size=500)
    settings = {"max_iter": 10, "tol": 0, "random_state": 0, "n_iter_no_change": 20}
    assert cores.wanted(1e9) == 3
    with pytest.warns(UserWarning, match="converged"):
        many = model((30, 20), solver=solver, **settings).fit(X, y)
    with threadpool_limits(1):
        assert cores.wanted(1e9) == 1
        with pytest.warns(UserWarning, match="converged"):
            one = model((30, 20), solver=solver, **settings).fit(X, y)
        alone = one.predict(X)
    assert (many.predict(X) == alone).all()
    for W, V in zip(many.coefs_, one.coefs_, strict=True):
        assert W.tobytes() == V.tobytes()


def test_small_work_takes_one_thread(monkeypatch):
    monkeypatch.setattr(cores, "OPERATIONS_PER_THREAD", 1e6)
    assert cores.wanted(1.9e6) == 1


def test_fits_at_once_share_the_cores(monkeypatch):
    monkeypatch.setattr(cores, "_cores", lambda: 3)
    with (
        cores.borrowed(2) as first,
        cores.borrowed(2) as second,
        cores.borrowed(2) as third,
    ):
        assert (first, second, third) == (2, 1, 1)
    with cores.borrowed(3) as again:
        assert again == 3


# that they have learnt nothing in five epochs
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_concurrent_fits_have_the_same_bits(every_fit_threaded):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 60)) * (rng.random((400, 60)) < 0.1)
    X = sparse.csr_array(X.astype(np.float32))
    y = rng.integers(2, size=400)

    def coefs(_):
        model = RegularizedMLPClassifier(
            (16,), l1=1e-3, learning_rate="cosine", max_iter=5, random_state=0
        )
        return np.concatenate([W.ravel() for W in model.fit(X, y).coefs_]).tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(coefs, range(8)))) == 1


LIMIT = "from skreg._problem import cores; print(cores.limit())"


def test_omp_num_threads_is_honoured():
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", LIMIT],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_takes_one_thread(every_fit_threaded):
    X = np.random.default_rng(0).normal(size=(300, 20)).astype("f")
    model = RegularizedMLPRegressor(
        (30,), learning_rate="cosine", learning_rate_init=0.03, max_iter=5
    )
    expected = model.set_params(random_state=0).fit(X, X[:, 0]).predict(X)
    queue = multiprocessing.get_context("fork").SimpleQueue()

    def fit_again():
        queue.put((cores.limit(), model.fit(X, X[:, 0]).predict(X)))

    process = multiprocessing.get_context("fork").Process(target=fit_again)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    limit, got = queue.get()
    assert limit == 1
    assert (got == expected).all()
