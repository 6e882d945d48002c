"""
Augmentation with few digits
============================

With 300 digits of 8 x 8 pixels to learn from, which changes of the training rows help
on new ones, and which do harm?
"""

# %%
# Each entry below is one value of `augmentation`; all else is the same. The strengths
# are usual ones, not tuned: the test rows would be the wrong place for that.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

from skreg import RegularizedMLPClassifier
from skreg.augmentation import (
    CutMix,
    FeatureMasking,
    GaussianNoise,
    ImageFlip,
    ImageScale,
    ImageShift,
    Mixup,
)

X, y = load_digits(return_X_y=True)
X /= 16
shape = (8, 8)
augmentations = {
    "none": None,
    "noise": GaussianNoise(0.2),
    "masking": FeatureMasking(0.2),
    "Mixup": Mixup(0.4),
    "CutMix": CutMix(probability=0.5, shape=shape),
    "noise, CutMix": [GaussianNoise(0.2), CutMix(probability=0.5, shape=shape)],
    "size": ImageScale(shape, 0.1),
    "shift": ImageShift(shape, 1),
    "mirror": ImageFlip(shape),
}

# %%
# The share of about 1500 test digits that is predicted wrongly, for ten splits. The
# number of epochs is fixed, and the learning rate falls to zero.

splits = list(StratifiedShuffleSplit(10, train_size=300, random_state=0).split(X, y))
errors = {}
for name, augmentation in augmentations.items():
    model = RegularizedMLPClassifier(
        (128,),
        augmentation=augmentation,
        weight_decay=0.0,
        dropout=0.0,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        batch_size=32,
        max_iter=60,
        early_stopping=False,
        random_state=0,
    )
    errors[name] = np.array(
        [
            1 - model.fit(X[train], y[train]).score(X[test], y[test])
            for train, test in splits
        ]
    )

# %%
# Splits differ more than augmentations do, so what counts is the difference to no
# augmentation within a split.

for name, values in errors.items():
    gain = errors["none"] - values
    print(
        f"{name:14} error {values.mean():.1%}, better in {(gain > 0).sum():2d} of "
        f"{len(splits)} splits, worse in {(gain < 0).sum():2d}"
    )

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
places = np.arange(len(errors))
means = [values.mean() for values in errors.values()]
ax.barh(places, means, color=["0.6", *["tab:blue"] * (len(errors) - 1)])
for place, values in zip(places, errors.values(), strict=True):
    ax.plot(values, np.full(len(values), place), "k.", markersize=4)
ax.set_yticks(places, list(errors))
ax.invert_yaxis()
ax.set(xlabel="share of test digits that are wrong (dots: splits)", xlim=(0, None))
plt.show()

# %%
# Noise helps in every split. Mirroring does harm in every split, for the network has to
# learn digits that never come. A shift by a pixel is harmless to the eye, and harms all
# the same: these digits are all in the middle of their 8 pixels, so it prepares for
# what does not happen, at the expense of what does. No augmentation is good in itself;
# 0, or None, belongs into the search. See :doc:`/guide/augmentation` for what each of
# them assumes, and for how targets are mixed.
