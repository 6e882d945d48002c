"""Training goes back to weights whose predictions for its rows are finite."""

import numpy as np

from skreg._network.network import Network, residual_reaches
from skreg._problem.columns import Columns

# How large a hidden unit's value is, at most, in terms of its input: selu's factor, and
# its lower bound.
ACTIVATION_SLOPE, ACTIVATION_BOUND = 1.06, 1.8


def predictions_are_finite(problem):
    """Whether the network's predictions for all rows of a problem are finite."""
    network = problem.network
    with np.errstate(all="ignore"):
        bound = bound_of_outputs(network, problem.largest_input)
        if bound < min(largest_output(network), problem.largest_raw):
            return True
        return outputs_are_finite(problem, raw_outputs(problem))


def predicts_finite_for_sure(problem, largest):
    """Whether no weights up to `largest` predict anything else, at first sight.

    The bound of `bound_of_outputs`, for the worst of such weights.
    """
    network = problem.network
    if network.statistics is not None:
        # which scale the weights
        return False
    bound, layers = problem.largest_input, network.layer_sizes
    for n_in in layers[:-1]:
        # what comes by a residual or skip connection is no more than the sum before
        passed = bound * n_in * largest + largest
        bound += ACTIVATION_SLOPE * passed + ACTIVATION_BOUND
    if network.skip:
        bound *= 1 + layers[0] * largest
    return 2 * bound < min(largest_output(network), problem.largest_raw)


def raw_outputs(problem):
    """The network's raw outputs for the rows of a problem, (n, n_outputs)."""
    data = problem.data
    return problem.network.predict(data.X, raw=True, subset=data.subset)


def outputs_are_finite(problem, raw):
    """Whether raw outputs, and the predictions that they stand for, are finite."""
    return bool(
        np.isfinite(raw).all()
        and raw.max() < largest_output(problem.network)
        and max(raw.max(), -raw.min()) < problem.largest_raw
    )


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
