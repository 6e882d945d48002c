"""Prediction with weights that are stored as sparse matrices.

Chunks of rows are transposed, so that a vector holds one unit of several rows, and each
non-zero weight is one multiplication of a vector (see sparse_weights.h). Where X is CSR
the first layer uses only the non-zeros of X and of W:

    z_i = b + sum over the non-zeros x_ij of row i and w_jo of row j of  x_ij w_jo

Batch normalization is folded into the weights.
"""

from libc.stdint cimport int32_t

from skreg._kernels.activations cimport Mask, activate
from skreg._kernels.losses cimport inverse_link
from skreg._kernels.matmul cimport transpose
from skreg._kernels.rows cimport Rows, Selection, row_of
from skreg._kernels.signals cimport Watch, look_at_signals
from skreg._kernels.team cimport Block, Team, parts
from skreg._kernels.types cimport real

cdef extern from "sparse_weights.h" nogil:
    enum:
        SKREG_ROW_VECTORS
        SKREG_VECTOR_BYTES
    void add_products_f32(
        Py_ssize_t rows, Py_ssize_t n_out, const Py_ssize_t* starts,
        const int32_t* inputs, const float* values, const float* x, float* out) noexcept
    void add_products_f64(
        Py_ssize_t rows, Py_ssize_t n_out, const Py_ssize_t* starts,
        const int32_t* inputs, const double* values, const double* x, double* out
    ) noexcept

cdef enum:
    # The most bytes of a layer's inputs in a chunk, which should stay in the
    # second-level cache.
    CHUNK_BYTES = 1 << 19

cdef struct NonZeros:
    # Non-zeros of a matrix, by column (CSC) or by row (CSR). starts NULL: no matrix.
    const Py_ssize_t* starts
    const int32_t* others     # row numbers (CSC) or column numbers (CSR)
    const void* values

cdef struct SparseLayer:
    Py_ssize_t n_in
    Py_ssize_t n_out
    NonZeros weights          # by output
    const void* bias          # (n_out,)
    int activation
    int residual              # reach of the residual connection; 0: no connection

cdef struct SparseScratch:
    # The buffers of one thread, for a chunk of rows.
    void* inputs              # (n_features, rows)
    void* units[3]            # (widest layer, rows): a layer and the two before it
    void* link                # (2, n_outputs, LOSS_ROWS)

cdef struct SparsePass:
    Py_ssize_t n_layers
    SparseLayer* layers
    NonZeros first_by_input   # the first layer's weights, for X that is CSR
    NonZeros skip             # weights of the skip connection, by output
    NonZeros skip_by_input    # the same weights by input
    int loss
    Rows* data
    Py_ssize_t vectors        # the most vectors of rows in a chunk: 1, 2 or 4
    double products           # multiplications per row
    SparseScratch* scratch    # one per thread
    void* out                 # (n, n_outputs)
    bint raw                  # without the inverse link
    Watch watch


cdef inline Py_ssize_t lanes(const real* _) noexcept nogil:
    """Rows in a vector."""
    return SKREG_VECTOR_BYTES // <Py_ssize_t> sizeof(real)


cdef inline Py_ssize_t padded_rows(Py_ssize_t rows, const real* type_) noexcept nogil:
    """Rows of a chunk, with the rows that fill up its vectors."""
    cdef Py_ssize_t vectors = parts(rows, lanes(type_))
    return (4 if vectors > 2 else vectors) * lanes(type_)


cdef inline void add_products(
    NonZeros* w, Py_ssize_t n_out, Py_ssize_t rows, const real* x, real* out
) noexcept nogil:
    """out += W^T x; x: (n_in, rows), out: (n_out, rows)."""
    if real is float:
        add_products_f32(
            rows, n_out, w.starts, w.others, <const real*> w.values, x, out)
    else:
        add_products_f64(
            rows, n_out, w.starts, w.others, <const real*> w.values, x, out)


cdef inline void add_sparse_products(
    NonZeros* w, Rows* data, Selection* chunk, Py_ssize_t padded, real* out
) noexcept nogil:
    """out += (X W)^T for the chunk's rows of X, CSR; w by input; out: (n_out, padded).
    """
    cdef const real* x = <const real*> data.values
    cdef const real* values = <const real*> w.values
    cdef Py_ssize_t i, k, p, row
    cdef real value
    cdef int32_t j
    for i in range(chunk.rows):
        row = row_of(data, chunk, i)
        for k in range(data.row_starts[row], data.row_starts[row + 1]):
            value, j = x[k], data.columns[k]
            for p in range(w.starts[j], w.starts[j + 1]):
                out[w.others[p] * padded + i] += value * values[p]


cdef inline void add_inputs(
    SparsePass* loop, Selection* chunk, NonZeros* w, NonZeros* by_input,
    Py_ssize_t n_out, Py_ssize_t padded, const real* inputs, real* out,
) noexcept nogil:
    """out += (X W)^T for the chunk's rows of X, dense or CSR."""
    if inputs == NULL:
        add_sparse_products(by_input, loop.data, chunk, padded, out)
    else:
        add_products(w, n_out, padded, inputs, out)


cdef inline const real* chunk_inputs(
    SparsePass* loop, Selection* chunk, Py_ssize_t padded, SparseScratch* scratch,
    const real* _,
) noexcept nogil:
    """Rows of dense X, transposed to (n_features, padded); NULL where X is CSR."""
    cdef real* inputs = <real*> scratch.inputs
    cdef Py_ssize_t p = loop.data.n_features
    if loop.data.dense == NULL:
        return NULL
    transpose(
        chunk.rows, p, <const real*> loop.data.dense + chunk.first * p, p, inputs,
        padded, padded)
    return inputs


cdef inline real* sparse_layers(
    SparsePass* loop, Selection* chunk, Py_ssize_t padded, const real* inputs,
    SparseScratch* scratch,
) noexcept nogil:
    """The raw outputs of a chunk, (n_outputs, padded)."""
    cdef SparseLayer* layer
    cdef const real* bias
    cdef const real* x = inputs
    cdef real* out = NULL
    cdef Py_ssize_t l, i, o
    for l in range(loop.n_layers):
        layer = &loop.layers[l]
        bias = <const real*> layer.bias
        out = <real*> scratch.units[l % 3]
        for o in range(layer.n_out):
            for i in range(padded):
                out[o * padded + i] = bias[o]
        if l == 0:
            add_inputs(
                loop, chunk, &layer.weights, &loop.first_by_input, layer.n_out, padded,
                inputs, out)
        else:
            add_products(&layer.weights, layer.n_out, padded, x, out)
        if l == loop.n_layers - 1:
            break
        activate(
            layer.activation, Block(0, layer.n_out, 0, padded), out, <real*> NULL,
            padded, Mask(NULL, 0, 1.0))
        if layer.residual:
            x = <const real*> scratch.units[(l - layer.residual) % 3]
            for i in range(layer.n_out * padded):
                out[i] += x[i]
        x = out
    if loop.skip.starts != NULL:
        add_inputs(
            loop, chunk, &loop.skip, &loop.skip_by_input,
            loop.layers[loop.n_layers - 1].n_out, padded, inputs, out)
    return out


cdef inline void predict_sparse(
    SparsePass* loop, Team team, const real* type_
) noexcept nogil:
    """Writes predictions (or raw outputs) of this thread's chunks, (n, n_outputs)."""
    cdef SparseScratch* scratch = &loop.scratch[team.thread]
    cdef Py_ssize_t size = loop.vectors * lanes(type_)
    cdef Py_ssize_t chunks = parts(loop.data.n, size)
    cdef Py_ssize_t n_outputs = loop.layers[loop.n_layers - 1].n_out
    cdef Py_ssize_t number, padded
    cdef Selection chunk
    cdef const real* inputs
    cdef real* f
    cdef real* out
    for number in range(
        chunks * team.thread // team.size, chunks * (team.thread + 1) // team.size
    ):
        chunk = Selection(
            NULL, number * size, min(size, loop.data.n - number * size))
        padded = padded_rows(chunk.rows, type_)
        inputs = chunk_inputs(loop, &chunk, padded, scratch, type_)
        f = sparse_layers(loop, &chunk, padded, inputs, scratch)
        out = <real*> loop.out + chunk.first * n_outputs
        transpose(n_outputs, chunk.rows, f, padded, out, n_outputs, 0)
        if not loop.raw:
            inverse_link(loop.loss, chunk.rows, n_outputs, out, <real*> scratch.link)
        look_at_signals(&loop.watch, team, 2 * loop.products * chunk.rows)
        if loop.watch.interrupted:
            break


# A team calls functions with these arguments.
cdef inline void predict_sparse_f32(void* loop, int thread, int size) noexcept nogil:
    predict_sparse(<SparsePass*> loop, Team(thread, size), <const float*> NULL)

cdef inline void predict_sparse_f64(void* loop, int thread, int size) noexcept nogil:
    predict_sparse(<SparsePass*> loop, Team(thread, size), <const double*> NULL)
