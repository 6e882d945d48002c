"""Low-rank steps of a weight matrix (LoRA, Hu et al. 2021).

    W = W0 + s A B,    A (n_in, r),  B (r, n_out)

A and B are trained, W0 stays. The parameters always hold W, so forward and backward are
unchanged. With G = dloss/dW, stored whole,

    G <- G + anchor (W - w0)       with an L2-SP penalty
    dA = s G B^T,   dB = s A^T G

and A and B take the optimizer's step as any parameters do, with moments of their own
and the penalties of W's segment. Then W is computed again.

The three products take 6 r n_in n_out operations, and forward and backward of a batch 6
rows n_in n_out. So a step costs more by the fraction r / rows.
"""

from libc.string cimport memset

from skreg._kernels.matmul cimport input_gradient_product, matmul, product_shape
from skreg._kernels.optimizers cimport (
    Optimizer, Rates, Segment, average_step, optimizer_step)
from skreg._kernels.team cimport (
    Block, Blocks, Share, Team, block_of, parts, share_of, wait_for_team)
from skreg._kernels.types cimport Matrix, real
from skreg._kernels.workspace cimport BLOCK_SIZE, Scratch, cut_weights

cdef enum:
    # Rows of dA, or columns of dB, that one thread computes at a time.
    FACTOR_BLOCK = 128

cdef struct Factors:
    # Where the factors of one matrix are in the buffer of all factors. B follows A.
    Py_ssize_t rank    # 0: the matrix has no factors
    Py_ssize_t a       # offset of A, (n_in, rank)
    Py_ssize_t b       # offset of B, (rank, n_out)
    double scale       # s

cdef struct LowRank:
    Factors* matrices      # per weight matrix; theta has rank 0
    void* base             # W0, laid out as the parameters
    void* factors
    void* gradient         # laid out as the factors
    Optimizer optimizer    # moments laid out as the factors; no average, no anchor


cdef inline void add_pull(
    real strength, Py_ssize_t size, const real* w, const real* w0, real* g
) noexcept nogil:
    """g <- g + strength (w - w0)."""
    cdef Py_ssize_t i
    for i in range(size):
        g[i] += strength * (w[i] - w0[i])


cdef inline void scale_block(
    Block block, real scale, real* values, Py_ssize_t stride
) noexcept nogil:
    cdef real* v = values + block.row * stride + block.column
    cdef Py_ssize_t i, j
    for i in range(block.rows):
        for j in range(block.columns):
            v[i * stride + j] *= scale


cdef inline void factor_gradients(
    LowRank* low_rank, Py_ssize_t m, Matrix* matrix, Optimizer* optimizer,
    Segment* segment, const real* params, real* gradient, bint clips,
    real* panel, Team team,
) noexcept nogil:
    """dA and dB of a matrix, this thread's blocks, from G in the whole gradient.

    clips: G is set to zero afterwards, because the norm for clipping is that of the
    gradient by what is trained.
    """
    cdef Factors* own = &low_rank.matrices[m]
    cdef Py_ssize_t n_in = matrix.n_in
    cdef Py_ssize_t n_out = matrix.n_out
    cdef Py_ssize_t rank = own.rank
    cdef const real* a = <const real*> low_rank.factors + own.a
    cdef const real* b = <const real*> low_rank.factors + own.b
    cdef real* da = <real*> low_rank.gradient + own.a
    cdef real* db = <real*> low_rank.gradient + own.b
    cdef real* g = gradient + matrix.start
    cdef real scale = <real> own.scale
    cdef Share rows = share_of(team, n_in)
    cdef Py_ssize_t start = rows.first * n_out
    cdef Py_ssize_t size = (rows.last - rows.first) * n_out
    cdef Share share
    cdef Block block
    cdef Py_ssize_t number
    if optimizer.anchor != NULL and segment.anchor > 0:
        add_pull(
            <real> segment.anchor, size, params + matrix.start + start,
            <const real*> optimizer.anchor + matrix.start + start, g + start)
        wait_for_team(team.size)
    share = share_of(team, parts(n_in, FACTOR_BLOCK))
    for number in range(share.first, share.last):
        block.row, block.column = number * FACTOR_BLOCK, 0
        block.rows = min(<Py_ssize_t> FACTOR_BLOCK, n_in - block.row)
        block.columns = rank
        input_gradient_product(
            product_shape(block.rows, rank, n_out), g + block.row * n_out, n_out, b,
            n_out, da + block.row * rank, rank, False, panel)
        scale_block(block, scale, da, rank)
    share = share_of(team, parts(n_out, FACTOR_BLOCK))
    for number in range(share.first, share.last):
        block.row, block.column = 0, number * FACTOR_BLOCK
        block.rows = rank
        block.columns = min(<Py_ssize_t> FACTOR_BLOCK, n_out - block.column)
        matmul(
            product_shape(rank, block.columns, n_in), a, 1, rank, g + block.column,
            n_out, 1, <const real*> NULL, 0, db + block.column, n_out, panel)
        scale_block(block, scale, db, n_out)
    wait_for_team(team.size)
    if clips:
        memset(g + start, 0, size * sizeof(real))


cdef inline void factor_step(
    LowRank* low_rank, Py_ssize_t m, Matrix* matrix, Rates* rates, Segment* segment,
    Team team, const real* _,
) noexcept nogil:
    """The step of A and B of a matrix, this thread's blocks."""
    cdef Factors* own = &low_rank.matrices[m]
    cdef Segment place = segment[0]
    cdef Py_ssize_t n = own.rank * (matrix.n_in + matrix.n_out)
    cdef Share share = share_of(team, parts(n, BLOCK_SIZE))
    cdef Py_ssize_t first = share.first * BLOCK_SIZE
    cdef Py_ssize_t size = min(n, share.last * BLOCK_SIZE) - first
    place.start = own.a
    if size > 0:
        optimizer_step(
            &low_rank.optimizer, rates, &place, first, size, <real*> low_rank.factors,
            <const real*> low_rank.gradient + own.a + first)


cdef inline void merge_factors(
    LowRank* low_rank, Py_ssize_t m, Matrix* matrix, real* params, real average_share,
    real* average, Scratch* scratch, Team team,
) noexcept nogil:
    """W = W0 + s A B, this thread's blocks; and its moving average, unless NULL."""
    cdef Factors* own = &low_rank.matrices[m]
    cdef Py_ssize_t n_out = matrix.n_out
    cdef const real* a = <const real*> low_rank.factors + own.a
    cdef const real* b = <const real*> low_rank.factors + own.b
    cdef real* product = <real*> scratch.block
    cdef real scale = <real> own.scale
    cdef Blocks blocks = cut_weights(matrix)
    cdef Share share = share_of(team, blocks.down)
    cdef Block block
    cdef const real* w0
    cdef real* w
    cdef Py_ssize_t number, start, size, i
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, matrix.n_in, n_out)
        start = matrix.start + block.row * n_out
        size = block.rows * n_out
        w0 = <const real*> low_rank.base + start
        w = params + start
        matmul(
            product_shape(block.rows, n_out, own.rank), a + block.row * own.rank,
            own.rank, 1, b, n_out, 1, <const real*> NULL, 0, product, n_out,
            <real*> scratch.panel)
        for i in range(size):
            w[i] = w0[i] + scale * product[i]
        if average != NULL:
            average_step(average_share, size, w, average + start)
