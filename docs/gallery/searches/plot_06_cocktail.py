"""
A cocktail of regularizers
==========================

:func:`skreg.search_space` has distributions of all regularizers together. Here random
draws from it are cross-validated, beside as many draws of gradient boosting, and a
linear model. :doc:`/guide/cocktail` has the idea.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import loguniform, randint
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ParameterSampler,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor, search_space

DRAWS = 20
folds = KFold(5, shuffle=True, random_state=0)

# %%
# The search
# ----------
#
# The draws are those of `RandomizedSearchCV`. A loop of a few lines keeps each of them
# for the plots below. One thread for all: on so few rows boosting is slower with more.


def search(model, space, X, y, scoring):
    """Draws and their scores."""
    draws, scores = [], []
    for draw in ParameterSampler(space, DRAWS, random_state=0):
        # a draw may have objects in it that others share, so copies are set
        candidate = clone(model).set_params(**clone(draw, safe=False))
        with warnings.catch_warnings():
            # a draw that diverges has a bad score, which says enough
            warnings.simplefilter("ignore", ConvergenceWarning)
            score = cross_val_score(candidate, X, y, cv=folds, scoring=scoring).mean()
        draws.append(candidate)
        scores.append(score)
    return draws, np.array(scores)


# %%
# The tables
# ----------
#
# *diabetes*, 442 patients with 10 features, is noisy and nearly linear; the score is
# R2. *digits*, 64 features and 10 classes, is neither; the score is minus the log loss.
# 331 patients and 400 digits are for training. No search sees the others. Boosting has
# at most 80 trees here, so that the page is built in minutes. More might be better.

boosting_space = {
    "learning_rate": loguniform(0.03, 0.3),
    "max_leaf_nodes": randint(3, 32),
    "min_samples_leaf": randint(5, 40),
    "l2_regularization": loguniform(1e-3, 10),
    "max_iter": randint(20, 80),
}
settings = {"max_iter": 60, "early_stopping": False, "random_state": 0}
tables = {
    "diabetes": (
        load_diabetes(return_X_y=True),
        331,
        "r2",
        ("regression", RegularizedMLPRegressor(**settings)),
        HistGradientBoostingRegressor(random_state=0),
        (Ridge(), {"ridge__alpha": np.logspace(-2, 4, 13)}),
    ),
    "digits": (
        load_digits(return_X_y=True),
        400,
        "neg_log_loss",
        ("classification", RegularizedMLPClassifier(**settings)),
        HistGradientBoostingClassifier(random_state=0),
        (
            LogisticRegression(max_iter=1000),
            {"logisticregression__C": np.logspace(-4, 2, 13)},
        ),
    ),
}

# %%
# Best so far
# -----------
#
# The curves are the best cross-validated score up to each draw. A draw of boosting and
# one of the network do not take the same time.

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
cocktails = {}
for ax, (name, table) in zip(axes, tables.items(), strict=True):
    (X, y), n_train, scoring, (task, network), boosting, (linear, grid) = table
    X, X_test, y, y_test = train_test_split(X, y, train_size=n_train, random_state=0)
    print(f"\n{name:26}{scoring}, cross-validated and on new rows")

    def report(label, score, best, X=X, y=y, rows=(X_test, y_test), scoring=scoring):
        on_new_rows = get_scorer(scoring)(best.fit(X, y), *rows)
        print(f"  {label:24}{score:8.3f}{on_new_rows:8.3f}")

    linear = GridSearchCV(
        make_pipeline(StandardScaler(), linear), grid, cv=folds, scoring=scoring
    ).fit(X, y)
    ends = [linear.best_score_]
    ax.axhline(linear.best_score_, color="black", linestyle=":", label="linear")
    report("linear", linear.best_score_, linear.best_estimator_)

    prefix = type(network).__name__.lower() + "__"
    space = search_space(task, *X.shape, prefix=prefix)
    for label, model, of in [
        ("boosting", boosting, boosting_space),
        ("cocktail", make_pipeline(StandardScaler(), network), space),
    ]:
        with threadpool_limits(1):
            draws, scores = search(model, of, X, y, scoring)
        ends.append(scores.max())
        ax.step(
            np.arange(1, DRAWS + 1),
            np.maximum.accumulate(scores),
            where="post",
            label=label,
        )
        report(f"{label}, {DRAWS} draws", scores.max(), draws[scores.argmax()])
    cocktails[name] = draws, scores
    ax.set_title(name)
    ax.set_xticks(range(5, DRAWS + 1, 5))
    ax.set_xlabel("draw")
    ax.set_ylabel(scoring)
    # the first draws may be far off
    low, high = min(ends), max(ends)
    ax.set_ylim(low - 0.5 * (high - low), high + 0.1 * (high - low))
axes[0].legend()

# %%
# The best score of a search is too good, the more so the more draws it had: what counts
# are the rows that no search has seen.
#
# What is in the good ones
# ------------------------
#
# The share of the draws with a regularizer, among all and among the best quarter. This
# is no measure of an effect, for a draw has many of them; it shows what the search
# would like more of.


def ingredients(pipeline):
    """The regularizers that a draw has."""
    has = pipeline[-1].get_params(deep=False)
    names = ["l1", "l2", "weight_decay", "input_dropout", "label_smoothing", "max_norm"]
    names += ["max_grad_norm", "batch_norm", "residual", "weight_averaging"]
    names += ["augmentation", "adversarial"]
    return {name: bool(has.get(name)) for name in names} | {
        "dropout": any(has["dropout"])
    }


fig, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained", sharey=True)
for ax, (name, (draws, scores)) in zip(axes, cocktails.items(), strict=True):
    used = [ingredients(draw) for draw in draws]
    best = np.argsort(scores)[-max(len(scores) // 4, 1) :]
    labels = sorted(used[0])
    place = np.arange(len(labels))
    for rows, shift, label in [
        (range(len(draws)), 0.2, "all draws"),
        (best, -0.2, "best quarter"),
    ]:
        shares = [np.mean([used[row][key] for row in rows]) for key in labels]
        ax.barh(place + shift, shares, height=0.4, label=label)
    ax.set_yticks(place, labels)
    ax.set_xlabel("share of the draws")
    ax.set_title(name)
# beside the axes, for bars take all of them
fig.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=2)
