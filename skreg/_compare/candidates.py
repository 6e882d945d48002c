"""The models that compete, each a pipeline that tunes itself inside a fold."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import sklearn
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import ElasticNetCV, LassoCV, LogisticRegression, RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ParameterGrid,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._strengths import STRENGTHS

from .columns import scaling_encoder, tree_encoder

DUMMY = "Dummy"
UNREGULARIZED = "skreg, no regularizer"
TUNED = "skreg, tuned"

PEER_NETWORK = [{"alpha": [1e-4, 1e-2, 1.0, 10.0]}, {"early_stopping": [True]}]
TREES = {"max_leaf_nodes": [5, 31], "learning_rate": [0.05, 0.1]}
LOGISTIC = {"C": np.logspace(-3, 2, 6)}

TREE_TYPES = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)

# Above this, one held-out quarter tells settings apart as well as three folds do.
MANY_ROWS = 10_000
# Rows that a network sees in training: 100 epochs at 20,000 rows.
ROWS_SEEN = 2_000_000


@dataclass(frozen=True)
class Candidate:
    """A pipeline that competes under a name.

    Attributes
    ----------
    name : str
    pipeline : sklearn.pipeline.Pipeline
        Its step ``model`` is a search where there is something to tune.
    """

    name: str
    pipeline: Pipeline

    @property
    def models(self):
        """Number of models that one fit trains, as a measure of work."""
        model = self.pipeline["model"]
        if not isinstance(model, GridSearchCV):
            return 1
        return len(ParameterGrid(model.param_grid)) * model.cv.get_n_splits() + 1


def build_candidates(problem, scoring, seed):
    """Return the candidates for a problem, roughly the quick ones first.

    What can be tuned is tuned by an inner cross-validation, so that scoring a candidate
    on an outer fold is nested cross-validation. The encoder stands outside the inner
    one: it does not look at the target, and so runs once per outer fold.

    Parameters
    ----------
    problem : Problem
    scoring : str
        What the inner cross-validation selects by.
    seed : int

    Returns
    -------
    list of Candidate
    """
    build = _classifiers if problem.is_classification else _regressors
    models = build(problem, scoring, seed)
    return [
        Candidate(name, _pipeline(problem, model)) for name, model in models.items()
    ]


def _regressors(problem, scoring, seed):
    folds = inner_folds(problem, seed)
    tune = partial(GridSearchCV, scoring=scoring, cv=folds)
    settings = network_settings(problem, seed)
    network = RegularizedMLPRegressor(l2=0.0, **settings)
    # skreg's network standardizes its target itself; scikit-learn's has to be helped.
    peer = TransformedTargetRegressor(
        MLPRegressor(**settings), transformer=StandardScaler()
    )
    peer_grid = [
        {f"regressor__{name}": values for name, values in grid.items()}
        for grid in PEER_NETWORK
    ]
    trees = HistGradientBoostingRegressor(**tree_settings(problem, seed))
    return {
        DUMMY: DummyRegressor(),
        "Ridge": RidgeCV(np.logspace(-2, 4, 19)),
        "Lasso": LassoCV(alphas=50, cv=folds),
        "ElasticNet": ElasticNetCV(l1_ratio=[0.1, 0.5, 0.9], alphas=50, cv=folds),
        "HistGradientBoosting": tune(trees, TREES),
        UNREGULARIZED: network,
        TUNED: tune(network, regularizers(problem)),
        "scikit-learn MLP": tune(peer, peer_grid),
    }


def _classifiers(problem, scoring, seed):
    tune = partial(GridSearchCV, scoring=scoring, cv=inner_folds(problem, seed))
    settings = network_settings(problem, seed)
    network = RegularizedMLPClassifier(l2=0.0, **settings)
    trees = HistGradientBoostingClassifier(**tree_settings(problem, seed))
    return {
        DUMMY: DummyClassifier(),
        "Logistic, l2": tune(_logistic("l2", seed), LOGISTIC),
        "Logistic, l1": tune(_logistic("l1", seed), LOGISTIC),
        "HistGradientBoosting": tune(trees, TREES),
        UNREGULARIZED: network,
        TUNED: tune(network, regularizers(problem)),
        "scikit-learn MLP": tune(MLPClassifier(**settings), PEER_NETWORK),
    }


def _pipeline(problem, model):
    is_tree = isinstance(getattr(model, "estimator", None), TREE_TYPES)
    encoder = tree_encoder() if is_tree else scaling_encoder()
    return Pipeline(
        [
            ("clean", problem.columns.cleaner()),
            ("encode", encoder),
            ("model", model),
        ]
    )


def regularizers(problem):
    """Return the grid over skreg's regularizers.

    One regularizer at a time, then those that are known to go together. The keys of an
    entry name it; what an entry leaves out is zero. As with Ridge's alpha, the more
    rows there are the less each of them has to bear of a penalty.
    """
    rows = len(problem.y)
    return [
        {},
        *(
            {name: STRENGTHS[name].for_rows(rows)}
            for name in ("l2", "l1", "weight_decay", "dropout")
        ),
        {"early_stopping": [True]},
        {"dropout": [0.1], "l1": [3 / rows]},
        {"dropout": [0.1], "l2": [10 / rows]},
        {"dropout": [0.1], "early_stopping": [True]},
    ]


def inner_folds(problem, seed):
    """Return the splitter that settings are chosen by."""
    if len(problem.y) > MANY_ROWS:
        split = StratifiedShuffleSplit if problem.is_classification else ShuffleSplit
        return split(n_splits=1, test_size=0.25, random_state=seed)
    split = StratifiedKFold if problem.is_classification else KFold
    return split(n_splits=3, shuffle=True, random_state=seed)


def network_settings(problem, seed):
    """Return what skreg's and scikit-learn's networks have in common."""
    rows = len(problem.y)
    return {
        "hidden_layer_sizes": (64, 64),
        "batch_size": 32 if rows < 2_000 else 200,
        "max_iter": int(np.clip(ROWS_SEEN // rows, 30, 200)),
        "random_state": seed,
    }


def tree_settings(problem, seed):
    """Return the settings of gradient boosting; the tree encoder puts texts first."""
    return {
        "categorical_features": range(len(problem.columns.texts)),
        "random_state": seed,
    }


def _logistic(penalty, seed):
    """Return a logistic regression; saga is the one solver for l1 and many classes."""
    if parse_version(sklearn.__version__) >= parse_version("1.8"):
        chosen = {"l1_ratio": float(penalty == "l1")}
    else:
        chosen = {"penalty": penalty}
    if penalty == "l1":
        chosen |= {"solver": "saga", "tol": 1e-3, "random_state": seed}
    return LogisticRegression(max_iter=500, **chosen)
