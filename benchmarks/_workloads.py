"""Shapes of data and networks. The data matter little for time, so most are noise."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.preprocessing import normalize

TRAIN, PREDICT, ONE_ROW = "train", "predict_proba", "predict"


@dataclass(frozen=True)
class Workload:
    """What is trained on or predicted, and on how many threads at most."""

    rows: int
    features: int
    hidden: tuple
    classes: int = 0  # 0: regression
    batch: int = 200
    activation: str = "relu"
    dropout: float = 0.0
    density: float | None = None  # of a CSR matrix; None: dense
    digits: bool = False
    threads: int = 1
    task: str = TRAIN

    @property
    def name(self):
        """Everything that matters, in words."""
        kind = f"{self.classes} classes" if self.classes else "regression"
        density = f" CSR ({self.density:.1%} dense)" if self.density else ""
        if self.digits:
            kind = "digits"
        layers = f"{self.hidden}" if self.hidden else "no hidden layer"
        rows = 1 if self.task == ONE_ROW else self.rows
        parts = [kind, f"{rows} x {self.features}{density}", layers]
        if self.activation != "relu":
            parts[-1] += f" {self.activation}"
        if self.task == TRAIN:
            parts.append(f"batch {self.batch}")
        else:
            parts.insert(0, self.task)
        if self.dropout:
            parts.append(f"dropout {self.dropout:g}")
        return ", ".join(parts)

    @property
    def outputs(self):
        """Units of the last layer: one for two classes or a regression."""
        return self.classes if self.classes > 2 else 1

    @property
    def layer_sizes(self):
        """Units of all layers, the features first."""
        return [self.features, *self.hidden, self.outputs]

    @property
    def flops(self):
        """Floating point operations of one epoch, or one prediction, that must be.

        The products of matrices, two operations for each weight and row: forward,
        for the weights' gradients and, but in the first layer, for the inputs'.
        Columns of a sparse row that are zero do not count.
        """
        first, *others = (n_in * n_out for n_in, n_out in pairwise(self.layer_sizes))
        if self.density:
            first *= self.density
        forward = first + sum(others)
        per_row = 2 * forward
        if self.task == TRAIN:
            per_row += 2 * forward + 2 * sum(others)
        return per_row * (1 if self.task == ONE_ROW else self.rows)

    def smaller(self):
        """A few batches of the same, to try a script with."""
        return replace(self, rows=max(self.rows // 20, 200))

    def data(self):
        """X in float32, C-contiguous or CSR, and y."""
        rng = np.random.default_rng(0)
        shape = self.rows, self.features
        if self.digits:
            X, y = load_digits(return_X_y=True)
            return (X[: self.rows] / 16).astype(np.float32), y[: self.rows]
        if self.density:
            X = text_like(*shape, self.density, rng)
        else:
            X = rng.standard_normal(shape, np.float32)
        if not self.classes:
            return X, rng.standard_normal(self.rows, np.float32)
        # every class occurs, however few rows there are
        return X, rng.permutation(np.arange(self.rows) % self.classes)


def text_like(rows, features, density, rng):
    """CSR like TF-IDF: frequent and rare words, positive, rows of length 1."""
    frequency = 1 / (50 + np.arange(features))  # after Zipf and Mandelbrot
    lengths = rng.poisson(density * features, size=rows).clip(1)
    words = rng.choice(features, size=lengths.sum(), p=frequency / frequency.sum())
    texts = np.repeat(np.arange(rows), lengths)
    values = rng.exponential(size=len(words)).astype(np.float32)
    X = sparse.csr_matrix((values, (texts, words)), shape=(rows, features))
    X.sum_duplicates()
    return normalize(X, copy=False)
