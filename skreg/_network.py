"""A network's shape and its parameters, in one flat buffer."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from skreg import _threads
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
    # The engine of the last prediction, or nothing. An engine is for one thread at a
    # time: a prediction takes it out, and without one makes its own.
    _idle: list = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self):
        size = sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.layer_sizes))
        self.params = np.zeros(size, self.dtype)

    def __getstate__(self):
        # buffers are no part of what is copied or written to disk
        return self.__dict__ | {"_idle": []}

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

    def engine(
        self,
        settings=None,
        *,
        capacity=engine.CHUNK_ROWS,
        training=True,
        threads=1,
    ):
        """The compiled loops for this shape, with buffers for `capacity` rows.

        Parameters
        ----------
        settings : Settings or None
            How training is regularized; None for losses and predictions without.
        """
        noise = {}
        if settings is not None:
            noise = {
                "dropout": settings.dropout,
                "input_dropout": settings.input_dropout,
            }
        return engine.Engine(
            self.layer_sizes,
            [ACTIVATIONS[name].kernel for name in self.activations],
            self.loss.kernel,
            self.loss_parameter,
            self.dtype,
            capacity=capacity,
            training=training,
            threads=threads,
            **noise,
        )

    def operations(self, rows, *, training):
        """Floating-point operations for so many rows: about, and of products alone."""
        return (6 if training else 2) * self.params.size * rows

    def data(self, X, targets=None, weights=None, subset=None):
        """X (dense or CSR, of this network's dtype) as the kernels read it."""
        return engine.Data(X, targets, weights, self.layer_sizes[-1], subset)

    def empty_outputs(self, n):
        """Room for the outputs of n rows, (n, n_outputs)."""
        return np.empty((n, self.layer_sizes[-1]), self.dtype)

    def predict(self, X, *, raw=False, out=None):
        """Predictions, or raw outputs before the inverse link: (n, n_outputs).

        May run in several threads at once.
        """
        if out is None:
            out = self.empty_outputs(X.shape[0])
        # popping and assigning are atomic, asking for the length first would not be
        threads = _threads.wanted(self.operations(X.shape[0], training=False))
        try:
            loops = self._idle.pop()
        except IndexError:
            loops = None
        if loops is None or loops.threads < threads:
            loops = self.engine(training=False, threads=threads)
        with _threads.borrowed(threads) as granted:
            loops.predict(self.params, self.data(X), out, raw=raw, threads=granted)
        self._idle[:] = [loops]
        return out

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
        nonzero = sum(int(np.count_nonzero(W)) for W in self.coefs)
        return 1.0 - nonzero / sum(W.size for W in self.coefs)
