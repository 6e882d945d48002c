"""Early stopping: the validation data, the score, the rule, the weights restored."""

from math import ceil

import numpy as np
import pytest
from common import (
    all_weights,
    assert_refused,
    both_estimators,
    data_for,
    few_epochs,
    iris,
)
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.decomposition import PCA
from sklearn.metrics import check_scoring, log_loss, make_scorer, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# Stops after some tens of epochs, at a best that is not the last.
quick = {"early_stopping": True, "learning_rate_init": 0.02, "random_state": 0}


def parts_of(estimator):
    """X, X_val, y, y_val of the estimator's data."""
    return train_test_split(*data_for(estimator), random_state=0, test_size=0.3)


class Scripted:
    """A scorer that gives the scores of a script and notes what it is given.

    The first call, before training, is a trial.
    """

    def __init__(self, scores):
        self.scores = iter([0.0, *scores])
        self.calls = []

    def __call__(self, estimator, X, y, sample_weight=None):
        self.calls.append((X, y, sample_weight))
        return next(self.scores)


def neg_loss(estimator, X, y, sample_weight=None):
    """What scoring="loss" scores, by other means."""
    if is_classifier(estimator):
        return -log_loss(y, estimator.predict_proba(X), sample_weight=sample_weight)
    predicted = estimator.predict(X)
    return -mean_squared_error(y, predicted, sample_weight=sample_weight) / 2


@both_estimators
@pytest.mark.parametrize("weighted", [False, True])
def test_score_is_minus_the_loss_and_the_best_weights_stay(Estimator, weighted):
    estimator = Estimator(**quick)
    if not is_classifier(estimator):
        # so that the loss is in the target's own unit
        estimator.set_params(standardize_target=False, learning_rate_init=0.5)
    X, X_val, y, y_val = parts_of(estimator)
    weights = np.arange(len(y_val)) % 3 if weighted else None
    estimator.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    scores = estimator.validation_scores_
    assert len(scores) == estimator.n_iter_ == len(estimator.loss_curve_)
    assert max(scores) > scores[-1]
    assert estimator.best_validation_score_ == max(scores)
    assert neg_loss(estimator, X_val, y_val, weights) == pytest.approx(max(scores))
    assert estimator.best_loss_ is None


@both_estimators
@pytest.mark.parametrize("kind", ["name", "scorer", "function"])
def test_any_scorer_decides(Estimator, kind):
    estimator = Estimator(**quick)
    metric = "accuracy" if is_classifier(estimator) else "neg_mean_absolute_error"
    scorers = {
        "name": metric,
        "scorer": make_scorer(lambda y, predicted: np.mean(np.isclose(y, predicted))),
        "function": lambda fitted, X, y: np.float32(fitted.score(X, y)),
    }
    estimator.set_params(scoring=scorers[kind])
    X, X_val, y, y_val = parts_of(estimator)
    estimator.fit(X, y, X_val=X_val, y_val=y_val)
    score = check_scoring(estimator, scorers[kind])
    assert estimator.best_validation_score_ == score(estimator, X_val, y_val)
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)


# With patience p, training ends when p + 1 epochs in turn gain less than tol over the
# best before. The best weights are those of the highest score, by however little.
@both_estimators
@pytest.mark.parametrize(
    ("scores", "n_iter", "best"),
    [
        ([1, 2, 3, 2, 2, 2, 9], 6, 3),
        ([5, 1, 1, 6, 1, 1, 1, 9], 7, 4),
        ([1, 1.05, 1.09, 1.12, 9], 4, 4),
        ([1, 1.05, 1.2, 1.25, 1.2, 1.25, 9], 6, 4),
        ([-np.inf, -3, -2, -4, -4, -4, 9], 6, 3),
    ],
)
def test_rule(Estimator, scores, n_iter, best):
    estimator = Estimator(
        early_stopping=True,
        scoring=Scripted(scores),
        tol=0.1,
        n_iter_no_change=2,
        # so large that all of these epochs are better than the best constant
        learning_rate_init=0.03,
        batch_size=16,
        random_state=0,
    )
    X, X_val, y, y_val = parts_of(estimator)
    estimator.fit(X, y, X_val=X_val, y_val=y_val)
    assert estimator.n_iter_ == n_iter
    assert estimator.validation_scores_ == scores[:n_iter]
    assert estimator.best_validation_score_ == scores[best - 1]
    until_best = clone(estimator).set_params(
        early_stopping=False, scoring="loss", tol=0, max_iter=best
    )
    with pytest.warns(match="has not converged"):
        until_best.fit(X, y)
    assert_array_equal(all_weights(estimator), all_weights(until_best))


@both_estimators
def test_adaptive_rate_falls_at_each_plateau_until_it_is_tiny(Estimator):
    patience = 2
    estimator = Estimator(
        early_stopping=True,
        scoring=Scripted([1.0] * 100),
        learning_rate="adaptive",
        learning_rate_init=0.03,
        batch_size=16,
        n_iter_no_change=patience,
    )
    estimator.fit(*data_for(estimator))
    # 0.03 / 5^7 is the first rate below 1e-6, and one more plateau ends it
    assert estimator.n_iter_ == 1 + (7 + 1) * (patience + 1)


@both_estimators
def test_end_of_the_schedule_is_no_failure_to_converge(Estimator):
    estimator = Estimator(max_iter=3, learning_rate="one_cycle", **quick)
    assert estimator.fit(*data_for(estimator)).n_iter_ == 3
    estimator.set_params(learning_rate="constant")
    with pytest.warns(match="has not converged"):
        estimator.fit(*data_for(estimator))


@both_estimators
@few_epochs
@pytest.mark.parametrize("fraction", [0.1, 0.25])
def test_own_split(Estimator, fraction):
    scorer = Scripted([1.0, 1.0])
    estimator = Estimator(scoring=scorer, max_iter=2, **quick)
    estimator.set_params(validation_fraction=fraction)
    X, y = data_for(estimator)
    # so that each row is told apart by its weight, and rows of weight 0 by theirs
    weights = np.arange(len(y)) + 1.0
    weights[::5] = 0.0
    n_used = np.count_nonzero(weights)
    estimator.fit(X, y, weights)
    (X_val, y_val, given), *others = scorer.calls
    rows = given.astype(int) - 1
    n_val = ceil(fraction * n_used)
    assert len(np.unique(rows)) == n_val
    assert estimator.t_ == 2 * (n_used - n_val)
    assert (weights[rows] > 0).all()
    np.testing.assert_allclose(X_val, X[rows], rtol=1e-6)
    assert_array_equal(y_val, y[rows])
    assert all((call[2] == given).all() for call in others)


@few_epochs
def test_own_split_keeps_the_shares_of_the_classes():
    X, y = iris()
    uneven = np.r_[0:50, 50:70, 100:110]
    scorer = Scripted([1.0])
    RegularizedMLPClassifier(
        scoring=scorer, max_iter=1, validation_fraction=0.1, **quick
    ).fit(X[uneven], y[uneven])
    assert_array_equal(np.bincount(scorer.calls[0][1]), [5, 2, 1])


@few_epochs
def test_class_weights_count_in_the_own_split():
    X, y = iris()
    scorer = Scripted([1.0])
    by_class = {0: 1.0, 1: 2.0, 2: 4.0}
    RegularizedMLPClassifier(
        scoring=scorer, max_iter=1, class_weight=by_class, **quick
    ).fit(X, y)
    _, y_val, weights = scorer.calls[0]
    assert_array_equal(weights, [by_class[label] for label in y_val])


@both_estimators
@few_epochs
def test_warm_start_holds_out_the_same_rows(Estimator):
    scorer = Scripted([1.0, 1.0, 1.0, 1.0])
    estimator = Estimator(scoring=scorer, max_iter=1, warm_start=True, **quick)
    X, y = data_for(estimator)
    estimator.fit(X, y).fit(X, y)
    first, *_, last = scorer.calls
    assert_array_equal(first[0], last[0])
    assert estimator.validation_scores_ == [1.0]
    assert len(estimator.loss_curve_) == 2


@both_estimators
@few_epochs
def test_attributes_without_early_stopping(Estimator):
    estimator = Estimator(random_state=0, max_iter=4)
    estimator.fit(*data_for(estimator))
    assert estimator.validation_scores_ is None
    assert estimator.best_validation_score_ is None
    assert estimator.best_loss_ == min(estimator.loss_curve_)
    assert estimator.loss_ == estimator.loss_curve_[-1]


@both_estimators
def test_weight_of_zero_leaves_a_validation_row_out(Estimator):
    estimator = Estimator(**quick)
    X, X_val, y, y_val = parts_of(estimator)
    weights = np.ones(len(y_val))
    weights[::3] = 0.0
    kept = weights > 0
    weighted = clone(estimator).fit(
        X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights
    )
    removed = clone(estimator).fit(X, y, X_val=X_val[kept], y_val=y_val[kept])
    assert weighted.validation_scores_ == removed.validation_scores_


@both_estimators
def test_pipeline_transforms_the_validation_data(Estimator):
    X, X_val, y, y_val = parts_of(Estimator())
    # so that only scaled validation data are of any use
    X, X_val = 1e3 * X + 1e4, 1e3 * X_val + 1e4
    estimator = Estimator(**quick)
    with config_context(enable_metadata_routing=True):
        routed = clone(estimator).set_fit_request(
            X_val=True, y_val=True, sample_weight_val=True
        )
        pipeline = make_pipeline(StandardScaler(), routed, transform_input=["X_val"])
        weights = np.arange(len(y_val)) + 1.0
        pipeline.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    scaler = StandardScaler().fit(X)
    estimator.fit(
        scaler.transform(X),
        y,
        X_val=scaler.transform(X_val),
        y_val=y_val,
        sample_weight_val=weights,
    )
    assert pipeline[-1].validation_scores_ == estimator.validation_scores_


def metric_of_two(estimator, X, y):
    return {"one": 1.0, "two": 2.0}


def broken(estimator, X, y):
    raise RuntimeError("broken on purpose")


@both_estimators
@few_epochs
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(
    ("scoring", "error", "message"),
    [
        (metric_of_two, ValueError, "scoring must give one number.*'two'"),
        (broken, RuntimeError, "scoring=.*broken on purpose.*Use scoring='loss'"),
    ],
)
def test_scorer_that_fails_does_so_before_training(
    Estimator, warm_start, scoring, error, message
):
    estimator = Estimator(max_iter=2, warm_start=warm_start, random_state=0)
    X, y = data_for(estimator)
    before = all_weights(estimator.fit(X, y))
    estimator.set_params(early_stopping=True, scoring=scoring)
    with pytest.raises(error, match=message):
        estimator.fit(X, y)
    assert_array_equal(all_weights(estimator), before)
    assert len(estimator.loss_curve_) == 2


def test_score_of_nan_is_an_error():
    X, y = iris()
    estimator = RegularizedMLPClassifier(
        early_stopping=True, scoring=Scripted([0.5, np.nan])
    )
    with pytest.raises(ValueError, match=r"scoring=.*nan.*Use scoring='loss'"):
        estimator.fit(X, y)


@pytest.mark.parametrize("scores", [[np.inf], [0.5, np.inf, 1.0], [-np.inf, np.inf]])
def test_score_of_infinity_is_an_error(scores):
    """No later epoch could be better, so that the first such would be kept."""
    X, y = iris()
    estimator = RegularizedMLPClassifier(early_stopping=True, scoring=Scripted(scores))
    with pytest.raises(ValueError, match=r"scoring=.* gave inf .*finite number"):
        estimator.fit(X, y)
    assert not hasattr(estimator, "coefs_")


@few_epochs
def test_score_of_minus_infinity_is_an_epoch_that_is_not_the_best():
    X, y = iris()
    estimator = RegularizedMLPClassifier(
        early_stopping=True, scoring=Scripted([-np.inf, -np.inf, 0.5, -np.inf])
    )
    estimator.set_params(max_iter=3, random_state=0).fit(X, y)
    assert estimator.best_validation_score_ == 0.5
    estimator.set_params(scoring=lambda *given: -np.inf)
    with pytest.raises(ValueError, match=r"scoring=.* gave -inf .* the 3 epochs"):
        estimator.fit(X, y)


@pytest.mark.parametrize("scoring", ["roc_auc", "balanced_accuracy", "f1"])
def test_scorer_of_another_kind_of_y_is_named_with_the_remedy(scoring):
    X, y = iris()
    Y = np.column_stack([y == 0, y > 0]).astype(int)
    estimator = RegularizedMLPClassifier((4,), early_stopping=True, scoring=scoring)
    assert_refused(
        lambda: estimator.fit(X, Y),
        ValueError,
        f"scoring='{scoring}' failed",
        "y is multilabel-indicator: take a scorer for such targets",
        *(["predict_proba(X) to the metric"] if scoring == "roc_auc" else []),
    )


@both_estimators
def test_validation_data_that_were_not_transformed_are_said(Estimator):
    """In a Pipeline they are not, unless they are named."""
    X, X_val, y, y_val = parts_of(Estimator())
    pipeline = make_pipeline(PCA(2), Estimator(**quick))
    name = pipeline.steps[-1][0]
    with pytest.raises(ValueError, match=r"X_val has .*transform_input=\['X_val'\]"):
        pipeline.fit(X, y, **{f"{name}__X_val": X_val, f"{name}__y_val": y_val})


def test_untrained_weights_may_score_nan():
    X, y = data_for(RegularizedMLPRegressor())

    def correlation(estimator, X, y):
        predicted = estimator.predict(X)
        return np.nan if predicted.std() == 0 else np.corrcoef(predicted, y)[0, 1]

    estimator = RegularizedMLPRegressor((), scoring=correlation, **quick).fit(X, y)
    assert estimator.best_validation_score_ > 0.5


@pytest.mark.filterwarnings("ignore:.*has not converged", "ignore:.* no better than")
@pytest.mark.parametrize("n_members", [1, 4])
@pytest.mark.parametrize("rows", [2, 4, 10])
def test_a_rare_class_that_is_made_heavy_is_validated(rows, n_members):
    """Else the validation loss would not see half of the objective."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = np.where(np.arange(300) < rows, "rare", "usual")
    seen = []

    def scorer(estimator, X, y):
        seen.append((y == "rare").sum())
        return float(len(seen))

    model = RegularizedMLPClassifier(
        (4,),
        early_stopping=True,
        scoring=scorer,
        max_iter=1,
        n_members=n_members,
        random_state=0,
    )
    model.set_params(class_weight="balanced").fit(X, y)
    assert min(seen) == max(seen) == 1
    seen.clear()
    # a class of little weight is not taken from training
    model.set_params(class_weight={"usual": 1.0}).fit(X, y)
    assert (min(seen) == 0) == (rows < 10)


@few_epochs
@both_estimators
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("missed", ["scale", "mean"])
def test_validation_data_that_missed_a_transformer(Estimator, n_members, missed):
    model = Estimator((4,), max_iter=3, n_members=n_members, **quick)
    X, X_val, y, y_val = parts_of(model)
    raw = 1e3 * X_val if missed == "scale" else X_val + 270
    with pytest.warns(UserWarning, match="X_val is far from X") as caught:
        model.fit(X, y, X_val=raw, y_val=y_val)
    assert sum("X_val is far" in str(w.message) for w in caught) == 1


@few_epochs
@both_estimators
def test_validation_data_may_have_outliers_and_drift(Estimator, recwarn):
    model = Estimator((4,), max_iter=3, **quick)
    X, X_val, y, y_val = parts_of(model)
    drifted = X_val + np.ptp(X, axis=0) / 2
    drifted[: len(X_val) // 5] *= 1e3
    model.fit(X, y, X_val=drifted, y_val=y_val)
    assert not any("X_val is far" in str(w.message) for w in recwarn)
