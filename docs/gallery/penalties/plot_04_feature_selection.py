"""
Which features matter, and how sure is that?
============================================

A network with a group lasso selects features, and would select others on other rows.
:doc:`/guide/feature_selection` says why.
"""

# %%
# Five features that matter, among forty
# --------------------------------------
#
# Friedman's first function depends on five features, two of them through a product and
# one through a square. Features 5 to 9 are copies of the first five with an error, and
# thirty more are noise.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import scale

from skreg import RegularizedMLPRegressor
from skreg.inspection import stability_selection

rng = np.random.default_rng(0)
X, y = make_friedman1(n_samples=500, n_features=35, noise=1.0, random_state=0)
copies = X[:, :5] + rng.normal(scale=0.15, size=(500, 5))
X = scale(np.column_stack([X[:, :5], copies, X[:, 5:]]))

settings = {
    "hidden_layer_sizes": (16,),
    "batch_size": 50,
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.02,
    "max_iter": 100,
    "early_stopping": False,
    "random_state": 0,
}

# %%
# Single weights, or whole features
# ---------------------------------
#
# `l1` sets single weights to zero, `group_l1` all outgoing weights of a feature. The
# `l2` of the second layer keeps this from growing where the first shrinks.

single = RegularizedMLPRegressor(l1=0.02, l2=0.0, **settings).fit(X, y)
model = RegularizedMLPRegressor(group_l1=0.01, l2=[0.0, 0.1], **settings).fit(X, y)

fig, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
for ax, fitted, name in zip(axes, [single, model], ["l1", "group_l1"], strict=True):
    ax.imshow(fitted.coefs_[0].T != 0, cmap="Greys", aspect="auto", vmax=2)
    ax.set_ylabel("unit")
    ax.set_title(
        f"{name}: {fitted.selected_features_.sum()} features, "
        f"{fitted.sparsity_[0]:.0%} of the first layer's weights are zero"
    )
axes[1].set_xlabel("feature: five that matter, five copies, thirty of noise")
fig.suptitle("Weights of the first layer that are not zero")

# %%
# A feature at the limit comes and goes with the batches. One that came back in the
# last, smallest steps has weights of about 1e-5 on some of the units, which look here
# like any others; ``SelectFromModel`` leaves out what is below 1e-5.

# %%
# Other rows, other features
# --------------------------
#
# One hundred fits, each on half of the rows. Above, how large the weights are
# in the one fit on all rows; below, in how many of the hundred a feature was selected.

result = stability_selection(
    model, X, y, n_resamples=50, threshold=0.8, n_jobs=2, random_state=0
)

kinds = np.repeat(["C0", "C1", "C7"], [5, 5, 30])
fig, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
axes[0].bar(range(40), model.feature_importances_, color=kinds)
axes[0].set_ylabel("norm of the weights")
axes[1].bar(range(40), result.frequencies, color=kinds)
axes[1].axhline(result.threshold, color="k", linestyle="--", linewidth=1)
axes[1].set_ylabel("share of the fits")
axes[1].set_xlabel("feature: five that matter, five copies, thirty of noise")
fig.suptitle("One fit, and one hundred on halves of the rows")

# %%
# Four of the features that matter are in every fit. The copies are in some, as chance
# has it, and so is much of the noise. The fit on all rows does not tell these apart.
# Feature 2 matters, but its effect is a parabola with its vertex in the middle of the
# data: under so strong a penalty the units do not see it, and no resampling brings back
# what the model cannot find. What is above the threshold:

print(np.flatnonzero(result.selected_features))

# %%
# A smaller network
# -----------------
#
# Units and features on which no prediction depends are taken out by `prune`. The zeros
# that remain between the units are skipped after `sparsify_weights`.

smaller = model.prune()
print("before:", [W.shape for W in model.coefs_])
print("after: ", [W.shape for W in smaller.coefs_])
difference = np.abs(smaller.predict(X) - model.predict(X)).max()
print(f"largest difference of the predictions: {difference:.0e}")
print(f"zeros left in its matrices: {[f'{s:.0%}' for s in smaller.sparsity_]}")
smaller.sparsify_weights()
