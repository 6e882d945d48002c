"""What a fit did, epoch by epoch."""

import numpy as np

from skreg.inspection._axes import axes_for, divide, whole_numbers
from skreg.inspection._fitted import fitted_network


class LossCurveDisplay:
    """Plot of a fit: training loss, validation, learning rate, by epoch.

    Make one with `from_estimator`. Needs matplotlib.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Objective after each epoch, as ``loss_curve_``: the mean loss in training, plus
        the penalties.
    validation_scores : array-like of shape (n_validated,) or None, default=None
        Scores of the last ``n_validated`` epochs; higher is better.
    learning_rates : array-like of shape (n_epochs,) or None, default=None
        Rate of each epoch.
    score_name : str, default="loss"
        What the scores are. Of "loss" they are minus the loss, which is plotted beside
        the objective; another score has an axis of its own.
    step_name : str, default="Epoch"
        Label of the horizontal axis.

    Attributes
    ----------
    best_epoch : int or None
        The epoch, from 1, of the highest validation score, whose weights the fit
        restored. None without validation: then the weights are those of the last.
    ax_ : matplotlib Axes
        With the losses, after `plot`.
    score_ax_ : matplotlib Axes or None
        With the scores, on the right, if they are no losses.
    rate_ax_ : matplotlib Axes or None
        With the learning rate, below.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : dict of str to matplotlib Line2D
        "training", and where they were plotted "validation", "learning_rate" and
        "best_epoch".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.inspection import LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), learning_rate_init=0.01, max_iter=20, random_state=0
    ... ).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> display.best_epoch == 1 + np.argmax(model.validation_scores_)
    np.True_
    """

    def __init__(
        self,
        *,
        loss_curve,
        validation_scores=None,
        learning_rates=None,
        score_name="loss",
        step_name="Epoch",
    ):
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores
        self.learning_rates = learning_rates
        self.score_name = score_name
        self.step_name = step_name

    @property
    def best_epoch(self):
        """Epoch of the highest validation score, from 1, or None."""
        if not self._validated:
            return None
        earlier = len(self.loss_curve) - len(self.validation_scores)
        return earlier + 1 + int(np.argmax(self.validation_scores))

    @property
    def _validated(self):
        return self.validation_scores is not None and len(self.validation_scores) > 0

    @classmethod
    def from_estimator(
        cls, estimator, *, learning_rate=False, ax=None, training_line=None
    ):
        """Plot what a fitted estimator's training did.

        Parameters
        ----------
        estimator : object
            A fitted `RegularizedMLPClassifier` or `RegularizedMLPRegressor`, a
            ``Pipeline`` that ends with one, or a search or a
            ``TransformedTargetRegressor`` over these.
        learning_rate : bool, default=False
            Whether to plot the rate too. "lbfgs" has none.
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure. The rate needs a part of it.
        training_line : dict or None, default=None
            For matplotlib's ``plot`` of the training loss.

        Returns
        -------
        display : LossCurveDisplay
            After `plot`.

        Raises
        ------
        TypeError
            If there is no network in `estimator`.
        NotFittedError
            If it is not fitted.
        ValueError
            If the rate of "lbfgs" is asked for.
        """
        network, _ = fitted_network(estimator)
        if learning_rate and network.learning_rates_ is None:
            raise ValueError(
                "learning_rate=True needs a solver that has a rate; this estimator was "
                f"fitted with solver={network.solver!r}. Set learning_rate=False."
            )
        scoring = network.scoring
        display = cls(
            loss_curve=np.array(network.loss_curve_),
            validation_scores=(
                None
                if network.validation_scores_ is None
                else np.array(network.validation_scores_)
            ),
            learning_rates=np.array(network.learning_rates_) if learning_rate else None,
            score_name=scoring if isinstance(scoring, str) else "score",
            step_name="Epoch" if network.solver != "lbfgs" else "Iteration",
        )
        return display.plot(ax=ax, **(training_line or {}))

    def plot(self, ax=None, **training_line):
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        **training_line
            For matplotlib's ``plot`` of the training loss.

        Returns
        -------
        display : LossCurveDisplay
            This one.

        Raises
        ------
        ImportError
            Without matplotlib: ``pip install "skreg[plot]"``.
        """
        ax, self.rate_ax_ = axes_for(self, ax), None
        if self.learning_rates is not None:
            ax, self.rate_ax_ = divide(ax, [3, 1])
        n_epochs = len(self.loss_curve)
        epochs = np.arange(1, n_epochs + 1)
        marker = {"marker": "o"} if n_epochs == 1 else {}
        style = {"color": "C0", "label": "training objective", **marker} | training_line
        self.lines_ = {}
        (self.lines_["training"],) = ax.plot(epochs, self.loss_curve, **style)
        ax.set_ylabel("Loss")
        self.score_ax_ = self._plot_validation(ax, epochs, marker)
        if self._validated:
            # two axes do not know of each other's lines: outside, no place is taken
            outside = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3}
            ax.legend(
                handles=list(self.lines_.values()),
                **{} if self.score_ax_ is None else outside | {"frameon": False},
            )
        self.ax_, self.figure_ = ax, ax.figure
        if self.rate_ax_ is not None:
            self._plot_learning_rate(epochs, marker)
        below = self.rate_ax_ or ax
        below.set_xlabel(self.step_name)
        whole_numbers(below.xaxis)
        return self

    def _plot_validation(self, ax, epochs, marker):
        """Scores and the best epoch; return their axes if they have their own."""
        if not self._validated:
            return None
        scores = np.asarray(self.validation_scores)
        epochs = epochs[-len(scores) :]
        style = {"color": "C1", **marker}
        score_ax = None
        if self.score_name == "loss":
            line = ax.plot(epochs, -scores, label="validation loss", **style)
        else:
            score_ax = ax.twinx()
            name = f"validation {self.score_name.replace('_', ' ')}"
            line = score_ax.plot(epochs, scores, label=name, **style)
            score_ax.set_ylabel(name.capitalize(), color="C1")
            score_ax.spines["right"].set_visible(True)
        (self.lines_["validation"],) = line
        self.lines_["best_epoch"] = ax.axvline(
            self.best_epoch,
            color="0.4",
            linestyle=":",
            label=f"best {self.step_name.lower()}, {self.best_epoch}",
        )
        return score_ax

    def _plot_learning_rate(self, epochs, marker):
        """The rate, in axes of its own below."""
        (self.lines_["learning_rate"],) = self.rate_ax_.plot(
            epochs, self.learning_rates, color="C2", **marker
        )
        self.rate_ax_.set_ylabel("Learning rate")
        self.rate_ax_.set_ylim(bottom=0)
