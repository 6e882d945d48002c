"""Networks without hidden layers as scikit-learn's linear models show themselves."""

import numpy as np
from scipy import sparse

from skreg._estimators.available import available_unless_it_raises
from skreg._network.network import read_only


def is_linear(estimator):
    """Whether there is no hidden layer: in the network or, before fit, to be."""
    if "_network" in vars(estimator):
        return len(estimator._network.layer_sizes) == 2
    sizes = estimator.hidden_layer_sizes
    return isinstance(sizes, tuple | list | np.ndarray) and np.shape(sizes) == (0,)


def _refuse_hidden_layers(estimator, name, remedy):
    if not is_linear(estimator):
        raise AttributeError(
            f"{type(estimator).__name__} has {name} only without hidden layers, and "
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r}. {remedy}"
        )


def _check_sparsify(estimator):
    _refuse_hidden_layers(
        estimator,
        "sparsify",
        "Use sparsify_weights(), which stores all coefs_ as sparse matrices.",
    )


class LinearModel:
    """What linear models of scikit-learn have: ``coef_``, ``intercept_``, sparsify."""

    @property
    def coef_(self):
        """Weights in the shape and unit of scikit-learn's linear models.

        Without hidden layers only: ``X @ coef_.T + intercept_`` is the prediction, or
        what the inverse link of the loss is applied to. Read-only, for it is computed
        from ``coefs_``; set these.
        """
        W, _ = self._linear_map("coef_")
        if sparse.issparse(W):
            return read_only(sparse.csr_array(W.T))
        return read_only(W[:, 0] if self._is_flat else np.ascontiguousarray(W.T))

    @property
    def intercept_(self):
        """The constant beside ``coef_``; read-only, as it is computed, too."""
        _, b = self._linear_map("intercept_")
        return float(b[0]) if self._is_flat else read_only(b)

    @property
    def _is_flat(self):
        """Whether the target is one column that is not kept as one."""
        return getattr(self, "_one_dimensional", False)

    def _linear_map(self, name):
        """(W, b) with x W + b the raw output in the target's unit, for all features."""
        self._check_fitted(name)
        _refuse_hidden_layers(
            self, name, "Read coefs_ and intercepts_, one array per layer."
        )
        network = self._network
        W, b = network.coefs[0], network.intercepts[0]
        scale = getattr(self, "_target_scale", None)
        if scale is not None:
            # a target without a scale of its own has scale 1 and mean 0
            W = W.astype(np.float64)
            if sparse.issparse(W):
                W = W @ sparse.diags_array(scale.scale)
            else:
                W = W * scale.scale
            b = scale.invert(b)
        if network.inputs is not None:
            W = self._rows_by_feature(W)
        return W, b

    def _rows_by_feature(self, W):
        """Rows of zeros put in for the features that a pruned network does not read."""
        place = sparse.csr_array(
            (
                np.ones(len(self._network.inputs), W.dtype),
                (self._network.inputs, np.arange(len(self._network.inputs))),
            ),
            shape=(self.n_features_in_, W.shape[0]),
        )
        return place @ W

    @available_unless_it_raises(_check_sparsify)
    def sparsify(self):
        """Store ``coef_`` as a sparse matrix, as scikit-learn's linear models do.

        In place, and without hidden layers only; it is `sparsify_weights`, which any
        network has. `densify` is the way back.

        Returns
        -------
        self : object
            The fitted estimator.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skreg import RegularizedMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = RegularizedMLPClassifier(
        ...     (), solver="lbfgs", l1=0.1, tol=1e-6
        ... ).fit(X, y)
        >>> model.sparsify().coef_.format
        'csr'
        """
        return self.sparsify_weights()
