"""A network's shape and its parameters, in one flat buffer."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy import sparse

from skreg._kernels import engine
from skreg._kernels._tables import NORM_POSITIONS
from skreg._network import batch_norm
from skreg._problem import cores
from skreg._problem.activations import ACTIVATIONS, glorot
from skreg._problem.augmentation import kernel_table
from skreg._problem.input_scaling import InputScaling
from skreg._problem.losses import Loss


def residual_reaches(residual, layer_sizes):
    """How many layers each hidden layer's residual connection reaches back.

    0 is none. Of True: to the layer before, where that is hidden and as wide.
    """
    if not isinstance(residual, bool):
        return list(residual)
    return [
        int(residual and l > 0 and layer_sizes[l] == layer_sizes[l + 1])
        for l in range(len(layer_sizes) - 2)
    ]


def zero_share(matrices):
    """Share of exact zeros in all of the matrices, dense or sparse, together."""
    nonzeros = sum(
        W.count_nonzero() if sparse.issparse(W) else np.count_nonzero(W)
        for W in matrices
    )
    return float(1.0 - nonzeros / sum(math.prod(W.shape) for W in matrices))


class Views(list):
    """Arrays within a network; one that is assigned is copied into its place."""

    def __setitem__(self, number, array):
        views = self[number]
        if not isinstance(number, slice):
            views, array = [views], [array]
        for view, values in zip(views, array, strict=True):
            values = np.asarray(values)
            if values.shape != view.shape:
                raise ValueError(
                    f"These weights have the shape {view.shape}; got {values.shape}. A "
                    "network of another shape is made by fit."
                )
            view[...] = values


@dataclass
class Folded:
    """What a network predicts by where it has norms, and what that was made from."""

    params: np.ndarray
    statistics: np.ndarray
    flat: np.ndarray

    def is_of(self, network):
        """Whether nothing has changed since, be it in place by the user."""
        return np.array_equal(self.params, network.params) and np.array_equal(
            self.statistics, network.statistics.values
        )


def read_only(values):
    """Computed values whose changes would reach nothing: a copy that refuses them.

    Parameters
    ----------
    values : ndarray or sparse matrix
    """
    values = values.copy()
    if sparse.issparse(values):
        # SciPy sorts a matrix in place when it first has to, which would fail later
        values.sum_duplicates()
        values.data.flags.writeable = False
    else:
        values.flags.writeable = False
    return values


def empty_parameters(size, dtype, layer_sizes):
    """Zeros for all parameters, or an error where no memory has room for them."""
    try:
        return np.zeros(size, dtype)
    except (MemoryError, ValueError):
        raise ValueError(
            f"A network of the layer sizes {layer_sizes} has {size:.3g} parameters, "
            f"for which there is no memory ({size * dtype.itemsize:.3g} bytes). Lower "
            "hidden_layer_sizes, or use fewer features."
        ) from None


@dataclass
class Network:
    """Layer sizes, activations, loss and the parameters W_0, b_0, W_1, b_1, ..., theta.

    Attributes
    ----------
    layer_sizes : list of int
        Features, hidden layers, outputs.
    activations : list of str
        One per hidden layer.
    loss : Loss
    loss_parameter : float
    dtype : numpy.dtype
    batch_norm : {"before", "after"} or None
        Where the hidden layers are normalised.
    residual : bool or list of int
        As for the kernels' Engine: a list gives the layers that each hidden layer's
        connection reaches back.
    skip : bool
        Whether the inputs are connected to the outputs: x theta is added to these.
    inputs : ndarray of int or None
        Columns of X that it reads, where it has been pruned; None is all. The network
        itself has only these.
    scaling : InputScaling or None
        How dense X is scaled as it is read; None: not at all.
    params : ndarray of shape (n_parameters,)
        The optimizer works on this one array; `coefs` and `intercepts` are views. A
        layer's weights, its biases, then the scale and the shift of its norm; at the
        very end theta.
    statistics : Statistics or None
        What prediction normalises by.
    """

    layer_sizes: list
    activations: list
    loss: Loss
    loss_parameter: float
    dtype: np.dtype
    batch_norm: str | None = None
    residual: bool | list = False
    skip: bool = False
    inputs: np.ndarray | None = None
    scaling: InputScaling | None = None
    params: np.ndarray = field(init=False)
    statistics: object = field(default=None, init=False)
    # The engine of the last prediction, or nothing. An engine is for one thread at a
    # time: a prediction takes it out, and without one makes its own.
    _idle: list = field(default_factory=list, init=False, repr=False, compare=False)
    _folded: object = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self):
        size = self._layers_end + self.skip * self.layer_sizes[0] * self.layer_sizes[-1]
        self.params = empty_parameters(size, self.dtype, self.layer_sizes)
        if self.batch_norm is not None:
            self.statistics = batch_norm.Statistics.of(self._hidden, self.dtype)
            for scale in self.scales:
                scale[:] = 1

    def __getstate__(self):
        # buffers are no part of what is copied or written to disk
        return self.__dict__ | {"_idle": [], "_folded": None}

    def __setstate__(self, state):
        # a memory map may begin at any address
        params = np.require(state["params"], requirements="A")
        self.__dict__.update({"_idle": []} | state, params=params)

    @property
    def _hidden(self):
        return self.layer_sizes[1:-1]

    @property
    def coefs(self):
        """Views of the layers' weight matrices, each (n_in, n_out)."""
        return self.matrices()[: len(self.layer_sizes) - 1]

    @property
    def skip_coef(self):
        """A view of theta, (n_features, n_outputs); None without `skip`."""
        return self.matrices()[-1] if self.skip else None

    def matrices(self, params=None):
        """Views of all weight matrices, theta last, in `params` or an array like it."""
        params = self.params if params is None else params
        views = [
            params[bias - n_in * n_out : bias].reshape(n_in, n_out)
            for bias, n_in, n_out in self._layers()
        ]
        if self.skip:
            shape = self.layer_sizes[0], self.layer_sizes[-1]
            views.append(params[self._layers_end :].reshape(shape))
        return views

    @property
    def intercepts(self):
        """Views of the bias vectors, each (n_out,)."""
        return [self.params[bias : bias + n_out] for bias, _, n_out in self._layers()]

    @property
    def scales(self):
        """Views of the norms' scales, one per hidden layer, each (n_out,)."""
        return self._of_norms(1)

    @property
    def shifts(self):
        """Views of the norms' shifts."""
        return self._of_norms(2)

    def _of_norms(self, k):
        if self.batch_norm is None:
            return []
        return [
            self.params[bias + k * n_out : bias + (k + 1) * n_out]
            for bias, _, n_out in list(self._layers())[:-1]
        ]

    def _layers(self):
        """(Beginning of the biases, n_in, n_out) of each layer."""
        start = 0
        for l, (n_in, n_out) in enumerate(pairwise(self.layer_sizes)):
            normalised = self.batch_norm is not None and l < len(self._hidden)
            yield start + n_in * n_out, n_in, n_out
            start += n_in * n_out + (3 if normalised else 1) * n_out

    @property
    def _layers_end(self):
        """Where theta begins, if there is one."""
        *_, (bias, _, n_out) = self._layers()
        return bias + n_out

    def per_parameter(self, strengths):
        """One strength per weight matrix as one per parameter, 0 for what is none."""
        spread = np.zeros(self.params.size)
        for strength, W in zip(strengths, self.matrices(spread), strict=True):
            W[:] = strength
        return spread

    def folded(self):
        """Weights and biases of a network without norms that predicts the same.

        Theta stays as it is.
        """
        if self.batch_norm is None:
            return self.coefs, self.intercepts
        return batch_norm.folded(
            self.batch_norm,
            self.coefs,
            self.intercepts,
            self.scales,
            self.shifts,
            self.statistics.by_layer(self._hidden),
        )

    @property
    def prediction_params(self):
        """The parameters of `engine()`, which knows no norms: flat, not to be changed.

        With norms they are folded once, and again when they are no longer the same.
        """
        if self.batch_norm is None:
            return self.params
        # another thread may replace it
        folded = self._folded
        if folded is None or not folded.is_of(self):
            parts = zip(*self.folded(), strict=True)
            flat = [array.ravel() for pair in parts for array in pair]
            if self.skip:
                flat.append(self.skip_coef.ravel())
            # what is beyond the dtype is infinite, and looked for after a training
            with np.errstate(over="ignore"):
                flat = np.concatenate(flat).astype(self.dtype)
            folded = Folded(self.params.copy(), self.statistics.values.copy(), flat)
            self._folded = folded
        return folded.flat

    def changed(self):
        """Free what was made from the parameters before they changed."""
        self._folded = None

    def weights(self):
        """Copies of the parameters and the statistics, for `set_weights`."""
        if self.statistics is None:
            return self.params.copy(), None, None
        statistics = self.statistics
        return self.params.copy(), statistics.values.copy(), statistics.gathered

    def set_weights(self, weights):
        """Go back to what `weights` gave, in place."""
        params, values, gathered = weights
        self.params[:] = params
        if self.statistics is not None:
            self.statistics.values[:] = values
            self.statistics.gathered = gathered
        self.changed()

    def initialise(self, random_state, output_bias, constant=None):
        """Random weights as each layer's activation asks; biases of the output given.

        Without a hidden layer the weights start at zero: the problem is convex and has
        no symmetry to break. So does theta: the network begins as it would without the
        connection, with predictions of the same size.

        The weights of an output that is to be constant, by a mask, start at zero, too:
        nothing is to be learnt, and the best constant is exact.
        """
        if self.activations:
            bounds = [ACTIVATIONS[name].bound for name in self.activations] + [glorot]
            for bound, W, b in zip(bounds, self.coefs, self.intercepts, strict=True):
                limit = bound(*W.shape)
                W[:] = random_state.uniform(-limit, limit, W.shape)
                b[:] = random_state.uniform(-limit, limit, b.shape)
            if self.batch_norm == "before":
                # the norm would take them away again
                for b in self.intercepts[:-1]:
                    b[:] = 0
        if constant is not None:
            self.coefs[-1][:, constant] = 0
        self.intercepts[-1][:] = output_bias

    def engine(
        self,
        settings=None,
        *,
        capacity=engine.CHUNK_ROWS,
        training=True,
        threads=1,
    ):
        """The compiled loops for this shape, with buffers for `capacity` rows.

        Parameters
        ----------
        settings : Settings or None
            How training is regularized; None for losses and predictions without. Such
            an engine takes `prediction_params`.
        """
        regularizers = {}
        if settings is not None:
            regularizers = {
                "dropout": settings.dropout,
                "input_dropout": settings.input_dropout,
                "batch_norm": NORM_POSITIONS[self.batch_norm],
                "norm_epsilon": batch_norm.EPSILON,
                "label_smoothing": settings.label_smoothing,
                "max_grad_norm": settings.max_grad_norm,
                "attack": settings.attack,
                "groups": settings.feature_groups,
                "augmentation": kernel_table(settings.augmentation),
            }
        return engine.Engine(
            self.layer_sizes,
            [ACTIVATIONS[name].kernel for name in self.activations],
            self.loss.kernel,
            self.loss_parameter,
            self.dtype,
            capacity=capacity,
            training=training,
            threads=threads,
            residual=residual_reaches(self.residual, self.layer_sizes),
            skip=self.skip,
            scaling=self.scaling and (self.scaling.centre, self.scaling.factor),
            **regularizers,
        )

    def operations(self, rows, *, training):
        """Floating-point operations for so many rows: about, and of products alone."""
        return (6 if training else 2) * self.params.size * rows

    def data(self, X, targets=None, weights=None, subset=None):
        """X (dense or CSR, of this network's dtype) as the kernels read it."""
        if self.scaling is not None and sparse.issparse(X):
            raise ValueError(
                "This network scales dense X as it reads it (preprocessing='robust'), "
                "which would leave no zeros in sparse X. Pass X.toarray(), or train "
                "with preprocessing=None."
            )
        return engine.Data(X, targets, weights, self.layer_sizes[-1], subset)

    def empty_outputs(self, n):
        """Room for the outputs of n rows, (n, n_outputs)."""
        return np.empty((n, self.layer_sizes[-1]), self.dtype)

    def predict(self, X, *, raw=False, out=None, subset=None):
        """Predictions, or raw outputs before the inverse link: (n, n_outputs).

        Of all rows, or of those in `subset`, an array of intp. May run in several
        threads at once.
        """
        data = self.data(X, subset=subset)
        if out is None:
            out = self.empty_outputs(len(data))
        # popping and assigning are atomic, asking for the length first would not be
        threads = cores.wanted(self.operations(len(data), training=False))
        try:
            loops = self._idle.pop()
        except IndexError:
            loops = None
        if loops is None or loops.threads < threads:
            loops = self.engine(training=False, threads=threads)
        with cores.borrowed(threads) as granted:
            loops.predict(self.prediction_params, data, out, raw=raw, threads=granted)
        self._idle[:] = [loops]
        return out

    def zero_share(self):
        """Share of the weights (biases apart) that are exactly zero."""
        return zero_share(self.matrices())

    def dense(self):
        """Return the network itself; a `SparseNetwork` has to make one."""
        return self
