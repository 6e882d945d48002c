"""What the kernels do for fine-tuning.

Frozen parameters, the pull towards old weights, low-rank steps and adapters. That whole
epochs with them equal the oracle is in test_training_step.py.
"""

from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
import pytest
from cases import (
    KEY,
    both_dtypes,
    data_of,
    differences,
    engine_of,
    random_inputs,
    random_params,
    random_targets,
    smooth_case,
)
from reference import LowRank, Network

from skreg._network.batch_norm import Statistics
from skreg._problem.optimizers import Optimizer
from skreg.adversarial import AdversarialTraining, checked

# Wide enough for several blocks and strips.
WIDTHS = [300, 70, 70, 40, 3]
ROWS = 90
N_LAYERS = len(WIDTHS) - 1

NONE, ALL = [False] * N_LAYERS, [True] * N_LAYERS
LAST = [*NONE[:-1], True]
TRAINED = {
    "head": (LAST, LAST),
    "biases": (NONE, ALL),
    "first": ([True, False, False, False], NONE),
    "middle": ([False, False, True, False], [False, True, False, False]),
    "nothing": (NONE, NONE),
}
every_choice = pytest.mark.parametrize("trained", TRAINED.values(), ids=TRAINED)
# Of the weights from the inputs to the outputs: that they take steps; None: there are
# none.
every_theta = pytest.mark.parametrize(
    "theta", [None, False, True], ids=["no-theta", "frozen-theta", "theta"]
)
with_and_without_skip = pytest.mark.parametrize(
    "skip", [False, True], ids=["hidden", "skip"]
)

PLAIN = None
FGSM = checked(AdversarialTraining(0.1, clean_weight=0.5))
PGD = checked(AdversarialTraining(0.1, n_steps=3, clean_weight=0.0))


def with_theta(trained, theta):
    weights, biases = trained
    return weights if theta is None else [*weights, theta], biases


def network_of(theta=None, **settings):
    settings = {"skip": theta is not None} | settings
    return Network(WIDTHS, ["relu"] * 3, "multinomial_log_loss", **settings)


class Training:
    """Some epochs of one network, from weights and moments that are not zero."""

    def __init__(
        self,
        network,
        dtype=np.float32,
        *,
        csr=False,
        density=0.3,
        solver="adam",
        **loops,
    ):
        rng = np.random.default_rng(0)
        self.start = random_params(network, rng).astype(dtype)
        X = random_inputs(rng, ROWS, WIDTHS[0], density)
        y = random_targets(network.loss, rng, (ROWS, WIDTHS[-1]))
        self.network, self.dtype = network, dtype
        self.n_matrices = N_LAYERS + network.skip
        self.data = data_of(X, y, dtype=dtype, csr=csr)
        self.loops = engine_of(network, dtype, capacity=ROWS, **loops)
        self.params = self.start.copy()
        size = self.params.size
        self.optimizer = Optimizer(
            solver,
            size,
            np.dtype(dtype),
            step=5,
            first=rng.normal(scale=0.01, size=size).astype(dtype),
        )
        if self.optimizer.second is not None:
            self.optimizer.second[:] = 0.01

    def run(
        self,
        *,
        epochs=1,
        batch_size=40,
        penalty=0.0,
        threads=1,
        low_rank=None,
        **segments,
    ):
        """Train; return the mean losses."""
        strengths = [penalty] * self.n_matrices
        return [
            self.loops.run_epoch(
                self.params,
                self.data,
                optimizer=self.optimizer,
                segments=self.loops.segments(strengths, strengths, penalty, **segments),
                key=KEY,
                epoch=epoch,
                order=np.empty(ROWS, np.intp),
                learning_rates=np.full(-(-ROWS // batch_size), 0.01),
                batch_size=batch_size,
                low_rank=low_rank,
                threads=threads,
            )
            for epoch in range(epochs)
        ]

    def mask(self, trained):
        return self.network.of_vectors(*trained) == 1


@every_choice
@every_theta
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("max_grad_norm", [np.inf, 0.1])
@pytest.mark.parametrize("dtype", both_dtypes)
def test_frozen_parameters_keep_every_bit(
    dtype, max_grad_norm, solver, csr, theta, trained
):
    trained = with_theta(trained, theta)
    training = Training(
        network_of(theta, dropout=[0.2] * 3),
        dtype,
        csr=csr,
        solver=solver,
        max_grad_norm=max_grad_norm,
    )
    optimizer = training.optimizer
    optimizer.average = 2 * training.start
    optimizer.average_decay = 0.9
    optimizer.anchor = -training.start
    kept = [training.params, optimizer.average, *optimizer.moments]
    before = [array.copy() for array in kept]
    # each would move a weight without any gradient
    training.run(
        epochs=2,
        penalty=0.1,
        # of sparse X it would have the gradient whole, as clipping has it
        max_norm=None if csr else [0.1] * training.n_matrices,
        trained=trained,
        anchor=[0.5] * training.n_matrices,
    )
    moves = training.mask(trained)
    for array, old in zip(kept, before, strict=True):
        np.testing.assert_array_equal(array[~moves], old[~moves])
        assert (array[moves] != old[moves]).mean() > 0.3 if moves.any() else True


@every_choice
@every_theta
@pytest.mark.parametrize(
    ("attack", "csr"), [(PLAIN, False), (PLAIN, True), (FGSM, False), (PGD, False)]
)
@pytest.mark.parametrize("batch_norm", [None, "before"])
def test_what_is_trained_steps_as_if_all_were(batch_norm, attack, csr, theta, trained):
    """One batch: from the same weights, so the others' steps are not seen yet."""
    trained = with_theta(trained, theta)
    network = network_of(theta, dropout=[0.2] * 3, batch_norm=batch_norm, residual=True)
    results = []
    for choice in [None, trained]:
        training = Training(network, csr=csr, attack=attack)
        statistics = None
        if batch_norm:
            statistics = Statistics.of(WIDTHS[1:-1], np.float32)
        loss = training.loops.run_epoch(
            training.params,
            training.data,
            optimizer=training.optimizer,
            segments=training.loops.segments(
                *np.full((2, training.n_matrices), 0.01), trained=choice
            ),
            key=KEY,
            epoch=0,
            order=None,
            learning_rates=np.array([0.01]),
            batch_size=ROWS,
            statistics=statistics,
        )
        results.append((training, loss))
    (whole, loss), (part, loss_of_part) = results
    assert loss_of_part == loss
    expected = np.where(part.mask(trained), whole.params, part.start)
    np.testing.assert_array_equal(part.params, expected)


@every_choice
@every_theta
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("max_grad_norm", [np.inf, 0.1])
def test_bits_do_not_depend_on_the_threads(max_grad_norm, csr, theta, trained):
    results = set()
    for threads in [1, 2, 3, 7]:
        training = Training(
            network_of(theta, dropout=[0.2] * 3, residual=True),
            csr=csr,
            threads=threads,
            max_grad_norm=max_grad_norm,
        )
        training.optimizer.anchor = -training.start
        losses = training.run(
            epochs=2,
            threads=threads,
            trained=with_theta(trained, theta),
            anchor=[0.1] * training.n_matrices,
            max_norm=None if csr else [1.0] * training.n_matrices,
        )
        results.add((training.params.tobytes(), *losses))
    assert len(results) == 1


@pytest.mark.parametrize("first_layer", [False, True])
@pytest.mark.parametrize("theta", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_rows_make_up_for_steps_whichever_of_two_matrices_is_frozen(
    solver, theta, first_layer
):
    """Most columns are empty in most batches."""
    trained = [first_layer, *ALL[1:], theta], ALL
    dense, sparse = (
        Training(network_of(theta), np.float64, csr=csr, density=0.02, solver=solver)
        for csr in [False, True]
    )
    for training in [dense, sparse]:
        training.run(epochs=2, batch_size=10, penalty=0.01, trained=trained)
    np.testing.assert_allclose(sparse.params, dense.params, rtol=1e-9, atol=1e-12)


def test_a_frozen_part_does_not_count_in_the_clipped_norm():
    """A gradient that was whole in an earlier epoch leaves nothing behind."""
    trained = TRAINED["head"]
    fresh, used = (
        Training(network_of(), max_grad_norm=0.1, solver="sgd") for _ in range(2)
    )
    used.run()
    used.params[:] = used.start
    for name in ["first", "step"]:
        setattr(used.optimizer, name, getattr(Training(network_of()).optimizer, name))
    used.optimizer.first[:] = fresh.optimizer.first
    for training in [fresh, used]:
        training.run(trained=trained)
    np.testing.assert_array_equal(fresh.params, used.params)


@pytest.mark.parametrize("trained", [None, TRAINED["middle"]], ids=["all", "middle"])
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_a_pull_of_strength_zero_changes_no_bit(csr, trained):
    results = set()
    for anchored, strengths in product([False, True], [None, [0.0] * N_LAYERS]):
        training = Training(network_of(), csr=csr)
        if anchored:
            training.optimizer.anchor = -training.start
        training.run(epochs=2, penalty=0.01, trained=trained, anchor=strengths)
        results.add(training.params.tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_stronger_pull_ends_nearer_to_the_anchor(solver):
    distances = []
    for strength in [0.0, 0.1, 1.0, 10.0]:
        training = Training(network_of(), np.float64, solver=solver)
        training.optimizer.anchor = training.start
        training.run(epochs=40, anchor=[strength] * N_LAYERS)
        distances.append(np.linalg.norm(training.params - training.start))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.2 * distances[0]


def test_an_anchor_of_another_shape_is_refused():
    training = Training(network_of())
    training.optimizer.anchor = training.start[1:]
    with pytest.raises(ValueError, match="expected float32 of shape"):
        training.run(anchor=[1.0] * N_LAYERS)


def test_segments_say_what_is_frozen():
    loops = engine_of(network_of(batch_norm="before"))
    segments = loops.segments(
        [0.0] * 4, [0.0] * 4, 0.0, [2.0] * 4, trained=TRAINED["middle"], anchor=range(4)
    )
    # weights, biases, norms of each layer
    frozen = [[1, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 1]]
    assert segments["frozen"].tolist() == frozen
    assert segments["anchor"].tolist() == [[l, l, 0] for l in range(4)]
    assert segments["max_norm"][:, 0].tolist() == [np.inf, np.inf, 2.0, np.inf]
    with pytest.raises(ValueError, match="reshape"):
        loops.segments([0.0] * 4, [0.0] * 4, anchor=[1.0])

    loops = engine_of(network_of(skip=True, batch_norm="before"))
    none, bounds = [0.0] * 5, [2.0] * 5
    for theta in [False, True]:
        trained = with_theta(TRAINED["middle"], theta)
        segments = loops.segments(
            none, none, 0.0, bounds, trained=trained, anchor=range(5)
        )
        assert segments["frozen"].tolist() == [*frozen, [not theta, 0, 0]]
        assert segments["anchor"].tolist() == [
            *([l, l, 0] for l in range(4)),
            [4, 0, 0],
        ]
        assert segments["max_norm"][4, 0] == (2.0 if theta else np.inf)
    with pytest.raises(ValueError, match="reshape"):
        loops.segments(none, none, trained=TRAINED["middle"])


# -------------------------------------------------------------------------- low rank


@dataclass
class Factors:
    """W_l = W0_l + scale_l A_l B_l, as the kernels read it."""

    ranks: list
    scales: list
    base: np.ndarray
    factors: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, training, ranks, *, begun=True):
        """For the weights that a training starts with; begun: B is not zero."""
        shapes = pairwise(WIDTHS)
        size = sum(r * (n + m) for r, (n, m) in zip(ranks, shapes, strict=True))
        factors = np.random.default_rng(1).normal(scale=0.1, size=size)
        low_rank = cls(
            ranks,
            [0.5, 1.0, 2.0, 0.25],
            training.start.copy(),
            factors.astype(training.dtype),
            *np.zeros((2, size), training.dtype),
        )
        if not begun:
            for _, _, B in low_rank.oracle().split(training.network, low_rank.factors):
                B[:] = 0
        return low_rank

    def oracle(self):
        return LowRank(self.ranks, self.scales, self.base, self.factors)


# The second: more than a block of rows of dA, and more than both widths of a matrix.
RANKS = [2, 0, 1, 3]
every_rank = pytest.mark.parametrize("ranks", [RANKS, [130, 5, 40, 1]], ids=str)


@every_rank
@every_theta
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("max_grad_norm", [np.inf, 0.1])
@pytest.mark.parametrize("dtype", both_dtypes)
def test_weights_are_their_base_and_the_factors_product(
    dtype, max_grad_norm, csr, theta, ranks
):
    training = Training(network_of(theta), dtype, csr=csr, max_grad_norm=max_grad_norm)
    low_rank = Factors.of(training, ranks)
    base, begun = low_rank.base.copy(), low_rank.factors.copy()
    training.loops.merge(training.params, low_rank)
    # the others are frozen, and stay as they are
    trained = with_theta((NONE, NONE), theta)
    training.run(epochs=2, trained=trained, low_rank=low_rank)
    np.testing.assert_array_equal(low_rank.base, base)
    assert (low_rank.factors != begun).mean() > 0.9
    made = training.mask(with_theta(([r > 0 for r in ranks], NONE), theta and False))
    moved = made | training.mask(trained)
    np.testing.assert_array_equal(training.params[~moved], base[~moved])
    assert (training.params[moved] != base[moved]).mean() > 0.9
    expected = low_rank.oracle().merge(training.network, training.start)[made]
    error = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(training.params[made], expected, rtol=error, atol=error)
    # the same bits from the factors alone
    merged = base.copy()
    training.loops.merge(merged, low_rank)
    np.testing.assert_array_equal(merged[made], training.params[made])
    np.testing.assert_array_equal(merged[~made], base[~made])


@with_and_without_skip
def test_factors_take_the_gradient_of_differences(skip):
    """One step of plain SGD, by central differences of the loss by every factor."""
    network = Network([4, 5, 3], ["tanh"], "multinomial_log_loss", skip=skip)
    rng = np.random.default_rng(0)
    params = random_params(network, rng)
    X, y = rng.normal(size=(9, 4)), random_targets(network.loss, rng, (9, 3))
    data = data_of(X, y)
    start = rng.normal(scale=0.3, size=2 * (4 + 5) + 5 + 3)
    low_rank = Factors(
        [2, 1], [0.5, 3.0], params, start.copy(), *np.zeros((2, start.size))
    )
    loops = engine_of(network, capacity=9)

    def merged(factors):
        low_rank.factors[:] = factors
        made = params.copy()
        loops.merge(made, low_rank)
        return made

    expected = differences(
        lambda factors: loops.loss_and_gradient(merged(factors), data), start.copy()
    )
    loops.run_epoch(
        merged(start),
        data,
        optimizer=Optimizer("sgd", params.size, np.dtype(float), momentum=0.0),
        segments=loops.segments(*np.zeros((2, 2 + skip))),
        key=KEY,
        epoch=0,
        order=None,
        learning_rates=np.array([0.1]),
        batch_size=9,
        low_rank=low_rank,
    )
    assert np.abs(expected).max() > 1e-2
    got = (start - low_rank.factors) / 0.1
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9)


@every_rank
@with_and_without_skip
@pytest.mark.parametrize("attack", [PLAIN, FGSM], ids=["plain", "fgsm"])
@pytest.mark.parametrize("max_grad_norm", [np.inf, 0.1])
def test_bits_of_low_rank_steps_do_not_depend_on_the_threads(
    max_grad_norm, attack, skip, ranks
):
    results = set()
    for threads in [1, 2, 3, 7]:
        training = Training(
            network_of(skip=skip, dropout=[0.2] * 3),
            threads=threads,
            max_grad_norm=max_grad_norm,
            attack=attack,
        )
        training.optimizer.anchor = training.start
        training.optimizer.average = training.start.copy()
        training.optimizer.average_decay = 0.9
        low_rank = Factors.of(training, ranks, begun=False)
        losses = training.run(
            epochs=2,
            threads=threads,
            low_rank=low_rank,
            anchor=[0.1] * training.n_matrices,
            penalty=0.01,
        )
        arrays = [
            training.params,
            training.optimizer.average,
            low_rank.factors,
            low_rank.first,
            low_rank.second,
        ]
        results.add((*losses, *(array.tobytes() for array in arrays)))
    assert len(results) == 1


def test_whether_weights_of_low_rank_are_said_to_be_frozen_does_not_matter():
    results = set()
    for flags in [ALL, [r == 0 for r in RANKS]]:
        training = Training(network_of())
        low_rank = Factors.of(training, RANKS, begun=False)
        training.run(trained=(flags, ALL), low_rank=low_rank)
        results.add(training.params.tobytes())
    assert len(results) == 1


def test_factors_that_do_not_fit_are_refused():
    training = Training(network_of())
    for change, message in [
        ({"factors": np.zeros(7, np.float32)}, "expected float32 of shape"),
        ({"base": np.zeros(7, np.float32)}, "expected float32 of shape"),
        ({"first": np.zeros(7, np.float32)}, "expected float32 of shape"),
        ({"ranks": [-1, 0, 0, 0]}, "ranks must not be negative"),
    ]:
        low_rank = replace(Factors.of(training, RANKS), **change)
        with pytest.raises(ValueError, match=message):
            training.run(low_rank=low_rank)
    low_rank = Factors.of(training, RANKS)
    with pytest.raises(ValueError, match="max_norm"):
        training.run(low_rank=low_rank, max_norm=[1.0] * N_LAYERS)
    skipping = Training(network_of(skip=True))
    low_rank = replace(Factors.of(skipping, RANKS), ranks=[*RANKS, 1])
    with pytest.raises(ValueError, match="one number per layer"):
        skipping.run(low_rank=low_rank)
    low_rank = Factors.of(training, RANKS)
    predicting = engine_of(network_of(), np.float32, training=False)
    with pytest.raises(ValueError, match="can only predict"):
        predicting.merge(training.params, low_rank)
    np.testing.assert_array_equal(training.params, training.start)


# -------------------------------------------------------------------------- adapters

# Two hidden layers of 7 units, each with an adapter of 3, alone and with a residual
# connection from the first to the second.
ADAPTED = [5, 7, 3, 7, 7, 3, 7, 2]
CHAIN, RESIDUAL = [0, 0, 2, 0, 0, 2], [0, 0, 2, 1, 0, 2]


def adapted(residual, **settings):
    activations = ["tanh", "gelu", "identity"] * 2
    return Network(
        ADAPTED, activations, "multinomial_log_loss", residual=residual, **settings
    )


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("batch_norm", [None, "before"])
@pytest.mark.parametrize("residual", [CHAIN, RESIDUAL], ids=["chain", "residual"])
@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@with_and_without_skip
def test_gradient_through_adapters(skip, dropout, residual, batch_norm, csr):
    rates = [0.3, 0.0, 0.0] * 2 if dropout else []
    network = adapted(residual, batch_norm=batch_norm, dropout=rates, skip=skip)
    noise = {"key": KEY if dropout else None, "step": 3}
    params, X, y, masks = smooth_case(network, 9, **noise)
    data = data_of(X, y, csr=csr)
    loops = engine_of(network, capacity=9)
    gradient = np.full_like(params, np.nan)
    loss = loops.loss_and_gradient(params, data, gradient, **noise)
    expected_loss, expected = network.loss_and_gradient(params, X, y, None, masks)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-12)
    numeric = differences(
        lambda w: loops.loss_and_gradient(w, data, **noise), params.copy()
    )
    scale = np.abs(numeric).max()
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7 * scale)


@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize("residual", [False, True])
def test_an_adapter_with_zero_weights_predicts_as_without(residual, dtype):
    rng = np.random.default_rng(0)
    plain = Network(
        [5, 7, 7, 2], ["tanh", "tanh"], "multinomial_log_loss", residual=residual
    )
    network = adapted(RESIDUAL if residual else CHAIN)
    start, params = random_params(plain, rng), random_params(network, rng)
    layers = network.layers(params)
    for l, (W, b) in zip([0, 3, 6], plain.layers(start), strict=True):
        layers[l][0][:], layers[l][1][:] = W, b
    for l in [2, 5]:
        layers[l][0][:] = layers[l][1][:] = 0
    X = rng.normal(size=(40, 5))
    predictions = [
        engine_of(each, dtype, training=training).predict(
            weights.astype(dtype),
            data_of(X, dtype=dtype, n_outputs=2),
            np.empty((40, 2), dtype),
        )
        for each, weights, training in [
            (plain, start, False),
            (network, params, False),
            (network, params, True),
        ]
    ]
    np.testing.assert_array_equal(predictions[1], predictions[0])
    np.testing.assert_array_equal(predictions[2], predictions[0])


@pytest.mark.parametrize("threads", [2, 3])
def test_bits_of_adapters_do_not_depend_on_the_threads(threads):
    results = set()
    for n in [1, threads]:
        network = Network(
            [300, 70, 9, 70, 70, 9, 70, 3],
            ["relu", "relu", "identity"] * 2,
            "squared_error",
            residual=RESIDUAL,
            dropout=[0.2, 0.0, 0.0] * 2,
        )
        rng = np.random.default_rng(0)
        params = random_params(network, rng).astype(np.float32)
        X, y = rng.normal(size=(ROWS, 300)), rng.normal(size=(ROWS, 3))
        gradient = np.empty_like(params)
        engine_of(network, np.float32, capacity=ROWS, threads=n).loss_and_gradient(
            params, data_of(X, y, dtype=np.float32), gradient, key=KEY, threads=n
        )
        results.add(gradient.tobytes())
    assert len(results) == 1


@pytest.mark.parametrize(
    ("residual", "message"),
    [
        ([0, 0, 2], "one number per hidden layer"),
        ([1, 0, 0, 0, 0, 0], "reaches 1 layers below layer 0"),
        ([0, 2, 0, 0, 0, 0], "reaches 2 layers below layer 1"),
        ([0, 0, 0, 3, 0, 0], "reaches 3 layers"),
        ([0, 0, 0, 0, 1, 0], "same width"),
        ([0, 0, 0, 2, 0, 0], "same width"),
    ],
)
def test_connections_to_nowhere_are_refused(residual, message):
    with pytest.raises(ValueError, match=message):
        engine_of(adapted(residual))


@pytest.mark.parametrize("residual", [True, CHAIN], ids=["residual", "adapters"])
def test_connections_around_a_norm_after_the_activation_are_refused(residual):
    with pytest.raises(ValueError, match="a norm after the activation excludes"):
        engine_of(adapted(residual, batch_norm="after"))
