"""Pruning: a smaller network that predicts the same.

A hidden unit is *unused* if all its outgoing weights are zero: nothing depends on it.
It is *constant* if all its incoming weights are: then it is h = act(b) for every x, and
what it gives to the next layer, h W[j], belongs into that layer's bias. Both can go.
Removing one may leave others unused or constant: constants are looked for from the
first layer to the last, for a constant unit only makes later ones constant; then unused
units from the last to the first.

Residual connections tie the units of equal number in successive layers together, for
h_{l+1}[j] = act(z_{l+1}[j]) + h_l[j]. Such a *stream* goes as a whole: where unit j of
every layer in it is unused, or where all are constant, with the values
h_l[j] = act(b_first[j]) + ... + act(b_l[j]).

A feature whose outgoing weights are zero in what remains is not read.
"""

import numpy as np

from skreg._activations import ACTIVATIONS
from skreg._kernels import units
from skreg._network import Network, residual_layers


def pruned(network):
    """A `Network` without the units and inputs on which no prediction depends.

    Its predictions are those of `network` up to rounding. It has no norms: they are
    folded into its weights. `inputs` says which columns of X it reads; there is at
    least one, even where none has a say.
    """
    coefs, intercepts = (
        [array.astype(np.float64) for array in arrays] for arrays in network.folded()
    )
    activations = list(network.activations)
    residual = residual_layers(network.residual, network.layer_sizes)
    streams = _streams(residual)
    for first, last in streams:
        _remove_constant(coefs, intercepts, activations, first, last)
    for first, last in reversed(streams):
        _remove_unused(coefs, intercepts, first, last)

    if activations and 0 in coefs[-1].shape:
        # no unit is left in any hidden layer: the outputs are constant
        coefs = [np.zeros((len(coefs[0]), len(intercepts[-1])))]
        intercepts, activations, residual = intercepts[-1:], [], []

    read = np.flatnonzero(coefs[0].any(axis=1))
    if not len(read):
        read = np.array([0])
    coefs[0] = coefs[0][read]
    smaller = Network(
        [len(read), *map(len, intercepts)],
        activations,
        network.loss,
        network.loss_parameter,
        network.dtype,
        residual=residual,
        inputs=read if network.inputs is None else network.inputs[read],
    )
    for views, arrays in [(smaller.coefs, coefs), (smaller.intercepts, intercepts)]:
        for view, array in zip(views, arrays, strict=True):
            view[:] = array
    return smaller


def _streams(residual):
    """(First, last) hidden layer of each stream; a layer by itself is one, too."""
    streams = []
    for l, goes_on in enumerate(residual):
        if goes_on:
            streams[-1] = (streams[-1][0], l)
        else:
            streams.append((l, l))
    return streams


def _remove_constant(coefs, intercepts, activations, first, last):
    while True:
        varies = np.any([coefs[l].any(axis=0) for l in range(first, last + 1)], axis=0)
        if varies.all():
            return
        value = 0.0
        for l in range(first, last + 1):
            kernel = ACTIVATIONS[activations[l]].kernel
            value = value + units.activate(kernel, intercepts[l][~varies])[0]
            intercepts[l + 1] = intercepts[l + 1] + value @ coefs[l + 1][~varies]
        _keep_units(coefs, intercepts, first, last, varies)


def _remove_unused(coefs, intercepts, first, last):
    while True:
        used = np.any(
            [coefs[l + 1].any(axis=1) for l in range(first, last + 1)], axis=0
        )
        if used.all():
            return
        _keep_units(coefs, intercepts, first, last, used)


def _keep_units(coefs, intercepts, first, last, keep):
    """Leave only some units in the layers of a stream."""
    for l in range(first, last + 1):
        coefs[l] = coefs[l][:, keep]
        intercepts[l] = intercepts[l][keep]
        coefs[l + 1] = coefs[l + 1][keep]
