"""
Fine-tuning: a network moves to other data
==========================================

A network that reads digits meets images that are shifted by a pixel, and then digits
that it has never seen. How few new rows and how few parameters does it take?
"""

# %%
# The old task and the new one
# ----------------------------
#
# The base is trained on 900 images. The new task are other images, moved one column to
# the right: for a network that knows nothing of images, other data. 500 of them are
# held out.

import pickle
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skreg import RegularizedMLPClassifier

X, y = load_digits(return_X_y=True)
images = X.reshape(-1, 8, 8) / 16
X = images.reshape(-1, 64)
moved = np.roll(images, 1, axis=2).reshape(-1, 64)
old, new, test = slice(None, 900), slice(900, 1297), slice(1297, None)

base = RegularizedMLPClassifier(
    (60, 60),
    batch_size=20,
    learning_rate="one_cycle",
    learning_rate_init=0.005,
    max_iter=30,
    weight_decay=0.0,
    early_stopping=False,
    random_state=0,
).fit(X[old], y[old])
print(f"old images   {base.score(X[test], y[test]):.3f}")
print(f"moved images {base.score(moved[test], y[test]):.3f}")

# %%
# Methods against rows
# --------------------
#
# Each method adapts the base to 20, 50, 100, 200 and 397 moved images; nothing is
# tuned. Beside them a network of the same shape that is trained on these images alone.

sizes = [20, 50, 100, 200, 397]
methods = ["head", "bias", "lora", "adapter", "full"]
fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")


def accuracy(model):
    """On the moved images held out."""
    return model.score(moved[test], y[test])


X_new, y_new = moved[new], y[new]
print(f"\n{'':14}{'numbers':>8}  " + " ".join(f"{size:>5}" for size in sizes))
for method in methods:
    with warnings.catch_warnings():
        # of 20 images not every method learns something, which is to be seen here
        warnings.simplefilter("ignore", ConvergenceWarning)
        adapted = [base.fine_tune(X_new[:n], y_new[:n], method=method) for n in sizes]
    scores = [accuracy(model) for model in adapted]
    ax.plot(sizes, scores, marker="o", label=method)
    print(
        f"{method:14}{adapted[0].n_trained_parameters_:>8}  "
        + " ".join(f"{score:.3f}" for score in scores)
    )
scores = [accuracy(clone(base).fit(X_new[:n], y_new[:n])) for n in sizes]
ax.plot(sizes, scores, color="black", linestyle="--", label="from scratch")
print(f"{'from scratch':22}  " + " ".join(f"{score:.3f}" for score in scores))
ax.axhline(accuracy(base), color="black", linestyle=":", label="base as it is")
ax.set_xscale("log")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.set_xlabel("moved images learnt from")
ax.set_ylabel("accuracy on moved images")
ax.legend()

# %%
# The pull towards the old weights
# --------------------------------
#
# Training on moved images makes the network forget the old ones. The pull ``l2_sp`` is
# between the two: the stronger it is, the more of the old is kept, and the less of the
# new is learnt.

strengths = np.logspace(-4, 1, 11)
scores = []
for strength in strengths:
    adapted = base.fine_tune(X_new, y_new, method="full", l2_sp=strength)
    scores.append([adapted.score(X[test], y[test]), accuracy(adapted)])
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.semilogx(strengths, scores, marker="o", label=["old images", "moved images"])
ax.set_xlabel("l2_sp")
ax.set_ylabel("accuracy")
ax.legend()

# %%
# New classes
# -----------
#
# A base that knows eight digits, and 100 rows with all ten. Before the adaptation it is
# wrong about every 8 and 9; what it knows of the others it keeps.

eight = clone(base).fit(X[old][y[old] < 8], y[old][y[old] < 8])
ten = eight.fine_tune(X[new][:100], y[new][:100], method="head", max_iter=100)
known = y[test] < 8
for name, model in [("eight classes", eight), ("ten classes", ten)]:
    right = model.predict(X[test]) == y[test]
    print(
        f"{name:14} known digits {right[known].mean():.3f}"
        f"   new digits {right[~known].mean():.3f}"
    )

# %%
# What is kept
# ------------
#
# Each adaptation holds the numbers that were trained and, however few these are, some
# kilobytes that say what they are and how they came about.

print(f"{'base':10}{len(pickle.dumps(base)):>8} bytes")
for method in methods:
    adapted = base.fine_tune(X_new, y_new, method=method)
    print(f"{method:10}{len(pickle.dumps(adapted.adaptation_)):>8} bytes")
    again = adapted.adaptation_.attach(base)
    assert (again.predict_proba(X) == adapted.predict_proba(X)).all()
