"""Weights that a user sets are those that predict, whatever was computed before."""

import copy
import pickle

import numpy as np
import pytest
from common import ESTIMATORS, data_for, few_epochs
from plain import RegularizedMLPRegressor

pytestmark = few_epochs

KINDS = {
    "plain": {},
    "batch norm": {"batch_norm": True},
    "batch norm after": {"batch_norm": "after"},
    "skip and norm": {"batch_norm": True, "skip": True},
}


def fitted(Estimator, **params):
    model = Estimator((6, 5), max_iter=2, random_state=0, **params)
    return model.fit(*data_for(model))


def outputs(model):
    X, _ = data_for(model)
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    return model.predict(X)


def in_place(model):
    model.coefs_[0][2, 1] += 3.0


def one_bias(model):
    model.intercepts_[1][0] -= 2.0


def last_weights(model):
    model.coefs_[-1][...] *= -1.0


def assigned(model):
    model.coefs_[1] = model.coefs_[1][::-1]


def assigned_slice(model):
    model.intercepts_[:] = [b + 0.5 for b in model.intercepts_]


EDITS = [in_place, one_bias, last_weights, assigned, assigned_slice]


@pytest.mark.parametrize("edit", EDITS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_seen_after_a_prediction(Estimator, kind, edit):
    model = fitted(Estimator, **KINDS[kind])
    before = outputs(model)
    edit(model)
    after = outputs(model)
    assert np.abs(after - before).max() > 1e-4
    # which has computed nothing before
    np.testing.assert_array_equal(after, outputs(pickle.loads(pickle.dumps(model))))


def test_statistics_of_a_norm_are_seen():
    model = fitted(RegularizedMLPRegressor, batch_norm=True)
    before = outputs(model)
    model._network.statistics.values[:3] += 1.0
    assert np.abs(outputs(model) - before).max() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_another_network(kind):
    """A transfer: the one is made to predict as the other."""
    one = fitted(RegularizedMLPRegressor, **KINDS[kind])
    other = copy.deepcopy(one)
    wanted = outputs(one)
    for array in [*other.coefs_, *other.intercepts_]:
        array[...] = 0.0
    assert np.ptp(outputs(other)) == 0 or KINDS[kind].get("skip")
    for number, (W, b) in enumerate(zip(one.coefs_, one.intercepts_, strict=True)):
        other.coefs_[number] = W
        other.intercepts_[number] = b
    np.testing.assert_array_equal(outputs(other), wanted)


def test_another_shape_is_refused():
    model = fitted(RegularizedMLPRegressor)
    with pytest.raises(ValueError, match=r"have the shape \(6, 5\); got \(5, 6\)"):
        model.coefs_[1] = model.coefs_[1].T
    with pytest.raises(ValueError, match=r"have the shape \(5,\); got \(\)"):
        model.intercepts_[1] = 0.0


def test_training_goes_on_from_them():
    X, y = data_for(RegularizedMLPRegressor())
    model = fitted(RegularizedMLPRegressor, batch_norm=True)
    model.coefs_[0] = np.zeros_like(model.coefs_[0])
    model.learning_rate_init = 1e-30
    model.partial_fit(X, y)
    assert np.abs(model.coefs_[0]).max() < 1e-20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("restored", [False, True])
def test_sparse_weights(kind, restored):
    """Read-only in place, for their zeros are no places; each can be replaced."""
    model = fitted(RegularizedMLPRegressor, **KINDS[kind]).sparsify_weights()
    if restored:
        model = pickle.loads(pickle.dumps(model))
    outputs(model)
    with pytest.raises(ValueError, match="read-only"):
        model.coefs_[0].data[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        model.intercepts_[0][0] = 5.0
    before = outputs(model)
    model.coefs_[0] = model.coefs_[0] * np.float32(2)
    model.coefs_[1].data = model.coefs_[1].data * np.float32(-1)
    after = outputs(model)
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_array_equal(after, outputs(pickle.loads(pickle.dumps(model))))
    np.testing.assert_allclose(outputs(model.densify()), after, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "made",
    [lambda W: W.toarray(), lambda W: W.tocsr(), lambda W: W.T.tocsc(),
     lambda W: W.astype(np.float64)],
    ids=["dense", "csr", "shape", "dtype"],
)  # fmt: skip
def test_sparse_weights_that_are_no_such(made):
    model = fitted(RegularizedMLPRegressor).sparsify_weights()
    model.coefs_[1] = made(model.coefs_[1])
    with pytest.raises(ValueError, match=r"coefs_\[1\] must be a CSC matrix of shape"):
        outputs(model)


@pytest.mark.parametrize("kind", KINDS)
def test_folded_weights_are_read_only(kind):
    """They are computed: what was written to them would reach nothing."""
    model = fitted(RegularizedMLPRegressor, **KINDS[kind])
    for folded in [model.folded_coefs_, model.folded_intercepts_]:
        with pytest.raises(ValueError, match="read-only"):
            folded[0][...] = 0.0
        with pytest.raises(TypeError, match="assignment"):
            folded[0] = np.zeros_like(folded[0])
    model.coefs_[0][2, 1] += 3.0
    model.sparsify_weights()
    with pytest.raises(ValueError, match="read-only"):
        model.folded_coefs_[0].data[0] = 1.0


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("params", [{}, {"loss": "poisson"}], ids=["scaled", "as is"])
def test_linear_coefficients_are_read_only(params, targets):
    """Of each shape, whether the target has a scale or not; `coefs_` are not."""
    model = RegularizedMLPRegressor((), max_iter=2, random_state=0, **params)
    X, y = data_for(model)
    y = y if targets == 1 else np.column_stack([y, y])
    model.fit(X, y)
    arrays = [model.coef_] if targets == 1 else [model.coef_, model.intercept_]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    coef = model.coef_
    model.coefs_[0][...] *= 2.0
    np.testing.assert_allclose(model.coef_, 2 * coef)
    model.sparsify()
    with pytest.raises(ValueError, match="read-only"):
        model.coef_.data[0] = 1.0
