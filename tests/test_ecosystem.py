"""The estimators inside scikit-learn's tools, on real data."""

import joblib
import numpy as np
import pytest
from common import breast_cancer, diabetes, few_epochs, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

pytestmark = few_epochs

BACKENDS = pytest.mark.parametrize("backend", ["loky", "threading"])


def quick(Estimator, **given):
    """An estimator that converges in a second."""
    settings = {
        "hidden_layer_sizes": (20,),
        "max_iter": 30,
        "batch_size": 32,
        "learning_rate": "one_cycle",
        "learning_rate_init": 0.01,
        "random_state": 0,
    }
    return Estimator(**settings | given)


@BACKENDS
def test_grid_search_over_a_pipeline(backend):
    """The same choice and the same bits, in processes and in threads."""
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("net", quick(RegularizedMLPClassifier))]
    )
    grid = {"net__l1": [0.0, 3e-3], "net__dropout": [0.0, 0.3], "net__l2": [0.0]}
    searches = []
    for n_jobs in (1, 2):
        with joblib.parallel_config(backend, n_jobs=n_jobs):
            searches.append(GridSearchCV(pipeline, grid, cv=3).fit(X, y))
    alone, together = searches
    assert alone.best_score_ > 0.95
    assert alone.best_params_ == together.best_params_
    assert_array_equal(
        alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"]
    )
    assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


@BACKENDS
def test_halving_random_search(backend):
    X, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), quick(RegularizedMLPClassifier))
    prefix = "regularizedmlpclassifier__"
    space = {
        prefix + "weight_decay": [0.0, 0.1, 1.0],
        prefix + "input_dropout": [0.0, 0.1, 0.2],
        prefix + "activation": ["relu", "silu", "tanh"],
        prefix + "hidden_layer_sizes": [(10,), (20, 10)],
    }
    search = HalvingRandomSearchCV(
        pipeline, space, n_candidates=6, min_resources=60, cv=3, random_state=0
    )
    with joblib.parallel_config(backend, n_jobs=2):
        search.fit(X, y)
    assert search.best_score_ > 0.9


@BACKENDS
def test_cross_validate_with_several_scores(backend):
    X, y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), quick(RegularizedMLPRegressor, l1=0.01))
    with joblib.parallel_config(backend, n_jobs=2):
        result = cross_validate(
            pipeline,
            X,
            y,
            scoring=["r2", "neg_mean_absolute_error"],
            return_estimator=True,
        )
    ridge = cross_validate(make_pipeline(StandardScaler(), Ridge()), X, y)
    assert result["test_r2"].mean() > ridge["test_score"].mean() - 0.05
    assert all((fit[-1].coefs_[0] == 0).any() for fit in result["estimator"])


def test_column_transformer_with_sparse_output():
    pd = pytest.importorskip("pandas")
    frame, y = load_diabetes(return_X_y=True, as_frame=True)
    frame = frame.assign(sex=np.where(frame["sex"] > 0, "a", "b"))
    frame["age_group"] = pd.cut(frame["age"], 8).astype(str)
    columns = ColumnTransformer(
        [("one_hot", OneHotEncoder(), ["sex", "age_group"])],
        remainder=StandardScaler(),
        sparse_threshold=1.0,
    )
    model = make_pipeline(columns, quick(RegularizedMLPRegressor)).fit(frame, y)
    assert model[0].transform(frame).format == "csr"
    assert model.score(frame, y) > 0.5


def test_calibration():
    X, y = breast_cancer()
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    overfitted = quick(RegularizedMLPClassifier, max_iter=200, l2=0.0)
    calibrated = CalibratedClassifierCV(overfitted, cv=3).fit(X_train, y_train)
    losses = [
        brier_score_loss(y_test, model.predict_proba(X_test)[:, 1])
        for model in (calibrated, overfitted.fit(X_train, y_train))
    ]
    assert losses[0] < losses[1] + 0.005
    assert losses[0] < 0.05


def test_permutation_importance_and_selection_agree():
    """Noise features: no importance, and exact zeros under a strong L1."""
    X, y = diabetes()
    rng = np.random.default_rng(0)
    noisy = np.column_stack([X, rng.standard_normal((len(X), 10))])
    model = quick(RegularizedMLPRegressor, l1=0.1, max_iter=200).fit(noisy, y)
    importance = permutation_importance(model, noisy, y, n_repeats=5, random_state=0)
    assert importance.importances_mean[:10].max() > 0.1
    assert importance.importances_mean[10:].max() < 0.02

    selection = SelectFromModel(model, threshold=1e-12, prefit=True)
    kept = selection.get_support()
    assert kept[[2, 8]].all()  # body mass index and s5
    assert (~kept[10:]).sum() >= 5
    assert_array_equal(kept, model.feature_importances_ > 0)
    assert_allclose(importance.importances_mean[~kept], 0)


def test_select_from_model_as_a_step():
    X, y = breast_cancer()
    selector = SelectFromModel(quick(RegularizedMLPClassifier, l1=3e-3))
    model = make_pipeline(selector, LogisticRegression()).fit(X, y)
    assert 0 < model[0].get_support().sum() < X.shape[1]
    assert model.score(X, y) > 0.95


def test_ensembles():
    X, y = diabetes()
    bagged = BaggingRegressor(quick(RegularizedMLPRegressor), 3, random_state=0)
    voting = VotingRegressor([("net", quick(RegularizedMLPRegressor)), ("r", Ridge())])
    weights = np.linspace(0.5, 1.5, len(y))
    for ensemble in (bagged, voting):
        assert ensemble.fit(X, y, sample_weight=weights).score(X, y) > 0.5
    X, y = iris()
    members = [("net", quick(RegularizedMLPClassifier)), ("lr", LogisticRegression())]
    assert StackingClassifier(members).fit(X, y).score(X, y) > 0.9
    Y = np.stack([y, (y + 1) % 3], axis=1)
    several = MultiOutputClassifier(quick(RegularizedMLPClassifier)).fit(X, Y)
    assert several.score(X, Y) > 0.9


def test_inspection_and_learning_curve():
    X, y = diabetes()
    model = quick(RegularizedMLPRegressor).fit(X, y)
    curve = partial_dependence(model, X, [2])
    assert curve["average"][0, -1] > curve["average"][0, 0]
    scores = learning_curve(model, X, y, cv=3, train_sizes=[0.3, 1.0])[2]
    assert scores.mean(axis=1)[1] > scores.mean(axis=1)[0]


def test_weights_and_validation_data_are_routed():
    """sample_weight, X_val and y_val reach fit through a search and a pipeline."""
    X, y = load_breast_cancer(return_X_y=True)
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    weights = np.where(y == 0, 2.0, 1.0)
    with config_context(enable_metadata_routing=True):
        network = quick(
            RegularizedMLPClassifier, early_stopping=True, scoring="accuracy"
        ).set_fit_request(sample_weight=True, X_val=True, y_val=True)
        scaling = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaling, network, transform_input=["X_val"])
        given = {"sample_weight": weights, "X_val": X_val, "y_val": y_val}
        pipeline.fit(X, y, **given)
        scaler = StandardScaler().fit(X)
        by_hand = quick(
            RegularizedMLPClassifier, early_stopping=True, scoring="accuracy"
        )
        by_hand.fit(
            scaler.transform(X), y, weights, X_val=scaler.transform(X_val), y_val=y_val
        )
        assert pipeline[-1].validation_scores_ == by_hand.validation_scores_
        assert_array_equal(
            pipeline.predict_proba(X_val),
            by_hand.predict_proba(scaler.transform(X_val)),
        )
        assert pipeline.score(X_val, y_val) == max(pipeline[-1].validation_scores_)


def test_weights_are_routed_through_a_search():
    X, y = diabetes()
    weights = np.zeros(len(y))
    weights[::2] = 1.0
    with config_context(enable_metadata_routing=True):
        network = quick(RegularizedMLPRegressor).set_fit_request(sample_weight=True)
        network.set_score_request(sample_weight=True)
        search = GridSearchCV(network, {"l2": [1e-4]}, cv=3)
        search.fit(X, y, sample_weight=weights)
    expected = quick(RegularizedMLPRegressor, l2=1e-4).fit(X, y, sample_weight=weights)
    assert_array_equal(search.predict(X), expected.predict(X))
