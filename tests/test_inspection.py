"""Displays of fitted estimators: what they take, what they plot, what they refuse."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from common import learns_nothing
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skreg.inspection import (
    FeatureImportancesDisplay,
    LossCurveDisplay,
    SearchCurveDisplay,
    SparsityDisplay,
    WeightHistogramDisplay,
)
from skreg.inspection._fitted import (
    feature_names,
    fitted_network,
    layer_names,
    weight_matrices,
)

matplotlib = pytest.importorskip(
    "matplotlib", reason="displays are plotted by matplotlib, of the extra 'plot'"
)
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

OF_NETWORKS = [
    FeatureImportancesDisplay,
    LossCurveDisplay,
    SparsityDisplay,
    WeightHistogramDisplay,
]
CANCER = load_breast_cancer(return_X_y=True, as_frame=True)
X, Y = StandardScaler().fit_transform(CANCER[0]), CANCER[1].to_numpy()


def network(hidden_layer_sizes=(6, 4), cls=RegularizedMLPClassifier, **parameters):
    return cls(
        hidden_layer_sizes,
        **{
            "learning_rate": "one_cycle",
            "learning_rate_init": 0.02,
            "max_iter": 8,
            "batch_size": 64,
            "random_state": 0,
        }
        | parameters,
    )


@pytest.fixture(scope="module")
def fitted():
    return network(l1=0.01).fit(X, Y)


@pytest.fixture(scope="module")
def selecting():
    """Logistic regression that drops features."""
    return network((), l1=0.05, solver="lbfgs", max_iter=500).fit(X, Y)


# ------------------------------------------------------------------- what is accepted


def containers():
    net = network(max_iter=10, learning_rate="cosine", learning_rate_init=0.03)
    grid = {"regularizedmlpclassifier__l2": [0.1]}
    pipeline = make_pipeline(StandardScaler(), net)
    return {
        "network": net,
        "pipeline": pipeline,
        "pipeline in a pipeline": make_pipeline("passthrough", pipeline),
        "search": GridSearchCV(net, {"l2": [0.1]}, cv=2),
        "search over a pipeline": GridSearchCV(pipeline, grid, cv=2),
        "pipeline with a search": make_pipeline(
            StandardScaler(), GridSearchCV(net, {"l2": [0.1]}, cv=2)
        ),
        "transformed target": TransformedTargetRegressor(
            network(cls=RegularizedMLPRegressor), transformer=StandardScaler()
        ),
    }


@pytest.mark.parametrize("name", containers())
def test_network_is_found(name):
    estimator = containers()[name].fit(X, Y)
    net, steps = fitted_network(estimator)
    assert isinstance(net, RegularizedMLPClassifier | RegularizedMLPRegressor)
    assert (steps is None) == ("pipeline" not in name)
    assert len(feature_names(net, steps)) == X.shape[1]
    for display in OF_NETWORKS:
        assert display.from_estimator(estimator).figure_ is plt.gcf()


@pytest.mark.parametrize("display", OF_NETWORKS)
@pytest.mark.parametrize("name", containers())
def test_not_fitted(display, name):
    with pytest.raises(NotFittedError):
        display.from_estimator(containers()[name])
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
        StandardScaler(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_other_estimators_are_refused(estimator):
    estimator.fit(X, Y)
    for display in OF_NETWORKS:
        with pytest.raises(TypeError, match="estimator must be a RegularizedMLPClass"):
            display.from_estimator(estimator)


def test_search_without_refit_has_no_network():
    search = GridSearchCV(network(), {"l2": [0.1]}, cv=2, refit=False).fit(X, Y)
    with pytest.raises(NotFittedError, match="refit=True"):
        SparsityDisplay.from_estimator(search)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "outputs"])
@pytest.mark.parametrize("display", OF_NETWORKS)
def test_all_kinds_of_targets(display, kind):
    if kind == "outputs":
        net = network(cls=RegularizedMLPRegressor).fit(X, X[:, :2])
    else:
        y = {"binary": Y, "multiclass": np.arange(len(X)) % 3}
        y["multilabel"] = np.column_stack([Y, 1 - Y, Y])
        net = network(batch_norm=True).fit(sparse.csr_array(X), y[kind])
    assert display.from_estimator(net).figure_.axes


def test_without_matplotlib(monkeypatch, fitted):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for display in OF_NETWORKS:
        with pytest.raises(ImportError, match=rf"{display.__name__}.*skreg\[plot\]"):
            display.from_estimator(fitted)
    with pytest.raises(ImportError, match=r"SearchCurveDisplay.*skreg\[plot\]"):
        SearchCurveDisplay(values=np.ones(1), test_scores=np.ones((1, 2))).plot()


@pytest.mark.parametrize("display", OF_NETWORKS)
def test_plots_again_where_it_is_told(display, fitted):
    shown = display.from_estimator(fitted)
    figure, axes = plt.subplots(1, 2, layout="constrained")
    assert shown.plot(ax=axes[1]) is shown
    assert shown.figure_ is figure
    assert not axes[0].has_data()
    assert axes[1].has_data()
    figure.canvas.draw()


def test_skip_connection_is_the_last_matrix():
    net = SimpleNamespace(
        coefs_=[np.ones((3, 2)), np.ones((2, 1))], skip_coef_=np.ones((3, 1))
    )
    net.n_layers_ = 3
    assert [W.shape for W in weight_matrices(net)] == [(3, 2), (2, 1), (3, 1)]
    assert layer_names(net) == [
        "inputs → hidden",
        "hidden → output",
        "skip: inputs → output",
    ]


# --------------------------------------------------------------------------- the loss


def test_loss_curve(fitted):
    shown = LossCurveDisplay.from_estimator(fitted)
    x, y = shown.lines_["training"].get_data()
    np.testing.assert_array_equal(x, np.arange(1, 9))
    np.testing.assert_array_equal(y, fitted.loss_curve_)
    assert shown.best_epoch is None
    assert set(shown.lines_) == {"training"}
    assert shown.ax_.get_xlabel() == "Epoch"


def test_validation_loss_is_plotted_beside_the_objective():
    net = network(early_stopping=True).fit(X, Y)
    shown = LossCurveDisplay.from_estimator(net, learning_rate=True)
    _, y = shown.lines_["validation"].get_data()
    np.testing.assert_array_equal(y, -np.array(net.validation_scores_))
    assert shown.score_ax_ is None
    assert shown.best_epoch == 1 + np.argmax(net.validation_scores_)
    assert shown.lines_["best_epoch"].get_xdata()[0] == shown.best_epoch
    _, rates = shown.lines_["learning_rate"].get_data()
    np.testing.assert_array_equal(rates, net.learning_rates_)
    assert shown.rate_ax_.get_xlabel() == "Epoch"
    assert shown.ax_.get_xlabel() == ""
    shown.figure_.canvas.draw()
    # neither is over the other
    assert not shown.ax_.get_tightbbox().overlaps(shown.rate_ax_.get_tightbbox())


def test_score_has_an_axis_of_its_own():
    net = network(early_stopping=True, scoring="balanced_accuracy").fit(X, Y)
    shown = LossCurveDisplay.from_estimator(net)
    _, y = shown.lines_["validation"].get_data()
    np.testing.assert_array_equal(y, net.validation_scores_)
    assert shown.lines_["validation"].axes is shown.score_ax_
    assert shown.score_ax_.get_ylabel() == "Validation balanced accuracy"
    shown.figure_.canvas.draw()
    # the legend is over no curve
    legend = shown.ax_.get_legend().get_window_extent()
    for axes in [shown.ax_, shown.score_ax_]:
        assert legend.y0 >= axes.get_window_extent().y1


def test_scores_belong_to_the_last_epochs_of_a_warm_start():
    net = network(early_stopping=True, warm_start=True).fit(X, Y).fit(X, Y)
    assert len(net.loss_curve_) == 16
    shown = LossCurveDisplay.from_estimator(net)
    x, _ = shown.lines_["validation"].get_data()
    np.testing.assert_array_equal(x, np.arange(9, 17))
    assert shown.best_epoch == 9 + np.argmax(net.validation_scores_)


def test_loss_curve_of_lbfgs(selecting):
    shown = LossCurveDisplay.from_estimator(selecting)
    assert shown.ax_.get_xlabel() == "Iteration"
    with pytest.raises(ValueError, match="learning_rate=True needs a solver"):
        LossCurveDisplay.from_estimator(selecting, learning_rate=True)


def test_rate_needs_room(fitted):
    ax = plt.figure().add_axes((0.1, 0.1, 0.8, 0.8))
    with pytest.raises(ValueError, match="cannot be divided into 2 axes"):
        LossCurveDisplay.from_estimator(fitted, learning_rate=True, ax=ax)


# ------------------------------------------------------------------------ the weights


def test_sparsity(fitted):
    shown = SparsityDisplay.from_estimator(fitted)
    shares = [np.mean(W == 0) for W in fitted.coefs_]
    np.testing.assert_allclose(shown.shares, shares, rtol=1e-15)
    assert 0 < shown.shares[0] < 1
    np.testing.assert_allclose([bar.get_width() for bar in shown.bars_], shares)
    assert shown.names == [
        "inputs → hidden 1",
        "hidden 1 → hidden 2",
        "hidden 2 → output",
    ]
    total = sum(shown.zeros) / sum(W.size for W in fitted.coefs_)
    assert total == pytest.approx(fitted.zero_share_, rel=1e-12)


def test_weight_histogram(fitted):
    shown = WeightHistogramDisplay.from_estimator(fitted, bins=7)
    for ax, W, line in zip(shown.axes_, fitted.coefs_, shown.zero_lines_, strict=True):
        counted = sum(bar.get_height() for bar in ax.patches)
        assert counted == np.count_nonzero(W)
        assert (line is not None) == bool((W == 0).any())
    assert f"{(fitted.coefs_[0] == 0).sum()} exactly zero" in shown.axes_[0].get_title(
        "right"
    )


def test_weight_histogram_of_zeros_only():
    shown = WeightHistogramDisplay(weights=[np.zeros((3, 2))], names=["all"]).plot()
    assert shown.axes_[0].get_title("right") == "6 exactly zero (100 %)"
    assert not shown.axes_[0].patches


def test_weight_histogram_with_logarithmic_counts(selecting):
    shown = WeightHistogramDisplay.from_estimator(selecting, log=True)
    assert shown.axes_[0].get_yscale() == "log"
    shown.figure_.canvas.draw()


def test_weight_histogram_takes_one_ax_per_matrix(fitted):
    _, axes = plt.subplots(3)
    shown = WeightHistogramDisplay.from_estimator(fitted, ax=axes)
    assert all(a is b for a, b in zip(shown.axes_, axes, strict=True))
    _, axes = plt.subplots(2)
    with pytest.raises(ValueError, match="each of the 3 weight matrices; got 2"):
        WeightHistogramDisplay.from_estimator(fitted, ax=axes)


# ----------------------------------------------------------------------- the features


def test_importances(selecting):
    shown = FeatureImportancesDisplay.from_estimator(selecting, max_features=None)
    importances = selecting.feature_importances_
    dropped = np.flatnonzero((selecting.coefs_[0] == 0).all(axis=1))
    assert 0 < len(dropped) < X.shape[1]
    np.testing.assert_array_equal(np.flatnonzero(~shown.selected), dropped)
    heights = [bar.get_width() for bar in shown.bars_]
    np.testing.assert_array_equal(heights, importances[shown.shown_])
    assert (np.diff(heights) <= 0).all()
    (crosses,) = shown.ax_.lines
    assert len(crosses.get_ydata()) == len(dropped)
    title = f"{X.shape[1] - len(dropped)} of {X.shape[1]} features selected"
    assert shown.ax_.get_title() == title


def test_only_the_most_important_are_shown(selecting):
    shown = FeatureImportancesDisplay.from_estimator(selecting, max_features=3)
    expected = np.sort(selecting.feature_importances_)[::-1][:3]
    np.testing.assert_array_equal(
        selecting.feature_importances_[shown.shown_], expected
    )
    assert shown.ax_.get_title().endswith("the first 3 shown")


@pytest.mark.parametrize("max_features", [0, -1, 2.5, "all"])
def test_bad_max_features(selecting, max_features):
    with pytest.raises(ValueError, match="max_features must be an integer >= 1"):
        FeatureImportancesDisplay.from_estimator(selecting, max_features=max_features)


@learns_nothing
def test_names_of_features(selecting):
    frame, y = CANCER
    net = network(max_iter=1, learning_rate="cosine")

    def shown_names(estimator, **options):
        display = FeatureImportancesDisplay.from_estimator(estimator, **options)
        ticks = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert ticks == [display.names[j] for j in display.shown_]
        return list(display.names)

    names = list(frame.columns)
    assert shown_names(net.fit(frame / 1000, y)) == names
    assert shown_names(make_pipeline(StandardScaler(), net).fit(frame, y)) == names
    numbered = [f"x{j}" for j in range(30)]
    assert shown_names(selecting) == numbered
    # a step that does not know the names of what it makes
    blind = make_pipeline(FunctionTransformer(lambda X: X / 1000), net)
    assert shown_names(blind.fit(CANCER[0].to_numpy(), y)) == numbered
    assert shown_names(selecting, names=names) == names
    with pytest.raises(ValueError, match="one name for each of the network's 30"):
        FeatureImportancesDisplay.from_estimator(selecting, names=["a"])


# ------------------------------------------------------------------------- the search


def ridge(**parameters):
    return RegularizedMLPRegressor((), solver="lbfgs", **parameters)


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


@pytest.fixture(scope="module")
def search(diabetes):
    pipeline = make_pipeline(StandardScaler(), ridge())
    grid = {"regularizedmlpregressor__l1": [1.0, 0.0, 0.1, 0.01]}
    return GridSearchCV(
        pipeline, grid, scoring="neg_mean_squared_error", return_train_score=True
    ).fit(*diabetes)


@pytest.mark.parametrize("param", [None, "l1", "regularizedmlpregressor__l1"])
def test_search_curve(search, param):
    shown = SearchCurveDisplay.from_estimator(search, param)
    np.testing.assert_array_equal(shown.values, [0.0, 0.01, 0.1, 1.0])
    order = [1, 3, 2, 0]
    results = search.cv_results_
    np.testing.assert_allclose(
        shown.lines_["test"].get_ydata(), results["mean_test_score"][order]
    )
    np.testing.assert_allclose(
        shown.lines_["train"].get_ydata(), results["mean_train_score"][order]
    )
    # NumPy's deviation over folds has 5 in the denominator, the error's 5 - 1
    error = results["std_test_score"][order] / np.sqrt(4)
    corners = shown.bands_["test"].get_paths()[0].vertices
    for value, mean, e in zip(
        shown.values, results["mean_test_score"][order], error, strict=True
    ):
        at = corners[corners[:, 0] == value, 1]
        np.testing.assert_allclose([at.min(), at.max()], [mean - e, mean + e])
    assert shown.best_value == search.best_params_["regularizedmlpregressor__l1"]
    assert shown.ax_.get_xscale() == "symlog"
    assert shown.ax_.get_xlabel() == "l1"
    assert shown.ax_.get_ylabel() == "Negative mean squared error"
    shown.figure_.canvas.draw()


def test_errors_instead_of_scores(search):
    shown = SearchCurveDisplay.from_estimator(search, negate_score=True)
    assert (shown.lines_["test"].get_ydata() > 0).all()
    assert shown.ax_.get_ylabel() == "Mean squared error"
    assert shown.best_value == search.best_params_["regularizedmlpregressor__l1"]


SCORES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(2, 5)),
    elements=st.integers(-8, 8).map(lambda i: i / 4),
)


@given(SCORES, st.sampled_from(["larger", "smaller"]))
def test_one_standard_error_rule(scores, more_regular):
    display = SearchCurveDisplay(
        values=np.arange(len(scores)), test_scores=scores, more_regular=more_regular
    )
    means = [sum(row) / len(row) for row in scores.tolist()]
    best = means.index(max(means))
    n = scores.shape[1]
    variance = sum((x - means[best]) ** 2 for x in scores[best].tolist()) / (n - 1)
    limit = means[best] - (variance / n) ** 0.5
    # within rounding of the limit either is right
    surely = [i for i, mean in enumerate(means) if mean >= limit + 1e-12]
    perhaps = [i for i, mean in enumerate(means) if mean >= limit - 1e-12]
    chosen = display.one_standard_error_value
    assert chosen in perhaps
    assert display.best_value == best
    if surely:
        if more_regular == "larger":
            assert chosen >= max(surely)
        else:
            assert chosen <= min(surely)


def test_no_rule_without_direction_or_folds():
    scores = np.array([[0.1, 0.3], [0.2, 0.3]])
    display = SearchCurveDisplay(
        values=np.array([0, 1]), test_scores=scores, more_regular=None
    )
    assert display.plot().one_standard_error_value is None
    assert "one_standard_error" not in display.lines_
    single = SearchCurveDisplay(values=np.array([0, 1]), test_scores=scores[:, :1])
    assert single.plot().one_standard_error_value is None
    assert not single.bands_


def test_a_value_stands_for_the_best_of_its_candidates(diabetes):
    search = GridSearchCV(ridge(), {"l1": [0.01, 0.1, 1], "l2": [0.0, 0.1, 10]})
    results = search.fit(*diabetes).cv_results_
    shown = SearchCurveDisplay.from_estimator(search, "l1")
    means = results["mean_test_score"].reshape(3, 3).max(axis=1)
    np.testing.assert_allclose(shown.lines_["test"].get_ydata(), means)
    assert shown.joined
    with pytest.raises(ValueError, match=r"param must be one of .*: l1, l2"):
        SearchCurveDisplay.from_estimator(search)


def test_random_search_is_a_cloud(diabetes):
    search = RandomizedSearchCV(
        ridge(), {"l1": [0, 0.01, 0.1], "l2": np.logspace(-3, 0, 50)}, n_iter=8,
        random_state=0,
    )  # fmt: skip
    shown = SearchCurveDisplay.from_estimator(search.fit(*diabetes), "l2")
    assert not shown.joined
    assert shown.lines_["test"].get_linestyle() == "None"
    assert shown.ax_.get_xscale() == "log"
    shown.figure_.canvas.draw()


def test_several_metrics(diabetes):
    scoring = ["r2", "neg_mean_absolute_error"]
    search = GridSearchCV(ridge(), {"l1": [0.01, 1]}, scoring=scoring, refit="r2")
    search.fit(*diabetes)
    assert SearchCurveDisplay.from_estimator(search).ax_.get_ylabel() == "R2"
    other = SearchCurveDisplay.from_estimator(search, metric=scoring[1])
    assert other.ax_.get_ylabel() == "Negative mean absolute error"
    with pytest.raises(ValueError, match="metric must be one of"):
        SearchCurveDisplay.from_cv_results(search.cv_results_)
    with pytest.raises(ValueError, match="metric must be one of"):
        SearchCurveDisplay.from_estimator(search, metric="score")


def test_other_parts_of_a_list_of_grids_are_left_out(diabetes):
    grids = [{"l1": [0.01, 0.1]}, {"l2": [0.1, 1.0, 3.0]}]
    search = GridSearchCV(ridge(), grids).fit(*diabetes)
    np.testing.assert_array_equal(
        SearchCurveDisplay.from_estimator(search, "l2").values, [0.1, 1, 3]
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_fits_that_failed_are_left_out(diabetes):
    search = GridSearchCV(ridge(), {"l1": [-1.0, 0.01]}).fit(*diabetes)
    shown = SearchCurveDisplay.from_estimator(search)
    np.testing.assert_array_equal(shown.values, [0.01])


def test_search_is_checked(diabetes):
    unfitted = GridSearchCV(ridge(), {"l1": [0.1]})
    with pytest.raises(NotFittedError):
        SearchCurveDisplay.from_estimator(unfitted)
    with pytest.raises(TypeError, match="search must have cv_results_"):
        SearchCurveDisplay.from_estimator(ridge().fit(*diabetes))
    results = unfitted.fit(*diabetes).cv_results_
    draw = SearchCurveDisplay.from_cv_results
    with pytest.raises(ValueError, match=r"param must be one of .*: l1; got 'l2'"):
        draw(results, "l2")
    with pytest.raises(ValueError, match="more_regular must be"):
        draw(results, more_regular="up")
    with pytest.raises(ValueError, match="must have the scores of each split"):
        draw({k: v for k, v in results.items() if not k.startswith("split")})
    failed = {k: v * np.nan if k.startswith("split") else v for k, v in results.items()}
    with pytest.raises(ValueError, match="No candidate has a value of l1"):
        draw(failed)
    kinds = GridSearchCV(
        network(cls=RegularizedMLPRegressor), {"activation": ["relu", "tanh"]}, cv=2
    )
    with pytest.raises(ValueError, match="values of activation must be numbers"):
        SearchCurveDisplay.from_estimator(kinds.fit(*diabetes))
