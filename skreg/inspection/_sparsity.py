"""How many weights of each layer are zero."""

import numpy as np
from scipy import sparse

from skreg.inspection._axes import axes_for
from skreg.inspection._fitted import fitted_network, layer_names, weight_matrices


class SparsityDisplay:
    """Plot of the share of weights that are exactly zero, layer by layer.

    Make one with `from_estimator`. Needs matplotlib.

    Parameters
    ----------
    zeros : array-like of int of shape (n_matrices,)
        Weights of each matrix that are exactly zero.
    shapes : list of tuple of int
        Shape (n_in, n_out) of each.
    names : list of str
        What each connects.

    Attributes
    ----------
    shares : ndarray of shape (n_matrices,)
        Share of zeros of each matrix, in [0, 1].
    ax_ : matplotlib Axes
        With the bars, after `plot`.
    figure_ : matplotlib Figure
        Its figure.
    bars_ : matplotlib BarContainer
        The shares of zeros.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.inspection import SparsityDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), l1=0.02, learning_rate_init=0.01, max_iter=200, random_state=0
    ... ).fit(X, y)
    >>> display = SparsityDisplay.from_estimator(model)
    >>> display.names
    ['inputs → hidden', 'hidden → output']
    >>> (display.shares > 0.5).all()
    np.True_
    """

    def __init__(self, *, zeros, shapes, names):
        self.zeros = zeros
        self.shapes = shapes
        self.names = names

    @property
    def shares(self):
        """Share of zeros of each matrix."""
        return np.asarray(self.zeros) / [n_in * n_out for n_in, n_out in self.shapes]

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **bars):
        """Plot the shares of zeros of a fitted estimator.

        Parameters
        ----------
        estimator : object
            A fitted `RegularizedMLPClassifier` or `RegularizedMLPRegressor`, a
            ``Pipeline`` that ends with one, or a search or a
            ``TransformedTargetRegressor`` over these.
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        **bars
            For matplotlib's ``barh`` of the zeros.

        Returns
        -------
        display : SparsityDisplay
            After `plot`.

        Raises
        ------
        TypeError
            If there is no network in `estimator`.
        NotFittedError
            If it is not fitted.
        """
        network, _ = fitted_network(estimator)
        matrices = weight_matrices(network)
        display = cls(
            zeros=np.array([W.shape[0] * W.shape[1] - _nonzeros(W) for W in matrices]),
            shapes=[W.shape for W in matrices],
            names=layer_names(network),
        )
        return display.plot(ax=ax, **bars)

    def plot(self, ax=None, **bars):
        """Plot the bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        **bars
            For matplotlib's ``barh`` of the zeros.

        Returns
        -------
        display : SparsityDisplay
            This one.

        Raises
        ------
        ImportError
            Without matplotlib: ``pip install "skreg[plot]"``.
        """
        n = len(self.names)
        ax = axes_for(self, ax, figsize=(6.4, 1.4 + 0.6 * n))
        rows = np.arange(n)
        style = {"height": 0.6, "color": "C0", "label": "exactly zero"} | bars
        ax.barh(rows, np.ones(n), height=style["height"], color="0.92")
        self.bars_ = ax.barh(rows, self.shares, **style)
        for row, share in zip(rows, self.shares, strict=True):
            # within the bar where there is room, else beside it
            inside = share > 0.2
            ax.text(
                share - 0.01 if inside else share + 0.01,
                row,
                f"{100 * share:.1f} %",
                ha="right" if inside else "left",
                va="center",
                color="white" if inside else "0.2",
            )
        labels = [
            f"{name}\n{n_in:,} × {n_out:,}"
            for name, (n_in, n_out) in zip(self.names, self.shapes, strict=True)
        ]
        ax.set_yticks(rows, labels)
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1), xlabel="Share of weights that are exactly zero")
        ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _nonzeros(W):
    return W.count_nonzero() if sparse.issparse(W) else int(np.count_nonzero(W))
