"""Forward: from the rows of a batch to the raw outputs of the network.

    x_0 = X (augmented, then with input dropout),  z_l = x_l W_l + b_l
    x_{l+1} = mask_l * act_l(norm_l(z_l)), or mask_l * norm_l(act_l(z_l)),
              [+ x_l or x_{l-1} under a residual connection]
    f = z_L [+ x_0 theta]

Training and prediction use the same `layer_forward`. Prediction has no noise and no
slopes, and batch normalization is folded into its weights.
"""

from libc.stdint cimport uint8_t

from skreg._kernels.activations cimport Mask, activate
from skreg._kernels.augmentation cimport augment
from skreg._kernels.augmentation_mixing cimport Mixing, mixed_weight
from skreg._kernels.batch_norm cimport AFTER, BEFORE, NO_NORM, STRIP, normalise_strip
from skreg._kernels.dropout cimport Noise, draw_mask, draw_of, group_elements
from skreg._kernels.input_scaling cimport scale_inputs
from skreg._kernels.losses cimport LOSS_ROWS
from skreg._kernels.matmul cimport add_product, forward_product, product_shape
from skreg._kernels.rows cimport (
    Rows, Selection, gather_inputs, subtract_centre)
from skreg._kernels.signals cimport is_stopped
from skreg._kernels.sparse cimport sparse_forward
from skreg._kernels.team cimport (
    Block, Blocks, Share, Team, block_of, parts, share_of, wait_for_team)
from skreg._kernels.types cimport (
    Layer, Matrix, Network, matrix_of, real, scale_of, shift_of)
from skreg._kernels.workspace cimport Batch, Workspace, cut_outputs

# --------------------------------------------------------------------------- inputs


cdef inline void draw_masks(Batch* batch) noexcept nogil:
    """Draws this thread's part of all masks of a step."""
    cdef Network* net = batch.net
    cdef Workspace* work = batch.work
    cdef Py_ssize_t rows = batch.selection.rows
    cdef Layer* layer
    cdef Py_ssize_t l
    if net.input_dropout > 0 and batch.data.dense != NULL:
        # mask 0 is that of the inputs, mask l + 1 that of layer l's outputs
        draw_share(
            batch.noise, 0, net.input_dropout, rows * batch.data.n_features,
            work.keep_inputs, batch.team)
    for l in range(net.n_layers - 1):
        layer = &net.layers[l]
        if layer.dropout > 0:
            draw_share(
                batch.noise, l + 1, layer.dropout, rows * layer.n_out, work.keep[l],
                batch.team)


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


cdef inline bint masks_inputs(Batch* batch) noexcept nogil:
    return batch.noise.on and batch.net.input_dropout > 0


cdef inline bint augments_inputs(Batch* batch) noexcept nogil:
    return batch.noise.on and batch.work.augmentations.n > 0


cdef inline const real* batch_inputs(
    Batch* batch, Py_ssize_t* stride, const real* _
) noexcept nogil:
    """The dense inputs of a batch and their stride; NULL where X is sparse.

    With noise the inputs are augmented, then masked.
    """
    cdef Rows* data = batch.data
    cdef Workspace* work = batch.work
    cdef real* inputs = <real*> work.inputs
    cdef bint masks = masks_inputs(batch)
    cdef bint augments = augments_inputs(batch)
    cdef Share rows
    if data.dense == NULL:
        return NULL
    if (batch.selection.order == NULL and data.subset == NULL
            and work.centre == NULL and work.scaling.centre == NULL
            and not masks and not augments):
        # consecutive rows are read from X without a copy
        stride[0] = data.n_features
        return <const real*> data.dense + batch.selection.first * data.n_features
    stride[0] = work.input_stride
    rows = share_of(batch.team, batch.selection.rows)
    gather_inputs(data, &batch.selection, rows.first, rows.last, inputs, stride[0])
    if work.centre != NULL:
        subtract_centre(
            <const real*> work.centre, data.n_features, rows.first, rows.last, inputs,
            stride[0])
    if work.scaling.centre != NULL:
        scale_inputs(
            &work.scaling, data.n_features, rows.first, rows.last, inputs, stride[0])
    if augments:
        inputs = augment(
            &work.augmentations, batch.noise, batch.selection.rows, data.n_features,
            inputs, stride[0], &work.scratch[batch.team.thread].images, batch.team)
    if masks:
        mask_inputs(
            batch.net.input_dropout, work.keep_inputs, rows, data.n_features, inputs,
            stride[0])
    return inputs


cdef inline void share_weights(Batch* batch, const real* type_) noexcept nogil:
    """p_i of batch_norm.pxd: each row's weight divided by the weight of the batch."""
    cdef real* shares = <real*> batch.work.shares
    cdef Py_ssize_t rows = batch.selection.rows
    cdef double total = 0
    cdef Mixing* mixing = &batch.work.augmentations.mixing
    cdef Py_ssize_t i
    if batch.team.thread > 0:
        return
    for i in range(rows):
        total += mixed_weight(mixing, batch.data, &batch.selection, i, type_)
    for i in range(rows):
        shares[i] = <real> (
            mixed_weight(mixing, batch.data, &batch.selection, i, type_) / total)


cdef inline const real* begin_batch(
    Batch* batch, Py_ssize_t* stride, const real* type_
) noexcept nogil:
    """All work before the first layer; returns the inputs and their stride."""
    cdef const real* inputs
    if batch.noise.on:
        draw_masks(batch)
        if batch.net.input_dropout > 0:
            wait_for_team(batch.team.size)
    inputs = batch_inputs(batch, stride, type_)
    if batch.work.norms != NULL:
        if augments_inputs(batch):
            # the weights of mixed rows must be there
            wait_for_team(batch.team.size)
        share_weights(batch, type_)
    wait_for_team(batch.team.size)
    return inputs


# --------------------------------------------------------------------------- layers


cdef inline Mask mask_of(Batch* batch, Py_ssize_t l) noexcept nogil:
    """Dropout's mask of a layer's outputs."""
    cdef Layer* layer = &batch.net.layers[l]
    if batch.noise.on and l < batch.net.n_layers - 1 and layer.dropout > 0:
        return Mask(batch.work.keep[l], layer.n_out, draw_of(layer.dropout).scale)
    return Mask(NULL, 0, 1.0)


cdef inline Mask mask_from(Mask mask, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    """The mask from the corner of a block on."""
    if mask.keep != NULL:
        mask.keep += row * mask.stride + column
    return mask


cdef inline void add_block(
    Block block, const real* x, real* out, Py_ssize_t stride
) noexcept nogil:
    """out += x in one block; both pointers lead to the beginning of a matrix."""
    cdef Py_ssize_t i, j
    cdef Py_ssize_t corner = block.row * stride + block.column
    for i in range(block.rows):
        for j in range(block.columns):
            out[corner + i * stride + j] += x[corner + i * stride + j]


cdef inline const real* residual_of(
    Batch* batch, Py_ssize_t l, const real* _
) noexcept nogil:
    """The outputs that a layer's residual connection adds, with the layer's stride."""
    return <const real*> batch.work.outputs[l - batch.net.layers[l].residual]


cdef inline void layer_forward(
    const real* params, Batch* batch, Py_ssize_t l, const real* x, Py_ssize_t x_stride
) noexcept nogil:
    """This thread's blocks of a layer's outputs; x NULL: the batch's sparse rows.

    Prediction has no slopes. A norm, and the steps after a norm, are done by
    `norm_forward`.
    """
    cdef Workspace* work = batch.work
    cdef Layer* layer = &batch.net.layers[l]
    cdef const real* w = params + layer.weights
    cdef const real* b = params + layer.bias
    cdef real* out = <real*> work.outputs[l]
    cdef bint hidden = l < batch.net.n_layers - 1
    cdef real* slopes = (
        <real*> work.slopes[l] if hidden and work.slopes != NULL else NULL)
    cdef real* panel = <real*> work.scratch[batch.team.thread].panel
    cdef Py_ssize_t n_out = layer.n_out
    cdef Py_ssize_t stride = work.strides[l]
    cdef Py_ssize_t rows = batch.selection.rows
    cdef Mask mask = Mask(NULL, 0, 1.0)
    cdef Blocks blocks = cut_outputs(rows, n_out)
    cdef Block block
    cdef Share share
    cdef Py_ssize_t number, corner
    if layer.norm == NO_NORM:
        mask = mask_of(batch, l)
    if x == NULL:
        blocks = cut_rows(rows, n_out)
    share = share_of(batch.team, blocks.down * blocks.across)
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, rows, n_out)
        corner = block.row * stride + block.column
        if is_stopped(
                batch.watch, batch.team, 2.0 * block.rows * block.columns * layer.n_in):
            break
        if x == NULL:
            sparse_forward(
                batch.data, &batch.selection, work.sparse,
                Share(block.row, block.row + block.rows), w, b, n_out, out, stride)
        else:
            forward_product(
                product_shape(block.rows, block.columns, layer.n_in),
                x + block.row * x_stride, x_stride, w + block.column, n_out,
                b + block.column, out + corner, stride, panel)
        if hidden and layer.norm != BEFORE:
            activate(
                layer.activation, block, out + corner,
                slopes + corner if slopes != NULL else NULL, stride,
                mask_from(mask, block.row, block.column))
        if layer.residual and layer.norm == NO_NORM:
            add_block(block, residual_of(batch, l, params), out, stride)


cdef inline Blocks cut_rows(Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """Cuts outputs into blocks of whole rows, as sparse inputs need."""
    cdef Blocks blocks = Blocks(min(rows, <Py_ssize_t> LOSS_ROWS), columns, 0, 1)
    blocks.down = parts(rows, blocks.rows)
    return blocks


cdef inline void skip_forward(
    const real* params, Batch* batch, const real* x, Py_ssize_t x_stride
) noexcept nogil:
    """f += x theta, this thread's blocks; x NULL: the batch's sparse rows.

    This follows the last layer's own product, so that every output is summed in one
    order.
    """
    cdef Workspace* work = batch.work
    cdef Py_ssize_t last = batch.net.n_layers - 1
    cdef Matrix theta = matrix_of(batch.net, batch.net.n_layers)
    cdef real* out = <real*> work.outputs[last]
    cdef Py_ssize_t stride = work.strides[last]
    cdef Py_ssize_t rows = batch.selection.rows
    cdef Blocks blocks = cut_outputs(rows, theta.n_out)
    cdef Block block
    cdef Share share
    cdef Py_ssize_t number
    if x == NULL:
        blocks = cut_rows(rows, theta.n_out)
    share = share_of(batch.team, blocks.down * blocks.across)
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, rows, theta.n_out)
        if is_stopped(
                batch.watch, batch.team, 2.0 * block.rows * block.columns * theta.n_in):
            break
        if x == NULL:
            sparse_forward(
                batch.data, &batch.selection, work.sparse,
                Share(block.row, block.row + block.rows), params + theta.start,
                <const real*> NULL, theta.n_out, out, stride)
        else:
            add_product(
                product_shape(block.rows, block.columns, theta.n_in),
                x + block.row * x_stride, x_stride,
                params + theta.start + block.column, theta.n_out,
                out + block.row * stride + block.column, stride,
                <real*> work.scratch[batch.team.thread].panel)


cdef inline void norm_forward(
    const real* params, Batch* batch, Py_ssize_t l
) noexcept nogil:
    """Normalises this thread's strips of a layer's outputs, and all after the norm."""
    cdef Workspace* work = batch.work
    cdef Layer* layer = &batch.net.layers[l]
    cdef real* out = <real*> work.outputs[l]
    cdef real* slopes = <real*> work.slopes[l]
    cdef Py_ssize_t stride = work.strides[l]
    cdef Py_ssize_t rows = batch.selection.rows
    cdef Mask mask = mask_of(batch, l)
    cdef Share share = share_of(batch.team, parts(layer.n_out, STRIP))
    cdef Py_ssize_t strip, first
    # all strips of this thread: whole rows if the team has one thread
    cdef Block block = Block(
        0, rows, share.first * STRIP,
        min(share.last * STRIP, layer.n_out) - share.first * STRIP)
    if block.columns <= 0:
        return
    for strip in range(share.first, share.last):
        first = strip * STRIP
        if is_stopped(batch.watch, batch.team, 10.0 * rows * STRIP):
            return
        normalise_strip(
            &work.norms[l], batch.statistics, batch.net.norm_epsilon,
            <const real*> work.shares, rows, first,
            min(<Py_ssize_t> STRIP, layer.n_out - first), stride, out,
            params + scale_of(layer), params + shift_of(layer))
    mask = mask_from(mask, 0, block.column)
    if layer.norm == BEFORE:
        activate(
            layer.activation, block, out + block.column, slopes + block.column, stride,
            mask)
    elif mask.keep != NULL:
        mask_block(block, mask, out, stride)
    if layer.residual:
        add_block(block, residual_of(batch, l, params), out, stride)


cdef inline void mask_block(
    Block block, Mask mask, real* values, Py_ssize_t stride
) noexcept nogil:
    """values *= mask; the mask begins at the block's corner."""
    cdef real scale = <real> mask.scale
    cdef real* v = values + block.row * stride + block.column
    cdef Py_ssize_t i, j
    for i in range(block.rows):
        for j in range(block.columns):
            v[i * stride + j] *= scale if mask.keep[i * mask.stride + j] else 0


cdef inline void forward(
    const real* params, Batch* batch, const real* inputs, Py_ssize_t input_stride
) noexcept nogil:
    """Writes the raw outputs, (rows, n_outputs), into the workspace."""
    cdef Workspace* work = batch.work
    cdef const real* x = inputs
    cdef Py_ssize_t x_stride = input_stride
    cdef Py_ssize_t l
    for l in range(batch.net.n_layers):
        layer_forward(params, batch, l, x, x_stride)
        wait_for_team(batch.team.size)
        if batch.net.layers[l].norm != NO_NORM:
            norm_forward(params, batch, l)
            wait_for_team(batch.team.size)
        x = <const real*> work.outputs[l]
        x_stride = work.strides[l]
    if batch.net.skip >= 0:
        skip_forward(params, batch, inputs, input_stride)
        wait_for_team(batch.team.size)
