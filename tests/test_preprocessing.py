"""The scale on which a network reads X, where X itself stays as it is."""

import copy
import pickle

import numpy as np
import pytest
import reference
from common import SMALL, few_epochs
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import cross_val_score

import skreg
from skreg._problem.input_scaling import InputScaling
from skreg.adversarial import AdversarialTraining, adversarial_examples
from skreg.augmentation import Mixup

pytestmark = few_epochs

BOTH = [RegularizedMLPClassifier, RegularizedMLPRegressor]


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
    assert_allclose(read, 3 * np.arcsinh(z / 3))
    assert_allclose(read, reference.scaled_inputs(X, scaling.centre, scaling.factor))
    assert np.abs(read).max() < 30


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
    model = Estimator(**SMALL, dtype=dtype)
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
    model = Estimator(**SMALL, preprocessing="robust", dtype="float64")
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


def test_tails_are_short_and_not_cut():
    """What is far out still says how far."""
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=(1000, 2)), rng.lognormal(0, 2, size=1000)]
    y = X[:, 2]
    model = skreg.RegularizedMLPRegressor(random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95
    X = rng.normal(size=(300, 4))
    X[:20, 0] *= 100
    model = skreg.RegularizedMLPRegressor(random_state=0).fit(X, 3 * X[:, 0])
    assert model.score(X, 3 * X[:, 0]) > 0.9


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
    model = Estimator(**SMALL, preprocessing="robust", dtype="float64")
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
        **SMALL, preprocessing="robust", group_l1=0.05
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
        **SMALL, preprocessing="robust", early_stopping=True, scoring=scorer
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
        ({"adversarial": AdversarialTraining()}, "exclude each other"),
        ({"augmentation": Mixup()}, "exclude each other"),
        ({"preprocessing": "standard"}, "preprocessing"),
    ],
)
def test_what_is_about_X_as_given_is_refused(params, words):
    X, y = load_wine(return_X_y=True)
    model = RegularizedMLPClassifier(**SMALL | {"preprocessing": "robust"} | params)
    with pytest.raises(ValueError, match=words):
        model.fit(X, y)


@pytest.mark.parametrize("preprocessing", ["auto", "robust"])
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.coo_matrix])
def test_few_sparse_columns_are_read_as_dense_ones(container, preprocessing):
    X, y = load_wine(return_X_y=True)
    model = RegularizedMLPClassifier(
        **SMALL, preprocessing=preprocessing, early_stopping=True
    )
    expected = clone(model).fit(X, y, X_val=X[::5], y_val=y[::5])
    model.fit(container(X), y, X_val=container(X[::5]), y_val=y[::5])
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(model.predict_proba(container(X)), model.predict_proba(X))
    for other in (expected, model):
        other.set_params(early_stopping=False)
    expected.partial_fit(X, y)
    model.partial_fit(container(X), y)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_sparse_rows_that_leave_no_memory_for_dense_ones_are_refused():
    X = sparse.csr_array((2**20, 1000))
    model = RegularizedMLPClassifier(**SMALL, preprocessing="robust")
    with pytest.raises(ValueError, match=r"134217728 numbers; got X of shape"):
        model.fit(X, np.arange(2**20) % 2)


def test_an_adaptation_belongs_to_the_scale_of_its_base():
    """In other units X has the same weights, and another scale."""
    X, y = load_wine(return_X_y=True)
    base = RegularizedMLPClassifier(**SMALL, preprocessing="robust").fit(X, y)
    other = RegularizedMLPClassifier(**SMALL, preprocessing="robust").fit(2 * X, y)
    assert_array_equal(base.coefs_[0], other.coefs_[0])
    adaptation = base.fine_tune(X, y, max_iter=2).adaptation_
    with pytest.raises(ValueError, match="belongs to another"):
        adaptation.attach(other)


@pytest.mark.parametrize(
    "params",
    [
        *({"l1": 0.01}, {"group_l1": 0.01}, {"l2": "auto"}, {"solver": "sgd"}),
        {"solver": "lbfgs", "early_stopping": False, "max_iter": 3},
    ],
)
@pytest.mark.parametrize("n_members", [1, 2])
def test_what_is_open_is_open_again_in_fine_tuning(n_members, params):
    X, y = load_wine(return_X_y=True)
    base = skreg.RegularizedMLPClassifier(
        (16,), n_members=n_members, random_state=0, max_iter=10
    ).fit(X, y)
    given = {"method": "full"} if "l2" in params else {}
    adapted = base.fine_tune(X[:120], y[:120], **given, **params)
    assert adapted.score(X, y) > 0.5
    used = adapted.automatic_params_
    assert used["preprocessing"] == "robust"
    assert used["feature_scaling"] == 0
    if "l1" in params:
        assert used["label_smoothing"] == used["weight_decay"] == 0
    # by the rows that it is trained on
    assert used["batch_size"] == (16 if params.get("solver", "adam") == "adam" else 200)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_at_the_end_of_the_range(dtype):
    rng = np.random.default_rng(0)
    largest = np.finfo(dtype).max
    X = rng.normal(size=(200, 3)).astype(dtype)
    y = X[:, 0].copy()
    X[:, 1] = 0.9 * largest  # says nothing
    X[0, 2], X[1, 2] = largest, -largest
    model = RegularizedMLPRegressor(**SMALL, preprocessing="robust", dtype=dtype)
    model.fit(X, y)
    assert model.score(X, y) > 0.8
    sparse_weights = copy.deepcopy(model).sparsify_weights()
    other = X.copy()
    other[:, 1] = -0.9 * largest
    assert_array_equal(model.predict(other), model.predict(X))
    assert_allclose(sparse_weights.predict(other), model.predict(X), atol=1e-5)


def test_all_read_the_same_centre():
    """A median between two numbers of the dtype is rounded once."""
    X = np.repeat(2.0**24 + 2 * np.arange(4.0), 50)[:, None].astype(np.float32)
    y = np.arange(200.0)
    model = RegularizedMLPRegressor(**SMALL, preprocessing="robust").fit(X, y)
    sparse_weights = copy.deepcopy(model).sparsify_weights()
    assert_allclose(sparse_weights.predict(X), model.predict(X), rtol=1e-5)


def test_lbfgs_reads_the_scale_too():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    model = RegularizedMLPRegressor(
        (), solver="lbfgs", l2=1e-2, dtype="float64", tol=1e-8, random_state=0
    )
    given = clone(model).set_params(preprocessing="robust").fit(X, y)
    read = given._network.scaling.transform(X)
    scaled = model.fit(read, y)
    assert given.loss_ == pytest.approx(scaled.loss_, rel=1e-9)
    assert_allclose(given.predict(X), scaled.predict(read), rtol=1e-6)


def test_large_sparse_validation_data_are_named():
    X, y = load_wine(return_X_y=True)
    model = RegularizedMLPClassifier(
        **SMALL, preprocessing="robust", early_stopping=True
    )
    X_val = sparse.csr_array((2**24, X.shape[1]))
    with pytest.raises(ValueError, match="X_val before"):
        model.fit(X, y, X_val=X_val, y_val=np.zeros(2**24, int))


def test_a_first_call_of_partial_fit_must_say_how_features_vary():
    X, y = load_wine(return_X_y=True)
    model = RegularizedMLPClassifier(**SMALL, preprocessing="robust")
    with pytest.raises(ValueError, match="feature 0 and 12 more is constant"):
        model.partial_fit(X[:1], y[:1], classes=[0, 1, 2])
    assert not hasattr(model, "coefs_")
    model.partial_fit(X, y, classes=[0, 1, 2])
    assert np.all(model._network.scaling.factor > 0)


def test_steps_of_adversarial_examples_have_their_length_in_any_unit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2)) * [1e-21, 1]
    y = X[:, 1] + X[:, 0] * 1e21
    model = RegularizedMLPRegressor(**SMALL, preprocessing="robust").fit(X, y)
    moved = adversarial_examples(model, X, y, norm="l2", epsilon=0.1)
    assert_allclose(np.linalg.norm(moved - X, axis=1), 0.1, rtol=1e-5)


def test_features_beyond_all_scales_are_named():
    X, y = load_wine(return_X_y=True)
    X = X / X.max(axis=0)
    X[:, 2] *= 1e-43
    model = RegularizedMLPClassifier(**SMALL, preprocessing="robust")
    with pytest.warns(DataConversionWarning, match="Feature 2 lies between"):
        model.fit(X, y)
