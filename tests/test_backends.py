"""Estimators that train several networks, under any backend of joblib."""

import numpy as np
import pytest
import sklearn
from common import diabetes, few_epochs, iris
from joblib import parallel_config
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn import config_context, get_config
from sklearn.base import is_classifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils.fixes import parse_version

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV
from skreg.inspection import stability_selection

pytestmark = few_epochs

BACKENDS = ["loky", "multiprocessing", "threading", "sequential"]
CHOICES = [RegularizedMLPClassifierCV, RegularizedMLPRegressorCV]


@pytest.fixture(scope="module")
def cluster():
    """A cluster of Dask's with a worker in this process."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            processes=False,
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def choice(Estimator, **given):
    model = Estimator(
        (4,), alphas=[0.1, 0.01], cv=3, max_iter=2, random_state=0, **given
    )
    return model, *(iris() if is_classifier(model) else diabetes())


def check_choice(Estimator, backend, n_jobs, **given):
    model, X, y = choice(Estimator)
    alone = model.fit(X, y)
    model, X, y = choice(Estimator, n_jobs=n_jobs, **given)
    with parallel_config(backend, **({} if n_jobs else {"n_jobs": 2})):
        model.fit(X, y)
    assert_array_equal(model.scores_, alone.scores_)
    assert_array_equal(model.predict(X), alone.predict(X))


@pytest.mark.parametrize("Estimator", CHOICES)
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_choice_of_a_strength(Estimator, backend, n_jobs):
    check_choice(Estimator, backend, n_jobs)


# What Dask warns of is not ours.
dasks_own = pytest.mark.filterwarnings("ignore")


@dasks_own
@pytest.mark.parametrize("Estimator", CHOICES)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_choice_of_a_strength_with_dask(Estimator, n_jobs, cluster):
    check_choice(Estimator, "dask", n_jobs)


def check_stability(backend):
    X, y = diabetes()
    model = RegularizedMLPRegressor((), solver="lbfgs", l1=0.1)
    settings = {"n_resamples": 3, "random_state": 0}
    alone = stability_selection(model, X, y, **settings)
    with parallel_config(backend, n_jobs=2):
        result = stability_selection(model, X, y, **settings)
    assert_array_equal(result.frequencies, alone.frequencies)


@pytest.mark.parametrize("backend", BACKENDS)
def test_stability_selection(backend):
    check_stability(backend)


@dasks_own
def test_stability_selection_with_dask(cluster):
    check_stability("dask")


def check_search(backend):
    X, y = iris()
    network = RegularizedMLPClassifier((4,), max_iter=2, random_state=0)
    search = GridSearchCV(network, {"l1": [0.0, 0.1]}, cv=2)
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with parallel_config(backend, n_jobs=2):
        results = search.fit(X, y).cv_results_
    assert_array_equal(results["mean_test_score"], alone)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_search(backend):
    check_search(backend)


@dasks_own
def test_a_search_over_choices_with_dask(cluster):
    check_search("dask")
    model, X, y = choice(RegularizedMLPClassifierCV)
    search = GridSearchCV(model, {"param": ["l1", "l2"]}, cv=2)
    with parallel_config("dask"):
        assert search.fit(X, y).best_score_ > 0


class Noted:
    """A scorer that keeps the configuration that it runs under."""

    def __init__(self):
        self.seen = []

    def __call__(self, estimator, X, y):
        self.seen.append(get_config()["assume_finite"])
        return 1.0

    def __deepcopy__(self, memo):
        return self


def check_configuration(backend):
    scoring = Noted()
    model, X, y = choice(RegularizedMLPRegressorCV, n_jobs=2, scoring=scoring)
    with config_context(assume_finite=True), parallel_config(backend):
        model.fit(X, y)
    assert len(scoring.seen) >= 6
    assert all(scoring.seen)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_configuration_reaches_the_paths(backend):
    check_configuration(backend)


@dasks_own
def test_the_configuration_reaches_the_paths_with_dask(cluster):
    check_configuration("dask")


class Configured(RegularizedMLPRegressor):
    """Selects all features under a configuration, and none under another."""

    def fit(self, X, y):
        super().fit(X, y)
        self.mask_ = np.full(X.shape[1], get_config()["assume_finite"])
        return self

    @property
    def selected_features_(self):
        return self.mask_


def test_the_configuration_reaches_stability_selection():
    X, y = diabetes()
    model = Configured((), solver="lbfgs")
    with config_context(assume_finite=True):
        result = stability_selection(model, X, y, n_resamples=2, n_jobs=2)
    assert (result.frequencies == 1).all()


@pytest.mark.parametrize("routing", [False, True])
def test_an_iterator_of_folds_is_used_up(routing):
    model, X, y = choice(RegularizedMLPRegressorCV)
    folds = list(KFold(3).split(X))
    expected = model.set_params(cv=folds).fit(X, y).scores_
    if routing and parse_version(sklearn.__version__) < parse_version("1.8"):
        pytest.skip("scikit-learn copies what is routed before 1.8, and no generator")
    model.set_params(cv=(fold for fold in folds))
    with config_context(enable_metadata_routing=routing):
        assert_array_equal(model.fit(X, y).scores_, expected)
        with pytest.raises(ValueError, match=r"cv=.*gave no folds.*list\("):
            model.fit(X, y)
    # what was fitted is still there
    assert_array_equal(model.scores_, expected)


def test_an_iterator_of_folds_cannot_be_cloned():
    model, X, y = choice(RegularizedMLPRegressorCV)
    model.set_params(cv=KFold(3).split(X))
    with pytest.raises(ValueError, match=r"cv=.*once only.*list\("):
        stability_selection(model, X, y)
