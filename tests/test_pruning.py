"""Pruned networks predict the same, and nothing in them could still go."""

import copy
import pickle

import numpy as np
import pytest
from common import all_weights, assert_refused, both_estimators, data_for, few_epochs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPRegressor
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from thinned import KINDS, raw_predictions, remove, thinned

from skreg._network.network import Network, residual_reaches
from skreg._network.pruning import pruned
from skreg._problem import data as reading_of_data
from skreg._problem.losses import REGRESSION_LOSSES

pytestmark = few_epochs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.7, 0.9, 0.97, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_predictions_are_the_same_to_rounding(kind, share, seed):
    model, X = thinned(kind, share=share, seed=seed)
    expected = raw_predictions(model, X)
    weights, state = all_weights(model), pickle.dumps(vars(model))
    smaller = model.prune()
    assert type(smaller) is type(model)
    assert smaller.n_features_in_ == X.shape[1]
    for rows in [X, sparse.csr_array(X), np.asfortranarray(X)]:
        assert_allclose(raw_predictions(smaller, rows), expected, rtol=1e-9, atol=1e-9)
    # what it was pruned from is as it was
    assert_array_equal(all_weights(model), weights)
    assert pickle.dumps(vars(model)) == state
    assert all_weights(smaller).size <= weights.size
    assert smaller.n_layers_ == len(smaller.coefs_) + 1
    assert smaller.loss_curve_ == model.loss_curve_
    assert smaller.loss_curve_ is not model.loss_curve_


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_stays(dtype):
    model, X = thinned("norm after", dtype=dtype)
    smaller = model.prune()
    assert {W.dtype for W in smaller.coefs_} == {np.dtype(dtype)}
    assert_allclose(smaller.predict(X), model.predict(X), rtol=1e-4, atol=1e-4)


def random_network(rng, sizes, residual, skip, share):
    network = Network(
        sizes,
        [["tanh", "relu", "logistic"][rng.integers(3)] for _ in sizes[1:-1]],
        REGRESSION_LOSSES["squared_error"],
        0.0,
        np.dtype(np.float64),
        residual=residual,
        skip=skip and len(sizes) > 2,
    )
    network.params[:] = rng.normal(size=network.params.size)
    for W in network.matrices():
        W[rng.random(W.shape) < share] = 0
    return network


def around_adapters(widths):
    """Connections to two layers below, where the width is the same; or to the last."""
    return [
        next((k for k in (2, 1) if k <= l and widths[l - k] == width), 0)
        for l, width in enumerate(widths)
    ]


networks = st.builds(
    lambda seed, widths, reach, skip, share: random_network(
        np.random.default_rng(seed), [6, *widths, 2], reach(widths), skip, share
    ),
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from([1, 3, 5]), max_size=4),
    st.sampled_from([lambda _: False, lambda _: True, around_adapters]),
    st.booleans(),
    st.sampled_from([0.3, 0.6, 0.8, 0.95]),
)


@given(networks)
@settings(max_examples=200)
def test_nothing_could_still_go(network):
    """What stays lies on a way from an input to an output."""
    smaller = pruned(network)
    again = pruned(smaller)
    assert again.layer_sizes == smaller.layer_sizes
    assert_array_equal(again.params, smaller.params)
    assert_array_equal(again.inputs, smaller.inputs)

    X = np.random.default_rng(0).normal(size=(20, 6))
    assert_same_predictions(smaller, network, X)
    inputs, *hidden = used(network)
    # one input stays where none has a say
    assert_array_equal(smaller.inputs, np.flatnonzero(inputs) if inputs.any() else [0])
    if not hidden or hidden[-1].any():
        # one unit stays in a layer that all ways go around
        sizes = [max(1, int(units.sum())) for units in hidden]
        assert smaller.layer_sizes[1:-1] == sizes
        assert smaller.skip == (network.skip and network.skip_coef.any())
    else:
        assert smaller.layer_sizes[1:] == [2]
        assert not smaller.skip


def assert_same_predictions(smaller, network, X):
    assert_allclose(
        smaller.predict(np.ascontiguousarray(X[:, smaller.inputs])),
        network.predict(X),
        rtol=1e-9,
        atol=1e-9,
    )


def used(network):
    """Masks, by brute force: inputs with a way to an output; units on such a way.

    With residual connections, all units of a stream that has one.
    """
    sizes = network.layer_sizes
    layers = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    edges = np.eye(sum(sizes), dtype=int)
    streams = edges.copy()
    for l, W in enumerate(network.coefs):
        edges[np.ix_(layers[l], layers[l + 1])] = W != 0
    for l, reach in enumerate(residual_reaches(network.residual, sizes)):
        if reach:
            edges[layers[l + 1 - reach], layers[l + 1]] = 1
            streams[layers[l + 1 - reach], layers[l + 1]] = 1
    # a way has fewer steps than there are layers
    ways = np.linalg.matrix_power(edges, len(sizes)) > 0
    streams = np.linalg.matrix_power(streams + streams.T, len(sizes)) > 0
    on_way = ways[layers[0]].any(axis=0) & ways[:, layers[-1]].any(axis=1)
    inputs = ways[np.ix_(layers[0], layers[-1])].any(axis=1)
    if network.skip:
        inputs |= network.skip_coef.any(axis=1)
    return [inputs, *(streams[units][:, on_way].any(axis=1) for units in layers[1:-1])]


def test_units_of_a_stream_that_only_keep_each_other_go():
    """Each reads the other, in turn, but neither an input."""
    network = random_network(np.random.default_rng(0), [2, 3, 2, 2, 2], True, False, 0)
    network.coefs[0][:] = 0
    network.coefs[2][:] = [[0, 1], [1, 0]]
    smaller = pruned(network)
    assert smaller.layer_sizes == [1, 2]
    assert_same_predictions(smaller, network, np.ones((1, 2)))

    # or neither has a way to an output
    network.coefs[0][:] = 1
    network.coefs[3][:] = 0
    assert pruned(network).layer_sizes == [1, 2]


def test_a_unit_that_varies_where_it_is_not_needed_goes():
    network = random_network(np.random.default_rng(0), [2, 2, 2, 1], True, False, 0)
    first, second, last = network.coefs
    # unit 1 is constant in the first layer, which unit 0 of the second reads
    first[:, 1] = 0
    second[:] = [[1, 1], [1, 0]]
    # and varies in the second, which no output does
    last[1] = 0
    smaller = pruned(network)
    assert smaller.layer_sizes == [2, 1, 1, 1]
    X = np.random.default_rng(1).normal(size=(9, 2))
    assert_same_predictions(smaller, network, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_feature_lives_by_its_connection_to_the_outputs(dtype):
    model, X = thinned("skip", share=0.0, dtype=dtype)
    model.coefs_[0][[1, 2, 3]] = 0
    model.skip_coef_[[2, 3, 4]] = 0
    model._network.changed()
    smaller = model.prune()
    assert_array_equal(np.flatnonzero(~smaller.selected_features_), [2, 3])
    assert len(smaller.coefs_[0]) == len(smaller.skip_coef_) == X.shape[1] - 2
    assert_array_equal(smaller.skip_coef_, model.skip_coef_[model.selected_features_])
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for either in [smaller, copy.deepcopy(smaller).sparsify_weights()]:
        assert_allclose(
            either.predict(X), model.predict(X), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("kind", ["skip", "skip norm"])
def test_the_line_is_all_that_stays_where_no_unit_does(kind):
    model, X = thinned(kind, share=0.0)
    model.coefs_[1][:] = 0
    model.skip_coef_[2] = 0
    model._network.changed()
    smaller = model.prune()
    used = np.arange(X.shape[1]) != 2
    assert len(smaller.coefs_) == 1
    assert smaller.n_layers_ == 2
    assert_array_equal(smaller.coefs_[0], model.skip_coef_[used])
    assert smaller.skip_coef_ is None
    assert_array_equal(smaller.selected_features_, used)
    assert_allclose(raw_predictions(smaller, X), raw_predictions(model, X), rtol=1e-9)
    # and stays so
    again = smaller.prune()
    assert_array_equal(again.coefs_[0], smaller.coefs_[0])
    assert_allclose(
        raw_predictions(smaller.sparsify_weights(), X),
        raw_predictions(model, X),
        rtol=1e-9,
    )


def test_a_connection_without_weights_goes():
    model, X = thinned("skip", share=0.0)
    model.skip_coef_[:] = 0
    smaller = model.prune()
    assert smaller.skip_coef_ is None
    assert len(smaller.sparsity_) == len(smaller.coefs_) == 3
    assert_allclose(smaller.predict(X), model.predict(X), rtol=1e-9)


def test_a_chain_of_dead_units_goes_as_a_whole():
    model, X = thinned("regression", share=0.0, hidden_layer_sizes=(4, 3, 5))
    first, second, third, last = model.coefs_
    last[2] = 0  # unused, and so is what only it reads:
    second[1, :] = 0
    second[1, 0] = 1
    third[0, :] = 0
    third[0, 2] = 1
    # constant, and so is what reads only it
    first[:, 3] = 0
    second[:, 2] = 0
    second[3, 2] = 1
    # read by none but a unit that goes
    first[5, :] = 0
    first[5, 1] = 1
    model._network.changed()
    smaller = model.prune()
    assert [W.shape for W in smaller.coefs_] == [(9, 2), (2, 1), (1, 4), (4, 1)]
    assert_array_equal(np.flatnonzero(~smaller.selected_features_), [5])
    assert_allclose(smaller.predict(X), model.predict(X), rtol=1e-9)


def test_layers_that_become_as_wide_as_each_other_are_not_joined():
    model, X = thinned(
        "regression", share=0.0, hidden_layer_sizes=(6, 4, 4), residual=True
    )
    model.coefs_[1][2:] = 0
    model.coefs_[2][2:] = model.coefs_[3][2:] = 0
    smaller = model.prune()
    assert [W.shape for W in smaller.coefs_[1:]] == [(2, 2), (2, 2), (2, 1)]
    assert smaller._network.residual == [0, 0, 1]
    assert_allclose(smaller.predict(X), model.predict(X), rtol=1e-9)
    assert_allclose(
        copy.deepcopy(smaller).sparsify_weights().predict(X),
        model.predict(X),
        rtol=1e-9,
    )


def test_a_constant_network():
    model, X = thinned("multiclass", share=1.0)
    smaller = model.prune()
    assert [W.shape for W in smaller.coefs_] == [(1, 3)]
    assert not smaller.selected_features_.any()
    assert_allclose(smaller.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    assert smaller.zero_share_ == 1


def test_attributes_cover_all_features():
    model, X = thinned("regression", share=0.6)
    model.coefs_[0][[1, 4]] = 0
    smaller = model.prune()
    assert_array_equal(smaller.feature_importances_[[1, 4]], 0)
    assert smaller.feature_importances_.shape == (X.shape[1],)
    assert smaller.coefs_[0].shape[0] == smaller.selected_features_.sum()
    y = model.predict(X)
    gradient = smaller.input_gradient(X, y)
    assert gradient.shape == X.shape
    assert_allclose(gradient, model.input_gradient(X, y), atol=1e-9)


def test_pruned_of_pruned_and_sparse_of_pruned():
    model, X = thinned("multiclass", share=0.9)
    expected = model.predict_proba(X)
    once = model.prune()
    twice = once.prune()
    assert [W.shape for W in twice.coefs_] == [W.shape for W in once.coefs_]
    assert_array_equal(twice.selected_features_, once.selected_features_)
    both = model.sparsify_weights().prune()
    assert all(map(sparse.issparse, both.coefs_))
    assert [W.shape for W in both.coefs_] == [W.shape for W in once.coefs_]
    for smaller in [twice, both, once.sparsify_weights(), both.densify()]:
        assert_allclose(smaller.predict_proba(X), expected, rtol=1e-9, atol=1e-12)
        assert_array_equal(smaller.selected_features_, twice.selected_features_)


def test_many_rows_are_read_in_parts(monkeypatch):
    model, X = thinned("multiclass", share=0.5)
    model.coefs_[0][2] = 0
    smaller = model.prune()
    X = np.tile(X, (10, 1))
    expected = smaller.predict_proba(X)
    monkeypatch.setattr(reading_of_data, "GATHERED_PART_SIZE", 100)
    assert_array_equal(smaller.predict_proba(X), expected)


@both_estimators
def test_training_cannot_go_on(Estimator):
    model = Estimator((8,), max_iter=2, warm_start=True, random_state=0)
    X, y = data_for(model)
    smaller = model.fit(X, y).prune()
    for call in [smaller.fit, smaller.partial_fit]:
        assert_refused(lambda call=call: call(X, y), ValueError, "pruned", "warm_start")
    smaller.set_params(warm_start=False).fit(X, y)
    assert smaller.coefs_[0].shape == (X.shape[1], 8)
    assert_array_equal(all_weights(smaller), all_weights(model))
    # and the original trains on by itself
    model.prune()
    curve = list(smaller.loss_curve_)
    model.partial_fit(X, y)
    assert smaller.loss_curve_ == curve


def test_in_a_pipeline_and_as_pickle():
    model, X = thinned("regression", share=0.9)
    y = model.predict(X)
    pipeline = make_pipeline(
        StandardScaler(), RegularizedMLPRegressor((20,), max_iter=2, random_state=0)
    ).fit(X, y)
    remove(pipeline[-1], 0.9, np.random.default_rng(0))
    expected = pipeline.predict(X)
    pipeline.steps[-1] = ("smaller", pipeline[-1].prune())
    assert_allclose(pipeline.predict(X), expected, rtol=1e-4, atol=1e-3)
    copied = pickle.loads(pickle.dumps(pipeline))
    assert_array_equal(copied.predict(X), pipeline.predict(X))


def test_all_features_are_checked_still():
    model, X = thinned("regression", share=0.0)
    model.coefs_[0][3] = 0
    smaller = model.prune()
    X = X.copy()
    X[0, 3] = np.inf
    assert_refused(lambda: smaller.predict(X), ValueError, "infinity")
    assert_refused(lambda: smaller.predict(X[:, :3]), ValueError, "features")
