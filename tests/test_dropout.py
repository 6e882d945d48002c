"""Dropout masks: the oracle's, at the asked rate, independent of each other."""

import numpy as np
import pytest
import reference
from cases import KEY, data_of, engine_of, random_inputs, random_params
from hypothesis import given
from hypothesis import strategies as st

from skreg._kernels import units

words = st.integers(0, 2**32 - 1)


def mask(shape, rate, *, key=KEY, layer=1, step=0):
    return units.dropout_mask(shape, rate, key, layer, step)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 120)),
    rate=st.floats(0.0, 0.999) | st.sampled_from([0.25, 0.5, 0.75]),
    key=st.tuples(words, words),
    layer=st.integers(0, 20),
    step=st.integers(0, 2**40),
)
def test_mask_is_the_oracles(shape, rate, key, layer, step):
    settings = {"key": key, "layer": layer, "step": step}
    np.testing.assert_array_equal(
        mask(shape, rate, **settings), reference.dropout_mask(shape, rate, **settings)
    )


@pytest.mark.parametrize("rate", [0.25, 0.3, 0.5, 0.9])
def test_one_element_alone_is_the_masks(rate):
    together = mask((7, 61), rate).ravel()
    alone = [units.dropout_factor(rate, KEY, 1, 0, i) for i in range(7 * 61)]
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99999, 1 - 1e-9])
def test_what_is_kept_is_scaled(rate):
    got = mask((300, 70), rate)
    np.testing.assert_allclose(got[got != 0], 1 / (1 - rate), rtol=2e-4 / (1 - rate))
    assert np.isfinite(got).all()


@pytest.mark.parametrize("rate", [1e-3, 0.1, 0.5, 0.9, 0.999])
def test_rate_and_expectation(rate):
    n = 1_000_000
    got = mask((1000, 1000), rate)
    dropped = (got == 0).mean()
    assert abs(dropped - rate) < 5 * np.sqrt(rate * (1 - rate) / n)
    assert abs(got.mean() - 1) < 5 * np.sqrt(rate / (1 - rate) / n)


def test_rate_zero_drops_nothing():
    np.testing.assert_array_equal(mask((50, 50), 0.0), 1)


def test_masks_of_layers_steps_and_keys_are_independent():
    n = 50_000
    shape = (n // 100, 100)
    masks = [
        mask(shape, 0.5, key=key, layer=layer, step=step)
        for key in [KEY, (KEY[1], KEY[0]), (KEY[0] + 1, KEY[1])]
        for layer in [0, 1, 2]
        for step in [0, 1, 2, 2**32]
    ]
    correlation = np.corrcoef([m.ravel() for m in masks])
    np.fill_diagonal(correlation, 0)
    # 630 pairs
    assert np.abs(correlation).max() < 5.5 / np.sqrt(n)


def test_neighbours_in_a_mask_are_independent():
    n = 1_000_000
    dropped = mask((1, n), 0.5).ravel() == 0
    for lag in [1, 2, 3, 4, 5, 8, 1024]:
        correlation = np.corrcoef(dropped[:-lag], dropped[lag:])[0, 1]
        assert abs(correlation) < 5 / np.sqrt(n), lag


def test_a_mask_with_a_higher_rate_drops_more_of_the_same():
    # so that runs that differ in the rate alone can be compared
    assert (mask((100, 100), 0.2)[mask((100, 100), 0.1) == 0] == 0).all()


@pytest.mark.parametrize("step", [0, 7, 2**33])
@pytest.mark.parametrize("hidden", [[], [8]])
def test_dense_and_sparse_inputs_get_the_oracles_mask(hidden, step):
    network = reference.Network(
        [21, *hidden, 3],
        ["tanh"] * len(hidden),
        "squared_error",
        dropout=[0.4] * len(hidden),
        input_dropout=0.3,
    )
    rng = np.random.default_rng(0)
    X, y = random_inputs(rng, 30, 21), rng.normal(size=(30, 3))
    params = random_params(network, rng)
    masks = network.masks(len(X), KEY, step)
    loss, expected = network.loss_and_gradient(params, X, y, masks=masks)
    for csr in [False, True]:
        gradient = np.empty_like(params)
        got = engine_of(network).loss_and_gradient(
            params, data_of(X, y, csr=csr), gradient, key=KEY, step=step
        )
        np.testing.assert_allclose(got, loss, rtol=1e-13)
        np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-14)


def test_mean_of_many_masked_outputs_is_the_prediction():
    # inverted dropout needs no correction at prediction; a linear network shows it
    network = reference.Network([50, 40, 1], ["identity"], "squared_error")
    network.dropout, network.input_dropout = [0.5], 0.2
    rng = np.random.default_rng(0)
    params = random_params(network, rng)
    X = np.repeat(rng.normal(size=(1, 50)), 250, axis=0)
    (plain,) = network.forward(params, X[:1])[0].ravel()
    loops = engine_of(network)
    gradient = np.empty_like(params)
    outputs = []
    for step in range(40):
        # the output bias's derivative of the mean of (f - y)^2 / 2, y = 0, is mean f
        loops.loss_and_gradient(
            params, data_of(X, np.zeros((250, 1))), gradient, key=KEY, step=step
        )
        outputs.append(gradient[-1])
    error = np.std(outputs) / np.sqrt(len(outputs))
    assert abs(np.mean(outputs) - plain) < 4 * error
    assert error < 0.1
