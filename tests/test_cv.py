"""Cross-validated paths: the choices of scikit-learn's linear models, and the rest."""

import inspect
import pickle
from itertools import pairwise

import numpy as np
import pytest
import sklearn
from common import assert_refused, breast_cancer, diabetes, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_linnerud
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LassoCV, LogisticRegression, MultiTaskLassoCV, Ridge
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.preprocessing import scale

from skreg import (
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
    regularization_path,
)
from skreg._estimators.cv import chosen

LINEAR = {
    "hidden_layer_sizes": (),
    "solver": "lbfgs",
    "tol": 1e-8,
    "max_iter": 50_000,
    "max_fun": 100_000,
    "dtype": "float64",
    "l2": 0.0,
}
SHORT = {
    "hidden_layer_sizes": (6,),
    "max_iter": 15,
    "batch_size": 64,
    "learning_rate_init": 0.01,
    "random_state": 0,
}
unconverged = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


def regressor(**given):
    given = {"standardize_target": False} | given
    return RegularizedMLPRegressorCV(**LINEAR | given)


def classifier(**given):
    return RegularizedMLPClassifierCV(**LINEAR | given)


# ------------------------------------------------------- the choices of linear models


@pytest.mark.parametrize("cv", [None, KFold(4, shuffle=True, random_state=1)])
@pytest.mark.parametrize("weighted", [False, True])
# older SciPy's line search ends before 1e-8
@pytest.mark.filterwarnings("ignore:lbfgs has not converged")
def test_lasso_cv(cv, weighted):
    X, y = diabetes()
    weights = np.linspace(0.5, 2, len(y)) if weighted else None
    ours = regressor(alphas=12, cv=cv).fit(X, y, sample_weight=weights)
    theirs = LassoCV(alphas=ours.alphas_, cv=cv, tol=1e-12, max_iter=1_000_000)
    theirs.fit(X, y, sample_weight=weights)
    assert ours.alpha_ == theirs.alpha_
    assert_array_equal(ours.alphas_, theirs.alphas_)
    assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert_allclose(-2 * ours.scores_, ours.mse_path_, rtol=1e-9)
    assert_allclose(ours.coefs_[0][:, 0], theirs.coef_, atol=1e-4)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)


def test_lasso_cv_derives_the_same_grid():
    X, y = diabetes()
    ours = regressor(alphas=10).fit(X, y)
    theirs = LassoCV(eps=1e-3, tol=1e-12, max_iter=1_000_000)
    # since 1.7 the number is `alphas`, and `n_alphas` is on its way out
    theirs.set_params(alphas=10).fit(X, y)
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)


@unconverged
def test_multi_task_lasso_cv():
    """group_l1 counts the square root of a group's size, here of the targets."""
    X, Y = map(scale, load_linnerud(return_X_y=True))
    strengths = np.array([0.5, 0.2, 0.08, 0.03])
    cv = KFold(4)
    ours = regressor(
        param="group_l1",
        solver="adam",
        batch_size=20,
        learning_rate="cosine",
        learning_rate_init=0.02,
        max_iter=1000,
        tol=1e-12,
        n_iter_no_change=1000,
        alphas=strengths / np.sqrt(3),
        cv=cv,
    )
    ours.fit(X, Y)
    theirs = MultiTaskLassoCV(alphas=strengths, cv=cv, tol=1e-12).fit(X, Y)
    assert ours.alpha_ == pytest.approx(theirs.alpha_ / np.sqrt(3))
    assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-5)
    assert_allclose(ours.coefs_[0], theirs.coef_.T, atol=1e-6)
    assert_array_equal(ours.selected_features_, theirs.coef_.any(axis=0))


@unconverged
def test_features_of_a_network_are_chosen():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 8))
    y = X[:, 0] + np.abs(X[:, 1]) + 0.2 * rng.normal(size=400)
    ours = RegularizedMLPRegressorCV(
        (20,),
        param="group_l1",
        selection="one_standard_error",
        alphas=10,
        cv=3,
        l2=[0.0, 0.01],
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size=32,
        max_iter=60,
        random_state=0,
    ).fit(X, y)
    assert ours.selected_features_[:2].all()
    assert ours.path_.n_nonzero_features[0] == 0
    assert ours.path_.n_nonzero_features[ours.best_index_] == (
        ours.selected_features_.sum()
    )
    assert ours.score(X, y) > 0.8


def test_a_search_over_ridge():
    """The strength of Ridge is against the sum over the rows, which folds have less."""
    X, y = diabetes()
    alphas = np.geomspace(1e-4, 10, 13)
    cv = KFold(5)
    ours = regressor(param="l2", alphas=alphas, cv=cv).fit(X, y)
    mse = np.empty_like(ours.mse_path_)
    for k, (train, test) in enumerate(cv.split(X)):
        for i, l2 in enumerate(ours.alphas_):
            ridge = Ridge(l2 * len(train)).fit(X[train], y[train])
            mse[i, k] = np.mean((ridge.predict(X[test]) - y[test]) ** 2)
    assert_allclose(ours.mse_path_, mse, rtol=1e-6)
    assert ours.alpha_ == ours.alphas_[mse.mean(axis=1).argmin()]
    assert 0 < ours.best_index_ < 12
    best = Ridge(ours.alpha_ * len(y)).fit(X, y)
    assert_allclose(ours.predict(X), best.predict(X), rtol=1e-5)


@pytest.mark.parametrize("load", [breast_cancer, iris])
@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_a_search_over_logistic_regression(load, scoring):
    X, y = load()
    X = scale(X)
    cv = StratifiedKFold(4)
    ours = classifier(param="l2", alphas=np.geomspace(1e-4, 1, 7), cv=cv)
    ours.set_params(scoring=scoring).fit(X, y)
    scores = np.empty_like(ours.scores_)
    for k, (train, test) in enumerate(cv.split(X, y)):
        for i, l2 in enumerate(ours.alphas_):
            model = LogisticRegression(
                C=1 / (l2 * len(train)), solver="newton-cg", tol=1e-10
            )
            model.fit(X[train], y[train])
            if scoring == "loss":
                scores[i, k] = -log_loss(y[test], model.predict_proba(X[test]))
            else:
                scores[i, k] = model.score(X[test], y[test])
    assert_allclose(ours.scores_, scores, rtol=1e-4)
    assert ours.best_index_ == scores.mean(axis=1).argmax()
    assert ours.alpha_ == ours.alphas_[ours.best_index_]
    assert ours.best_score_ == pytest.approx(scores.mean(axis=1).max())


# ---------------------------------------------------------------- what a search gives


@unconverged
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_scores_are_those_of_paths_on_the_folds(weighted, container):
    """Rows of a fold as weights are the rows themselves; one output, standardized."""
    X, y = diabetes()
    X = container(X)
    weights = np.linspace(0.5, 2, len(y)) if weighted else None
    cv = KFold(3)
    given = SHORT | {"dtype": "float64"}
    ours = RegularizedMLPRegressorCV(
        **given, alphas=[0.1, 0.01], cv=cv, scoring="r2"
    ).fit(X, y, sample_weight=weights)
    for k, (train, test) in enumerate(cv.split(X)):
        path = regularization_path(
            RegularizedMLPRegressor(**given),
            X[train],
            y[train],
            alphas=[0.1, 0.01],
            sample_weight=None if weights is None else weights[train],
        )
        for i in range(2):
            model = path.estimator(i)
            tested = None if weights is None else weights[test]
            score = model.score(X[test], y[test], sample_weight=tested)
            assert ours.scores_[i, k] == pytest.approx(score, rel=1e-9)
            mse = np.average((model.predict(X[test]) - y[test]) ** 2, weights=tested)
            assert ours.mse_path_[i, k] == pytest.approx(mse, rel=1e-9)


@unconverged
def test_choice_is_the_point_of_the_path_on_all_rows():
    X, y = iris()
    ours = RegularizedMLPClassifierCV(**SHORT, alphas=[0.2, 0.02, 0.002], cv=3)
    ours.fit(X, y)
    path = regularization_path(
        RegularizedMLPClassifier(**SHORT), X, y, alphas=ours.alphas_
    )
    same = path.estimator(ours.best_index_)
    assert_array_equal(ours.predict_proba(X), same.predict_proba(X))
    assert ours.loss_curve_ == same.loss_curve_
    assert ours.n_iter_ == same.n_iter_ == ours.path_.n_iter[ours.best_index_]
    assert ours.l1_ == [ours.alpha_] * 2
    assert ours.l1 == 0.0
    assert_array_equal(ours.path_.coefs[0], path.coefs[0])


@unconverged
def test_results_have_the_keys_of_a_grid_search():
    X, y = iris()
    ours = RegularizedMLPClassifierCV(**SHORT, alphas=[0.2, 0.02], cv=3).fit(X, y)
    search = GridSearchCV(
        RegularizedMLPClassifier(**SHORT), {"l1": [0.2, 0.02]}, cv=3
    ).fit(X, y)
    assert ours.cv_results_.keys() == search.cv_results_.keys()
    for name, theirs in search.cv_results_.items():
        assert np.shape(ours.cv_results_[name]) == np.shape(theirs), name
    assert ours.cv_results_["params"] == search.cv_results_["params"]
    assert_allclose(
        ours.cv_results_["mean_test_score"], ours.scores_.mean(axis=1), rtol=1e-12
    )
    assert ours.cv_results_["rank_test_score"][ours.best_index_] == 1
    assert (ours.cv_results_["mean_fit_time"] > 0).all()


@unconverged
def test_grid_with_hidden_layers_ends_where_nothing_is_left():
    X, y = diabetes()
    ours = RegularizedMLPRegressorCV(
        **SHORT, alphas=6, cv=2, max_iter_per_point=15
    ).fit(X, y)
    assert_array_equal(ours.alphas_, ours.path_.alphas)
    assert ours.path_.n_nonzero_features[0] == 0
    assert ours.scores_.shape == (len(ours.alphas_), 2)


def test_several_outputs_are_weighted_as_on_all_rows():
    """Folds see targets on scales of their own; losses are on the common one."""
    X, y = diabetes()
    Y = np.stack([y, 1e3 * X[:, 0] - 5 * y], axis=1)
    cv = KFold(3)
    ours = regressor(alphas=[0.05], cv=cv, standardize_target=True).fit(X, Y)
    for k, (train, test) in enumerate(cv.split(X)):
        model = RegularizedMLPRegressor(**LINEAR, l1=0.05).fit(X[train], Y[train])
        errors = model.predict(X[test]) - Y[test]
        assert ours.mse_path_[0, k] == pytest.approx((errors**2).mean(), rel=1e-6)
        loss = ((errors / Y.std(axis=0)) ** 2).sum(axis=1).mean() / 2
        assert ours.scores_[0, k] == pytest.approx(-loss, rel=1e-6)


@pytest.mark.parametrize("loss", ["huber", "poisson", "absolute_error"])
def test_losses_without_squares(loss):
    X, y = diabetes()
    ours = regressor(loss=loss, alphas=[0.01], cv=2, tol=1e-6, standardize_target=True)
    ours.fit(X, y)
    assert not hasattr(ours, "mse_path_")
    train, test = next(KFold(2).split(X))
    given = LINEAR | {"loss": loss, "l1": 0.01, "tol": 1e-6}
    model = RegularizedMLPRegressor(**given).fit(X[train], y[train])
    f = model.predict(X[test])
    if loss == "poisson":
        expected = (f - y[test] * np.log(f)).mean()
    else:
        r = np.abs(f - y[test]) / y.std()
        expected = r.mean()
        if loss == "huber":
            expected = np.where(r < 1.35, r**2 / 2, 1.35 * (r - 1.35 / 2)).mean()
    assert ours.scores_[0, 0] == pytest.approx(-expected, rel=1e-4)


def test_multilabel_targets():
    X, y = iris()
    Y = np.stack([y == 0, y > 1], axis=1).astype(int)
    ours = classifier(alphas=[0.1, 0.01], cv=KFold(3, shuffle=True, random_state=0))
    ours.fit(X, Y)
    assert ours.predict(X).shape == Y.shape
    assert ours.alpha_ == 0.01


def test_a_class_that_a_fold_lacks_keeps_its_place():
    X, y = iris()
    ours = classifier(alphas=[0.1, 0.05], cv=KFold(3)).fit(X, y)  # sorted by class
    assert ours.classes_.tolist() == [0, 1, 2]
    # hardly any probability is left for it
    assert (ours.scores_ < -5).all()


def test_one_standard_error_rule():
    scores = np.array([[0.0, 0.1, 0.2], [1.0, 0.5, 0.6], [0.9, 0.8, 0.7], [0, 0, 0]])
    assert chosen(scores, "best") == 2
    # 0.8 - 0.1 / sqrt(3) > 0.7
    assert chosen(scores, "one_standard_error") == 2
    scores[1] += 0.05
    assert chosen(scores, "one_standard_error") == 1
    # ties go to the strongest, and one fold has no error
    assert chosen(np.array([[0.5], [0.5], [0.1]]), "one_standard_error") == 0


def test_one_standard_error_chooses_a_stronger_penalty():
    X, y = diabetes()
    best = regressor(alphas=12).fit(X, y)
    ours = regressor(alphas=12, selection="one_standard_error").fit(X, y)
    means = best.scores_.mean(axis=1)
    error = best.scores_[best.best_index_].std(ddof=1) / np.sqrt(5)
    within = means >= means.max() - error
    assert ours.best_index_ == np.flatnonzero(within)[0] < best.best_index_
    assert (ours.coefs_[0] == 0).sum() >= (best.coefs_[0] == 0).sum()


@unconverged
@pytest.mark.parametrize("seed", [0, np.random.RandomState(0)])
def test_same_bits_for_any_number_of_jobs(seed):
    X, y = iris()
    fits = [
        clone(
            RegularizedMLPClassifierCV(
                **SHORT | {"random_state": seed, "dropout": 0.1},
                alphas=[0.1, 0.01],
                n_jobs=n_jobs,
            )
        ).fit(X, y)
        for n_jobs in (1, 2, 3)
    ]
    for one, other in pairwise(fits):
        assert_array_equal(one.scores_, other.scores_)
        assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@unconverged
def test_early_stopping_within_the_folds():
    X, y = diabetes()
    ours = RegularizedMLPRegressorCV(
        **SHORT, early_stopping=True, alphas=[0.1, 0.01], cv=2
    ).fit(X, y)
    assert len(ours.validation_scores_) == ours.n_iter_
    assert ours.path_.validation_scores.shape == (2,)


def test_scores_of_a_callable():
    X, y = breast_cancer()

    def share_right(y, predicted):
        return float(np.mean(y == predicted))

    given = {"param": "l2", "alphas": [1e-2, 1e-4], "cv": 3}
    ours = classifier(**given, scoring=make_scorer(share_right)).fit(X, y)
    same = classifier(**given, scoring="accuracy").fit(X, y)
    assert_array_equal(ours.scores_, same.scores_)


# ----------------------------------------------------------------- as an estimator


@pytest.mark.parametrize(
    ("Chooser", "Estimator"),
    [
        (RegularizedMLPRegressorCV, RegularizedMLPRegressor),
        (RegularizedMLPClassifierCV, RegularizedMLPClassifier),
    ],
)
def test_signature_is_the_network_s_and_that_of_the_choice(Chooser, Estimator):
    ours = inspect.signature(Chooser).parameters
    theirs = inspect.signature(Estimator.__base__).parameters
    own = {"param", "alphas", "eps", "cv", "selection", "n_jobs"}
    own.add("max_iter_per_point")
    assert set(ours) == set(theirs) - {"warm_start", "n_members"} | own
    for name in set(ours) - own:
        assert ours[name].default == theirs[name].default
        assert ours[name].kind == theirs[name].kind
    assert list(Chooser().get_params()) == sorted(ours)
    for name in ("warm_start", "n_members", "nonsense"):
        assert_refused(lambda name=name: Chooser(**{name: 1}), TypeError, name)


@unconverged
def test_clone_pickle_and_nested_cross_validation():
    X, y = iris()
    model = RegularizedMLPClassifierCV(**SHORT, alphas=2, cv=2)
    fitted = clone(model).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert_array_equal(again.path_.coefs[0], fitted.path_.coefs[0])
    assert cross_val_score(model, X, y, cv=2).shape == (2,)


def test_names_of_features_are_kept():
    pd = pytest.importorskip("pandas")
    X, y = diabetes()
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    ours = regressor(alphas=[1.0, 0.5], scoring="r2").fit(frame, y)
    assert list(ours.feature_names_in_) == list(frame.columns)
    assert_array_equal(
        ours.predict(frame), ours.path_.estimator(ours.best_index_).predict(frame)
    )


def test_a_second_fit_forgets_the_first():
    X, y = diabetes()
    ours = regressor(alphas=[1.0, 0.5]).fit(X, y)
    ours.set_params(loss="huber", huber_delta=100.0, tol=1e-6).fit(X[:, :3], y)
    assert not hasattr(ours, "mse_path_")
    assert ours.n_features_in_ == 3
    assert ours.coefs_[0].shape == (3, 1)


def test_refused_fit_leaves_what_was_fitted():
    X, y = diabetes()
    ours = regressor(alphas=[1.0, 0.5]).fit(X, y)
    before = ours.predict(X)
    ours.set_params(alphas=[-1.0])
    assert_refused(lambda: ours.fit(X, y), ValueError, "alphas")
    assert_array_equal(ours.predict(X), before)


def test_there_is_no_partial_fit():
    model = RegularizedMLPClassifierCV()
    assert not hasattr(model, "partial_fit")
    assert_refused(lambda: model.partial_fit, AttributeError, "path_.estimator")
    with pytest.raises(NotFittedError):
        model.predict(np.zeros((1, 2)))


def test_groups_are_routed_to_the_splitter():
    X, y = diabetes()
    groups = np.arange(len(y)) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        ours = regressor(alphas=[1.0, 0.1], cv=GroupKFold(3))
        ours.set_fit_request(sample_weight=True)
        ours.fit(X, y, groups=groups)
    folds = [
        (np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in range(3)
    ]
    same = regressor(alphas=[1.0, 0.1], cv=folds).fit(X, y)
    assert_allclose(
        np.sort(ours.mse_path_, axis=1), np.sort(same.mse_path_, axis=1), rtol=1e-12
    )
    assert_refused(
        lambda: regressor(cv=GroupKFold(3)).fit(X, y, groups=groups),
        ValueError,
        "groups",
    )


# ------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"param": "dropout"}, ["param", "dropout"]),
        ({"alphas": 0}, ["alphas"]),
        ({"alphas": [[1.0]]}, ["alphas", "(n_alphas,)"]),
        ({"eps": 2.0}, ["eps"]),
        ({"selection": "worst"}, ["selection"]),
        ({"scoring": "nonsense"}, ["scoring", "nonsense"]),
        ({"l1": "auto", "solver": "adam"}, ["l1='auto'", "is what the path varies"]),
    ],
)
def test_bad_input(given, parts):
    X, y = diabetes()
    assert_refused(lambda: regressor(**given).fit(X, y), ValueError, *parts)


def test_folds_without_rows_are_refused():
    X, y = diabetes()
    X, y = X[:20], y[:20]
    weights = np.arange(20) > 5
    assert_refused(
        lambda: regressor(alphas=[1.0], cv=LeaveOneOut()).fit(X, y, weights),
        ValueError,
        "Fold 0",
        "LeaveOneOut()",
        "to score on",
    )
    split = [(np.arange(3), np.arange(10, 20))]
    assert_refused(
        lambda: regressor(alphas=[1.0], cv=split).fit(X, y, weights),
        ValueError,
        "Fold 0",
        "to train on",
    )


@pytest.mark.parametrize(
    "cv", [[1, 2, 3], [(np.arange(10), np.arange(50, 70))], [(["a"], ["b"])]]
)
def test_folds_that_are_none_are_said(cv):
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = RegularizedMLPRegressorCV((), solver="lbfgs", cv=cv)
    with pytest.raises(ValueError, match=r"(?s)cv=.*must give pairs.* 60 rows"):
        model.fit(X, X[:, 0])
