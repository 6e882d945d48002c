"""What the data promise: the share of the loss that a slope gains under the penalties.

The promise is half of what a linear model explains beyond what chance gives, on all
features where there are few, else on one of them. Where a penalty selects among
features of order one it is that of one of them, for the others may not be worth it.
Targets that are noise promise nothing. Nor do penalties that leave no room for a slope,
and rows that are disturbed in training, so that the best there is not the best here.
"""

from functools import cached_property

import numpy as np

from skreg._network.network import residual_reaches
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.columns import Columns

# A promise below this share of what the best constant leaves to explain is none, and a
# network that explains less is at the constant.
LEAST_GAIN = 0.01

# Shares of what a linear model explains that are promised: for features of order one,
# with which fits that end early have reasons, and for others, of values and of classes.
PART, PART_OF_VALUES, PART_OF_CLASSES = 0.5, 0.9, 0.7

# Share of the promise that a fit must keep if the features are of order one: it may
# have been ended early, and that is the user's choice. It is more where the schedule
# had its end at max_iter, so that nothing else tells whether these epochs are enough.
KEPT, KEPT_AT_THE_END = 0.25, 0.5

# What penalties leave must be worth so many times what they cost; nearer to that
# networks may learn nothing.
SAFE = 3.0

# Weights that are smaller than this share of the initial ones have been shrunk.
SHRUNK = 0.1


class Promise:
    """What a linear model explains at least, as D2.

    With r the correlation of one feature and one output it explains r^2 for the squared
    loss, r^2 / 2 over the entropy for log losses, and for gaussian targets
    1 - sqrt(1 - r^2) > r^2 / 2 for absolute errors; r^2 / 2 is taken for all. With the
    R2 of all features it explains R2 or, for classes that are normal and as frequent,
    0.7 R2 at least.

    Parameters
    ----------
    problem : Problem
    room : float
        What there is to explain, see `Baseline.room`.
    """

    def __init__(self, problem, room):
        self.problem = problem
        self.room = room

    @cached_property
    def columns(self):
        """The features: a look at some thousand rows."""
        return Columns(self.problem)

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
    def value(self):
        """The promise, by the weights now."""
        if self._disturbed or not self.room:
            return 0.0
        network, columns = self.problem.network, self.columns
        settings = self.problem.settings
        is_value = network.loss.out_activation in ("identity", "exp")
        share = slope_that_pays(self.problem, columns.correlation, columns.units) / 2
        # of one output, or class, among several
        share /= network.layer_sizes[-1] if is_value else max(1.0, self.room)
        if any(settings.l1) or settings.group_l1:
            # which cost more the more features there are, and more than the quadratic
            # approximation says where log losses saturate
            share /= 2
            if not columns.ill_scaled:
                return share
            r, price = columns.penalised_slopes
            whole = slope_that_pays(self.problem, r, columns.units, price)
            return max(share, self._part * whole)
        r = columns.multiple_correlation
        whole = slope_that_pays(self.problem, r, columns.units)
        return max(share, self._part * whole)

    @property
    def _part(self):
        kind = self.problem.network.loss.out_activation
        if kind == "exp" or not self.columns.ill_scaled:
            return PART
        return PART_OF_VALUES if kind == "identity" else PART_OF_CLASSES

    def is_surely_below(self, explained):
        """Whether a D2 is above any promise; looks at means and spreads at most."""
        return explained >= PART_OF_VALUES or explained >= self._part

    def is_kept(self, explained):
        """Whether the D2 of a network is enough.

        The larger it is the less is looked at: a slope gains no more than all.
        """
        if self._disturbed or explained >= PART_OF_VALUES:
            return True
        kept = KEPT_AT_THE_END if self.problem.ends_with_schedule else KEPT
        if self.columns.ill_scaled:
            kept = 1.0
        if explained >= kept * self._part:
            return True
        promise = self.value
        return promise <= LEAST_GAIN or explained >= max(LEAST_GAIN, kept * promise)


def slope_that_pays(problem, correlation, units=(1.0, 1.0), price=None):
    """Share of the loss that a slope gains under the penalties.

    Parameters
    ----------
    problem : Problem
    correlation : float
        Of the feature with an output.
    units : (float, float)
        See `Columns.units`.
    price : float, optional
        The slope is one of several features, see `Columns.penalised_slopes`.

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
    # the product of huge strengths is infinite, as is one in a unit that is none: no
    # slope pays
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return _best_gain(network, settings, correlation, *units, price)


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


def _best_gain(network, settings, correlation, unit_l1, unit_l2, price):
    """What the slope gains that gains most beyond the cost of its penalties.

    On the scale of standardised features and targets the slope s gains 2 r s - s^2 of
    the loss. Let it be a product of one weight from each of m matrices. The least that
    a product s costs is m (prod l2)^(1/m) s^(2/m) + 2 m (prod l1)^(1/m) s^(1/m).
    Where the weights of the first matrix have a price, the cost is taken off the
    gain: no optimum of the objective explains less.
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
        if price is not None:
            l1[0] *= price
        m = len(l2)
        costs = m * np.prod(l2) ** (1 / m) * slopes ** (2 / m)
        costs += 2 * m * np.prod(l1) ** (1 / m) * slopes ** (1 / m)
        k = int(np.argmax(gains - costs))
        # the product of the strengths says nothing where one of them is zero
        if gains[k] > SAFE * costs[k] and max(l1) < correlation and max(l2) < 1:
            gain = gains[k] if price is None else gains[k] - costs[k]
            best = max(best, float(gain))
    return best
