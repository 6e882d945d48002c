"""Each loss of the registry: value, derivative, link, and the best constant."""

import numpy as np
import pytest
import reference
from cases import LOSS_PARAMETERS, LOSSES, both_dtypes, random_targets
from scipy import special

from skreg._kernels import units

every_loss = pytest.mark.parametrize("name", LOSSES)
LOG_LOSSES = ["binary_log_loss", "multinomial_log_loss"]
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-13}


def row_losses(name, f, y):
    """The kernel's losses (rows,) and deltas (rows, n_outputs)."""
    kernel, parameter = LOSSES[name].kernel, LOSS_PARAMETERS.get(name, 0.0)
    blocks = [
        units.losses_of(kernel, parameter, f[i : i + 16], y[i : i + 16])
        for i in range(0, len(f), 16)
    ]
    values, deltas = zip(*blocks, strict=True)
    return np.concatenate(values), np.concatenate(deltas)


def drawn(name, n_outputs=3, rows=200, seed=0):
    rng = np.random.default_rng(seed)
    f = 2 * rng.normal(size=(rows, n_outputs))
    return f, random_targets(name, rng, f.shape)


def test_oracle_has_every_loss():
    assert set(reference.LOSSES) == set(LOSSES)


def test_numbers_are_distinct():
    assert len({loss.kernel for loss in LOSSES.values()}) == len(LOSSES)


@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@pytest.mark.parametrize("dtype", both_dtypes)
@every_loss
def test_value_and_delta_equal_the_oracle(name, dtype, n_outputs):
    f, y = (array.astype(dtype) for array in drawn(name, n_outputs))
    values, deltas = row_losses(name, f, y)
    assert deltas.dtype == dtype
    arguments = (name, LOSS_PARAMETERS.get(name), f.astype(float), y.astype(float))
    tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(values, reference.loss_values(*arguments), **tolerance)
    np.testing.assert_allclose(deltas, reference.loss_deltas(*arguments), **tolerance)


@every_loss
def test_delta_is_the_derivative(name):
    h = 1e-5
    f, y = drawn(name)
    if name in reference.KINKED_LOSSES:
        f[np.abs(f - y) < h] += 1
    _, deltas = row_losses(name, f, y)
    for j, shift in enumerate(h * np.eye(f.shape[1])):
        up, down = (row_losses(name, f + sign * shift, y)[0] for sign in (1, -1))
        np.testing.assert_allclose(deltas[:, j], (up - down) / (2 * h), atol=1e-7)


@pytest.mark.parametrize("name", ["absolute_error", "quantile", "huber"])
def test_delta_is_zero_where_the_target_is_met(name):
    y = np.array([[1.5, -2.0]])
    values, deltas = row_losses(name, y, y)
    assert values == 0
    np.testing.assert_array_equal(deltas, 0)


@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize("name", LOG_LOSSES)
def test_log_losses_of_extreme_outputs(name, dtype):
    f = np.array([[-1e4, 1e4, 0], [1e4, -1e4, 1e4], [1e30, -1e30, 0]], dtype=dtype)
    for j in range(3):
        y = np.zeros_like(f)
        y[:, j] = 1
        values, deltas = row_losses(name, f, y)
        arguments = (name, None, f.astype(float), y.astype(float))
        np.testing.assert_allclose(values, reference.loss_values(*arguments), rtol=1e-6)
        np.testing.assert_allclose(
            deltas, reference.loss_deltas(*arguments), rtol=1e-6, atol=1e-7
        )


@pytest.mark.parametrize("name", LOG_LOSSES)
def test_small_log_losses_keep_their_digits(name):
    # log(1 + exp(-40)) is lost where it is added to anything of order 1
    f, y = np.array([[40.0, 0.0]]), np.array([[1.0, 0.0]])
    if name == "binary_log_loss":
        f, y = f[:, :1], y[:, :1]
    values, _ = row_losses(name, f, y)
    np.testing.assert_allclose(values, np.exp(-40), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", LOG_LOSSES)
def test_soft_targets(name):
    rng = np.random.default_rng(0)
    f = rng.normal(size=(50, 3))
    y = rng.dirichlet(np.ones(3), 50)
    values, deltas = row_losses(name, f, y)
    link = special.softmax(f, axis=1) if name == LOG_LOSSES[1] else special.expit(f)
    cross_entropy = special.xlogy(y, link)
    if name == "binary_log_loss":
        cross_entropy += special.xlogy(1 - y, 1 - link)
    np.testing.assert_allclose(values, -cross_entropy.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(deltas, link - y, atol=1e-14)


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("dtype", both_dtypes)
@every_loss
def test_nan_passes_through(name, dtype, position):
    f, y = (array.astype(dtype) for array in drawn(name, rows=1))
    f[0, position] = np.nan
    values, deltas = row_losses(name, f, y)
    assert np.isnan(values[0])
    assert np.isnan(deltas[0, position])


@pytest.mark.parametrize("dtype", both_dtypes)
@every_loss
def test_inverse_link_equals_the_oracle(name, dtype):
    f = drawn(name)[0].astype(dtype)
    f[0] = [-60, 0, 60]
    got = units.inverse_link(LOSSES[name].kernel, f)
    assert got.dtype == dtype
    expected = reference.LOSSES[name][2](f.astype(float))
    np.testing.assert_allclose(got, expected, rtol=TOLERANCE[dtype], atol=1e-37)


@pytest.mark.parametrize(
    "name", [n for n in LOSSES if n not in reference.KINKED_LOSSES]
)
def test_prediction_that_meets_the_target_is_a_minimum(name):
    # so the inverse link belongs to the loss
    f, _ = drawn(name)
    y = units.inverse_link(LOSSES[name].kernel, f)
    _, deltas = row_losses(name, f, y)
    np.testing.assert_allclose(deltas, 0, atol=1e-12)


LINKS = {
    "identity": lambda f: f,
    "exp": np.exp,
    "logistic": special.expit,
    "softmax": lambda f: special.softmax(f, axis=1),
}


@every_loss
def test_name_of_the_inverse_link(name):
    f, _ = drawn(name)
    got = units.inverse_link(LOSSES[name].kernel, f)
    np.testing.assert_allclose(got, LINKS[LOSSES[name].out_activation](f), rtol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
@every_loss
def test_best_constant_minimises_the_loss_among_constants(name, seed, weighted):
    rng = np.random.default_rng(seed)
    n_classes, rows = 3, 41
    y = random_targets(name, rng, (rows, n_classes))
    weights = rng.uniform(0, 2, rows) if weighted else None
    if name == "multinomial_log_loss":
        best = LOSSES[name].best_constant(y.argmax(axis=1), weights, n_classes)
    else:
        best = LOSSES[name].best_constant(y, weights, LOSS_PARAMETERS.get(name))
    assert best.shape == (n_classes,)

    def loss(constant):
        f = np.broadcast_to(constant, y.shape)
        values = reference.loss_values(name, LOSS_PARAMETERS.get(name), f, y)
        return np.average(values, weights=weights)

    # the losses are convex: no better point near by, none anywhere
    for size in [1e-3, 0.1, 1.0]:
        for shift in size * np.vstack([np.eye(n_classes), -np.eye(n_classes)]):
            assert loss(best) <= loss(best + shift) + 1e-12


@pytest.mark.parametrize(
    ("name", "y", "expected"),
    [
        ("poisson", np.zeros((5, 1)), -87.3),
        ("binary_log_loss", np.zeros((5, 1)), -13.8),
        ("binary_log_loss", np.ones((5, 1)), 13.8),
    ],
)
def test_best_constant_at_the_edge_is_finite(name, y, expected):
    best = LOSSES[name].best_constant(y, None, None)
    np.testing.assert_allclose(best, expected, atol=0.1)


def test_best_constant_of_a_class_without_weight_is_finite():
    best = LOSSES["multinomial_log_loss"].best_constant(
        np.array([0, 0, 1]), np.array([1.0, 1.0, 0.0]), 3
    )
    assert np.isfinite(best).all()
    assert best[0] > best[1] == best[2]


@pytest.mark.parametrize("delta", [10.0, 1e8, 1e30, 1e300])
@pytest.mark.parametrize("weight", [None, 1.0, 1e300])
def test_best_constant_of_a_huge_huber_delta_is_the_mean(delta, weight):
    y = np.random.default_rng(0).normal(size=(50, 2))
    share = np.linspace(1, 2, 50)
    weights = None if weight is None else weight * share
    mean = np.average(y, axis=0, weights=None if weight is None else share)
    found = LOSSES["huber"].best_constant(y, weights, delta)
    np.testing.assert_allclose(found, mean, rtol=1e-12, atol=1e-14)
