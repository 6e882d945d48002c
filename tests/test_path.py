"""Regularization paths: end points, optima, and what warm starts would give."""

import copy
import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from common import assert_refused, assert_same_fit, breast_cancer, diabetes, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Ridge, lasso_path

from skreg import regularization_path
from skreg._problem.regularizers import PENALTIES

LINEAR = {
    "hidden_layer_sizes": (),
    "solver": "lbfgs",
    "tol": 1e-11,
    "max_iter": 50_000,
    "max_fun": 100_000,
    "dtype": "float64",
    "l2": 0.0,
}
SHORT = {
    "hidden_layer_sizes": (8,),
    "max_iter": 15,
    "batch_size": 64,
    "learning_rate_init": 0.01,
    "random_state": 0,
}


def regressor(**given):
    return RegularizedMLPRegressor(**LINEAR | {"standardize_target": False} | given)


def classifier(**given):
    return RegularizedMLPClassifier(**LINEAR | given)


# ------------------------------------------------------------- without a hidden layer


def test_lasso_path():
    X, y = diabetes()
    path = regularization_path(regressor(), X, y, alphas=12)
    alphas, coefs, _ = lasso_path(
        X, y - y.mean(), alphas=path.alphas, tol=1e-13, max_iter=1_000_000
    )
    assert_array_equal(alphas, path.alphas)
    size = np.abs(coefs).max()
    assert_allclose(path.coefs[0][:, :, 0], coefs.T, atol=1e-5 * size)
    assert_array_equal(path.coefs[0][:, :, 0] == 0, coefs.T == 0)
    assert_array_equal(path.n_nonzero_weights, (coefs != 0).sum(axis=0))
    assert_array_equal(path.n_nonzero_features, path.n_nonzero_weights)


@pytest.mark.parametrize("seed", range(4))
def test_rounding_of_the_loss_is_no_failure_to_converge(seed):
    """Warnings are errors here. The loss is about 3000, and tol out of reach."""
    X, y = diabetes()
    weights = np.random.default_rng(seed).uniform(0.5, 2, len(y))
    path = regularization_path(
        regressor(tol=1e-14), X, y, alphas=30, sample_weight=weights
    )
    assert (path.n_iter[1:] < 100).all()


def test_grid_of_l1_is_the_lasso_s():
    X, y = diabetes()
    path = regularization_path(regressor(), X, y, alphas=5, eps=0.01)
    largest = np.abs(X.T @ (y - y.mean())).max() / len(y)
    assert_allclose(path.alphas, largest * np.geomspace(1, 0.01, 5), rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_elastic_net(weighted, container):
    X, y = diabetes()
    weights = np.linspace(0, 2, len(y)) if weighted else None
    path = regularization_path(
        regressor(l2=0.02), container(X), y, alphas=[0.5, 0.1], sample_weight=weights
    )
    for l1, coef, intercept in zip(
        path.alphas, path.coefs[0], path.intercepts[0], strict=True
    ):
        alpha = l1 + 0.02
        theirs = ElasticNet(alpha=alpha, l1_ratio=l1 / alpha, tol=1e-13, max_iter=10**6)
        theirs.fit(X, y, sample_weight=weights)
        size = np.abs(theirs.coef_).max()
        assert_allclose(coef[:, 0], theirs.coef_, atol=1e-6 * size)
        assert_allclose(intercept, theirs.intercept_, rtol=1e-6)


def test_ridge():
    X, y = diabetes()
    path = regularization_path(regressor(), X, y, param="l2", alphas=6)
    for l2, coef in zip(path.alphas, path.coefs[0], strict=True):
        theirs = Ridge(alpha=l2 * len(y), solver="svd").fit(X, y)
        atol = 1e-5 * np.abs(theirs.coef_).max()
        assert_allclose(coef[:, 0], theirs.coef_, atol=atol)
    free = Ridge(alpha=0, solver="svd").fit(X, y)
    assert np.linalg.norm(path.coefs[0][0]) < np.linalg.norm(free.coef_) / 11


CASES = {
    "squared_error": (regressor(), diabetes),
    "standardized": (regressor(standardize_target=True), diabetes),
    "huber": (regressor(loss="huber", standardize_target=True), diabetes),
    "poisson": (regressor(loss="poisson"), diabetes),
    "two classes": (classifier(), breast_cancer),
    "three classes": (classifier(), iris),
    "smoothed": (classifier(label_smoothing=0.2), iris),
    "smoothed, two classes": (classifier(label_smoothing=0.2), breast_cancer),
    "balanced": (classifier(class_weight="balanced"), breast_cancer),
}


@pytest.mark.parametrize("case", CASES)
def test_largest_strength_is_the_least_without_weights(case):
    """At it all weights are zero, and one per mille below one is not."""
    model, load = CASES[case]
    X, y = load()
    largest = regularization_path(model, X, y, alphas=1).alphas[0]
    path = regularization_path(model, X, y, alphas=[1.001 * largest, 0.999 * largest])
    assert path.n_nonzero_weights[0] == 0
    assert path.n_nonzero_weights[1] > 0


@pytest.mark.parametrize("l1", [0.0, 0.5])
def test_largest_strength_of_groups(l1):
    """Against the minimum over W_g of <G, W> + l1 |W| + strength sqrt(m) ||W||."""
    rng = np.random.default_rng(0)
    G = rng.normal(size=(5, 2))
    groups = SimpleNamespace(
        starts=np.array([0, 2, 3, 5]), features=np.array([1, 4, 0, 2, 3])
    )
    settings = SimpleNamespace(l1=[l1], feature_groups=groups)
    strength = PENALTIES["group_l1"].zeroing(G, settings)
    directions = rng.normal(size=(20_000, 5, 2))
    least = []
    for rows in ([1, 4], [0], [2, 3]):
        W, g = directions[:, rows], G[rows]
        # towards zero in each coordinate is where the sum can fall
        W = -np.sign(g) * np.abs(W) * (rng.random(W.shape) < 0.7)
        fall = -(g * W).sum(axis=(1, 2)) - l1 * np.abs(W).sum(axis=(1, 2))
        size = np.sqrt(2 * len(rows)) * np.sqrt((W**2).sum(axis=(1, 2)))
        least.append((fall[size > 0] / size[size > 0]).max())
    assert max(least) <= strength
    assert max(least) == pytest.approx(strength, rel=0.02)


# ------------------------------------------------------------------ as warm starts do


@pytest.mark.parametrize(
    ("Estimator", "load", "given"),
    [
        (RegularizedMLPRegressor, diabetes, {}),
        (RegularizedMLPClassifier, iris, {"dropout": 0.2, "solver": "sgd"}),
        (RegularizedMLPClassifier, iris, {"early_stopping": True}),
        (RegularizedMLPRegressor, diabetes, {"batch_norm": True}),
        (RegularizedMLPRegressor, diabetes, {"weight_averaging": "ema"}),
        (RegularizedMLPClassifier, iris, {"learning_rate": "one_cycle"}),
        (RegularizedMLPRegressor, diabetes, {"solver": "lbfgs", "dtype": "float64"}),
    ],
)
@pytest.mark.parametrize("param", ["l1", "l2"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_path_is_a_sequence_of_warm_starts(Estimator, load, given, param):
    X, y = load()
    alphas = [0.1, 0.003, 0.03]
    path = regularization_path(
        Estimator(**SHORT | given),
        X,
        y,
        param=param,
        alphas=alphas,
        max_iter_per_point=6,
    )
    warm = Estimator(**SHORT | given, warm_start=True)
    assert_array_equal(path.alphas, sorted(alphas)[::-1])
    curve, start = [], None
    # from the middle both ways, or up
    for i in [1, 2, 0] if param == "l2" else [2, 1, 0]:
        alpha = path.alphas[i]
        if param == "l2" and i == 0:
            warm, curve = start
        warm.set_params(**{param: alpha}).fit(X, y)
        warm.set_params(max_iter=6)
        point = path.estimator(i)
        curve = curve + point.loss_curve_
        assert curve == warm.loss_curve_
        assert point.max_iter == SHORT["max_iter"]
        assert point.n_iter_ == warm.n_iter_ == path.n_iter[i]
        assert point.validation_scores_ == warm.validation_scores_
        assert getattr(point, param) == alpha
        assert getattr(point, param + "_") == [alpha, alpha]
        for ours, theirs in zip(
            [*point.coefs_, *point.intercepts_],
            [*warm.coefs_, *warm.intercepts_],
            strict=True,
        ):
            assert_array_equal(ours, theirs)
        assert_array_equal(point.predict(X), warm.predict(X))
        if i == 1:
            start = copy.deepcopy(warm), curve


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_weights_of_the_linear_connection():
    X, y = iris()
    model = RegularizedMLPClassifier(**SHORT, skip=True, hierarchy=10.0)
    path = regularization_path(model, X, y, param="group_l1", alphas=[0.1, 0.01])
    assert path.skip_coefs.shape == (2, 4, 3)
    for i in range(2):
        assert_array_equal(path.skip_coefs[i], path.estimator(i).skip_coef_)
        assert_array_equal(path.coefs[0][i], path.estimator(i).coefs_[0])
    assert regularization_path(regressor(), X, y, alphas=2).skip_coefs is None


@pytest.mark.parametrize(
    ("Estimator", "load", "given"),
    [
        (RegularizedMLPRegressor, diabetes, {"weight_averaging": "ema"}),
        (RegularizedMLPClassifier, iris, {"solver": "sgd", "dropout": 0.2}),
        (RegularizedMLPClassifier, iris, {"learning_rate": "one_cycle"}),
        (RegularizedMLPRegressor, diabetes, {"solver": "lbfgs", "dtype": "float64"}),
        (RegularizedMLPRegressor, diabetes, {"loss": "quantile"}),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_nothing_goes_on_from_a_constant(Estimator, load, given):
    X, y = load()
    given = SHORT | {"max_iter": 60, "learning_rate_init": 0.03} | given
    path = regularization_path(
        Estimator(**given),
        X,
        y,
        param="l2",
        alphas=[1e5, 1e4, 1e3, 1e-2, 1e-3],
        max_iter_per_point=5,
    )
    # that in the middle is constant, so that the one below it begins, too
    for i in [2, 3]:
        alone = Estimator(**given, l2=path.alphas[i]).fit(X, y)
        assert_same_fit(path.estimator(i), alone)
        assert path.estimator(i).loss_curve_ == alone.loss_curve_
        assert path.n_iter[i] == alone.n_iter_
    assert (path.n_iter[[0, 1, 4]] <= 5).all()
    assert path.estimator(4).loss_curve_[0] < path.estimator(3).loss_curve_[0]
    assert_array_equal(path.losses[:3] > path.losses[3], True)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_with_hidden_layers_it_grows_until_nothing_is_left():
    X, y = diabetes()
    path = regularization_path(
        RegularizedMLPRegressor(**SHORT), X, y, alphas=12, max_iter_per_point=15
    )
    assert path.n_nonzero_features[0] == 0
    assert (path.n_nonzero_features[1:] > 0).all()
    assert_allclose(path.alphas[:-1] / path.alphas[1:], 1e3 ** (1 / 11))
    t = (y - y.mean()) / y.std()
    linear = np.abs(X.T @ t).max() / len(y)
    assert path.alphas[-1] == pytest.approx(1e-3 * linear, rel=1e-6)
    # nothing but the mean is predicted any more
    assert path.losses[0] == pytest.approx(0.5, rel=0.02)
    assert path.predict(X)[0].std() < 1e-9


# ---------------------------------------------------------------------- the result


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_result_says_what_its_estimators_say():
    X, y = breast_cancer()
    X = X.astype(np.float32)
    path = regularization_path(
        RegularizedMLPClassifier(**SHORT, scoring="roc_auc"),
        X,
        y,
        alphas=[0.05, 0.01],
        X_val=X[::3],
        y_val=y[::3],
    )
    assert len(path) == 2
    for i in range(2):
        model = path.estimator(i)
        for l, W in enumerate(model.coefs_):
            assert_array_equal(path.coefs[l][i], W)
            assert_array_equal(path.intercepts[l][i], model.intercepts_[l])
        p = model.predict_proba(X)[np.arange(len(y)), y]
        assert path.losses[i] == pytest.approx(-np.log(p).mean(), rel=1e-5)
        penalty = path.alphas[i] * sum(np.abs(W).sum() for W in model.coefs_)
        penalty += model.l2 / 2 * sum((W**2).sum() for W in model.coefs_)
        assert path.objectives[i] == pytest.approx(path.losses[i] + penalty, rel=1e-5)
        assert path.n_nonzero_features[i] == (model.feature_importances_ > 0).sum()
        nonzero = sum(np.count_nonzero(W) for W in model.coefs_)
        assert path.n_nonzero_weights[i] == nonzero
        from sklearn.metrics import roc_auc_score

        score = roc_auc_score(y[::3], model.predict_proba(X[::3])[:, 1])
        assert path.validation_scores[i] == score
        assert_array_equal(path.predict(X)[i], model.predict(X))
    # models share nothing with the path, and train on
    model = path.estimator(0).partial_fit(X, y)
    assert (path.coefs[0][0] != model.coefs_[0]).any()
    again = pickle.loads(pickle.dumps(path))
    assert_same_fit(again.estimator(1), path.estimator(1))
    assert_array_equal(again.predict(X), path.predict(X))


def test_no_validation_data_no_scores():
    X, y = diabetes()
    path = regularization_path(regressor(), X, y, alphas=[1.0])
    assert path.validation_scores is None


def test_estimator_is_not_changed():
    X, y = diabetes()
    model = regressor(l1=5.0)
    before = model.get_params()
    regularization_path(model, X, y, alphas=[1.0])
    assert model.get_params() == before
    assert not hasattr(model, "coefs_")


def test_names_of_features_are_kept():
    pd = pytest.importorskip("pandas")
    X, y = diabetes()
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    path = regularization_path(regressor(), frame, y, alphas=[1.0, 0.5])
    assert list(path.estimator(0).feature_names_in_) == list(frame.columns)
    assert path.predict(frame).shape == (2, len(y))


def test_data_without_variation_have_a_grid():
    X = np.ones((20, 2))
    path = regularization_path(regressor(), X, np.arange(20.0), alphas=3)
    assert (path.alphas > 0).all()
    assert (path.n_nonzero_weights == 0).all()


def test_first_point_has_most_epochs_and_warns_alone():
    X, y = diabetes()
    model = RegularizedMLPRegressor(**SHORT | {"max_iter": 30, "tol": 0.0})
    with pytest.warns(ConvergenceWarning, match="max_iter=30") as caught:
        path = regularization_path(model, X, y, alphas=[0.03, 0.02, 0.01])
    assert len(caught) == 1
    assert path.n_iter.tolist() == [3, 3, 30]
    with pytest.warns(ConvergenceWarning):
        path = regularization_path(
            model, X, y, alphas=[0.03, 0.02, 0.01], max_iter_per_point=5
        )
    assert path.n_iter.tolist() == [5, 5, 30]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_schedules_follow_the_epochs_of_the_points():
    from skreg.schedules import Linear

    X, y = diabetes()
    model = RegularizedMLPRegressor(
        **SHORT | {"max_iter": 20},
        dropout=0.2,
        dropout_schedule=Linear(),
        learning_rate="cosine",
    )
    path = regularization_path(model, X, y, alphas=[0.02, 0.01], max_iter_per_point=30)
    assert path.n_iter.tolist() == [30, 20]
    rates = path.estimator(0).learning_rates_
    assert len(rates) == 30
    assert rates[0] > 0.9 * 0.01 > 10 * rates[-1]


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_ctrl_c_ends_the_path_with_what_there_is(solver, monkeypatch):
    from skreg._training.stochastic import History

    X, y = diabetes()
    add = History.add

    def interrupted(self, *figures):
        add(self, *figures)
        if len(self.loss_curve) > 12:
            raise KeyboardInterrupt

    monkeypatch.setattr(History, "add", interrupted)
    model = RegularizedMLPRegressor(**SHORT | {"max_iter": 10, "solver": solver})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with pytest.raises(KeyboardInterrupt, match="interrupted at l1=") as caught:
            regularization_path(
                model, X, y, alphas=[1e-4, 2e-4, 3e-4, 4e-4], max_iter_per_point=10
            )
    path = caught.value.path
    assert 1 <= len(path) < 4
    assert len(path.predict(X)) == len(path.n_nonzero_features) == len(path)


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"param": "dropout"}, ["param must be one of", "dropout"]),
        ({"alphas": 0}, ["alphas", ">= 1", "0"]),
        ({"alphas": [0.1, -1.0]}, ["alphas", ">= 0", "-1"]),
        ({"alphas": [[0.1]]}, ["alphas", "(n_alphas,)", "(1, 1)"]),
        ({"alphas": [np.nan]}, ["alphas", "NaN"]),
        ({"eps": 1.0}, ["eps", "(0, 1)", "1.0"]),
        ({"max_iter_per_point": 0}, ["max_iter_per_point", ">= 1", "0"]),
        ({"X_val": np.zeros((2, 10))}, ["X_val", "y_val"]),
    ],
)
def test_bad_input(given, parts):
    X, y = diabetes()
    assert_refused(
        lambda: regularization_path(regressor(), X, y, **given), ValueError, *parts
    )


@pytest.mark.parametrize(
    ("name", "part"), [("l1", "is what the path varies"), ("l2", "from point to point")]
)
def test_strengths_that_tune_themselves_are_refused(name, part):
    X, y = diabetes()
    model = RegularizedMLPRegressor(early_stopping=True, **{name: "auto"})
    assert_refused(
        lambda: regularization_path(model, X, y), ValueError, f"{name}='auto'", part
    )


def test_other_estimators_are_refused():
    X, y = diabetes()
    assert_refused(
        lambda: regularization_path(Ridge(), X, y), TypeError, "estimator", "Ridge()"
    )


def test_parameters_are_checked():
    X, y = diabetes()
    assert_refused(
        lambda: regularization_path(regressor(tol=-1.0), X, y), ValueError, "tol"
    )
