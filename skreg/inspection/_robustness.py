"""The score of an estimator against the strength of an attack."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import check_array, check_random_state

from skreg._persistence import VersionedMixin
from skreg.adversarial import adversarial_examples, without_names
from skreg.inspection._axes import axes_for


@dataclass
class RobustnessCurve(VersionedMixin):
    """The score of an estimator against the strength of an attack.

    Attributes
    ----------
    epsilons : ndarray of shape (n_epsilons,)
        Radii of the ball.
    scores : ndarray of shape (n_epsilons,)
        Score on adversarial examples of each radius; higher is better.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.inspection import RobustnessCurve
    >>> RobustnessCurve(np.array([0.0, 0.1]), np.array([0.9, 0.4])).scores.min()
    np.float64(0.4)
    """

    epsilons: np.ndarray
    scores: np.ndarray


def robustness_curve(
    estimator,
    X,
    y,
    *,
    epsilons,
    norm="inf",
    n_steps=1,
    step_size=None,
    random_start=False,
    bounds=None,
    scoring=None,
    random_state=None,
):
    """Score an estimator on adversarial examples of growing strength.

    Parameters
    ----------
    estimator : RegularizedMLPClassifier or RegularizedMLPRegressor
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Test rows; not sparse.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their true classes or values.
    epsilons : array-like of shape (n_epsilons,)
        Radii of the ball, >= 0; 0 is the score on X itself.
    norm, n_steps, step_size, random_start, bounds
        Of the attack, as in `skreg.adversarial.AdversarialTraining`: one step is FGSM,
        several are PGD. With ``step_size=None`` it follows epsilon.
    scoring : str, callable or None, default=None
        Any scorer; None is the estimator's own score: accuracy or R^2.
    random_state : int, RandomState instance or None, default=None
        Of the random start.

    Returns
    -------
    curve : RobustnessCurve
        ``epsilons`` and ``scores``.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Madry, Makelov, Schmidt, Tsipras, Vladu (2018). Towards deep learning models
    resistant to adversarial attacks. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.inspection import robustness_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> X = scale(X)
    >>> model = RegularizedMLPClassifier((), solver="lbfgs").fit(X, y)
    >>> curve = robustness_curve(model, X, y, epsilons=[0, 0.25, 0.5])
    >>> bool((np.diff(curve.scores) <= 0).all())
    True
    """
    epsilons = check_array(
        np.atleast_1d(epsilons),
        ensure_2d=False,
        dtype=np.float64,
        input_name="epsilons",
    )
    scorer = check_scoring(estimator, scoring)
    random_state = check_random_state(random_state)
    scores = [
        scorer(
            without_names(estimator),
            adversarial_examples(
                estimator,
                X,
                y,
                epsilon=epsilon,
                norm=norm,
                n_steps=n_steps,
                step_size=step_size,
                random_start=random_start,
                bounds=bounds,
                random_state=random_state,
            ),
            y,
        )
        for epsilon in epsilons
    ]
    return RobustnessCurve(epsilons, np.array(scores))


class RobustnessCurveDisplay:
    """Plot of a robustness curve, in the manner of scikit-learn's displays.

    Make one with `from_estimator`. Needs matplotlib.

    Parameters
    ----------
    epsilons : ndarray of shape (n_epsilons,)
        Radii of the ball.
    scores : ndarray of shape (n_epsilons,)
        Score at each.
    name : str or None, default=None
        Label of the curve.
    score_name : str, default="Score"
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the curve, after `plot`.
    figure_ : matplotlib Figure
        Its figure.
    line_ : matplotlib Line2D
        The curve.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.inspection import RobustnessCurveDisplay
    >>> display = RobustnessCurveDisplay(
    ...     epsilons=np.array([0, 0.1]), scores=np.array([0.9, 0.4])
    ... )
    >>> display.plot().ax_.get_xlabel()
    'epsilon'
    """

    def __init__(self, *, epsilons, scores, name=None, score_name="Score"):
        self.epsilons = epsilons
        self.scores = scores
        self.name = name
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, epsilons, name=None, ax=None, score_name=None, **attack
    ):
        """Score an estimator at each epsilon and plot the curve.

        Parameters
        ----------
        estimator, X, y, epsilons
            As in `robustness_curve`.
        name : str or None, default=None
            Label of the curve; None is the name of the estimator's class.
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        score_name : str or None, default=None
            Label of the vertical axis; None follows ``scoring``.
        **attack
            What else `robustness_curve` takes.

        Returns
        -------
        display : RobustnessCurveDisplay
            After `plot`.
        """
        curve = robustness_curve(estimator, X, y, epsilons=epsilons, **attack)
        if score_name is None:
            scoring = attack.get("scoring")
            score_name = scoring if isinstance(scoring, str) else "Score"
        display = cls(
            epsilons=curve.epsilons,
            scores=curve.scores,
            name=name or type(estimator).__name__,
            score_name=score_name,
        )
        return display.plot(ax=ax)

    def plot(self, ax=None, **line):
        """Plot the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        display : RobustnessCurveDisplay
            This one.

        Raises
        ------
        ImportError
            Without matplotlib: ``pip install "skreg[plot]"``.
        """
        ax = axes_for(self, ax)
        (self.line_,) = ax.plot(
            self.epsilons, self.scores, **{"marker": "o", "label": self.name} | line
        )
        ax.set(xlabel="epsilon", ylabel=self.score_name)
        if self.name is not None:
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
