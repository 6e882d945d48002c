"""
Searching over regularizers in a pipeline
=========================================

Every regularizer is a parameter, so a grid can choose among them. Here a network is
scaled and tuned in one pipeline on a small sample of the digits data, 300 images.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skreg import RegularizedMLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=300, stratify=y, random_state=0
)

# %%
# The pipeline and the grid
# -------------------------
#
# A list of grids: one part per idea, and the network without any regularizer as the
# point of comparison. The search refits the best by the log loss, which is less coarse
# than the accuracy.

pipeline = Pipeline(
    [
        ("scale", MinMaxScaler()),
        (
            "net",
            RegularizedMLPClassifier(
                (128,),
                l2=0,
                weight_decay=0.0,
                dropout=0.0,
                batch_size=32,
                learning_rate="one_cycle",
                learning_rate_init=0.01,
                max_iter=60,
                early_stopping=False,
                random_state=0,
            ),
        ),
    ]
)
grid = [
    {"net__dropout": [0.0]},
    {"net__l2": [1e-4, 1e-3, 1e-2]},
    {"net__l1": [1e-4, 3e-4, 1e-3]},
    {"net__weight_decay": [0.1, 0.3, 1.0]},
    {"net__dropout": [0.2, 0.5]},
    {"net__weight_decay": [0.3, 1.0], "net__dropout": [0.2, 0.5]},
    {"net__l1": [1e-4, 3e-4], "net__dropout": [0.2, 0.5]},
]
search = GridSearchCV(
    pipeline,
    grid,
    cv=RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0),
    scoring=["neg_log_loss", "accuracy"],
    refit="neg_log_loss",
)
search.fit(X_train, y_train)
print(search.best_params_)

# %%
# What each setting scores
# ------------------------
#
# All settings were scored on the same folds, so what counts is the difference to the
# network without regularizers, fold by fold. The bars are its mean, the lines its
# standard error.

results = pd.DataFrame(search.cv_results_)
n_folds = search.n_splits_
by_fold = results[[f"split{k}_test_neg_log_loss" for k in range(n_folds)]].to_numpy()
gain = by_fold - by_fold[0]
results["gain"] = gain.mean(axis=1)
results["error"] = gain.std(axis=1, ddof=1) / np.sqrt(n_folds)
results["setting"] = [
    ", ".join(f"{name.removeprefix('net__')}={value}" for name, value in p.items())
    for p in results["params"]
]
ranked = results.iloc[1:].sort_values("gain")

fig, ax = plt.subplots(figsize=(7, 6), layout="constrained")
colours = np.where(ranked["gain"] > 0, "C0", "C3")
ax.barh(ranked["setting"], ranked["gain"], xerr=ranked["error"], color=colours)
ax.axvline(0, color="black", linewidth=0.8)
ax.set_xlabel("gain in log loss over the network without regularizers")
ax.set_title("300 digits for training, 10 folds")

# %%
# On new images
# -------------
#
# The score of the search is that of the best of many settings, and so a little too
# good. On the images that the search has not seen:

plain = pipeline.fit(X_train, y_train)
for name, model in [("no regularizer", plain), ("best setting", search)]:
    probabilities = model.predict_proba(X_test)
    accuracy = accuracy_score(y_test, probabilities.argmax(axis=1))
    print(
        f"{name:14}  log loss {log_loss(y_test, probabilities):.3f}  "
        f"accuracy {accuracy:.3f}"
    )
