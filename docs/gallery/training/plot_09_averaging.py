"""
Averages of the weights
=======================

What an average of the iterates predicts better than the last of them, epoch by epoch,
and what a falling learning rate leaves for it to do. :doc:`/guide/averaging` has the
formulas.
"""

# %%
# The loss on rows held out
# -------------------------
#
# The same network on the digits data, at two constant rates and under the cosine
# schedule. With ``n_iter_no_change=float("inf")`` early stopping never stops, but keeps
# the validation score of every epoch, which is that of the average where there is one.
# The path of training is the same in each panel, for an average does not touch it.
# Averages over five seeds.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifier
from skreg.averaging import ExponentialMovingAverage, StochasticWeightAveraging

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    X / 16, y, test_size=0.5, random_state=0, stratify=y
)
epochs = 40
averages = {
    "last iterate": None,
    "ema, 0.9": ExponentialMovingAverage(0.9),
    "ema, 0.99": ExponentialMovingAverage(0.99),
    "ema, 0.999": ExponentialMovingAverage(0.999),
    "swa, 0.5": StochasticWeightAveraging(start=0.5),
}
rates = {
    "constant, 0.001": ("constant", 0.001),
    "constant, 0.01": ("constant", 0.01),
    "cosine from 0.01": ("cosine", 0.01),
}


def validation_losses(average, schedule, rate, seed):
    """Log loss on the rows held out, after each epoch."""
    model = RegularizedMLPClassifier(
        (100,),
        weight_averaging=average,
        weight_decay=0.0,
        dropout=0.0,
        batch_size=32,
        learning_rate=schedule,
        learning_rate_init=rate,
        max_iter=epochs,
        early_stopping=True,
        n_iter_no_change=float("inf"),
        random_state=seed,
    )
    with warnings.catch_warnings():
        # a constant rate does not converge, and here it should not
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    return -np.array(model.validation_scores_)


curves = {
    (name, label): np.array(
        [validation_losses(average, *rate, seed) for seed in range(5)]
    )
    for name, average in averages.items()
    for label, rate in rates.items()
}

fig, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
for ax, label in zip(axes, rates, strict=True):
    for k, name in enumerate(averages):
        # in front, for "swa" is the last iterate until it begins
        front = {"color": "black", "zorder": 3} if k == 0 else {"color": f"C{k}"}
        mean = curves[name, label].mean(0)
        ax.plot(np.arange(1, epochs + 1), mean, label=name, **front)
    ax.set_yscale("log")
    ax.set_ylim(0.075, 0.3)
    ax.set_yticks([0.1, 0.2], [0.1, 0.2])
    ax.minorticks_off()
    ax.set_title(label)
    ax.set_xlabel("epoch")
axes[0].set_ylabel("log loss on rows held out")
axes[0].legend()

# %%
# An epoch has 29 steps. The averages begin with a memory of a ninth of the steps so
# far, which is why the three exponential ones start alike; that of 0.9 stops at ten
# steps, a third of an epoch.
#
# In figures, the loss at the end, with the standard deviation over seeds:

print(f"{'':14}", "   ".join(f"{label:16}" for label in rates))
for name in averages:
    row = (curves[name, label][:, -1] for label in rates)
    print(f"{name:14}", "   ".join(f"{v.mean():.4f} +- {v.std():.4f}" for v in row))

# %%
# At the high constant rate the last iterate is a matter of luck: it jumps from epoch to
# epoch, and differs between seeds. All averages are better and steadier. At the low
# rate the weights are still on their way at the end, and an average, which lags behind,
# is worse the further it looks back. Under the cosine schedule the steps have died out,
# the iterates of the end are all alike, and nothing is left to average. An average in
# the place of a schedule reaches what the schedule reaches, at any epoch and without
# having to know the last one beforehand.
