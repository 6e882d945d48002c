"""The fitted network in what a display is given."""

from itertools import pairwise

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg._estimators.base import BaseRegularizedMLP

ACCEPTED = (
    "a RegularizedMLPClassifier or RegularizedMLPRegressor, a Pipeline that ends with "
    "one, or a search or TransformedTargetRegressor over these"
)
# Where others keep the estimator that they fitted.
KEPT_IN = ("best_estimator_", "regressor_", "estimator_")


def fitted_network(estimator):
    """The network in an estimator, and the fitted steps before it.

    Parameters
    ----------
    estimator : object
        A network; a Pipeline that ends with one; a search such as GridSearchCV, whose
        ``best_estimator_`` is taken; a TransformedTargetRegressor.

    Returns
    -------
    network : RegularizedMLPClassifier or RegularizedMLPRegressor
        Fitted.
    steps : Pipeline or None
        What comes before it.

    Raises
    ------
    TypeError
        If there is none in it.
    NotFittedError
        If it is not fitted.
    """
    given, steps = estimator, None
    while not isinstance(estimator, BaseRegularizedMLP):
        if isinstance(estimator, Pipeline):
            check_is_fitted(estimator)
            # of pipelines in pipelines the inner steps give the network's features
            steps = estimator[:-1] if len(estimator) > 1 else None
            estimator = estimator[-1]
            continue
        kept = [name for name in KEPT_IN if hasattr(estimator, name)]
        if not kept:
            _refuse(estimator, given)
        estimator = getattr(estimator, kept[0])
    check_is_fitted(estimator)
    return estimator, steps


def _refuse(estimator, given):
    """Raise: nothing in it is a fitted network."""
    name = type(given).__name__
    inner = getattr(estimator, "estimator", getattr(estimator, "regressor", None))
    if inner is not None:
        if getattr(estimator, "refit", True) is False:
            raise NotFittedError(
                f"This {name} has refit=False, and so no fitted network. Fit its "
                "estimator with best_params_, or set refit=True."
            )
        check_is_fitted(estimator)
    raise TypeError(f"estimator must be {ACCEPTED}; got {name}.")


def feature_names(network, steps):
    """Names of the network's features, or x0, x1, ...; an array of str."""
    if hasattr(network, "feature_names_in_"):
        return np.asarray(network.feature_names_in_, dtype=object)
    if steps is not None:
        try:
            return np.asarray(steps.get_feature_names_out(), dtype=object)
        except (AttributeError, ValueError):
            pass  # a step that does not know what it makes
    return np.array([f"x{j}" for j in range(network.n_features_in_)], dtype=object)


def layer_names(network):
    """What each weight matrix connects; the skip connection's comes last."""
    hidden = network.n_layers_ - 2
    ends = ["inputs", *(f"hidden {l + 1}" for l in range(hidden)), "output"]
    if hidden == 1:
        ends[1] = "hidden"
    names = [f"{a} → {b}" for a, b in pairwise(ends)]
    if skip_matrix(network) is not None:
        names.append("skip: inputs → output")
    return names


def weight_matrices(network):
    """The weight matrices, dense or sparse; the skip connection's comes last."""
    skip = skip_matrix(network)
    return [*network.coefs_, *([] if skip is None else [skip])]


def skip_matrix(network):
    """The weights of the linear connection from inputs to outputs, or None."""
    return getattr(network, "skip_coef_", None)
