"""The interface to Python, called once per epoch: data, buffers, loops over batches."""

cimport numpy as cnp
from cpython.exc cimport PyErr_Occurred
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memset

from skreg._kernels.activations cimport IDENTITY, N_ACTIVATIONS
from skreg._kernels.adversarial cimport Attack
from skreg._kernels.arrays cimport (
    address, aligned, check_compressed, typed_address, writable_address)
from skreg._kernels.augmentation_images cimport image_offsets, image_scratch
from skreg._kernels.augmentation_mixing cimport mixes
from skreg._kernels.augmentation_types cimport N_KINDS, Augmentation
from skreg._kernels.backward cimport SEGMENTS_PER_LAYER, Training
from skreg._kernels.batch_norm cimport AFTER, NO_NORM, Norm
from skreg._kernels.dropout cimport mask_size
from skreg._kernels.feature_groups cimport group_scratch
from skreg._kernels.loops cimport (
    Pass, full_batch_f32, full_batch_f64, input_gradients_f32, input_gradients_f64,
    output_count, predict_f32, predict_f64, statistics_f32, statistics_f64, train_f32,
    train_f64)
from skreg._kernels.losses cimport LOSS_ROWS
from skreg._kernels.low_rank cimport Factors, LowRank, merge_factors
from skreg._kernels.matmul cimport SKREG_PANEL_SIZE
from skreg._kernels.optimizers cimport (
    Optimizer, Rates, Segment, rates_of, shrinks_in_groups)
from skreg._kernels.philox cimport shuffle
from skreg._kernels.rows cimport Rows
from skreg._kernels.signals cimport WATCHED_OPERATIONS
from skreg._kernels.sparse cimport SparseBatch
from skreg._kernels.team cimport (
    Team, parts, run_team, run_training_team, team_limit)
from skreg._kernels.types cimport Layer, Matrix, Network, matrix_count, matrix_of
from skreg._kernels.workspace cimport (
    BLOCK_INPUTS, BLOCK_SIZE, Scratch, Workspace, cut_weights)

import math

import numpy as np

from skreg._kernels import _tables

cnp.import_array()

# Rows of a chunk where the batch size is free: prediction and full-batch gradients.
cdef enum:
    DEFAULT_ROWS = 256

    # Floating-point operations of a batch, per parameter, from which on the whole
    # gradient may be stored before the step, so that Ctrl-C can end the batch. With so
    # many operations, storing the gradient costs a few hundredths of the time.
    OPERATIONS_FOR_WHOLE = 1500

CHUNK_ROWS = DEFAULT_ROWS


def max_threads():
    """Threads that OMP_NUM_THREADS, threadpoolctl or joblib leave to the caller."""
    return team_limit()


cdef double average_share(double decay, double step) noexcept:
    """Weight of the new parameters in their exponential average, at step `step`.

    The weight is larger in the first steps, so that the initial weights are forgotten.
    Other implementations do the same.
    """
    return 1 - min(decay, (1 + step) / (10 + step))


cdef int raise_pending() except -1:
    """Raises the exception that a signal's handler raised while a team was at work."""
    return -1 if PyErr_Occurred() != NULL else 0


cdef checked_reaches(residual, layer_sizes):
    """How many layers each hidden layer's residual connection reaches back."""
    n_hidden = len(layer_sizes) - 2
    if isinstance(residual, (bool, np.bool_)):
        return [
            int(residual and l > 0 and layer_sizes[l] == layer_sizes[l + 1])
            for l in range(n_hidden)]
    if len(residual) != n_hidden:
        raise ValueError("residual must have one number per hidden layer")
    for l, reach in enumerate(residual):
        if reach == 0:
            continue
        if reach not in (1, 2) or l < reach:
            raise ValueError(f"no connection reaches {reach} layers below layer {l}")
        if layer_sizes[l + 1] != layer_sizes[l + 1 - reach]:
            raise ValueError("a residual connection needs layers of the same width")
    return residual


cdef class Data:
    """X, targets and weights as the kernels read them, copied only if not aligned.

    Parameters
    ----------
    X : ndarray of shape (n, p), C-contiguous, or CSR with int32 indices
        Its indices and pointers are checked, in one pass over them.
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
    cdef object row_starts, columns, values

    def __cinit__(self, X, targets, weights, Py_ssize_t n_outputs, subset=None):
        cdef Py_ssize_t n = X.shape[0]
        cdef Py_ssize_t p = X.shape[1]
        targets, weights, subset = aligned(targets), aligned(weights), aligned(subset)
        if isinstance(X, np.ndarray):
            X = aligned(X)
        self.X, self.targets, self.weights, self.subset = X, targets, weights, subset
        self.dtype = X.dtype
        self.n_outputs = n_outputs
        self.rows.n, self.rows.n_features = n, p
        if isinstance(X, np.ndarray):
            self.rows.dense = typed_address(X, X.dtype, (n, p))
        else:
            if X.format != "csr":
                raise ValueError(f"sparse X must be CSR, got {X.format}")
            # X may get other arrays while these are read
            self.values, self.columns = aligned(X.data), aligned(X.indices)
            self.row_starts = aligned(np.ascontiguousarray(X.indptr, dtype=np.intp))
            self.rows.values = typed_address(self.values, X.dtype, (X.data.size,))
            self.rows.columns = <const int32_t*> typed_address(
                self.columns, np.int32, (X.data.size,))
            self.rows.row_starts = <const Py_ssize_t*> typed_address(
                self.row_starts, np.intp, (n + 1,))
            check_compressed(
                self.rows.row_starts, self.rows.columns, n, p, X.data.size)
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

    cdef Py_ssize_t most_entries(self, Py_ssize_t rows) except -1:
        """The most non-zeros that `rows` rows of sparse X can have together."""
        lengths = np.diff(self.row_starts)
        if self.subset is not None:
            lengths = lengths[self.subset]
        if rows < len(lengths):
            lengths = np.partition(lengths, len(lengths) - rows)[-rows:]
        return max(1, lengths.sum())


cdef class Engine:
    """A network's shape, its buffers for a number of rows, and the loops over batches.

    An engine holds no parameters: each call gets the flat buffer. Only one thread may
    use an engine at a time.

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
    batch_norm : int, default=0
        Where the hidden layers are normalised: nowhere, before or after the activation
        (0, 1, 2).
    norm_epsilon : float
        Added to the variance of batch normalization.
    residual : bool or sequence of int, one per hidden layer, default=False
        True: every hidden layer whose inputs are hidden units, as many as its outputs,
        adds its inputs to its outputs. A sequence has the reach of each hidden layer's
        residual connection: the layer adds the outputs of the layer so many layers
        below, which must have the same width. 1 adds the layer's own inputs, 2 is used
        around adapters, 0 is no connection. A norm after the activation excludes
        residual connections.
    skip : bool, default=False
        Whether there is a skip connection from the inputs to the outputs: x theta is
        added to the outputs. The weights theta stand at the end of the parameters.
    label_smoothing : float, default=0.0
    max_grad_norm : float, default=inf
        Bound of the gradient's norm in `run_epoch`.
    attack : object or None
        How `run_epoch` makes adversarial examples: an object with the attributes of
        `Attack`.
    augmentation : ndarray of AUGMENTATION or None
        The changes of the inputs in training, in this order.
    groups : object or None
        The groups of features that `group_l1` shrinks. `features` has the feature
        numbers, one group after the other. `starts` has the place in `features` where
        each group begins, and at last the end of the last group. Both are intp. None:
        every feature is a group.
    scaling : pair of ndarray of shape (n_features,), or None
        Centres and factors by which each batch of dense X is scaled; of `dtype`.
    capacity : int
        The most rows of a batch.
    training : bool, default=True
        False leaves out what only gradients need.
    threads : int, default=1
        The most threads that a call may use.
    """

    cdef Network net
    cdef Attack attack
    cdef readonly double max_grad_norm
    cdef Workspace* work                 # one; for prediction one for each thread
    cdef SparseBatch sparse
    cdef readonly int threads
    cdef readonly Py_ssize_t capacity
    cdef bint single
    cdef readonly object dtype
    cdef readonly Py_ssize_t n_parameters
    cdef Py_ssize_t gradient_room        # numbers in a whole gradient
    cdef Py_ssize_t most_entries         # non-zeros that `sparse` has room for
    cdef bint drops_inputs               # input_dropout may be > 0
    cdef object layers                   # structured array that net.layers points to
    cdef object augmentation             # table that the workspace's augmentations use
    cdef object groups                   # read by `make_room_for_groups`
    cdef list buffers                    # arrays that the pointers point to

    def __init__(
        self, layer_sizes, activations, int loss, double loss_parameter, dtype, *,
        dropout=None, double input_dropout=0.0, int batch_norm=NO_NORM,
        double norm_epsilon=1e-5, residual=False, bint skip=False,
        double label_smoothing=0.0, double max_grad_norm=INFINITY, attack=None,
        augmentation=None, groups=None, scaling=None,
        Py_ssize_t capacity=DEFAULT_ROWS, bint training=True, int threads=1,
    ):
        cdef Py_ssize_t n_layers = len(layer_sizes) - 1
        cdef Py_ssize_t offset = 0
        cdef int t
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype}")
        if not all(0 <= number < N_ACTIVATIONS for number in activations):
            raise ValueError(f"unknown activation among {activations}")
        self.single = self.dtype == np.float32
        self.buffers = []
        self.layers = np.zeros(n_layers, dtype=_tables.LAYER)
        reaches = checked_reaches(residual, layer_sizes)
        if batch_norm == AFTER and any(reaches):
            # the backward pass of such a norm needs the buffer of a connection's
            # gradient
            raise ValueError(
                "a norm after the activation excludes residual connections")
        for l in range(n_layers):
            n_in, n_out = layer_sizes[l], layer_sizes[l + 1]
            hidden = l < n_layers - 1
            norm = batch_norm if hidden else NO_NORM
            self.layers[l] = (
                n_in, n_out, offset, offset + n_in * n_out,
                activations[l] if hidden else IDENTITY,
                norm,
                reaches[l] if hidden else 0,
                dropout[l] if hidden and dropout is not None else 0.0)
            offset += (n_in + 1) * n_out + (2 * n_out if norm else 0)
        self.net.skip = -1
        if skip:
            self.net.skip = offset
            offset += layer_sizes[0] * layer_sizes[n_layers]
        self.n_parameters = offset
        self.net.n_layers = n_layers
        self.net.layers = <Layer*> address(self.layers)
        self.net.input_dropout = input_dropout
        self.drops_inputs = input_dropout > 0
        self.net.loss = loss
        self.net.loss_parameter = loss_parameter
        self.net.label_smoothing = label_smoothing
        self.net.norm_epsilon = norm_epsilon
        self.max_grad_norm = max_grad_norm
        if attack is not None:
            self.attack = Attack(
                attack.n_steps, attack.l2, attack.random_start, attack.epsilon,
                attack.step_size, attack.clean_weight, attack.lower, attack.upper)

        self.augmentation = self.checked_augmentation(augmentation)
        self.groups = groups
        self.capacity = capacity
        self.threads = threads
        workspaces = 1 if training else threads
        self.work = <Workspace*> self.zeros(workspaces * sizeof(Workspace))
        for t in range(workspaces):
            self.make_workspace(&self.work[t], layer_sizes, training)
            self.point_to_scaling(&self.work[t], scaling)

    cdef int point_to_scaling(self, Workspace* work, scaling) except -1:
        """Centres and factors of the features; NULL where X is not scaled."""
        work.scaling.centre = work.scaling.factor = NULL
        if scaling is None:
            return 0
        # copies, because the arrays that the pointers lead to must not change
        centre, factor = [np.array(array, dtype=self.dtype) for array in scaling]
        self.buffers += [centre, factor]
        shape = (self.net.layers[0].n_in,)
        work.scaling.centre = typed_address(centre, self.dtype, shape)
        work.scaling.factor = typed_address(factor, self.dtype, shape)
        return 0

    cdef checked_augmentation(self, table):
        """A copy of the table, or an error where it would lead the kernels astray."""
        n_features = self.net.layers[0].n_in
        table = np.array([] if table is None else table, dtype=_tables.AUGMENTATION)
        for step in table:
            # Python's integers, which cannot overflow
            sides = [int(step[name]) for name in ("height", "width", "channels")]
            size = math.prod(sides)
            if min(sides) < 0:
                raise ValueError(f"images of the shape {sides}")
            if not 0 <= step["kind"] < N_KINDS:
                raise ValueError(f"unknown augmentation {step['kind']}")
            if size not in (0, n_features):
                raise ValueError(f"images of {size} numbers in {n_features} features")
        return table

    cdef int make_workspace(
        self, Workspace* work, layer_sizes, bint training
    ) except -1:
        cdef Py_ssize_t n_layers = self.net.n_layers
        cdef Py_ssize_t widest = max(layer_sizes[1:])
        cdef Py_ssize_t l
        cdef int t, threads = self.threads if training else 1
        cdef Py_ssize_t n_outputs = layer_sizes[n_layers]
        # rows of raw outputs have no gaps: the losses read them as one array
        strides = [self.stride_of(n) for n in layer_sizes[1:n_layers]]
        strides = np.array([*strides, n_outputs], dtype=np.intp)
        self.buffers.append(strides)
        work.capacity = self.capacity
        work.strides = <Py_ssize_t*> address(strides)
        work.input_stride = self.stride_of(layer_sizes[0])
        work.outputs = self.buffers_per_layer(strides)
        work.scratch = <Scratch*> self.zeros(threads * sizeof(Scratch))
        for t in range(threads):
            work.scratch[t].panel = self.buffer(SKREG_PANEL_SIZE)
            work.scratch[t].rows = self.buffer(4 * LOSS_ROWS * n_outputs)
            if training:
                work.scratch[t].block = self.buffer(
                    max(<Py_ssize_t> BLOCK_SIZE, BLOCK_INPUTS * widest))
        if not training:
            return 0
        self.make_room_for_images(work, threads)
        work.slopes = self.buffers_per_layer(strides)
        work.losses = <double*> self.zeros(self.capacity * sizeof(double))
        work.keep = <uint8_t**> self.zeros(n_layers * sizeof(void*))
        for l in range(n_layers - 1):
            if self.net.layers[l].dropout > 0:
                work.keep[l] = <uint8_t*> self.zeros(
                    mask_size(self.capacity * self.net.layers[l].n_out))
        work.carried = <void**> self.zeros(n_layers * sizeof(void*))
        for l in range(n_layers - 1):
            if self.net.layers[l].residual or self.net.layers[l].norm == AFTER:
                work.carried[l] = self.buffer(self.capacity * strides[l])
        if n_layers > 1 and self.net.layers[0].norm != NO_NORM:
            work.shares = self.buffer(self.capacity)
            work.norms = <Norm*> self.zeros(n_layers * sizeof(Norm))
            for l in range(n_layers - 1):
                n_out = layer_sizes[l + 1]
                work.norms[l].normalised = self.buffer(self.capacity * strides[l])
                work.norms[l].inverse_spread = self.buffer(n_out)
        return 0

    cdef int make_room_for_images(self, Workspace* work, int threads) except -1:
        """Scratch for images, enough for the augmentation that needs the most."""
        cdef Augmentation* step
        cdef Py_ssize_t numbers = 0
        cdef Py_ssize_t offsets = 0
        cdef Py_ssize_t i
        cdef int t
        work.augmentations.n = len(self.augmentation)
        work.augmentations.steps = <Augmentation*> address(self.augmentation)
        for i in range(work.augmentations.n):
            step = &work.augmentations.steps[i]
            numbers = max(numbers, image_scratch(step))
            offsets = max(offsets, image_offsets(step))
        for t in range(threads):
            work.scratch[t].images.numbers = self.buffer(numbers)
            work.scratch[t].images.offsets = <int32_t*> self.zeros(
                offsets * sizeof(int32_t))
        return 0

    cdef stride_of(self, Py_ssize_t n):
        """Stride of rows of n numbers that do not all begin in one cache set."""
        step = n * self.dtype.itemsize
        return n if step % 4096 else n + 64 // self.dtype.itemsize

    cdef void* zeros(self, Py_ssize_t size) except NULL:
        """A buffer of `size` zero bytes."""
        array = np.zeros(size, dtype=np.uint8)
        self.buffers.append(array)
        return address(array)

    cdef void* buffer(self, Py_ssize_t size) except NULL:
        """A buffer of `size` numbers that begins at a cache line."""
        array = np.empty(size * self.dtype.itemsize + 64, dtype=np.uint8)
        self.buffers.append(array)
        cdef char* start = <char*> address(array)
        return start + (64 - <uint64_t> start % 64) % 64

    cdef void** buffers_per_layer(self, strides) except NULL:
        cdef void** pointers = <void**> self.zeros(len(strides) * sizeof(void*))
        for l, stride in enumerate(strides):
            pointers[l] = self.buffer(self.capacity * stride)
        return pointers

    def segments(
        self, l1, l2, double weight_decay=0.0, max_norm=None, double group_l1=0.0,
        hierarchy=None, *, trained=None, anchor=None, bint feature_scaling=False,
    ):
        """The penalties of all weights, biases and norms, for `run_epoch`.

        l1, l2, max_norm : sequences of one number per weight matrix. The last number is
            that of theta, the weights of the skip connection.
        group_l1 : strength of the group lasso on the rows of W_0 and theta.
        hierarchy : M, or None. With M, `group_l1` penalises theta alone, and theta
            bounds W_0.
        trained : pair of sequences of bool, or None
            Whether each weight matrix takes steps, theta last. Then whether each
            layer's biases, and the norm that follows, take steps. None: everything
            takes steps. Groups are only shrunk if all of their weights take steps.
        anchor : sequence of one number per weight matrix, or None
            Strengths of the L2-SP penalty, which pulls parameters towards the starting
            point `anchor` of the optimizer. A matrix's strength also holds for the
            biases of its layer.
        feature_scaling : bool
            Whether W_0 is trained as the product of the optimizer's `scales` and a
            matrix. Refused together with anything that follows the step: l1, max_norm,
            groups.
        """
        cdef Py_ssize_t n_layers = self.net.n_layers
        cdef Py_ssize_t n_matrices = matrix_count(&self.net)
        cdef Py_ssize_t m
        cdef Matrix matrix
        if hierarchy is not None and self.net.skip < 0:
            raise ValueError("a hierarchy needs weights from the inputs to the outputs")
        weights = np.ones(n_matrices, dtype=bool)
        if trained is not None:
            weights = np.reshape(np.array(trained[0], dtype=bool), n_matrices)
        shrinks = weights[0] and weights[n_layers:].all()
        table = np.zeros((n_matrices, SEGMENTS_PER_LAYER), dtype=_tables.SEGMENT)
        table["max_norm"] = np.inf
        for m in range(n_matrices):
            matrix = matrix_of(&self.net, m)
            bound = np.inf if max_norm is None else max_norm[m]
            segment = table[m, 0]
            segment["start"], segment["size"] = matrix.start, matrix.n_in * matrix.n_out
            segment["l1"], segment["l2"] = l1[m], l2[m]
            segment["weight_decay"], segment["max_norm"] = weight_decay, bound
            if shrinks and (m == 0 or m == n_layers):
                segment["group_l1"] = group_l1
                segment["hierarchy"] = hierarchy or 0.0
        for l, layer in enumerate(self.layers):
            norm = layer["bias"] + layer["n_out"]
            table[l, 1]["start"], table[l, 1]["size"] = layer["bias"], layer["n_out"]
            table[l, 2]["start"] = norm
            table[l, 2]["size"] = 2 * layer["n_out"] if layer["norm"] else 0
        if feature_scaling:
            table[0, 0]["row"] = self.layers[0]["n_out"]
            first = table[0, 0]
            if (
                first["l1"] > 0 or first["max_norm"] < np.inf or first["group_l1"] > 0
                or first["hierarchy"] > 0
            ):
                raise ValueError(
                    "under learnt scales nothing may follow the step of the weights")
        if anchor is not None:
            table["anchor"][:, 0] = np.reshape(anchor, n_matrices)
            table["anchor"][:n_layers, 1] = anchor[:n_layers]
        if trained is not None:
            biases = np.array(trained[1], dtype=bool)
            table["frozen"][:, 0] = ~weights
            table["frozen"][:n_layers, 1:] = ~np.reshape(biases, (n_layers, 1))
            # weights without a step stay within their bound
            table["max_norm"][table["frozen"] != 0] = np.inf
        return table

    def set_dropout(self, dropout, double input_dropout):
        """Set the dropout rates of the layers that were made with a rate > 0.

        dropout : sequence of float, one per hidden layer. Layers that were made with
        the rate 0 have no mask, and must keep the rate 0.
        """
        cdef Py_ssize_t l
        masks = [self.drops_inputs]
        for l in range(self.net.n_layers - 1):
            masks.append(self.work.keep != NULL and self.work.keep[l] != NULL)
        for rate, masked in zip([input_dropout, *dropout], masks, strict=True):
            if not 0 <= rate < 1 or (rate > 0 and not masked):
                raise ValueError(f"a layer cannot take the dropout rate {rate}")
        self.net.input_dropout = input_dropout
        for l in range(self.net.n_layers - 1):
            self.net.layers[l].dropout = dropout[l]

    def run_epoch(
        self, params, Data data, *, optimizer, segments, key, Py_ssize_t epoch,
        Py_ssize_t[::1] order, double[::1] learning_rates, Py_ssize_t batch_size,
        statistics=None, low_rank=None, int threads=1,
    ):
        """One pass over the rows, without the GIL and without allocation.

        Parameters
        ----------
        params : ndarray of shape (n_parameters,)
            Updated in place.
        optimizer : object
            Has `adam`, `beta_1`, `beta_2`, `epsilon`, `momentum`, `nesterov` and the
            arrays `first` and `second`. `step`, the number of steps taken so far, is
            increased. `average` is the moving average of the parameters, or None, and
            has the factor `average_decay`. `anchor` is the starting point of the L2-SP
            penalty, or None. Where the segments have feature_scaling: `scales` of the
            features, the matrix `unscaled` that the scales multiply, of the size of
            W_0, the scales' moments `scale_first` and `scale_second`, and `scale_rate`.
        segments : ndarray
            From `segments`.
        key : pair of int
            Key of the random numbers.
        epoch : int
            The number of epochs before this one; each number gives another shuffle.
        order : ndarray of shape (n,) or None
            A buffer for the order of the rows. None: the rows are not shuffled.
        learning_rates : ndarray
            One per batch.
        batch_size : int
        statistics : object
            The running averages of batch normalization: `values` has the means, then
            the variances, of each hidden layer. `decay` is the factor of the averages
            per batch, `gathered` the weight of the batches seen so far. Updated.
        low_rank : object or None
            Matrices of the form W = W0 + scale A B, where A and B take the steps
            instead of W. `ranks` and `scales` have one number per layer; a matrix of
            rank 0 takes plain steps, as theta always does. `base`, laid out like
            params, has W0. `factors` has A and B of one layer after the other; their
            moments are `first` and `second`. `factors` and the moments are updated.
            params must hold the merged weights W (see `merge`), and the optimizer's
            `average` is an average of W.
        threads : int, default=1
            The number of threads, at most the engine's. The result does not depend on
            it.

        Returns
        -------
        loss : float
            Mean over the rows, each row's loss taken before the step of its batch. If a
            batch's loss is not finite, neither is this mean, and that batch takes no
            step.
        """
        cdef Pass loop = self.training_loop(data, key, batch_size)
        cdef Optimizer state
        cdef LowRank low
        cdef Rates[::1] rates
        cdef Py_ssize_t itemsize = self.dtype.itemsize
        cdef Py_ssize_t step
        loop.params = self.written_parameters(params)
        if batch_size > self.capacity:
            raise ValueError("the batch is larger than the engine's capacity")
        if learning_rates.shape[0] * batch_size < data.rows.n:
            raise ValueError("learning_rates must have one value per batch")
        if order is not None and order.shape[0] != data.rows.n:
            raise ValueError("order must have one element per row")
        if order is not None and key is None:
            raise ValueError("a shuffle needs a key")
        if segments.dtype != _tables.SEGMENT:
            raise ValueError("segments must come from Engine.segments")
        state.adam = optimizer.adam
        state.beta_1 = optimizer.beta_1
        state.beta_2 = optimizer.beta_2
        state.epsilon = optimizer.epsilon
        state.momentum = optimizer.momentum
        state.nesterov = optimizer.nesterov
        state.first = self.written_parameters(optimizer.first)
        state.second = (
            self.written_parameters(optimizer.second) if optimizer.adam else NULL)
        state.average = (
            NULL if optimizer.average is None
            else self.written_parameters(optimizer.average))
        state.anchor = (
            NULL if optimizer.anchor is None else self.parameters(optimizer.anchor))
        self.point_to_scales(&state, optimizer, segments)
        if self.net.layers[0].norm != NO_NORM:
            self.point_to_statistics(statistics)
            loop.norm_decay, loop.gathered = statistics.decay, statistics.gathered
        loop.before = optimizer.step
        # Ctrl-C must leave the state between two steps
        loop.watched &= loop.operations >= OPERATIONS_FOR_WHOLE * self.n_parameters
        if loop.watched and statistics is not None:
            loop.statistics_size = statistics.values.size
            kept_statistics = np.empty_like(statistics.values)
            loop.kept_statistics = address(kept_statistics)
        threads = min(threads, self.threads)
        rates = np.empty(learning_rates.shape[0], dtype=_tables.RATES)
        for step in range(learning_rates.shape[0]):
            rates[step] = rates_of(
                &state, learning_rates[step], loop.before + step + 1,
                average_share(optimizer.average_decay, loop.before + step + 1))
        loop.training.optimizer = &state
        loop.training.rates = &rates[0]
        loop.training.max_grad_norm = self.max_grad_norm
        loop.training.gradient_size = self.n_parameters
        loop.attack = self.attack
        if low_rank is not None:
            factors = self.point_to_factors(&low, low_rank)
            of_factors = factors["rank"] > 0
            if (segments["max_norm"][of_factors, 0] < np.inf).any():
                raise ValueError("weights of low rank cannot be under max_norm")
            if (segments["group_l1"][of_factors, 0] > 0).any():
                raise ValueError("weights of low rank cannot be shrunk in groups")
            # the factors' gradients are made from that of W
            segments = segments.copy()
            segments["frozen"][of_factors, 0] = 0
            size = low_rank.factors.size
            low.optimizer = state
            low.optimizer.average = low.optimizer.anchor = NULL
            low.optimizer.first = writable_address(low_rank.first, self.dtype, (size,))
            if optimizer.adam:
                low.optimizer.second = writable_address(
                    low_rank.second, self.dtype, (size,))
            loop.training.low_rank = &low
            loop.training.gradient_size += <Py_ssize_t> size
        loop.training.segments = <Segment*> address(segments)
        self.make_room_for_steps(
            &loop, (segments["max_norm"] < np.inf).any(),
            shrinks_in_groups(loop.training.segments))
        if low_rank is not None:
            low.gradient = self.work.gradient
            low.gradient = <char*> low.gradient + self.n_parameters * itemsize
        self.leave_out_frozen(&loop.training, segments)
        try:
            with nogil:
                if order is not None:
                    loop.order = &order[0]
                    shuffle(loop.noise.rng, epoch, &order[0], data.rows.n)
                run_training_team(
                    threads, train_f32 if self.single else train_f64, &loop)
            if loop.watch.interrupted:
                raise_pending()
        finally:
            # an interrupted epoch has taken some steps
            optimizer.step += loop.training.step
            if statistics is not None:
                statistics.gathered = loop.gathered
        return loop.total / data.rows.n

    def merge(self, params, low_rank):
        """Write W = W0 + scale A B into params, with the same bits as after a step.

        low_rank : see `run_epoch`.
        """
        cdef LowRank low
        cdef void* start = self.written_parameters(params)
        cdef Matrix matrix
        cdef Py_ssize_t m
        if self.work.slopes == NULL:
            raise ValueError("an engine with training=False can only predict")
        factors = self.point_to_factors(&low, low_rank)
        for m in range(matrix_count(&self.net)):
            matrix = matrix_of(&self.net, m)
            if low.matrices[m].rank == 0:
                continue
            if self.single:
                merge_factors(
                    &low, m, &matrix, <float*> start, 0, <float*> NULL,
                    &self.work.scratch[0], Team(0, 1))
            else:
                merge_factors(
                    &low, m, &matrix, <double*> start, 0, <double*> NULL,
                    &self.work.scratch[0], Team(0, 1))
        # until here the pointers of `low` need the table
        del factors

    cdef point_to_factors(self, LowRank* low, low_rank):
        """Points `low` to the factors; returns the table that must outlive `low`."""
        cdef Py_ssize_t n_layers = self.net.n_layers
        table = np.zeros(matrix_count(&self.net), dtype=_tables.FACTORS)
        # theta has no factors
        layers = table[:n_layers]
        if not len(low_rank.ranks) == len(low_rank.scales) == n_layers:
            raise ValueError("ranks and scales must have one number per layer")
        layers["rank"], layers["scale"] = low_rank.ranks, low_rank.scales
        if (layers["rank"] < 0).any():
            raise ValueError("ranks must not be negative")
        layers["b"] = layers["rank"] * self.layers["n_in"]
        sizes = layers["b"] + layers["rank"] * self.layers["n_out"]
        layers["a"] = np.cumsum(sizes) - sizes
        layers["b"] += layers["a"]
        low.matrices = <Factors*> address(table)
        low.base = self.parameters(low_rank.base)
        low.factors = writable_address(
            low_rank.factors, self.dtype, (int(sizes.sum()),))
        return table

    def loss_and_gradient(
        self, params, Data data, gradient=None, *, key=None, step=0, centre=None,
        statistics=None, int threads=1,
    ):
        """Mean loss over all rows, and its gradient unless `gradient` is None.

        With a key, dropout and augmentation are on, with the random numbers of step
        `step`. The rows must then fit into one batch.

        Parameters
        ----------
        centre : ndarray of shape (n_features,) or None
            Subtracted from X batch by batch: the loss is that of X - centre. Of sparse
            X only the stored values are changed, so the centre must be zero for columns
            that do not store every value.
        statistics : object or None
            The running averages of batch normalization, as in `run_epoch`. They
            normalise a batch of one row, and are not changed.
        """
        cdef Pass loop = self.training_loop(data, key, self.capacity)
        cdef const void* shift = typed_address(
            centre, self.dtype, (data.rows.n_features,))
        if self.work.sparse != NULL:
            self.work.sparse.centre = shift
        else:
            self.work.centre = shift
        if statistics is not None:
            self.point_to_statistics(statistics)
        elif self.work.norms != NULL and (
                self.capacity == 1 or data.rows.n % self.capacity == 1):
            raise ValueError(
                "a batch of one row is normalised by running averages: pass statistics")
        loop.params = self.parameters(params)
        if gradient is not None:
            loop.gradient = self.written_parameters(gradient)
        loop.noise.step = step
        threads = min(threads, self.threads)
        if loop.noise.on and data.rows.n > self.capacity:
            raise ValueError("with noise the rows must fit into one batch")
        with nogil:
            run_team(
                threads, full_batch_f32 if self.single else full_batch_f64, &loop)
        if loop.watch.interrupted:
            raise_pending()
        return loop.total / data.rows.n

    def gather_statistics(self, params, Data data, statistics, *, int threads=1):
        """Set the running averages of batch normalization to means over all rows.

        The rows are taken in batches of the engine's capacity, and each batch is
        normalised by its own mean and variance.
        """
        cdef Pass loop = self.training_loop(data, None, self.capacity)
        loop.params = self.parameters(params)
        loop.norm_decay = 1
        before = statistics.values.copy()
        self.point_to_statistics(statistics)
        threads = min(threads, self.threads)
        with nogil:
            run_team(
                threads, statistics_f32 if self.single else statistics_f64, &loop)
        if loop.watch.interrupted:
            statistics.values[:] = before
            raise_pending()
        # full weight: an exponential average continues from these means
        statistics.gathered = 1.0

    def input_gradient(self, params, Data data, out, *, int threads=1):
        """Write dloss_i/dx_i of every row to out, (n, n_features); for dense X."""
        cdef Pass loop = self.training_loop(data, None, self.capacity)
        loop.params = self.parameters(params)
        if data.rows.dense == NULL:
            raise ValueError("gradients by the inputs need dense X")
        loop.gradient = writable_address(
            out, self.dtype, (data.rows.n, data.rows.n_features))
        threads = min(threads, self.threads)
        with nogil:
            run_team(
                threads, input_gradients_f32 if self.single else input_gradients_f64,
                &loop)
        if loop.watch.interrupted:
            raise_pending()
        return out

    def predict(self, params, Data data, out, *, bint raw=False, int threads=1):
        """Write predictions, or with `raw` the raw outputs, to out, (n, n_outputs)."""
        cdef Pass loop = self.loop(data, None, self.capacity)
        if self.net.layers[0].norm != NO_NORM:
            raise ValueError("prediction needs batch normalization folded in")
        # sparse rows are read where they are
        self.work.sparse = NULL
        loop.params = self.parameters(params)
        loop.out = writable_address(
            out, self.dtype, (data.rows.n, output_count(&self.net)))
        loop.raw = raw
        if self.work.slopes != NULL:
            threads = 1
        threads = min(threads, self.threads)
        with nogil:
            run_team(threads, predict_f32 if self.single else predict_f64, &loop)
        if loop.watch.interrupted:
            raise_pending()
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
        """A pass over the data; with a key, dropout and augmentation are on."""
        cdef Pass loop
        cdef Workspace* work
        cdef int t
        if data.dtype != self.dtype:
            raise ValueError(f"the data are {data.dtype}, the network {self.dtype}")
        if data.rows.n_features != self.net.layers[0].n_in:
            raise ValueError("the data and the network differ in features")
        if data.n_outputs != output_count(&self.net):
            raise ValueError("the data and the network differ in outputs")
        if data.rows.dense == NULL and self.work.scaling.centre != NULL:
            raise ValueError("sparse X cannot be scaled")
        for t in range(1 if self.work.slopes != NULL else self.threads):
            work = &self.work[t]
            gathers = (
                work.slopes != NULL or data.subset is not None
                or work.scaling.centre != NULL)
            if gathers and data.rows.dense != NULL and work.inputs == NULL:
                # no buffer for sparse X: a dense batch may not fit into memory
                work.inputs = self.buffer(self.capacity * work.input_stride)
                if work.slopes != NULL:
                    self.make_room_for_mixing(work)
                if self.drops_inputs:
                    work.keep_inputs = <uint8_t*> self.zeros(
                        mask_size(self.capacity * data.rows.n_features))
            work.sparse = NULL
            work.centre = NULL
            work.augmentations.mixing.offset = 0
        if data.rows.dense == NULL and key is not None and len(self.augmentation):
            raise ValueError("sparse X cannot be augmented")
        if data.rows.dense == NULL and self.work.slopes != NULL:
            self.make_room_for_sparse(data)
            self.work.sparse = &self.sparse
            self.sparse.centre = NULL
        memset(&loop, 0, sizeof(loop))
        loop.net, loop.work, loop.data = &self.net, self.work, &data.rows
        loop.batch_size = batch_size
        loop.operations = self.operations(data, batch_size)
        loop.watched = loop.operations > WATCHED_OPERATIONS
        loop.noise.on = key is not None
        loop.noise.rng.key[0], loop.noise.rng.key[1] = (0, 0) if key is None else key
        return loop

    cdef double operations(self, Data data, Py_ssize_t rows) except -1:
        """Operations of a batch, roughly: per weight 6 for a row, 10 for the step."""
        cdef double rest = self.n_parameters
        cdef Py_ssize_t m
        cdef Matrix matrix
        if data.rows.dense != NULL:
            return rest * (6.0 * rows + 10.0)
        # weights that multiply sparse inputs are used once per non-zero
        filled = data.columns.size / max(1, data.X.shape[0] * data.X.shape[1])
        for m in range(matrix_count(&self.net)):
            if m == 0 or m == self.net.n_layers:
                matrix = matrix_of(&self.net, m)
                rest -= (1 - filled) * matrix.n_in * matrix.n_out
        return 6.0 * rest * rows + 10.0 * self.n_parameters

    cdef int point_to_statistics(self, statistics) except -1:
        """Points to the running averages of hidden layers: means, then variances."""
        cdef Py_ssize_t l, itemsize = self.dtype.itemsize
        widths = [layer["n_out"] for layer in self.layers[:self.net.n_layers - 1]]
        cdef char* start = <char*> writable_address(
            statistics.values, self.dtype, (2 * sum(widths),))
        for l, width in enumerate(widths):
            self.work.norms[l].mean = start
            self.work.norms[l].variance = start + <Py_ssize_t> width * itemsize
            start += 2 * <Py_ssize_t> width * itemsize
        return 0

    cdef int point_to_scales(
        self, Optimizer* state, optimizer, segments
    ) except -1:
        """Points to the learnt scales of the features, and to the matrix `unscaled`."""
        cdef Py_ssize_t p = self.net.layers[0].n_in
        cdef Py_ssize_t size = p * self.net.layers[0].n_out
        state.scales = state.unscaled = NULL
        if segments["row"][0, 0] == 0:
            return 0
        if not optimizer.adam or optimizer.scales is None:
            raise ValueError("feature_scaling needs Adam and its scales")
        state.scales = writable_address(optimizer.scales, self.dtype, (p,))
        state.scale_first = writable_address(optimizer.scale_first, self.dtype, (p,))
        state.scale_second = writable_address(optimizer.scale_second, self.dtype, (p,))
        state.scale_rate = optimizer.scale_rate
        state.unscaled = writable_address(optimizer.unscaled, self.dtype, (size,))
        return 0

    cdef int make_room_for_steps(
        self, Pass* loop, bint bounded, bint grouped
    ) except -1:
        """Buffers that only some steps need, made once; sets `Training.whole`."""
        cdef Workspace* work = self.work
        cdef Py_ssize_t n_features = loop.data.n_features
        cdef Py_ssize_t m, squares = 0
        cdef Matrix matrix
        mixed = loop.attack.n_steps > 0 and loop.attack.clean_weight > 0
        loop.training.whole = (
            loop.watched
            or self.max_grad_norm < INFINITY or mixed or loop.training.low_rank != NULL
            or ((bounded or grouped) and loop.data.dense == NULL))
        if loop.training.whole and self.gradient_room < loop.training.gradient_size:
            self.gradient_room = loop.training.gradient_size
            work.gradient = self.buffer(self.gradient_room)
            work.gradient_squares = <double*> self.zeros(
                parts(self.gradient_room, BLOCK_SIZE) * sizeof(double))
        if bounded and work.squares == NULL:
            for m in range(matrix_count(&self.net)):
                matrix = matrix_of(&self.net, m)
                squares = max(squares, cut_weights(&matrix).down * matrix.n_out)
            work.squares = self.buffer(squares)
        if grouped and work.groups.starts == NULL:
            self.make_room_for_groups(work)
        if loop.attack.n_steps > 0 and work.perturbed == NULL:
            if loop.data.dense == NULL:
                raise ValueError("adversarial examples need dense X")
            work.perturbed = self.buffer(self.capacity * work.input_stride)
            work.shift = self.buffer(self.capacity * n_features)
            work.input_gradient = self.buffer(self.capacity * n_features)
        return 0

    cdef int make_room_for_groups(self, Workspace* work) except -1:
        """The table of the groups of features, and scratch for the largest."""
        cdef Py_ssize_t n_features = self.net.layers[0].n_in
        cdef int t
        if self.groups is None:
            starts, features = np.arange(n_features + 1), np.arange(n_features)
        else:
            starts, features = self.groups.starts, self.groups.features
        if not np.array_equal(np.sort(features), np.arange(n_features)):
            raise ValueError("every feature must be in one group")
        sizes = np.diff(starts)
        if starts[0] != 0 or starts[len(sizes)] != n_features or sizes.min() < 1:
            raise ValueError("groups of features must follow each other")
        # copies, because the arrays that the pointers lead to must not change
        starts, features = np.array(starts, np.intp), np.array(features, np.intp)
        self.buffers += [starts, features]
        work.groups.n = len(sizes)
        work.groups.largest = sizes.max()
        work.groups.width = self.net.layers[0].n_out
        work.groups.n_outputs = output_count(&self.net) if self.net.skip >= 0 else 0
        work.groups.features = <const Py_ssize_t*> address(features)
        for t in range(self.threads):
            work.scratch[t].group = <double*> self.zeros(
                group_scratch(&work.groups) * sizeof(double))
        work.groups.starts = <const Py_ssize_t*> address(starts)
        return 0

    cdef int leave_out_frozen(self, Training* training, segments) except -1:
        """Sets where backward ends, and zeros the frozen parts of a whole gradient."""
        trains = ((segments["frozen"] == 0) & (segments["size"] > 0)).any(axis=1)
        # theta, the last matrix, needs only the D of the outputs
        training.lowest = np.argmax(trains) if trains.any() else len(trains)
        if not training.whole:
            return 0
        cdef char* gradient = <char*> self.work.gradient
        cdef Py_ssize_t itemsize = self.dtype.itemsize
        for segment in segments[segments["frozen"] != 0]:
            memset(
                gradient + <Py_ssize_t> segment["start"] * itemsize, 0,
                <Py_ssize_t> segment["size"] * itemsize)
        return 0

    cdef int make_room_for_mixing(self, Workspace* work) except -1:
        cdef Py_ssize_t i
        for i in range(work.augmentations.n):
            if mixes(&work.augmentations.steps[i]):
                work.augmentations.mixing.inputs = self.buffer(
                    self.capacity * work.input_stride)
                work.augmentations.mixing.shares = <double*> self.zeros(
                    self.capacity * sizeof(double))
        return 0

    cdef int make_room_for_sparse(self, Data data) except -1:
        """Buffers for the batch with the most non-zeros that there can be."""
        cdef SparseBatch* sparse = &self.sparse
        cdef Py_ssize_t most = data.most_entries(self.capacity)
        cdef Py_ssize_t n_features = data.rows.n_features
        if sparse.slots == NULL:
            slots = np.full(n_features, -1, dtype=np.int32)
            self.buffers.append(slots)
            sparse.slots = <int32_t*> address(slots)
            sparse.steps_done = <Py_ssize_t*> self.zeros(
                n_features * sizeof(Py_ssize_t))
            sparse.row_starts = <Py_ssize_t*> self.zeros(
                (self.capacity + 1) * sizeof(Py_ssize_t))
            sparse.starts = <Py_ssize_t*> self.zeros(
                (n_features + 1) * sizeof(Py_ssize_t))
            sparse.columns = <int32_t*> self.zeros(n_features * sizeof(int32_t))
        if most > self.most_entries:
            self.most_entries = most
            sparse.values = self.buffer(most)
            sparse.by_column = self.buffer(most)
            sparse.rows = <int32_t*> self.zeros(most * sizeof(int32_t))
        return 0
