"""Forward, loss and backward of a whole network for one batch.

    x_0 = X (with input dropout),  z_l = x_l W_l + b_l,  x_{l+1} = mask_l * act_l(z_l)
    D_L = s_i / rows * dloss/dz_L          (rows, n_out of the last layer)
    dW_l = x_l^T D_l,  db_l = column sums of D_l,  D_{l-1} = (D_l W_l^T) * slope_{l-1}

where slope = mask * act'(z). Training and prediction share `layer_forward`; without
noise and slopes it is prediction.
"""

from libc.string cimport memcpy, memset

from skreg._kernels.activations cimport activate
from skreg._kernels.dropout cimport Noise, apply_dropout, dropout_factor
from skreg._kernels.losses cimport row_loss
from skreg._kernels.matmul cimport (
    Product, forward_product, input_gradient_product, weight_gradient_product)
from skreg._kernels.rows cimport (
    Rows, Selection, gather_inputs, gather_target, row_of, row_weight)
from skreg._kernels.types cimport Layer, Network, real

cdef struct Workspace:
    # Buffers for `capacity` rows, laid out once; a batch uses the first rows.
    Py_ssize_t capacity
    void* inputs      # (capacity, n_features), for dense X; NULL for prediction
    void* target      # (n_outputs,), of one row
    void** outputs    # per layer: (capacity, n_out)
    void** slopes     # per hidden layer: (capacity, n_out); NULL for prediction
    void* deltas[2]   # (capacity, widest layer) each, used in turn
    void* panel       # for the matrix products


cdef inline void layer_forward(
    const real* params, Layer* layer, Py_ssize_t index, Py_ssize_t rows, bint hidden,
    const real* x, Rows* data, Selection* batch, double input_dropout, Noise noise,
    real* out, real* slopes, real* panel,
) noexcept nogil:
    """out = mask * act(x W + b); x NULL: the sparse rows of the batch."""
    cdef const real* w = params + layer.weights
    cdef const real* b = params + layer.bias
    cdef Py_ssize_t i
    for i in range(rows):
        memcpy(out + i * layer.n_out, b, layer.n_out * sizeof(real))
    if x == NULL:
        sparse_forward(data, batch, layer.n_out, w, input_dropout, noise, out)
    else:
        forward_product(Product(rows, layer.n_in, layer.n_out), x, w, out, panel)
    if hidden:
        activate(layer.activation, out, slopes, rows * layer.n_out)
        if noise.on and layer.dropout > 0:
            # masks are numbered by what they cover: 0 is the input's
            apply_dropout(
                noise, index + 1, layer.dropout, out, slopes, rows * layer.n_out)


cdef inline double sparse_value(
    Rows* data, Py_ssize_t position, Py_ssize_t k, double rate, Noise noise,
    const real* values,
) noexcept nogil:
    """Value k of the CSR arrays, in the row at `position` of the batch, masked."""
    cdef double value = values[k]
    if noise.on and rate > 0:
        value *= dropout_factor(
            noise, 0, rate, position * data.n_features + data.columns[k])
    return value


cdef inline void sparse_forward(
    Rows* data, Selection* batch, Py_ssize_t n_out, const real* w,
    double input_dropout, Noise noise, real* out,
) noexcept nogil:
    """out += X W for CSR rows: a sum over the non-zeros of each row."""
    cdef const real* values = <const real*> data.values
    cdef const real* w_row
    cdef real* out_row
    cdef real value
    cdef Py_ssize_t i, j, k, row
    for i in range(batch.rows):
        row = row_of(data, batch, i)
        out_row = out + i * n_out
        for k in range(data.row_starts[row], data.row_starts[row + 1]):
            value = <real> sparse_value(data, i, k, input_dropout, noise, values)
            w_row = w + data.columns[k] * n_out
            for j in range(n_out):
                out_row[j] += value * w_row[j]


cdef inline void sparse_weight_gradient(
    Rows* data, Selection* batch, Py_ssize_t n_out, const real* delta,
    double input_dropout, Noise noise, real* gradient,
) noexcept nogil:
    """gradient += X^T D for CSR rows; only rows of W with a non-zero are touched."""
    cdef const real* values = <const real*> data.values
    cdef const real* delta_row
    cdef real* gradient_row
    cdef real value
    cdef Py_ssize_t i, j, k, row
    for i in range(batch.rows):
        row = row_of(data, batch, i)
        delta_row = delta + i * n_out
        for k in range(data.row_starts[row], data.row_starts[row + 1]):
            value = <real> sparse_value(data, i, k, input_dropout, noise, values)
            gradient_row = gradient + data.columns[k] * n_out
            for j in range(n_out):
                gradient_row[j] += value * delta_row[j]


cdef inline const real* batch_inputs(
    Network* net, Rows* data, Selection* batch, Workspace* work, Noise noise,
    const real* _,
) noexcept nogil:
    """The dense inputs of a batch, masked; NULL where X is sparse."""
    cdef real* inputs = <real*> work.inputs
    cdef bint mask = noise.on and net.input_dropout > 0
    if data.dense == NULL:
        return NULL
    if batch.order == NULL and data.subset == NULL and not mask:
        # rows that follow each other are read where they are
        return <const real*> data.dense + batch.first * data.n_features
    gather_inputs(data, batch, inputs)
    if mask:
        apply_dropout(
            noise, 0, net.input_dropout, inputs, <real*> NULL,
            batch.rows * data.n_features)
    return inputs


cdef inline const real* forward(
    const real* params, Network* net, Rows* data, Selection* batch, Workspace* work,
    Noise noise,
) noexcept nogil:
    """Raw outputs of the last layer, (batch.rows, n_outputs); returns the inputs."""
    cdef const real* inputs = batch_inputs(net, data, batch, work, noise, params)
    cdef const real* x = inputs
    cdef real* slopes
    cdef bint hidden
    cdef Py_ssize_t l
    for l in range(net.n_layers):
        hidden = l < net.n_layers - 1
        slopes = <real*> work.slopes[l] if hidden and work.slopes != NULL else NULL
        layer_forward(
            params, &net.layers[l], l, batch.rows, hidden, x, data, batch,
            net.input_dropout, noise, <real*> work.outputs[l], slopes,
            <real*> work.panel)
        x = <const real*> work.outputs[l]
    return inputs


cdef inline double loss_and_delta(
    Network* net, Rows* data, Selection* batch, Workspace* work, double scale,
    const real* f,
) noexcept nogil:
    """sum_i s_i loss_i; the first delta buffer gets scale * s_i * dloss_i/df."""
    cdef Py_ssize_t n_outputs = net.layers[net.n_layers - 1].n_out
    cdef real* target = <real*> work.target
    cdef real* delta = <real*> work.deltas[0]
    cdef double total = 0
    cdef double weight
    cdef real factor
    cdef Py_ssize_t i, j, row
    for i in range(batch.rows):
        row = row_of(data, batch, i)
        gather_target(data, row, n_outputs, target)
        weight = row_weight(data, row, target)
        total += weight * row_loss(
            net.loss, net.loss_parameter, n_outputs, f + i * n_outputs, target,
            delta + i * n_outputs)
        factor = <real> (scale * weight)
        for j in range(n_outputs):
            delta[i * n_outputs + j] *= factor
    return total


cdef inline void backward(
    const real* params, Network* net, Rows* data, Selection* batch, Workspace* work,
    Noise noise, const real* inputs, bint accumulate, real* gradient,
) noexcept nogil:
    """gradient = (or +=) the derivative by all parameters, given the first delta."""
    cdef real* delta = <real*> work.deltas[0]
    cdef real* below = <real*> work.deltas[1]
    cdef real* spare
    cdef const real* slopes
    cdef const real* x
    cdef Layer* layer
    cdef Product product
    cdef Py_ssize_t l, i
    for l in range(net.n_layers - 1, -1, -1):
        layer = &net.layers[l]
        product = Product(batch.rows, layer.n_in, layer.n_out)
        x = inputs if l == 0 else <const real*> work.outputs[l - 1]
        if x == NULL:
            if not accumulate:
                memset(
                    gradient + layer.weights, 0,
                    layer.n_in * layer.n_out * sizeof(real))
            sparse_weight_gradient(
                data, batch, layer.n_out, delta, net.input_dropout, noise,
                gradient + layer.weights)
        else:
            weight_gradient_product(
                product, x, delta, gradient + layer.weights, accumulate,
                <real*> work.panel)
        column_sums(
            delta, batch.rows, layer.n_out, accumulate, gradient + layer.bias)
        if l > 0:
            input_gradient_product(
                product, delta, params + layer.weights, below, <real*> work.panel)
            slopes = <const real*> work.slopes[l - 1]
            for i in range(batch.rows * layer.n_in):
                below[i] *= slopes[i]
            spare = delta
            delta = below
            below = spare


cdef inline void column_sums(
    const real* delta, Py_ssize_t rows, Py_ssize_t n, bint accumulate, real* out
) noexcept nogil:
    """out (+)= the sums of the columns of delta, (rows, n)."""
    cdef Py_ssize_t i, j
    if not accumulate:
        memset(out, 0, n * sizeof(real))
    for i in range(rows):
        for j in range(n):
            out[j] += delta[i * n + j]
