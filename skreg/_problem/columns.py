"""The features as training meets them: where they lie, and how they go with targets."""

from functools import cached_property

import numpy as np
from scipy import sparse

from skreg._problem.blas import one_blas_thread
from skreg._problem.moments import Moments

# A feature is far from zero if its mean is so many standard deviations away, and large
# if its root mean square is.
FAR = 10.0
LARGE = 10.0
# Features vary little if no standard deviation reaches this.
TINY = 0.1
# Ratio of two standard deviations that is worth telling; and one that no categories, as
# columns of zeros and ones, have, and at which steps of one size miss the smaller.
UNLIKE, UNEVEN = 30.0, 500.0
# A spread below this share of the mean is rounding.
ROUNDING = 1e-6

# Rows and numbers that moments of the features are estimated from, and least rows.
SAMPLE_ROWS = 4096
LEAST_ROWS = 128
SAMPLE_SIZE = 2**18

# Features of which a linear model is fitted, and the share of the largest variance, of
# all directions, below which one is left out.
MOST_FEATURES = 100
COLLINEAR = 1e-10

# Where targets are clipped under a loss that resists outliers, in standard deviations.
CLIPPED = 2.0

# Logarithm of 1 / p, p being the probability that a feature without effect passes.
LOG_SIGNIFICANCE = 7.0


def moments_of_inputs(network, data, rows=None):
    """The Moments of the features as a network reads them.

    Parameters
    ----------
    network : Network
    data : Data
    rows : ndarray of intp or None
        Of the arrays; None: those in use.
    """
    rows = data.subset if rows is None else rows
    if network.scaling is None:
        return Moments.of(network.data(data.X, data.targets, data.weights, rows))
    rows = np.arange(len(data)) if rows is None else rows
    weights = None if data.weights is None else data.weights[rows]
    read = network.scaling.transform(data.X[rows])
    return Moments.of(network.data(read, weights=weights))


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
        self._data, self._rows = data, rows
        if len(rows) == n:
            moments = problem.moments
        else:
            moments = moments_of_inputs(self.network, data, rows)
        self.mean, self.spread = moments.mean, moments.spread
        self.constant = ~(self.spread > ROUNDING * np.abs(self.mean))

    @cached_property
    def X(self):
        """These rows as the network reads them, in float64."""
        X = self._data.X[self._rows].astype(np.float64)
        return X if self.network.scaling is None else self.network.scaling.transform(X)

    @cached_property
    def targets(self):
        return self._data.targets[self._rows]

    @cached_property
    def weights(self):
        """Theirs; the sum is 1."""
        weights = self._data.weights
        if weights is None:
            return np.full(len(self._rows), 1 / len(self._rows))
        weights = weights[self._rows].astype(np.float64)
        return weights / (weights.sum() or 1.0)

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
    def uneven(self):
        """Whether some vary so little beside others that hidden layers miss them.

        Without hidden layers penalties may have decided so, as those of Ridge do.
        """
        varying = self.spread[~self.constant]
        if not self.network.activations or not varying.size:
            return False
        with np.errstate(all="ignore"):
            return bool(varying.max() / varying.min() > UNEVEN)

    @property
    def ill_scaled(self):
        """Whether training has a hard time with them."""
        return bool(self.far.any() or self.large.any() or self.uneven)

    @property
    def tiny(self):
        """Whether all features vary little, so that their slopes are large weights."""
        return bool(0 < np.where(self.constant, 0.0, self.spread).max() < TINY)

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
        if self.network.loss.resists_outliers:
            t = np.clip(t, -CLIPPED, CLIPPED)
        with np.errstate(all="ignore"), one_blas_thread():
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
        return self._least_squares(~self.constant)[0]

    @cached_property
    def penalised_slopes(self):
        """The same of the features that an l1 penalty lets live, and what it costs.

        Returns
        -------
        r : float
            The multiple correlation of the features that do not vary little.
        price : float
            The sum of their absolute weights, in the features' own units, where all
            together have a slope of one.
        """
        r, slopes, spread = self._least_squares(~self.constant & (self.spread >= TINY))
        if not r:
            return 0.0, np.inf
        return r, float((np.abs(slopes) / spread[:, None]).sum()) / r

    def _least_squares(self, chosen):
        """A linear model of some of the features.

        Parameters
        ----------
        chosen : ndarray of shape (n_features,), bool

        Returns
        -------
        r : float
            Its multiple correlation; 0 where features are too many for the rows.
        slopes : ndarray of shape (n_chosen, n_outputs)
            Of standardised features and targets.
        spread : ndarray of shape (n_chosen,)
            Of these features.
        """
        varying = np.flatnonzero(chosen)
        p, m = len(varying), self._size
        spread = self.spread[varying]
        none = 0.0, np.zeros((p, 1)), spread
        if sparse.issparse(self.X) or not p or p > MOST_FEATURES or m < 5 * p + 20:
            return none
        if self.network.loss.resists_outliers:
            return none
        t, _ = self._standardised_targets
        root = np.sqrt(self.weights)[:, None]
        with np.errstate(all="ignore"), one_blas_thread():
            X = (self.X[:, varying] - self.mean[varying]) / spread
            X *= root
            gram, products = X.T @ X, X.T @ (root * t)
            if not (np.isfinite(gram).all() and np.isfinite(products).all()):
                return none
            lengths, directions = np.linalg.eigh(gram)
            # what hardly varies is rounding, and nothing that a step could follow
            kept = lengths > COLLINEAR * lengths[-1]
            lengths, directions = lengths[kept, None], directions[:, kept]
            along = directions.T @ products
            explained = (np.square(along) / lengths).sum(axis=0).mean()
            slopes = directions @ (along / lengths)
        # of noise they explain p / m, with a standard deviation of sqrt(2 p) / m
        chance = (p + 4 * np.sqrt(2 * p) + LOG_SIGNIFICANCE) / m
        return float(np.sqrt(_beyond(explained, chance))), slopes, spread

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
        if loss.resists_outliers:
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
        if not (self.far.any() or self.large.any()):
            tiny = self._advice_for_tiny()
            if tiny or not self.uneven:
                return tiny
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
            with np.errstate(all="ignore"):
                ratio = self.spread[high] / self.spread[low]
            if ratio > UNLIKE:
                causes.append(
                    f"standard deviations differ by a factor of {ratio:.2g}, from "
                    f"{self.spread[low]:.3g} of {self.name(low)} to "
                    f"{self.spread[high]:.3g} of {self.name(high)}"
                )
        said = "; ".join(causes)
        return (
            f"{said[0].upper()}{said[1:]}. Scale the features, for example with "
            "StandardScaler."
        )

    def _advice_for_tiny(self):
        """The same of features that all vary little: their slopes are large weights."""
        spreads = np.where(self.constant, 0.0, self.spread)
        j = int(spreads.argmax())
        if not 0 < spreads[j] < TINY:
            return ""
        return (
            f"All features vary little: the largest standard deviation is "
            f"{spreads[j]:.3g}, of {self.name(j)}, so that learning needs large "
            "weights, which penalties and small steps forbid. Scale the features, for "
            "example with StandardScaler."
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
