"""What the classifier and the regressor do differently: y, its loss, its weights.

Each of the two defines what is abstract here, and what its targets need of the rest.
"""

from abc import ABCMeta, abstractmethod

import numpy as np


class ReadsTargets(metaclass=ABCMeta):
    """What an estimator says of its targets."""

    @abstractmethod
    def _encode_targets(self, y, weights, first, classes):
        """Check y and, if `first`, set what encodes and decodes it.

        `classes` are those given to the classifier's partial_fit, or None.

        Returns
        -------
        targets : ndarray
            int32 class numbers (n,), or values (n, n_outputs).
        n_outputs : int
        """

    def _follow_targets(self, trained, X, y, weights, *, incremental=False):
        """Before y is encoded: change what reads it, where training goes on with it.

        Parameters
        ----------
        trained : estimator
            Whose network training goes on with: this one, or the base of fine-tuning.

        Returns
        -------
        change : OutputChange or None
            Of the network's outputs, to go on from.
        """
        return None

    def _warn_of_targets(self, y):
        """Say what of y, as it was read, will give trouble."""
        return None

    @abstractmethod
    def _loss(self):
        """The Loss for the targets that were encoded, and its parameter."""

    @abstractmethod
    def _output_bias(self, targets, weights, n_outputs):
        """The raw output of the best constant, (n_outputs,)."""

    def _constant_outputs(self, training):
        """A mask of the outputs whose targets are all the same, or None."""
        return None

    def _largest_raw(self):
        """The largest |raw output| that is finite as a prediction, too."""
        return np.inf

    @abstractmethod
    def _stratify_by(self, y):
        """Labels that keep their shares in a validation split, (n,), or None."""

    def _class_weights(self, y, weights, incremental):
        """The weight of each class, for y to train on; or None, for 1."""
        return None

    def _reweight(self, y, weights, by_class, name):
        """Weights with those of the classes multiplied in; `name` is for errors."""
        return weights

    # What fit learns about y, for reading other y and writing predictions.
    _READING: tuple = ()

    @abstractmethod
    def _reading_of_outputs(self):
        """`_READING` as plain lists and numbers: equal outputs have an equal repr."""
