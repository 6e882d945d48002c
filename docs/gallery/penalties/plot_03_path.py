"""
Choosing a strength along a path
================================

A penalty's strength can be chosen by cross-validation on regularization paths. Here a
target depends on four of twenty features, two of them in a way that no linear model
sees.
"""

# %%
# A path
# ------
#
# The network is trained at the smallest strength first. The strength then grows, each
# point going on from the one before, until no feature is left.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from skreg import (
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
    regularization_path,
)
from skreg.inspection import RegularizationPathDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 20))
y = X[:, 0] - X[:, 1] + np.abs(X[:, 2]) + X[:, 3] ** 2 / 2 + rng.normal(size=600)
X_test = rng.normal(size=(2000, 20))
y_test = X_test[:, 0] - X_test[:, 1] + np.abs(X_test[:, 2]) + X_test[:, 3] ** 2 / 2

settings = {
    "hidden_layer_sizes": (30,),
    "learning_rate_init": 0.005,
    "max_iter": 1000,
    "random_state": 0,
}
path = regularization_path(
    RegularizedMLPRegressor(**settings), X, y, alphas=20, eps=3e-3
)

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
RegularizationPathDisplay.from_path(path, ax=axes[0], color="lightgrey")
for j, line in enumerate(axes[0].lines[:4]):
    line.set(color=f"C{j}", label=f"feature {j}", zorder=3)
axes[0].legend()
RegularizationPathDisplay.from_path(path, kind="nonzero", ax=axes[1])
axes[1].yaxis.set_major_locator(MaxNLocator(integer=True))
plt.show()

# %%
# The features of the target, in colour, keep the largest norms. Those that act linearly
# stay longest: the others are seen only through units that turn at zero.
#
# The choice
# ----------
#
# The same, with a path for each of five folds. One rule takes the best mean score; the
# other takes the largest strength within one standard error of it.

for selection in ["best", "one_standard_error"]:
    model = RegularizedMLPRegressorCV(
        **settings, alphas=20, eps=3e-3, selection=selection, n_jobs=2
    ).fit(X, y)
    kept = np.flatnonzero(model.feature_importances_)
    print(
        f"{selection}: l1={model.alpha_:.3g}, R2 {model.score(X_test, y_test):.3f}, "
        f"features {kept.tolist()}"
    )
RegularizationPathDisplay.from_estimator(model, kind="losses")
plt.show()

# %%
# Without a penalty, for comparison:

model = RegularizedMLPRegressor(
    **settings,
    l2=0.0,
    weight_decay=0.0,
    batch_size=200,
    learning_rate="constant",
    early_stopping=False,
).fit(X, y)
print(f"no penalty: R2 {model.score(X_test, y_test):.3f}")
