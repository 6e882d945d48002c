"""scikit-learn's callbacks: they see every epoch, and may end the training."""

import numpy as np
import pytest
from common import all_weights, data_for, diabetes, few_epochs, iris
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.model_selection import GridSearchCV

from skreg import RegularizedMLPRegressorCV
from skreg._estimators.callbacks import HAVE_CALLBACKS

pytestmark = [
    pytest.mark.skipif(
        not HAVE_CALLBACKS, reason="scikit-learn before 1.9 has no callbacks"
    ),
    few_epochs,
]

SOLVERS = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])


class Recorder:
    """Notes the tasks that end, and what the copy given to it predicts."""

    def __init__(self, X, stop_after=None):
        self.X = X
        self.stop_after = stop_after
        self.tasks = []
        self.begun = []
        self.predictions = []

    def setup(self, estimator, context):
        self.tasks.append("setup")

    def teardown(self, estimator, context):
        self.tasks.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.tasks.append(context.task_name)
        self.predictions.append(fitted_estimator.predict(self.X))
        return context.task_name == "epoch" and context.task_id == self.stop_after


def epochs_of(monitor):
    """What a ScoringMonitor noted at the end of each epoch."""
    return [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]


@SOLVERS
def test_each_epoch_is_a_task(solver):
    X, y = diabetes()
    recorder = Recorder(X)
    model = RegularizedMLPRegressor(solver=solver, max_iter=4, random_state=0)
    model.set_callbacks(recorder).fit(X, y)
    assert recorder.tasks == ["setup", *["epoch"] * model.n_iter_, "fit", "teardown"]
    assert recorder.begun == ["fit", *["epoch"] * model.n_iter_]


@SOLVERS
def test_true_stops_the_fit(solver):
    X, y = diabetes()
    recorder = Recorder(X, stop_after=2)
    model = RegularizedMLPRegressor(solver=solver, max_iter=50, random_state=0)
    model.set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ == 3
    assert len(model.loss_curve_) == len(recorder.begun) - 1 == 3
    assert (model.predict(X) == recorder.predictions[-1]).all()


def test_the_copies_are_of_their_own_epoch():
    X, y = diabetes()
    recorder = Recorder(X)
    model = RegularizedMLPRegressor(max_iter=3, random_state=0)
    model.set_callbacks(recorder).fit(X, y)
    for epochs, prediction in enumerate(recorder.predictions[:3], start=1):
        shorter = RegularizedMLPRegressor(max_iter=epochs, random_state=0).fit(X, y)
        assert (shorter.predict(X) == prediction).all()


def test_callbacks_leave_the_training_as_it_is():
    X, y = iris()
    plain = RegularizedMLPClassifier(max_iter=5, random_state=0).fit(X, y)
    watched = RegularizedMLPClassifier(max_iter=5, random_state=0)
    watched.set_callbacks(Recorder(X)).fit(X, y)
    assert (plain.predict_proba(X) == watched.predict_proba(X)).all()


def test_frames_reach_callbacks_with_their_names():
    """A copy that had lost the names, or X that had, would warn: an error here."""
    pd = pytest.importorskip("pandas")
    X, y = diabetes()
    frame = pd.DataFrame(X, columns=[f"f{i}" for i in range(X.shape[1])])
    recorder = Recorder(frame)
    model = RegularizedMLPRegressor(max_iter=2, random_state=0)
    model.set_callbacks(recorder).fit(frame, y)
    assert len(recorder.predictions) == 3


@pytest.mark.parametrize(
    "Estimator", [RegularizedMLPClassifier, RegularizedMLPRegressor]
)
def test_scoring_monitor_on_one_fit(Estimator):
    from sklearn.callback import ScoringMonitor

    model = Estimator(max_iter=4, random_state=0)
    X, y = data_for(model)
    name = "accuracy" if Estimator is RegularizedMLPClassifier else "r2"
    monitor = ScoringMonitor(scoring=name)
    model.set_callbacks(monitor).fit(X, y)
    scores = [
        row[name] for row in monitor.get_logs().data if row["task_name"] == "epoch"
    ]
    assert len(scores) == 4
    assert scores[-1] == pytest.approx(model.score(X, y))


def test_scoring_monitor_uses_sample_weight():
    from sklearn.callback import ScoringMonitor

    X, y = iris()
    weights = (y > 0) + 0.5
    monitor = ScoringMonitor(scoring="accuracy")
    model = RegularizedMLPClassifier(max_iter=3, random_state=0)
    model.set_callbacks(monitor).fit(X, y, sample_weight=weights)
    last = monitor.get_logs().data[-1]["accuracy"]
    assert last == pytest.approx(model.score(X, y, sample_weight=weights))


def test_progress_bar_counts_the_epochs(capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    X, y = diabetes()
    model = RegularizedMLPRegressor(max_iter=3, random_state=0)
    model.set_callbacks(ProgressBar()).fit(X, y)
    assert "100%" in capsys.readouterr().out


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_both_through_a_grid_search(n_jobs, capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar, ScoringMonitor

    X, y = diabetes()
    monitor = ScoringMonitor(scoring="r2")
    network = RegularizedMLPRegressor(max_iter=3, random_state=0)
    network.set_callbacks(monitor)
    search = GridSearchCV(network, {"l1": [0.0, 0.01]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(ProgressBar()).fit(X, y)
    # two strengths, two folds each, and the refit
    assert len(epochs_of(monitor)) == 3 * (2 * 2 + 1)
    assert "RegularizedMLPRegressor" in capsys.readouterr().out


def test_an_error_in_a_callback_is_raised():
    X, y = diabetes()

    class Broken(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("broken on purpose")

    model = RegularizedMLPRegressor(max_iter=3).set_callbacks(Broken(X))
    with pytest.raises(RuntimeError, match="broken on purpose"):
        model.fit(X, y)


def test_choice_of_a_strength_is_one_task():
    X, y = diabetes()
    recorder = Recorder(X)
    model = RegularizedMLPRegressorCV(alphas=[0.1, 0.01], max_iter=4, cv=2, n_jobs=2)
    model.set_callbacks(recorder).fit(X, y)
    assert recorder.tasks == ["setup", "fit", "teardown"]
    assert (recorder.predictions[0] == model.predict(X)).all()


class Keeper(Recorder):
    """Keeps the copies that it is given."""

    def __init__(self):
        super().__init__(None)
        self.kept, self.at_the_end = [], None

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.kept.append(fitted_estimator)
        else:
            self.at_the_end = fitted_estimator


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"early_stopping": True},
        {"early_stopping": True, "scoring": "r2", "l1": "auto", "l2": "auto"},
        {"solver": "lbfgs", "l1": 0.01},
    ],
    ids=["adam", "early stopping", "auto", "lbfgs"],
)
def test_copies_have_the_figures_until_then(given):
    X, y = diabetes()
    keeper = Keeper()
    model = RegularizedMLPRegressor(max_iter=4, random_state=0, **given)
    model.set_callbacks(keeper).fit(X, y)
    for n, copied in enumerate(keeper.kept, start=1):
        assert copied.n_iter_ == len(copied.loss_curve_) == n
        assert copied.loss_curve_ == model.loss_curve_[:n]
        assert copied.loss_ == model.loss_curve_[n - 1]
        if "solver" in given:
            assert copied.learning_rates_ is None
        else:
            assert copied.learning_rates_ == model.learning_rates_[:n]
        if "early_stopping" in given:
            assert copied.validation_scores_ == model.validation_scores_[:n]
            assert copied.validation_losses_ == model.validation_losses_[:n]
            assert copied.best_validation_score_ == max(copied.validation_scores_)
        else:
            assert copied.validation_scores_ is None
        assert len(copied.l1_) == len(copied.l2_) == 2
    if given.get("l1") == "auto":
        strengths = [copied.l1_ for copied in keeper.kept]
        assert strengths[0] != strengths[-1]
    for name in ["loss_curve_", "validation_scores_", "l1_", "l2_", "n_iter_", "t_"]:
        assert getattr(keeper.at_the_end, name) == getattr(model, name)


@pytest.mark.parametrize("averaging", ["ema", "swa"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_copies_predict_with_the_average(averaging, batch_norm):
    X, y = diabetes()
    keeper = Keeper()
    model = RegularizedMLPRegressor(
        (8,),
        max_iter=4,
        batch_size=64,
        weight_averaging=averaging,
        batch_norm=batch_norm,
        random_state=0,
    )
    plain = model.fit(X, y).predict(X)
    weights = all_weights(model)
    model.set_callbacks(keeper).fit(X, y)
    np.testing.assert_array_equal(keeper.kept[-1].predict(X), plain)
    np.testing.assert_array_equal(all_weights(model), weights)


def test_the_copy_of_a_choice_has_all_of_it():
    X, y = diabetes()
    keeper = Keeper()
    model = RegularizedMLPRegressorCV(alphas=[0.1, 0.01], max_iter=2, cv=2)
    model.set_callbacks(keeper).fit(X, y)
    for name in ["alpha_", "loss_curve_", "l1_", "best_score_"]:
        assert getattr(keeper.at_the_end, name) == getattr(model, name)
