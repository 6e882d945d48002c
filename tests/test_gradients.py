"""Every gradient of the kernels against central differences, in float64."""

from itertools import product

import numpy as np
import pytest
from cases import (
    KEY,
    LOSS_PARAMETERS,
    LOSSES,
    data_of,
    differences,
    engine_of,
    random_weights,
    smooth_case,
)
from reference import Network

from skreg._problem.activations import ACTIVATIONS

ROWS = 7
STEP = 5
# Depth 0 has no activation.
SHAPES = [(0, None), *product([1, 3], ACTIVATIONS)]


def network_of(loss, depth, activation, dropout):
    return Network(
        [5, *[4] * depth, 3],
        [activation] * depth,
        loss,
        LOSS_PARAMETERS.get(loss, 0.0),
        dropout=[0.3] * depth if dropout else [],
        input_dropout=0.3 if dropout else 0.0,
    )


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("depth", "activation"), SHAPES)
def test_gradient(depth, activation, loss, weighted, dropout, csr):
    network = network_of(loss, depth, activation, dropout)
    noise = {"key": KEY if dropout else None, "step": STEP}
    params, X, y, _ = smooth_case(network, ROWS, **noise)
    weights = random_weights(np.random.default_rng(0), ROWS) if weighted else None
    data = data_of(X, y, weights, csr=csr)
    loops = engine_of(network, capacity=ROWS)
    gradient = np.full_like(params, np.nan)
    loops.loss_and_gradient(params, data, gradient, **noise)

    expected = differences(
        lambda w: loops.loss_and_gradient(w, data, **noise), params.copy()
    )
    assert np.abs(expected).max() > 1e-3
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8 * scale)


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize(
    ("batch_norm", "residual"),
    [(None, True), ("before", False), ("before", True), ("after", False)],
)
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("skip", [False, True], ids=["hidden", "skip"])
def test_gradient_through_norms_and_residual_connections(
    skip, activation, batch_norm, residual, dropout, weighted, csr
):
    network = network_of("binary_log_loss", 3, activation, dropout)
    network.batch_norm, network.residual = batch_norm, residual
    network.label_smoothing = 0.2
    network.skip = skip
    noise = {"key": KEY if dropout else None, "step": STEP}
    params, X, y, _ = smooth_case(network, ROWS, **noise, margin=3e-4)
    weights = random_weights(np.random.default_rng(0), ROWS) if weighted else None
    data = data_of(X, y, weights, csr=csr)
    loops = engine_of(network, capacity=ROWS)
    gradient = np.full_like(params, np.nan)
    loss = loops.loss_and_gradient(params, data, gradient, **noise)

    masks = network.masks(ROWS, noise["key"], STEP)
    expected_loss, expected = network.loss_and_gradient(params, X, y, weights, masks)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-12)
    expected = differences(
        lambda w: loops.loss_and_gradient(w, data, **noise), params.copy(), h=1e-6
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7 * scale)


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_through_the_connection_past_the_hidden_layers(
    loss, n_outputs, dropout, csr
):
    if loss == "multinomial_log_loss" and n_outputs == 1:
        n_outputs = 2
    network = network_of(loss, 2, "tanh", dropout)
    network.layer_sizes[-1] = n_outputs
    network.skip = True
    noise = {"key": KEY if dropout else None, "step": STEP}
    params, X, y, masks = smooth_case(network, ROWS, **noise)
    data = data_of(X, y, csr=csr)
    loops = engine_of(network, capacity=ROWS)
    gradient = np.full_like(params, np.nan)
    loss_value = loops.loss_and_gradient(params, data, gradient, **noise)
    expected_loss, expected = network.loss_and_gradient(params, X, y, None, masks)
    assert loss_value == pytest.approx(expected_loss, rel=1e-12)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-12)
    expected = differences(
        lambda w: loops.loss_and_gradient(w, data, **noise), params.copy()
    )
    assert np.abs(network.theta(expected)).max() > 1e-3
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8 * scale)


@pytest.mark.parametrize("rows", [1, 7, 300])
@pytest.mark.parametrize(
    ("residual", "skip"), [(False, False), (True, False), (True, True)]
)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_by_the_inputs(loss, residual, skip, rows):
    network = network_of(loss, 2, "tanh", False)
    network.residual, network.skip = residual, skip
    params, X, y, _ = smooth_case(network, rows, margin=0)
    out = np.full_like(X, np.nan)
    loops = engine_of(network, capacity=64)
    loops.input_gradient(params, data_of(X, y), out)
    for i in range(min(rows, 7)):
        row = slice(i, i + 1)
        network.loss_and_gradient(params, X[row], y[row])
        np.testing.assert_allclose(
            out[row], network.input_gradient, rtol=1e-9, atol=1e-13
        )


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("capacity", [1, 3, 7, 8, 100])
def test_gradient_summed_over_chunks(capacity, csr):
    network = network_of("squared_error", 2, "tanh", False)
    params, X, y, _ = smooth_case(network, ROWS)
    weights = random_weights(np.random.default_rng(0), ROWS)
    expected_loss, expected = network.loss_and_gradient(params, X, y, weights)
    gradient = np.full_like(params, np.nan)
    loss = engine_of(network, capacity=capacity).loss_and_gradient(
        params, data_of(X, y, weights, csr=csr), gradient
    )
    assert loss == pytest.approx(expected_loss, rel=1e-13)
    np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-14)
