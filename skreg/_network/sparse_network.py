"""A fitted network whose weights are sparse matrices: it predicts, and nothing else."""

import copy
from dataclasses import fields
from itertools import pairwise

import numpy as np
from scipy import sparse

from skreg._kernels import sparse_weights
from skreg._network import batch_norm
from skreg._network.network import Network, residual_reaches
from skreg._problem import cores
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.sparse_input import check_indices


class SparseNetwork:
    """What a `Network` predicts by, without its zeros.

    Parameters
    ----------
    network : Network
        It is copied from; nothing is shared but what neither changes.

    Attributes
    ----------
    coefs : list of CSC, each (n_in, n_out)
        By output, as the kernels read them. All arrays are made read-only: so what was
        checked, and what was made from them, stays right. A whole matrix, or an array
        of one, can be replaced.
    skip_coef : CSC of shape (n_features, n_outputs) or None
    intercepts, scales, shifts : lists of ndarray
    statistics : Statistics or None
    """

    # The arrays that `_settle` has seen last.
    _settled = None

    def __init__(self, network):
        self._shape = {
            field.name: getattr(network, field.name)
            for field in fields(network)
            if field.init
        }
        self.coefs = [sparse.csc_array(W) for W in network.coefs]
        self.skip_coef = sparse.csc_array(network.skip_coef) if network.skip else None
        self.intercepts = [b.copy() for b in network.intercepts]
        self.scales = [a.copy() for a in network.scales]
        self.shifts = [c.copy() for c in network.shifts]
        self.statistics = copy.deepcopy(network.statistics)
        # The predictor of the last call, with the arrays that it is of, or nothing: it
        # is for one thread at a time.
        self._idle = []
        self._folded = None

    def __getstate__(self):
        # buffers are no part of what is copied or written to disk
        return self.__dict__ | {"_idle": [], "_folded": None, "_settled": None}

    def __getattr__(self, name):
        # dtype, loss, layer_sizes, ...: what a network is made from
        try:
            return self.__dict__["_shape"][name]
        except KeyError:
            raise AttributeError(name) from None

    def matrices(self):
        """All weight matrices, theta last."""
        return [*self.coefs, self.skip_coef] if self.skip else self.coefs

    def _arrays(self):
        """All that predictions are made from."""
        arrays = [*self.intercepts, *self.scales, *self.shifts]
        if self.statistics is not None:
            arrays.append(self.statistics.values)
        for W in self.matrices():
            arrays += [W.data, W.indices, W.indptr]
        return arrays

    def _settle(self):
        """Check what was replaced since the last call, and make it read-only.

        Raises
        ------
        ValueError
            If a matrix is not one that the kernels can read.
        """
        for l, (W, shape) in enumerate(
            zip(self.coefs, pairwise(self.layer_sizes), strict=True)
        ):
            fits = getattr(W, "format", None) == "csc" and W.shape == shape
            if not fits or W.dtype != self.dtype:
                raise ValueError(
                    f"coefs_[{l}] must be a CSC matrix of shape {shape} and "
                    f"{self.dtype} after sparsify_weights; got {W!r}. Convert it, or "
                    "call densify() before setting weights."
                )
        arrays = self._arrays()
        settled = self._settled
        if settled is not None and all(
            now is before and not now.flags.writeable
            for now, before in zip(arrays, settled, strict=True)
        ):
            return
        for l, W in enumerate(self.coefs):
            check_indices(W, f"coefs_[{l}]")
        if self.skip:
            check_indices(self.skip_coef, "skip_coef_")
        for array in arrays:
            array.flags.writeable = False
        self._idle, self._folded, self._settled = [], None, arrays

    def dense(self):
        """The `Network` again."""
        self._settle()
        network = Network(**self._shape)
        pairs = [
            (network.matrices(), [W.toarray() for W in self.matrices()]),
            (network.intercepts, self.intercepts),
            (network.scales, self.scales),
            (network.shifts, self.shifts),
        ]
        for views, arrays in pairs:
            for view, array in zip(views, arrays, strict=True):
                view[:] = array
        network.statistics = copy.deepcopy(self.statistics)
        return network

    def folded(self):
        """Weights and biases of a network without norms that predicts the same.

        Theta stays as it is.
        """
        self._settle()
        if self.batch_norm is None:
            return self.coefs, self.intercepts
        if self._folded is None:
            coefs, intercepts = batch_norm.folded(
                self.batch_norm,
                self.coefs,
                self.intercepts,
                self.scales,
                self.shifts,
                self.statistics.by_layer(self.layer_sizes[1:-1]),
            )
            self._folded = (
                [sparse.csc_array(W, dtype=self.dtype) for W in coefs],
                [b.astype(self.dtype) for b in intercepts],
            )
        return self._folded

    def empty_outputs(self, n):
        """Room for the outputs of n rows, (n, n_outputs)."""
        return np.empty((n, self.layer_sizes[-1]), self.dtype)

    def _predictor(self, threads):
        return sparse_weights.SparsePredictor(
            *self.folded(),
            [ACTIVATIONS[name].kernel for name in self.activations],
            self.loss.kernel,
            residual=residual_reaches(self.residual, self.layer_sizes),
            skip=self.skip_coef,
            threads=threads,
        )

    def predict(self, X, *, raw=False, out=None):
        """Predictions, or raw outputs before the inverse link: (n, n_outputs).

        May run in several threads at once.
        """
        self._settle()
        # an older version has made it without one
        scaling = self._shape.get("scaling")
        if scaling is not None:
            X = scaling.transform(X)
        if out is None:
            out = self.empty_outputs(X.shape[0])
        products = sum(W.nnz for W in self.matrices()) * X.shape[0]
        threads = cores.wanted(2 * products)
        # popping and assigning are atomic, asking for the length first would not be
        settled = self._settled
        try:
            made_of, predictor = self._idle.pop()
        except IndexError:
            made_of = predictor = None
        if made_of is not settled or predictor.threads < threads:
            predictor = self._predictor(threads)
        with cores.borrowed(threads) as granted:
            predictor.predict(X, out, raw=raw, threads=granted)
        self._idle[:] = [(settled, predictor)]
        return out
