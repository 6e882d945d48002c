"""
Batch normalization, residual connections and depth
===================================================

How many layers can be trained, and is it worth it? First the digits data with networks
that get deeper and deeper, then a table on which one layer is enough.
"""

# %%
# Depth
# -----
#
# Networks of 1 to 16 hidden layers of 32 units, each trained for only ten epochs under
# the same schedule, with two kinds of units. Nothing is tuned. Averages over three
# seeds of the accuracy on 600 images that were held out.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    RepeatedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=600, random_state=0, stratify=y
)
depths = [1, 2, 4, 8, 16]
settings = {
    "plain": {},
    'batch_norm="before"': {"batch_norm": "before"},
    'batch_norm="after"': {"batch_norm": "after"},
    "residual": {"residual": True},
    "residual, batch_norm": {"residual": True, "batch_norm": True},
}


def accuracy(depth, activation, seed, **parameters):
    """On the images held out."""
    if depth == 1:
        # there is nothing to connect
        parameters = parameters | {"residual": False}
    model = RegularizedMLPClassifier(
        (32,) * depth,
        activation,
        batch_size=64,
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        max_iter=10,
        weight_decay=0.0,
        dropout=0.0,
        early_stopping=False,
        random_state=seed,
        **parameters,
    )
    with warnings.catch_warnings():
        # some of the deep networks learn nothing, which is to be seen here
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X_train, y_train)
    return model.score(X_test, y_test)


fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, activation in zip(axes, ["relu", "logistic"], strict=True):
    for name, parameters in settings.items():
        scores = np.mean(
            [
                [accuracy(depth, activation, seed, **parameters) for depth in depths]
                for seed in range(3)
            ],
            axis=0,
        )
        ax.plot(depths, scores, marker="o", label=name)
        print(f"{activation:9} {name:22}", " ".join(f"{s:.3f}" for s in scores))
    ax.set_xscale("log", base=2)
    ax.set_xticks(depths, depths)
    ax.set_xlabel("hidden layers")
    ax.set_title(activation)
axes[0].set_ylabel("accuracy after ten epochs")
axes[0].legend(loc="lower left", fontsize="small")

# %%
# The columns above are the depths. With logistic units, whose slopes are at most 1/4,
# plain networks give up after two layers, and norms decide: with them sixteen layers
# train. With ReLU norms alone help little at sixteen layers, and in the deeper networks
# those after the activation are worse than none: a norm keeps the size of what goes
# forward, while gradients grow on their way back. There it takes the connections, and
# both together do best. That a depth can be trained does not mean that it is of use:
# the deepest ReLU network is no better than the one with a single layer.
#
# A table with one hidden layer
# -----------------------------
#
# On the diabetes data, 442 rows, one hidden layer trains well without help. The
# cross-validated R2, over 4 times 5 folds, with batches of several sizes:

X, y = load_diabetes(return_X_y=True)
folds = RepeatedKFold(n_splits=5, n_repeats=4, random_state=0)
batch_sizes = [2, 8, 32, 128]
cases = {
    "plain": {},
    "batch norm": {"batch_norm": True},
    "dropout=0.2": {"dropout": 0.2},
    "both": {"batch_norm": True, "dropout": 0.2},
}
scores = {
    (name, batch_size): cross_val_score(
        make_pipeline(
            StandardScaler(),
            RegularizedMLPRegressor(
                (50,),
                learning_rate="one_cycle",
                learning_rate_init=0.005,
                batch_size=batch_size,
                max_iter=30,
                weight_decay=0.0,
                early_stopping=False,
                random_state=0,
                **parameters,
            ),
        ),
        X,
        y,
        cv=folds,
    )
    for name, parameters in cases.items()
    for batch_size in batch_sizes
}
for name in cases:
    print(
        f"{name:12}",
        "   ".join(
            f"batches of {batch_size:3d}: R2 {scores[name, batch_size].mean():.3f}"
            for batch_size in batch_sizes
        ),
    )
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name in cases:
    # the same folds for all: differences fold by fold
    difference = [
        scores[name, batch_size] - scores["plain", batch_size]
        for batch_size in batch_sizes
    ]
    mean, spread = np.mean(difference, axis=1), np.std(difference, axis=1)
    ax.errorbar(batch_sizes, mean, spread, marker="o", capsize=3, label=name)
ax.set_xscale("log", base=2)
ax.set_xticks(batch_sizes, batch_sizes)
ax.set_xlabel("batch size")
ax.set_ylabel("R2 less that of the plain network")
ax.legend()

# %%
# The bars are standard deviations over the folds, and most differences are within them.
# What can be said is that batch normalization is no plain gain here. In small batches
# its noise may do what that of dropout does, though it varies more from fold to fold;
# in larger ones the network is rather worse with it than without.
