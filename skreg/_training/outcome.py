"""What a fit has come to, judged by the predictions of the network that is kept.

A training loss is of the weights before a step, of normed batches, of disturbed rows.
Here the network predicts its training rows as `predict` does, with folded norms and
averaged or restored weights, and the loss of these predictions is put between two
others: that of the best constant, and that of the targets themselves,

    D2 = (L(constant) - L(predictions)) / (L(constant) - L(targets)),

which is R2 for the squared loss, and the share of deviance explained for the others
(`sklearn.metrics.d2_tweedie_score` and its like). 0 is the constant, 1 is perfect.

A fit fails if it is no better than a constant, unless its penalties ask for one, or if
it keeps less than the promise of the data (than a part of it, for features of order
one). The promise, see `_training/promise.py`, is what a linear model explains.

No better than a constant is a D2 below 1 / n for n rows, which a feature that says
nothing explains by chance (chi square with one degree of freedom), and below LEAST_GAIN
for few rows; without hidden layers, where there are no plateaus, it is one below zero.
Of targets that are noise a constant is the honest answer, and it is said all the same,
for nobody else says that nothing was learnt. It is not said where it is what was asked
for: by penalties so strong that they leave a constant.
"""

import warnings
from functools import cached_property

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg._training.baseline import Baseline
from skreg._training.finiteness import raw_outputs
from skreg._training.promise import LEAST_GAIN, Promise, slope_that_pays
from skreg._training.remedies import remedy, strong_penalties

# Clearly worse than a constant, and not by the chance of the epoch that is kept.
NOISE = -0.1
# The constant itself, but for rounding in float32.
ROUNDING = 1e-6


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
    def promise(self):
        return Promise(self.problem, self.baseline.room)

    @property
    def columns(self):
        return self.promise.columns

    def explained_now(self):
        """D2 of the network's predictions, by its weights now."""
        with np.errstate(all="ignore"):
            return self.baseline.explained(
                self.baseline.of_outputs(raw_outputs(self.problem))
            )

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
            Whether it explains no more than the constant, or than is promised; and,
            if so, whether there is a promise.
        """
        if not self.baseline.room:
            return False, False
        explained = self.baseline.explained(loss)
        if self.promise.is_surely_below(explained):
            return False, False
        promise = self.promise.value
        promising = promise > LEAST_GAIN
        least = promise if promising else LEAST_GAIN
        if explained >= least:
            return False, promising
        return self.explained_now() < least, promising

    def is_below_constant(self):
        """Whether predictions are clearly worse than the best constant."""
        return self.explained_now() < NOISE

    def is_cut_off(self):
        """Whether penalties forbid to learn anything, however strong the signal."""
        return slope_that_pays(self.problem, 1.0) == 0

    def is_due_to_penalties(self):
        """Whether penalties may have led to a constant, by strength or by the data."""
        if self.is_cut_off() or strong_penalties(self.problem.settings):
            return True
        columns = self.columns
        r = max(columns.correlation, columns.multiple_correlation)
        return r > 0 and slope_that_pays(self.problem, r, columns.units) == 0

    def _is_as_asked_for(self, explained):
        """Whether a D2 is that of more than a constant, or of one that is asked for."""
        problem = self.problem
        # a linear model has no plateau: what it explains is what there is
        linear = not problem.network.activations
        least = -ROUNDING if linear else min(LEAST_GAIN, 1 / len(problem.data))
        if explained >= least:
            return True
        # penalties lead to the constant, and not beyond it
        return explained >= -LEAST_GAIN and self.is_due_to_penalties()

    def complaint(self):
        """What there is to say against the network as it is, or None."""
        if not self.baseline.room:
            return self._complaint_about_a_constant()
        explained = self.explained_now()
        if self._is_as_asked_for(explained) and self.promise.is_kept(explained):
            return None
        if explained < LEAST_GAIN:
            said = "no better than the best constant"
        else:
            said = "worse than those of a linear model"
        return (
            f"The network's predictions for its training rows are {said} (D2 "
            f"{explained:.3g})."
        )

    def _complaint_about_a_constant(self):
        """The same where all targets are alike, so that D2 has no meaning."""
        with np.errstate(all="ignore"):
            loss = self.baseline.of_outputs(raw_outputs(self.problem))
        if not self.baseline.is_far_from_constant(loss):
            return None
        return (
            "All training rows that count have the same target, but the predictions "
            "for them are far from it."
        )


def complaint_about(complaint, verdict, estimator):
    """All that there is to say against a fit.

    Parameters
    ----------
    complaint : str or None
        Of the training.
    verdict : Verdict or None
        On the predictions; None does not ask.
    estimator : estimator
        Its parameters are the remedies.

    Returns
    -------
    text : str
        "" if there is nothing.
    """
    said = [complaint or ""]
    failure = None if verdict is None else verdict.complaint()
    if failure is not None:
        cause = remedy(verdict, estimator, said=complaint is not None)
        # what predictions are worth is more than how training ended, which may have
        # given the same cause
        said = [failure, "" if cause in said[0] else cause, *said]
    return " ".join(filter(None, said))


def warn_of(complaint, verdict, estimator):
    """Warn, once, of all that there is to say against a fit; see `complaint_about`."""
    warn_of_text(complaint_about(complaint, verdict, estimator))


def warn_of_text(text):
    """Warn of what there is to say, if there is something."""
    if text:
        warnings.warn(text, ConvergenceWarning, stacklevel=4)
