"""Plots of regularization paths."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg.inspection._axes import axes_for

KINDS = ("features", "losses", "nonzero")


class RegularizationPathDisplay:
    """Plot of a regularization path, in the manner of scikit-learn's displays.

    Make one with `from_path` or `from_estimator`. Needs matplotlib.

    Parameters
    ----------
    path : RegularizationPath
        What is plotted, against the strength.
    scores : ndarray of shape (n_alphas, n_folds) or None, default=None
        Scores of cross-validation.
    alpha : float or None, default=None
        The strength that was chosen.
    feature_names : sequence of str or None, default=None
        Labels of the features; None has no legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the curves, after `plot`.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        The curves.
    chosen_line_ : matplotlib Line2D or None
        The vertical line at ``alpha``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import RegularizedMLPRegressor, regularization_path
    >>> from skreg.inspection import RegularizationPathDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RegularizedMLPRegressor((), solver="lbfgs", l2=0.0)
    >>> path = regularization_path(model, X, y, alphas=10)
    >>> display = RegularizationPathDisplay.from_path(path)
    >>> display.ax_.get_xlabel(), len(display.lines_)
    ('l1', 10)
    """

    def __init__(self, *, path, scores=None, alpha=None, feature_names=None):
        self.path = path
        self.scores = scores
        self.alpha = alpha
        self.feature_names = feature_names

    @classmethod
    def from_path(cls, path, *, kind="features", feature_names=None, ax=None, **line):
        """Plot what `regularization_path` has returned.

        Parameters
        ----------
        path : RegularizationPath
            The path.
        kind, ax, **line
            As in `plot`.
        feature_names : sequence of str or None, default=None
            Labels of the features.

        Returns
        -------
        display : RegularizationPathDisplay
            After `plot`.
        """
        return cls(path=path, feature_names=feature_names).plot(
            kind=kind, ax=ax, **line
        )

    @classmethod
    def from_estimator(
        cls, estimator, *, kind="features", feature_names=None, ax=None, **line
    ):
        """Plot the path of an estimator that has chosen its strength.

        Parameters
        ----------
        estimator : RegularizedMLPClassifierCV or RegularizedMLPRegressorCV
            Fitted.
        kind, ax, **line
            As in `plot`.
        feature_names : sequence of str or None, default=None
            Labels of the features; None takes those seen in `fit`, if there are some.

        Returns
        -------
        display : RegularizationPathDisplay
            After `plot`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        check_is_fitted(estimator, "path_")
        if feature_names is None:
            feature_names = getattr(estimator, "feature_names_in_", None)
        display = cls(
            path=estimator.path_,
            scores=estimator.scores_,
            alpha=estimator.alpha_,
            feature_names=feature_names,
        )
        return display.plot(kind=kind, ax=ax, **line)

    def plot(self, *, kind="features", ax=None, **line):
        """Plot one kind of curves against the strength, on a logarithmic axis.

        Parameters
        ----------
        kind : {"features", "losses", "nonzero"}, default="features"
            "features": each feature's weight, where a linear model has one, or else the
            norm of its outgoing weights. "losses": the training loss, and minus the
            scores on validation data or on the folds, these with a band of one standard
            error. "nonzero": how many features are left.
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        display : RegularizationPathDisplay
            This one.

        Raises
        ------
        ImportError
            Without matplotlib: ``pip install "skreg[plot]"``.
        ValueError
            If ``kind`` is none of the three.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}; got {kind!r}.")
        ax = axes_for(self, ax)
        draw = getattr(self, f"_plot_{kind}")
        self.lines_ = draw(ax, line)
        self.chosen_line_ = None
        if self.alpha is not None:
            self.chosen_line_ = ax.axvline(
                self.alpha, color="grey", linestyle="--", linewidth=1
            )
        ax.set(xscale="log", xlabel=self.path.param)
        if any(not text.get_label().startswith("_") for text in self.lines_):
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_features(self, ax, line):
        W = self.path.coefs[0]
        if len(self.path.coefs) == 1 and W.shape[2] == 1:
            curves, name = W[:, :, 0], "Weight"
        else:
            curves, name = np.linalg.norm(W, axis=2), "Norm of outgoing weights"
        lines = ax.plot(self.path.alphas, curves, **line)
        if self.feature_names is not None:
            for curve, label in zip(lines, self.feature_names, strict=True):
                curve.set_label(label)
        ax.set_ylabel(name)
        return lines

    def _plot_losses(self, ax, line):
        alphas = self.path.alphas
        lines = ax.plot(alphas, self.path.losses, **{"label": "training loss"} | line)
        if self.path.validation_scores is not None:
            label = {"label": "- validation score"}
            lines += ax.plot(alphas, -self.path.validation_scores, **label | line)
        if self.scores is not None:
            mean = -self.scores.mean(axis=1)
            lines += ax.plot(alphas, mean, **{"label": "- score of the folds"} | line)
            n_folds = self.scores.shape[1]
            if n_folds > 1:
                error = self.scores.std(axis=1, ddof=1) / np.sqrt(n_folds)
                color = lines[-1].get_color()
                ax.fill_between(alphas, mean - error, mean + error, alpha=0.2, fc=color)
        ax.set_ylabel("Loss")
        return lines

    def _plot_nonzero(self, ax, line):
        ax.set_ylabel("Features with a weight")
        given = {"drawstyle": "steps-mid"} | line
        return ax.plot(self.path.alphas, self.path.n_nonzero_features, **given)
