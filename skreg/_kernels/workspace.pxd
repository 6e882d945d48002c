"""Buffers for the batches of one pass, and how a batch's work is cut into blocks.

Every phase is cut into blocks that stay in cache, and all that is done to a block is
done at once: a block of z is activated and masked as soon as its product is there, a
block of dW goes through the optimizer before the next is computed. The cut depends on
the shapes alone, not on the number of threads.
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
    # Numbers in a block, 32 kB of floats; the most rows of one; its columns are a
    # multiple of the third, which is one of every panel's; rows of dW, of every tile's.
    BLOCK_SIZE = 8192
    BLOCK_ROWS = 128
    BLOCK_COLUMNS = 32
    BLOCK_INPUTS = 12

cdef struct Scratch:
    # Of one thread.
    void* panel       # for the matrix products
    void* block       # BLOCK_SIZE numbers, or BLOCK_INPUTS rows of the widest layer
    void* rows        # 4 times (n_outputs, LOSS_ROWS)
    ImageScratch images
    double* group     # of group_scratch's size

cdef struct Workspace:
    # Buffers for `capacity` rows, laid out once; a batch uses the first rows.
    Py_ssize_t capacity
    Py_ssize_t input_stride
    void* inputs           # (capacity, n_features), for dense X; NULL for prediction
    const void* centre     # (n_features,), subtracted from dense X; NULL: nothing is
    InputScaling scaling
    Augmentations augmentations
    uint8_t* keep_inputs   # mask of the inputs
    Py_ssize_t* strides    # per layer: of its outputs and slopes
    void** outputs         # per layer: (capacity, n_out)
    void** slopes          # per layer: the same; backward turns them into D_l
    uint8_t** keep         # per hidden layer: (capacity, n_out), its mask
    double* losses         # (capacity,)
    void* shares           # (capacity,): of the rows in a batch's weight; for norms
    Norm* norms            # per hidden layer; NULL: no batch normalization
    # per hidden layer: dloss/doutput, where the slopes will not do: under a residual
    # connection, or a norm after act
    void** carried
    Groups groups          # of features
    void* squares          # of the weights by column, see max_norm.pxd
    # where it must be whole before the step: (n_parameters,), then of low-rank factors
    void* gradient
    double* gradient_squares   # of its blocks
    # of adversarial examples, (capacity, n_features) each; the first by input_stride
    void* perturbed
    void* shift
    void* input_gradient
    SparseBatch* sparse    # NULL for dense X
    Scratch* scratch       # per thread


cdef inline Blocks cut_outputs(Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """Of a layer's outputs or inputs, (rows of the batch, units)."""
    cdef Blocks blocks
    blocks.rows = min(rows, <Py_ssize_t> BLOCK_ROWS)
    blocks.columns = max(
        <Py_ssize_t> 1, BLOCK_SIZE // (blocks.rows * BLOCK_COLUMNS)) * BLOCK_COLUMNS
    blocks.down = parts(rows, blocks.rows)
    blocks.across = parts(columns, blocks.columns)
    return blocks


cdef inline Blocks cut_weights(Matrix* matrix) noexcept nogil:
    """Of dW: whole rows, which follow each other in memory."""
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
    Selection selection     # its rows
    Noise noise
    Statistics statistics
    Team team
    Watch* watch            # NULL: the batch is not watched
