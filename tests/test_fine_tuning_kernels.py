"""What the kernels do for fine-tuning: frozen parameters, and pulls to old weights.

That whole epochs with them equal the oracle is in test_training_step.py.
"""

from itertools import product

import numpy as np
import pytest
from cases import (
    KEY,
    both_dtypes,
    data_of,
    engine_of,
    random_inputs,
    random_params,
    random_targets,
)
from reference import Network

from skreg._batch_norm import Statistics
from skreg._optimizers import Optimizer
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

PLAIN = None
FGSM = checked(AdversarialTraining(0.1, clean_weight=0.5))
PGD = checked(AdversarialTraining(0.1, n_steps=3, clean_weight=0.0))


def network_of(**settings):
    return Network(WIDTHS, ["relu"] * 3, "multinomial_log_loss", **settings)


class Training:
    """Some epochs of one network, from weights and moments that are not zero."""

    def __init__(self, network, dtype=np.float32, *, csr=False, solver="adam", **loops):
        rng = np.random.default_rng(0)
        self.start = random_params(network, rng).astype(dtype)
        X = random_inputs(rng, ROWS, WIDTHS[0], 0.3)
        y = random_targets(network.loss, rng, (ROWS, WIDTHS[-1]))
        self.network, self.dtype = network, dtype
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

    def run(self, *, epochs=1, batch_size=40, penalty=0.0, threads=1, **segments):
        """Train; return the mean losses."""
        strengths = [penalty] * N_LAYERS
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
                threads=threads,
            )
            for epoch in range(epochs)
        ]

    def mask(self, trained):
        return self.network.of_vectors(*trained) == 1


@every_choice
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("max_grad_norm", [np.inf, 0.1])
@pytest.mark.parametrize("dtype", both_dtypes)
def test_frozen_parameters_keep_every_bit(dtype, max_grad_norm, solver, csr, trained):
    training = Training(
        network_of(dropout=[0.2] * 3),
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
        max_norm=[0.1] * N_LAYERS,
        trained=trained,
        anchor=[0.5] * N_LAYERS,
    )
    moves = training.mask(trained)
    for array, old in zip(kept, before, strict=True):
        np.testing.assert_array_equal(array[~moves], old[~moves])
        assert (array[moves] != old[moves]).mean() > 0.3 if moves.any() else True


@every_choice
@pytest.mark.parametrize(
    ("attack", "csr"), [(PLAIN, False), (PLAIN, True), (FGSM, False), (PGD, False)]
)
@pytest.mark.parametrize("batch_norm", [None, "before"])
def test_what_is_trained_steps_as_if_all_were(batch_norm, attack, csr, trained):
    """One batch: from the same weights, so the others' steps are not seen yet."""
    network = network_of(dropout=[0.2] * 3, batch_norm=batch_norm, residual=True)
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
            segments=training.loops.segments([0.01] * 4, [0.01] * 4, trained=choice),
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
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("max_grad_norm", [np.inf, 0.1])
def test_bits_do_not_depend_on_the_threads(max_grad_norm, csr, trained):
    results = set()
    for threads in [1, 2, 3, 7]:
        training = Training(
            network_of(dropout=[0.2] * 3, residual=True),
            csr=csr,
            threads=threads,
            max_grad_norm=max_grad_norm,
        )
        training.optimizer.anchor = -training.start
        losses = training.run(
            epochs=2,
            threads=threads,
            trained=trained,
            anchor=[0.1] * N_LAYERS,
            max_norm=[1.0] * N_LAYERS,
        )
        results.add((training.params.tobytes(), *losses))
    assert len(results) == 1


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
    assert segments["frozen"].tolist() == [[1, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 1]]
    assert segments["anchor"].tolist() == [[l, l, 0] for l in range(4)]
    assert segments["max_norm"][:, 0].tolist() == [np.inf, np.inf, 2.0, np.inf]
    with pytest.raises(ValueError, match="reshape"):
        loops.segments([0.0] * 4, [0.0] * 4, anchor=[1.0])
