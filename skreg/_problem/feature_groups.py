"""Groups of features, whose outgoing weights are shrunk and dropped together."""

from dataclasses import dataclass

import numpy as np


@dataclass
class FeatureGroups:
    """Every feature in one group.

    Attributes
    ----------
    starts : ndarray of shape (n_groups + 1,), intp
        Where each group begins in `features`, and where the last ends.
    features : ndarray of shape (n_features,), intp
        Their numbers, one group after the other, in order within each.
    """

    starts: np.ndarray
    features: np.ndarray

    @classmethod
    def of(cls, labels, n_features):
        """Features with one label are one group; None: each is its own.

        Raises
        ------
        ValueError
            If there is not one label per feature, or one is missing.
        """
        if labels is None:
            return cls(np.arange(n_features + 1), np.arange(n_features))
        labels = np.asarray(labels)
        if labels.shape != (n_features,):
            raise ValueError(
                "feature_groups must have one label per feature, shape "
                f"({n_features},); got shape {labels.shape}. Give features that are to "
                "be kept or dropped together the same label."
            )
        if any(label is None or label != label for label in labels.tolist()):
            raise ValueError(
                "feature_groups must have a label for every feature; got "
                f"{labels.tolist()!r} with missing ones. Give a feature that belongs "
                "to no group a label of its own."
            )
        try:
            _, numbers = np.unique(labels, return_inverse=True)
        except TypeError as error:
            raise ValueError(
                "feature_groups must have labels of one kind, all strings or all "
                f"numbers; got {labels.tolist()!r} ({error})."
            ) from None
        counts = np.bincount(numbers)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return cls(starts, np.argsort(numbers, kind="stable"))

    def penalty(self, *matrices):
        """sum_g sqrt(m_g) ||W_g||_2 over the groups' rows of (n_features, n_out).

        W_g: those of all matrices together; m_g: their number of weights.
        """
        squares = sum(self._squares(W) for W in matrices)
        sizes = np.diff(self.starts) * sum(W.shape[1] for W in matrices)
        return float(np.sqrt(sizes) @ np.sqrt(squares))

    def norms(self, W):
        """||W_g||_2 of the group of each feature, (n_features,)."""
        norms = np.empty(len(self.features))
        norms[self.features] = np.repeat(
            np.sqrt(self._squares(W)), np.diff(self.starts)
        )
        return norms

    def _squares(self, W):
        """||W_g||^2, (n_groups,)."""
        squares = np.square(W, dtype=np.float64).sum(axis=1)
        return np.add.reduceat(squares[self.features], self.starts[:-1])
