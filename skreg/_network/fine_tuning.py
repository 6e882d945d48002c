"""Fine-tuning: which parameters of a fitted network are trained on, and from where.

The way of a `fine_tune`: `begin` makes the network that training starts from, with
norms folded, adapters put in and outputs added, and a `FineTuning`, which says what of
it is trained. Training itself is that of ``_training/``. An `Adaptation` (in
``skreg/fine_tuning.py``) holds what has changed; `begin` makes the same start from the
same base again, so that nothing else needs to be kept.
"""

import hashlib
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from skreg._network.network import Network
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.data import writeable
from skreg._problem.input_scaling import preprocessing_of
from skreg._problem.losses import MULTINOMIAL_LOG_LOSS, loss_name
from skreg._problem.regularizers import (
    BY_MATRIX,
    LORA,
    penalty_of,
    refuse,
    terms_of_matrix,
)

METHODS = ("head", "bias", "lora", "adapter", "full")

# What the network is made of, and how its outputs are to be read.
OF_THE_BASE = (
    "n_members",
    "hidden_layer_sizes",
    "activation",
    "batch_norm",
    "residual",
    "skip",
    "dtype",
    "loss",
    "quantile",
    "huber_delta",
    "standardize_target",
)

# The share of a new class is kept off 0 and 1, as in _problem/losses.py.
SHARE_EPSILON = 1e-6


@dataclass(frozen=True)
class Options:
    """What `fine_tune` is asked for.

    Attributes
    ----------
    method : str
        One of METHODS.
    rank : int
        Of low-rank changes.
    scale : float
        Their factor s.
    width : int
        Of adapters.
    l2_sp : float
        Strength of the pull towards the start.
    """

    method: str
    rank: int
    scale: float
    width: int
    l2_sp: float


def read_options(method, rank, scale, width, l2_sp):
    """The options, checked.

    Raises
    ------
    ValueError
        Names the parameter, the rule and the value.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}; got {method!r}.")
    for name, value in [("rank", rank), ("width", width)]:
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number >= 1; got {value!r}.")
    if scale is None:
        scale = rank
    for name, value, valid, rule in [
        ("scale", scale, lambda v: 0 < v < np.inf, "> 0, or None for the rank"),
        ("l2_sp", l2_sp, lambda v: 0 <= v < np.inf, ">= 0"),
    ]:
        if not isinstance(value, Real) or not valid(value):
            raise ValueError(f"{name} must be a finite number {rule}; got {value!r}.")
    return Options(method, int(rank), float(scale) / rank, int(width), float(l2_sp))


def refuse_of_the_base(estimator, params):
    """Refuse parameters that a fitted network already has."""
    fixed = [name for name in OF_THE_BASE if name in params]
    changed = [n for n in fixed if not same(params[n], getattr(estimator, n, None))]
    if changed:
        name = changed[0]
        raise ValueError(
            f"fine_tune cannot change {name}: the network has been fitted with "
            f"{name}={getattr(estimator, name, None)!r}, and {params[name]!r} was "
            f"passed. Leave {name} out, or fit a new estimator."
        )


def same(a, b):
    """Whether two values of a parameter, which may be arrays, are equal."""
    return type(a) is type(b) and np.array_equal(a, b)


def check_method(estimator, settings, method):
    """Refuse what the method cannot be combined with."""
    if method == "adapter" and not settings.hidden_layer_sizes:
        raise ValueError(
            "method='adapter' puts layers behind hidden layers, but "
            "hidden_layer_sizes=() has none. Use method='full', which trains as few "
            "parameters here."
        )
    if method != "lora":
        return
    if estimator.solver == "lbfgs":
        raise ValueError(
            "method='lora' does not support solver='lbfgs': low-rank factors are "
            "trained by the steps of a stochastic solver. Pass solver='adam' or 'sgd', "
            "or use another method."
        )
    refuse(
        LORA,
        estimator,
        settings,
        lambda given, reason, remedy: (
            f"method='lora' does not support {given}: {reason}. {remedy}, or use "
            "another method."
        ),
    )


# ------------------------------------------------------------------------ new classes


@dataclass(frozen=True)
class NewOutputs:
    """Outputs for classes that the base does not know.

    Attributes
    ----------
    places : ndarray of int
        Where the old classes stand among all.
    bias : ndarray of shape (n_classes,)
        Biases of the new outputs; at the places of the old, nothing of use.
    """

    places: np.ndarray
    bias: np.ndarray

    def widen(self, W):
        """Weights (n_in, n_old) of the outputs, with columns of zeros for the new.

        One output z for two classes, p_1 = 1 / (1 + exp(-z)), becomes the logits
        -z/2 and z/2: exp(z/2) / (exp(-z/2) + exp(z/2)) is the same p_1.
        """
        if W.shape[1] == 1:
            W = np.hstack([-W / 2, W / 2])
        wide = np.zeros((W.shape[0], len(self.bias)), W.dtype)
        wide[:, self.places] = W
        return wide

    def widen_bias(self, b):
        """Biases of the outputs, likewise, with those of the new classes."""
        if len(b) == 1:
            b = np.concatenate([-b / 2, b / 2])
        bias = self.bias.astype(b.dtype)
        bias[self.places] = b
        return bias


def new_outputs(network, X, codes, weights, places, n_classes):
    """Biases with which the new classes start at their shares of the rows.

    The log odds of a new class k against all old ones are b_k - log sum_j exp(z_j(x)).
    They have the mean log(share of k / share of the old) over the rows for

        b_k = log(share of k / share of the old) + mean_i log sum_j exp(z_j(x_i)).

    Parameters
    ----------
    network : Network
        The base's.
    X : ndarray or CSR
        Training rows.
    codes : ndarray of int
        Their classes, among all.
    weights : ndarray or None
    places : ndarray of int
        Of the old classes.
    n_classes : int
    """
    raw = network.predict(X, raw=True).astype(np.float64)
    if raw.shape[1] == 1:
        raw = np.hstack([-raw / 2, raw / 2])
    level = np.average(logsumexp(raw, axis=1), weights=weights)
    counts = np.bincount(codes, weights=weights, minlength=n_classes)
    shares = counts / counts.sum()
    old = np.clip(shares[places].sum(), SHARE_EPSILON, 1)
    return NewOutputs(
        places, np.log(np.clip(shares, SHARE_EPSILON, 1)) - np.log(old) + level
    )


def union_of_classes(known, y):
    """The classes known and those of y, sorted.

    Raises
    ------
    ValueError
        If one are numbers and the other are not.
    """
    found = np.unique(y)
    if is_numeric(known) != is_numeric(found):
        raise ValueError(
            f"y has classes {found!r}, which cannot be sorted among the classes known, "
            f"{known!r}. Give both as numbers, or both as texts."
        )
    return np.union1d(known, found)


def is_numeric(labels):
    """Whether labels are numbers or booleans; in an array of objects too."""
    return all(isinstance(label, Real) for label in labels.tolist())


# -------------------------------------------------------------------------- the start


def reaches(network):
    """How many layers back the connection of each hidden layer reaches; 0: none."""
    if not isinstance(network.residual, bool):
        return list(network.residual)
    hidden = pairwise(network.layer_sizes[:-1])
    return [
        int(network.residual and l > 0 and n_in == n_out)
        for l, (n_in, n_out) in enumerate(hidden)
    ]


class LayerParts(NamedTuple):
    """A layer on its way from the base to the network that is trained."""

    W: np.ndarray
    b: np.ndarray
    activation: str | None
    reach: int
    origin: int
    is_new: bool = False


def start_network(base, origins, width, key, new):
    """The network that training begins with.

    Parameters
    ----------
    base : Network
    origins : list of int
        For each of its layers the layer of the estimator's parameters that it belongs
        to.
    width : int or None
        Of adapters behind the hidden layers, or None for no adapters.
    key : tuple of int
        Of the adapters' random weights.
    new : NewOutputs or None

    Returns
    -------
    network : Network
        With arrays of its own.
    origins : list of int
        Of its layers.
    are_new : list of bool
        Which of them are adapters' that the base does not have.
    """
    coefs, intercepts = (list(arrays) for arrays in base.folded())
    loss, theta = base.loss, base.skip_coef
    if new is not None:
        coefs[-1], intercepts[-1] = new.widen(coefs[-1]), new.widen_bias(intercepts[-1])
        theta = new.widen(theta) if base.skip else None
        loss = MULTINOMIAL_LOG_LOSS
    activations, reach = [*base.activations, None], [*reaches(base), 0]
    layers = [
        LayerParts(*parts)
        for parts in zip(coefs, intercepts, activations, reach, origins, strict=True)
    ]
    has_adapters = not isinstance(base.residual, bool)
    if width is not None:
        layers = with_adapters(layers, width, np.random.RandomState(key))
        has_adapters = True
    network = Network(
        [base.layer_sizes[0], *(layer.W.shape[1] for layer in layers)],
        [layer.activation for layer in layers[:-1]],
        loss,
        base.loss_parameter,
        base.dtype,
        residual=(
            [layer.reach for layer in layers[:-1]] if has_adapters else base.residual
        ),
        skip=base.skip,
        scaling=base.scaling,
    )
    if base.skip:
        network.skip_coef[:] = theta
    for W, b, layer in zip(network.coefs, network.intercepts, layers, strict=True):
        W[:], b[:] = layer.W, layer.b
    return (
        network,
        [layer.origin for layer in layers],
        [layer.is_new for layer in layers],
    )


def with_adapters(layers, width, random_state):
    """Put h + act(h D + d) U + u behind each hidden layer h; U and u are 0.

    Parameters
    ----------
    layers : list of LayerParts
    width : int
        Columns of D.
    random_state : RandomState
        Draws D as a layer of this activation starts.

    Returns
    -------
    layers : list of LayerParts
        D and U have the origin of the layer they follow.
    """
    result = []
    activations = {}
    for layer, following in pairwise([*layers, None]):
        result.append(layer)
        # adapters that are there have the activation of the layer that they follow
        activation = activations.setdefault(layer.origin, layer.activation)
        # and go before another
        if following is None or following.origin == layer.origin:
            continue
        n = layer.W.shape[1]
        limit = ACTIVATIONS[activation].bound(n, width)
        try:
            D = random_state.uniform(-limit, limit, (n, width))
            U = np.zeros((width, n))
        except (MemoryError, ValueError):
            raise ValueError(
                f"width={width} of method='adapter' asks for layers of {n} x {width} "
                "weights, for which there is no memory. Lower width."
            ) from None
        down = LayerParts(D, np.zeros(width), activation, 0, layer.origin, True)
        up = LayerParts(U, np.zeros(n), "identity", 2, layer.origin, True)
        result += [down, up]
    return result


# ------------------------------------------------------------------- what is trained


@dataclass
class FineTuning:
    """What is trained of a network that has been fitted before.

    Attributes
    ----------
    options : Options
    params : dict
        The estimator's parameters that `fine_tune` has changed.
    fingerprint : str
        Of the base.
    key : tuple of int
        With which the start was made.
    new : NewOutputs or None
    origins : list of int
        For each layer the layer of the estimator's parameters that it belongs to, its
        own or that which its adapter follows.
    declared : dict
        What these parameters say of the network, which must not change.
    coefs, intercepts : list of bool
        Which weight matrices, that of `skip` last, and which biases are trained as
        they are.
    start : ndarray of shape (n_parameters,) or None
        What training pulls towards: the network's parameters before it.
    low_rank : LowRank or None
        The matrices whose change has factors.
    """

    options: Options
    params: dict
    fingerprint: str
    key: tuple
    new: NewOutputs | None
    origins: list
    declared: dict
    coefs: list
    intercepts: list
    start: np.ndarray | None = None
    low_rank: object = None

    def settings(self, settings, network):
        """The settings of the estimator for the layers that its network has.

        Raises
        ------
        ValueError
            If they are of another network, or do not go with what is trained.
        """
        refuse_other_network(self.declared, declared(settings))
        self.check_groups(settings)
        hidden = self.origins[:-1]
        first = [l == 0 or hidden[l - 1] != origin for l, origin in enumerate(hidden)]
        return replace(
            settings,
            hidden_layer_sizes=network.layer_sizes[1:-1],
            activations=network.activations,
            batch_norm=None,
            residual=network.residual,
            **{
                name: self.by_matrix(getattr(settings, name), settings.skip)
                for name in (*BY_MATRIX, "max_norm")
            },
            # adapters have none
            dropout=[
                settings.dropout[origin] if is_first else 0.0
                for origin, is_first in zip(hidden, first, strict=True)
            ],
        )

    @property
    def outgoing(self):
        """Whether the first matrix is trained and, of a network with it, theta."""
        return [self.coefs[0], *self.coefs[len(self.origins) :]]

    def check_groups(self, settings):
        """Refuse to shrink features by one of their two matrices alone."""
        if all(self.outgoing) or not any(self.outgoing):
            return
        for name, used, is_off in [
            ("group_l1", settings.group_l1, settings.group_l1 == 0),
            ("hierarchy", settings.hierarchy, settings.hierarchy in (None, np.inf)),
        ]:
            if not is_off:
                raise ValueError(
                    f"{name}={used!r} holds for a feature's weights in coefs_[0] and "
                    f"in skip_coef_ together, and method={self.options.method!r} "
                    "trains the latter only. Pass group_l1=0 and hierarchy=None, or "
                    "use method='full'."
                )

    def by_matrix(self, strengths, skip):
        """The estimator's strengths for the matrices of its network."""
        of_skip = [strengths[-1]] if skip else []
        return [strengths[origin] for origin in self.origins] + of_skip

    def ready_for(self, optimizer):
        """Before training: the pull, and moments of the factors."""
        optimizer.anchor = self.start
        if self.low_rank is not None:
            self.low_rank.ready_for(optimizer)

    def trained_with(self, network):
        """After training: weights that are the same bits wherever they are made."""
        if self.low_rank is not None:
            self.low_rank.merge(network)

    def of_segments(self):
        """What `Engine.segments` needs to know of it."""
        return {
            "trained": (self.coefs, self.intercepts),
            "anchor": [self.options.l2_sp] * len(self.coefs),
        }

    def mask(self, network):
        """Which parameters are trained as they are, (n_parameters,)."""
        marked = copy(network)
        marked.params = np.zeros(network.params.size, dtype=bool)
        for views, trained in [
            (marked.matrices(), self.coefs),
            (marked.intercepts, self.intercepts),
        ]:
            for view, is_trained in zip(views, trained, strict=True):
                view[:] = is_trained
        return marked.params

    def n_trained(self, network):
        """Number of parameters that are trained."""
        whole = int(self.mask(network).sum())
        return whole + (0 if self.low_rank is None else self.low_rank.factors.size)

    def penalty(self, network, settings):
        """The penalties of what is trained, and the pull towards the start."""
        whole = np.array(self.coefs)
        of_whole = replace(
            settings,
            **{name: getattr(settings, name) * whole for name in BY_MATRIX},
            group_l1=settings.group_l1 if all(self.outgoing) else 0.0,
        )
        total = penalty_of(of_whole, network)
        if self.low_rank is not None:
            total += self.low_rank.penalty(settings)
        if self.start is not None:
            # what is frozen has not moved
            moved = network.params.astype(np.float64) - self.start
            total += self.options.l2_sp / 2 * float(np.square(moved).sum())
        return total


def declared(settings):
    """What the parameters of an estimator say of its network."""
    return {
        "hidden_layer_sizes": settings.hidden_layer_sizes,
        "activation": settings.activations,
        "batch_norm": settings.batch_norm,
        "residual": settings.residual,
        "skip": settings.skip,
        "preprocessing": settings.preprocessing,
    }


def declared_of(network):
    """The same of a network that is what the parameters say."""
    return {
        "hidden_layer_sizes": network.layer_sizes[1:-1],
        "activation": network.activations,
        "batch_norm": network.batch_norm,
        "residual": network.residual,
        "skip": network.skip,
        "preprocessing": preprocessing_of(network),
    }


def refuse_other_network(before, now):
    """Training goes on with the network that there is."""
    for name, value in now.items():
        # what an older version has made does not have all of them
        if value != before.get(name, value):
            raise ValueError(
                f"Training cannot go on with another {name}: {before[name]!r} before, "
                f"{value!r} now. Set warm_start=False and call fit, or clone the "
                "estimator."
            )


def begin(base, options, params, settings, key, new):
    """The network to be trained, and what of it is.

    Parameters
    ----------
    base : estimator
        Fitted.
    options : Options
    params : dict
        Those that the adapted estimator has instead of the base's.
    settings : Settings
        Of the adapted estimator.
    key : tuple of int
        Of random numbers.
    new : NewOutputs or None

    Returns
    -------
    network : Network
    fine_tuning : FineTuning
    """
    before = base._fine_tuning
    origins = list(range(len(base._network.layer_sizes) - 1))
    if before is not None:
        origins = before.origins
    network, origins, are_new = start_network(
        base._network,
        origins,
        options.width if options.method == "adapter" else None,
        key,
        new,
    )
    n_layers = len(origins)
    last = [l == n_layers - 1 for l in range(n_layers)]
    everywhere, nowhere = [True] * n_layers, [False] * n_layers
    # theta is part of the head; biases and adapters alone leave it as it is
    theta = options.method in ("head", "lora", "full") or new is not None
    low_rank = None
    if options.method == "head":
        coefs = intercepts = last
    elif options.method == "bias":
        coefs, intercepts = nowhere, everywhere
    elif options.method == "full":
        coefs = intercepts = everywhere
    elif options.method == "adapter":
        coefs = intercepts = either(are_new, last)
    else:
        coefs, intercepts = narrow(network, options.rank), last
    if new is not None:
        # old and new classes are balanced against each other
        coefs, intercepts = either(coefs, last), either(intercepts, last)
    if options.method == "lora" and not all(coefs):
        random_state = np.random.RandomState(key)
        low_rank = LowRank.of(network, coefs, options, random_state)
    if network.skip:
        coefs = [*coefs, theta]
    return network, FineTuning(
        options,
        params,
        fingerprint(base),
        key,
        new,
        origins,
        declared(settings),
        coefs,
        intercepts,
        network.params.copy() if options.l2_sp else None,
        low_rank,
    )


@dataclass
class LowRank:
    """Changes of low rank: W_l = W0_l + s A_l B_l; read by the kernels.

    Attributes
    ----------
    shapes : list of (int, int)
        (n_in, n_out) of each layer's W_l.
    ranks : list of int
        Columns of each A_l, rows of each B_l; 0 where W_l is no such sum.
    scales : list of float
        s.
    base : ndarray of shape (n_parameters,)
        The network's parameters before training, with W0.
    factors : ndarray
        A_l, B_l of one layer after the other; training changes them.
    first, second : ndarray or None
        What the optimizer keeps of them, as in `Optimizer`.
    """

    shapes: list
    ranks: list
    scales: list
    base: np.ndarray
    factors: np.ndarray
    first: np.ndarray | None = None
    second: np.ndarray | None = None

    @classmethod
    def of(cls, network, whole, options, random_state):
        """For the matrices of all layers but those trained as a whole.

        A is uniform in +-1 / sqrt(n_in), as in the code of Hu et al.; B is zero.
        """
        shapes = [W.shape for W in network.coefs]
        ranks = [0 if is_whole else options.rank for is_whole in whole]
        size = sum(
            r * (n_in + n_out) for r, (n_in, n_out) in zip(ranks, shapes, strict=True)
        )
        low_rank = cls(
            shapes,
            ranks,
            [options.scale] * len(ranks),
            network.params.copy(),
            np.zeros(size, network.dtype),
        )
        for A, _ in low_rank.by_layer().values():
            limit = len(A) ** -0.5
            A[:] = random_state.uniform(-limit, limit, A.shape)
        return low_rank

    def by_layer(self):
        """Views (A, B) by layer."""
        views, start = {}, 0
        for l, (rank, (n_in, n_out)) in enumerate(
            zip(self.ranks, self.shapes, strict=True)
        ):
            if rank:
                middle, end = start + n_in * rank, start + (n_in + n_out) * rank
                A = self.factors[start:middle].reshape(n_in, rank)
                B = self.factors[middle:end].reshape(rank, n_out)
                views[l] = A, B
                start = end
        return views

    def ready_for(self, optimizer):
        """Make arrays that training can write to; moments anew with the optimizer's."""
        self.factors = writeable(self.factors)
        self.first, self.second = writeable(self.first), writeable(self.second)
        if optimizer.step == 0:
            self.first = np.zeros_like(self.factors)
            self.second = np.zeros_like(self.factors) if optimizer.adam else None

    def merge(self, network):
        """Set the network's matrices to those of the base plus the products.

        The sums run in a fixed order and in double precision, with no product of
        matrices whose rounding would depend on the machine: whoever has the base and
        the factors has the same bits.
        """
        before = copy(network)
        before.params = self.base
        for l, (A, B) in self.by_layer().items():
            change = np.zeros(self.shapes[l])
            for a, b in zip(A.T, B, strict=True):
                change += np.multiply.outer(a.astype(np.float64), b)
            network.coefs[l][:] = before.coefs[l] + self.scales[l] * change
        network.changed()

    def penalty(self, settings):
        """Of the factors, with the strengths of their matrices."""
        return sum(
            sum(terms_of_matrix(settings, l, factor.astype(np.float64)))
            for l, factors in self.by_layer().items()
            for factor in factors
        )


def narrow(network, rank):
    """Which matrices have fewer numbers than two factors of a rank would."""
    return [W.size <= rank * (W.shape[0] + W.shape[1]) for W in network.coefs]


def either(a, b):
    """True where one of the two is."""
    return [x or y for x, y in zip(a, b, strict=True)]


# ------------------------------------------------------------------ knowing the base


def fingerprint(estimator):
    """A digest of all that decides what a fitted estimator predicts."""
    network = estimator._network
    digest = hashlib.sha256()
    shape = (
        type(estimator).__name__,
        network.layer_sizes,
        network.activations,
        network.batch_norm,
        reaches(network),
        network.skip,
        loss_name(network.loss),
        network.loss_parameter,
        network.dtype.str,
        estimator._reading_of_outputs(),
    )
    digest.update(repr(shape).encode())
    digest.update(network.params.tobytes())
    if network.scaling is not None:
        digest.update(network.scaling.centre.tobytes())
        digest.update(network.scaling.factor.tobytes())
    if network.statistics is not None:
        digest.update(network.statistics.values.tobytes())
    return digest.hexdigest()
