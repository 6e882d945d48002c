"""A network's parameters as those of a network that reads standardized inputs.

Let a matrix W that multiplies the inputs (the first layer's, or that of `skip`) come
with the bias b behind it, and let the features have the means m and the spreads s:

    W_j = a_j V_j,   a_j = 1 / sqrt(s_j^2 + l2 / h),   b = c - m^T W
    x^T W + b = sum_j a_j (x_j - m_j) V_j + c

V and c are what lbfgs varies. This is the same function of the same parameters, so its
optimum is the same one; but no column is longer than another, and none leans on the
bias. h is the curvature of the loss by the outputs, 1 for the squared loss: along each
V_j loss and penalty together, l2 / 2 a_j^2 V_j^2, have the curvature h. The L1 penalty
is l1 a_j |V_j|.
"""

import numpy as np

# A feature whose mean is further from zero than so many spreads is centred as it is
# read: x^T W would lose digits in x_j W_j and in the gradient's sum of x_j D.
FAR = 4.0


class StandardizedInputs:
    """The change of variables, of one problem.

    Parameters
    ----------
    network : Network
    moments : Moments
    l2 : ndarray of shape (n_parameters,)
        Strengths of all quadratic penalties, by parameter.
    centres : bool
        Whether the kernels may centre features as they read them.

    Attributes
    ----------
    factor : ndarray of shape (n_parameters,)
        a_j of the weights that multiply the inputs; 1 elsewhere.
    centre : ndarray of shape (n_features,) or None
        What the kernels are to subtract from X, in the network's dtype.
    """

    def __init__(self, network, moments, l2, *, centres):
        self.dtype = network.dtype
        self.mean, self.spread = moments.mean, moments.spread
        far = moments.stored & (np.abs(self.mean) > FAR * self.spread)
        self.centre = None
        # what is left for the bias to make up for in the kernels' sums
        self.rest = self.mean
        if centres and far.any():
            self.centre = np.where(far, self.mean, 0).astype(self.dtype)
            self.rest = self.mean - self.centre
        # (weights, biases) of each matrix that multiplies the inputs
        biases = [slice(bias, bias + n_out) for bias, _, n_out in network._layers()]
        bias, n_in, n_out = next(network._layers())
        self.readers = [(slice(bias - n_in * n_out, bias), biases[0])]
        if network.skip:
            self.readers.append((slice(network._layers_end, None), biases[-1]))
        # a norm before the activation centres by itself, and b has no gradient there
        normalised = network.batch_norm == "before"
        self.centred = self.readers[1:] if normalised else self.readers
        self.factor = np.ones(network.params.size)
        least = np.finfo(self.dtype).tiny ** 0.5
        for weights, _ in self.readers:
            penalty = self._matrix(l2, weights) / network.loss.curvature
            length = np.hypot(self.spread[:, None], np.sqrt(penalty))
            # what neither varies nor is penalised has no length
            length[length == 0] = 1
            length = np.clip(length, least, 1 / least)
            self._matrix(self.factor, weights)[:] = 1 / length

    def _matrix(self, params, weights):
        """A view of a matrix that multiplies the inputs, (n_features, n_outputs)."""
        return params[weights].reshape(self.mean.size, -1)

    def _add_to_biases(self, params, offset, source, sign):
        """B += sign * offset^T W for the matrices W of `source`."""
        for weights, bias in self.centred:
            params[bias] += sign * (offset @ self._matrix(source, weights))

    def variables(self, params):
        """(V, c, the rest) for parameters in float64."""
        variables = params / self.factor
        self._add_to_biases(variables, self.mean, params, 1)
        return variables

    def shrunk(self, params):
        """Initial parameters as those of a network that reads inputs of spread 1.

        They are made for such inputs, and saturate the units by larger ones. Smaller
        ones are left as they are.
        """
        params = params.copy()
        for weights, _ in self.readers:
            self._matrix(params, weights)[:] /= np.maximum(self.spread, 1)[:, None]
        self._add_to_biases(params, self.mean, params, -1)
        return params

    def weights(self, variables):
        """The parameters, except that the biases that follow W are still c."""
        return variables * self.factor

    def set_biases(self, params, *, as_read):
        """B for c, in place: for X as the kernels read it, or as it is.

        The bias is that of the weights as the network will have them, rounded.
        """
        # what is too large becomes infinite, which is looked for after the training
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = np.asarray(params, self.dtype)
            offset = self.rest if as_read else self.mean
            self._add_to_biases(params, offset, rounded, -1)

    def by_centre(self, gradient):
        """From the loss's gradient by (W, b) as the kernels read X to that by (W, c).

        In place, as what follows.
        """
        self._add_to_weights(gradient, self.rest, gradient, -1)

    def through_biases(self, gradient, by_biases):
        """Add to a gradient by (W, c) what W has from a penalty of b = c - m^T W."""
        self._add_to_weights(gradient, self.mean, by_biases, -1)

    def by_bias(self, gradient):
        """From the gradient by (W, c) to that by (W, b), of X as it is."""
        self._add_to_weights(gradient, self.mean, gradient, 1)

    def _add_to_weights(self, gradient, offset, source, sign):
        for weights, bias in self.centred:
            # of numbers near the largest the product is none, and the fit ends there
            with np.errstate(over="ignore", invalid="ignore"):
                self._matrix(gradient, weights)[:] += sign * np.outer(
                    offset, source[bias]
                )
