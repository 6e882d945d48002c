"""Augmentations in plain NumPy, given their random words: the oracle of the tests.

Each function takes a batch X, (rows, features), the object of skreg.augmentation, and
the words that it draws; `augment` goes through a list and mixes targets and weights.
"""

import numpy as np
from reference import random_words
from scipy.ndimage import map_coordinates
from scipy.special import betaincinv

STREAM_AUGMENTATION = 2


class Words:
    """Of the augmentation at one position of the list, in one step."""

    def __init__(self, key, step, position):
        self.settings = {"key": key, "stream": STREAM_AUGMENTATION, "step": step}
        self.position = position

    def of_elements(self, n):
        return random_words(n, layer=2 * self.position, **self.settings)

    def halves_of_elements(self, shape):
        """16 bits for every element, the low half of a word first."""
        n = np.prod(shape)
        words = self.of_elements(-(-n // 2))
        pairs = np.stack([words & np.uint64(0xFFFF), words >> np.uint64(16)], axis=1)
        return pairs.ravel()[:n].reshape(shape).astype(float)

    def of_rows(self, n):
        """Four words for each row, (4, n): word w of row r is 16 w + r of its group."""
        words = random_words(
            64 * -(-n // 16), layer=2 * self.position + 1, **self.settings
        )
        return words.reshape(-1, 4, 16).transpose(1, 0, 2).reshape(4, -1)[:, :n]

    def uniform_of_rows(self, number, n):
        return (self.of_rows(n)[number].astype(float) + 0.5) / 2**32


def normal_numbers(words):
    """Box & Muller: words k and k + 32 of a group make the normal numbers there."""
    radius, angle = words.reshape(-1, 2, 32).transpose(1, 0, 2)
    u = ((radius >> np.uint64(1)).astype(float) + 0.5) / 2**31
    v = angle.astype(np.uint32).view(np.int32) / 2**31
    pairs = np.stack([np.cos(np.pi * v), np.sin(np.pi * v)], axis=1)
    return (np.sqrt(-2 * np.log(u))[:, None] * pairs).ravel()


def gaussian_noise(X, step, words):
    normal = normal_numbers(words.of_elements(64 * -(-X.size // 64)))
    return X + step.scale * normal[: X.size].reshape(X.shape)


def feature_scaling(X, step, words):
    if step.per == "sample":
        u = words.uniform_of_rows(0, len(X))[:, None]
    else:
        u = (words.halves_of_elements(X.shape) + 0.5) / 2**16
    return X * (1 + step.scale * (2 * u - 1))


def feature_masking(X, step, words):
    if float(step.rate * 256).is_integer():
        as_bytes = words.of_elements(-(-X.size // 4)).astype("<u4").view(np.uint8)
        numbers, values = as_bytes[: X.size].reshape(X.shape), 256
    else:
        numbers, values = words.halves_of_elements(X.shape), 2**16
    threshold = min(int(step.rate * values + 0.5), values - 1)
    return np.where(numbers < threshold, step.fill, X)


def as_images(X, shape):
    return X.reshape(len(X), shape[0], shape[1], -1)


def image_flip(X, step, words):
    images = as_images(X, step.shape)
    axis = 2 if step.axis == "horizontal" else 1
    flips = words.of_rows(len(X))[0] < step.probability * 2**32
    images = np.where(flips[:, None, None, None], np.flip(images, axis), images)
    return images.reshape(X.shape)


def image_shift(X, step, words):
    n, pixels = len(X), step.pixels
    down, right = (
        words.of_rows(n)[:2] * np.uint64(2 * pixels + 1) >> np.uint64(32)
    ).astype(int) - pixels
    height, width = step.shape[:2]
    frame = [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)]
    framed = np.pad(as_images(X, step.shape), frame, constant_values=step.fill)
    shifted = [
        image[pixels - d : pixels - d + height, pixels - r : pixels - r + width]
        for image, d, r in zip(framed, down, right, strict=True)
    ]
    return np.array(shifted).reshape(X.shape)


def image_scale(X, step, words):
    factors = 1 + step.scale * (2 * words.uniform_of_rows(0, len(X)) - 1)
    images = as_images(X, step.shape)
    scaled = np.empty_like(images)
    centre = [(n - 1) / 2 for n in step.shape[:2]]
    places = np.indices(step.shape[:2]).astype(float)
    for i, factor in enumerate(factors):
        source = [c + (at - c) / factor for c, at in zip(centre, places, strict=True)]
        for c in range(images.shape[3]):
            scaled[i, :, :, c] = map_coordinates(
                images[i, :, :, c],
                source,
                order=1,
                mode="grid-constant",
                cval=step.fill,
            )
    return scaled.reshape(X.shape)


def shares_wanted(X, step, words):
    """Lambda of every row, before anything is rounded to whole features or pixels."""
    n = len(X)
    grid = np.linspace(0, 1, 1025)
    table = betaincinv(step.alpha, step.alpha, grid)
    shares = np.interp(words.uniform_of_rows(0, n), grid, table)
    mixed = words.of_rows(n)[1] < step.probability * 2**32
    return np.where(mixed, shares, 1.0)


def partners(X, words):
    n = len(X)
    offset = 1 + (int(words.of_rows(1)[3, 0]) * (n - 1) >> 32)
    return (np.arange(n) + offset) % n


def mixup(X, step, words):
    shares = shares_wanted(X, step, words)
    other = partners(X, words)
    return shares[:, None] * X + (1 - shares[:, None]) * X[other], shares, other


def cutmix(X, step, words):
    shares = shares_wanted(X, step, words)
    other = partners(X, words)
    if step.shape is None:
        thresholds = np.floor((1 - shares) * 2**16 + 0.5)
        taken = words.halves_of_elements(X.shape) < thresholds[:, None]
    else:
        taken = rectangles(X, step.shape, shares, words.of_rows(len(X))[2])
    return np.where(taken, X[other], X), 1 - taken.mean(axis=1), other


def rectangles(X, shape, shares, centres):
    """Which elements of the rows lie in a rectangle, 1 - share of the image large."""
    height, width = shape[:2]
    taken = np.zeros((len(X), height, width, X.shape[1] // (height * width)), bool)
    for i, (share, word) in enumerate(zip(shares, map(int, centres), strict=True)):
        side = np.sqrt(1 - share)
        down, across = int(height * side), int(width * side)
        top = ((word >> 16) * height >> 16) - down // 2
        left = ((word & 0xFFFF) * width >> 16) - across // 2
        taken[i, max(top, 0) : top + down, max(left, 0) : left + across] = True
    return taken.reshape(X.shape)


ROW_BY_ROW = {
    "GaussianNoise": gaussian_noise,
    "FeatureScaling": feature_scaling,
    "FeatureMasking": feature_masking,
    "ImageFlip": image_flip,
    "ImageShift": image_shift,
    "ImageScale": image_scale,
}
MIXING = {"Mixup": mixup, "CutMix": cutmix}


def augment_inputs(augmentations, X, *, key, step):
    """The inputs, the share that each row has in itself, and its partner."""
    shares, other = np.ones(len(X)), np.arange(len(X))
    for position, augmentation in enumerate(augmentations):
        name = type(augmentation).__name__
        words = Words(key, step, position)
        if name in ROW_BY_ROW:
            X = ROW_BY_ROW[name](X, augmentation, words)
        elif len(X) > 1:
            X, shares, other = MIXING[name](X, augmentation, words)
    return X, shares, other


def augment(augmentations, X, y, weights, *, key, step):
    """Inputs, targets and weights of a batch.

    Rows i and j, mixed with lambda, have the weight s = lambda s_i + (1 - lambda) s_j
    and the target (lambda s_i y_i + (1 - lambda) s_j y_j) / s.
    """
    X, shares, other = augment_inputs(augmentations, X, key=key, step=step)
    s = np.ones(len(X)) if weights is None else weights
    own, partner = shares * s, (1 - shares) * s[other]
    y = (own[:, None] * y + partner[:, None] * y[other]) / (own + partner)[:, None]
    return X, y, own + partner
