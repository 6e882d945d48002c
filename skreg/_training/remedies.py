"""Cause and remedy of a fit that has come to nothing, in words."""

from skreg._problem.columns import Columns
from skreg._problem.regularizers import PENALTIES

# Penalties from here on are named as a cause of a network that learns nothing.
# Decay bounds the weights of adam by its inverse.
STRONG, STRONG_DECAY = 0.01, 1.0


def remedy(verdict, estimator, *, said):
    """Cause and remedy of a fit that has come to nothing.

    Parameters
    ----------
    verdict : Verdict
    estimator : estimator
    said : bool
        Whether training has complained by itself, and so has said what to do about
        max_iter.

    Returns
    -------
    text : str
        "" if nothing is left to be said.
    """
    advice = verdict.columns.advice()
    if advice:
        return advice
    problem = verdict.problem
    settings = problem.settings
    stochastic = estimator.solver != "lbfgs"
    rate = float(estimator.learning_rate_init)
    if stochastic:
        advice = decay_beyond_reason(settings, rate, adam=estimator.solver == "adam")
        if advice:
            return advice
    strong = strong_penalties(settings)
    dropout = max([*settings.dropout, settings.input_dropout])
    if dropout > 0.5:
        strong.append(f"dropout (now {dropout:g})")
    if settings.attack is not None:
        strong.append("the epsilon of adversarial")
    if settings.augmentation or problem.transform is not None:
        strong.append("the strength of augmentation")
    # penalties lead to the constant, and not beyond it
    if strong and not verdict.is_below_constant():
        return f"Lower {' or '.join(strong)}."
    advice = _about_noise(verdict.columns) + _about_training(estimator, rate, said)
    return advice.strip()


def strong_penalties(settings):
    """Penalties that may leave no more than a constant, with their strengths, as texts.

    Parameters
    ----------
    settings : Settings
    """
    strengths = [(p.name, p.largest(settings), STRONG) for p in PENALTIES.values()]
    strengths.append(("weight_decay", settings.weight_decay, STRONG_DECAY))
    return [
        f"{name} (now {value:g})" for name, value, usual in strengths if value > usual
    ]


def _about_noise(columns):
    """That there may be nothing to be learnt, if nothing linear says otherwise."""
    if columns.correlation or columns.multiple_correlation:
        return ""
    return "Nothing linear in X goes with y beyond chance: X may say nothing about y. "


def _about_training(estimator, rate, said):
    """What to change in the training, if it has not said so itself."""
    at_max_iter = estimator._state.history.n_iter >= estimator.max_iter
    if at_max_iter and said:
        return ""
    if estimator.solver == "lbfgs":
        return "Raise max_iter, or start elsewhere by another random_state."
    if at_max_iter:
        return (
            f"Raise max_iter (now {estimator.max_iter}) or learning_rate_init (now "
            f"{rate:g})."
        )
    return (
        f"Try another learning_rate_init (now {rate:g}), raise n_iter_no_change (now "
        f"{estimator.n_iter_no_change}), or take another activation, fewer layers or "
        "batch_norm=True."
    )


def decay_beyond_reason(settings, rate, *, adam):
    """What to lower where a step turns weights around instead of shrinking them."""
    # adam divides l2's gradient by its size
    l2 = 0.0 if adam else max(settings.l2)
    for name, value in [("weight_decay", settings.weight_decay), ("l2", l2)]:
        # a rate above one is itself the cause
        if rate * value > 1 >= rate:
            return (
                f"Lower {name} (now {value:g}) or learning_rate_init (now {rate:g}): "
                "a step multiplies weights by 1 minus the product of the two."
            )
    return ""


def remedy_of_divergence(problem, rate, *, adam):
    """The same of a training whose loss is not finite any more."""
    advice = decay_beyond_reason(problem.settings, rate, adam=adam)
    if advice:
        return advice
    about_features = Columns(problem).advice()
    return f"Lower learning_rate_init (now {rate:g}). {about_features}".rstrip()
