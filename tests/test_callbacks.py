"""scikit-learn's callbacks: they see every epoch, and may end the training."""

import pytest
from common import data_for, diabetes, few_epochs, iris
from sklearn.model_selection import GridSearchCV

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)
from skreg._callbacks import HAVE_CALLBACKS

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
