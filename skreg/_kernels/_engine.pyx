"""The loops over batches: what the Python side calls, once per epoch."""

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport isfinite
from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcpy

from skreg._kernels.activations cimport IDENTITY, N_ACTIVATIONS
from skreg._kernels.dropout cimport Noise
from skreg._kernels.losses cimport inverse_link
from skreg._kernels.matmul cimport SKREG_PANEL_SIZE
from skreg._kernels.network cimport Workspace, backward, forward, loss_and_delta
from skreg._kernels.optimizers cimport Optimizer, Segment, adam_step, sgd_step
from skreg._kernels.philox cimport shuffle
from skreg._kernels.rows cimport Rows, Selection
from skreg._kernels.types cimport Layer, Network, real

import numpy as np

cnp.import_array()

# Floating-point operations between two looks at pending signals (Ctrl-C): some
# hundredths of a second.
cdef double OPERATIONS_PER_SIGNAL_CHECK = 5e8

# Rows of a chunk where the batch size is free: prediction and full-batch gradients.
cdef enum:
    DEFAULT_ROWS = 256

CHUNK_ROWS = DEFAULT_ROWS

_LAYER = np.dtype([
    ("n_in", np.intp), ("n_out", np.intp), ("weights", np.intp), ("bias", np.intp),
    ("activation", np.intc), ("dropout", np.float64)], align=True)
_SEGMENT = np.dtype([
    ("start", np.intp), ("size", np.intp),
    ("l1", np.float64), ("l2", np.float64), ("weight_decay", np.float64)], align=True)
# tables of these types are handed to the kernels as arrays of the structs
assert _LAYER.itemsize == sizeof(Layer) and _SEGMENT.itemsize == sizeof(Segment)


cdef struct Pass:
    # What a loop over the batches of a data set needs beside the parameters.
    Network* net
    Workspace* work
    Rows* data
    Noise noise
    Py_ssize_t batch_size
    const Py_ssize_t* order       # of the rows; NULL: as they are

cdef struct Steps:
    # What training adds to a Pass.
    Optimizer optimizer
    Segment* segments
    Py_ssize_t n_segments
    const double* learning_rates  # one per batch
    Py_ssize_t before             # steps taken by earlier epochs
    Py_ssize_t done               # steps taken by this one


cdef inline bint next_batch(Pass* loop, Selection* batch) noexcept nogil:
    """Moves the batch on; false after the last row. A new batch starts at zero."""
    batch.first += batch.rows
    batch.rows = min(loop.batch_size, loop.data.n - batch.first)
    return batch.rows > 0


cdef inline int look_at_signals(Pass* loop, double* operations) except -1 nogil:
    """Lets Ctrl-C through; `operations` counts the work since the last look."""
    # 6 operations per weight and row, 10 per weight for the step; roughly
    operations[0] += parameter_count(loop.net) * (6.0 * loop.batch_size + 10.0)
    if operations[0] > OPERATIONS_PER_SIGNAL_CHECK:
        operations[0] = 0
        with gil:
            PyErr_CheckSignals()
    return 0


cdef inline double parameter_count(Network* net) noexcept nogil:
    cdef Layer* last = &net.layers[net.n_layers - 1]
    return last.bias + last.n_out


cdef inline Py_ssize_t output_count(Network* net) noexcept nogil:
    return net.layers[net.n_layers - 1].n_out


cdef inline real* raw_outputs(Pass* loop, const real* _) noexcept nogil:
    return <real*> loop.work.outputs[loop.net.n_layers - 1]


cdef double train_epoch(
    real* params, real* gradient, Pass* loop, Steps* steps
) except? -1 nogil:
    """Mean loss over the rows, each before its batch's step; see Engine.run_epoch."""
    cdef Selection batch = Selection(loop.order, 0, 0)
    cdef const real* inputs
    cdef double total = 0
    cdef double operations = 0
    cdef double loss, rate
    cdef Py_ssize_t s
    while next_batch(loop, &batch):
        loop.noise.step = steps.before + steps.done
        inputs = forward(params, loop.net, loop.data, &batch, loop.work, loop.noise)
        loss = loss_and_delta(
            loop.net, loop.data, &batch, loop.work, 1.0 / batch.rows,
            <const real*> raw_outputs(loop, params))
        total += loss
        if not isfinite(loss):
            break
        backward(
            params, loop.net, loop.data, &batch, loop.work, loop.noise, inputs, False,
            gradient)
        rate = steps.learning_rates[steps.done]
        for s in range(steps.n_segments):
            if steps.optimizer.adam:
                adam_step(
                    &steps.optimizer, &steps.segments[s], params, gradient, rate,
                    loop.noise.step + 1)
            else:
                sgd_step(
                    &steps.optimizer, &steps.segments[s], params, gradient, rate)
        steps.done += 1
        look_at_signals(loop, &operations)
    return total / loop.data.n


cdef double full_batch(real* params, real* gradient, Pass* loop) except? -1 nogil:
    """Mean loss of all rows; its gradient too, summed over chunks, unless NULL."""
    cdef Selection batch = Selection(NULL, 0, 0)
    cdef const real* inputs
    cdef double total = 0
    cdef double operations = 0
    while next_batch(loop, &batch):
        inputs = forward(params, loop.net, loop.data, &batch, loop.work, loop.noise)
        total += loss_and_delta(
            loop.net, loop.data, &batch, loop.work, 1.0 / loop.data.n,
            <const real*> raw_outputs(loop, params))
        if gradient != NULL:
            backward(
                params, loop.net, loop.data, &batch, loop.work, loop.noise, inputs,
                batch.first > 0, gradient)
        look_at_signals(loop, &operations)
    return total / loop.data.n


cdef int predict_rows(real* params, real* out, Pass* loop, bint raw) except -1 nogil:
    """Predictions (or raw outputs) of all rows to out, (n, n_outputs)."""
    cdef Selection batch = Selection(NULL, 0, 0)
    cdef Py_ssize_t n_outputs = output_count(loop.net)
    cdef double operations = 0
    cdef real* f
    while next_batch(loop, &batch):
        forward(params, loop.net, loop.data, &batch, loop.work, loop.noise)
        f = raw_outputs(loop, params)
        if not raw:
            inverse_link(loop.net.loss, batch.rows, n_outputs, f)
        memcpy(
            out + batch.first * n_outputs, f, batch.rows * n_outputs * sizeof(real))
        look_at_signals(loop, &operations)
    return 0


cdef void* address(cnp.ndarray array) except? NULL:
    if not cnp.PyArray_IS_C_CONTIGUOUS(array):
        raise ValueError("the kernels need C-contiguous arrays")
    return cnp.PyArray_DATA(array)


cdef const void* typed_address(array, dtype, shape) except? NULL:
    """The data of an array that must have this dtype and shape; None: NULL."""
    if array is None:
        return NULL
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"expected {np.dtype(dtype)} of shape {shape}, "
            f"got {array.dtype} of shape {array.shape}")
    return address(array)


cdef void* writable_address(array, dtype, shape) except NULL:
    """The same for an array that is written to."""
    if not array.flags.writeable:
        raise ValueError("the kernels cannot write to a read-only array")
    return <void*> typed_address(array, dtype, shape)


cdef class Data:
    """X, targets and weights as the kernels read them; nothing is copied.

    Parameters
    ----------
    X : ndarray of shape (n, p), C-contiguous, or CSR with int32 indices
    targets : ndarray of shape (n, n_outputs) and X's dtype, of shape (n,) and int32
        (class numbers), or None
    weights : ndarray of shape (n,) and X's dtype, of mean 1 over the rows in use, or
        None
    n_outputs : int
    subset : ndarray of intp, or None
        The rows in use, if not all.
    """

    cdef Rows rows
    cdef readonly object X, targets, weights, subset, dtype
    cdef readonly Py_ssize_t n_outputs
    cdef object row_starts

    def __cinit__(self, X, targets, weights, Py_ssize_t n_outputs, subset=None):
        cdef Py_ssize_t n = X.shape[0]
        cdef Py_ssize_t p = X.shape[1]
        self.X, self.targets, self.weights, self.subset = X, targets, weights, subset
        self.dtype = X.dtype
        self.n_outputs = n_outputs
        self.rows.n, self.rows.n_features = n, p
        if isinstance(X, np.ndarray):
            self.rows.dense = typed_address(X, X.dtype, (n, p))
        else:
            if X.format != "csr":
                raise ValueError(f"sparse X must be CSR, got {X.format}")
            self.row_starts = np.ascontiguousarray(X.indptr, dtype=np.intp)
            self.rows.values = typed_address(X.data, X.dtype, (X.data.size,))
            self.rows.columns = <const int32_t*> typed_address(
                X.indices, np.int32, (X.data.size,))
            self.rows.row_starts = <const Py_ssize_t*> typed_address(
                self.row_starts, np.intp, (n + 1,))
        if targets is not None and targets.dtype == np.int32:
            self.rows.classes = <const int32_t*> typed_address(targets, np.int32, (n,))
        else:
            self.rows.targets = typed_address(targets, X.dtype, (n, n_outputs))
        self.rows.weights = typed_address(weights, X.dtype, (n,))
        if subset is not None:
            self.rows.n = len(subset)
            self.rows.subset = <const Py_ssize_t*> typed_address(
                subset, np.intp, (self.rows.n,))

    def __len__(self):
        return self.rows.n


cdef class Engine:
    """A network's shape, its buffers for a number of rows, and the loops over batches.

    Holds no parameters: each call gets the flat buffer. One engine is for one thread
    at a time.

    Parameters
    ----------
    layer_sizes : sequence of int
        Features, hidden layers, outputs.
    activations : sequence of int
        One number per hidden layer.
    loss : int
    loss_parameter : float
    dtype : float32 or float64
    dropout : sequence of float, one per hidden layer
    input_dropout : float
    capacity : int
        The most rows of a batch.
    training : bool, default=True
        False leaves out what only gradients need.
    """

    cdef Network net
    cdef Workspace work
    cdef bint single
    cdef readonly object dtype
    cdef readonly Py_ssize_t n_parameters
    cdef object layers                   # structured array behind net.layers
    cdef list buffers                    # arrays behind the pointers

    def __init__(
        self, layer_sizes, activations, int loss, double loss_parameter, dtype, *,
        dropout=None, double input_dropout=0.0, Py_ssize_t capacity=DEFAULT_ROWS,
        bint training=True,
    ):
        cdef Py_ssize_t n_layers = len(layer_sizes) - 1
        cdef Py_ssize_t widest, offset = 0
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype}")
        if not all(0 <= number < N_ACTIVATIONS for number in activations):
            raise ValueError(f"unknown activation among {activations}")
        self.single = self.dtype == np.float32
        self.buffers = []
        self.layers = np.zeros(n_layers, dtype=_LAYER)
        for l in range(n_layers):
            n_in, n_out = layer_sizes[l], layer_sizes[l + 1]
            hidden = l < n_layers - 1
            self.layers[l] = (
                n_in, n_out, offset, offset + n_in * n_out,
                activations[l] if hidden else IDENTITY,
                dropout[l] if hidden and dropout is not None else 0.0)
            offset += (n_in + 1) * n_out
        self.n_parameters = offset
        self.net.n_layers = n_layers
        self.net.layers = <Layer*> address(self.layers)
        self.net.input_dropout = input_dropout
        self.net.loss = loss
        self.net.loss_parameter = loss_parameter

        self.work.capacity = capacity
        self.work.target = self.buffer(layer_sizes[n_layers])
        self.work.panel = self.buffer(SKREG_PANEL_SIZE)
        self.work.outputs = self.buffers_per_layer(capacity, layer_sizes[1:])
        if training:
            self.work.slopes = self.buffers_per_layer(capacity, layer_sizes[1:n_layers])
            widest = max(layer_sizes[1:])
            self.work.deltas[0] = self.buffer(capacity * widest)
            self.work.deltas[1] = self.buffer(capacity * widest)

    cdef void* buffer(self, Py_ssize_t size) except NULL:
        """Room for `size` numbers, on a cache line of its own."""
        array = np.empty(size * self.dtype.itemsize + 64, dtype=np.uint8)
        self.buffers.append(array)
        cdef char* start = <char*> address(array)
        return start + (64 - <uint64_t> start % 64) % 64

    cdef void** buffers_per_layer(self, Py_ssize_t rows, widths) except NULL:
        addresses = np.empty(len(widths) + 1, dtype=np.uintp)
        self.buffers.append(addresses)
        cdef void** pointers = <void**> address(addresses)
        for l, width in enumerate(widths):
            pointers[l] = self.buffer(rows * width)
        return pointers

    def segments(self, l1, l2, double weight_decay):
        """The penalties of every weight matrix and bias, for `run_epoch`.

        l1, l2 : sequences of one strength per layer.
        """
        table = np.zeros(2 * len(self.layers), dtype=_SEGMENT)
        for l, layer in enumerate(self.layers):
            size = layer["n_in"] * layer["n_out"]
            table[2 * l] = (layer["weights"], size, l1[l], l2[l], weight_decay)
            table[2 * l + 1] = (layer["bias"], layer["n_out"], 0.0, 0.0, 0.0)
        return table

    def run_epoch(
        self, params, Data data, *, optimizer, segments, gradient, key,
        Py_ssize_t epoch, Py_ssize_t[::1] order, double[::1] learning_rates,
        Py_ssize_t batch_size,
    ):
        """One pass over the rows, without the GIL and without allocation.

        Parameters
        ----------
        params, gradient : ndarray of shape (n_parameters,)
            params is updated in place.
        optimizer : object
            With `adam`, `beta_1`, `beta_2`, `epsilon`, `momentum`, `nesterov`, the
            arrays `first` and `second`, and `step`, the steps taken so far, which is
            counted on.
        segments : ndarray
            From `segments`.
        key : pair of int
            Key of the random numbers.
        epoch : int
            Epochs before this one; numbers the shuffles.
        order : ndarray of shape (n,) or None
            Room for the order of the rows; None takes them as they are.
        learning_rates : ndarray
            One per batch.
        batch_size : int

        Returns
        -------
        loss : float
            Mean over the rows, each taken before the step of its batch. Not finite
            if a batch's loss was not; that batch took no step.
        """
        cdef Pass loop = self.training_loop(data, key, batch_size)
        cdef Steps steps
        cdef void* w = self.written_parameters(params)
        cdef void* g = self.written_parameters(gradient)
        cdef double loss
        if batch_size > self.work.capacity:
            raise ValueError("the batch is larger than the engine's capacity")
        if learning_rates.shape[0] * batch_size < data.rows.n:
            raise ValueError("learning_rates must have one value per batch")
        if order is not None and order.shape[0] != data.rows.n:
            raise ValueError("order must have one element per row")
        if order is not None and key is None:
            raise ValueError("a shuffle needs a key")
        if segments.dtype != _SEGMENT:
            raise ValueError("segments must come from Engine.segments")
        steps.optimizer.adam = optimizer.adam
        steps.optimizer.beta_1 = optimizer.beta_1
        steps.optimizer.beta_2 = optimizer.beta_2
        steps.optimizer.epsilon = optimizer.epsilon
        steps.optimizer.momentum = optimizer.momentum
        steps.optimizer.nesterov = optimizer.nesterov
        steps.optimizer.first = self.written_parameters(optimizer.first)
        steps.optimizer.second = (
            self.written_parameters(optimizer.second) if optimizer.adam else NULL)
        steps.segments = <Segment*> address(segments)
        steps.n_segments = len(segments)
        steps.learning_rates = &learning_rates[0]
        steps.before = optimizer.step
        steps.done = 0
        try:
            with nogil:
                if order is not None:
                    loop.order = &order[0]
                    shuffle(loop.noise.rng, epoch, &order[0], data.rows.n)
                if self.single:
                    loss = train_epoch(<float*> w, <float*> g, &loop, &steps)
                else:
                    loss = train_epoch(<double*> w, <double*> g, &loop, &steps)
        finally:
            # an interrupted epoch has taken steps too
            optimizer.step += steps.done
        return loss

    def loss_and_gradient(self, params, Data data, gradient=None, *, key=None, step=0):
        """Mean loss over all rows, and its gradient unless `gradient` is None.

        With a key, dropout is on, with the masks of that step; for this the rows must
        fit into one batch.
        """
        cdef Pass loop = self.training_loop(data, key, self.work.capacity)
        cdef void* w = self.parameters(params)
        cdef void* g = (
            self.written_parameters(gradient) if gradient is not None else NULL)
        cdef double loss
        loop.noise.step = step
        if loop.noise.on and data.rows.n > self.work.capacity:
            raise ValueError("with dropout the rows must fit into one batch")
        with nogil:
            if self.single:
                loss = full_batch(<float*> w, <float*> g, &loop)
            else:
                loss = full_batch(<double*> w, <double*> g, &loop)
        return loss

    def predict(self, params, Data data, out, *, bint raw=False):
        """Predictions, or the raw outputs of the last layer, to out, (n, n_outputs)."""
        cdef Pass loop = self.loop(data, None, self.work.capacity)
        cdef void* w = self.parameters(params)
        cdef void* target = writable_address(
            out, self.dtype, (data.rows.n, output_count(&self.net)))
        with nogil:
            if self.single:
                predict_rows(<float*> w, <float*> target, &loop, raw)
            else:
                predict_rows(<double*> w, <double*> target, &loop, raw)
        return out

    cdef void* parameters(self, array) except NULL:
        return <void*> typed_address(array, self.dtype, (self.n_parameters,))

    cdef void* written_parameters(self, array) except NULL:
        return writable_address(array, self.dtype, (self.n_parameters,))

    cdef Pass training_loop(self, Data data, key, Py_ssize_t batch_size) except *:
        """A pass that computes losses."""
        if self.work.slopes == NULL:
            raise ValueError("an engine with training=False can only predict")
        if data.targets is None:
            raise ValueError("the data have no targets")
        return self.loop(data, key, batch_size)

    cdef Pass loop(self, Data data, key, Py_ssize_t batch_size) except *:
        """A pass over the data; with a key, dropout is on."""
        cdef Pass loop
        if data.dtype != self.dtype:
            raise ValueError(f"the data are {data.dtype}, the network {self.dtype}")
        if data.rows.n_features != self.net.layers[0].n_in:
            raise ValueError("the data and the network differ in features")
        if data.n_outputs != output_count(&self.net):
            raise ValueError("the data and the network differ in outputs")
        gathers = self.work.slopes != NULL or data.subset is not None
        if gathers and data.rows.dense != NULL and self.work.inputs == NULL:
            # not for sparse X, of which a dense batch can be beyond any memory
            self.work.inputs = self.buffer(
                self.work.capacity * data.rows.n_features)
        loop.net, loop.work, loop.data = &self.net, &self.work, &data.rows
        loop.batch_size = batch_size
        loop.order = NULL
        loop.noise.on = key is not None
        loop.noise.step = 0
        loop.noise.rng.key[0], loop.noise.rng.key[1] = (0, 0) if key is None else key
        return loop
