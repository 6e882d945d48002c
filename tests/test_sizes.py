"""Sizes that no C integer and no memory can hold are refused by name."""

import numpy as np
import pytest
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor

from skreg import RegularizedMLPRegressorCV, regularization_path
from skreg.adversarial import AdversarialTraining
from skreg.augmentation import CutMix, ImageFlip, ImageScale, ImageShift
from skreg.schedules import Cosine, CosineWarmRestarts, CurriculumDropout

X = np.random.default_rng(0).normal(size=(40, 4))
Y = X[:, 0]
HUGE = [2**31, 2**62, 2**63, 2**64 + 1]


@pytest.mark.parametrize(
    "shape",
    [(2**62 + 1, 4), (2**32, 2**32, 4), (4, 2**62 + 1), (2**64 + 4, 1), (2**70, 1, 1)],
)
@pytest.mark.parametrize(
    "made",
    [ImageFlip, ImageScale, ImageShift, lambda shape: CutMix(shape=shape)],
    ids=["ImageFlip", "ImageScale", "ImageShift", "CutMix"],
)
def test_images_whose_size_overflows(made, shape):
    """Some of them are 4 numbers to 64 bits, as many as X has features."""
    augmentation = made(shape)
    if isinstance(augmentation, ImageShift):
        augmentation.pixels = 0 if min(shape) == 1 else 2
        if augmentation.pixels == 0:
            pytest.skip("it moves nothing")
    with pytest.raises(ValueError, match=r"shape=.* is that of images with \d+ numb"):
        RegularizedMLPClassifier((), augmentation=augmentation).fit(X, Y > 0)


@pytest.mark.parametrize("pixels", HUGE)
def test_shifts_beyond_an_image(pixels):
    augmentation = ImageShift((2, 2), pixels=pixels)
    with pytest.raises(ValueError, match="pixels of ImageShift must be"):
        RegularizedMLPClassifier((), augmentation=augmentation).fit(X, Y > 0)


@pytest.mark.parametrize("width", [2**45, 2**62, 2**63, 2**70])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_networks_beyond_any_memory(width, solver):
    model = RegularizedMLPRegressor((3, width), solver=solver)
    with pytest.raises(ValueError, match=r"no memory.*Lower hidden_layer_sizes"):
        model.fit(X, Y)


@pytest.mark.parametrize("size", HUGE)
@pytest.mark.parametrize("name", ["batch_size", "n_iter_no_change", "max_fun"])
@pytest.mark.filterwarnings("ignore:.*not converged")
def test_bounds_that_are_never_met(name, size):
    solver = "lbfgs" if name == "max_fun" else "adam"
    model = RegularizedMLPRegressor((3,), solver=solver, max_iter=3, random_state=0)
    model.set_params(**{name: size}).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("rank", HUGE)
@pytest.mark.filterwarnings("ignore:.*not converged")
def test_a_rank_beyond_the_weights(rank):
    model = RegularizedMLPRegressor((3,), max_iter=2, random_state=0).fit(X, Y)
    adapted = model.fine_tune(X, Y, method="lora", rank=rank)
    assert np.isfinite(adapted.predict(X)).all()


@pytest.mark.parametrize("width", [2**45, 2**62, 2**63, 2**70])
@pytest.mark.filterwarnings("ignore:.*not converged")
def test_adapters_beyond_any_memory(width):
    model = RegularizedMLPRegressor((3,), max_iter=2, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"width=\d+ of method='adapter'.*Lower width"):
        model.fine_tune(X, Y, method="adapter", width=width)


@pytest.mark.parametrize("n", HUGE)
@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate": CosineWarmRestarts()},
        {"dropout": 0.1, "dropout_schedule": CurriculumDropout()},
        {"weight_decay": 0.1, "weight_decay_schedule": Cosine()},
    ],
    ids=lambda params: list(params)[-1],
)
def test_schedules_of_more_epochs_than_memory_has_room_for(params, n):
    model = RegularizedMLPRegressor((3,), max_iter=n, **params)
    with pytest.raises(ValueError, match=r"max_iter must be at most 100,000,000 with"):
        model.fit(X, Y)


@pytest.mark.parametrize("n", HUGE)
def test_paths_of_more_points_than_memory_has_room_for(n):
    with pytest.raises(ValueError, match="alphas must be at most 1,000,000 points"):
        RegularizedMLPRegressorCV((), alphas=n).fit(X, Y)
    with pytest.raises(ValueError, match="alphas must be at most 1,000,000 points"):
        regularization_path(RegularizedMLPRegressor(()), X, Y, alphas=n)


@pytest.mark.parametrize("n", HUGE)
def test_attacks_of_more_steps_than_end(n):
    adversarial = AdversarialTraining(n_steps=n)
    with pytest.raises(ValueError, match=r"n_steps.* must be an int in the range"):
        RegularizedMLPRegressor((3,), adversarial=adversarial).fit(X, Y)
