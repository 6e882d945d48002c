"""What "auto" stands for, and fits of those who set nothing."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
    regularization_path,
)
from skreg._estimators.callbacks import HAVE_CALLBACKS
from skreg._problem.automatic import (
    automatic_values,
    batch_size,
    epochs,
    plain_settings,
)
from skreg.adversarial import AdversarialTraining
from skreg.augmentation import Mixup
from skreg.schedules import Cosine, OneCycle

BOTH = [RegularizedMLPClassifier, RegularizedMLPRegressor]
RECIPE = {
    "dropout": 0.2,
    "weight_decay": 0.05,
    "feature_scaling": 6.0,
    "preprocessing": "robust",
    "batch_size": 32,
    "learning_rate": "one_cycle",
    "max_iter": 60,
    "early_stopping": True,
    "n_iter_no_change": 15,
    "n_members": 4,
}
OF_TASK = {
    RegularizedMLPClassifier: {
        "hidden_layer_sizes": (256, 256),
        "dropout": 0.2,
        "learning_rate_init": 0.003,
        "max_iter": 40,
        "n_iter_no_change": 15,
        "label_smoothing": 0.02,
    },
    RegularizedMLPRegressor: {
        "hidden_layer_sizes": (256, 128),
        "dropout": 0.1,
        "learning_rate_init": 0.005,
        "max_iter": 60,
        "n_iter_no_change": 23,
    },
}
QUICK = {"hidden_layer_sizes": (16,), "max_iter": 10, "random_state": 0}


def values_for(model, n=1000, **given):
    return automatic_values(model, np.empty((n, 1)), **given)


@pytest.mark.parametrize("cls", BOTH)
def test_the_defaults_are_those_of_the_documentation(cls):
    model = cls()
    assert values_for(model) == RECIPE | OF_TASK[cls]
    assert all(getattr(model, name) == "auto" for name in plain_settings(cls))


@pytest.mark.parametrize(
    "params",
    [{"hidden_layer_sizes": ()}, {"solver": "sgd"}, {"solver": "lbfgs"}],
)
@pytest.mark.parametrize("cls", BOTH)
def test_linear_models_and_other_solvers_stay_plain(cls, params):
    found = values_for(cls(**params))
    plain = plain_settings(cls)
    assert found == {name: v for name, v in plain.items() if name not in params}


def test_what_is_set_is_kept():
    model = RegularizedMLPRegressor(
        (8,), dropout=0.5, early_stopping=False, n_members=2, batch_size=7
    )
    found = values_for(model)
    assert not found.keys() & {
        *("hidden_layer_sizes", "dropout", "early_stopping", "n_members", "batch_size")
    }
    assert found["learning_rate"] == "one_cycle"
    nothing_open = RegularizedMLPRegressor(**plain_settings(RegularizedMLPRegressor))
    assert values_for(nothing_open) == {}


@pytest.mark.parametrize(
    ("sizes", "dropout", "members"),
    [("auto", 0.2, 4), (64, 0.2, 1), (63, 0.0, 1), ((256, 8), 0.0, 1), ([99], 0.2, 1)],
)
def test_small_layers_leave_no_units_out_and_sizes_of_ones_own_are_one_network(
    sizes, dropout, members
):
    found = values_for(RegularizedMLPClassifier(sizes))
    assert (found["dropout"], found["n_members"]) == (dropout, members)


@pytest.mark.parametrize(
    ("penalty", "decay"),
    [
        *(({"l1": 0.1}, 0.0), ({"l1": "auto"}, 0.0), ({"l1": [0.0, 0.1]}, 0.0)),
        *(({"group_l1": 0.1}, 0.0), ({"l2": 0.1}, 0.05), ({"l1": [0.0, 0.0]}, 0.05)),
    ],
)
def test_what_would_change_the_objective_of_a_penalty_is_off(penalty, decay):
    found = values_for(RegularizedMLPRegressor(**penalty))
    assert found["weight_decay"] == decay
    assert found["feature_scaling"] == (6.0 if decay else 0.0)
    assert found["preprocessing"] == ("robust" if decay else None)
    found = values_for(RegularizedMLPClassifier(**penalty))
    assert found["label_smoothing"] == (0.02 if decay else 0.0)


@pytest.mark.parametrize(
    ("params", "rate", "preprocessing"),
    [
        ({"l2": "auto"}, 0.0, "robust"),
        ({"max_norm": 2.0}, 0.0, "robust"),
        ({"skip": True, "hierarchy": 3.0}, 0.0, "robust"),
        ({"adversarial": AdversarialTraining()}, 6.0, None),
        ({"augmentation": Mixup()}, 6.0, None),
    ],
)
def test_scales_of_features_leave_what_speaks_of_them_alone(
    params, rate, preprocessing
):
    found = values_for(RegularizedMLPClassifier(**params))
    assert found["feature_scaling"] == rate
    assert found["preprocessing"] == preprocessing
    narrow = sparse.csr_array((200, 2))
    found = automatic_values(RegularizedMLPClassifier(**params), narrow)
    assert found["feature_scaling"] == (rate if preprocessing else 0)
    assert found["preprocessing"] == preprocessing
    wide = sparse.csr_array((200, 513))
    found = automatic_values(RegularizedMLPClassifier(**params), wide)
    assert found["feature_scaling"] == 0
    assert found["preprocessing"] is None


@pytest.mark.parametrize(
    ("schedule", "rate", "max_iter", "patience"),
    [
        ("constant", 0.001, 200, 10),
        ("adaptive", 0.001, 200, 10),
        ("one_cycle", 0.005, 60, 23),
        (OneCycle(rise=0.1), 0.005, 60, 23),
        ("cosine", 0.001, 60, 23),
        (Cosine(), 0.001, 60, 23),
    ],
)
def test_rate_and_epochs_go_with_the_schedule(schedule, rate, max_iter, patience):
    found = values_for(RegularizedMLPRegressor(learning_rate=schedule))
    assert found["learning_rate_init"] == rate
    assert found["max_iter"] == max_iter
    assert found["n_iter_no_change"] == patience


@pytest.mark.parametrize(("max_iter", "patience"), [(1, 5), (40, 15), (500, 188)])
def test_patience_goes_with_the_epochs(max_iter, patience):
    found = values_for(RegularizedMLPRegressor(max_iter=max_iter))
    assert found["n_iter_no_change"] == patience
    # many rows have few epochs
    assert values_for(RegularizedMLPRegressor(), 10**6)["n_iter_no_change"] == 5


def test_rows_decide_on_epochs_batches_and_validation():
    rows = [1, 10_000, 20_000, 100_000, 1_000_000]
    for cls, expected in zip(
        BOTH, [(40, 40, 20, 6, 6), (60, 60, 30, 6, 6)], strict=True
    ):
        assert tuple(epochs(cls(), n) for n in rows) == expected
    assert [batch_size(n) for n in [1, 500, 1000, 3000, 49_999, 50_000]] == [
        *(16, 16, 32, 128, 128, 512)
    ]
    model = RegularizedMLPClassifier()
    assert not values_for(model, 29)["early_stopping"]
    assert values_for(model, 30)["early_stopping"]
    assert values_for(model, 20, validates=True)["early_stopping"]
    # a place for each class, or label
    for n_classes, on in [(3, True), (4, False)]:
        classes = np.arange(30) % n_classes
        assert values_for(model, 30, y=classes)["early_stopping"] is on
        assert values_for(model, 30, y=classes.astype(str))["early_stopping"] is on
        labels = sparse.csr_array((30, n_classes))
        assert values_for(model, 30, y=labels)["early_stopping"] is on
        assert values_for(model, 30, y=labels.toarray())["early_stopping"] is on
    # of the rows, those with a weight
    weights = np.r_[np.ones(29), np.zeros(971)]
    assert not values_for(model, sample_weight=weights)["early_stopping"]


@pytest.mark.parametrize("cls", BOTH)
def test_a_fit_says_what_it_used_and_leaves_the_parameters(cls):
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    model = cls(max_iter=3, random_state=0).fit(X, y)
    assert model.automatic_params_ == {
        **{name: value for name, value in RECIPE.items() if name != "max_iter"},
        **{name: v for name, v in OF_TASK[cls].items() if name != "max_iter"},
        "batch_size": 16,
        "n_iter_no_change": 5,
    }
    assert model.hidden_layer_sizes == "auto"
    assert model.get_params() == cls(max_iter=3, random_state=0).get_params()
    assert len(model.members_) == 4
    explicit = clone(model).set_params(**model.automatic_params_).fit(X, y)
    assert not hasattr(explicit, "automatic_params_")
    np.testing.assert_array_equal(explicit.predict(X), model.predict(X))
    sizes = OF_TASK[cls]["hidden_layer_sizes"]
    assert [m.hidden_layer_sizes for m in model.members_] == [sizes] * 4


def test_a_single_network_keeps_what_it_used_too():
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    model = RegularizedMLPRegressor(**QUICK).fit(X, y)
    assert model.automatic_params_["n_members"] == 1
    explicit = clone(model).set_params(**model.automatic_params_).fit(X, y)
    np.testing.assert_array_equal(explicit.predict(X), model.predict(X))
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.automatic_params_ == model.automatic_params_
    model.set_params(**model.automatic_params_).fit(X, y)
    assert not hasattr(model, "automatic_params_")


@pytest.mark.parametrize("cls", BOTH)
def test_the_defaults_are_no_worse_than_a_linear_model(cls):
    if cls is RegularizedMLPClassifier:
        X, y = load_breast_cancer(return_X_y=True)
        peers = [LogisticRegression(), MLPClassifier(max_iter=1000, random_state=0)]
    else:
        X, y = load_diabetes(return_X_y=True)
        peers = [Ridge(), MLPRegressor(max_iter=3000, random_state=0)]
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    with warnings.catch_warnings():
        # scikit-learn's network has not converged
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        scores = [
            make_pipeline(StandardScaler(), model).fit(X, y).score(X_test, y_test)
            for model in [cls(random_state=0), *peers]
        ]
    assert scores[0] > max(scores[1:]) - 0.06


@pytest.mark.parametrize("n", [1, 2, 3, 5, 20])
def test_few_rows(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    model = RegularizedMLPRegressor(random_state=0)
    with warnings.catch_warnings():
        # that the network is worse than a constant, which may be so
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert np.isfinite(model.fit(X, X[:, 0]).predict(X)).all()
        if n > 1:
            y = np.arange(n)
            model = RegularizedMLPClassifier(random_state=0).fit(X, y)
            assert model.predict_proba(X).shape == (n, n)


@pytest.mark.parametrize("Y", [np.eye(100, dtype=int), np.arange(100) // 2])
def test_rows_that_validation_would_take_from_their_class_all_train(Y):
    X = np.random.default_rng(0).normal(size=(100, 3))
    model = RegularizedMLPClassifier(random_state=0, max_iter=2)
    with warnings.catch_warnings():
        # that noise was learnt no better than a constant
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    assert not model.automatic_params_["early_stopping"]
    assert model.predict(X).shape == Y.shape


def test_sparse_rows_of_many_columns():
    X = sparse.random(300, 2000, density=0.01, random_state=0, format="csr")
    y = np.asarray(X[:, :50].sum(axis=1)).ravel() > 0.25
    model = RegularizedMLPClassifier(random_state=0, max_iter=5).fit(X, y)
    assert model.score(X, y) > 0.7


def test_validation_rows_that_are_given_are_used():
    X, y = make_regression(60, 4, random_state=0)
    model = RegularizedMLPRegressor(**QUICK)
    model.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    assert model.automatic_params_["early_stopping"]
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize("cls", BOTH)
def test_partial_fit_needs_no_end(cls):
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    known = {"classes": [0, 1]} if cls is RegularizedMLPClassifier else {}
    model = cls(random_state=0)
    for _ in range(3):
        model.partial_fit(X, y, **known)
    assert not hasattr(model, "members_")
    assert model.automatic_params_["learning_rate"] == "constant"
    assert model.automatic_params_["early_stopping"] is False
    fitted = cls(random_state=0, max_iter=2).fit(X, y)
    seen = [member.t_ for member in fitted.members_]
    fitted.partial_fit(X, y)
    assert [member.t_ for member in fitted.members_] == [t + len(X) for t in seen]


def test_warm_start_goes_on():
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    model = RegularizedMLPRegressor(**(QUICK | {"warm_start": True})).fit(X, y)
    t = model.t_
    model.fit(X, y)
    assert model.t_ > t


@pytest.mark.parametrize("sizes", ["auto", (16,)])
def test_fine_tuning(sizes):
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    base = RegularizedMLPRegressor(sizes, max_iter=5, random_state=0).fit(X, y)
    adapted = base.fine_tune(X, y + 10, max_iter=20)
    assert adapted.score(X, y + 10) > 0.3
    assert base.automatic_params_["learning_rate"] == "one_cycle"


def test_paths_and_estimators_that_choose_a_strength_are_plain():
    X, y = make_regression(80, 5, noise=1, random_state=0)
    auto = RegularizedMLPRegressor()
    plain = RegularizedMLPRegressor(**plain_settings(RegularizedMLPRegressor))
    for model in (auto, plain):
        model.set_params(random_state=0, max_iter=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        paths = [
            regularization_path(model, X, y, alphas=[0.01, 0.1])
            for model in (auto, plain)
        ]
        np.testing.assert_array_equal(paths[0].losses, paths[1].losses)
        chosen = RegularizedMLPRegressorCV(
            alphas=[0.01, 0.1], cv=2, random_state=0, max_iter=20
        ).fit(X, y)
    assert len(chosen.coefs_) == 2
    assert "n_members" not in RegularizedMLPClassifierCV().get_params()


@pytest.mark.skipif(
    not HAVE_CALLBACKS, reason="scikit-learn before 1.9 has no callbacks"
)
@pytest.mark.parametrize("sizes", ["auto", (16,)])
@pytest.mark.parametrize("cls", BOTH)
def test_callbacks_score_what_is_learnt(cls, sizes):
    from sklearn.callback import ScoringMonitor

    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    scoring = "accuracy" if cls is RegularizedMLPClassifier else "r2"
    monitor = ScoringMonitor(scoring=scoring)
    model = cls(sizes, max_iter=3, random_state=0).set_callbacks(monitor).fit(X, y)
    assert model.score(X, y) > 0.5
    assert not hasattr(model, "_given_by")
    assert not hasattr(model, "_callback_fit_ctx")


def test_a_search_over_what_is_automatic():
    X, y = load_diabetes(return_X_y=True)
    search = GridSearchCV(
        RegularizedMLPRegressor(**(QUICK | {"max_iter": 20})),
        {"dropout": ["auto", 0.1], "weight_decay": ["auto", 0.01]},
        cv=2,
    ).fit(scale(X), y)
    assert len(search.cv_results_["params"]) == 4


@pytest.mark.parametrize(
    "name", sorted(set(plain_settings(RegularizedMLPClassifier)) - {"batch_size"})
)
def test_other_words_are_refused(name):
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.raises(ValueError, match=name):
        RegularizedMLPClassifier(**{name: "some"}).fit(X, y)


def test_a_failed_fit_leaves_what_was_used_before():
    X, y = load_diabetes(return_X_y=True)
    model = RegularizedMLPRegressor(**QUICK).fit(scale(X), y)
    before = dict(vars(model))
    model.set_params(l1=-1.0)
    with pytest.raises(ValueError, match="l1"):
        model.fit(X, y)
    assert vars(model) == before | {"l1": -1.0}


@pytest.mark.parametrize("cls", BOTH)
def test_same_seed_same_bits(cls):
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    first, second = (cls(random_state=3, max_iter=3).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
