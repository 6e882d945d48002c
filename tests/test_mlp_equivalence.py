"""With the extras off the estimators take the steps of scikit-learn's MLP.

Same initial weights and same batches give the same weights to 1e-10 in float64.
"""

import numpy as np
import pytest
from common import diabetes, iris
from numpy.testing import assert_allclose
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skreg._network.network import Network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EPOCHS = 7


def name_of(given):
    """A name for the settings of a solver."""
    return "-".join(map(str, given.values()))


def binary():
    X, y = iris()
    return X, (y == 1).astype(int)


def multilabel():
    X, Y = make_multilabel_classification(150, 6, n_classes=3, random_state=0)
    return X / 10, Y


def several_outputs():
    X, y = diabetes()
    return X, np.stack([y / 100, X[:, 1] - y / 50], axis=1)


def one_output():
    X, y = diabetes()
    return X, y / 100


PROBLEMS = {
    "binary": (binary, MLPClassifier, RegularizedMLPClassifier),
    "multinomial": (iris, MLPClassifier, RegularizedMLPClassifier),
    "multilabel": (multilabel, MLPClassifier, RegularizedMLPClassifier),
    "one output": (one_output, MLPRegressor, RegularizedMLPRegressor),
    "several outputs": (several_outputs, MLPRegressor, RegularizedMLPRegressor),
}
SOLVERS = [
    {"solver": "adam"},
    {"solver": "adam", "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-4},
    {"solver": "sgd"},
    {"solver": "sgd", "nesterovs_momentum": False},
    {"solver": "sgd", "momentum": 0.0},
    {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    # the rate is high enough to leave the best constant: there no epoch is counted
    {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.1,
        "tol": 10.0,
        "n_iter_no_change": 1,
    },
]


def pair(problem, monkeypatch, *, hidden=(8, 5), batch_size=32, alpha=0.0, **given):
    """scikit-learn's estimator and ours after the same epochs, and X."""
    load, Theirs, Ours = PROBLEMS[problem]
    X, y = load()
    shared = {
        "hidden_layer_sizes": hidden,
        "activation": "tanh",
        "learning_rate_init": 0.01,
        "max_iter": EPOCHS,
        "batch_size": batch_size,
        "shuffle": False,
        "random_state": 0,
    } | given
    theirs = Theirs(**shared, alpha=alpha)

    def start_like_theirs(network, random_state, output_bias, constant):
        """Draw what scikit-learn draws from the same seed."""
        drawing = Theirs(activation=shared["activation"])
        drawing._random_state = np.random.RandomState(shared["random_state"])
        for W, b in zip(network.coefs, network.intercepts, strict=True):
            W[:], b[:] = drawing._init_coef(*W.shape, network.dtype)

    monkeypatch.setattr(Network, "initialise", start_like_theirs)
    ours = Ours(**shared, l2=alpha / batch_size, dtype="float64")
    if Ours is RegularizedMLPRegressor:
        ours.set_params(standardize_target=False)
    return theirs, ours, X, y


def assert_same(ours, theirs, X):
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_allclose(mine, other, rtol=0, atol=1e-10)
    for mine, other in zip(ours.intercepts_, theirs.intercepts_, strict=True):
        assert_allclose(mine, other, rtol=0, atol=1e-10)
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-9)
    for name in ["n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"]:
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(
    "given", SOLVERS, ids=lambda given: "-".join(map(str, given.values()))
)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_same_weights(problem, given, container, monkeypatch):
    theirs, ours, X, y = pair(problem, monkeypatch, **given)
    X = container(X)
    assert_same(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_same_weights_for_each_activation(activation, monkeypatch):
    theirs, ours, X, y = pair("multinomial", monkeypatch, activation=activation)
    assert_same(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("problem", ["multinomial", "one output"])
@pytest.mark.parametrize("given", SOLVERS[:4:2])
def test_alpha_is_l2_times_batch_size(problem, given, monkeypatch):
    """scikit-learn divides alpha by the rows of each batch: all must be equal."""
    load, *_ = PROBLEMS[problem]
    n = len(load()[0])
    batch_size = {150: 50, 442: 34}[n]
    theirs, ours, X, y = pair(
        problem, monkeypatch, alpha=2.0, batch_size=batch_size, **given
    )
    assert_same(ours.fit(X, y), theirs.fit(X, y), X)


def test_same_losses_without_penalty(monkeypatch):
    theirs, ours, X, y = pair("multinomial", monkeypatch)
    ours.fit(X, y)
    theirs.fit(X, y)
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)
    assert ours.best_loss_ == pytest.approx(theirs.best_loss_, rel=1e-10)
    # theirs averages the squared error over outputs, ours sums half of it
    theirs, ours, X, y = pair("one output", monkeypatch)
    assert_allclose(ours.fit(X, y).loss_curve_, theirs.fit(X, y).loss_curve_, rtol=1e-9)


def test_same_end_of_training(monkeypatch):
    """Both stop on the same plateau of the training loss."""
    given = {"max_iter": 300, "tol": 1e-3, "n_iter_no_change": 3}
    theirs, ours, X, y = pair("multinomial", monkeypatch, **given)
    theirs.fit(X, y)
    ours.fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_ < 300


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_same_partial_fits(solver, monkeypatch):
    theirs, ours, X, y = pair("multinomial", monkeypatch, solver=solver)
    parts = np.array_split(np.arange(len(y)), 3)
    for part in [*parts, *parts]:
        theirs.partial_fit(X[part], y[part], classes=[0, 1, 2])
        ours.partial_fit(X[part], y[part], classes=[0, 1, 2])
    assert_same(ours, theirs, X)
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)


def test_same_poisson_loss(monkeypatch):
    theirs, ours, X, y = pair("one output", monkeypatch, loss="poisson")
    assert_same(ours.fit(X, y), theirs.fit(X, y), X)


def test_same_early_stopping_rule(monkeypatch):
    """Given the same validation rows: score, best epoch and its weights."""
    given = {"max_iter": 60, "tol": 1e-3, "n_iter_no_change": 5}
    theirs, ours, X, y = pair("multinomial", monkeypatch, **given)
    rows, held_out = np.arange(0, 150, 2), np.arange(1, 150, 2)
    monkeypatch.setattr(
        "sklearn.neural_network._multilayer_perceptron.train_test_split",
        lambda X, y, **_: (X[rows], X[held_out], y[rows], y[held_out]),
    )
    theirs.set_params(early_stopping=True).fit(X, y)
    ours.set_params(early_stopping=True, scoring="accuracy")
    ours.fit(X[rows], y[rows], X_val=X[held_out], y_val=y[held_out])
    assert_allclose(ours.validation_scores_, theirs.validation_scores_)
    assert ours.best_validation_score_ == theirs.best_validation_score_
    assert_same(ours, theirs, X)
