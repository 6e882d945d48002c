"""A network's shape and its parameters, in one flat buffer."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy import sparse

from skreg._activations import ACTIVATIONS, glorot
from skreg._kernels import engine
from skreg._losses import Loss


@dataclass
class Network:
    """Layer sizes, activations, loss and the parameters W_0, b_0, W_1, b_1, ...

    Attributes
    ----------
    layer_sizes : list of int
        Features, hidden layers, outputs.
    activations : list of str
        One per hidden layer.
    loss : Loss
    loss_parameter : float
    dtype : numpy.dtype
    params : ndarray of shape (n_parameters,)
        The optimizer works on this one array; `coefs` and `intercepts` are views.
    """

    layer_sizes: list
    activations: list
    loss: Loss
    loss_parameter: float
    dtype: np.dtype
    params: np.ndarray = field(init=False)

    def __post_init__(self):
        size = sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.layer_sizes))
        self.params = np.zeros(size, self.dtype)

    @property
    def coefs(self):
        """Views of the weight matrices, each (n_in, n_out)."""
        return [
            self.params[start : start + n_in * n_out].reshape(n_in, n_out)
            for start, n_in, n_out in self._layers()
        ]

    @property
    def intercepts(self):
        """Views of the bias vectors, each (n_out,)."""
        return [
            self.params[start + n_in * n_out : start + (n_in + 1) * n_out]
            for start, n_in, n_out in self._layers()
        ]

    def _layers(self):
        start = 0
        for n_in, n_out in pairwise(self.layer_sizes):
            yield start, n_in, n_out
            start += (n_in + 1) * n_out

    def initialise(self, random_state, output_bias):
        """Random weights as each layer's activation asks; biases of the output given.

        Without a hidden layer the weights start at zero: the problem is convex and has
        no symmetry to break.
        """
        if self.activations:
            bounds = [ACTIVATIONS[name].bound for name in self.activations] + [glorot]
            for bound, W, b in zip(bounds, self.coefs, self.intercepts, strict=True):
                limit = bound(*W.shape)
                W[:] = random_state.uniform(-limit, limit, W.shape)
                b[:] = random_state.uniform(-limit, limit, b.shape)
        self.intercepts[-1][:] = output_bias

    def engine(self, *, dropout=None, input_dropout=0.0, capacity=None, training=True):
        """The compiled loops for this shape, with buffers for `capacity` rows."""
        return engine.Engine(
            self.layer_sizes,
            [ACTIVATIONS[name].kernel for name in self.activations],
            self.loss.kernel,
            self.loss_parameter,
            self.dtype,
            dropout=dropout,
            input_dropout=input_dropout,
            capacity=capacity or engine.CHUNK_ROWS,
            training=training,
        )

    def data(self, X, targets=None, weights=None, subset=None):
        """X (dense or CSR, of this network's dtype) as the kernels read it."""
        return engine.Data(X, targets, weights, self.layer_sizes[-1], subset)

    def predict(self, X, *, raw=False):
        """Predictions, or raw outputs before the inverse link: (n, n_outputs)."""
        out = np.empty((X.shape[0], self.layer_sizes[-1]), dtype=self.dtype)
        capacity = min(max(X.shape[0], 1), engine.CHUNK_ROWS)
        loops = self.engine(capacity=capacity, training=False)
        return loops.predict(self.params, self.data(X), out, raw=raw)

    def penalty(self, l1, l2):
        """sum_l l1_l ||W_l||_1 + l2_l / 2 ||W_l||_F^2; strengths per layer."""
        total = 0.0
        for W, a, b in zip(self.coefs, l1, l2, strict=True):
            if a:
                total += a * float(np.abs(W).sum(dtype=np.float64))
            if b:
                total += b / 2 * float(np.square(W).sum(dtype=np.float64))
        return total

    def zero_share(self):
        """Share of the weights (biases apart) that are exactly zero."""
        nonzero = sum(np.count_nonzero(W) for W in self.coefs)
        return 1.0 - nonzero / sum(W.size for W in self.coefs)


def as_csr_for_kernels(X):
    """CSR with int32 column numbers; shares all arrays where it can."""
    if X.indices.dtype == np.int32:
        return X
    shared = sparse.csr_matrix(X.shape, dtype=X.dtype)
    shared.data, shared.indptr = X.data, X.indptr
    shared.indices = X.indices.astype(np.int32)
    return shared
