"""The parameter ``augmentation``: read and checked, and brought to the kernels."""

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite

from skreg._kernels._tables import AUGMENTATION, AUGMENTATIONS
from skreg.augmentation import Augmentation, Compose

RULE = (
    "augmentation must be None, an object of skreg.augmentation, a list of them, a "
    "Compose, or a function f(X, rng)"
)


def read_augmentation(value):
    """What `augmentation` asks for, checked, without what has no effect.

    Returns
    -------
    functions : list of callable
        Of the user, to be called once per epoch.
    augmentations : list of Augmentation
        For the kernels, in their order.

    Raises
    ------
    ValueError
        If something else is in it, a parameter is out of range, a function comes after
        an augmentation, or there is more than one kind of mixing.
    """
    functions, augmentations = [], []
    for part in flat(value):
        if isinstance(part, Augmentation):
            part._check()
            augmentations.append(part)
        elif isinstance(part, type) or not callable(part):
            remedy = "Pass an object such as GaussianNoise(0.1)."
            if isinstance(part, type):
                remedy = f"Pass an object of the class, {part.__name__}(...)."
            raise ValueError(f"{RULE}; got {part!r}. {remedy}")
        elif augmentations:
            raise ValueError(
                f"augmentation has the function {part!r} after {augmentations[-1]!r}. "
                "Functions are called once per epoch, before any batch is taken: put "
                "them first."
            )
        else:
            functions.append(part)
    augmentations = [step for step in augmentations if not step._is_neutral()]
    mixing = [step for step in augmentations if step._mixes]
    if len(mixing) > 1:
        raise ValueError(
            "augmentation must have at most one of Mixup and CutMix; got "
            f"{mixing[0]!r} and {mixing[1]!r}. A row that was mixed twice would have "
            "the targets of four. Leave one out."
        )
    return functions, augmentations


def flat(value):
    """The objects and functions in a list, a Compose, or alone."""
    if value is None:
        return
    if isinstance(value, Compose):
        value = value._objects()
    if not isinstance(value, list | tuple):
        yield value
        return
    for part in value:
        yield from flat(part)


def check_augmentable(functions, augmentations, X):
    """Refuse X that cannot be augmented as asked.

    Raises
    ------
    ValueError
        If X is sparse, or images do not have as many numbers as rows of X.
    """
    if (functions or augmentations) and sparse.issparse(X):
        first = [*functions, *augmentations][0]
        raise ValueError(
            f"augmentation={first!r} does not support sparse X, which it would make "
            "dense. Use input_dropout, set augmentation=None, or pass X.toarray()."
        )
    for step in augmentations:
        step._check_features(X.shape[1])


def kernel_table(augmentations):
    """The augmentations as the kernels read them."""
    table = np.zeros(len(augmentations), dtype=AUGMENTATION)
    for row, step in zip(table, augmentations, strict=True):
        for name, value in step._entry().items():
            row[name] = AUGMENTATIONS[value] if name == "kind" else value
    return table


class TransformedRows:
    """The training rows as the user's functions make them, anew for each epoch.

    Parameters
    ----------
    functions : list of callable
        Each is called with X, which it must not change, and a numpy.random.Generator,
        and returns an array of X's shape.
    network : Network
    X, targets, weights : ndarray
        As for ``network.data``.
    rows : ndarray of int or None
        Those of them to train on.
    key : tuple of int
        Of the fit's random numbers.
    """

    def __init__(self, functions, network, X, targets, weights, rows, key):
        self.functions = functions
        self.network = network
        if rows is not None:
            X, targets = X[rows], targets[rows]
            weights = None if weights is None else weights[rows]
        # a view: the array may be the user's own
        self.X = X.view()
        self.X.flags.writeable = False
        self.targets = targets
        self.weights = weights
        self.key = key
        self.epoch = self.current = None

    def data(self, epoch):
        """The rows of an epoch, for the kernels.

        Raises
        ------
        ValueError
            If a function does not return finite numbers of X's shape.
        """
        if epoch != self.epoch:
            self.current = None  # its memory is free for the next
            X = self.X
            for position, function in enumerate(self.functions):
                rng = np.random.default_rng([*self.key, epoch, position])
                X = self._checked(function, function(X, rng))
            self.current = self.network.data(X, self.targets, self.weights)
            self.epoch = epoch
        return self.current

    def _checked(self, function, X):
        name = getattr(function, "__name__", repr(function))
        X = np.asarray(X)
        if X.shape != self.X.shape or not np.can_cast(X.dtype, np.float64, "same_kind"):
            raise ValueError(
                f"The augmentation {name!r} must return an array of numbers with the "
                f"shape of X, {self.X.shape}; got shape {X.shape} of {X.dtype}. "
                "Return one row for each row of X."
            )
        with np.errstate(over="ignore", invalid="ignore"):
            X = np.ascontiguousarray(X, self.X.dtype)
            assert_all_finite(X, input_name=f"the result of the augmentation {name!r}")
        return X
