"""
Learning-rate schedules
=======================

What the names that `learning_rate` takes do to the rate, and what that does to the
loss. The formulas are in :doc:`/guide/schedules`.
"""

# %%
# The rates
# ---------
#
# Each schedule gives the rate of every step of an epoch; the curves come from the
# schedules themselves, for 70 epochs of 1347 rows in batches of 32. 70 epochs are three
# periods of "cosine_restarts": 10, 20 and 40. "adaptive" divides the rate by 5 when the
# loss no longer improves, which is taken to happen after epochs 30 and 45 here.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifier
from skreg._problem.schedules import SCHEDULES, new_schedule

epochs, rows, peak = 70, 1347, 0.01
steps = -(-rows // 32)

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
colours = {name: f"C{k}" for k, name in enumerate(SCHEDULES)}
for name in SCHEDULES:
    schedule = new_schedule(name, peak, power_t=0.5, max_iter=epochs)
    rates = []
    for epoch in range(epochs):
        if epoch in (30, 45):
            schedule.stops_on_plateau()
        rates.extend(schedule.rates(epoch, steps, epoch * rows))
    ax.plot(np.arange(len(rates)) / steps, rates, color=colours[name], label=name)
ax.set_yscale("log")
ax.set_ylim(1e-6, 2e-2)
ax.set_xlabel("epoch")
ax.set_ylabel("learning rate")
# beside the axes, for the curves leave no room
fig.legend(loc="outside right upper")

# %%
# The losses
# ----------
#
# The same network on the digits data under each schedule. With
# ``n_iter_no_change=float("inf")`` early stopping never stops, but keeps the validation
# score of every epoch; with ``scoring="loss"`` that is minus the log loss. "adaptive"
# would not be told from "constant", for without an end to the patience there is no
# plateau. Averages over five seeds; dashed are other peaks than 0.01.

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X / 16, y, random_state=0, stratify=y)


def losses(learning_rate, rate, seed):
    """Training and validation loss after each epoch."""
    model = RegularizedMLPClassifier(
        (100,),
        l2=0,
        weight_decay=0.0,
        dropout=0.2,
        batch_size=32,
        learning_rate=learning_rate,
        learning_rate_init=rate,
        max_iter=epochs,
        early_stopping=True,
        n_iter_no_change=float("inf"),
        random_state=seed,
    )
    with warnings.catch_warnings():
        # max_iter ends the fit, as it should here
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    return model.loss_curve_, -np.array(model.validation_scores_)


names = [name for name in SCHEDULES if name != "adaptive"]
cases = {f"{name}, {peak}": (name, peak) for name in names}
cases["constant, 0.001"] = ("constant", 0.001)
cases["one_cycle, 0.003 (the default)"] = ("one_cycle", 0.003)
curves = {
    label: np.mean([losses(*case, seed) for seed in range(5)], axis=0)
    for label, case in cases.items()
}

fig, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
for ax, k, title in [(axes[0], 0, "training, under dropout"), (axes[1], 1, "held out")]:
    for label, values in curves.items():
        name, rate = cases[label]
        style = "-" if rate == peak else "--"
        ax.plot(
            np.arange(1, epochs + 1), values[k], style, color=colours[name], label=label
        )
    ax.set_yscale("log")
    ax.set_yticks([0.05, 0.1, 0.2, 0.5, 1, 2], ["0.05", "0.1", "0.2", "0.5", "1", "2"])
    ax.minorticks_off()
    ax.set_xlabel("epoch")
    ax.set_title(f"log loss, {title}")
axes[1].set_ylim(0.05, 1)
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")

# %%
# The schedules that end near zero bring the training loss down there, when the rate has
# fallen and the noise of the steps with it; "cosine_restarts" does so three times.
# "invscaling" has divided the rate by 37 after the first epoch, and crawls. The loss on
# the rows held out, at the end:

for label, values in curves.items():
    print(f"{label:30} {values[1, -1]:.3f}")
