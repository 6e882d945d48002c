"""Shapes, views and initialisation of the flat parameter buffer."""

from dataclasses import replace

import numpy as np
import pytest
import reference
from cases import LOSS_PARAMETERS, LOSSES, both_dtypes, random_inputs, random_params
from plain import RegularizedMLPRegressor
from scipy import sparse

from skreg._network.network import Network
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.data import as_csr_for_kernels
from skreg._problem.parameters import read_settings
from skreg._problem.regularizers import penalty_of

SIZES = [5, 4, 3, 2]


def network(sizes=SIZES, activation="tanh", loss="squared_error", dtype=np.float64):
    return Network(
        sizes,
        [activation] * (len(sizes) - 2),
        LOSSES[loss],
        LOSS_PARAMETERS.get(loss, 0.0),
        np.dtype(dtype),
    )


def initialised(*args, seed=0, output_bias=0.0, **settings):
    made = network(*args, **settings)
    made.initialise(np.random.RandomState(seed), output_bias)
    return made


@pytest.mark.parametrize("dtype", both_dtypes)
def test_shapes_and_size(dtype):
    made = network(dtype=dtype)
    assert [W.shape for W in made.coefs] == [(5, 4), (4, 3), (3, 2)]
    assert [b.shape for b in made.intercepts] == [(4,), (3,), (2,)]
    assert made.params.shape == (5 * 4 + 4 + 4 * 3 + 3 + 3 * 2 + 2,)
    assert made.params.dtype == dtype
    assert made.engine().n_parameters == made.params.size


def test_views_tile_the_buffer_in_order():
    made = network()
    made.params[:] = np.arange(made.params.size)
    pieces = [
        piece.ravel()
        for pair in zip(made.coefs, made.intercepts, strict=True)
        for piece in pair
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), made.params)


def test_views_write_through():
    made = network()
    for view in [*made.coefs, *made.intercepts]:
        assert np.shares_memory(view, made.params)
        view += 1
    assert (made.params == 1).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_predict_equals_the_oracle(loss, csr):
    rng = np.random.default_rng(0)
    made = network(loss=loss)
    oracle = reference.Network(SIZES, made.activations, loss)
    made.params[:] = random_params(oracle, rng)
    X = random_inputs(rng, 600, SIZES[0])
    given = sparse.csr_matrix(X) if csr else X
    np.testing.assert_allclose(
        made.predict(given), oracle.predict(made.params, X), rtol=1e-11
    )
    np.testing.assert_allclose(
        made.predict(given, raw=True),
        oracle.forward(made.params, X)[0],
        rtol=1e-11,
        atol=1e-13,
    )


def strengths(l1, l2):
    """Settings with these penalties, one strength per matrix."""
    return replace(read_settings(RegularizedMLPRegressor()), l1=l1, l2=l2)


def test_penalty_equals_the_oracle():
    made = initialised()
    l1, l2 = [0.1, 0.0, 2.0], [0.3, 1.5, 0.0]
    np.testing.assert_allclose(
        penalty_of(strengths(l1, l2), made),
        reference.penalty(made.coefs, l1, l2),
        rtol=1e-14,
    )
    assert penalty_of(strengths([0, 0, 0], [0, 0, 0]), made) == 0


def test_penalty_leaves_biases_out():
    made = initialised()
    settings = strengths([1.0] * 3, [1.0] * 3)
    before = penalty_of(settings, made)
    for b in made.intercepts:
        b += 100
    assert penalty_of(settings, made) == before


def test_zero_share_counts_weights_alone():
    made = initialised()
    assert made.zero_share() == 0
    made.coefs[0][:] = 0
    made.coefs[1][0, :2] = -0.0
    made.intercepts[0][:] = 0
    assert made.zero_share() == pytest.approx(22 / 38)
    for W in made.coefs:
        W[:] = 0
    assert made.zero_share() == 1


# By name: the variance of the initial weights.
VARIANCES = {
    "glorot": lambda n_in, n_out: 2 / (n_in + n_out),
    # scikit-learn's MLP: uniform up to sqrt(2 / (n_in + n_out)), for slope 1/4
    "logistic": lambda n_in, n_out: 2 / 3 / (n_in + n_out),
    "lecun": lambda n_in, n_out: 1 / n_in,
}
INITIALISATION = {
    "identity": "glorot",
    "logistic": "logistic",
    "tanh": "glorot",
    "relu": "glorot",
    "leaky_relu": "glorot",
    "elu": "glorot",
    "selu": "lecun",
    "gelu": "glorot",
    "silu": "glorot",
    "mish": "glorot",
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_initial_weights_are_uniform_with_the_activations_variance(activation):
    made = initialised([300, 200, 100], activation)
    names = [INITIALISATION[activation], "glorot"]
    for W, b, name in zip(made.coefs, made.intercepts, names, strict=True):
        variance = VARIANCES[name](*W.shape)
        assert W.var() == pytest.approx(variance, rel=0.03)
        assert abs(W.mean()) < 5 * np.sqrt(variance / W.size)
        # a uniform variable ends at sqrt(3) standard deviations, and comes near
        end = np.sqrt(3 * variance)
        assert 0.999 * end < np.abs(W).max() <= end
        assert np.abs(b).max() <= end
    assert made.intercepts[0].std() > 0


def test_each_layer_is_initialised_for_its_own_activation():
    made = replace(network([200, 200, 200, 1]), activations=["relu", "logistic"])
    made.initialise(np.random.RandomState(0), 0.0)
    assert made.coefs[0].var() == pytest.approx(2 / 400, rel=0.03)
    assert made.coefs[1].var() == pytest.approx(2 / 3 / 400, rel=0.03)


def test_output_bias_is_given():
    made = initialised(output_bias=np.array([1.5, -2.0]))
    np.testing.assert_array_equal(made.intercepts[-1], [1.5, -2.0])


def test_without_a_hidden_layer_weights_start_at_zero():
    made = initialised([5, 2], output_bias=np.array([1.5, -2.0]))
    assert not made.coefs[0].any()
    np.testing.assert_array_equal(made.intercepts[0], [1.5, -2.0])


def test_initial_weights_follow_the_seed_and_not_the_dtype():
    first, again, other = (initialised(seed=seed).params for seed in (0, 0, 1))
    assert first.tobytes() == again.tobytes()
    assert not np.allclose(first, other)
    single = initialised(dtype=np.float32).params
    np.testing.assert_array_equal(single, first.astype(np.float32))


def test_csr_with_long_indices_gets_short_ones_and_shares_the_rest():
    rng = np.random.default_rng(0)
    X = sparse.csr_array(rng.standard_normal((20, 10)) * (rng.random((20, 10)) < 0.3))
    short = as_csr_for_kernels(X)
    assert short is X
    long = sparse.csr_array(X)
    long.indices, long.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    got = as_csr_for_kernels(long)
    assert got.indices.dtype == np.int32
    assert np.shares_memory(got.data, long.data)
    np.testing.assert_array_equal(got.toarray(), X.toarray())
