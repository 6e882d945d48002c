"""The models that compete, each a pipeline that tunes itself inside a fold."""

import re
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
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
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
from skreg._problem.strengths import STRENGTHS

from .columns import scaling_encoder, tree_encoder
from .errors import InputError
from .tables import suggest

DUMMY = "Dummy"
DEFAULTS = "skreg, defaults"
UNREGULARIZED = "skreg, no regularizer"
TUNED = "skreg, tuned"

PEER_NETWORK = [{"alpha": [1e-4, 1e-2, 1.0, 10.0]}, {"early_stopping": [True]}]
TREES = {"max_leaf_nodes": [5, 31], "learning_rate": [0.05, 0.1]}
LOGISTIC = {"C": np.logspace(-3, 2, 6)}
RIDGE = {"alpha": np.logspace(-2, 4, 13)}
# For features and a target of unit variance, where 1 is strong enough for no feature.
SPARSE = {"alpha": np.logspace(-3.5, 0, 15)}
MIXED = {"alpha": np.logspace(-3.5, 0.5, 13), "l1_ratio": [0.1, 0.5, 0.9]}

TREE_TYPES = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)

# Above this, one held-out quarter tells settings apart as well as three folds do.
MANY_ROWS = 10_000
# Rows that a network sees in training, in so many epochs at least and at most. With
# one_cycle, skreg's needs fewer than scikit-learn's, which has no such schedule.
ROWS_SEEN, EPOCHS = 1_000_000, (20, 60)
PEER_ROWS_SEEN, PEER_EPOCHS = 2_000_000, (30, 200)
# saga is one compiled call, which no time limit can end.
SAGA_ROWS_SEEN, SAGA_EPOCHS = 10_000_000, (50, 500)


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


def choose(candidates, asked):
    """Return the candidates that were asked for, in their own order.

    Parameters
    ----------
    candidates : list of Candidate
    asked : list of str
        Names or their beginnings, in any case and with any punctuation; several may
        stand in one text, separated by commas. Empty for all.

    Returns
    -------
    list of Candidate
    """
    slugs = {_slug(candidate.name): candidate for candidate in candidates}
    chosen = set()
    for text in asked:
        for word in [text] if _slug(text) in slugs else text.split(","):
            slug = _slug(word)
            found = [name for name in slugs if f"{name}-".startswith(f"{slug}-")]
            if not slug or not found:
                raise InputError(
                    f"--models {word.strip()} is none of them.{suggest(slug, slugs)} "
                    f"The models are {', '.join(slugs)}."
                )
            chosen |= set(found)
    return [c for slug, c in slugs.items() if slug in chosen] if asked else candidates


def _slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")


def _regressors(problem, scoring, seed):
    folds = inner_folds(problem, seed)
    tune = partial(GridSearchCV, scoring=scoring, cv=folds)
    network = RegularizedMLPRegressor(l2=0.0, **network_settings(problem, seed))
    defaults = RegularizedMLPRegressor(random_state=seed)
    peer = MLPRegressor(**peer_settings(problem, seed))
    trees = HistGradientBoostingRegressor(**tree_settings(problem, seed))
    return {
        DUMMY: DummyRegressor(),
        "Ridge": tune(Ridge(), RIDGE),
        "Lasso": tune(*_on_scaled_target(Lasso(max_iter=5000), [SPARSE])),
        "ElasticNet": tune(*_on_scaled_target(ElasticNet(max_iter=5000), [MIXED])),
        "HistGradientBoosting": tune(trees, TREES),
        DEFAULTS: defaults,
        UNREGULARIZED: network,
        TUNED: tune(network, regularizers(problem)),
        # skreg's network standardizes its target itself.
        "scikit-learn MLP": tune(*_on_scaled_target(peer, PEER_NETWORK)),
    }


def _on_scaled_target(model, grid):
    """Return a regressor of the standardized target, and its grid."""
    scaled = TransformedTargetRegressor(model, transformer=StandardScaler())
    return scaled, [
        {f"regressor__{name}": values for name, values in part.items()} for part in grid
    ]


def _classifiers(problem, scoring, seed):
    tune = partial(GridSearchCV, scoring=scoring, cv=inner_folds(problem, seed))
    network = RegularizedMLPClassifier(l2=0.0, **network_settings(problem, seed))
    defaults = RegularizedMLPClassifier(random_state=seed)
    peer = MLPClassifier(**peer_settings(problem, seed))
    trees = HistGradientBoostingClassifier(**tree_settings(problem, seed))
    return {
        DUMMY: DummyClassifier(),
        "Logistic, l2": tune(_logistic("l2", problem, seed), LOGISTIC),
        "Logistic, l1": tune(_logistic("l1", problem, seed), LOGISTIC),
        "HistGradientBoosting": tune(trees, TREES),
        DEFAULTS: defaults,
        UNREGULARIZED: network,
        TUNED: tune(network, regularizers(problem)),
        "scikit-learn MLP": tune(peer, PEER_NETWORK),
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


def _shared_settings(problem, seed):
    return {
        "hidden_layer_sizes": (64, 64),
        "batch_size": 32 if len(problem.y) < 2_000 else 200,
        "random_state": seed,
    }


def network_settings(problem, seed):
    """Return the settings of skreg's one network, as its guide advises.

    It has none of the regularizers that are defaults: they are put on it. A cycle of
    the rate up to 0.01 ends by itself; early stopping, where it is chosen, then keeps
    the best epoch of all.
    """
    return _shared_settings(problem, seed) | {
        "learning_rate": "one_cycle",
        "learning_rate_init": 0.01,
        "max_iter": _epochs(problem, ROWS_SEEN, EPOCHS),
        "n_iter_no_change": float("inf"),
        "early_stopping": False,
        "dropout": 0.0,
        "weight_decay": 0.0,
        "n_members": 1,
    }


def peer_settings(problem, seed):
    """Return the settings of scikit-learn's network."""
    return _shared_settings(problem, seed) | {
        "max_iter": _epochs(problem, PEER_ROWS_SEEN, PEER_EPOCHS)
    }


def _epochs(problem, rows_seen, bounds):
    return int(np.clip(rows_seen // len(problem.y), *bounds))


def tree_settings(problem, seed):
    """Return the settings of gradient boosting; the tree encoder puts texts first."""
    return {
        "categorical_features": range(len(problem.columns.texts)),
        "random_state": seed,
    }


def _logistic(penalty, problem, seed):
    """Return a logistic regression; saga is the one solver for l1 and many classes."""
    if parse_version(sklearn.__version__) >= parse_version("1.8"):
        chosen = {"l1_ratio": float(penalty == "l1")}
    else:
        chosen = {"penalty": penalty}
    if penalty == "l1":
        chosen |= {"solver": "saga", "tol": 1e-3, "random_state": seed}
        return LogisticRegression(
            max_iter=_epochs(problem, SAGA_ROWS_SEEN, SAGA_EPOCHS), **chosen
        )
    return LogisticRegression(max_iter=500, **chosen)
