"""Adversarial training: small perturbations of the rows that raise the loss most."""

import copy
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skreg._config import check_object
from skreg._documentation import DocumentationLinkMixin
from skreg._persistence import VersionedMixin

__all__ = ["AdversarialTraining", "adversarial_examples"]


class AdversarialTraining(DocumentationLinkMixin, VersionedMixin, BaseEstimator):
    """Train on rows that are perturbed within a ball so that the loss rises.

    Minimises, with the clean weight c and the ball B of radius epsilon,

        c loss(y, f(x)) + (1 - c) max_{d in B} loss(y, f(x + d)).

    The maximum is sought by ``n_steps`` steps of projected gradient ascent: d <-
    project(d + step_size * direction of dloss/dx), where the direction is the sign
    for ``norm="inf"`` and the gradient divided by its norm for ``norm="l2"``. One step
    is the fast gradient sign method. epsilon is in units of the features, so they
    should have a common scale. Dense X only.

    Parameters
    ----------
    epsilon : float, default=0.1
        Radius of the ball, >= 0; 0 is no adversarial training.
    norm : {"inf", "l2"}, default="inf"
        Norm of the ball.
    n_steps : int, default=1
        Steps of the attack, >= 1. Each costs about a forward and a backward pass.
    step_size : float or None, default=None
        Length of a step, > 0. None is epsilon for one step, 1.25 epsilon for one step
        from a random start, and 2.5 epsilon / n_steps for several.
    random_start : bool, default=False
        Whether the attack begins at a random point of the ball.
    clean_weight : float, default=0.5
        Share of the clean loss, in [0, 1]. 0 trains on adversarial examples alone, as
        Madry et al. do, and is cheaper; 1 is no adversarial training.
    bounds : tuple (low, high) or None, default=None
        Range of all features, to which perturbed rows are cut; either may be None.

    References
    ----------
    Goodfellow, Shlens, Szegedy (2015). Explaining and harnessing adversarial examples.
    ICLR.

    Madry, Makelov, Schmidt, Tsipras, Vladu (2018). Towards deep learning models
    resistant to adversarial attacks. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.adversarial import AdversarialTraining
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), adversarial=AdversarialTraining(epsilon=0.05, bounds=(0, 1)),
    ...     max_iter=10, random_state=0,
    ... )
    >>> model.fit(X / 16, y).score(X / 16, y) > 0.9
    True
    """

    _parameter_constraints = {
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "norm": [StrOptions({"inf", "l2"})],
        # each is a pass through the network; more than C counts is refused
        "n_steps": [Interval(Integral, 1, 1_000_000, closed="both")],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
        "random_start": ["boolean"],
        "clean_weight": [Interval(Real, 0, 1, closed="both")],
        "bounds": [tuple, list, None],
    }

    def __init__(
        self,
        epsilon=0.1,
        *,
        norm="inf",
        n_steps=1,
        step_size=None,
        random_start=False,
        clean_weight=0.5,
        bounds=None,
    ):
        self.epsilon = epsilon
        self.norm = norm
        self.n_steps = n_steps
        self.step_size = step_size
        self.random_start = random_start
        self.clean_weight = clean_weight
        self.bounds = bounds


def adversarial_examples(
    estimator,
    X,
    y,
    *,
    epsilon=0.1,
    norm="inf",
    n_steps=1,
    step_size=None,
    random_start=False,
    bounds=None,
    random_state=None,
):
    """Rows within a ball around those of X on which the loss is high.

    The attack that `AdversarialTraining` trains against, on a fitted estimator.

    Parameters
    ----------
    estimator : RegularizedMLPClassifier or RegularizedMLPRegressor
        Fitted. Of a Pipeline, the last step, with X as the step before it gives it.
    X : array-like of shape (n_samples, n_features)
        The rows; not sparse.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their true classes or values.
    epsilon : float, default=0.1
        Radius of the ball, >= 0.
    norm, n_steps, step_size, random_start, bounds
        As in `AdversarialTraining`.
    random_state : int, RandomState instance or None, default=None
        Of the random start.

    Returns
    -------
    X_adversarial : ndarray of shape (n_samples, n_features)
        In the estimator's dtype.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.adversarial import adversarial_examples
    >>> X, y = load_iris(return_X_y=True)
    >>> X = scale(X)
    >>> model = RegularizedMLPClassifier((), solver="lbfgs").fit(X, y)
    >>> X_adversarial = adversarial_examples(model, X, y, epsilon=0.5)
    >>> bool(model.score(X_adversarial, y) < model.score(X, y))
    True
    """
    # the class above is for floors below, the function for fitted estimators
    from skreg._problem.reading import read_data

    settings = AdversarialTraining(
        epsilon,
        norm=norm,
        n_steps=n_steps,
        step_size=step_size,
        random_start=random_start,
        clean_weight=0,
        bounds=bounds,
    )
    attack = checked(settings)
    if not hasattr(estimator, "input_gradient"):
        raise TypeError(
            "estimator must be a fitted RegularizedMLPClassifier or "
            f"RegularizedMLPRegressor; got {type(estimator).__name__}. Of a Pipeline, "
            "pass the last step and X as it is transformed by the others."
        )
    X = read_data(estimator, X, dtype=np.dtype(estimator.dtype), reset=False, copy=True)
    estimator = without_names(estimator)
    if attack is None:
        return X
    shift = np.zeros_like(X)
    if attack.random_start:
        uniform = check_random_state(random_state).uniform
        shift[:] = project(uniform(-epsilon, epsilon, X.shape), attack)
    for _ in range(attack.n_steps):
        perturbed = np.clip(X + shift, attack.lower, attack.upper)
        g = estimator.input_gradient(perturbed, y)
        if attack.l2:
            # of what a feature's unit may make larger than any square root
            g /= np.abs(g).max(axis=1, keepdims=True, initial=np.finfo(g.dtype).tiny)
            lengths = np.linalg.norm(g, axis=1, keepdims=True)
            g /= np.where(lengths > 0, lengths, 1)
        else:
            np.sign(g, out=g)
        shift = project(shift + attack.step_size * g, attack)
    return np.clip(X + shift, attack.lower, attack.upper).astype(X.dtype)


def without_names(estimator):
    """The same estimator for rows that are arrays, whatever it was fitted on."""
    unnamed = copy.copy(estimator)
    unnamed.__dict__.pop("feature_names_in_", None)
    return unnamed


def project(shift, attack):
    """The nearest point of the ball, row by row."""
    if not attack.l2:
        return np.clip(shift, -attack.epsilon, attack.epsilon)
    lengths = np.linalg.norm(shift, axis=1, keepdims=True)
    return shift * np.minimum(1, attack.epsilon / np.where(lengths > 0, lengths, 1))


@dataclass
class Attack:
    """The same as the kernels read it."""

    n_steps: int
    l2: bool
    random_start: bool
    epsilon: float
    step_size: float
    clean_weight: float
    lower: float
    upper: float


def checked(adversarial):
    """The Attack that a value of `adversarial` stands for; None if it is off.

    Raises
    ------
    ValueError
        If it is not an AdversarialTraining, or its parameters are out of range.
    """
    if adversarial is None:
        return None
    if not isinstance(adversarial, AdversarialTraining):
        raise ValueError(
            "adversarial must be None or a skreg.adversarial.AdversarialTraining; got "
            f"{adversarial!r}."
        )
    check_object("adversarial", adversarial)
    lower, upper = checked_bounds(adversarial.bounds)
    if adversarial.epsilon == 0 or adversarial.clean_weight == 1:
        return None
    epsilon, n_steps = float(adversarial.epsilon), int(adversarial.n_steps)
    step_size = adversarial.step_size
    if step_size is None:
        step_size = default_step_size(epsilon, n_steps, adversarial.random_start)
    return Attack(
        n_steps,
        adversarial.norm == "l2",
        bool(adversarial.random_start),
        epsilon,
        float(step_size),
        float(adversarial.clean_weight),
        lower,
        upper,
    )


def default_step_size(epsilon, n_steps, random_start):
    """The usual ones; several steps reach the border from everywhere in the ball."""
    if n_steps > 1:
        return 2.5 * epsilon / n_steps
    return 1.25 * epsilon if random_start else epsilon


def checked_bounds(bounds):
    """(lower, upper), infinite where there is none.

    Raises
    ------
    ValueError
        If these are not two numbers in order.
    """
    if bounds is None:
        return -np.inf, np.inf
    ends = [
        np.sign(k - 0.5) * np.inf if end is None else end
        for k, end in enumerate(bounds)
    ]
    if (
        len(ends) != 2
        or not all(isinstance(end, Real) for end in ends)
        or not ends[0] < ends[1]
    ):
        raise ValueError(
            "bounds of adversarial examples must be None or (low, high) with low < "
            f"high, either of which may be None; got {bounds!r}."
        )
    return float(ends[0]), float(ends[1])
