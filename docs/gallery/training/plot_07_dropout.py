"""
Dropout on a network that overfits
==================================

Two hidden layers of 256 units have 68 000 weights; the diabetes data have 442 rows.
What happens to the error on new rows, epoch by epoch, with and without dropout?
"""

# %%
# `partial_fit` trains for one epoch, after which we look at the error on the training
# rows and on rows held out. Everything is repeated for six splits, because with a
# hundred rows for validation a single curve says little.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPRegressor

X, y = load_diabetes(return_X_y=True)
epochs = 100


def learning_curves(train, test, **parameters):
    """1 - R2 on training and test rows after each epoch."""
    scaler = StandardScaler().fit(X[train])
    Z = scaler.transform(X)
    model = RegularizedMLPRegressor(
        (256, 256),
        l2=0,
        weight_decay=0.0,
        batch_size=32,
        random_state=0,
        **parameters,
    )
    curves = []
    for _ in range(epochs):
        model.partial_fit(Z[train], y[train])
        curves.append(
            [1 - r2_score(y[rows], model.predict(Z[rows])) for rows in (train, test)]
        )
    return np.array(curves)


splits = list(ShuffleSplit(6, test_size=0.25, random_state=0).split(X))
settings = {
    "no regularizer": {"dropout": 0.0},
    "dropout=0.2": {"dropout": 0.2},
    "dropout=0.5": {"dropout": 0.5},
}
curves = {
    name: np.array([learning_curves(*split, **kwargs) for split in splits])
    for name, kwargs in settings.items()
}
alphas = np.logspace(-2, 4, 25)
ridge = np.mean(
    [
        1 - RidgeCV(alphas).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in splits
    ]
)

fig, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
x = np.arange(1, epochs + 1)
for ax, (name, values) in zip(axes, curves.items(), strict=True):
    for k, (label, colour) in enumerate([("training", "C0"), ("held out", "C1")]):
        mean, spread = values[:, :, k].mean(0), values[:, :, k].std(0)
        ax.plot(x, mean, color=colour, label=label)
        ax.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.2)
    ax.axhline(ridge, color="black", linestyle="--", linewidth=1, label="Ridge")
    ax.set_title(name)
    ax.set_xlabel("epoch")
    ax.set_ylim(0, 1.3)
axes[0].set_ylabel("error, 1 - R2 (1: predicting the mean)")
axes[0].legend(loc="upper right")

# %%
# Without a regularizer the training error goes to zero, while after a few epochs the
# error on new rows grows and grows. Stopping at the right epoch would prevent that.
# With dropout much less depends on it: when half of the units are left out in each
# step, the training error falls slowly, and the error on new rows rises by far less.
# The shaded bands are the standard deviation over splits.

for name, values in curves.items():
    held_out = values[:, :, 1].mean(0)
    print(
        f"{name:15} least error {held_out.min():.3f} in epoch "
        f"{held_out.argmin() + 1:3d}, at the end {held_out[-1]:.3f}"
    )
print(f"{'Ridge':15} {ridge:.3f}")

# %%
# The dashed line is Ridge. In its best epoch, picked here by the very rows that it is
# scored on, each network is about level with it; at the end none is. See
# :ref:`sphx_glr_auto_examples_first_plot_02_ridge_lasso.py` for a fair comparison, and
# :doc:`/guide/dropout` for what dropout minimises.
