"""Strengths that tune themselves during a fit: ``l1="auto"`` and ``l2="auto"``.

After each epoch the strength lambda of every weight matrix moves towards a lower loss
on the validation data, by the sign of an approximate derivative, the hypergradient

    d L_val / d log(lambda) = <grad L_val(w), dw / d log(lambda)>.

At a minimum of the training objective, with Hessian H, the implicit function theorem
gives dw / d log(lambda) = -H^-1 p with

    p = lambda w        for the L2 penalty,
    p = lambda sign(w)  for the L1 penalty, on the weights that are not zero

(Bengio 2000; on the support: Bertrand et al. 2020). H^-1 is replaced by the metric of
one optimizer step, a diagonal (for SGD the identity). That is the answer of the very
next step to a change of lambda ("T1-T2", Luketina et al. 2016) and the first term of
the Neumann series of H^-1 (Lorraine et al. 2020). Positive factors that a matrix's
elements have in common, lambda and the learning rate among them, change no sign.

The step in log(lambda) is divided by 1 + the number of times that the sign has changed
(Kesten 1958): it stays long while the strength is on its way and shrinks once that
goes to and fro.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from math import exp, isnan, log

import numpy as np

from skreg._problem.strengths import START

SMALLEST, LARGEST = 1e-5, 1e2
# In log(lambda): a factor of 10 in two epochs, and of 1.05 in one.
LONGEST_STEP, SHORTEST_STEP = log(10) / 2, 0.05


@dataclass
class Strength:
    """The strength of one penalty on one weight matrix.

    Attributes
    ----------
    value : float
    sign : int
        Of the last hypergradient.
    turns : int
        How often it has changed.
    """

    value: float
    sign: int = 0
    turns: int = 0

    def move(self, hypergradient):
        """Step against the sign of the hypergradient.

        It is 0 if no weight is left, where nothing can be learnt: the strength falls,
        so that some return.
        """
        if isnan(hypergradient):
            return
        sign = -1 if hypergradient < 0 else 1
        if sign * self.sign < 0:
            self.turns += 1
        self.sign = sign
        step = max(LONGEST_STEP / (1 + self.turns), SHORTEST_STEP)
        value = self.value * exp(-sign * step)
        self.value = min(max(value, SMALLEST), LARGEST)


def pull(name, W):
    """The direction p / lambda in which a penalty pulls the weights to zero."""
    return np.sign(W) if name == "l1" else W


def metric(optimizer):
    """What one step multiplies the gradient by, up to a common factor; per parameter.

    Adam: 1 / (sqrt(v) + epsilon). SGD: 1.
    """
    if not optimizer.adam:
        return 1.0
    return 1.0 / (np.sqrt(optimizer.second, dtype=np.float64) + optimizer.epsilon)


def hypergradient(name, W, direction):
    """Derivative of L_val by log(lambda) for one matrix, over a positive factor.

    Parameters
    ----------
    name : {"l1", "l2"}
    W : ndarray of shape (n_in, n_out)
        The weights.
    direction : ndarray of shape (n_in, n_out)
        The metric times the gradient of the validation loss by them.
    """
    # a sum, for a dot product may round otherwise with other numbers of threads
    return -float(np.sum(direction * pull(name, W), dtype=np.float64))


@dataclass
class Tuner:
    """Tunes the strengths of a fit.

    Attributes
    ----------
    strengths : dict of list of Strength
        By penalty, one per weight matrix: those of the next epoch.
    kept : dict or None
        Those of the epoch whose weights are kept.
    """

    strengths: dict
    kept: dict | None = None

    @classmethod
    def of(cls, names, n, before):
        """For n weight matrices; goes on from the Tuner of an earlier fit, or None."""
        strengths = {name: [Strength(START[name]) for _ in range(n)] for name in names}
        if before is not None:
            strengths |= {
                name: known
                for name, known in before.strengths.items()
                if name in strengths
            }
        return cls(strengths)

    def strengthened(self, settings):
        """The settings of a fit with the strengths of the next epoch."""
        return replace(
            settings,
            **{
                name: [strength.value for strength in strengths]
                for name, strengths in self.strengths.items()
            },
        )

    def keep(self):
        """Keep the strengths of the epoch that has ended, with its weights."""
        self.kept = deepcopy(self.strengths)

    def restored(self, settings):
        """Go back to the strengths that were kept last; the settings with them."""
        if self.kept is not None:
            self.strengths, self.kept = self.kept, None
        return self.strengthened(settings)

    def epoch_done(self, problem, optimizer):
        """Move every strength by the weights at the end of an epoch.

        Parameters
        ----------
        problem : Problem
            Its settings get the strengths of the next epoch.
        optimizer : Optimizer
        """
        network = problem.network
        with np.errstate(over="ignore", invalid="ignore"):
            directions = problem.validation_loss.gradient() * metric(optimizer)
            for name, strengths in self.strengths.items():
                for strength, W, direction in zip(
                    strengths,
                    network.matrices(),
                    network.matrices(directions),
                    strict=True,
                ):
                    strength.move(hypergradient(name, W, direction))
        problem.settings = self.strengthened(problem.settings)
