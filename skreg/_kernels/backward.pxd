"""Backward: from the losses of a batch to the steps of all parameters.

    D_L = s_i / rows * dloss/dz_L            (rows, n_out of the last layer)
    dW_l = x_l^T D_l,  db_l = column sums of D_l
    G_{l-1} = D_l W_l^T [+ G_l or G_{l+1} under a residual connection from there]
    D_{l-1} = G_{l-1} slope_{l-1}
    dtheta = x_0^T D_L                       of the connection from inputs to outputs

where G_l = dloss/dx_{l+1} and slope = mask * act'(z). A norm stands between G and D,
see batch_norm.pxd. A block of dW goes straight through the optimizer. The gradient is
stored whole only where the step needs all of it, see `Training.whole`.

Frozen parameters (Segment.frozen) have no gradient and no step, and backward ends at
the lowest layer that is trained. Theta, the weights of the skip connection, needs only
D_L.
"""

from libc.math cimport INFINITY, sqrt
from libc.string cimport memset

from skreg._kernels.activations cimport Mask
from skreg._kernels.augmentation_mixing cimport Mixing, mix_target, mixed_weight
from skreg._kernels.batch_norm cimport AFTER, BEFORE, NO_NORM, STRIP, strip_gradient
from skreg._kernels.feature_groups cimport shrink_group
from skreg._kernels.feature_scaling cimport match_scales, matrix_step
from skreg._kernels.forward cimport mask_block, mask_from, mask_of
from skreg._kernels.losses cimport LOSS_ROWS, MULTINOMIAL_LOG_LOSS, loss_block
from skreg._kernels.low_rank cimport (
    LowRank, factor_gradients, factor_step, merge_factors)
from skreg._kernels.matmul cimport (
    input_gradient_product, product_shape, transpose, weight_gradient_product)
from skreg._kernels.max_norm cimport (
    MAX_NORM_COLUMNS, column_squares, project_columns)
from skreg._kernels.optimizers cimport (
    Optimizer, Rates, Segment, optimizer_step, shrinks_in_groups)
from skreg._kernels.rows cimport Rows, gather_target, row_of
from skreg._kernels.signals cimport is_stopped
from skreg._kernels.sparse cimport SparseBatch, catch_up, column_gradient, list_batch
from skreg._kernels.team cimport (
    Block, Blocks, Share, Team, block_of, parts, share_of, wait_for_team)
from skreg._kernels.types cimport (
    Layer, Matrix, Network, matrix_count, matrix_of, real, scale_of)
from skreg._kernels.workspace cimport (
    BLOCK_COLUMNS, BLOCK_SIZE, Batch, Workspace, cut_outputs, cut_weights)

cdef enum:
    # Segments of each weight matrix, in this order: the weights, the layer's bias, the
    # scale and shift of the layer's norm. Theta comes last, and its second and third
    # segments are empty.
    SEGMENTS_PER_LAYER = 3

cdef struct Training:
    # What backward does with gradients: take steps, or store them.
    Optimizer* optimizer   # NULL: no steps
    Rates* rates           # one for each step of the epoch
    Segment* segments      # per weight matrix: SEGMENTS_PER_LAYER
    Py_ssize_t step        # the current one, counted from 0
    bint accumulate        # without steps: add to the gradient
    bint whole             # the gradient is stored whole before the step
    double max_grad_norm   # bound of the gradient's norm; infinity: no bound
    Py_ssize_t gradient_size   # numbers in the gradient: the parameters, then factors
    Py_ssize_t lowest      # first matrix that is trained, or whose bias or norm is
    LowRank* low_rank      # factors that take steps instead of W; NULL: no factors


cdef inline bint is_frozen(Training* training, Py_ssize_t segment) noexcept nogil:
    return training.segments != NULL and training.segments[segment].frozen


cdef inline void begin_scales(
    const real* params, Batch* batch, Training* training
) noexcept nogil:
    """Makes learnt scales match W_0 at the beginning of an epoch."""
    cdef Share share
    if training.segments[0].row > 0:
        share = share_of(batch.team, batch.net.layers[0].n_in)
        match_scales(
            training.optimizer, &training.segments[0], share.first, share.last, params)
        wait_for_team(batch.team.size)


# ------------------------------------------------------------------------------ loss


cdef inline void smooth_targets(
    Network* net, Py_ssize_t n_outputs, real* target
) noexcept nogil:
    """y <- (1 - e) y + e / K, K the number of classes (Szegedy et al. 2016).

    target: (n_outputs, LOSS_ROWS); an output of the binary log loss has two classes.
    """
    cdef double classes = n_outputs if net.loss == MULTINOMIAL_LOG_LOSS else 2.0
    cdef real kept = <real> (1.0 - net.label_smoothing)
    cdef real even = <real> (net.label_smoothing / classes)
    cdef Py_ssize_t i
    for i in range(n_outputs * LOSS_ROWS):
        target[i] = kept * target[i] + even


cdef inline double loss_and_delta(
    Batch* batch, double scale, const real* type_
) noexcept nogil:
    """Returns sum_i s_i loss_i; the last layer's D becomes scale * s_i * dloss_i/df."""
    cdef Network* net = batch.net
    cdef Rows* data = batch.data
    cdef Workspace* work = batch.work
    cdef Py_ssize_t last = net.n_layers - 1
    cdef Py_ssize_t n_outputs = net.layers[last].n_out
    cdef Py_ssize_t size = n_outputs * LOSS_ROWS
    cdef Py_ssize_t n_rows = batch.selection.rows
    cdef Mixing* mixing = &work.augmentations.mixing
    cdef const real* f = <const real*> work.outputs[last]
    cdef real* delta = <real*> work.slopes[last]
    cdef real* turned = <real*> work.scratch[batch.team.thread].rows
    cdef real* target = turned + size
    cdef real* turned_delta = turned + 2 * size
    cdef double values[LOSS_ROWS]
    cdef double weights[LOSS_ROWS]
    cdef real factors[LOSS_ROWS]
    cdef double total = 0
    cdef Share blocks = share_of(batch.team, parts(n_rows, LOSS_ROWS))
    cdef Py_ssize_t block, first, rows, i, j, row
    for block in range(blocks.first, blocks.last):
        first = block * LOSS_ROWS
        rows = min(<Py_ssize_t> LOSS_ROWS, n_rows - first)
        if is_stopped(batch.watch, batch.team, 50.0 * size):
            break
        if rows < LOSS_ROWS:
            # missing rows of the block need some finite target
            memset(target, 0, size * sizeof(real))
        for i in range(rows):
            row = row_of(data, &batch.selection, first + i)
            gather_target(data, row, n_outputs, target + i, LOSS_ROWS)
            weights[i] = mixed_weight(
                mixing, data, &batch.selection, first + i, type_)
            if mixing.offset > 0:
                mix_target(
                    mixing, data, &batch.selection, first + i, n_outputs, weights[i],
                    target + i, LOSS_ROWS)
        for i in range(rows, LOSS_ROWS):
            weights[i] = 0
        if net.label_smoothing > 0:
            smooth_targets(net, n_outputs, target)
        transpose(
            rows, n_outputs, f + first * n_outputs, n_outputs, turned, LOSS_ROWS,
            LOSS_ROWS)
        loss_block(
            net.loss, net.loss_parameter, n_outputs, turned, target, values,
            turned_delta)
        for i in range(rows):
            work.losses[first + i] = weights[i] * values[i]
        for i in range(LOSS_ROWS):
            factors[i] = <real> (scale * weights[i])
        for j in range(n_outputs):
            for i in range(LOSS_ROWS):
                turned_delta[j * LOSS_ROWS + i] *= factors[i]
        transpose(
            n_outputs, rows, turned_delta, LOSS_ROWS, delta + first * n_outputs,
            n_outputs, 0)
    wait_for_team(batch.team.size)
    for i in range(n_rows):
        total += work.losses[i]
    return total


# -------------------------------------------------------------------------- backward


cdef inline void backward(
    real* params, Batch* batch, const real* inputs, Py_ssize_t input_stride,
    Training* training, real* gradient,
) noexcept nogil:
    """Steps for all that is trained, or its gradient, given the last layer's D.

    The step of W_l comes after D_{l-1} is computed, because D_{l-1} needs the old W_l.
    """
    cdef Network* net = batch.net
    cdef Workspace* work = batch.work
    cdef const real* x
    cdef Py_ssize_t x_stride
    cdef Py_ssize_t l
    # no layer is visited if theta alone is trained
    for l in range(net.n_layers - 1, training.lowest - 1, -1):
        x = inputs
        x_stride = input_stride
        if net.layers[l].norm != NO_NORM:
            norm_gradient(params, batch, l, training, gradient)
            wait_for_team(batch.team.size)
        if l > 0:
            x = <const real*> work.outputs[l - 1]
            x_stride = work.strides[l - 1]
        if l > training.lowest:
            input_gradient(params, batch, l)
            wait_for_team(batch.team.size)
        weight_gradient(params, batch, l, x, x_stride, training, gradient)
        bias_gradient(params, batch, l, training, gradient)
    if net.skip >= 0:
        weight_gradient(
            params, batch, net.n_layers, inputs, input_stride, training, gradient)
    if training.optimizer != NULL:
        shrink_groups(params, batch, training)
    wait_for_team(batch.team.size)


cdef inline void deltas(const real* params, Batch* batch) noexcept nogil:
    """Only D_0, given the last layer's D, for the gradient by the inputs."""
    cdef Training nothing
    cdef Py_ssize_t l
    memset(&nothing, 0, sizeof(nothing))
    for l in range(batch.net.n_layers - 1, -1, -1):
        if batch.net.layers[l].norm != NO_NORM:
            norm_gradient(<real*> params, batch, l, &nothing, <real*> NULL)
            wait_for_team(batch.team.size)
        if l > 0:
            input_gradient(params, batch, l)
            wait_for_team(batch.team.size)


cdef inline void input_gradient(
    const real* params, Batch* batch, Py_ssize_t l
) noexcept nogil:
    """Writes D_{l-1}, from D_l, over the slopes; and G_{l-1} where it is kept."""
    cdef Workspace* work = batch.work
    cdef Layer* layer = &batch.net.layers[l]
    cdef Layer* below_layer = &batch.net.layers[l - 1]
    cdef const real* delta = <const real*> work.slopes[l]
    cdef real* below = <real*> work.slopes[l - 1]
    cdef real* carried = <real*> work.carried[l - 1]
    cdef Py_ssize_t stride = work.strides[l]
    cdef Py_ssize_t below_stride = work.strides[l - 1]
    cdef real* product = <real*> work.scratch[batch.team.thread].block
    cdef real* panel = <real*> work.scratch[batch.team.thread].panel
    cdef Py_ssize_t rows = batch.selection.rows
    cdef Blocks blocks = cut_outputs(rows, layer.n_in)
    cdef Share share = share_of(batch.team, blocks.down * blocks.across)
    cdef Block block
    cdef real* corner
    cdef Py_ssize_t number, i, j, at
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, rows, layer.n_in)
        if is_stopped(
                batch.watch, batch.team,
                2.0 * block.rows * block.columns * layer.n_out):
            break
        input_gradient_product(
            product_shape(block.rows, block.columns, layer.n_out),
            delta + block.row * stride, stride,
            params + layer.weights + block.column * layer.n_out, layer.n_out,
            product, block.columns, False, panel)
        at = block.row * below_stride + block.column
        if layer.residual == 1:
            add_carried(
                block, <const real*> work.carried[l] + at, below_stride, product)
        if l + 1 < batch.net.n_layers and batch.net.layers[l + 1].residual == 2:
            add_carried(
                block, <const real*> work.carried[l + 1] + at, below_stride, product)
        if carried != NULL:
            keep_carried(block, product, carried + at, below_stride)
        if below_layer.norm == AFTER:
            # the norm's gradient comes before the slope
            continue
        corner = below + at
        if block.columns == below_stride:
            for i in range(block.rows * block.columns):
                corner[i] *= product[i]
            continue
        for i in range(block.rows):
            for j in range(block.columns):
                corner[i * below_stride + j] *= product[i * block.columns + j]


cdef inline void add_carried(
    Block block, const real* carried, Py_ssize_t stride, real* product
) noexcept nogil:
    """Adds what a residual connection carries; product: (block.rows, block.columns)."""
    cdef Py_ssize_t i, j
    for i in range(block.rows):
        for j in range(block.columns):
            product[i * block.columns + j] += carried[i * stride + j]


cdef inline void keep_carried(
    Block block, const real* product, real* carried, Py_ssize_t stride
) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(block.rows):
        for j in range(block.columns):
            carried[i * stride + j] = product[i * block.columns + j]


cdef inline void norm_gradient(
    real* params, Batch* batch, Py_ssize_t l, Training* training, real* gradient
) noexcept nogil:
    """Backward through a layer's norm, strip by strip; steps of its scale and shift.

    A norm before the activation finds dloss/du in the slopes and writes D_l there. A
    norm after the activation takes dloss/du = G times the mask, and D_l is dloss/dv
    times the slope. Without an optimizer and with gradient NULL, the parameters and
    their gradients are left alone.
    """
    cdef Workspace* work = batch.work
    cdef Layer* layer = &batch.net.layers[l]
    cdef real* slopes = <real*> work.slopes[l]
    cdef real* delta = slopes
    cdef Py_ssize_t stride = work.strides[l]
    cdef Py_ssize_t rows = batch.selection.rows
    cdef Mask mask
    cdef Share share = share_of(batch.team, parts(layer.n_out, STRIP))
    cdef real both[2 * STRIP]
    cdef Py_ssize_t strip, i, j, columns, first
    cdef Block block
    if layer.norm == AFTER:
        delta = <real*> work.carried[l]
        mask = mask_of(batch, l)
    for strip in range(share.first, share.last):
        first = strip * STRIP
        columns = min(<Py_ssize_t> STRIP, layer.n_out - first)
        block = Block(0, rows, first, columns)
        if is_stopped(batch.watch, batch.team, 10.0 * rows * columns):
            break
        if layer.norm == AFTER and mask.keep != NULL:
            mask_block(block, mask_from(mask, 0, first), delta, stride)
        strip_gradient(
            &work.norms[l], batch.statistics, <const real*> work.shares, rows, first,
            columns, stride, delta, params + scale_of(layer), both, both + columns)
        if layer.norm == AFTER:
            for i in range(rows):
                for j in range(first, first + columns):
                    slopes[i * stride + j] *= delta[i * stride + j]
        for i in range(2):
            # the scale, then the shift
            vector_gradient(
                params, scale_of(layer) + i * layer.n_out + first, columns,
                both + i * columns, i * layer.n_out + first,
                SEGMENTS_PER_LAYER * l + 2, training, gradient)


cdef inline void vector_gradient(
    real* params, Py_ssize_t start, Py_ssize_t n, const real* g, Py_ssize_t within,
    Py_ssize_t segment, Training* training, real* gradient,
) noexcept nogil:
    """The step of n parameters; without an optimizer their gradient, unless NULL."""
    cdef Py_ssize_t j
    if is_frozen(training, segment):
        return
    if training.optimizer != NULL:
        optimizer_step(
            training.optimizer, &training.rates[training.step],
            &training.segments[segment], within, n, params, g)
    elif gradient != NULL:
        for j in range(n):
            gradient[start + j] = g[j] + (
                gradient[start + j] if training.accumulate else 0)


cdef inline Py_ssize_t layer_after(Network* net, Py_ssize_t m) noexcept nogil:
    """The layer whose D is the loss's gradient by x W_m; for theta the last layer."""
    return min(m, net.n_layers - 1)


cdef inline void weight_gradient(
    real* params, Batch* batch, Py_ssize_t m, const real* x, Py_ssize_t x_stride,
    Training* training, real* gradient,
) noexcept nogil:
    """dW_m = x^T D, and the step of W_m. A frozen W_m has neither.

    x: the inputs that W_m multiplies; NULL: the sparse rows of the batch.
    """
    if is_frozen(training, SEGMENTS_PER_LAYER * m):
        return
    if x == NULL:
        sparse_weight_gradient(params, batch, m, training, gradient)
    else:
        dense_weight_gradient(params, batch, m, x, x_stride, training, gradient)
    if training.optimizer != NULL:
        project_weights(params, batch, m, training)


cdef inline void dense_weight_gradient(
    real* params, Batch* batch, Py_ssize_t m, const real* x, Py_ssize_t x_stride,
    Training* training, real* gradient,
) noexcept nogil:
    """dW_m for dense x, in blocks of whole rows."""
    cdef Workspace* work = batch.work
    cdef Matrix matrix = matrix_of(batch.net, m)
    cdef Py_ssize_t l = layer_after(batch.net, m)
    cdef const real* delta = <const real*> work.slopes[l]
    cdef real* g = <real*> work.scratch[batch.team.thread].block
    cdef real* panel = <real*> work.scratch[batch.team.thread].panel
    cdef Blocks blocks = cut_weights(&matrix)
    cdef Share share = share_of(batch.team, blocks.down)
    cdef Block block
    cdef Py_ssize_t number
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, matrix.n_in, matrix.n_out)
        if is_stopped(
                batch.watch, batch.team,
                2.0 * block.rows * matrix.n_out * batch.selection.rows):
            break
        if training.optimizer == NULL:
            g = gradient + matrix.start + block.row * matrix.n_out
        weight_gradient_product(
            product_shape(block.rows, matrix.n_out, batch.selection.rows),
            x + block.row, x_stride, delta, work.strides[l], g, training.accumulate,
            panel)
        if training.optimizer != NULL:
            weight_step(params, work, &matrix, m, number, block, training, g)


cdef inline void weight_step(
    real* params, Workspace* work, Matrix* matrix, Py_ssize_t m, Py_ssize_t number,
    Block block, Training* training, const real* g,
) noexcept nogil:
    """The step of one block of W_m; g: the gradient of the block."""
    cdef Segment* segment = &training.segments[SEGMENTS_PER_LAYER * m]
    matrix_step(
        training.optimizer, &training.rates[training.step], segment,
        block.row * matrix.n_out, block.rows * matrix.n_out, params, g)
    if segment.max_norm < INFINITY and not shrinks_in_groups(segment):
        block_squares(params, work, matrix, number, block)


cdef inline void block_squares(
    const real* params, Workspace* work, Matrix* matrix, Py_ssize_t number, Block block
) noexcept nogil:
    """The sums of squares of one block of W_m, for max-norm."""
    column_squares(
        block.rows, matrix.n_out, params + matrix.start + block.row * matrix.n_out,
        <real*> work.squares + number * matrix.n_out)


cdef inline void project_weights(
    real* params, Batch* batch, Py_ssize_t m, Training* training
) noexcept nogil:
    """Max-norm, after all blocks of W_m took their step.

    Weights that are shrunk in groups are projected after shrinking, see
    `project_shrunk`.
    """
    cdef Segment* segment = &training.segments[SEGMENTS_PER_LAYER * m]
    if segment.max_norm < INFINITY and not shrinks_in_groups(segment):
        wait_for_team(batch.team.size)
        project_matrix(params, batch, m, training)


cdef inline void project_matrix(
    real* params, Batch* batch, Py_ssize_t m, Training* training
) noexcept nogil:
    """Projects W_m, once the sums of squares of all its blocks are there."""
    cdef Matrix matrix = matrix_of(batch.net, m)
    cdef Segment* segment = &training.segments[SEGMENTS_PER_LAYER * m]
    cdef real* average = <real*> training.optimizer.average
    cdef Share share = share_of(batch.team, parts(matrix.n_out, MAX_NORM_COLUMNS))
    cdef Py_ssize_t strip, first
    for strip in range(share.first, share.last):
        first = strip * MAX_NORM_COLUMNS
        project_columns(
            segment.max_norm, first,
            min(<Py_ssize_t> MAX_NORM_COLUMNS, matrix.n_out - first), matrix.n_in,
            matrix.n_out, cut_weights(&matrix).down, <const real*> batch.work.squares,
            params + matrix.start,
            <real> training.rates[training.step].average_share,
            average + matrix.start if average != NULL else NULL)
    # the next matrix overwrites the squares
    wait_for_team(batch.team.size)


cdef inline void shrink_groups(
    real* params, Batch* batch, Training* training
) noexcept nogil:
    """Shrinks groups of features, after all blocks of W_0 and theta took their step."""
    cdef Network* net = batch.net
    cdef Workspace* work = batch.work
    cdef Segment* first = training.segments
    cdef Segment* skip = NULL
    cdef Share share
    cdef Py_ssize_t group
    if not shrinks_in_groups(first):
        return
    if net.skip >= 0:
        skip = &training.segments[SEGMENTS_PER_LAYER * net.n_layers]
    wait_for_team(batch.team.size)
    share = share_of(batch.team, work.groups.n)
    for group in range(share.first, share.last):
        shrink_group(
            training.optimizer, &training.rates[training.step], first, skip,
            &work.groups, group, work.scratch[batch.team.thread].group, params)
    project_shrunk(params, batch, 0, training)
    if skip != NULL:
        project_shrunk(params, batch, net.n_layers, training)


cdef inline void project_shrunk(
    real* params, Batch* batch, Py_ssize_t m, Training* training
) noexcept nogil:
    """Max-norm, after all groups were shrunk."""
    cdef Matrix matrix = matrix_of(batch.net, m)
    cdef Blocks blocks = cut_weights(&matrix)
    cdef Share share = share_of(batch.team, blocks.down)
    cdef Py_ssize_t number
    if training.segments[SEGMENTS_PER_LAYER * m].max_norm == INFINITY:
        return
    wait_for_team(batch.team.size)
    for number in range(share.first, share.last):
        block_squares(
            params, batch.work, &matrix, number,
            block_of(&blocks, number, matrix.n_in, matrix.n_out))
    wait_for_team(batch.team.size)
    project_matrix(params, batch, m, training)


cdef inline void bias_gradient(
    real* params, Batch* batch, Py_ssize_t l, Training* training, real* gradient
) noexcept nogil:
    """db_l = the sums of the columns of D_l, and its step.

    A norm before the activation removes every constant. The gradient of b_l would be
    rounding errors only, so b_l stays unchanged there.
    """
    cdef Workspace* work = batch.work
    cdef Layer* layer = &batch.net.layers[l]
    cdef const real* delta
    cdef real* g = <real*> work.scratch[batch.team.thread].block
    cdef Share share = share_of(batch.team, parts(layer.n_out, BLOCK_COLUMNS))
    cdef Py_ssize_t first = share.first * BLOCK_COLUMNS
    cdef Py_ssize_t n = min(share.last * BLOCK_COLUMNS, layer.n_out) - first
    cdef Py_ssize_t i, j
    if n <= 0 or is_frozen(training, SEGMENTS_PER_LAYER * l + 1):
        return
    if training.optimizer == NULL:
        g = gradient + layer.bias + first
    if not training.accumulate:
        memset(g, 0, n * sizeof(real))
    if layer.norm == BEFORE:
        return
    if is_stopped(batch.watch, batch.team, 2.0 * batch.selection.rows * n):
        return
    for i in range(batch.selection.rows):
        delta = <const real*> work.slopes[l] + i * work.strides[l] + first
        for j in range(n):
            g[j] += delta[j]
    if training.optimizer != NULL:
        optimizer_step(
            training.optimizer, &training.rates[training.step],
            &training.segments[SEGMENTS_PER_LAYER * l + 1], first, n, params, g)


# ------------------------------------------------------- steps from a whole gradient


cdef inline void clip_gradient(
    Batch* batch, Training* training, real* gradient
) noexcept nogil:
    """g <- g min(1, bound / ||g||_2) (Pascanu et al. 2013); zero where frozen.

    g is the gradient of the loss alone: the gradients of the L2 and L2-SP penalties are
    added in the step, unclipped. Only the gradient of factors contains the L2-SP
    penalty, which acts on the product W and reaches the factors through W.

    The squares are summed by blocks, in order: no bit depends on the threads.
    """
    cdef double* squares = batch.work.gradient_squares
    cdef Py_ssize_t n = training.gradient_size
    cdef Py_ssize_t n_blocks = parts(n, BLOCK_SIZE)
    cdef Share share = share_of(batch.team, n_blocks)
    cdef Py_ssize_t block, i
    cdef double total = 0
    cdef real factor
    if training.max_grad_norm == INFINITY:
        return
    for block in range(share.first, share.last):
        squares[block] = 0
        for i in range(block * BLOCK_SIZE, min(n, (block + 1) * BLOCK_SIZE)):
            squares[block] += <double> gradient[i] * gradient[i]
    wait_for_team(batch.team.size)
    for block in range(n_blocks):
        total += squares[block]
    if not total > training.max_grad_norm * training.max_grad_norm:
        return
    factor = <real> (training.max_grad_norm / sqrt(total))
    for i in range(share.first * BLOCK_SIZE, min(n, share.last * BLOCK_SIZE)):
        gradient[i] *= factor
    wait_for_team(batch.team.size)


cdef inline bint has_factors(Training* training, Py_ssize_t m) noexcept nogil:
    return training.low_rank != NULL and training.low_rank.matrices[m].rank > 0


cdef inline void low_rank_gradients(
    const real* params, Batch* batch, Training* training, real* gradient
) noexcept nogil:
    """The gradients of all factors, from the gradients of their products W."""
    cdef Matrix matrix
    cdef Py_ssize_t m
    if training.low_rank == NULL:
        return
    for m in range(matrix_count(batch.net)):
        matrix = matrix_of(batch.net, m)
        if has_factors(training, m):
            factor_gradients(
                training.low_rank, m, &matrix, training.optimizer,
                &training.segments[SEGMENTS_PER_LAYER * m], params, gradient,
                training.max_grad_norm < INFINITY,
                <real*> batch.work.scratch[batch.team.thread].panel, batch.team)
    wait_for_team(batch.team.size)


cdef inline void low_rank_step(
    real* params, Batch* batch, Py_ssize_t m, Training* training
) noexcept nogil:
    """The factors of W_m take their step, then W_m is made from the factors."""
    cdef Matrix matrix = matrix_of(batch.net, m)
    cdef Rates* rates = &training.rates[training.step]
    factor_step(
        training.low_rank, m, &matrix, rates,
        &training.segments[SEGMENTS_PER_LAYER * m], batch.team, params)
    wait_for_team(batch.team.size)
    merge_factors(
        training.low_rank, m, &matrix, params, <real> rates.average_share,
        <real*> training.optimizer.average, &batch.work.scratch[batch.team.thread],
        batch.team)


cdef inline void step_from_gradient(
    real* params, Batch* batch, Training* training, const real* gradient
) noexcept nogil:
    """The steps of all that is trained, from a gradient that is stored whole."""
    cdef Workspace* work = batch.work
    cdef Layer* layer
    cdef Matrix matrix
    cdef Blocks blocks
    cdef Block block
    cdef Share share
    cdef Py_ssize_t m, l, number
    for m in range(matrix_count(batch.net)):
        if has_factors(training, m):
            low_rank_step(params, batch, m, training)
            continue
        if is_frozen(training, SEGMENTS_PER_LAYER * m):
            continue
        matrix = matrix_of(batch.net, m)
        blocks = cut_weights(&matrix)
        share = share_of(batch.team, blocks.down)
        for number in range(share.first, share.last):
            block = block_of(&blocks, number, matrix.n_in, matrix.n_out)
            weight_step(
                params, work, &matrix, m, number, block, training,
                gradient + matrix.start + block.row * matrix.n_out)
        project_weights(params, batch, m, training)
    shrink_groups(params, batch, training)
    for l in range(batch.net.n_layers):
        layer = &batch.net.layers[l]
        if batch.team.thread == 0 and layer.norm != BEFORE:
            vector_gradient(
                params, layer.bias, layer.n_out, gradient + layer.bias, 0,
                SEGMENTS_PER_LAYER * l + 1, training, <real*> NULL)
        if batch.team.thread == 0 and layer.norm != NO_NORM:
            vector_gradient(
                params, scale_of(layer), 2 * layer.n_out, gradient + scale_of(layer),
                0, SEGMENTS_PER_LAYER * l + 2, training, <real*> NULL)
    wait_for_team(batch.team.size)


# ------------------------------------------------------------------------- sparse X


cdef inline void sparse_weight_gradient(
    real* params, Batch* batch, Py_ssize_t m, Training* training, real* gradient,
) noexcept nogil:
    """The rows of dW_m whose columns have a non-zero in the batch, and their steps.

    W_m is the first layer's or theta.
    """
    cdef Workspace* work = batch.work
    cdef Team team = batch.team
    cdef Matrix matrix = matrix_of(batch.net, m)
    cdef Py_ssize_t l = layer_after(batch.net, m)
    cdef SparseBatch* sparse = work.sparse
    cdef const real* delta = <const real*> work.slopes[l]
    cdef real* g = <real*> work.scratch[team.thread].block
    cdef Share share
    cdef Py_ssize_t slot, column
    if training.optimizer == NULL and not training.accumulate:
        share = share_of(team, matrix.n_in)
        memset(
            gradient + matrix.start + share.first * matrix.n_out, 0,
            (share.last - share.first) * matrix.n_out * sizeof(real))
        wait_for_team(team.size)
    share = share_of(team, sparse.n_columns)
    for slot in range(share.first, share.last):
        column = sparse.columns[slot]
        if is_stopped(
                batch.watch, batch.team,
                2.0 * (sparse.starts[slot + 1] - sparse.starts[slot]) * matrix.n_out):
            break
        if training.optimizer == NULL:
            g = gradient + matrix.start + column * matrix.n_out
        else:
            memset(g, 0, matrix.n_out * sizeof(real))
        column_gradient(sparse, slot, delta, work.strides[l], matrix.n_out, g)
        if training.optimizer != NULL:
            matrix_step(
                training.optimizer, &training.rates[training.step],
                &training.segments[SEGMENTS_PER_LAYER * m], column * matrix.n_out,
                matrix.n_out, params, g)
            # the other matrix that multiplies the inputs does the same, or is frozen
            sparse.steps_done[column] = training.step + 1


cdef inline void begin_sparse_batch(
    real* params, Batch* batch, Training* training
) noexcept nogil:
    """Lists the batch by columns and brings the weights of its columns up to date."""
    cdef Workspace* work = batch.work
    cdef Team team = batch.team
    cdef Share share
    cdef Py_ssize_t slot
    if work.sparse == NULL:
        return
    if team.thread == 0:
        list_batch(
            batch.data, &batch.selection, batch.net.input_dropout, batch.noise,
            work.sparse, params)
    wait_for_team(team.size)
    if training.optimizer == NULL or training.whole:
        return
    share = share_of(team, work.sparse.n_columns)
    for slot in range(share.first, share.last):
        catch_up_column(params, batch, training, work.sparse.columns[slot])


cdef inline void end_sparse_epoch(
    real* params, Batch* batch, Training* training
) noexcept nogil:
    """Brings all weights that multiply the inputs up to date.

    Steps from a whole gradient miss no weight, so there is nothing to catch up on.
    """
    cdef Workspace* work = batch.work
    cdef Share share
    cdef Py_ssize_t column
    if work.sparse == NULL or training.whole:
        return
    share = share_of(batch.team, batch.net.layers[0].n_in)
    for column in range(share.first, share.last):
        catch_up_column(params, batch, training, column)
        work.sparse.steps_done[column] = 0


cdef inline void catch_up_column(
    real* params, Batch* batch, Training* training, Py_ssize_t column
) noexcept nogil:
    """All weights of one feature take the steps that they have missed."""
    cdef Workspace* work = batch.work
    cdef Network* net = batch.net
    cdef real* zeros = <real*> work.scratch[batch.team.thread].block
    cdef Py_ssize_t m, n_out
    if work.sparse.steps_done[column] == training.step:
        return
    for m in range(matrix_count(net)):
        # only the first layer's matrix and theta multiply the inputs
        if 0 < m < net.n_layers or is_frozen(training, SEGMENTS_PER_LAYER * m):
            continue
        n_out = matrix_of(net, m).n_out
        memset(zeros, 0, n_out * sizeof(real))
        catch_up(
            work.sparse, column, training.step, training.rates, training.optimizer,
            &training.segments[SEGMENTS_PER_LAYER * m], n_out, params, zeros)
    work.sparse.steps_done[column] = training.step
