"""The bound of LassoNet's hierarchy on the weights between epochs."""

from contextlib import contextmanager

import numpy as np


@contextmanager
def iterates_between_epochs(network, optimizer, settings):
    """An epoch in which Nesterov's points stand for the iterates, where they must.

    What the prox of a hierarchy bounds is the iterate x. With Nesterov's momentum the
    parameters are the points x + momentum * velocity ahead of it, which may be beyond
    the bound. Between epochs, when they are looked at, they are x, for the matrices in
    the hierarchy; the velocity stays what it is.

    Parameters
    ----------
    network : Network
    optimizer : Optimizer
    settings : Settings
    """
    bounded = settings.hierarchy is not None and settings.hierarchy < np.inf
    if not bounded or optimizer.adam or not optimizer.nesterov:
        yield
        return
    hidden, *_, linear = network.matrices()
    hidden_velocity, *_, linear_velocity = network.matrices(optimizer.first)
    pairs = [(hidden, hidden_velocity), (linear, linear_velocity)]
    for W, velocity in pairs:
        W += optimizer.momentum * velocity
    try:
        yield
    finally:
        # Weights may be infinite here; the loop over epochs reports a divergence.
        with np.errstate(over="ignore", invalid="ignore"):
            # what is zero has no velocity, and stays zero
            for W, velocity in pairs:
                W -= optimizer.momentum * velocity
            lengths = settings.feature_groups.norms(linear)
            keep_within(hidden, settings.hierarchy * lengths)


def keep_within(W, bounds):
    """Take rounding errors beyond the bounds, (n_features,), from W's rows."""
    bounds = bounds.astype(W.dtype)[:, None]
    beyond = np.abs(W) > bounds
    W[beyond] = (np.sign(W) * bounds)[beyond]
