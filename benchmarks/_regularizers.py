"""The regularizers that are compared, at a usual strength and with others to try."""

from dataclasses import dataclass, field

from skreg.adversarial import AdversarialTraining
from skreg.augmentation import (
    CutMix,
    FeatureMasking,
    FeatureScaling,
    GaussianNoise,
    ImageFlip,
    ImageScale,
    ImageShift,
    Mixup,
)

NONE = "none"


@dataclass(frozen=True)
class Regularizer:
    """Parameters of the estimators, beside ``l2=0``.

    Attributes
    ----------
    settings : dict
        The regularizer at a usual strength.
    grid : dict
        Strengths that a search tries instead, on standardised columns; may be empty.
    classifier_only : bool
    aim : float or None
        The time of an epoch that it should not exceed, as a multiple of the time
        without it.
    """

    settings: dict
    grid: dict = field(default_factory=dict)
    classifier_only: bool = False
    aim: float | None = None


# Any number of columns.
REGULARIZERS = {
    NONE: Regularizer({}),
    "l2": Regularizer({"l2": 1e-4}, {"l2": [3e-3, 3e-2, 3e-1]}),
    "l1": Regularizer({"l1": 1e-5}, {"l1": [3e-4, 2e-3, 1e-2]}),
    "group_l1": Regularizer({"group_l1": 1e-4}, {"group_l1": [1e-3, 1e-2, 5e-2]}),
    "skip": Regularizer({"skip": True}),
    "hierarchy": Regularizer(
        {"skip": True, "hierarchy": 10.0, "group_l1": 1e-3},
        {"group_l1": [1e-2, 1e-1, 1.0]},
    ),
    "weight_decay": Regularizer(
        {"weight_decay": 0.01}, {"weight_decay": [0.3, 2.0, 10.0]}
    ),
    "max_norm": Regularizer({"max_norm": 2.0}, {"max_norm": [0.3, 0.7, 1.5]}, aim=1.05),
    "dropout": Regularizer({"dropout": 0.5}, {"dropout": [0.2, 0.5, 0.8]}),
    "input_dropout": Regularizer(
        {"input_dropout": 0.2}, {"input_dropout": [0.1, 0.3, 0.6]}
    ),
    "batch_norm": Regularizer({"batch_norm": True}, aim=1.15),
    "label_smoothing": Regularizer(
        {"label_smoothing": 0.1},
        {"label_smoothing": [0.05, 0.15, 0.4]},
        classifier_only=True,
    ),
    "averaging, ema": Regularizer({"weight_averaging": "ema"}, aim=1.05),
    "averaging, swa": Regularizer({"weight_averaging": "swa"}, aim=1.05),
    "noise": Regularizer(
        {"augmentation": GaussianNoise(scale=0.1)},
        {"augmentation__scale": [0.1, 0.3, 1.0]},
        aim=1.15,
    ),
    "feature scaling": Regularizer(
        {"augmentation": FeatureScaling(scale=0.1)},
        {"augmentation__scale": [0.1, 0.3, 1.0]},
        aim=1.15,
    ),
    "feature masking": Regularizer(
        {"augmentation": FeatureMasking(rate=0.1)},
        {"augmentation__rate": [0.1, 0.3, 0.6]},
        aim=1.15,
    ),
    "mixup": Regularizer(
        {"augmentation": Mixup(alpha=0.2)},
        {"augmentation__alpha": [0.1, 0.5, 2.0]},
        aim=1.15,
    ),
    "cutmix": Regularizer(
        {"augmentation": CutMix(alpha=1.0)},
        {"augmentation__alpha": [0.1, 0.5, 2.0]},
        aim=1.15,
    ),
    "FGSM": Regularizer(
        {"adversarial": AdversarialTraining(epsilon=0.1)},
        {"adversarial__epsilon": [0.03, 0.15, 0.6]},
        aim=2.10,
    ),
}

# Rows that are images.
IMAGE = (28, 28)
IMAGE_REGULARIZERS = {
    "image flip": Regularizer({"augmentation": ImageFlip(IMAGE)}, aim=1.15),
    "image shift": Regularizer({"augmentation": ImageShift(IMAGE)}, aim=1.15),
    "image scale": Regularizer({"augmentation": ImageScale(IMAGE)}, aim=1.15),
}
