"""The scale of a regressor's targets: how it is found, and how it follows new targets.

A network is fitted to t = (y - mean) / scale, by column. What is fitted first sets mean
and scale. Training that goes on (`partial_fit`, `warm_start`, `fine_tune`) may bring
targets of another unit, which no step of the solver could reach. So mean and scale
follow the targets where these leave them far behind: where, in the present scale, the
root mean square of t exceeds FAR, or its standard deviation, if there is any variation,
falls below 1 / FAR. Both are those of the targets that are fitted or, in calls of
partial_fit, of the last of them: of as few as are needed for WINDOW_CALLS calls and
WINDOW_ROWS rows.

With a = scale / new scale and c = (mean - new mean) / new scale the output layer
becomes W <- W diag(a), b <- a b + c, and the skip connection theta <- theta diag(a):
no prediction changes. If, instead, y has changed its unit, then outputs that stay as
they are, read in the new scale, are right at once. Training goes on from the one of the
two that has the lower loss on the new rows.

Where y is fitted as it is, a network with a log link has the same choice: outputs as
they are, or b + log(mean of y / mean of the predictions), which multiplies all of them.
Means are far apart where their ratio is beyond FAR either way. Without a link, and
without a scale, the user has asked for the unit of y: weights of another unit would be
out of proportion to steps and penalties, so that nothing is moved but a warning is
given.
"""

import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

FAR = 4.0
WINDOW_CALLS = 10
WINDOW_ROWS = 200
# Rows that say what the unit of targets is.
FEWEST_ROWS = 10

# Beyond these powers of two, squares and sums are taken of what is divided by them.
EXTREME = 500


def power_of_two(largest):
    """The power of two just below a positive number where that is extreme; else 1.

    Dividing by it is exact, but for numbers that are subnormal.
    """
    largest = np.asarray(largest, dtype=np.float64)
    if (
        not largest.size
        or 2.0**-EXTREME < largest.min() <= largest.max() < 2.0**EXTREME
    ):
        return np.ones(largest.shape)[()]
    _, exponent = np.frexp(largest)
    extreme = (np.abs(exponent) > EXTREME) & (largest > 0)
    return np.ldexp(1.0, np.where(extreme, exponent - 1, 0))


@dataclass(frozen=True)
class TargetMoments:
    """Of the targets of some rows, by column.

    Attributes
    ----------
    n : int
        The rows.
    mean, deviation : ndarray of shape (n_outputs,)
        Weighted. A deviation that is rounding of the mean is 0.
    """

    n: int
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, y, weights):
        """Those of y, (n, n_outputs); rows of weight zero do not count."""
        if weights is not None and not weights.all():
            y, weights = y[weights > 0], weights[weights > 0]
        unit = power_of_two(np.abs(y).max(axis=0))
        y = y / unit
        mean = average(y, weights)
        squares = average((y - mean) ** 2, weights)
        return cls(len(y), mean * unit, without_rounding(np.sqrt(squares), mean, unit))

    @classmethod
    def of_all(cls, parts):
        """Those of all rows together."""
        if len(parts) == 1:
            return parts[0]
        n = np.array([part.n for part in parts])
        means = np.array([part.mean for part in parts])
        deviations = np.array([part.deviation for part in parts])
        unit = power_of_two(np.maximum(np.abs(means), deviations).max(axis=0))
        means, deviations = means / unit, deviations / unit
        mean = average(means, n)
        squares = average(deviations**2 + (means - mean) ** 2, n)
        return cls(
            int(n.sum()), mean * unit, without_rounding(np.sqrt(squares), mean, unit)
        )


def average(y, weights):
    """The mean by column, as of `np.average`, which takes longer for few rows."""
    if weights is None:
        return y.mean(axis=0)
    weights = weights[:, None]
    return (y * weights).sum(axis=0) / weights.sum(axis=0)


def without_rounding(deviation, mean, unit):
    """The deviation times its unit, 0 where it is no variation."""
    rounding = 10 * np.finfo(np.float64).eps * np.abs(mean)
    # what varies has a deviation, if it is too small a number for one
    smallest = np.finfo(np.float64).smallest_subnormal
    return np.where(deviation <= rounding, 0.0, np.maximum(deviation * unit, smallest))


def last_calls(calls):
    """The last of a list of TargetMoments, as many as say what targets are like now."""
    rows = 0
    for k, call in enumerate(reversed(calls), start=1):
        rows += call.n
        if k >= WINDOW_CALLS and rows >= WINDOW_ROWS:
            return calls[-k:]
    return calls


@dataclass(frozen=True)
class OutputChange:
    """Raw outputs f become factor * f + shift.

    Attributes
    ----------
    factor, shift : ndarray of shape (n_outputs,)
    """

    factor: np.ndarray
    shift: np.ndarray

    def apply(self, network, params):
        """Change parameters in place, which have the shape of a network's."""
        view = copy.copy(network)
        view.params = params
        # beyond the dtype there is no finite loss, by which it is refused
        with np.errstate(over="ignore", invalid="ignore"):
            view.coefs[-1][:] *= self.factor
            view.intercepts[-1][:] = self.factor * view.intercepts[-1] + self.shift
            if network.skip:
                view.skip_coef[:] *= self.factor


@dataclass(frozen=True)
class LogLevel:
    """Where targets lie whose logarithm is fitted, or their predictions.

    Attributes
    ----------
    log_mean : ndarray of shape (n_outputs,)
    """

    log_mean: np.ndarray

    @classmethod
    def of(cls, moments):
        """That of positive means; the level of others is not a number."""
        with np.errstate(divide="ignore", invalid="ignore"):
            log_mean = np.log(moments.mean)
        return cls(np.where(np.isfinite(log_mean), log_mean, np.nan))

    @classmethod
    def of_outputs(cls, raw, weights):
        """That of exp(raw)."""
        shares = None if weights is None else weights[:, None] / weights.sum()
        mean = 0.0 if shares is not None else np.log(len(raw))
        return cls(logsumexp(raw.astype(np.float64), axis=0, b=shares) - mean)

    def followed(self, moments):
        """As `TargetScale.followed`."""
        new = LogLevel.of(moments).log_mean
        # zeros alone tell no unit
        far = np.abs(new - self.log_mean) > np.log(FAR)
        if not far.any():
            return self, False
        return LogLevel(np.where(far, new, self.log_mean)), True

    def same_place_in(self, level):
        """The change of outputs that lie at this level to those that do at another."""
        return OutputChange(np.ones(len(self.log_mean)), level.log_mean - self.log_mean)


@dataclass(frozen=True)
class TargetScale:
    """y = mean + scale * t, t being what the network is fitted to.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_outputs,)
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def none(cls, n_outputs):
        """The scale that changes nothing."""
        return cls(np.zeros(n_outputs), np.ones(n_outputs))

    @classmethod
    def of(cls, moments):
        """Mean and standard deviation.

        A constant column keeps scale 1: its mean is its prediction.
        """
        deviation = moments.deviation
        return cls(moments.mean, np.where(deviation == 0, 1.0, deviation))

    @cached_property
    def _unit(self):
        """What y is divided by first, so that nothing overflows or loses digits."""
        return power_of_two(np.maximum(np.abs(self.mean), self.scale))

    @cached_property
    def _in_units(self):
        """Mean and scale divided by that, and whether it is 1."""
        unit = self._unit
        return self.mean / unit, self.scale / unit, bool((unit == 1).all())

    def __getstate__(self):
        return {"mean": self.mean, "scale": self.scale}

    def apply(self, y):
        """Return t for y; infinite where that is too far away for a number."""
        mean, scale, _ = self._in_units
        with np.errstate(over="ignore"):
            return (y / self._unit - mean) / scale

    def invert(self, t):
        """Return y for t, in float64; what would be beyond the largest number is it."""
        mean, scale, is_plain = self._in_units
        y = t.astype(np.float64)
        with np.errstate(over="ignore"):
            y *= scale
            y += mean
            if not is_plain:
                y *= self._unit
        if np.isinf(y).any():
            largest = np.finfo(np.float64).max
            # what overflows in the network is infinite, of one that is of no use
            np.clip(y, -largest, largest, out=y, where=np.isfinite(t))
        return y

    def followed(self, moments):
        """The scale for targets of these moments: this one, unless they are far away.

        Returns
        -------
        scale : TargetScale
        farther : bool
            Whether targets of a column are farther away than FAR, and not just closer
            together.
        """
        with np.errstate(over="ignore"):
            spread = moments.deviation / self.scale
            shift = self.apply(moments.mean)
            far = np.hypot(spread, shift) > FAR
        varies = moments.deviation > 0
        narrow = varies & (spread < 1 / FAR)
        if not (far | narrow).any():
            return self, False
        return TargetScale(
            np.where(far | narrow, moments.mean, self.mean),
            np.where((far | narrow) & varies, moments.deviation, self.scale),
        ), bool(far.any())

    def same_predictions_in(self, scale):
        """The change of outputs, read in this scale, to those read in another."""
        unit = np.maximum(self._unit, scale._unit)
        with np.errstate(over="ignore", invalid="ignore"):
            return OutputChange(
                (self.scale / unit) / (scale.scale / unit),
                (self.mean / unit - scale.mean / unit) / (scale.scale / unit),
            )
