"""Ways to select features, of a regression by their own rule or k for a classifier.

Features have a common scale, targets of a regression mean zero and variance one, and
classes are 0, 1, 2, ... Every way is a `Method`: a function, and the settings that it
is called with. LassoNet, on PyTorch, may be missing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import ceil

import numpy as np
from _plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectFdr, SelectKBest, f_classif, f_regression
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Lasso, LassoCV, LogisticRegression
from sklearn.model_selection import KFold, train_test_split

from skreg import RegularizedMLPRegressorCV, regularization_path
from skreg.inspection import stability_selection

FOLDS = 5
# A feature at the limit may come back in the last, smallest steps of a fit; this is
# where scikit-learn's SelectFromModel draws the line, too.
TINY = 1e-5


@dataclass(frozen=True)
class Method:
    """A function that selects features, and its settings.

    Attributes
    ----------
    function : callable
        Of X, y and the seed for the features of a regression, as a mask; of X, y, the
        number and the seed for those of a classifier, as indices, at most so many.
    settings : dict
        Keyword arguments of the function.
    modules : tuple of str
        What it needs besides scikit-learn and skreg.
    """

    function: Callable
    settings: dict = field(default_factory=dict)
    modules: tuple = ()

    @property
    def missing(self):
        """Modules that are not installed."""
        return [module for module in self.modules if find_spec(module) is None]

    def __call__(self, *arguments):
        return self.function(*arguments, **self.settings)


def folds(seed):
    """Those of a cross-validation, the same for all methods."""
    return KFold(FOLDS, shuffle=True, random_state=seed)


def simplest(scores):
    """By the one-standard-error rule, the first strength that is good enough.

    Parameters
    ----------
    scores : ndarray of shape (n_strengths, n_folds)
        Higher is better; from the largest strength to the smallest.

    Returns
    -------
    index : int
        Of the first whose mean is within one standard error of the best mean (Breiman
        et al. 1984).
    """
    means = scores.mean(axis=1)
    best = means.argmax()
    error = scores[best].std(ddof=1) / np.sqrt(scores.shape[1])
    return int(np.argmax(means >= means[best] - error))


def path_with_folds(X, y, seed, **network):
    """Of a network whose `group_l1` the one-standard-error rule chose."""
    model = RegularizedMLPRegressorCV(
        param="group_l1",
        selection="one_standard_error",
        cv=folds(seed),
        random_state=seed,
        **network,
    ).fit(X, y)
    return model.feature_importances_ > TINY


class DensestPoint(BaseEstimator):
    """The features of a path over `group_l1` at its densest point with so few.

    Parameters
    ----------
    network : estimator
    alphas : int
    number : int
        Most features.
    random_state : int
        That of `network` is used.
    """

    def __init__(self, network, alphas, number, random_state=None):
        self.network = network
        self.alphas = alphas
        self.number = number
        self.random_state = random_state

    def fit(self, X, y):
        """Select; `selected_features_` is the mask."""
        path = regularization_path(
            self.network, X, y, param="group_l1", alphas=self.alphas
        )
        used = np.array(
            [path.estimator(i).feature_importances_ > TINY for i in range(len(path))]
        )
        self.selected_features_ = used[densest(used.sum(axis=1), self.number)]
        return self


def stable(X, y, seed, *, alphas, number, n_resamples, threshold, **network):
    """Of stability selection: what paths on most halves of the rows have among few."""
    network = RegularizedMLPRegressor(random_state=seed, **network)
    return stability_selection(
        DensestPoint(network, alphas, number),
        X,
        y,
        n_resamples=n_resamples,
        threshold=threshold,
        random_state=seed,
    ).selected_features


def lasso(X, y, seed, **settings):
    """Of the Lasso, by the same rule."""
    search = LassoCV(cv=folds(seed), **settings).fit(X, y)
    alpha = search.alphas_[simplest(-search.mse_path_)]
    return Lasso(alpha, max_iter=search.max_iter).fit(X, y).coef_ != 0


def lassonet(X, y, seed, **settings):
    """Of LassoNet's own implementation, by the same rule on its own path."""
    from lassonet import LassoNetRegressor, LassoNetRegressorCV

    settings = in_batches(len(X), **settings) | quiet_torch(seed)
    search = LassoNetRegressorCV(cv=folds(seed), **settings)
    # its path rises
    search.path(X, y, return_state_dicts=False)
    place = len(search.lambdas_) - 1 - simplest(search.interp_scores_[::-1])
    last = LassoNetRegressor(**settings).path(
        X, y, lambda_seq=search.lambdas_[: place + 1]
    )[-1]
    return last.selected.numpy()


def quiet_torch(seed):
    """Settings of LassoNet that are no choice; and PyTorch on one thread."""
    import torch

    torch.set_num_threads(1)
    return {"verbose": 0, "random_state": seed, "torch_seed": seed, "device": "cpu"}


def in_batches(rows, *, batch_size, updates, **settings):
    """LassoNet's settings with `n_iters` of as many updates as our paths have.

    At its defaults, steps on all rows at once and a path as coarse as ours, the network
    for MNIST was no better than chance once less than a hundred features were left.
    """
    batch_size = min(batch_size, rows)
    first = max(100, epochs(rows, batch_size, updates))
    others = max(10, epochs(rows, batch_size, updates // 10))
    return settings | {"batch_size": batch_size, "n_iters": (first, others)}


def permuted(X, y, seed, *, test_size, n_repeats, **network):
    """Whose permutation on other rows makes a network without penalty worse.

    By more than two standard deviations among the permutations, as in scikit-learn's
    guide.
    """
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=test_size, random_state=seed
    )
    model = RegularizedMLPRegressor(random_state=seed, **network).fit(X, y)
    found = permutation_importance(
        model, X_test, y_test, n_repeats=n_repeats, random_state=seed
    )
    return found.importances_mean > 2 * found.importances_std


def correlated(X, y, seed, **settings):
    """By an F test of each alone, with a bound on the share of false discoveries."""
    return SelectFdr(f_regression, **settings).fit(X, y).get_support()


def densest(counts, number):
    """The index of a path's point with the most features, at most `number`."""
    return int(np.argmax(np.where(counts <= number, counts, -1)))


def epochs(rows, batch_size, updates):
    """How many have so many updates."""
    return ceil(updates / ceil(rows / batch_size))


def path_of_networks(X, y, number, seed, *, alphas, batch_size, updates, **network):
    """From a path over `group_l1`, the densest point with so few features."""
    batch_size = min(batch_size, len(X))
    model = RegularizedMLPClassifier(
        batch_size=batch_size,
        max_iter=epochs(len(X), batch_size, updates),
        random_state=seed,
        **network,
    )
    found = DensestPoint(model, alphas, number).fit(X, y)
    return np.flatnonzero(found.selected_features_)


def path_of_lassonet(X, y, number, seed, **settings):
    """The same of LassoNet's own path."""
    from lassonet import LassoNetClassifier

    settings = in_batches(len(X), **settings) | quiet_torch(seed)
    path = LassoNetClassifier(**settings).path(X, y)
    used = np.array([point.selected.numpy() for point in path])
    return np.flatnonzero(used[densest(used.sum(axis=1), number)])


def l1_logistic(X, y, number, seed, *, factor, points, **settings):
    """From a warm-started path of logistic regressions with L1, the last so sparse.

    It starts where all weights are zero: 1 / C is the largest entry of
    ``X.T @ (Y - Y.mean(axis=0))``, Y being the classes one-hot. A feature counts that
    any class uses.
    """
    onehot = np.eye(y.max() + 1)[y]
    start = 1 / np.abs(X.T @ (onehot - onehot.mean(axis=0))).max()
    model = LogisticRegression(
        l1_ratio=1.0, solver="saga", warm_start=True, random_state=seed, **settings
    )
    chosen = np.array([], dtype=int)
    for C in start * factor ** np.arange(1, points):
        used = np.flatnonzero(model.set_params(C=C).fit(X, y).coef_.any(axis=0))
        if len(used) > number:
            break
        chosen = used
    return chosen


def univariate(X, y, number, seed):
    """The highest F statistics, each feature alone."""
    return SelectKBest(f_classif, k=number).fit(X, y).get_support(indices=True)


def at_random(X, y, number, seed):
    """Any."""
    return np.random.default_rng(seed).choice(X.shape[1], number, replace=False)


def everything(X, y, number, seed):
    """All features: what a selection may cost."""
    return np.arange(X.shape[1])


SMALL = {
    "hidden_layer_sizes": (32,),
    "batch_size": 50,
    "learning_rate": "cosine",
    "learning_rate_init": 0.01,
}
# LassoNet's defaults, but for what takes most of the time: batches, so that few epochs
# do; steps of 10 % along a path in place of 2 % (those of our paths are 27 and 12 %);
# and a fixed start, not a search by tens of thousands of prox steps, which found 1.6 to
# 3.3.
LASSONET = {
    "hidden_dims": (32,),
    "M": 10,
    "path_multiplier": 1.1,
    "lambda_start": 0.5,
    "batch_size": 50,
    "updates": 2000,
}
# Of a regression. l2 on the last layer keeps it from growing while the first shrinks.
REGRESSION_METHODS = {
    "group_l1": Method(
        path_with_folds, SMALL | {"alphas": 30, "max_iter": 300, "l2": [0.0, 0.01]}
    ),
    "group_l1, stable": Method(
        stable,
        SMALL
        | {"alphas": 30, "max_iter": 300, "l2": [0.0, 0.01]}
        | {"number": 20, "n_resamples": 10, "threshold": 0.75},
    ),
    "hierarchy": Method(
        path_with_folds,
        SMALL
        | {"alphas": 30, "max_iter": 300, "l2": [0.0, 0.01, 0.0]}
        | {"skip": True, "hierarchy": 10.0},
    ),
    "LassoNet": Method(lassonet, LASSONET, ("lassonet",)),
    "Lasso": Method(lasso, {"max_iter": 10_000}),
    "permutation": Method(
        permuted,
        SMALL | {"l2": 0.0, "max_iter": 300, "test_size": 0.25, "n_repeats": 20},
    ),
    "univariate": Method(correlated, {"alpha": 0.05}),
}

WIDE = {
    "hidden_layer_sizes": (50,),
    "batch_size": 128,
    "updates": 2000,
    "learning_rate": "cosine",
    "learning_rate_init": 0.003,
    "alphas": 60,
}
# Of a classification; the last two only tell what there is to win.
CLASSIFICATION_METHODS = {
    "group_l1": Method(path_of_networks, WIDE | {"l2": [0.0, 0.01]}),
    "hierarchy": Method(
        path_of_networks,
        WIDE | {"l2": [0.0, 0.01, 0.0], "skip": True, "hierarchy": 10.0},
    ),
    "LassoNet": Method(
        path_of_lassonet,
        LASSONET | {"hidden_dims": (50,), "batch_size": 128},
        ("lassonet",),
    ),
    "L1 logistic": Method(
        l1_logistic, {"factor": 1.1, "points": 100, "tol": 1e-3, "max_iter": 100}
    ),
    "univariate": Method(univariate),
    "random": Method(at_random),
    "all": Method(everything),
}
