"""The floating types that every kernel is compiled for, and the shape of a network."""

ctypedef fused real:
    float
    double

# All parameters stand in one flat buffer: W_0, b_0, W_1, b_1, ... Offsets count
# numbers, not bytes. Matrices are row-major. A layer with batch normalization has its
# scale and shift after its bias. If there is a skip connection from the inputs to the
# outputs, its weights theta, (n_features, n_outputs), stand at the very end.

cdef struct Layer:
    Py_ssize_t n_in
    Py_ssize_t n_out
    Py_ssize_t weights  # offset of W, (n_in, n_out)
    Py_ssize_t bias     # offset of b, (n_out,)
    int activation      # the last layer's is identity: the loss holds the link
    int norm            # where batch normalization stands, see batch_norm.pxd
    # The reach of the residual connection: the output of the layer so many layers below
    # is added to this layer's output. 1: its own input. 2: around an adapter. 0: no
    # connection.
    int residual
    double dropout      # rate for the layer's output

cdef struct Network:
    Py_ssize_t n_layers
    Layer* layers
    Py_ssize_t skip        # offset of theta; -1: no skip connection
    double input_dropout
    int loss
    double loss_parameter  # Huber's delta or the quantile
    double label_smoothing
    double norm_epsilon    # added to the variance

cdef struct Matrix:
    # A weight matrix. A layer's matrix has the layer's number; theta has the last
    # number.
    Py_ssize_t start       # offset, (n_in, n_out)
    Py_ssize_t n_in
    Py_ssize_t n_out


cdef inline Py_ssize_t matrix_count(Network* net) noexcept nogil:
    return net.n_layers + (net.skip >= 0)


cdef inline Matrix matrix_of(Network* net, Py_ssize_t number) noexcept nogil:
    if number == net.n_layers:
        return Matrix(
            net.skip, net.layers[0].n_in, net.layers[net.n_layers - 1].n_out)
    return Matrix(
        net.layers[number].weights, net.layers[number].n_in, net.layers[number].n_out)


cdef inline Py_ssize_t scale_of(Layer* layer) noexcept nogil:
    """Offset of batch normalization's scale, (n_out,)."""
    return layer.bias + layer.n_out


cdef inline Py_ssize_t shift_of(Layer* layer) noexcept nogil:
    """Offset of batch normalization's shift, (n_out,)."""
    return layer.bias + 2 * layer.n_out
