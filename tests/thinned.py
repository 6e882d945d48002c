"""Fitted estimators of every kind, of whose weights many are set to zero."""

import numpy as np
from common import data_for
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import is_classifier

# name: (estimator, what y is, parameters)
KINDS = {
    "multiclass": (RegularizedMLPClassifier, "as it is", {"activation": "tanh"}),
    "binary": (RegularizedMLPClassifier, "binary", {"activation": "gelu"}),
    "multilabel": (RegularizedMLPClassifier, "two", {"activation": "elu"}),
    "regression": (RegularizedMLPRegressor, "as it is", {}),
    "two outputs": (RegularizedMLPRegressor, "two", {"activation": "silu"}),
    "poisson": (RegularizedMLPRegressor, "as it is", {"loss": "poisson"}),
    "linear": (RegularizedMLPRegressor, "as it is", {"hidden_layer_sizes": ()}),
    "residual": (
        RegularizedMLPRegressor,
        "as it is",
        {"hidden_layer_sizes": (12, 12, 12, 7, 7), "residual": True},
    ),
    "norm before": (RegularizedMLPClassifier, "as it is", {"batch_norm": "before"}),
    "norm after": (RegularizedMLPRegressor, "as it is", {"batch_norm": "after"}),
    "residual norm": (
        RegularizedMLPRegressor,
        "two",
        {"hidden_layer_sizes": (9, 9), "residual": True, "batch_norm": "before"},
    ),
    "skip": (RegularizedMLPRegressor, "two", {"skip": True}),
    "skip norm": (
        RegularizedMLPClassifier,
        "as it is",
        {"skip": True, "batch_norm": "after", "activation": "tanh"},
    ),
}


def targets(y, kind):
    if kind == "binary":
        return (y > np.median(y)).astype(int)
    if kind == "two":
        return np.column_stack([y > np.median(y), y > np.quantile(y, 0.3)]).astype(int)
    return y


def thinned(kind, *, share=0.8, seed=0, dtype="float64", **given):
    """(Estimator, X): fitted for two epochs, then a share of its weights removed."""
    Estimator, wanted, settings = KINDS[kind]
    settings = {"hidden_layer_sizes": (12, 8)} | settings | given
    model = Estimator(max_iter=2, dtype=dtype, random_state=seed, **settings)
    X, y = data_for(model)
    if not is_classifier(model):
        y = y / 100
    model.fit(X, targets(y, wanted))
    remove(model, share, np.random.default_rng(seed))
    return model, X


def remove(model, share, rng):
    """Set a share of a fitted estimator's weights to zero, and its biases at random."""
    for W in model._network.matrices():
        W[rng.random(W.shape) < share] = 0
    for b in model.intercepts_:
        b[:] = rng.normal(size=b.shape)
    model._network.changed()


def raw_predictions(model, X):
    """What is continuous: probabilities, or values."""
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)
