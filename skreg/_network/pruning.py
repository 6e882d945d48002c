"""Pruning: a smaller network that predicts the same.

A hidden unit *varies* if weights that are not zero lead from an input to it, and is
*needed* if such weights lead from it to an output. A unit that does not vary is
h = act(b) for every x, and what it gives to the next layer, h W[j], belongs into that
layer's bias. So a unit stays only where it does both, and lies on a way from an input
to an output.

Residual connections tie units of equal number in two layers together, for h_{l+r}[j] =
act(z_{l+r}[j]) + h_l[j]: this is a way from unit j to unit j. Such a *stream* goes or
stays as a whole. It stays if unit j of one of its layers does both.

A feature is read if it has a weight that is not zero in what remains: into a unit, or,
with a skip connection, into an output.
"""

import numpy as np

from skreg._kernels import units
from skreg._network.network import Network, residual_reaches
from skreg._problem.activations import ACTIVATIONS


def pruned(network):
    """A `Network` without the units and inputs on which no prediction depends.

    Its predictions are those of `network` up to rounding. It has no norms: they are
    folded into its weights. `inputs` says which columns of X it reads; there is at
    least one, even where none has a say. A skip connection without weights is left
    out, and one that is all that remains becomes the only layer.
    """
    coefs, intercepts = (
        [array.astype(np.float64) for array in arrays] for arrays in network.folded()
    )
    theta = network.skip_coef
    activations = list(network.activations)
    reaches = residual_reaches(network.residual, network.layer_sizes)

    keep = _units_to_keep(coefs, intercepts, activations, reaches)
    if activations and not keep[-1].any():
        # no way leads through the hidden layers: a constant is left, and theta
        constant = np.zeros((len(coefs[0]), len(intercepts[-1])))
        coefs = [constant if theta is None else theta]
        intercepts, activations, reaches = intercepts[-1:], [], []
        theta = None
    else:
        rows = [np.full(len(coefs[0]), True), *keep]
        columns = [*keep, np.full(len(intercepts[-1]), True)]
        coefs = [
            W[np.ix_(*kept)] for W, *kept in zip(coefs, rows, columns, strict=True)
        ]
        intercepts = [b[kept] for b, kept in zip(intercepts, columns, strict=True)]
    if theta is not None and not theta.any():
        theta = None

    read = coefs[0].any(axis=1)
    if theta is not None:
        read |= theta.any(axis=1)
    read = np.flatnonzero(read)
    if not len(read):
        read = np.array([0])
    smaller = Network(
        [len(read), *map(len, intercepts)],
        activations,
        network.loss,
        network.loss_parameter,
        network.dtype,
        residual=reaches,
        skip=theta is not None,
        inputs=read if network.inputs is None else network.inputs[read],
        scaling=network.scaling and network.scaling.of_features(read),
    )
    coefs[0] = coefs[0][read]
    for views, arrays in [(smaller.coefs, coefs), (smaller.intercepts, intercepts)]:
        for view, array in zip(views, arrays, strict=True):
            view[:] = array
    if theta is not None:
        smaller.skip_coef[:] = theta[read]
    return smaller


def _units_to_keep(coefs, intercepts, activations, reaches):
    """Masks of the hidden layers; what the other units give moves into `intercepts`."""
    varies, constants = _ways_in(coefs, intercepts, activations, reaches)
    needed = _ways_out(coefs, reaches)
    keep = [v & n for v, n in zip(varies, needed, strict=True)]
    # once for each layer that a stream may pass through
    for _ in keep:
        for l, reach in enumerate(reaches):
            if reach:
                keep[l] = keep[l - reach] = keep[l] | keep[l - reach]
    if keep and keep[-1].any():
        # one unit stays in a layer that all ways go around, as around an adapter
        keep = [k if k.any() else np.arange(len(k)) == 0 for k in keep]
    for l, (kept, values) in enumerate(zip(keep, constants, strict=True)):
        intercepts[l + 1] = intercepts[l + 1] + values[~kept] @ coefs[l + 1][~kept]
    return keep


def _ways_in(coefs, intercepts, activations, reaches):
    """Which units of each hidden layer vary, and the values of the others."""
    varies, values = np.full(len(coefs[0]), True), np.zeros(len(coefs[0]))
    found = []
    for l, name in enumerate(activations):
        z = intercepts[l] + values @ coefs[l]
        varies = coefs[l][varies].any(axis=0)
        values = units.activate(ACTIVATIONS[name].kernel, z)[0]
        if reaches[l]:
            carried = found[l - reaches[l]]
            varies, values = varies | carried[0], values + carried[1]
        values[varies] = 0.0
        found.append((varies, values))
    return [masks for masks, _ in found], [constants for _, constants in found]


def _ways_out(coefs, reaches):
    """Which units of each hidden layer are needed."""
    needed = {len(coefs) - 1: np.full(coefs[-1].shape[1], True)}
    for l in reversed(range(len(coefs) - 1)):
        needed[l] = coefs[l + 1][:, needed[l + 1]].any(axis=1)
        for above, reach in enumerate(reaches):
            if reach and above - reach == l:
                needed[l] |= needed[above]
    return [needed[l] for l in range(len(coefs) - 1)]
