"""The floating types that every kernel is compiled for, and the shape of a network."""

ctypedef fused real:
    float
    double

# All parameters stand in one flat buffer: W_0, b_0, W_1, b_1, ... Offsets count
# numbers, not bytes. Matrices are row-major. A layer with batch normalization has its
# scale and shift after its bias.

cdef struct Layer:
    Py_ssize_t n_in
    Py_ssize_t n_out
    Py_ssize_t weights  # offset of W, (n_in, n_out)
    Py_ssize_t bias     # offset of b, (n_out,)
    int activation      # the last layer's is identity: the loss holds the link
    int norm            # where batch normalization stands, see batch_norm.pxd
    # How many layers below is the one whose output is added to this one's: 1, its
    # input; 2, as around an adapter; 0, none.
    int residual
    double dropout      # rate for the layer's output

cdef struct Network:
    Py_ssize_t n_layers
    Layer* layers
    double input_dropout
    int loss
    double loss_parameter  # Huber's delta or the quantile
    double label_smoothing
    double norm_epsilon    # added to the variance


cdef inline Py_ssize_t scale_of(Layer* layer) noexcept nogil:
    """Offset of batch normalization's scale, (n_out,)."""
    return layer.bias + layer.n_out


cdef inline Py_ssize_t shift_of(Layer* layer) noexcept nogil:
    """Offset of its shift, (n_out,)."""
    return layer.bias + 2 * layer.n_out
