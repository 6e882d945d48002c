"""Stability selection: its halves, its counts and its bound."""

import numpy as np
import pytest
from common import assert_refused, diabetes, few_epochs, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import Lasso
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils._param_validation import InvalidParameterError

from skreg.inspection import StabilitySelection, stability_selection

pytestmark = few_epochs


class Recorder(RegressorMixin, BaseEstimator):
    """Selects a feature if it is the largest in the rows' mean; keeps its rows."""

    seen = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        self.seen.append(
            (np.asarray(X), np.asarray(y), sample_weight, self.random_state)
        )
        mean = np.mean(X, axis=0)
        self.selected_features_ = mean == mean.max()
        return self


class ClassRecorder(ClassifierMixin, Recorder):
    seen = []


def test_halves_complement_each_other():
    X = np.arange(21.0)[:, None] + [0, 100]
    Recorder.seen.clear()
    result = stability_selection(
        Recorder(),
        X,
        X[:, 0],
        n_resamples=7,
        sample_weight=X[:, 0],
        random_state=0,
    )
    assert len(Recorder.seen) == 14
    for first, second in zip(Recorder.seen[::2], Recorder.seen[1::2], strict=True):
        rows = np.concatenate([first[1], second[1]])
        # one of the 21 rows is left over
        assert len(first[1]) == len(second[1]) == 10
        assert len(np.unique(rows)) == 20
        for seen_X, seen_y, weights, _ in [first, second]:
            assert_array_equal(seen_X[:, 0], seen_y)
            assert_array_equal(weights, seen_y)
    assert len({seen[3] for seen in Recorder.seen}) == 14
    assert len({tuple(seen[1]) for seen in Recorder.seen}) == 14
    assert_array_equal(result.frequencies, [0, 1])
    assert result.n_selected == 1


def test_classes_keep_their_shares():
    y = np.repeat(["a", "b", "c"], [4, 20, 40])
    ClassRecorder.seen.clear()
    stability_selection(ClassRecorder(), np.ones((64, 2)), y, n_resamples=3)
    assert len(ClassRecorder.seen) == 6
    for _, seen, _, _ in ClassRecorder.seen:
        assert_array_equal(np.unique(seen, return_counts=True)[1], [2, 10, 20])


def test_frequencies_are_shares_of_the_fits():
    X, y = diabetes()
    model = RegularizedMLPRegressor((), solver="lbfgs", l1=0.1)
    result = stability_selection(model, X, y, n_resamples=10, random_state=0)
    counts = result.frequencies * 20
    assert_allclose(counts, np.round(counts), atol=1e-9)
    assert 0 < result.frequencies.mean() < 1
    assert result.n_selected == pytest.approx(counts.sum() / 20)
    assert not hasattr(model, "coefs_")
    # at least the threshold, not only above it
    result.threshold = float(result.frequencies[result.frequencies < 1].max())
    assert_array_equal(result.selected_features, result.frequencies >= result.threshold)


def test_the_same_for_any_number_of_jobs_and_for_the_same_seed():
    X, y = iris()
    model = RegularizedMLPClassifier((6,), l1=0.02, max_iter=3)
    results = [
        stability_selection(model, X, y, n_resamples=4, n_jobs=n, random_state=seed)
        for n, seed in [(1, 0), (2, 0), (1, 1)]
    ]
    assert_array_equal(results[0].frequencies, results[1].frequencies)
    assert results[0].n_selected == results[1].n_selected


def test_truth_is_found_among_noise():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 30))
    y = X[:, 3] - 2 * X[:, 8] + rng.normal(size=200)
    model = RegularizedMLPRegressor((), solver="lbfgs", l1=0.06)
    once = model.fit(X, y).selected_features_
    result = stability_selection(
        model, X, y, n_resamples=25, threshold=0.9, random_state=0
    )
    assert once.sum() > 2
    assert_array_equal(np.flatnonzero(result.selected_features), [3, 8])
    assert result.expected_false_selections > 0


@pytest.mark.parametrize("as_X", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    "estimator",
    [
        Lasso(alpha=5),
        make_pipeline(StandardScaler(with_mean=False), Lasso(alpha=5)),
        RegularizedMLPRegressor((), solver="lbfgs", l1=0.1),
    ],
    ids=["linear", "pipeline", "skreg"],
)
def test_estimators_and_kinds_of_X(estimator, as_X):
    X, y = diabetes()
    result = stability_selection(
        estimator, as_X(X), y, n_resamples=5, random_state=0, threshold=0.9
    )
    assert result.selected_features[[2, 8]].all()
    assert not result.selected_features.all()


def test_coef_of_several_classes():
    X, y = iris()
    model = LinearSVC(penalty="l1", dual=False, C=0.05, max_iter=10_000)
    result = stability_selection(model, X, y, n_resamples=3, random_state=0)
    assert result.frequencies.shape == (4,)
    assert result.selected_features[2]


def test_names():
    pd = pytest.importorskip("pandas")
    X, y = diabetes()
    frame = pd.DataFrame(X).add_prefix("x")
    result = stability_selection(Lasso(alpha=5), frame, y, n_resamples=3)
    assert "x2" in result.selected_feature_names
    assert len(result.selected_feature_names) == result.selected_features.sum()
    assert stability_selection(Lasso(), X, y, n_resamples=1).feature_names is None
    assert StabilitySelection(np.ones(2), 0.6, 2.0).selected_feature_names is None


def test_the_bound():
    result = StabilitySelection(np.zeros(100), threshold=0.75, n_selected=5.0)
    assert result.expected_false_selections == pytest.approx(25 / (0.5 * 100))


def test_what_is_refused():
    X, y = diabetes()
    for given in [
        {"threshold": 0.5},
        {"threshold": 1.1},
        {"n_resamples": 0},
        {"n_resamples": 2.5},
    ]:
        (name,) = given
        assert_refused(
            lambda given=given: stability_selection(Lasso(), X, y, **given),
            InvalidParameterError,
            name,
        )
    assert_refused(
        lambda: stability_selection(KNeighborsRegressor(), X, y, n_resamples=1),
        ValueError,
        "KNeighborsRegressor",
        "selected_features_",
    )
    assert_refused(
        lambda: stability_selection(
            make_pipeline(SelectKBest(k=3), Lasso()), X, y, n_resamples=1
        ),
        ValueError,
        "3 features",
        "has 10",
    )
