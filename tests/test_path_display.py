"""Plots of regularization paths."""

import numpy as np
import pytest
from common import assert_refused, diabetes, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPRegressorCV, regularization_path
from skreg.inspection import RegularizationPathDisplay

pytest.importorskip("matplotlib").use("Agg")
LINEAR = {"hidden_layer_sizes": (), "solver": "lbfgs", "l2": 0.0}
NAMES = [f"x{j}" for j in range(10)]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def path():
    X, y = diabetes()
    return regularization_path(
        RegularizedMLPRegressor(**LINEAR), X, y, alphas=6, X_val=X[::2], y_val=y[::2]
    )


@pytest.fixture(scope="module")
def chooser():
    return RegularizedMLPRegressorCV(**LINEAR, alphas=6).fit(*diabetes())


def test_weights_of_a_linear_model(path):
    display = RegularizationPathDisplay.from_path(path, feature_names=NAMES)
    assert display.ax_.get_ylabel() == "Weight"
    assert display.ax_.get_xscale() == "log"
    for j, line in enumerate(display.lines_):
        assert_array_equal(line.get_xdata(), path.alphas)
        assert_array_equal(line.get_ydata(), path.coefs[0][:, j, 0])
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == NAMES
    assert display.chosen_line_ is None


def test_norms_where_there_are_several_outputs():
    path = regularization_path(
        RegularizedMLPClassifier(**LINEAR), *iris(), alphas=[0.1, 0.01]
    )
    display = RegularizationPathDisplay.from_path(path)
    assert display.ax_.get_ylabel() == "Norm of outgoing weights"
    norms = path.estimator(1).feature_importances_
    assert_allclose([line.get_ydata()[1] for line in display.lines_], norms)
    assert display.ax_.get_legend() is None


def test_losses(path):
    training, validation = RegularizationPathDisplay.from_path(
        path, kind="losses"
    ).lines_
    assert_array_equal(training.get_ydata(), path.losses)
    assert_array_equal(validation.get_ydata(), -path.validation_scores)


def test_number_of_features(path):
    (line,) = RegularizationPathDisplay.from_path(path, kind="nonzero").lines_
    assert_array_equal(line.get_ydata(), path.n_nonzero_features)


def test_choice_of_cross_validation(chooser):
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    display = RegularizationPathDisplay.from_estimator(
        chooser, kind="losses", ax=ax, color="k"
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    _, folds = display.lines_
    assert_allclose(folds.get_ydata(), -chooser.cv_results_["mean_test_score"])
    assert folds.get_color() == "k"
    (band,) = ax.collections
    low = band.get_paths()[0].vertices[:, 1].min()
    error = chooser.scores_.std(axis=1, ddof=1) / np.sqrt(5)
    assert low == pytest.approx((-chooser.scores_.mean(axis=1) - error).min())
    assert display.chosen_line_.get_xdata()[0] == chooser.alpha_
    again = display.plot(kind="nonzero")
    assert again is display
    assert display.ax_ is not ax


def test_bad_input(path):
    assert_refused(
        lambda: RegularizationPathDisplay.from_path(path, kind="none"),
        ValueError,
        "kind",
        "features",
        "'none'",
    )
    with pytest.raises(NotFittedError):
        RegularizationPathDisplay.from_estimator(RegularizedMLPRegressorCV())
