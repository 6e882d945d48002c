"""The regularizers that are compared, at a usual strength and with others to try."""

from dataclasses import dataclass, field

from skreg._problem.strengths import STRENGTHS
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


def tried(parameter, strength):
    """The grid of a parameter, by the name of its strength, for few rows."""
    return {parameter: list(STRENGTHS[strength].few_rows)}


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
    "l2": Regularizer({"l2": 1e-4}, tried("l2", "l2")),
    "l1": Regularizer({"l1": 1e-5}, tried("l1", "l1")),
    "group_l1": Regularizer({"group_l1": 1e-4}, tried("group_l1", "group_l1")),
    "skip": Regularizer({"skip": True}),
    "hierarchy": Regularizer(
        {"skip": True, "hierarchy": 10.0, "group_l1": 1e-3},
        tried("group_l1", "hierarchy group_l1"),
    ),
    "weight_decay": Regularizer(
        {"weight_decay": 0.01}, tried("weight_decay", "weight_decay")
    ),
    "max_norm": Regularizer({"max_norm": 2.0}, tried("max_norm", "max_norm"), aim=1.05),
    "dropout": Regularizer({"dropout": 0.5}, tried("dropout", "dropout")),
    "input_dropout": Regularizer(
        {"input_dropout": 0.2}, tried("input_dropout", "input_dropout")
    ),
    "batch_norm": Regularizer({"batch_norm": True}, aim=1.15),
    "label_smoothing": Regularizer(
        {"label_smoothing": 0.1},
        tried("label_smoothing", "label_smoothing"),
        classifier_only=True,
    ),
    "averaging, ema": Regularizer({"weight_averaging": "ema"}, aim=1.05),
    "averaging, swa": Regularizer({"weight_averaging": "swa"}, aim=1.05),
    "noise": Regularizer(
        {"augmentation": GaussianNoise(scale=0.1)},
        tried("augmentation__scale", "GaussianNoise scale"),
        aim=1.15,
    ),
    "feature scaling": Regularizer(
        {"augmentation": FeatureScaling(scale=0.1)},
        tried("augmentation__scale", "FeatureScaling scale"),
        aim=1.15,
    ),
    "feature masking": Regularizer(
        {"augmentation": FeatureMasking(rate=0.1)},
        tried("augmentation__rate", "FeatureMasking rate"),
        aim=1.15,
    ),
    "mixup": Regularizer(
        {"augmentation": Mixup(alpha=0.2)},
        tried("augmentation__alpha", "Mixup alpha"),
        aim=1.15,
    ),
    "cutmix": Regularizer(
        {"augmentation": CutMix(alpha=1.0)},
        tried("augmentation__alpha", "CutMix alpha"),
        aim=1.15,
    ),
    "FGSM": Regularizer(
        {"adversarial": AdversarialTraining(epsilon=0.1)},
        tried("adversarial__epsilon", "AdversarialTraining epsilon"),
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
