"""The scale on which a network reads X, where X itself stays as it is."""

import copy
import pickle

import numpy as np
import pytest
import reference
from common import few_epochs
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.model_selection import cross_val_score

import skreg
from skreg._input_scaling import InputScaling
from skreg.adversarial import AdversarialTraining, adversarial_examples
from skreg.augmentation import Mixup

pytestmark = few_epochs

BOTH = [RegularizedMLPClassifier, RegularizedMLPRegressor]
QUICK = {
    "hidden_layer_sizes": (32,),
    "learning_rate_init": 0.01,
    "batch_size": 32,
    "max_iter": 20,
    "random_state": 0,
}


def data_for(model):
    load = load_diabetes if isinstance(model, RegularizedMLPRegressor) else load_wine
    return load(return_X_y=True)


def columns(rng, n=400):
    """Columns of many kinds, and what is to become of them."""
    heavy = np.exp(3 * rng.normal(size=n))
    rare = np.where(rng.random(n) < 0.1, rng.normal(size=n), 0.0)
    return np.c_[
        270 + 4 * rng.normal(size=n),
        1e6 * rng.normal(size=n),
        1e-6 * rng.normal(size=n),
        heavy,
        rare,
        rng.integers(0, 2, n),
        2020 + rng.integers(0, 2, n),
        np.full(n, 2020),
    ]


def test_the_formula():
    X = columns(np.random.default_rng(0))
    scaling = InputScaling.of(X)
    first, median, third = np.quantile(X, [0.25, 0.5, 0.75], axis=0)
    assert_allclose(scaling.centre[:4], median[:4])
    assert_allclose(scaling.factor[:4], 1 / (third - first)[:4])
    # half or more of the numbers are the same
    assert scaling.centre[4] == 0
    assert scaling.factor[4] == pytest.approx(2 / np.ptp(X[:, 4]))
    # zeros and ones stay what they are; other pairs become that; constants nothing
    assert_array_equal(scaling.centre[5:], [0, 2020, 2020])
    assert_array_equal(scaling.factor[5:], [1, 1, 0])
    read = scaling.transform(X)
    z = (X - scaling.centre) * scaling.factor
    assert_allclose(read, z / np.sqrt(1 + (z / 3) ** 2))
    assert_allclose(read, reference.scaled_inputs(X, scaling.centre, scaling.factor))
    assert np.abs(read).max() <= 3


def test_rows_without_weight_do_not_count():
    X = columns(np.random.default_rng(0))
    beyond = np.r_[X, 1e9 + np.zeros((50, X.shape[1]))]
    rows = np.arange(len(X))
    for name in ("centre", "factor"):
        assert_array_equal(
            getattr(InputScaling.of(beyond, rows), name),
            getattr(InputScaling.of(X), name),
        )


@pytest.mark.parametrize("Estimator", BOTH)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_what_a_scaled_array_gives(Estimator, dtype):
    model = Estimator(**QUICK, dtype=dtype)
    X, y = data_for(model)
    X = X.astype(dtype)
    before = X.copy()
    given = clone(model).set_params(preprocessing="robust").fit(X, y)
    assert_array_equal(X, before)
    scaling = given._network.scaling
    read = scaling.transform(X.astype(np.float64)).astype(dtype)
    scaled = model.fit(read, y)
    tolerance = 1e-8 if dtype == "float64" else 1e-2
    assert_allclose(given.predict(X), scaled.predict(read), rtol=tolerance)
    for W, V in zip(given.coefs_, scaled.coefs_, strict=True):
        assert_allclose(W, V, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("Estimator", BOTH)
def test_units_of_the_features_do_not_count(Estimator):
    model = Estimator(**QUICK, preprocessing="robust", dtype="float64")
    X, y = data_for(model)
    units = 10.0 ** np.random.default_rng(0).uniform(-6, 6, X.shape[1])
    other = 1000 * units + units * X
    a, b = clone(model).fit(X, y), clone(model).fit(other, y)
    assert_allclose(a.predict(X), b.predict(other), rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_raw_tables_by_the_defaults(seed):
    """None of these was learnt before without a scaler in front."""
    rng = np.random.default_rng(seed)
    X = 270 + 4 * rng.normal(size=(60, 3))
    y = 0.3 * (X[:, 0] - 270) + 0.1 * rng.normal(size=60)
    model = skreg.RegularizedMLPRegressor(random_state=seed)
    assert model.fit(X, y).score(X, y) > 0.95
    X, y = load_wine(return_X_y=True)
    model = skreg.RegularizedMLPClassifier(random_state=seed)
    assert cross_val_score(model, X, y, cv=3).mean() > 0.95
    X, y = load_diabetes(return_X_y=True, scaled=False)
    model = skreg.RegularizedMLPRegressor(random_state=seed)
    assert cross_val_score(model, X, y, cv=3).mean() > 0.4


def test_one_far_off_value_is_like_any_other():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = X[:, 0]
    X[0, 1] = 1e30
    model = skreg.RegularizedMLPRegressor((32,), random_state=0).fit(X, y)
    assert model.score(X[1:], y[1:]) > 0.95
    assert np.isfinite(model.predict(np.full((1, 4), 3e38, np.float32))).all()
    assert np.isfinite(model.predict(np.full((1, 4), -3e38, np.float32))).all()


@pytest.mark.parametrize("Estimator", BOTH)
def test_gradients_are_by_the_features_as_they_are_given(Estimator):
    model = Estimator(**QUICK, preprocessing="robust", dtype="float64")
    model.set_params(activation="tanh")
    X, y = data_for(model)
    model.fit(X, y)
    rows = X[:5]
    if Estimator is RegularizedMLPRegressor:
        # on the scale of the loss that is trained
        spread = model._target_scale.scale[0]

        def losses(Z):
            return ((model.predict(Z) - y[:5]) / spread) ** 2 / 2

    else:

        def losses(Z):
            return -np.log(model.predict_proba(Z)[np.arange(5), y[:5]])

    expected = np.empty_like(rows)
    for j in range(X.shape[1]):
        step = np.zeros(X.shape[1])
        step[j] = 1e-6 * X[:, j].std()
        difference = losses(rows + step) - losses(rows - step)
        expected[:, j] = difference / (2 * step[j])
    got = model.input_gradient(rows, y[:5])
    assert_allclose(got, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    moved = adversarial_examples(model, rows, y[:5], epsilon=0.1)
    assert np.abs(moved - rows).max() == pytest.approx(0.1)


@pytest.mark.parametrize("n_members", [1, 2])
def test_all_forms_of_a_fitted_network_read_alike(n_members):
    X, y = load_breast_cancer(return_X_y=True)
    model = skreg.RegularizedMLPClassifier(
        (16,), n_members=n_members, max_iter=5, random_state=0
    )
    model.fit(X, y)
    expected = model.predict_proba(X)
    for other in [
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        model.prune(),
        copy.deepcopy(model).sparsify_weights(),
        copy.deepcopy(model).sparsify_weights().densify(),
    ]:
        assert_allclose(other.predict_proba(X), expected, atol=1e-5)
    # predictions are of the same rows, however they are stored
    assert_array_equal(model.predict_proba(sparse.csr_array(X)), expected)
    assert_array_equal(model.predict_proba(np.asfortranarray(X)), expected)
    assert_array_equal(
        np.r_[*(model.predict_proba(x[None]) for x in X[:5])], expected[:5]
    )
    adapted = model.fine_tune(X, y, max_iter=2)
    assert adapted.score(X, y) > 0.9
    smaller = model.fine_tune(X, y, method="lora", max_iter=2)
    again = smaller.adaptation_.attach(model) if n_members == 1 else smaller
    assert_array_equal(again.predict_proba(X), smaller.predict_proba(X))


def test_a_pruned_network_scales_the_features_that_it_reads():
    rng = np.random.default_rng(0)
    X = 50 + 10 * rng.normal(size=(300, 6))
    y = X[:, 1] + X[:, 4]
    model = RegularizedMLPRegressor(
        **QUICK, preprocessing="robust", group_l1=0.05
    ).set_params(max_iter=60)
    pruned = model.fit(X, y).prune()
    assert len(pruned.coefs_[0]) < 6
    assert_allclose(pruned.predict(X), model.predict(X), rtol=1e-4)


def test_partial_fit_does_not_go_by_its_first_rows():
    X, y = load_wine(return_X_y=True)
    model = skreg.RegularizedMLPClassifier((16,), random_state=0)
    model.partial_fit(X[:1], y[:1], classes=[0, 1, 2])
    assert model.automatic_params_["preprocessing"] is None
    fitted = skreg.RegularizedMLPClassifier((16,), random_state=0, max_iter=5)
    scaling = fitted.fit(X, y)._network.scaling
    fitted.partial_fit(X[:9], y[:9])
    assert fitted.automatic_params_["preprocessing"] == "robust"
    assert_array_equal(fitted._network.scaling.centre, scaling.centre)
    # that is what the network is
    with pytest.raises(ValueError, match="another preprocessing: 'robust' before"):
        fitted.set_params(preprocessing=None).partial_fit(X, y)


def test_warm_start_keeps_the_scale():
    X, y = load_wine(return_X_y=True)
    model = skreg.RegularizedMLPClassifier(
        (16,), random_state=0, max_iter=5, warm_start=True
    )
    centre = model.fit(X, y)._network.scaling.centre
    model.fit(X + 1, y)
    assert_array_equal(model._network.scaling.centre, centre)


def test_a_user_s_scorer_and_function_get_rows_as_they_are():
    X, y = load_wine(return_X_y=True)
    seen = []

    def scorer(estimator, rows, labels):
        seen.append(rows)
        return estimator.score(rows, labels)

    model = RegularizedMLPClassifier(
        **QUICK, preprocessing="robust", early_stopping=True, scoring=scorer
    )
    model.fit(X, y)
    assert model.best_validation_score_ > 0.9
    assert seen[0].max() > 500

    def jitter(rows, rng):
        seen.append(rows)
        return rows

    model.set_params(augmentation=jitter, scoring="loss").fit(X, y)
    assert seen[-1].max() > 500


def test_lists_of_strengths_are_on_the_network_s_scale():
    """The strength that zeroes all weights, of raw features."""
    rng = np.random.default_rng(0)
    X = 1000 + 100 * rng.normal(size=(200, 4))
    y = X[:, 0]
    model = RegularizedMLPRegressor((), preprocessing="robust", random_state=0)
    path = skreg.regularization_path(
        model.set_params(max_iter=50), X, y, alphas=5, eps=0.1
    )
    # the first, to rounding, but not the last
    largest = [np.abs(W).max() for W in path.coefs[0]]
    assert largest[0] < 1e-6
    assert largest[-1] > 0.1


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"solver": "lbfgs"}, "solver='lbfgs' exclude each other"),
        ({"adversarial": AdversarialTraining()}, "exclude each other"),
        ({"augmentation": Mixup()}, "exclude each other"),
        ({"preprocessing": "standard"}, "preprocessing"),
    ],
)
def test_what_is_about_X_as_given_is_refused(params, words):
    X, y = load_wine(return_X_y=True)
    model = RegularizedMLPClassifier(**QUICK | {"preprocessing": "robust"} | params)
    with pytest.raises(ValueError, match=words):
        model.fit(X, y)


def test_sparse_rows_are_refused():
    X, y = load_wine(return_X_y=True)
    model = RegularizedMLPClassifier(**QUICK, preprocessing="robust")
    with pytest.raises(ValueError, match="preprocessing='robust' does not support"):
        model.fit(sparse.csr_array(X), y)
    model.fit(X, y)
    with pytest.raises(ValueError, match="toarray"):
        model.partial_fit(sparse.csr_array(X), y)
