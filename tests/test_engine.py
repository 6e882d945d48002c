"""The loops over batches: what they refuse, what decides their bits, what they skip."""

import numpy as np
import pytest
from cases import (
    KEY,
    LOSSES,
    both_dtypes,
    data_of,
    engine_of,
    random_inputs,
    random_params,
    random_targets,
    random_weights,
)
from reference import Network
from scipy import sparse

from skreg._kernels import engine
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.optimizers import Optimizer

ROWS = 50


def network_of(loss="squared_error", activations=("tanh", "relu"), **settings):
    widths = [6, *[5] * len(activations), 3]
    return Network(widths, list(activations), loss, 0.5, **settings)


def case(network, seed=0, rows=ROWS):
    """(params, X, y) of a network."""
    rng = np.random.default_rng(seed)
    params = random_params(network, rng)
    X = random_inputs(rng, rows, network.layer_sizes[0])
    return params, X, random_targets(network.loss, rng, (rows, 3))


class Epoch:
    """Valid arguments of run_epoch, to be made wrong one by one."""

    def __init__(
        self, network=None, *, dtype=np.float64, batch_size=8, **engine_settings
    ):
        network = network or network_of()
        params, X, y = case(network)
        self.loops = engine_of(network, dtype, **{"capacity": 8} | engine_settings)
        self.params = params.astype(dtype)
        self.data = data_of(X, y, dtype=dtype)
        size = params.size
        self.arguments = {
            "optimizer": Optimizer("adam", size, np.dtype(dtype)),
            "segments": self.loops.segments([0.01] * 3, [0.01] * 3, 0.0),
            "key": KEY,
            "epoch": 0,
            "order": np.empty(ROWS, np.intp),
            "learning_rates": np.full(-(-ROWS // batch_size), 0.01),
            "batch_size": batch_size,
        }

    def run(self, **changes):
        return self.loops.run_epoch(self.params, self.data, **self.arguments | changes)


# --------------------------------------------------------------- what decides the bits


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_prediction_of_a_row_alone_has_the_same_bits(activation, dtype, csr):
    network = network_of("multinomial_log_loss", [activation] * 2)
    network.layer_sizes = [37, 29, 13, 5]
    rng = np.random.default_rng(0)
    params = random_params(network, rng).astype(dtype)
    X = random_inputs(rng, 40, 37)

    def predict(rows, capacity):
        data = data_of(rows, dtype=dtype, csr=csr, n_outputs=5)
        out = np.empty((len(rows), 5), dtype)
        loops = engine_of(network, dtype, capacity=capacity, training=False)
        return loops.predict(params, data, out)

    together = predict(X, 40)
    for capacity in [1, 3, 12, 100]:
        assert (predict(X, capacity) == together).all()
    for i in range(len(X)):
        assert (predict(X[i : i + 1], 1) == together[i]).all()


@pytest.mark.parametrize("dtype", both_dtypes)
def test_bits_of_training_do_not_depend_on_the_capacity(dtype):
    network = network_of(dropout=[0.3, 0.3], input_dropout=0.2)
    runs = [Epoch(network, dtype=dtype, capacity=capacity) for capacity in [8, 9, 64]]
    losses = {run.run() for run in runs}
    assert len(losses) == 1
    assert len({run.params.tobytes() for run in runs}) == 1


@pytest.mark.parametrize("name", ["key", "epoch"])
def test_bits_of_training_depend_on(name):
    network = network_of(dropout=[0.3, 0.3])
    runs = [Epoch(network) for _ in range(3)]
    for run, value in zip(runs, [(1, 2), (1, 2), (1, 3)], strict=True):
        run.run(**{name: value if name == "key" else value[1]})
    same, again, other = (run.params.tobytes() for run in runs)
    assert same == again
    assert same != other


def test_dropout_masks_differ_between_steps():
    network = network_of(dropout=[0.5, 0.5])
    params, X, y = case(network)
    loops = engine_of(network, capacity=ROWS)
    losses = {
        loops.loss_and_gradient(params, data_of(X, y), key=KEY, step=step)
        for step in [0, 1, 2, 2**32]
    }
    assert len(losses) == 4


def test_dropout_is_off_without_a_key():
    params, X, y = case(network_of())
    losses = {
        engine_of(network).loss_and_gradient(params, data_of(X, y))
        for network in [network_of(), network_of(dropout=[0.5, 0.5], input_dropout=0.5)]
    }
    assert len(losses) == 1


# -------------------------------------------------------------------- rows and targets


def test_subset_and_weights_pick_rows():
    network = network_of()
    params, X, y = case(network)
    rng = np.random.default_rng(0)
    subset = rng.permutation(ROWS)[:20].astype(np.intp)
    weights = random_weights(rng, ROWS)
    gradient = np.empty_like(params)
    loss = engine_of(network, capacity=7).loss_and_gradient(
        params, data_of(X, y, weights, subset=subset), gradient
    )
    expected = network.loss_and_gradient(params, X[subset], y[subset], weights[subset])
    np.testing.assert_allclose(loss, expected[0], rtol=1e-13)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_prediction_of_a_subset(csr, training):
    network = network_of()
    params, X, _ = case(network)
    subset = np.array([7, 3, 3, 40], dtype=np.intp)
    data = data_of(X, csr=csr, n_outputs=3, subset=subset)
    loops = engine_of(network, capacity=3, training=training)
    got = loops.predict(params, data, np.empty((4, 3)))
    np.testing.assert_allclose(got, network.predict(params, X[subset]), rtol=1e-12)


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_class_numbers_stand_for_one_hot_targets(csr):
    network = network_of("multinomial_log_loss")
    params, X, y = case(network)
    loops = engine_of(network)
    numbers = y.argmax(axis=1).astype(np.int32)
    results = []
    for targets in [y, numbers]:
        data = engine.Data(sparse.csr_array(X) if csr else X, targets, None, 3)
        gradient = np.empty_like(params)
        loss = loops.loss_and_gradient(params, data, gradient)
        results.append((loss, gradient.tobytes()))
    assert results[0] == results[1]


def test_rows_of_csr_without_entries_and_with_unsorted_or_repeated_ones():
    network = network_of()
    params, X, y = case(network, rows=3)
    values = np.array([2.0, 1.0, 0.5, 4.0])
    columns = np.array([4, 1, 1, 0], dtype=np.int32)
    starts = np.array([0, 3, 3, 4], dtype=np.int32)
    X = sparse.csr_array((values, columns, starts), shape=(3, 6))
    loss = engine_of(network).loss_and_gradient(params, engine.Data(X, y, None, 3))
    expected, _ = network.loss_and_gradient(params, X.toarray(), y)
    np.testing.assert_allclose(loss, expected, rtol=1e-13)


def test_length_of_data_is_the_rows_in_use():
    _, X, y = case(network_of())
    assert len(data_of(X, y)) == ROWS
    assert len(data_of(X, y, subset=np.arange(4))) == 4


# ---------------------------------------------------------------------- steps and stop


@pytest.mark.parametrize("batch_size", [1, 7, 8])
def test_steps_are_counted(batch_size):
    epoch = Epoch(batch_size=batch_size)
    for done in [1, 2]:
        epoch.run()
        assert epoch.arguments["optimizer"].step == done * -(-ROWS // batch_size)


def test_order_gets_the_shuffle_of_the_epoch():
    epoch = Epoch()
    orders = []
    for number in [0, 1, 0]:
        epoch.run(epoch=number)
        orders.append(epoch.arguments["order"].tolist())
    assert sorted(orders[0]) == list(range(ROWS))
    assert orders[0] == orders[2] != orders[1]


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_batch_whose_loss_is_not_finite_takes_no_step(bad):
    epoch = Epoch()
    epoch.data.targets[3 * 8 + 2] = bad
    loss = epoch.run(order=None)
    assert not np.isfinite(loss)
    assert epoch.arguments["optimizer"].step == 3
    assert np.isfinite(epoch.params).all()
    assert np.isfinite(epoch.arguments["optimizer"].first).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_optional(loss):
    network = network_of(loss)
    params, X, y = case(network)
    loops = engine_of(network)
    alone = loops.loss_and_gradient(params, data_of(X, y))
    assert alone == loops.loss_and_gradient(
        params, data_of(X, y), np.empty_like(params)
    )


def test_inputs_stay_untouched():
    network = network_of(dropout=[0.3, 0.3], input_dropout=0.5)
    epoch = Epoch(network)
    X, y = epoch.data.X.copy(), epoch.data.targets.copy()
    epoch.run()
    np.testing.assert_array_equal(epoch.data.X, X)
    np.testing.assert_array_equal(epoch.data.targets, y)


def test_read_only_inputs_are_read():
    network = network_of()
    params, X, y = case(network)
    for array in [params, X, y]:
        array.flags.writeable = False
    loops = engine_of(network)
    assert loops.loss_and_gradient(params, data_of(X, y)) > 0
    loops.predict(params, data_of(X, n_outputs=3), np.empty((ROWS, 3)))


# -------------------------------------------------------------------- what is refused


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 9}, "larger than the engine's capacity"),
        ({"batch_size": 0}, "one value per batch"),
        ({"learning_rates": np.full(6, 0.01)}, "one value per batch"),
        ({"order": np.empty(ROWS - 1, np.intp)}, "order must have one element per row"),
        ({"order": np.empty(ROWS, np.int32)}, "Buffer dtype mismatch"),
        ({"key": None}, "a shuffle needs a key"),
        ({"segments": np.zeros(6)}, "segments must come from"),
        ({"optimizer": Optimizer("adam", 5, np.dtype(float))}, "expected float64"),
        ({"optimizer": Optimizer("sgd", 83, np.dtype("f4"))}, "expected float64"),
    ],
)
def test_run_epoch_refuses(changes, message):
    epoch = Epoch()
    before = epoch.params.copy()
    assert before.size == 83
    with pytest.raises(ValueError, match=message):
        epoch.run(**changes)
    np.testing.assert_array_equal(epoch.params, before)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (np.zeros(82), "expected float64 of shape"),
        (np.zeros((1, 83)), "expected float64 of shape"),
        (np.zeros(83, np.float32), "expected float64 of shape"),
        (np.zeros(83, ">f8"), "expected float64 of shape"),
        (np.zeros(166)[::2], "C-contiguous"),
        (read_only(np.zeros(83)), "read-only"),
    ],
)
def test_parameters_must_be_the_flat_buffer(params, message):
    epoch = Epoch()
    epoch.params = params
    with pytest.raises(ValueError, match=message):
        epoch.run()


X = np.ones((4, 6))
Y = np.ones((4, 3))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.asfortranarray(X), Y, None, 3), ValueError, "C-contiguous"),
        ((X[:, ::2], Y, None, 3), ValueError, "C-contiguous"),
        ((X, Y[:3], None, 3), ValueError, r"of shape \(4, 3\)"),
        ((X, Y, None, 2), ValueError, r"of shape \(4, 2\)"),
        ((X, Y[:, 0].copy(), None, 1), ValueError, r"of shape \(4, 1\)"),
        ((X, Y.astype(np.float32), None, 3), ValueError, "expected float64"),
        ((X, np.zeros(3, np.int32), None, 3), ValueError, r"int32 of shape \(4,\)"),
        ((X, np.zeros((4, 3), np.int32), None, 3), ValueError, r"int32 of shape"),
        ((X, Y, np.ones(3), 3), ValueError, r"of shape \(4,\)"),
        ((X, Y, np.ones(4, np.float32), 3), ValueError, "expected float64"),
        ((X, Y, None, 3, np.arange(2, dtype=np.int32)), ValueError, "expected int64"),
        ((sparse.csc_array(X[:, :4]), Y, None, 3), ValueError, "must be CSR, got csc"),
        ((sparse.coo_array(X), Y, None, 3), ValueError, "must be CSR, got coo"),
    ],
)
def test_data_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        engine.Data(*arguments)


def test_csr_needs_short_column_numbers():
    long = sparse.csr_array(X)
    long.indices = long.indices.astype(np.int64)
    with pytest.raises(ValueError, match="expected int32"):
        engine.Data(long, Y, None, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (data_of(X, Y, dtype=np.float32), "the data are float32, the network float64"),
        (data_of(X[:, :5].copy(), Y), "differ in features"),
        (data_of(X, Y[:, :2].copy()), "differ in outputs"),
        (data_of(X, n_outputs=3), "no targets"),
    ],
)
def test_data_of_another_network_is_refused(data, message):
    network = network_of()
    params, X, y = case(network)
    loops = engine_of(network)
    with pytest.raises(ValueError, match=message):
        loops.loss_and_gradient(params, data)
    # the buffers are not made for what was refused
    loss = loops.loss_and_gradient(params, data_of(X, y, subset=np.arange(ROWS)))
    np.testing.assert_allclose(loss, network.loss_and_gradient(params, X, y)[0])


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.empty((ROWS, 2)), "expected float64 of shape"),
        (np.empty((ROWS - 1, 3)), "expected float64 of shape"),
        (np.empty((ROWS, 3), np.float32), "expected float64 of shape"),
        (np.empty((3, ROWS)).T, "C-contiguous"),
        (read_only(np.empty((ROWS, 3))), "read-only"),
    ],
)
def test_predict_refuses_to_write_into(out, message):
    network = network_of()
    params, X, _ = case(network)
    with pytest.raises(ValueError, match=message):
        engine_of(network).predict(params, data_of(X, n_outputs=3), out)


def test_engine_for_prediction_does_nothing_else():
    network = network_of()
    params, X, y = case(network)
    loops = engine_of(network, training=False)
    with pytest.raises(ValueError, match="can only predict"):
        loops.loss_and_gradient(params, data_of(X, y))
    with pytest.raises(ValueError, match="can only predict"):
        Epoch(training=False).run()


def test_dropout_needs_the_rows_in_one_batch():
    network = network_of(dropout=[0.5, 0.5])
    params, X, y = case(network)
    with pytest.raises(ValueError, match="fit into one batch"):
        engine_of(network, capacity=ROWS - 1).loss_and_gradient(
            params, data_of(X, y), key=KEY
        )


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.longdouble, ">f8"])
def test_engine_refuses_other_types(dtype):
    with pytest.raises(ValueError, match="float32 or float64"):
        engine_of(network_of(), dtype)


@pytest.mark.parametrize("number", [-1, len(ACTIVATIONS)])
def test_engine_refuses_unknown_activations(number):
    with pytest.raises(ValueError, match="unknown activation"):
        engine.Engine([2, 2, 1], [number], 0, 0.0, np.float64)
