"""What the compiled core computes, in plain NumPy: the oracle of the tests.

Written to be read and to be right, not to be fast: float64, whole matrices, one
formula per line. Parameters stand in one flat vector W_0, b_0, W_1, b_1, ..., theta,
as in the kernels; penalties are given per parameter, zero for biases.
"""

from copy import copy
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logsumexp, ndtr, softmax

# ------------------------------------------------------------------- random numbers

WORD = 0xFFFFFFFF
STREAM_DROPOUT = 0
STREAM_SHUFFLE = 1


def philox4x32(counter, key):
    """Philox4x32-10 (Salmon et al. 2011, section 3.3).

    counter: four words, each a number or an array; key: two words. Returns the four
    words of the result, shape (4, ...).
    """
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.uint64(word) for word in counter))
    k0, k1 = key
    low, half = np.uint64(WORD), np.uint64(32)
    for _ in range(10):
        product_0 = np.uint64(0xD2511F53) * c0
        product_1 = np.uint64(0xCD9E8D57) * c2
        c0 = (product_1 >> half) ^ c1 ^ np.uint64(k0)
        c1 = product_1 & low
        c2 = (product_0 >> half) ^ c3 ^ np.uint64(k1)
        c3 = product_0 & low
        k0 = (k0 + 0x9E3779B9) & WORD
        k1 = (k1 + 0xBB67AE85) & WORD
    return np.array([c0, c1, c2, c3])


def random_words(n, *, key, stream, step, layer=0):
    """The first n words of a stream.

    They come in groups of 16 blocks of four: word w of block b of a group stands at
    position 16 w + 2 (b % 8) + b // 8.
    """
    groups = -(-n // 64)
    blocks = np.arange(16 * groups, dtype=np.uint64)
    counter = (
        blocks & np.uint64(WORD),
        (blocks >> np.uint64(32)) << np.uint64(16) | np.uint64(layer),
        step & WORD,
        (step >> 32) << 8 | stream,
    )
    words = philox4x32(counter, key).reshape(4, groups, 2, 8)
    return words.transpose(1, 0, 3, 2).ravel()[:n]


def dropout_mask(shape, rate, *, key, layer, step):
    """0 with probability rate, else the scale that keeps the expectation.

    An element has 8 bits, if they can express the rate, or else 16; words are cut from
    their low end.
    """
    bits = 8 if float(rate * 256).is_integer() else 16
    n = shape[0] * shape[1]
    per_word = 32 // bits
    words = random_words(
        -(-n // per_word), key=key, stream=STREAM_DROPOUT, step=step, layer=layer
    )
    shifts = np.arange(per_word, dtype=np.uint64) * np.uint64(bits)
    numbers = (words[:, None] >> shifts & np.uint64(2**bits - 1)).ravel()[:n]
    threshold = min(int(rate * 2**bits + 0.5), 2**bits - 1)
    scale = 2**bits / (2**bits - threshold)
    return np.where(numbers < threshold, 0.0, scale).reshape(shape)


def shuffled(n, key, epoch):
    """Fisher and Yates: for i = n-1, ..., 1 swap i with a random index up to i."""
    words = random_words(2 * n, key=key, stream=STREAM_SHUFFLE, step=epoch)
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        number = int(words[2 * i]) << 32 | int(words[2 * i + 1])
        j = number * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return np.array(order)


# ---------------------------------------------------------------------- activations

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def normal_density(z):
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def elu(z):
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def elu_slope(z):
    return np.where(z > 0, 1.0, np.exp(np.minimum(z, 0)))


def selu(z):
    return SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * elu(z))


def selu_slope(z):
    return SELU_SCALE * np.where(z > 0, 1.0, SELU_ALPHA * elu_slope(z))


def silu_slope(z):
    return expit(z) * (1 + z * expit(-z))


def mish(z):
    return z * np.tanh(np.logaddexp(0, z))


def mish_slope(z):
    t = np.tanh(np.logaddexp(0, z))
    return t + z * (1 - t**2) * expit(z)


# name: (value, slope)
ACTIVATIONS = {
    "identity": (lambda z: z, np.ones_like),
    "logistic": (expit, lambda z: expit(z) * expit(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (
        lambda z: np.maximum(z, z / 100),
        lambda z: np.where(z > 0, 1.0, 0.01),
    ),
    "elu": (elu, elu_slope),
    "selu": (selu, selu_slope),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * normal_density(z)),
    "silu": (lambda z: z * expit(z), silu_slope),
    "mish": (mish, mish_slope),
}

# Activations whose slope jumps at zero.
KINKED_ACTIVATIONS = {"relu", "leaky_relu", "selu"}

# --------------------------------------------------------------------------- losses
# Of raw outputs f and targets y, both (rows, n_outputs), with the loss's parameter.


def huber_value(f, y, c):
    r = np.abs(f - y)
    return np.where(r <= c, r**2 / 2, c * (r - c / 2))


def quantile_value(f, y, q):
    return np.maximum(q * (y - f), (q - 1) * (y - f))


def quantile_delta(f, y, q):
    return np.where(y < f, 1 - q, np.where(y > f, -q, 0.0))


def multinomial_value(f, y, _):
    return logsumexp(f, axis=1, keepdims=True) - (y * f).sum(axis=1, keepdims=True)


# name: (values, summed over the columns; their derivative by f; inverse link)
LOSSES = {
    "squared_error": (
        lambda f, y, _: (f - y) ** 2 / 2,
        lambda f, y, _: f - y,
        lambda f: f,
    ),
    "absolute_error": (
        lambda f, y, _: np.abs(f - y),
        lambda f, y, _: np.sign(f - y),
        lambda f: f,
    ),
    "huber": (huber_value, lambda f, y, c: np.clip(f - y, -c, c), lambda f: f),
    "quantile": (quantile_value, quantile_delta, lambda f: f),
    "poisson": (
        lambda f, y, _: np.exp(f) - y * f,
        lambda f, y, _: np.exp(f) - y,
        np.exp,
    ),
    "gamma": (
        lambda f, y, _: f + y * np.exp(-f),
        lambda f, y, _: 1 - y * np.exp(-f),
        np.exp,
    ),
    "binary_log_loss": (
        lambda f, y, _: np.logaddexp(0, f) - y * f,
        lambda f, y, _: expit(f) - y,
        expit,
    ),
    "multinomial_log_loss": (
        multinomial_value,
        lambda f, y, _: softmax(f, axis=1) - y,
        lambda f: softmax(f, axis=1),
    ),
}

# Losses whose slope jumps where f = y.
KINKED_LOSSES = {"absolute_error", "quantile"}


def loss_values(loss, parameter, f, y):
    """The loss of every row, (rows,)."""
    return LOSSES[loss][0](f, y, parameter).sum(axis=1)


def loss_deltas(loss, parameter, f, y):
    """dloss/df, (rows, n_outputs)."""
    return LOSSES[loss][1](f, y, parameter)


# ------------------------------------------------------------------------- networks


NORM_EPSILON = 1e-5


@dataclass
class Network:
    """Names and numbers of a network; `dropout` has one rate per hidden layer.

    batch_norm is None, "before" or "after" the activation. residual is a bool, or how
    many layers back the connection of every hidden layer reaches, 0 for none.
    """

    layer_sizes: list
    activations: list
    loss: str
    parameter: float = 0.0
    dropout: list = field(default_factory=list)
    input_dropout: float = 0.0
    batch_norm: str | None = None
    residual: bool | list = False
    skip: bool = False
    label_smoothing: float = 0.0

    @property
    def n_parameters(self):
        theta = self.layer_sizes[0] * self.layer_sizes[-1]
        return self._starts()[-1] + self.skip * theta

    def _starts(self):
        """Where the parameters of each layer begin, and where the last ends."""
        starts = [0]
        for l, (n_in, n_out) in enumerate(pairwise(self.layer_sizes)):
            vectors = 3 if self.batch_norm and l < len(self.activations) else 1
            starts.append(starts[-1] + (n_in + vectors) * n_out)
        return starts

    def layers(self, params):
        """Views (W, b) of a flat vector."""
        views = []
        for start, (n_in, n_out) in zip(
            self._starts(), pairwise(self.layer_sizes), strict=False
        ):
            bias = start + n_in * n_out
            W = params[start:bias].reshape(n_in, n_out)
            views.append((W, params[bias : bias + n_out]))
        return views

    def theta(self, params):
        """A view of the weights from the inputs to the outputs, at the end."""
        shape = self.layer_sizes[0], self.layer_sizes[-1]
        return params[self._starts()[-1] :].reshape(shape)

    def matrices(self, params):
        """Views of all weight matrices, theta last."""
        theta = [self.theta(params)] if self.skip else []
        return [W for W, _ in self.layers(params)] + theta

    def norms(self, params):
        """Views (scale, shift) of a flat vector, of every hidden layer."""
        if not self.batch_norm:
            return []
        views = []
        for end, n in zip(self._starts()[1:], self.layer_sizes[1:-1], strict=False):
            views.append((params[end - 2 * n : end - n], params[end - n : end]))
        return views

    def of_vectors(self, weights, biases):
        """A value per weight matrix, and one per layer's biases and norm, flat."""
        spread = np.zeros(self.n_parameters)
        for value, (start, end) in zip(biases, pairwise(self._starts()), strict=True):
            spread[start:end] = value
        for value, W in zip(weights, self.matrices(spread), strict=True):
            W[:] = value
        return spread

    def per_parameter(self, strengths):
        """Strengths per weight matrix as a flat vector, zero for what is none."""
        spread = np.zeros(self.n_parameters)
        for strength, W in zip(strengths, self.matrices(spread), strict=True):
            W[:] = strength
        return spread

    def group_strengths(self, group_l1, groups):
        """(Numbers of the parameters in W_0 and theta, group_l1 sqrt(their count)).

        groups: the features of each.
        """
        if not group_l1:
            return []
        joint = [np.concatenate(parts) for parts in self.group_parts(groups)]
        return [(group, group_l1 * np.sqrt(group.size)) for group in joint]

    def hierarchies(self, group_l1, groups, bound):
        """[((numbers in W_0, numbers in theta), strength of theta's, bound), ...]."""
        if not group_l1 and bound == np.inf:
            return []
        return [
            (parts, group_l1 * np.sqrt(parts[1].size), bound)
            for parts in self.group_parts(groups)
        ]

    def group_parts(self, groups):
        """[numbers of a group's parameters in W_0, those in theta] of each group."""
        numbers = self.matrices(np.arange(self.n_parameters))
        outgoing = [numbers[0]] + ([numbers[-1]] if self.skip else [])
        return [[rows[group].ravel() for rows in outgoing] for group in groups]

    def masks(self, rows, key, step):
        """Of the input and of every hidden layer; key None: all ones."""
        widths = self.layer_sizes[:-1]
        rates = [self.input_dropout, *(self.dropout or [0.0] * len(self.activations))]
        if key is None:
            rates = [0.0] * len(widths)
        return [
            dropout_mask((rows, width), rate, key=key, layer=layer, step=step)
            if rate
            else np.ones((rows, width))
            for layer, (width, rate) in enumerate(zip(widths, rates, strict=True))
        ]

    def reach(self, l):
        """How many layers back the residual connection of layer l reaches, or 0."""
        if l == len(self.activations):
            return 0
        if not isinstance(self.residual, bool):
            return self.residual[l]
        same_width = self.layer_sizes[l] == self.layer_sizes[l + 1]
        return int(self.residual and l > 0 and same_width)

    def forward(self, params, X, masks=None, shares=None, statistics=None):
        """Raw outputs f, and what each layer saw, for `backward`.

        x_0 = mask_0 X,  z_l = x_l W_l + b_l
        x_{l+1} = mask_{l+1} act_l(norm_l(z_l)), or mask_{l+1} norm_l(act_l(z_l)),
                  + x_{l+1-k} under a residual connection that reaches back k layers
        f = z_L, + x_0 theta with skip

        shares: of the rows in the batch's weight; statistics: [(means, variances), ...]
        to normalise by instead of the batch's own, for a batch of one row.
        """
        masks = masks or self.masks(len(X), None, 0)
        shares = np.full(len(X), 1 / len(X)) if shares is None else shares
        x, seen = masks[0] * X, []
        norms = self.norms(params)
        for l, (W, b) in enumerate(self.layers(params)):
            z = x @ W + b
            layer = {"x": x, "z": z}
            seen.append(layer)
            if l == len(self.activations):
                break
            act = ACTIVATIONS[self.activations[l]][0]
            if self.batch_norm is None:
                a = act(z)
            else:
                values = z if self.batch_norm == "before" else act(z)
                mean = shares @ values
                variance = shares @ (values - mean) ** 2
                layer["moments"] = mean, variance
                if len(X) == 1 and statistics is not None:
                    mean, variance = statistics[l]
                layer["r"] = 1 / np.sqrt(variance + NORM_EPSILON)
                layer["n"] = layer["r"] * (values - mean)
                scale, shift = norms[l]
                layer["u"] = scale * layer["n"] + shift
                a = act(layer["u"]) if self.batch_norm == "before" else layer["u"]
            k = self.reach(l)
            x = masks[l + 1] * a + (seen[l + 1 - k]["x"] if k else 0)
        return z + (seen[0]["x"] @ self.theta(params) if self.skip else 0), seen

    def predict(self, params, X):
        return LOSSES[self.loss][2](self.forward(params, X)[0])

    def smoothed(self, y):
        """Targets of which a part is spread over the classes."""
        classes = y.shape[1] if self.loss == "multinomial_log_loss" else 2
        return (1 - self.label_smoothing) * y + self.label_smoothing / classes

    def loss_and_gradient(
        self, params, X, y, weights=None, masks=None, statistics=None
    ):
        """sum_i s_i loss_i / rows and its gradient, flat.

        D_L = s_i / rows dloss/dz_L,  dW_l = x_l^T D_l,  db_l = sum_i D_l,
        G_{l-1} = D_l W_l^T [+ G that residual connections carry to there],
        D_{l-1} = G_{l-1} mask_l act'(z_{l-1}), with the norm's gradient before or after
        the slope;  dtheta = x_0^T D_L.
        """
        value, _, gradient = self.backward(params, X, y, weights, masks, statistics)
        return value, gradient

    def backward(self, params, X, y, weights, masks, statistics):
        """Loss, what the layers saw, gradient."""
        masks = masks or self.masks(len(X), None, 0)
        if self.label_smoothing:
            y = self.smoothed(y)
        share = (np.ones(len(X)) if weights is None else weights) / len(X)
        p = share / share.sum()
        f, seen = self.forward(params, X, masks, p, statistics)
        value = share @ loss_values(self.loss, self.parameter, f, y)
        D = share[:, None] * loss_deltas(self.loss, self.parameter, f, y)
        gradient = np.zeros(self.n_parameters)
        by_theta = 0
        if self.skip:
            self.theta(gradient)[:] = seen[0]["x"].T @ D
            by_theta = D @ self.theta(params).T
        layers = list(zip(self.layers(params), self.layers(gradient), strict=True))
        G, carried = None, [0] * len(layers)
        for l in reversed(range(len(layers))):
            (W, _), (dW, db) = layers[l]
            layer = seen[l]
            if self.reach(l):
                carried[l - self.reach(l)] = carried[l - self.reach(l)] + G
            if l < len(self.activations):
                slope = ACTIVATIONS[self.activations[l]][1]
                D = G * masks[l + 1]
                if self.batch_norm is None:
                    D = D * slope(layer["z"])
                else:
                    before = self.batch_norm == "before"
                    D = D * slope(layer["u"]) if before else D
                    scale, _ = self.norms(params)[l]
                    d_scale, d_shift = self.norms(gradient)[l]
                    d_scale[:] = (D * layer["n"]).sum(axis=0)
                    d_shift[:] = D.sum(axis=0)
                    q = p[:, None] if len(X) > 1 or statistics is None else 0
                    D = D - q * (d_shift + layer["n"] * d_scale)
                    D = scale * layer["r"] * D
                    D = D if before else D * slope(layer["z"])
            dW[:] = layer["x"].T @ D
            db[:] = D.sum(axis=0)
            if l < len(self.activations) and self.batch_norm == "before":
                db[:] = 0  # but for rounding
            G = D @ W.T + (carried[l - 1] if l else 0)
        self.input_gradient = G + by_theta
        return value, seen, gradient


# ------------------------------------------------------------- penalties, optimizers


def soft_threshold(w, threshold):
    """argmin_u (u - w)^2 / 2 + threshold |u|."""
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0.0)


def penalty(weights, l1, l2, group_l1=0.0, groups=(), outgoing=None):
    """sum_l l1_l ||W_l||_1 + l2_l / 2 ||W_l||_F^2, and the group lasso.

    groups: the features of each group; outgoing: their weights in it, W_0 unless given.
    """
    grouped = weights[0] if outgoing is None else outgoing
    return sum(
        a * np.abs(W).sum() + b / 2 * (W**2).sum()
        for W, a, b in zip(weights, l1, l2, strict=True)
    ) + group_l1 * sum(
        np.sqrt(grouped[group].size) * np.linalg.norm(grouped[group])
        for group in groups
    )


def group_prox(w, metric, strength):
    """argmin_u sum (u - w)^2 / (2 metric) + strength ||u||; see group_lasso.pxd."""
    a = strength * metric

    def excess(r):
        return np.sum((w / (r + a)) ** 2) - 1

    # training has diverged
    if not np.linalg.norm(w) < 1e100:
        return np.full_like(w, np.nan)
    if excess(0.0) <= 0:
        return np.zeros_like(w)
    r = brentq(excess, 0.0, np.linalg.norm(w) * (1 + 1e-12), xtol=1e-300, rtol=1e-15)
    return w * r / (r + a)


def hierarchy_prox(t, d, w, e, strength, bound):
    """argmin sum (T - t)^2 / (2 d) + sum (W - w)^2 / (2 e) + strength ||T||.

    Subject to |W| <= bound ||T||; see hierarchy.pxd. With nu, the multiplier of the
    length r of T, and shift = nu + 1 / max d > 0, both T and r are functions of shift,
    and so is the derivative by r of what is to be minimised. It falls as shift grows.
    """
    pull, b, least = t / d, 1 / d - 1 / d.max(), 1 / d.max()

    def T_at(shift):
        return np.divide(pull, shift + b, out=np.zeros_like(t), where=pull != 0)

    def slope(r, shift):
        over = np.maximum(np.abs(w) - bound * r, 0)
        return (least - shift) * r + strength - bound * np.sum(over / e)

    def slope_at(shift):
        return slope(np.linalg.norm(T_at(shift)), shift)

    if not np.linalg.norm(np.concatenate([t, w])) < 1e100:
        return np.full_like(t, np.nan), np.full_like(w, np.nan)
    if bound == np.inf:
        return group_prox(t, d, strength), w
    if strength >= np.linalg.norm(pull) + bound * np.sum(np.abs(w) / e):
        return np.zeros_like(t), np.zeros_like(w)
    if not pull[b == 0].any() and slope_at(0.0) < 0:
        # no shift makes T as long as the minimum: a weight of the largest d does
        T = T_at(0.0)
        shorter = np.linalg.norm(T)
        far = 1.01 * (shorter + np.abs(w).max() / bound)
        r = brentq(slope, shorter, far, (0.0,), xtol=1e-300, rtol=1e-15)
        T[np.argmax(d)] = np.sqrt(r**2 - T @ T)
    else:
        low = high = least
        while slope_at(high) > 0:
            high *= 2
        while slope_at(low) < 0:
            low /= 2
        T = T_at(brentq(slope_at, low, high, xtol=1e-300, rtol=1e-15))
    reach = bound * np.linalg.norm(T)
    return T, np.clip(w, -reach, reach)


def scaled_inputs(X, centre, factor):
    """3 asinh(z / 3) of z = (x - centre) factor."""
    return 3 * np.arcsinh((X - centre) * factor / 3)


@dataclass
class Strengths:
    """Of the penalties, per parameter: numbers or vectors."""

    l1: np.ndarray | float = 0.0
    l2: np.ndarray | float = 0.0
    weight_decay: np.ndarray | float = 0.0
    anchor: np.ndarray | float = 0.0
    # [(numbers of the parameters, strength), ...] of the group lasso
    groups: list = field(default_factory=list)
    # [((numbers of W_0's, numbers of theta's), strength, bound), ...] of a hierarchy
    hierarchies: list = field(default_factory=list)

    def shrink(self, w, metric):
        """The prox of all groups, in place."""
        for group, strength in self.groups:
            w[group] = group_prox(w[group], metric[group], strength)
        for (hidden, linear), strength, bound in self.hierarchies:
            w[linear], w[hidden] = hierarchy_prox(
                w[linear], metric[linear], w[hidden], metric[hidden], strength, bound
            )


def adam_step(optimizer, w, g, rate, strengths):
    """Adam (Kingma & Ba 2015), then the prox in its metric (Yun et al. 2021).

    epsilon stands beside sqrt(v) before its correction, as in scikit-learn.
    """
    t = optimizer.step + 1
    beta_1, beta_2 = optimizer.beta_1, optimizer.beta_2
    g = g + strengths.l2 * w
    optimizer.first = beta_1 * optimizer.first + (1 - beta_1) * g
    optimizer.second = beta_2 * optimizer.second + (1 - beta_2) * g**2
    mean = optimizer.first / (1 - beta_1**t)
    steepness = np.sqrt(optimizer.second) + optimizer.epsilon
    metric = rate * np.sqrt(1 - beta_2**t) / steepness
    w = w - rate * strengths.weight_decay * w - metric * mean
    w = soft_threshold(w, metric * strengths.l1)
    strengths.shrink(w, metric)
    return w


def sgd_step(optimizer, w, g, rate, strengths):
    """Proximal gradient with heavy-ball or Nesterov momentum.

    The velocity is the way from one iterate x to the next. In Nesterov's form w is
    the point x + momentum * velocity, at which the gradient was taken. Decay shifts
    iterate and point alike; an iterate that stays at zero has no velocity, and one that
    is zero under the group lasso has none either.
    """
    shift = rate * strengths.weight_decay * w
    ahead = optimizer.momentum * optimizer.first
    downhill = w - shift - rate * (g + strengths.l2 * w)
    if optimizer.nesterov:
        x = w - ahead
        new = soft_threshold(downhill, rate * strengths.l1)
        stays = (x == 0) & (new == 0)
    else:
        x = w
        new = soft_threshold(downhill + ahead, rate * strengths.l1)
        stays = np.zeros(w.shape, dtype=bool)
    strengths.shrink(new, np.full(w.shape, rate))
    for group, *_ in strengths.groups:
        stays[group] |= new[group] == 0
    for parts, *_ in strengths.hierarchies:
        for part in parts:
            stays[part] |= new[part] == 0
    optimizer.first = np.where(stays, 0.0, new - (x - shift))
    return new + optimizer.momentum * optimizer.first if optimizer.nesterov else new


def scaled_step(optimizer, w, g, rate, strengths):
    """Adam's step of V and s, of which W_0 = diag(s) V is made: the first parameters.

    g has the pull in it. V is `optimizer.unscaled`.
    """
    s, V = optimizer.scales, optimizer.unscaled
    size = V.size
    G = (g + strengths.l2 * w)[:size].reshape(V.shape)
    of_V, of_s = copy(optimizer), copy(optimizer)
    point, gradient = w.copy(), g.copy()
    point[:size], gradient[:size] = V.ravel(), (s[:, None] * G).ravel()
    l2 = np.broadcast_to(strengths.l2, w.shape).copy()
    l2[:size] = 0
    new = adam_step(of_V, point, gradient, rate, replace(strengths, l2=l2))
    optimizer.first, optimizer.second = of_V.first, of_V.second
    of_s.first, of_s.second = optimizer.scale_first, optimizer.scale_second
    optimizer.scales = adam_step(
        of_s, s, (G * V).sum(axis=1), optimizer.scale_rate * rate, Strengths()
    )
    optimizer.scale_first, optimizer.scale_second = of_s.first, of_s.second
    optimizer.unscaled = new[:size].reshape(V.shape).copy()
    new[:size] = (optimizer.scales[:, None] * optimizer.unscaled).ravel()
    return new


def optimizer_step(optimizer, w, g, rate, strengths, *, scaled=False):
    """One step; the optimizer's state is renewed, the new w returned.

    With `scaled`, W_0 is learnt as a product, see `scaled_step`.
    """
    step = adam_step if optimizer.adam else sgd_step
    if scaled:
        step = scaled_step
    if optimizer.anchor is not None:
        g = g + strengths.anchor * (w - optimizer.anchor)
    w = step(optimizer, w, g, rate, strengths)
    optimizer.step += 1
    return w


@dataclass
class LowRank:
    """W_l = W0_l + s_l A_l B_l, where rank l > 0 (Hu et al. 2021).

    factors: A_l, B_l of one layer after the other; base: W0, flat as the parameters;
    optimizer: of the factors.
    """

    ranks: list
    scales: list
    base: np.ndarray
    factors: np.ndarray
    optimizer: object = None

    def split(self, network, flat):
        """Views (l, A, B) of a vector like the factors."""
        start = 0
        for l, r in enumerate(self.ranks):
            if r:
                n, m = network.layer_sizes[l : l + 2]
                middle, end = start + n * r, start + (n + m) * r
                A, B = flat[start:middle], flat[middle:end]
                yield l, A.reshape(n, r), B.reshape(r, m)
                start = end

    def merge(self, network, params):
        """Parameters with the weights that the factors make."""
        params, base = params.copy(), network.layers(self.base)
        for l, A, B in self.split(network, self.factors):
            network.layers(params)[l][0][:] = base[l][0] + self.scales[l] * A @ B
        return params

    def gradient(self, network, gradient):
        """Of the factors, from that of the weights that they make."""
        own = np.zeros_like(self.factors)
        factors = self.split(network, self.factors)
        for (l, A, B), (_, dA, dB) in zip(
            factors, self.split(network, own), strict=True
        ):
            G = network.layers(gradient)[l][0]
            dA[:] = self.scales[l] * G @ B.T
            dB[:] = self.scales[l] * A.T @ G
        return own

    def step(self, network, gradient, rate, strengths):
        """Of the factors, under the penalties of their matrices."""

        def of_factors(strength):
            views = network.layers(np.broadcast_to(strength, network.n_parameters))
            spread = np.zeros_like(self.factors)
            for l, *pair in self.split(network, spread):
                for factor in pair:
                    factor[:] = views[l][0].flat[0]
            return spread

        self.factors = optimizer_step(
            self.optimizer,
            self.factors,
            gradient,
            rate,
            Strengths(
                of_factors(strengths.l1),
                of_factors(strengths.l2),
                of_factors(strengths.weight_decay),
            ),
        )


def project(W, bound):
    """Columns no longer than the bound (Srivastava et al. 2014)."""
    lengths = np.linalg.norm(W, axis=0)
    return W * np.minimum(1, bound / np.where(lengths > 0, lengths, 1))


@dataclass
class Statistics:
    """Running averages of batch normalization, [(means, variances), ...]."""

    values: list
    gathered: float = 0.0
    decay: float = 0.99

    def flat(self):
        """Means, then variances, layer by layer."""
        return np.concatenate([part for pair in self.values for part in pair])

    def update(self, seen, rows, batch_size):
        """A share of the batch's own; a single row has none."""
        if rows == 1:
            return
        share = 1 - self.decay ** (rows / batch_size)
        self.gathered += share * (1 - self.gathered)
        rate = share / self.gathered
        for l, (mean, variance) in enumerate(self.values):
            new_mean, new_variance = seen[l]["moments"]
            self.values[l] = (
                mean + rate * (new_mean - mean),
                variance + rate * (rows / (rows - 1) * new_variance - variance),
            )


def run_epoch(
    network,
    params,
    X,
    y,
    weights,
    *,
    optimizer,
    strengths,
    key,
    order,
    rates,
    batch_size,
    max_norm=None,
    max_grad_norm=np.inf,
    statistics=None,
    augment=None,
    trained=True,
    low_rank=None,
    scaling=None,
):
    """One pass over the rows in the given order: new parameters, mean loss.

    augment: from a batch's X, y, weights and step to others; trained: whether each
    parameter takes steps; low_rank: the weights that are made of factors; scaling:
    centres and factors of the features, or None.
    """
    total = 0.0
    if scaling is not None:
        X = scaled_inputs(X, *scaling)
    scaled = optimizer.scales is not None and np.ravel(trained)[0]
    if scaled:
        W = network.matrices(params)[0].copy()
        V = np.reshape(optimizer.unscaled, W.shape)
        # what is not their product begins anew
        same = (optimizer.scales[:, None] * V == W).all(axis=1)
        optimizer.scales = np.where(same, optimizer.scales, 1.0)
        optimizer.unscaled = np.where(same[:, None], V, W)
    for rate, start in zip(rates, range(0, len(order), batch_size), strict=True):
        rows = order[start : start + batch_size]
        batch = X[rows], y[rows], None if weights is None else weights[rows]
        if augment is not None:
            batch = augment(*batch, step=optimizer.step)
        loss, seen, gradient = network.backward(
            params,
            *batch,
            network.masks(len(rows), key, optimizer.step),
            None if statistics is None else statistics.values,
        )
        if statistics is not None:
            statistics.update(seen, len(rows), batch_size)
        total += loss * len(rows)
        of_factors = np.zeros(0)
        if low_rank is not None:
            pull = np.zeros(params.size)
            if optimizer.anchor is not None:
                pull = strengths.anchor * (params - optimizer.anchor)
            of_factors = low_rank.gradient(network, gradient + pull)
        gradient = np.where(trained, gradient, 0)
        length = np.hypot(np.linalg.norm(gradient), np.linalg.norm(of_factors))
        if length > max_grad_norm:
            gradient = gradient * max_grad_norm / length
            of_factors = of_factors * max_grad_norm / length
        stepped = optimizer_step(
            optimizer, params, gradient, rate, strengths, scaled=scaled
        )
        matrices = network.matrices(stepped)
        for bound, W in zip(
            max_norm or [np.inf] * len(matrices), matrices, strict=True
        ):
            W[:] = project(W, bound)
        params = np.where(trained, stepped, params)
        if low_rank is not None:
            low_rank.step(network, of_factors, rate, strengths)
            params = low_rank.merge(network, params)
        if optimizer.average is not None:
            t = optimizer.step
            decay = min(optimizer.average_decay, (1 + t) / (10 + t))
            optimizer.average = decay * optimizer.average + (1 - decay) * params
    return params, total / len(order)
