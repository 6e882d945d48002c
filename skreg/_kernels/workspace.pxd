"""Buffers for the batches of one pass, and how a batch's work is cut into blocks.

Every phase is cut into blocks that stay in cache. All work on a block is done before
the next block: a block of z is activated and masked as soon as its product is there,
and a block of dW goes through the optimizer before the next one is computed. The cut
depends on the shapes alone, not on the number of threads.
"""

from libc.stdint cimport uint8_t

from skreg._kernels.augmentation cimport Augmentations, ImageScratch
from skreg._kernels.batch_norm cimport Norm, Statistics
from skreg._kernels.dropout cimport Noise
from skreg._kernels.feature_groups cimport Groups
from skreg._kernels.input_scaling cimport InputScaling
from skreg._kernels.rows cimport Rows, Selection
from skreg._kernels.signals cimport Watch
from skreg._kernels.sparse cimport SparseBatch
from skreg._kernels.team cimport Blocks, Team, parts
from skreg._kernels.types cimport Matrix, Network

cdef enum:
    # Numbers in a block: 32 kB of floats, which stay in cache.
    BLOCK_SIZE = 8192
    # The most rows of a block of outputs. BLOCK_ROWS * BLOCK_COLUMNS must not exceed
    # BLOCK_SIZE.
    BLOCK_ROWS = 128
    # The columns of a block of outputs are a multiple of BLOCK_COLUMNS, which must be a
    # multiple of SKREG_PANEL_COLUMNS for every instruction set (matmul.h): then no
    # block ends within a panel.
    BLOCK_COLUMNS = 32
    # The rows of a block of dW are a multiple of BLOCK_INPUTS, which must be a multiple
    # of MR, the rows of a tile, for every instruction set (matmul.h): then the tiles of
    # a block are full.
    BLOCK_INPUTS = 12

cdef struct Scratch:
    # The buffers of one thread.
    void* panel       # for the matrix products: SKREG_PANEL_SIZE numbers
    void* block       # BLOCK_SIZE numbers, or BLOCK_INPUTS rows of the widest layer
    void* rows        # 4 times (n_outputs, LOSS_ROWS)
    ImageScratch images
    double* group     # group_scratch(groups) numbers

cdef struct Workspace:
    # Buffers for `capacity` rows, laid out once; a batch uses the first rows.
    Py_ssize_t capacity
    Py_ssize_t input_stride
    void* inputs           # (capacity, n_features), for dense X; NULL for prediction
    const void* centre     # (n_features,), subtracted from dense X; NULL: no centre
    InputScaling scaling
    Augmentations augmentations
    uint8_t* keep_inputs   # mask of the inputs
    Py_ssize_t* strides    # per layer: stride of its outputs and slopes
    void** outputs         # per layer: (capacity, n_out)
    void** slopes          # per layer: (capacity, n_out); backward makes D_l of them
    uint8_t** keep         # per hidden layer: (capacity, n_out), its mask
    double* losses         # (capacity,)
    void* shares           # (capacity,): p_i of batch_norm.pxd
    Norm* norms            # per hidden layer; NULL: no batch normalization
    # per hidden layer: dloss/doutput, which a residual connection or a norm after the
    # activation needs beside the slopes; NULL for other layers
    void** carried
    Groups groups          # groups of features
    void* squares          # sums of squared weights by column, see max_norm.pxd
    # The gradient, where it must be whole before the step: (n_parameters,), then the
    # gradient of the low-rank factors.
    void* gradient
    double* gradient_squares   # per block of the gradient: its sum of squares
    # For adversarial examples:
    void* perturbed        # (capacity, n_features), with the stride input_stride
    void* shift            # (capacity, n_features)
    void* input_gradient   # (capacity, n_features)
    SparseBatch* sparse    # NULL for dense X
    Scratch* scratch       # per thread


cdef inline Blocks cut_outputs(Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """Cuts a layer's outputs or inputs, (rows of the batch, units)."""
    cdef Blocks blocks
    blocks.rows = min(rows, <Py_ssize_t> BLOCK_ROWS)
    blocks.columns = max(
        <Py_ssize_t> 1, BLOCK_SIZE // (blocks.rows * BLOCK_COLUMNS)) * BLOCK_COLUMNS
    blocks.down = parts(rows, blocks.rows)
    blocks.across = parts(columns, blocks.columns)
    return blocks


cdef inline Blocks cut_weights(Matrix* matrix) noexcept nogil:
    """Cuts dW into blocks of whole rows, which follow each other in memory."""
    cdef Blocks blocks
    blocks.rows = max(
        <Py_ssize_t> 1, BLOCK_SIZE // (matrix.n_out * BLOCK_INPUTS)) * BLOCK_INPUTS
    blocks.columns = matrix.n_out
    blocks.down = parts(matrix.n_in, blocks.rows)
    blocks.across = 1
    return blocks


cdef struct Batch:
    # One batch on its way through the network, as one thread of a team sees it.
    Network* net
    Rows* data
    Workspace* work
    Selection selection     # the rows of the batch
    Noise noise
    Statistics statistics
    Team team
    Watch* watch            # NULL: the batch is not watched
