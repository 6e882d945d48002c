"""Ctrl-C in the middle of a batch: the batch is dropped, and leaves no trace."""

import signal
import threading
import time

import numpy as np
import pytest
from cases import KEY, data_of, engine_of, random_params
from plain import RegularizedMLPRegressor
from reference import Network

from skreg._network.batch_norm import Statistics
from skreg._problem.optimizers import Optimizer

# A batch of these takes half a second or more on any machine; it is watched.
ROWS, SIZES = 8000, [50, 1024, 1024, 1]


@pytest.fixture(autouse=True)
def answer_to_ctrl_c():
    """Python's own: in a job that a shell starts in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(call, *arguments):
    """Call, with Ctrl-C pressed soon after the beginning."""

    def press():
        time.sleep(0.1)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press, daemon=True)
    thread.start()
    try:
        call(*arguments)
    finally:
        thread.join()


class OneBatch:
    """An epoch of one large batch, and all that it changes."""

    def __init__(self, *, csr=False, solver="adam", rows=ROWS, sizes=SIZES, **shape):
        network = Network(sizes, ["relu"] * (len(sizes) - 2), "squared_error", **shape)
        rng = np.random.default_rng(0)
        X = rng.normal(size=(rows, sizes[0])).astype(np.float32)
        self.data = data_of(X, X[:, :1], dtype=np.float32, csr=csr)
        self.loops = engine_of(network, np.float32, capacity=rows, threads=2)
        self.params = random_params(network, rng).astype(np.float32)
        self.optimizer = Optimizer(solver, self.params.size, np.dtype(np.float32))
        self.statistics = None
        if network.batch_norm:
            self.statistics = Statistics.of(sizes[1:-1], np.float32)
        n_matrices = len(sizes) - 1 + network.skip
        self.arguments = {
            "segments": self.loops.segments([1e-5] * n_matrices, [1e-5] * n_matrices),
            "key": KEY,
            "epoch": 0,
            "order": np.empty(rows, np.intp),
            "learning_rates": np.full(1, 0.01),
            "batch_size": rows,
            "statistics": self.statistics,
        }

    def run(self, threads):
        return self.loops.run_epoch(
            self.params,
            self.data,
            optimizer=self.optimizer,
            threads=threads,
            **self.arguments,
        )

    def state(self):
        statistics = self.statistics
        norms = [] if statistics is None else [statistics.values]
        return [
            array.copy() for array in [self.params, *self.optimizer.moments, *norms]
        ]


SHAPES = {
    "adam": {},
    "sgd": {"solver": "sgd"},
    "skip": {"skip": True},
    "batch norm": {"batch_norm": "before"},
    "batch norm after": {"batch_norm": "after"},
    "csr": {"csr": True},
    "residual": {"residual": True},
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_leaves_no_trace(shape, threads):
    epoch = OneBatch(**SHAPES[shape])
    before = epoch.state()
    with pytest.raises(KeyboardInterrupt):
        interrupted(epoch.run, threads)
    assert epoch.optimizer.step == 0
    if epoch.statistics is not None:
        assert epoch.statistics.gathered == 0
    for now, then in zip(epoch.state(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("shape", ["batch norm", "csr"])
def test_training_goes_on_as_if_nothing_had_been(shape):
    sizes = [50, 512, 512, 1]
    stopped = OneBatch(**SHAPES[shape], rows=12_000, sizes=sizes)
    undisturbed = OneBatch(**SHAPES[shape], rows=12_000, sizes=sizes)
    undisturbed.run(1)
    with pytest.raises(KeyboardInterrupt):
        interrupted(stopped.run, 1)
    stopped.run(2)
    for one, other in zip(stopped.state(), undisturbed.state(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_gathering_statistics_leaves_no_trace():
    epoch = OneBatch(batch_norm="before", rows=12_000)
    before = epoch.state()
    kept = epoch.statistics.values.copy()

    def gather():
        while True:
            kept[:] = epoch.statistics.values
            epoch.loops.gather_statistics(
                epoch.params, epoch.data, epoch.statistics, threads=2
            )

    with pytest.raises(KeyboardInterrupt):
        interrupted(gather)
    np.testing.assert_array_equal(epoch.statistics.values, kept)
    np.testing.assert_array_equal(epoch.params, before[0])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_fit_of_large_batches_keeps_whole_steps(solver, batch_norm):
    """The weights are those before the first batch, which takes seconds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 50)).astype(np.float32)
    model = RegularizedMLPRegressor(
        (1024, 1024),
        solver=solver,
        batch_norm=batch_norm,
        batch_size=len(X),
        random_state=0,
    )
    initial = []

    def press_in_the_first_batch():
        while not hasattr(model, "_network"):
            time.sleep(0.001)
        network = model._network
        while not network.params.any():
            time.sleep(0.001)
        time.sleep(0.2)
        initial.append(network.params.copy())
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=press_in_the_first_batch, daemon=True).start()
    try:
        with pytest.warns(UserWarning, match="interrupted"):
            model.fit(X, X[:, 0])
    except KeyboardInterrupt:
        # what was learnt is kept, and the interrupt is raised again
        pass
    np.testing.assert_array_equal(model._network.params, initial[0])
