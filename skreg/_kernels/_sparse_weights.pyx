"""Predictions of a network whose weights are sparse matrices."""

cimport numpy as cnp
from cpython.exc cimport PyErr_Occurred
from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memset

from skreg._kernels.activations cimport IDENTITY, N_ACTIVATIONS
from skreg._kernels.arrays cimport (
    address, aligned, check_compressed, typed_address, writable_address)
from skreg._kernels.losses cimport LOSS_ROWS
from skreg._kernels.rows cimport Rows
from skreg._kernels.sparse_weights cimport (
    CHUNK_BYTES, SKREG_ROW_VECTORS, SKREG_VECTOR_BYTES, NonZeros, SparseLayer,
    SparsePass, SparseScratch, predict_sparse_f32, predict_sparse_f64)
from skreg._kernels.team cimport run_team

import numpy as np

cnp.import_array()


cdef int raise_pending() except -1:
    """Raises the exception that a signal's handler raised while a team was at work."""
    return -1 if PyErr_Occurred() != NULL else 0


cdef compressed_parts(W):
    """[Starts, indices, values] of CSR or CSC, aligned."""
    starts = aligned(np.ascontiguousarray(W.indptr, dtype=np.intp))
    return [starts, aligned(W.indices), aligned(W.data)]


cdef class SparsePredictor:
    """The non-zero weights of a network, and buffers for chunks of rows.

    Only one thread may use a predictor at a time.

    Parameters
    ----------
    coefs : sequence of CSC, each (n_in, n_out), of one dtype, with int32 indices
        The weights; not copied.
    intercepts : sequence of ndarray, each (n_out,)
    activations : sequence of int
        One number per hidden layer.
    loss : int
        The loss whose inverse link is applied.
    residual : sequence of int, one per hidden layer
        The reach of each hidden layer's residual connection: the layer adds the outputs
        of the hidden layer 1 or 2 layers below. 0: no connection.
    skip : CSC of shape (n_features, n_outputs) or None
        Weights of the skip connection from the inputs to the outputs.
    threads : int, default=1
        The most threads that a call may use.
    """

    cdef SparsePass loop
    cdef readonly int threads
    cdef readonly object dtype
    cdef readonly Py_ssize_t n_features, n_outputs
    cdef object coefs, skip, intercepts
    cdef list buffers         # arrays that the pointers point to

    def __init__(
        self, coefs, intercepts, activations, int loss, *, residual, skip=None,
        int threads=1,
    ):
        cdef Py_ssize_t l, n_layers = len(coefs)
        cdef Py_ssize_t widest
        cdef SparseLayer* layer
        if not all(0 <= number < N_ACTIVATIONS for number in activations):
            raise ValueError(f"unknown activation among {activations}")
        self.dtype = coefs[0].dtype
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype}")
        self.buffers = []
        self.coefs, self.intercepts, self.skip = coefs, intercepts, skip
        self.threads = threads
        self.n_features = coefs[0].shape[0]
        self.n_outputs = coefs[n_layers - 1].shape[1]
        self.loop.n_layers, self.loop.loss = n_layers, loss
        self.loop.layers = <SparseLayer*> self.buffer(n_layers * sizeof(SparseLayer))
        n_in = self.n_features
        for l, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
            if W.shape[0] != n_in:
                raise ValueError(f"layer {l} has {W.shape[0]} inputs, not {n_in}")
            layer = &self.loop.layers[l]
            layer.n_in, layer.n_out = W.shape
            layer.weights = self.kept_non_zeros(W, "csc")
            layer.bias = typed_address(b, self.dtype, (W.shape[1],))
            layer.activation, layer.residual = IDENTITY, 0
            if l < n_layers - 1:
                layer.activation = activations[l]
                layer.residual = residual[l]
                if not 0 <= residual[l] <= min(l, 2):
                    raise ValueError(f"no connection reaches {residual[l]} below {l}")
                if residual[l] and coefs[l - residual[l]].shape[1] != layer.n_out:
                    raise ValueError(f"layer {l} cannot be residual: its width differs")
            n_in = W.shape[1]
        if skip is not None:
            if skip.shape != (self.n_features, self.n_outputs):
                raise ValueError(f"skip has the shape {skip.shape}")
            self.loop.skip = self.kept_non_zeros(skip, "csc")
        matrices = coefs if skip is None else [*coefs, skip]
        self.loop.products = sum(W.nnz for W in matrices) + self.n_features
        widest = max(max(W.shape) for W in coefs)
        self.loop.vectors = SKREG_ROW_VECTORS
        while (self.loop.vectors > 1
               and self.loop.vectors * SKREG_VECTOR_BYTES * widest > CHUNK_BYTES):
            self.loop.vectors //= 2
        self.make_scratch(max(W.shape[1] for W in coefs))

    cdef int make_scratch(self, Py_ssize_t widest) except -1:
        """All scratch except that of the inputs, which only dense X needs."""
        cdef Py_ssize_t row = self.loop.vectors * SKREG_VECTOR_BYTES
        cdef SparseScratch* scratch
        cdef int k, t
        self.loop.scratch = <SparseScratch*> self.buffer(
            self.threads * sizeof(SparseScratch))
        for t in range(self.threads):
            scratch = &self.loop.scratch[t]
            scratch.inputs = NULL
            for k in range(3):
                scratch.units[k] = self.buffer(widest * row)
            scratch.link = self.buffer(
                2 * self.n_outputs * LOSS_ROWS * self.dtype.itemsize)
        return 0

    cdef void* buffer(self, Py_ssize_t size) except NULL:
        """A buffer of `size` bytes that begins at a cache line."""
        array = np.empty(size + 64, dtype=np.uint8)
        self.buffers.append(array)
        cdef char* start = <char*> address(array)
        return start + (64 - <uint64_t> start % 64) % 64

    def predict(self, X, out, *, bint raw=False, int threads=1):
        """Write predictions, or with `raw` the raw outputs, to out, (n, n_outputs).

        X : ndarray of shape (n, n_features), C-contiguous, or CSR with int32 indices
        """
        cdef Rows rows
        cdef NonZeros given
        cdef bint single = self.dtype == np.float32
        if X.dtype != self.dtype:
            raise ValueError(f"the data are {X.dtype}, the network {self.dtype}")
        if X.shape[1] != self.n_features:
            raise ValueError("the data and the network differ in features")
        memset(&rows, 0, sizeof(rows))
        rows.n, rows.n_features = X.shape
        if isinstance(X, np.ndarray):
            X = aligned(X)
            rows.dense = typed_address(X, self.dtype, X.shape)
            self.make_room_for_inputs()
        else:
            # these arrays live as long as this call
            parts = compressed_parts(X)
            given = self.non_zeros(X, "csr", parts)
            rows.row_starts, rows.columns = given.starts, given.others
            rows.values = given.values
            self.order_by_input()
        self.loop.data, self.loop.raw = &rows, raw
        memset(&self.loop.watch, 0, sizeof(self.loop.watch))
        self.loop.out = writable_address(
            out, self.dtype, (X.shape[0], self.n_outputs))
        threads = min(threads, self.threads)
        with nogil:
            run_team(
                threads, predict_sparse_f32 if single else predict_sparse_f64,
                &self.loop)
        if self.loop.watch.interrupted:
            raise_pending()
        return out

    cdef int make_room_for_inputs(self) except -1:
        """Buffers for chunks of dense X, made once."""
        cdef int t
        for t in range(self.threads):
            if self.loop.scratch[t].inputs == NULL:
                self.loop.scratch[t].inputs = self.buffer(
                    self.n_features * self.loop.vectors * SKREG_VECTOR_BYTES)
        return 0

    cdef int order_by_input(self) except -1:
        """Stores the weights that multiply the inputs row by row, once, for CSR X."""
        if self.loop.first_by_input.starts == NULL:
            self.loop.first_by_input = self.kept_non_zeros(self.coefs[0].tocsr(), "csr")
            if self.skip is not None:
                self.loop.skip_by_input = self.kept_non_zeros(self.skip.tocsr(), "csr")
        return 0

    cdef NonZeros kept_non_zeros(self, W, form) except *:
        """Pointers to the arrays of a matrix, which live as long as this object."""
        parts = compressed_parts(W)
        self.buffers += parts
        return self.non_zeros(W, form, parts)

    cdef NonZeros non_zeros(self, W, form, parts) except *:
        """Pointers to the arrays of a matrix; indices and starts are checked."""
        cdef NonZeros found
        starts, indices, values = parts
        if W.format != form or indices.dtype != np.int32:
            raise ValueError(
                f"expected {form} with int32 indices, "
                f"got {W.format} with {indices.dtype}")
        lines, across = W.shape if form == "csr" else W.shape[::-1]
        found.starts = <const Py_ssize_t*> typed_address(starts, np.intp, (lines + 1,))
        found.others = <const int32_t*> typed_address(indices, np.int32, (values.size,))
        found.values = typed_address(values, self.dtype, (values.size,))
        check_compressed(found.starts, found.others, lines, across, values.size)
        return found
