"""How the weights of each layer are distributed."""

import numpy as np
from scipy import sparse

from skreg.inspection._axes import axes_for, divide, whole_numbers
from skreg.inspection._fitted import fitted_network, layer_names, weight_matrices


class WeightHistogramDisplay:
    """Histograms of the weights, layer by layer, with exact zeros apart.

    An L1 penalty leaves weights that are exactly zero, often most of them. In a common
    histogram their bar would hide the rest, so a line at zero stands for them and the
    title has their number.

    Make one with `from_estimator`. Needs matplotlib.

    Parameters
    ----------
    weights : list of ndarray
        Weights of each matrix, zeros included, of any shape.
    names : list of str
        What each connects.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_matrices,)
        One below the other, after `plot`.
    figure_ : matplotlib Figure
        Their figure.
    zero_lines_ : list of matplotlib Line2D or None
        The line at zero of each, where there are zeros.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.inspection import WeightHistogramDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (20, 10), learning_rate="cosine", learning_rate_init=0.01, max_iter=20,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> WeightHistogramDisplay.from_estimator(model).axes_.shape
    (3,)
    """

    def __init__(self, *, weights, names):
        self.weights = weights
        self.names = names

    @classmethod
    def from_estimator(cls, estimator, *, bins=50, ax=None, **bars):
        """Plot the weights of a fitted estimator.

        Parameters
        ----------
        estimator : object
            A fitted `RegularizedMLPClassifier` or `RegularizedMLPRegressor`, a
            ``Pipeline`` that ends with one, or a search or a
            ``TransformedTargetRegressor`` over these.
        bins : int or array-like, default=50
            Number of bins of each layer, or their edges.
        ax : matplotlib Axes, array-like of them or None, default=None
            As in `plot`.
        **bars
            For matplotlib's ``hist``.

        Returns
        -------
        display : WeightHistogramDisplay
            After `plot`.

        Raises
        ------
        TypeError
            If there is no network in `estimator`.
        NotFittedError
            If it is not fitted.
        """
        network, _ = fitted_network(estimator)
        display = cls(
            weights=[
                W.toarray() if sparse.issparse(W) else np.array(W)
                for W in weight_matrices(network)
            ],
            names=layer_names(network),
        )
        return display.plot(ax=ax, bins=bins, **bars)

    def plot(self, ax=None, *, bins=50, **bars):
        """Plot the histograms.

        Parameters
        ----------
        ax : matplotlib Axes, array-like of them or None, default=None
            One for each matrix; a single one is divided among them. None is a new
            figure.
        bins : int or array-like, default=50
            Number of bins of each layer, or their edges.
        **bars
            For matplotlib's ``hist``.

        Returns
        -------
        display : WeightHistogramDisplay
            This one.

        Raises
        ------
        ImportError
            Without matplotlib: ``pip install "skreg[plot]"``.
        ValueError
            If `ax` is several axes, but not one for each matrix, or a single one that
            cannot be divided.
        """
        n = len(self.weights)
        if ax is None or np.ndim(ax) == 0:
            ax = axes_for(self, ax, figsize=(6.4, 1.0 + 1.6 * n))
            self.axes_ = np.array(divide(ax, [1] * n), dtype=object)
        else:
            self.axes_ = np.ravel(ax)
            if len(self.axes_) != n:
                raise ValueError(
                    f"ax must be one Axes, or one for each of the {n} weight matrices; "
                    f"got {len(self.axes_)}."
                )
        self.zero_lines_ = [
            self._plot_layer(ax, np.ravel(W), name, bins, bars)
            for ax, W, name in zip(self.axes_, self.weights, self.names, strict=True)
        ]
        self.axes_[-1].set_xlabel("Weight")
        self.figure_ = self.axes_[0].figure
        return self

    def _plot_layer(self, ax, W, name, bins, bars):
        """One histogram; return the line that stands for the zeros, or None."""
        nonzero = W[W != 0]
        if len(nonzero):
            ax.hist(nonzero, bins=bins, **{"color": "C0"} | bars)
            whole_numbers(ax.yaxis)
        else:
            ax.set_yticks([])
        ax.set_title(f"{name}: {W.size:,} weights", loc="left", fontsize="medium")
        ax.set_ylabel("Count")
        zeros = W.size - len(nonzero)
        if not zeros:
            return None
        ax.set_title(
            f"{zeros:,} exactly zero ({100 * zeros / W.size:.0f} %)",
            loc="right",
            fontsize="medium",
            color="C1",
        )
        # behind the bars of weights that are nearly zero
        return ax.axvline(0, color="C1", linewidth=2.5, zorder=0)
