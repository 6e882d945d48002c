"""Which features a network uses, and how much."""

from numbers import Integral

import numpy as np

from skreg.inspection._axes import axes_for
from skreg.inspection._fitted import feature_names, fitted_network


class FeatureImportancesDisplay:
    """Plot of the features' importances, selected and dropped ones apart.

    The importance of a feature is the norm of its outgoing weights, as in
    ``feature_importances_``; a feature is dropped if all of these are exactly zero.
    Lengths compare features that have a common scale.

    Make one with `from_estimator`. Needs matplotlib.

    Parameters
    ----------
    importances : array-like of shape (n_features,)
        Norms, >= 0.
    selected : array-like of bool of shape (n_features,)
        Which features the network uses.
    names : array-like of str of shape (n_features,)
        Their names.

    Attributes
    ----------
    shown_ : ndarray of int of shape (n_shown,)
        Indices of the features in the plot, the most important first, after `plot`.
    ax_ : matplotlib Axes
        With the bars.
    figure_ : matplotlib Figure
        Its figure.
    bars_ : matplotlib BarContainer
        Importances of the features in ``shown_``.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.inspection import FeatureImportancesDisplay
    >>> display = FeatureImportancesDisplay(
    ...     importances=np.array([0.5, 0.0, 2.0]),
    ...     selected=np.array([True, False, True]),
    ...     names=["age", "height", "weight"],
    ... )
    >>> display.plot(max_features=2).shown_
    array([2, 0])
    >>> display.ax_.get_title()
    '2 of 3 features selected, the first 2 shown'
    """

    def __init__(self, *, importances, selected, names):
        self.importances = importances
        self.selected = selected
        self.names = names

    @classmethod
    def from_estimator(cls, estimator, *, names=None, max_features=20, ax=None, **bars):
        """Plot the importances of a fitted estimator.

        Parameters
        ----------
        estimator : object
            A fitted `RegularizedMLPClassifier` or `RegularizedMLPRegressor`, a
            ``Pipeline`` that ends with one, or a search or a
            ``TransformedTargetRegressor`` over these.
        names : array-like of str of shape (n_features,) or None, default=None
            Names of the network's features. None are those of X, where it had names,
            as they leave the steps before the network; else x0, x1, ...
        max_features : int or None, default=20
            The most important features that are plotted; None is all.
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        **bars
            For matplotlib's ``barh``.

        Returns
        -------
        display : FeatureImportancesDisplay
            After `plot`.

        Raises
        ------
        TypeError
            If there is no network in `estimator`.
        NotFittedError
            If it is not fitted.
        ValueError
            If `names` or `max_features` do not fit.
        """
        network, steps = fitted_network(estimator)
        importances = np.asarray(network.feature_importances_)
        if names is None:
            names = feature_names(network, steps)
        elif len(names) != len(importances):
            raise ValueError(
                f"names must have one name for each of the network's "
                f"{len(importances)} features; got {len(names)}. Leave it at None to "
                "take those of X."
            )
        display = cls(
            importances=importances,
            selected=importances > 0,
            names=np.asarray(names, dtype=object),
        )
        return display.plot(ax=ax, max_features=max_features, **bars)

    def plot(self, ax=None, *, max_features=20, **bars):
        """Plot the bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        max_features : int or None, default=20
            The most important features that are plotted; None is all.
        **bars
            For matplotlib's ``barh``.

        Returns
        -------
        display : FeatureImportancesDisplay
            This one.

        Raises
        ------
        ImportError
            Without matplotlib: ``pip install "skreg[plot]"``.
        ValueError
            If `max_features` is out of range.
        """
        if max_features is not None and not (
            isinstance(max_features, Integral) and max_features >= 1
        ):
            raise ValueError(
                f"max_features must be an integer >= 1 or None; got {max_features!r}. "
                "None plots all features."
            )
        importances = np.asarray(self.importances)
        selected = np.asarray(self.selected)
        # stable, so that the dropped ones keep the order of the features
        self.shown_ = np.argsort(-importances, kind="stable")[:max_features]
        n = len(self.shown_)
        ax = axes_for(self, ax, figsize=(6.4, 1.3 + 0.24 * max(n, 5)))
        rows = np.arange(n)
        self.bars_ = ax.barh(
            rows, importances[self.shown_], **{"height": 0.7, "color": "C0"} | bars
        )
        ax.set_yticks(rows, [str(self.names[j]) for j in self.shown_])
        dropped = rows[~selected[self.shown_]]
        if len(dropped):
            # a bar of length zero cannot be seen
            ax.plot(
                np.zeros(len(dropped)),
                dropped,
                linestyle="none",
                marker="x",
                color="0.5",
                clip_on=False,
                zorder=3,
                label="dropped: all its weights are zero",
            )
            for row in dropped:
                ax.get_yticklabels()[row].set_color("0.5")
            ax.legend(loc="lower right")
        ax.tick_params(axis="y", length=0, pad=8)
        ax.set_ylim(n - 0.4, -0.6)
        ax.set_xlim(left=0)
        ax.set_xlabel("Norm of the feature's outgoing weights")
        title = f"{selected.sum():,} of {len(selected):,} features selected"
        if n < len(selected):
            title += f", the first {n} shown"
        ax.set_title(title)
        self.ax_, self.figure_ = ax, ax.figure
        return self
