"""
Seeing what a network has learned
=================================

A fit, a search and a network, each in one line, by the displays of
:mod:`skreg.inspection`. :doc:`/guide/seeing` says how to read them.
"""

# %%
# A network that selects
# ----------------------
#
# 30 measurements of cells, and an L1 penalty on the first weight matrix alone. The
# display takes the whole pipeline, and knows the features by the names that the table
# has. Early stopping looks at 30 % of the rows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier
from skreg.inspection import (
    FeatureImportancesDisplay,
    LossCurveDisplay,
    SearchCurveDisplay,
    SparsityDisplay,
    WeightHistogramDisplay,
)

X, y = load_breast_cancer(return_X_y=True, as_frame=True)


def network(early_stopping=False, **parameters):
    """Scaled, with one hidden layer and L1 on its incoming weights."""
    return make_pipeline(
        StandardScaler(),
        RegularizedMLPClassifier(
            (32,),
            learning_rate="one_cycle",
            learning_rate_init=0.01,
            batch_size=32,
            max_iter=60,
            early_stopping=early_stopping,
            random_state=0,
            **parameters,
        ),
    )


model = network(
    l1=[0.01, 0.0], early_stopping=True, validation_fraction=0.3, n_iter_no_change=60
).fit(X, y)
LossCurveDisplay.from_estimator(model, learning_rate=True)
plt.show()

# %%
# The objective has the penalty in it, the validation loss has not, hence the distance
# between the two. The rate goes up, then down to almost zero, and with it the curves
# come to rest.
#
# Zeros
# -----
#
# Nearly all weights between inputs and hidden units are zero; those of the output,
# which L1 does not reach, are not.

figure, axes = plt.subplots(
    2, 1, figsize=(6.4, 5.4), height_ratios=[1, 2], layout="constrained"
)
SparsityDisplay.from_estimator(model, ax=axes[0])
WeightHistogramDisplay.from_estimator(model, ax=axes[1], bins=40)
plt.show()

# %%
# Features
# --------
#
# A feature is dropped when all its weights are zero.

display = FeatureImportancesDisplay.from_estimator(model, max_features=None)
print("dropped:", ", ".join(display.names[~display.selected]) or "none")
plt.show()

# %%
# How strong should the penalty be?
# ---------------------------------
#
# Ten folds for each of 16 strengths, for both weight matrices now. Several of them are
# as good as the best, within the error with which ten folds can tell. The
# one-standard-error rule takes the strongest of these.

strengths = np.logspace(-4, -1, 16)
search = GridSearchCV(
    network(),
    {"regularizedmlpclassifier__l1": strengths},
    scoring="neg_log_loss",
    cv=10,
).fit(X, y)
display = SearchCurveDisplay.from_estimator(search, negate_score=True)
print(f"best: {display.best_value:.2g}")
print(f"within one standard error: {display.one_standard_error_value:.2g}")
plt.show()

# %%
# The two networks, fitted to all rows. For a log loss that ten folds cannot tell from
# the best, the stronger penalty spares some weights more.

chosen = {
    "best": display.best_value,
    "one standard error": display.one_standard_error_value,
}
figure, axes = plt.subplots(2, 1, figsize=(6.4, 4.6), layout="constrained")
for ax, (name, value) in zip(axes, chosen.items(), strict=True):
    SparsityDisplay.from_estimator(network(l1=value).fit(X, y), ax=ax)
    ax.set_title(f"{name}: l1={value:.2g}")
axes[0].set_xlabel("")
plt.show()
