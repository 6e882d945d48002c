"""Forward, loss and backward of a whole network for one batch.

    x_0 = X (with input dropout),  z_l = x_l W_l + b_l,  x_{l+1} = mask_l * act_l(z_l)
    D_L = s_i / rows * dloss/dz_L          (rows, n_out of the last layer)
    dW_l = x_l^T D_l,  db_l = column sums of D_l,  D_{l-1} = (D_l W_l^T) * slope_{l-1}

where slope = mask * act'(z). Training and prediction share `layer_forward`; without
noise and slopes it is prediction.

Every phase is cut into blocks that stay in cache, and all that is done to a block is
done at once: a block of z is activated and masked as soon as its product is there, a
block of dW goes through the optimizer before the next is computed, and no gradient is
ever stored whole. The cut depends on the shapes alone, not on the number of threads.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memset

from skreg._kernels.activations cimport Mask, activate
from skreg._kernels.dropout cimport Noise, draw_mask, draw_of, group_elements
from skreg._kernels.losses cimport LOSS_ROWS, loss_block
from skreg._kernels.matmul cimport (
    forward_product, input_gradient_product, product_shape, transpose,
    weight_gradient_product)
from skreg._kernels.optimizers cimport Optimizer, Rates, Segment, optimizer_step
from skreg._kernels.rows cimport (
    Rows, Selection, gather_inputs, gather_target, row_of, row_weight)
from skreg._kernels.sparse cimport (
    SparseBatch, catch_up, column_gradient, list_batch, sparse_forward)
from skreg._kernels.team cimport (
    Block, Blocks, Share, Team, block_of, parts, share_of, wait_for_team)
from skreg._kernels.types cimport Layer, Network, real

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

cdef struct Workspace:
    # Buffers for `capacity` rows, laid out once; a batch uses the first rows.
    Py_ssize_t capacity
    Py_ssize_t input_stride
    void* inputs           # (capacity, n_features), for dense X; NULL for prediction
    uint8_t* keep_inputs   # mask of the inputs
    Py_ssize_t* strides    # per layer: of its outputs and slopes
    void** outputs         # per layer: (capacity, n_out)
    void** slopes          # per layer: the same; backward turns them into D_l
    uint8_t** keep         # per hidden layer: (capacity, n_out), its mask
    double* losses         # (capacity,)
    SparseBatch* sparse    # NULL for dense X
    Scratch* scratch       # per thread

cdef struct Training:
    # What backward does with gradients: steps, or storing them.
    Optimizer* optimizer   # NULL: no steps
    Rates* rates           # of all steps of the epoch
    Segment* segments      # per layer: weights, bias
    Py_ssize_t step        # the current one, counted from 0
    bint accumulate        # without steps: add to the gradient


# ------------------------------------------------------------------------------ cuts


cdef inline Blocks cut_outputs(Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """Of a layer's outputs or inputs, (rows of the batch, units)."""
    cdef Blocks blocks
    blocks.rows = min(rows, <Py_ssize_t> BLOCK_ROWS)
    blocks.columns = max(
        <Py_ssize_t> 1, BLOCK_SIZE // (blocks.rows * BLOCK_COLUMNS)) * BLOCK_COLUMNS
    blocks.down = parts(rows, blocks.rows)
    blocks.across = parts(columns, blocks.columns)
    return blocks


cdef inline Blocks cut_weights(Layer* layer) noexcept nogil:
    """Of dW: whole rows, which follow each other in memory."""
    cdef Blocks blocks
    blocks.rows = max(
        <Py_ssize_t> 1, BLOCK_SIZE // (layer.n_out * BLOCK_INPUTS)) * BLOCK_INPUTS
    blocks.columns = layer.n_out
    blocks.down = parts(layer.n_in, blocks.rows)
    blocks.across = 1
    return blocks


# --------------------------------------------------------------------------- forward


cdef inline void draw_masks(
    Network* net, Rows* data, Py_ssize_t rows, Workspace* work, Noise noise, Team team
) noexcept nogil:
    """This thread's share of all masks of a step, numbered by what they cover."""
    cdef Layer* layer
    cdef Py_ssize_t l
    if net.input_dropout > 0 and data.dense != NULL:
        # masks are numbered by what they cover: 0 is the input's
        draw_share(
            noise, 0, net.input_dropout, rows * data.n_features, work.keep_inputs, team)
    for l in range(net.n_layers - 1):
        layer = &net.layers[l]
        if layer.dropout > 0:
            draw_share(
                noise, l + 1, layer.dropout, rows * layer.n_out, work.keep[l], team)


cdef inline void draw_share(
    Noise noise, Py_ssize_t number, double rate, Py_ssize_t elements, uint8_t* keep,
    Team team,
) noexcept nogil:
    cdef Share groups = share_of(team, parts(elements, group_elements(rate)))
    draw_mask(noise, number, rate, groups.first, groups.last, keep)


cdef inline void mask_inputs(
    double rate, const uint8_t* keep, Share rows, Py_ssize_t n_features,
    real* inputs, Py_ssize_t stride,
) noexcept nogil:
    cdef real scale = <real> draw_of(rate).scale
    cdef Py_ssize_t i, j
    for i in range(rows.first, rows.last):
        for j in range(n_features):
            inputs[i * stride + j] *= scale if keep[i * n_features + j] else 0


cdef inline const real* batch_inputs(
    Network* net, Rows* data, Selection* batch, Workspace* work, Noise noise,
    Team team, Py_ssize_t* stride, const real* _,
) noexcept nogil:
    """The dense inputs of a batch, masked, and their stride; NULL where X is sparse."""
    cdef real* inputs = <real*> work.inputs
    cdef bint masks = noise.on and net.input_dropout > 0
    cdef Share rows
    if data.dense == NULL:
        return NULL
    if batch.order == NULL and data.subset == NULL and not masks:
        # rows that follow each other are read where they are
        stride[0] = data.n_features
        return <const real*> data.dense + batch.first * data.n_features
    stride[0] = work.input_stride
    rows = share_of(team, batch.rows)
    gather_inputs(data, batch, rows.first, rows.last, inputs, stride[0])
    if masks:
        mask_inputs(
            net.input_dropout, work.keep_inputs, rows, data.n_features, inputs,
            stride[0])
    return inputs


cdef inline void layer_forward(
    const real* params, Layer* layer, Py_ssize_t rows, bint hidden,
    const real* x, Py_ssize_t x_stride, Rows* data, Selection* batch,
    SparseBatch* sparse, Mask mask, real* out, real* slopes, Py_ssize_t stride,
    real* panel, Team team,
) noexcept nogil:
    """out = mask * act(x W + b), this thread's blocks; x NULL: the batch's sparse rows.

    slopes NULL: prediction.
    """
    cdef const real* w = params + layer.weights
    cdef const real* b = params + layer.bias
    cdef Py_ssize_t n_out = layer.n_out
    cdef Blocks blocks = cut_outputs(rows, n_out)
    cdef Mask block_mask = mask
    cdef Block block
    cdef Share share
    cdef Py_ssize_t number, corner
    if x == NULL:
        # a row at a time, whole
        blocks = Blocks(min(rows, <Py_ssize_t> LOSS_ROWS), n_out, 0, 1)
        blocks.down = parts(rows, blocks.rows)
    share = share_of(team, blocks.down * blocks.across)
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, rows, n_out)
        corner = block.row * stride + block.column
        if x == NULL:
            sparse_forward(
                data, batch, sparse, Share(block.row, block.row + block.rows), w, b,
                n_out, out, stride)
        else:
            forward_product(
                product_shape(block.rows, block.columns, layer.n_in),
                x + block.row * x_stride, x_stride, w + block.column, n_out,
                b + block.column, out + corner, stride, panel)
        if hidden:
            if mask.keep != NULL:
                block_mask.keep = mask.keep + block.row * mask.stride + block.column
            activate(
                layer.activation, block, out + corner,
                slopes + corner if slopes != NULL else NULL, stride, block_mask)


cdef inline const real* forward(
    const real* params, Network* net, Rows* data, Selection* batch, Workspace* work,
    Noise noise, Team team, Py_ssize_t* input_stride,
) noexcept nogil:
    """Raw outputs of the last layer, (batch.rows, n_outputs); returns the inputs."""
    cdef real* panel = <real*> work.scratch[team.thread].panel
    cdef const real* x
    cdef const real* inputs
    cdef real* slopes
    cdef Mask mask
    cdef Layer* layer
    cdef Py_ssize_t l, x_stride
    cdef bint hidden
    if noise.on:
        draw_masks(net, data, batch.rows, work, noise, team)
        if net.input_dropout > 0:
            wait_for_team(team.size)
    inputs = batch_inputs(net, data, batch, work, noise, team, input_stride, params)
    wait_for_team(team.size)
    x = inputs
    x_stride = input_stride[0]
    for l in range(net.n_layers):
        layer = &net.layers[l]
        hidden = l < net.n_layers - 1
        slopes = <real*> work.slopes[l] if hidden and work.slopes != NULL else NULL
        mask = Mask(NULL, 0, 1.0)
        if noise.on and hidden and layer.dropout > 0:
            mask = Mask(work.keep[l], layer.n_out, draw_of(layer.dropout).scale)
        layer_forward(
            params, layer, batch.rows, hidden, x, x_stride, data, batch, work.sparse,
            mask, <real*> work.outputs[l], slopes, work.strides[l], panel, team)
        wait_for_team(team.size)
        x = <const real*> work.outputs[l]
        x_stride = work.strides[l]
    return inputs


# ------------------------------------------------------------------------------ loss


cdef inline double loss_and_delta(
    Network* net, Rows* data, Selection* batch, Workspace* work, double scale,
    Team team, const real* f,
) noexcept nogil:
    """sum_i s_i loss_i; the last layer's D gets scale * s_i * dloss_i/df."""
    cdef Py_ssize_t n_outputs = net.layers[net.n_layers - 1].n_out
    cdef Py_ssize_t size = n_outputs * LOSS_ROWS
    cdef real* delta = <real*> work.slopes[net.n_layers - 1]
    cdef real* turned = <real*> work.scratch[team.thread].rows
    cdef real* target = turned + size
    cdef real* turned_delta = turned + 2 * size
    cdef double values[LOSS_ROWS]
    cdef double weights[LOSS_ROWS]
    cdef real factors[LOSS_ROWS]
    cdef double total = 0
    cdef Share blocks = share_of(team, parts(batch.rows, LOSS_ROWS))
    cdef Py_ssize_t block, first, rows, i, j, row
    for block in range(blocks.first, blocks.last):
        first = block * LOSS_ROWS
        rows = min(<Py_ssize_t> LOSS_ROWS, batch.rows - first)
        if rows < LOSS_ROWS:
            # rows that are not there: any finite target
            memset(target, 0, size * sizeof(real))
        for i in range(rows):
            row = row_of(data, batch, first + i)
            gather_target(data, row, n_outputs, target + i, LOSS_ROWS)
            weights[i] = row_weight(data, row, f)
        for i in range(rows, LOSS_ROWS):
            weights[i] = 0
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
    wait_for_team(team.size)
    for i in range(batch.rows):
        total += work.losses[i]
    return total


# -------------------------------------------------------------------------- backward


cdef inline void backward(
    real* params, Network* net, Rows* data, Selection* batch, Workspace* work,
    const real* inputs, Py_ssize_t input_stride, Training* training, real* gradient,
    Team team,
) noexcept nogil:
    """Steps for all parameters, or their gradient, given the last layer's D.

    The gradient of W_l, and its step, come after D_{l-1}, which needs the old W_l.
    """
    cdef const real* x
    cdef Py_ssize_t x_stride
    cdef Py_ssize_t l
    for l in range(net.n_layers - 1, -1, -1):
        x = inputs
        x_stride = input_stride
        if l > 0:
            x = <const real*> work.outputs[l - 1]
            x_stride = work.strides[l - 1]
            input_gradient(params, net, l, batch.rows, work, team)
            wait_for_team(team.size)
        if x == NULL:
            sparse_weight_gradient(params, net, data, work, training, gradient, team)
        else:
            weight_gradient(
                params, net, l, batch.rows, work, x, x_stride, training, gradient, team)
        bias_gradient(params, net, l, batch.rows, work, training, gradient, team)
    wait_for_team(team.size)


cdef inline void input_gradient(
    const real* params, Network* net, Py_ssize_t l, Py_ssize_t rows, Workspace* work,
    Team team,
) noexcept nogil:
    """D_{l-1} = (D_l W_l^T) * slope_{l-1}, in place of the slopes."""
    cdef Layer* layer = &net.layers[l]
    cdef const real* delta = <const real*> work.slopes[l]
    cdef real* below = <real*> work.slopes[l - 1]
    cdef Py_ssize_t stride = work.strides[l]
    cdef Py_ssize_t below_stride = work.strides[l - 1]
    cdef real* product = <real*> work.scratch[team.thread].block
    cdef real* panel = <real*> work.scratch[team.thread].panel
    cdef Blocks blocks = cut_outputs(rows, layer.n_in)
    cdef Share share = share_of(team, blocks.down * blocks.across)
    cdef Block block
    cdef real* corner
    cdef Py_ssize_t number, i, j
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, rows, layer.n_in)
        input_gradient_product(
            product_shape(block.rows, block.columns, layer.n_out),
            delta + block.row * stride, stride,
            params + layer.weights + block.column * layer.n_out, layer.n_out,
            product, block.columns, panel)
        corner = below + block.row * below_stride + block.column
        if block.columns == below_stride:
            for i in range(block.rows * block.columns):
                corner[i] *= product[i]
            continue
        for i in range(block.rows):
            for j in range(block.columns):
                corner[i * below_stride + j] *= product[i * block.columns + j]


cdef inline void weight_gradient(
    real* params, Network* net, Py_ssize_t l, Py_ssize_t rows, Workspace* work,
    const real* x, Py_ssize_t x_stride, Training* training, real* gradient, Team team,
) noexcept nogil:
    """dW_l = x_l^T D_l for dense x, and its step; block by block of whole rows."""
    cdef Layer* layer = &net.layers[l]
    cdef const real* delta = <const real*> work.slopes[l]
    cdef real* g = <real*> work.scratch[team.thread].block
    cdef real* panel = <real*> work.scratch[team.thread].panel
    cdef Blocks blocks = cut_weights(layer)
    cdef Share share = share_of(team, blocks.down)
    cdef Block block
    cdef Py_ssize_t number
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, layer.n_in, layer.n_out)
        if training.optimizer == NULL:
            g = gradient + layer.weights + block.row * layer.n_out
        weight_gradient_product(
            product_shape(block.rows, layer.n_out, rows), x + block.row, x_stride,
            delta, work.strides[l], g, training.accumulate, panel)
        if training.optimizer != NULL:
            optimizer_step(
                training.optimizer, &training.rates[training.step],
                &training.segments[2 * l], block.row * layer.n_out,
                block.rows * layer.n_out, params, g)


cdef inline void bias_gradient(
    real* params, Network* net, Py_ssize_t l, Py_ssize_t rows, Workspace* work,
    Training* training, real* gradient, Team team,
) noexcept nogil:
    """db_l = the sums of the columns of D_l, and its step."""
    cdef Layer* layer = &net.layers[l]
    cdef const real* delta
    cdef real* g = <real*> work.scratch[team.thread].block
    cdef Share share = share_of(team, parts(layer.n_out, BLOCK_COLUMNS))
    cdef Py_ssize_t first = share.first * BLOCK_COLUMNS
    cdef Py_ssize_t n = min(share.last * BLOCK_COLUMNS, layer.n_out) - first
    cdef Py_ssize_t i, j
    if n <= 0:
        return
    if training.optimizer == NULL:
        g = gradient + layer.bias + first
    if not training.accumulate:
        memset(g, 0, n * sizeof(real))
    for i in range(rows):
        delta = <const real*> work.slopes[l] + i * work.strides[l] + first
        for j in range(n):
            g[j] += delta[j]
    if training.optimizer != NULL:
        optimizer_step(
            training.optimizer, &training.rates[training.step],
            &training.segments[2 * l + 1], first, n, params, g)


# ------------------------------------------------------------------------- sparse X


cdef inline void sparse_weight_gradient(
    real* params, Network* net, Rows* data, Workspace* work, Training* training,
    real* gradient, Team team,
) noexcept nogil:
    """The rows of dW_0 whose columns have a non-zero in the batch, and their steps."""
    cdef Layer* layer = &net.layers[0]
    cdef SparseBatch* sparse = work.sparse
    cdef const real* delta = <const real*> work.slopes[0]
    cdef real* g = <real*> work.scratch[team.thread].block
    cdef Share share
    cdef Py_ssize_t slot, column
    if training.optimizer == NULL and not training.accumulate:
        share = share_of(team, layer.n_in)
        memset(
            gradient + layer.weights + share.first * layer.n_out, 0,
            (share.last - share.first) * layer.n_out * sizeof(real))
        wait_for_team(team.size)
    share = share_of(team, sparse.n_columns)
    for slot in range(share.first, share.last):
        column = sparse.columns[slot]
        if training.optimizer == NULL:
            g = gradient + layer.weights + column * layer.n_out
        else:
            memset(g, 0, layer.n_out * sizeof(real))
        column_gradient(sparse, slot, delta, work.strides[0], layer.n_out, g)
        if training.optimizer != NULL:
            optimizer_step(
                training.optimizer, &training.rates[training.step],
                &training.segments[0], column * layer.n_out, layer.n_out, params, g)
            sparse.steps_done[column] = training.step + 1


cdef inline void begin_sparse_batch(
    real* params, Network* net, Rows* data, Selection* batch, Workspace* work,
    Noise noise, Training* training, Team team,
) noexcept nogil:
    """Lists the batch by columns and brings their weights up to date."""
    cdef Share share
    cdef Py_ssize_t slot
    if work.sparse == NULL:
        return
    if team.thread == 0:
        list_batch(data, batch, net.input_dropout, noise, work.sparse, params)
    wait_for_team(team.size)
    if training.optimizer == NULL:
        return
    share = share_of(team, work.sparse.n_columns)
    for slot in range(share.first, share.last):
        catch_up_column(
            params, net, work, training, work.sparse.columns[slot], team)


cdef inline void end_sparse_epoch(
    real* params, Network* net, Workspace* work, Training* training, Team team
) noexcept nogil:
    """Brings all weights of the first layer up to date."""
    cdef Share share
    cdef Py_ssize_t column
    if work.sparse == NULL:
        return
    share = share_of(team, net.layers[0].n_in)
    for column in range(share.first, share.last):
        catch_up_column(params, net, work, training, column, team)
        work.sparse.steps_done[column] = 0


cdef inline void catch_up_column(
    real* params, Network* net, Workspace* work, Training* training,
    Py_ssize_t column, Team team,
) noexcept nogil:
    cdef Py_ssize_t n_out = net.layers[0].n_out
    cdef real* zeros = <real*> work.scratch[team.thread].block
    if work.sparse.steps_done[column] == training.step:
        return
    memset(zeros, 0, n_out * sizeof(real))
    catch_up(
        work.sparse, column, training.step, training.rates, training.optimizer,
        &training.segments[0], n_out, params, zeros)
