"""What a fit has come to, judged by the predictions of the network that is kept.

A training loss is of the weights before a step, of normed batches, of disturbed rows.
Here the network predicts its training rows as `predict` does, with folded norms and
averaged or restored weights, and the loss of these predictions is put between two
others: that of the best constant, and that of the targets themselves,

    D2 = (L(constant) - L(predictions)) / (L(constant) - L(targets)),

which is R2 for the squared loss, and the share of deviance explained for the others
(`sklearn.metrics.d2_tweedie_score` and its like). 0 is the constant, 1 is perfect.

A fit fails if D2 < NOISE, which is clearly worse than a constant, or if it keeps less
than the promise of the data (than a quarter of it, for features of order one). The
promise is half of what a linear model explains beyond what chance gives, on all
features where there are few and no penalty selects among them, else on one of them.
Targets that are noise promise nothing. Nor do penalties that leave no room for a slope,
and rows that are disturbed in training, so that the best there is not the best here.
"""

import warnings
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, logsumexp, softmax, xlogy
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.sparsefuncs import mean_variance_axis

from skreg._activations import ACTIVATIONS
from skreg._blas import one_blas_thread
from skreg._losses import REGRESSION_LOSSES
from skreg._network import Network, residual_reaches

# Shares of what the best constant leaves to explain. A network that explains less than
# the first is at the constant; a promise below it is none. Early stopping on targets of
# noise can keep weights that are worse than the constant, but seldom by more than the
# second.
LEAST_GAIN = 0.01
NOISE = -0.1
# Where few rows choose the epoch, by chance, it may be one of the first.
NOISE_OF_EARLY_STOPPING = -1.0

# A feature is far from zero if its mean is so many standard deviations away, and large
# if its root mean square is.
FAR = 10.0
LARGE = 10.0
# Ratio of two standard deviations that is worth telling.
UNLIKE = 30.0
# A spread below this share of the mean is rounding.
ROUNDING = 1e-6

# Rows and numbers that moments of the features are estimated from, and least rows.
SAMPLE_ROWS = 4096
LEAST_ROWS = 128
SAMPLE_SIZE = 2**18

# Features of which a linear model is fitted.
MOST_FEATURES = 100

# Kernels of losses that do not grow with the square of an error, under which a few
# outlying targets explain little; and where these are clipped, in standard deviations.
KINKED = tuple(
    REGRESSION_LOSSES[name].kernel for name in ("absolute_error", "huber", "quantile")
)
CLIPPED = 2.0

# Share of the promise that a fit must keep if the features are of order one: it may
# have been ended early, and that is the user's choice.
KEPT = 0.25

# What penalties leave must be worth so many times what they cost; nearer to that
# networks may learn nothing.
SAFE = 3.0

# Logarithm of 1 / p, p being the probability that a feature without effect passes.
LOG_SIGNIFICANCE = 7.0

# Weights that are smaller than this share of the initial ones have been shrunk.
SHRUNK = 0.1

# Penalties from here on are named as a cause of a network that learns nothing.
# Decay bounds the weights of adam by its inverse.
STRONG, STRONG_DECAY = 0.01, 1.0

# How large a hidden unit's value is, at most, in terms of its input: selu's factor, and
# its lower bound.
ACTIVATION_SLOPE, ACTIVATION_BOUND = 1.06, 1.8


class LossOfOutputs:
    """Mean loss of raw outputs: that of a network which passes its input on.

    Parameters
    ----------
    network : Network
        Whose outputs they are.
    targets : ndarray of shape (n,), int32, or (n, n_outputs)
    weights : ndarray of shape (n,) or None
    """

    def __init__(self, network, targets, weights):
        n_outputs = network.layer_sizes[-1]
        self.network = Network(
            [n_outputs, n_outputs],
            [],
            network.loss,
            network.loss_parameter,
            np.dtype(np.float64),
        )
        self.network.coefs[0][:] = np.eye(n_outputs)
        if targets.dtype != np.int32:
            targets = np.ascontiguousarray(targets, dtype=np.float64)
        self.targets, self.weights = targets, weights
        self.engine = self.network.engine()

    def __call__(self, outputs):
        """The loss of outputs, (n, n_outputs), float64."""
        data = self.network.data(outputs, self.targets, self.weights)
        return self.engine.loss_and_gradient(self.network.params, data)


# ------------------------------------------------------------------------- finiteness


def predictions_are_finite(problem):
    """Whether the network's predictions for all rows of a problem are finite."""
    network = problem.network
    with np.errstate(all="ignore"):
        if bound_of_outputs(network, problem.largest_input) < largest_output(network):
            return True
        return outputs_are_finite(network, raw_outputs(problem))


def raw_outputs(problem):
    """The network's raw outputs for the rows of a problem, (n, n_outputs)."""
    data = problem.data
    return problem.network.predict(data.X, raw=True, subset=data.subset)


def outputs_are_finite(network, raw):
    """Whether raw outputs, and the predictions that they stand for, are finite."""
    # the negation takes NaN in
    return bool(np.isfinite(raw).all() and raw.max() < largest_output(network))


def largest_output(network):
    """The largest raw output whose prediction is finite."""
    largest = float(np.finfo(network.dtype).max)
    return np.log(largest) if network.loss.out_activation == "exp" else largest


def bound_of_outputs(network, largest_input):
    """A bound on |raw outputs| for |x| <= largest_input; NaN or inf where is none.

    |act(v)| <= 1.06 |v| + 1.8 for every activation, so that a layer's values are at
    most ||W||_1 times those before it, plus |b|: no row has to be looked at.
    """
    flat = Network.__new__(Network)
    vars(flat).update(vars(network))
    flat.batch_norm, flat.params = None, network.prediction_params
    coefs, intercepts = flat.coefs, flat.intercepts
    reaches = [*residual_reaches(network.residual, network.layer_sizes), 0]
    # double the bound, for rounding
    bounds = [2.0 * largest_input]
    for l, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        columns = np.abs(W).sum(axis=0, dtype=np.float64)
        bound = bounds[-1] * columns.max() + np.abs(b).max()
        if l < len(coefs) - 1:
            bound = ACTIVATION_SLOPE * bound + ACTIVATION_BOUND
        if reaches[l]:
            bound += bounds[-reaches[l]]
        bounds.append(float(bound))
    if flat.skip:
        columns = np.abs(flat.skip_coef).sum(axis=0, dtype=np.float64)
        bounds[-1] += bounds[0] * float(columns.max())
    # a hidden layer beyond the dtype is infinite, whatever follows
    return float(np.max(bounds))


def keep_finite(problem, retreats):
    """Go back until predictions for the training rows are finite.

    Parameters
    ----------
    problem : Problem
    retreats : list of callable
        Each makes the weights some earlier ones.

    Returns
    -------
    n_retreats : int
        How many were needed.

    Raises
    ------
    ValueError
        If even the last leads to predictions that are not finite.
    """
    for n, retreat in enumerate([*retreats, None]):
        if predictions_are_finite(problem):
            return n
        if retreat is not None:
            retreat()
            problem.network.changed()
    raise ValueError(
        f"The network predicts values beyond {problem.network.dtype} for rows of X, "
        "with its initial weights too: |X| is up to "
        f"{problem.largest_input:g}. {Columns(problem).advice()}"
    )


# ------------------------------------------------------------------------ the features


class Columns:
    """Means and spreads of the features, and how they go with the targets.

    Estimated from some thousand rows, evenly spaced.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem):
        data = problem.data
        self.names = problem.feature_names
        n, p = len(data), data.X.shape[1]
        most = min(SAMPLE_ROWS, max(LEAST_ROWS, SAMPLE_SIZE // p))
        rows = np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))
        if data.subset is not None:
            rows = data.subset[rows]
        self.network = problem.network
        self.X = data.X[rows].astype(np.float64)
        self.targets = data.targets[rows]
        weights = np.ones(len(rows)) if data.weights is None else data.weights[rows]
        total = weights.sum(dtype=np.float64)
        self.weights = weights / (total if total > 0 else 1.0)
        with np.errstate(all="ignore"):
            if sparse.issparse(self.X):
                self.mean, variance = mean_variance_axis(
                    sparse.csr_matrix(self.X), axis=0, weights=self.weights
                )
            else:
                self.mean = self.weights @ self.X
                variance = self.weights @ np.square(self.X - self.mean)
            self.spread = np.sqrt(variance)
        self.constant = ~(self.spread > ROUNDING * np.abs(self.mean))

    @cached_property
    def far(self):
        """Which features are far from zero relative to their spread."""
        away = np.abs(self.mean)
        return (away > FAR * self.spread) & (away > FAR)

    @property
    def large(self):
        """Which are not of order one."""
        with np.errstate(all="ignore"):
            return ~(np.hypot(self.mean, self.spread) < LARGE)

    @property
    def ill_scaled(self):
        """Whether training has a hard time with them."""
        return bool(self.far.any() or self.large.any())

    @cached_property
    def _standardised_targets(self):
        """Targets with mean 0 and variance 1 in each output, and these variances."""
        t = self.targets
        if t.dtype == np.int32:
            t = np.eye(self.network.layer_sizes[-1])[t]
        with np.errstate(all="ignore"):
            t = t.astype(np.float64)
            t = t - self.weights @ t
            variance = self.weights @ np.square(t)
            return t / np.sqrt(variance), variance

    @property
    def _size(self):
        """How many rows of equal weight count as much."""
        return 1 / np.square(self.weights).sum()

    @cached_property
    def correlation(self):
        """The largest of a feature with an output, beyond what chance gives."""
        t, _ = self._standardised_targets
        if self.network.loss.kernel in KINKED:
            t = np.clip(t, -CLIPPED, CLIPPED)
        with np.errstate(all="ignore"):
            weighted = self.weights[:, None] * (t - self.weights @ t)
            # the means of these are zero, so that those of X do not count
            sparse_X = sparse.issparse(self.X)
            X = self.X if sparse_X else self.X - self.mean
            r = (X.T @ weighted) / self.spread[:, None]
        r = np.where(np.isfinite(r) & ~self.constant[:, None], np.abs(r), 0.0)
        # the largest of so many squares of correlations by chance
        chance = 2 * (np.log(r.size) + LOG_SIGNIFICANCE) / self._size
        return float(np.sqrt(_beyond(np.square(r).max(), chance)))

    @cached_property
    def multiple_correlation(self):
        """That of all features together with the outputs; 0 where they are too many.

        Its square is the mean R2 of linear models over the outputs.
        """
        varying = np.flatnonzero(~self.constant)
        p, m = len(varying), self._size
        if sparse.issparse(self.X) or not p or p > MOST_FEATURES or m < 5 * p + 20:
            return 0.0
        if self.network.loss.kernel in KINKED:
            return 0.0
        t, _ = self._standardised_targets
        root = np.sqrt(self.weights)[:, None]
        with np.errstate(all="ignore"), one_blas_thread():
            X = (self.X[:, varying] - self.mean[varying]) / self.spread[varying]
            if not (np.isfinite(X).all() and np.isfinite(t).all()):
                return 0.0
            Q = np.linalg.qr(root * X)[0]
            explained = np.square(Q.T @ (root * t)).sum(axis=0).mean()
        # of noise they explain p / m, with a standard deviation of sqrt(2 p) / m
        chance = (p + 4 * np.sqrt(2 * p) + LOG_SIGNIFICANCE) / m
        return float(np.sqrt(_beyond(explained, chance)))

    @cached_property
    def units(self):
        """Divisors of l1 and of l2 that make targets and slopes standardised ones.

        With h the second derivative of the loss at the best constant these are h^(1/2)
        and h, and the target's spread for losses that have its unit.
        """
        loss = self.network.loss
        _, variance = self._standardised_targets
        largest = float(np.max(variance, initial=0.0))
        spread = np.sqrt(largest) or 1.0
        if loss.out_activation in ("logistic", "softmax"):
            return spread, spread**2
        if loss.out_activation == "exp":
            h = 1.0 if loss.open_below else float((self.weights @ self.targets).max())
            return np.sqrt(h), h
        if loss.kernel in KINKED:
            # gradients are not beyond one, whatever the unit
            return 0.5, 0.5 / spread
        return spread, 1.0

    def name(self, j):
        """Of a feature, for a message."""
        return f"{j}" if self.names is None else repr(str(self.names[j]))

    def described(self, j):
        """A feature with its moments."""
        mean, spread = self.mean[j], self.spread[j]
        return f"{self.name(j)} (mean {mean:.3g}, standard deviation {spread:.3g})"

    def advice(self):
        """What is the matter with the features, and the remedy; "" if nothing is."""
        if not self.ill_scaled:
            return ""
        causes = []
        if self.far.any():
            with np.errstate(all="ignore"):
                away = np.where(self.far, np.abs(self.mean) / self.spread, -1)
            causes.append(
                f"{_some(self, away, self.far.sum())} far from zero relative to "
                f"{'its' if self.far.sum() == 1 else 'their'} spread"
            )
        elif self.large.any():
            size = np.where(self.large, np.hypot(self.mean, self.spread), -1)
            verb = _some(self, size, self.large.sum())
            causes.append(f"{verb} large")
        varying = np.flatnonzero(~self.constant)
        if len(varying) > 1:
            low = varying[self.spread[varying].argmin()]
            high = varying[self.spread[varying].argmax()]
            ratio = self.spread[high] / self.spread[low]
            if ratio > UNLIKE:
                causes.append(
                    f"standard deviations differ by a factor of {ratio:.2g}, from "
                    f"{self.spread[low]:.3g} of {self.name(low)} to "
                    f"{self.spread[high]:.3g} of {self.name(high)}"
                )
        return (
            f"{'; '.join(causes)}. Scale the features, for example with StandardScaler."
        )


def _beyond(explained, chance):
    """The share of a variance that is explained, beyond the share by chance."""
    return max(explained - chance, 0.0) / max(1 - chance, 1e-6)


def _some(columns, order, number):
    """The first features by an order, falling, as the subject of a sentence."""
    shown = [columns.described(j) for j in np.argsort(-order)[: min(number, 3)]]
    if number > len(shown):
        shown.append(f"{number - len(shown)} more")
    if len(shown) == 1:
        return f"Feature {shown[0]} is"
    return f"Features {', '.join(shown[:-1])} and {shown[-1]} are"


# ------------------------------------------------------------------------- the promise


def slope_that_pays(problem, correlation, units=(1.0, 1.0)):
    """Share of the loss that a slope gains under the penalties.

    Parameters
    ----------
    problem : Problem
    correlation : float
        Of the feature with an output.
    units : (float, float)
        See `Columns.units`.

    Returns
    -------
    share : float
        Of the squared loss. 0 if exact zeros cut all ways from inputs to outputs, if
        weights that decay or have a bound have been shrunk, or if no slope gains as
        much as it costs.
    """
    network, settings = problem.network, problem.settings
    if (any(settings.l1) or settings.group_l1) and _is_cut(network):
        return 0.0
    bounded = settings.max_norm is not None and min(settings.max_norm) < np.inf
    if (settings.weight_decay or bounded) and _is_shrunk(network):
        return 0.0
    return _best_gain(network, settings, correlation, *units)


def _is_cut(network):
    """Whether no way without a zero leads from an input to an output."""
    if network.skip and network.skip_coef.any():
        return False
    reaches = [*residual_reaches(network.residual, network.layer_sizes), 0]
    live = [np.ones(network.layer_sizes[0], dtype=bool)]
    for W, reach in zip(network.coefs, reaches, strict=True):
        here = (W[live[-1]] != 0).any(axis=0)
        if reach:
            here |= live[-reach]
        live.append(here)
    return not live[-1].any()


def _is_shrunk(network):
    """Whether a layer has but small weights left, so that hardly anything passes."""
    bounds = [ACTIVATIONS[name].bound for name in network.activations]
    bounds.append(ACTIVATIONS["identity"].bound)
    shrunk = [
        np.sqrt(np.mean(np.square(W, dtype=np.float64)))
        < SHRUNK * bound(*W.shape) / np.sqrt(3)
        for bound, W in zip(bounds, network.coefs, strict=True)
    ]
    return any(shrunk)


def _best_gain(network, settings, correlation, unit_l1, unit_l2):
    """What the slope gains that gains most beyond the cost of its penalties.

    On the scale of standardised features and targets the slope s gains 2 r s - s^2 of
    the loss. Let it be a product of one weight from each of m matrices. The least that
    a product s costs is m (prod l2)^(1/m) s^(2/m) + 2 m (prod l1)^(1/m) s^(1/m).
    """
    n_layers = len(network.coefs)
    ways = [range(n_layers)]
    if network.skip:
        ways.append([n_layers])
    slopes = np.geomspace(1e-4, 1, 60) * correlation
    gains = 2 * correlation * slopes - slopes**2
    widths = network.layer_sizes[1:]
    best = 0.0
    for way in ways:
        l1 = [float(settings.l1[l]) / unit_l1 for l in way]
        l2 = [float(settings.l2[l]) / unit_l2 for l in way]
        if settings.group_l1 and (settings.hierarchy is None or way[0] == n_layers):
            width = widths[0] if way[0] == 0 else widths[-1]
            l1[0] += settings.group_l1 * np.sqrt(width) / unit_l1
        m = len(l2)
        costs = m * np.prod(l2) ** (1 / m) * slopes ** (2 / m)
        costs += 2 * m * np.prod(l1) ** (1 / m) * slopes ** (1 / m)
        k = int(np.argmax(gains - costs))
        # the product of the strengths says nothing where one of them is zero
        if gains[k] > SAFE * costs[k] and max(l1) < correlation and max(l2) < 1:
            best = max(best, float(gains[k]))
    return best


# ------------------------------------------------------------------------- the verdict


class Baseline:
    """What a fit on the rows of a problem is compared with.

    Attributes
    ----------
    constant : float
        Mean loss of the best constant; with label smoothing, of smoothed targets.
    room : float
        How much less that of the targets themselves is; 0 where all are the same.
    """

    def __init__(self, problem):
        data, network = problem.data, problem.network
        self.smoothing = problem.settings.label_smoothing
        self.network = network
        targets, weights = data.targets, data.weights
        if data.subset is not None:
            targets = targets[data.subset]
            weights = None if weights is None else weights[data.subset]
        if weights is not None:
            weights = weights.astype(np.float64)
        self.weights = weights
        self.loss = LossOfOutputs(network, targets, weights)
        n_outputs = network.layer_sizes[-1]
        with np.errstate(all="ignore"):
            self.constant = self.of_outputs(
                np.tile(self._best_constant(targets, weights), (len(targets), 1))
            )
            room = self.constant - self._of_targets(targets, n_outputs)
        # losses of the order of one, or of the targets' unit
        enough = room > 1e-10 * max(abs(self.constant), np.finfo(np.float64).tiny)
        self.room = room if enough and np.isfinite(room) else 0.0

    def _best_constant(self, targets, weights):
        loss, n_outputs = self.network.loss, self.network.layer_sizes[-1]
        is_softmax = loss.out_activation == "softmax"
        constant = loss.best_constant(
            targets if is_softmax else np.asarray(targets, dtype=np.float64),
            weights,
            n_outputs if is_softmax else self.network.loss_parameter,
        )
        if not self.smoothing:
            return constant
        if is_softmax:
            share = softmax(constant)
            return np.log(share + self.smoothing * (1 / n_outputs - share))
        share = expit(constant)
        share += self.smoothing * (0.5 - share)
        return np.log(share / (1 - share))

    def _of_targets(self, targets, n_outputs):
        """The loss of predictions that are the targets."""
        kind = self.network.loss.out_activation
        if kind == "exp":
            if self.network.loss.open_below:
                each = 1 + np.log(targets.astype(np.float64))
            else:
                each = targets - xlogy(targets, targets.astype(np.float64))
            return float(np.average(each.sum(axis=1), weights=self.weights))
        if kind == "identity" or not self.smoothing:
            return 0.0
        n_classes = n_outputs if kind == "softmax" else 2
        rest = self.smoothing / n_classes
        entropy = -xlogy(1 - rest * (n_classes - 1), 1 - rest * (n_classes - 1))
        entropy -= (n_classes - 1) * xlogy(rest, rest)
        return entropy * (1 if kind == "softmax" else n_outputs)

    def of_outputs(self, raw):
        """Mean loss of raw outputs."""
        raw = raw.astype(np.float64)
        loss = self.loss(raw)
        if not self.smoothing:
            return loss
        # the loss is linear in the target
        if self.network.loss.out_activation == "softmax":
            uniform = logsumexp(raw, axis=1) - raw.mean(axis=1)
        else:
            uniform = (-log_expit(-raw) - raw / 2).sum(axis=1)
        uniform = float(np.average(uniform, weights=self.weights))
        return loss + self.smoothing * (uniform - loss)

    def explained(self, loss):
        """D2 of a loss; NaN where there is nothing to explain."""
        if not self.room:
            return np.nan
        # a loss that is not a number explains nothing
        return (self.constant - loss) / self.room if np.isfinite(loss) else -np.inf


class Verdict:
    """Whether a fit on the rows of a problem has come to anything.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem):
        self.problem = problem

    @cached_property
    def baseline(self):
        return Baseline(self.problem)

    @cached_property
    def columns(self):
        return Columns(self.problem)

    def explained_now(self):
        """D2 of the network's predictions, by its weights now."""
        with np.errstate(all="ignore"):
            return self.baseline.explained(
                self.baseline.of_outputs(raw_outputs(self.problem))
            )

    @property
    def _disturbed(self):
        """Whether training has other rows, so that its best need not be best here."""
        settings = self.problem.settings
        return bool(
            settings.attack is not None
            or settings.augmentation
            or self.problem.transform is not None
        )

    @property
    def promise(self):
        """What a linear model explains at least, as D2.

        With r the correlation of one feature and one output it explains r^2 for the
        squared loss, r^2 / 2 over the entropy for log losses, and for gaussian targets
        1 - sqrt(1 - r^2) > r^2 / 2 for absolute errors; r^2 / 2 is taken for all. With
        the R2 of all features it explains R2 or, for classes that are normal and as
        frequent, 0.7 R2 at least. Half of R2 is asked for of features of order one, for
        fits that end early have reasons; nearly all of others.
        """
        if self._disturbed or not self.baseline.room:
            return 0.0
        network, columns = self.problem.network, self.columns
        settings = self.problem.settings
        kind = network.loss.out_activation
        is_value = kind in ("identity", "exp")
        share = slope_that_pays(self.problem, columns.correlation, columns.units) / 2
        # of one output, or class, among several
        share /= network.layer_sizes[-1] if is_value else max(1.0, self.baseline.room)
        if any(settings.l1) or settings.group_l1:
            # which cost more the more features there are, and more than the quadratic
            # approximation says where log losses saturate
            return share / 2
        part = 0.5
        if columns.ill_scaled and kind != "exp":
            part = 0.9 if is_value else 0.7
        r = columns.multiple_correlation
        return max(share, part * slope_that_pays(self.problem, r, columns.units))

    def has_not_begun(self, loss):
        """Whether training has not yet left the best constant, or is on the way up.

        Parameters
        ----------
        loss : float
            Of the last epoch, without penalties: cheap, but of disturbed rows. Where it
            does not say that the constant is left, the predictions are asked.

        Returns
        -------
        at_constant, promising : bool
            Whether it explains no more than the constant, or than is promised; and
            whether there is a promise.
        """
        if not self.baseline.room:
            return False, False
        promise = self.promise
        promising = promise > LEAST_GAIN
        least = promise if promising else LEAST_GAIN
        if self.baseline.explained(loss) >= least:
            return False, promising
        return self.explained_now() < least, promising

    def is_cut_off(self):
        """Whether penalties forbid to learn anything, however strong the signal."""
        return slope_that_pays(self.problem, 1.0) == 0

    def complaint(self):
        """What there is to say against the network as it is, or None."""
        explained = self.explained_now()
        if np.isnan(explained):
            return None
        early = self.problem.validation_score is not None
        if explained >= (NOISE_OF_EARLY_STOPPING if early else NOISE):
            promise = self.promise
            if promise <= LEAST_GAIN:
                return None
            if not self.columns.ill_scaled:
                promise = max(LEAST_GAIN, KEPT * promise)
            if explained >= promise:
                return None
        if explained < LEAST_GAIN:
            said = "no better than the best constant"
        else:
            said = "worse than those of a linear model"
        return (
            f"The network's predictions for its training rows are {said} (D2 "
            f"{explained:.3g})."
        )


def warn_of(complaint, verdict, estimator):
    """Warn, once, of all that there is to say against a fit.

    Parameters
    ----------
    complaint : str or None
        Of the training.
    verdict : Verdict or None
        On the predictions; None does not ask.
    estimator : estimator
        Its parameters are the remedies.
    """
    said = [] if complaint is None else [complaint]
    failure = None if verdict is None else verdict.complaint()
    if failure is not None:
        cause = remedy(verdict, estimator)
        said += [failure, *([] if complaint and cause in complaint else [cause])]
    if said:
        warnings.warn(" ".join(said), ConvergenceWarning, stacklevel=3)


def remedy(verdict, estimator):
    """Cause and remedy of a fit that has come to nothing."""
    advice = verdict.columns.advice()
    if advice:
        return advice
    problem = verdict.problem
    settings = problem.settings
    stochastic = estimator.solver != "lbfgs"
    rate = float(estimator.learning_rate_init)
    if stochastic:
        advice = decay_beyond_reason(settings, rate, adam=estimator.solver == "adam")
        if advice:
            return advice
    strong = [
        f"{name} (now {value:g})"
        for name, value, usual in [
            ("l1", max(settings.l1), STRONG),
            ("l2", max(settings.l2), STRONG),
            ("group_l1", settings.group_l1, STRONG),
            ("weight_decay", settings.weight_decay, STRONG_DECAY),
        ]
        if value > usual
    ]
    dropout = max([*settings.dropout, settings.input_dropout])
    if dropout > 0.5:
        strong.append(f"dropout (now {dropout:g})")
    if settings.attack is not None:
        strong.append("the epsilon of adversarial")
    if settings.augmentation or problem.transform is not None:
        strong.append("the strength of augmentation")
    # penalties lead to the constant, and not beyond it
    if strong and verdict.explained_now() >= NOISE:
        return f"Lower {' or '.join(strong)}."
    if not stochastic:
        return "Raise max_iter, or start elsewhere by another random_state."
    if estimator._state.history.n_iter >= estimator.max_iter:
        return (
            f"Raise max_iter (now {estimator.max_iter}) or learning_rate_init (now "
            f"{rate:g})."
        )
    return (
        f"Try another learning_rate_init (now {rate:g}), raise n_iter_no_change (now "
        f"{estimator.n_iter_no_change}), or take another activation, fewer layers or "
        "batch_norm=True."
    )


def decay_beyond_reason(settings, rate, *, adam):
    """What to lower where a step turns weights around instead of shrinking them."""
    # adam divides l2's gradient by its size
    l2 = 0.0 if adam else max(settings.l2)
    for name, value in [("weight_decay", settings.weight_decay), ("l2", l2)]:
        # a rate above one is itself the cause
        if rate * value > 1 >= rate:
            return (
                f"Lower {name} (now {value:g}) or learning_rate_init (now {rate:g}): "
                "a step multiplies weights by 1 minus the product of the two."
            )
    return ""


def remedy_of_divergence(problem, rate, *, adam):
    """The same of a training whose loss is not finite any more."""
    advice = decay_beyond_reason(problem.settings, rate, adam=adam)
    if advice:
        return advice
    about_features = Columns(problem).advice()
    return f"Lower learning_rate_init (now {rate:g}). {about_features}".rstrip()
