"""
The path of an L1 penalty
=========================

How do weights become zero as the L1 penalty grows? Without a hidden layer the answer is
the Lasso path. With one, the same penalty thins out the whole network, and drops
features on the way.
"""

# %%
# Without a hidden layer
# ----------------------
#
# With ``hidden_layer_sizes=()`` the network is a linear model, and `l1` is the
# strength of :class:`~sklearn.linear_model.Lasso`. The solver ``lbfgs`` goes to the
# minimum. Lines are the Lasso, dots are skreg.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso
from sklearn.model_selection import RepeatedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skreg import RegularizedMLPRegressor

data = load_diabetes()
X, y = scale(data.data), scale(data.target)
strengths = np.logspace(-3, 0, 31)


def linear(l1):
    return RegularizedMLPRegressor(
        hidden_layer_sizes=(),
        solver="lbfgs",
        l1=l1,
        l2=0,
        tol=1e-8,
        max_iter=5000,
        dtype="float64",
    )


lasso_path = np.array([Lasso(alpha=a, tol=1e-8).fit(X, y).coef_ for a in strengths])
path = np.array([linear(a).fit(X, y).coefs_[0].ravel() for a in strengths])

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for j, name in enumerate(data.feature_names):
    (line,) = ax.plot(strengths, lasso_path[:, j], label=name)
    ax.plot(strengths, path[:, j], "o", markersize=3, color=line.get_color())
ax.set_xscale("log")
ax.set_xlabel("strength of the L1 penalty")
ax.set_ylabel("coefficient")
ax.set_title("Lasso (lines) and skreg without a hidden layer (dots)")
ax.legend(ncols=2, fontsize="small")

# %%
# The largest difference between the two, and whether the zeros are the same:

print(f"{np.abs(path - lasso_path).max():.1e}")
print(np.array_equal(path == 0, lasso_path == 0))

# %%
# With a hidden layer
# -------------------
#
# Now a network with 32 hidden units, trained by Adam. The proximal step after each
# step of Adam sets weights to exactly zero, so they can be counted. The schedule ends
# at a rate of zero and lets the weights settle. Scores come from five folds, repeated
# three times.

folds = RepeatedKFold(n_splits=5, n_repeats=3, random_state=0)


def network(l1):
    return RegularizedMLPRegressor(
        hidden_layer_sizes=(32,),
        l1=l1,
        l2=0,
        batch_size=32,
        learning_rate="cosine",
        learning_rate_init=0.01,
        max_iter=100,
        early_stopping=False,
        random_state=0,
    )


def evaluate(model):
    pipeline = make_pipeline(StandardScaler(), model)
    results = cross_validate(pipeline, data.data, data.target, cv=folds, scoring="r2")
    return results["test_score"].mean()


fitted = [network(a).fit(X, y) for a in strengths]
zeros = [model.zero_share_ for model in fitted]
features = [np.count_nonzero(model.feature_importances_) for model in fitted]
network_scores = [evaluate(network(a)) for a in strengths]
lasso_scores = [evaluate(Lasso(alpha=a * data.target.std())) for a in strengths]

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].plot(strengths, zeros, "o-", markersize=4, label="network: all weights")
axes[0].plot(
    strengths,
    1 - np.array(features) / X.shape[1],
    "s-",
    markersize=4,
    label="network: features not used",
)
axes[0].plot(
    strengths, (lasso_path == 0).mean(axis=1), "k--", label="Lasso: coefficients"
)
axes[0].set_ylabel("share of exact zeros")
axes[0].set_ylim(-0.03, 1.03)
axes[1].plot(strengths, network_scores, "o-", markersize=4, label="network")
axes[1].plot(strengths, lasso_scores, "k--", label="Lasso")
axes[1].set_ylabel("cross-validated R2")
for ax in axes:
    ax.set_xscale("log")
    ax.set_xlabel("strength of the L1 penalty")
    ax.legend()

# %%
# With a weak penalty the network overfits these 442 rows. The right strength removes
# most of its weights, and brings it to where the Lasso is. Too strong a penalty empties
# the network all at once: what passes through a hidden unit is a product of weights,
# and when one layer fades, the gradient of the other fades too. The best of each:

for name, scores in [("network", network_scores), ("Lasso", lasso_scores)]:
    best = int(np.argmax(scores))
    print(f"{name:8} R2 {scores[best]:.3f} at l1={strengths[best]:.3g}")
best = int(np.argmax(network_scores))
print(f"{zeros[best]:.0%} of the network's weights are zero there")
