"""Scorers that early stopping and the choice of a strength go by."""

import warnings

import numpy as np
import pytest
from common import both_estimators, data_for, diabetes, few_epochs, iris
from numpy.testing import assert_allclose
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn import config_context
from sklearn.metrics import accuracy_score, log_loss, make_scorer, mean_absolute_error
from sklearn.model_selection import train_test_split

import skreg
from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

pytestmark = few_epochs

quick = {
    "hidden_layer_sizes": (8,),
    "early_stopping": True,
    "learning_rate_init": 0.02,
    "max_iter": 5,
    "random_state": 0,
}


def agreement(y, predicted):
    """A metric without weights."""
    return -np.abs(np.asarray(y, float) - np.asarray(predicted, float)).mean()


class TakesNone:
    def __call__(self, estimator, X, y):
        return agreement(y, estimator.predict(X))


WITHOUT_WEIGHTS = {
    "function": lambda estimator, X, y: agreement(y, estimator.predict(X)),
    "object": TakesNone(),
    "make_scorer": make_scorer(agreement),
    "name": "neg_max_error",
}


@both_estimators
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("kind", WITHOUT_WEIGHTS)
def test_scorers_that_take_no_weights_get_none(Estimator, kind, routing):
    scoring = WITHOUT_WEIGHTS[kind]
    if kind == "name" and Estimator is RegularizedMLPClassifier:
        scoring = "adjusted_rand_score"
    X, y = data_for(Estimator())
    weights = np.arange(len(y)) + 1.0
    with config_context(enable_metadata_routing=routing):
        model = Estimator(scoring=scoring, **quick).fit(X, y, weights)
        assert np.isfinite(model.validation_scores_).all()
        X, X_val, y, y_val = train_test_split(X, y, random_state=0)
        model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=y_val + 1.0)
    assert np.isfinite(model.validation_scores_).all()


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0}])
def test_class_weights_are_no_surprise_to_a_function(class_weight):
    X, y = iris()
    model = RegularizedMLPClassifier(
        class_weight=class_weight, scoring=WITHOUT_WEIGHTS["function"], **quick
    )
    assert len(model.fit(X, y).validation_scores_) == model.n_iter_


def weighted_error(y, predicted, **given):
    return mean_absolute_error(y, predicted, **given)


@pytest.mark.parametrize(
    "scoring",
    [
        "neg_mean_absolute_error",
        make_scorer(weighted_error, greater_is_better=False),
        lambda estimator, X, y, **given: (
            -mean_absolute_error(y, estimator.predict(X), **given)
        ),
    ],
    ids=["name", "metric", "function"],
)
def test_scorers_that_take_weights_get_them(scoring):
    X, y = diabetes()
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    weights = np.arange(len(y_val)) + 1.0
    model = RegularizedMLPRegressor(scoring=scoring, **quick)
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    error = mean_absolute_error(y_val, model.predict(X_val), sample_weight=weights)
    assert_allclose(model.best_validation_score_, -error, rtol=1e-6)


@pytest.mark.parametrize("asked", [True, False])
def test_with_routing_the_request_decides(asked):
    X, y = diabetes()
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    weights = np.arange(len(y_val)) + 1.0
    with config_context(enable_metadata_routing=True):
        scoring = make_scorer(mean_absolute_error, greater_is_better=False)
        scoring.set_score_request(sample_weight=asked)
        model = RegularizedMLPRegressor(scoring=scoring, **quick)
        model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    given = weights if asked else None
    error = mean_absolute_error(y_val, model.predict(X_val), sample_weight=given)
    assert_allclose(model.best_validation_score_, -error, rtol=1e-6)


def skewed():
    """Targets near 0, below which untrained weights predict."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    return X, np.exp(1.5 * X[:, 0])


@pytest.mark.parametrize(
    "scoring", ["neg_mean_squared_log_error", "neg_mean_poisson_deviance"]
)
def test_a_metric_may_refuse_what_untrained_weights_predict(scoring):
    X, y = skewed()
    model = RegularizedMLPRegressor(
        (16,), scoring=scoring, early_stopping=True, max_iter=60, random_state=0
    )
    model.fit(X, y)
    scores = np.array(model.validation_scores_)
    assert scores[0] == -np.inf
    assert np.isfinite(model.best_validation_score_)
    assert (model.best_validation_score_ == scores[np.isfinite(scores)]).any()


def test_a_metric_that_refuses_all_epochs_says_so_in_the_end():
    X, y = skewed()

    def never(estimator, X, y):
        if not np.allclose(estimator.predict(X), y, rtol=1e-4):
            raise ValueError("not for me")
        return 1.0

    model = RegularizedMLPRegressor(scoring=never, **quick)
    with pytest.raises(ValueError, match=r"scoring=.*not for me.*Use scoring='loss'"):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")
    choice = RegularizedMLPRegressorCV(
        (8,), scoring=never, alphas=[0.1], cv=2, max_iter=2, random_state=0
    )
    with pytest.raises(ValueError, match=r"scoring=.*not for me"):
        choice.fit(X, y)


@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
def test_what_no_training_can_mend_is_refused_before_it():
    X, y = diabetes()
    seen = []

    def noted(X, rng):
        seen.append(len(X))
        return X

    model = RegularizedMLPRegressor(
        scoring="neg_mean_squared_log_error", augmentation=noted, **quick
    )
    with pytest.raises(ValueError, match="even for predictions that are right"):
        # targets below -1
        model.fit(X, y - y.mean())
    with pytest.raises(ValueError, match="scoring='accuracy'"):
        model.set_params(scoring="accuracy").fit(X, y)
    model.set_params(scoring="r2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"scoring='r2' gave nan.*that are right"):
            model.fit(X, y, X_val=X[:1], y_val=y[:1])
    assert seen == []


@pytest.mark.parametrize("error", [RuntimeError, ValueError, ZeroDivisionError])
def test_a_later_failure_names_scoring_and_the_remedy(error):
    X, y = iris()
    calls = []

    def third(estimator, X, y):
        calls.append(1)
        if len(calls) == 3:
            raise error("broken on purpose")
        return 1.0

    model = RegularizedMLPClassifier(scoring=third, **quick)
    with pytest.raises(error, match=r"scoring=.*broken on purpose.*Use scoring='loss'"):
        model.fit(X, y)


@pytest.mark.parametrize(
    "scoring", ["neg_log_loss", "neg_brier_score", "top_k_accuracy"]
)
def test_a_class_may_be_missing_from_the_validation_rows(scoring):
    X, y = iris()
    known = y < 2
    model = RegularizedMLPClassifier(scoring=scoring, **quick)
    if scoring == "neg_brier_score":
        pytest.importorskip("sklearn", minversion="1.8")
    model.fit(X, y, X_val=X[known], y_val=y[known])
    assert np.isfinite(model.validation_scores_).all()
    if scoring == "neg_log_loss":
        loss = log_loss(y[known], model.predict_proba(X[known]), labels=[0, 1, 2])
        assert_allclose(model.best_validation_score_, -loss, rtol=1e-5)
        scores = np.array(model.validation_scores_)
        assert_allclose(model.validation_losses_, -scores, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("scoring", ["roc_auc_ovr", "roc_auc"])
def test_a_score_without_a_value_for_a_missing_class_is_refused(scoring):
    X, y = iris()
    known = y < 2
    model = RegularizedMLPClassifier(scoring=scoring, **quick)
    with pytest.raises(ValueError, match=rf"scoring='{scoring}'.*X_val and y_val"):
        model.fit(X, y, X_val=X[known], y_val=y[known])


@pytest.mark.parametrize(
    "scoring", ["roc_auc", "average_precision", "f1_macro", "accuracy"]
)
def test_multilabel(scoring):
    X, y = iris()
    Y = np.eye(3, dtype=int)[y]
    weights = np.arange(len(y)) + 1.0
    model = RegularizedMLPClassifier(scoring=scoring, **quick).fit(X, Y, weights)
    assert np.isfinite(model.validation_scores_).all()


def test_folds_of_a_choice_may_lack_a_class():
    X, y = iris()
    folds = [(np.arange(150), np.flatnonzero(y < 2)), (np.arange(150), np.arange(150))]
    model = RegularizedMLPClassifierCV(
        (), scoring="neg_log_loss", alphas=[0.1, 0.01], cv=folds, max_iter=3
    )
    assert np.isfinite(model.fit(X, y).scores_).all()


@both_estimators
@pytest.mark.parametrize("averaging", [None, "ema"])
def test_the_validation_loss_is_kept_beside_any_score(Estimator, averaging):
    X, y = data_for(Estimator())
    by_loss = Estimator(weight_averaging=averaging, **quick).fit(X, y)
    losses = by_loss.validation_losses_
    assert losses == [-score for score in by_loss.validation_scores_]
    counter = iter(range(100))
    by_other = Estimator(weight_averaging=averaging, **quick).set_params(
        scoring=lambda *_: float(next(counter))
    )
    assert by_other.fit(X, y).validation_losses_[: len(losses)] == losses
    without = Estimator(**quick).set_params(early_stopping=False).fit(X, y)
    assert without.validation_losses_ is None


def test_names_of_metrics_that_do_not_take_predictions_of_a_regressor():
    X, y = diabetes()
    model = RegularizedMLPRegressor(scoring="neg_log_loss", **quick)
    with pytest.raises((AttributeError, ValueError), match="scoring='neg_log_loss'"):
        model.fit(X, y)
    assert accuracy_score([1], [1]) == 1


def test_an_epoch_whose_predictions_a_metric_refuses_is_not_the_best():
    """Untrained weights may predict what it takes, and later ones not."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    y = np.exp(X[:, 0] + 0.1 * rng.normal(size=80))
    refused = 0
    for seed in range(4):
        model = skreg.RegularizedMLPRegressor(
            (32,),
            early_stopping=True,
            scoring="neg_mean_poisson_deviance",
            random_state=seed,
        ).fit(X, y)
        refused += np.isneginf(model.validation_scores_).sum()
        assert np.isfinite(model.best_validation_score_)
    assert refused


@both_estimators
@pytest.mark.parametrize("size", [5e-324, 1e-308, 1e300, 1e308])
def test_weights_of_any_size_give_the_same_score(Estimator, size):
    """Their sum overflows, or all products with them vanish."""
    model = Estimator((), solver="lbfgs", dtype="float64")
    X, y = data_for(model)
    model.fit(X, y)
    alike = np.full(len(y), size)
    assert_allclose(model.score(X, y, alike), model.score(X, y), rtol=1e-12)
    first = np.where(np.arange(len(y)) < 80, size, 0.0)
    assert_allclose(model.score(X, y, first), model.score(X[:80], y[:80]), rtol=1e-12)


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e155, 1e300])
@pytest.mark.parametrize("outputs", [1, 2])
def test_targets_of_any_unit_give_the_same_score(unit, outputs):
    """Squares of them overflow or vanish; a second output may be of order one."""
    X, y = diabetes()
    y = y / 100 if outputs == 1 else np.column_stack([y / 100, y])
    units = unit if outputs == 1 else [unit, 1.0]
    model = RegularizedMLPRegressor((), solver="lbfgs", dtype="float64")
    expected = model.fit(X, y).score(X, y)
    assert 0.4 < expected < 0.6
    score = model.fit(X, y * units).score(X, y * units)
    assert_allclose(score, expected, rtol=1e-4)


def test_what_is_no_target_is_refused_by_the_metric():
    X, y = diabetes()
    model = RegularizedMLPRegressor((), solver="lbfgs").fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        model.score(X, np.full(len(y), np.nan))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, y[:-1])
    with pytest.raises(ValueError, match="infinity"):
        model.score(X, y, np.full(len(y), np.inf))
