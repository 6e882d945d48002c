"""What a fitted network can do: its weights, its features, its sparsity."""

import copy

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.validation import check_is_fitted

from skreg._estimators.transaction import (
    atomic,
    settled,
)
from skreg._network.network import Views, read_only, zero_share
from skreg._network.pruning import pruned as pruned_network
from skreg._network.sparse_network import SparseNetwork
from skreg._problem import cores
from skreg._problem.data import take_columns
from skreg._problem.reading import read_data


class FittedNetwork:
    """Attributes and methods of a fitted estimator beside its predictions."""

    @property
    def coefs_(self):
        """Weight matrices, each (n_in, n_out).

        They can be set in place, or one by one as ``coefs_[0] = W``; predictions and
        further training go by them (with ``weight_averaging`` training goes on from
        weights of its own). After `sparsify_weights` their arrays are read-only, and
        they can be replaced one by one.
        """
        self._check_fitted("coefs_")
        return self._assignable(self._network.coefs)

    @property
    def intercepts_(self):
        """Bias vectors, each (n_out,); they can be set as `coefs_`."""
        self._check_fitted("intercepts_")
        return self._assignable(self._network.intercepts)

    def _assignable(self, arrays):
        """A list in which an assignment reaches the network; a sparse one's own."""
        sparse_weights = isinstance(self._network, SparseNetwork)
        return arrays if sparse_weights else Views(arrays)

    @property
    def skip_coef_(self):
        """Weights from the inputs to the outputs, (n_features, n_outputs), or None."""
        self._check_fitted("skip_coef_")
        return self._network.skip_coef

    @property
    def folded_coefs_(self):
        """Weight matrices of a network without norms that predicts the same.

        They are computed from ``coefs_``, and so read-only.
        """
        self._check_fitted("folded_coefs_")
        return self._computed(self._network.folded()[0])

    @property
    def folded_intercepts_(self):
        """Biases of the same; read-only, too."""
        self._check_fitted("folded_intercepts_")
        return self._computed(self._network.folded()[1])

    def _computed(self, arrays):
        """Arrays in the network's dtype that refuse to be changed, as a tuple does."""
        dtype = self._network.dtype
        return tuple(read_only(array.astype(dtype, copy=False)) for array in arrays)

    def input_gradient(self, X, y):
        """Gradient of each row's loss by its features.

        The loss is the one that is trained, without penalties, dropout and label
        smoothing; of a regressor with ``standardize_target=True``, on that scale.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows; not sparse, for the gradient is not.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their classes or values.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_features)
            d loss(y_i, f(x_i)) / d x_ij; with several members the mean of theirs,
            which is the gradient of their mean loss.

        Raises
        ------
        TypeError
            If X is sparse.
        """
        self = settled(self)
        check_is_fitted(self)
        if hasattr(self, "members_"):
            return np.mean([m.input_gradient(X, y) for m in self.members_], axis=0)
        network = self._network.dense()
        X, y = read_data(
            self,
            X,
            y,
            dtype=network.dtype,
            order="C",
            multi_output=True,
            y_numeric=is_regressor(self),
            reset=False,
        )
        targets, _ = self._encode_targets(y, None, False, None)
        inputs = network.inputs
        read = X if inputs is None else take_columns(X, inputs)
        data = network.data(read, self._kernel_targets(targets))
        threads = cores.wanted(network.operations(X.shape[0], training=True))
        loops = network.engine(threads=threads)
        with cores.borrowed(threads) as granted:
            gradient = loops.input_gradient(
                network.prediction_params, data, np.empty_like(read), threads=granted
            )
        return self._by_feature(gradient)

    @property
    def feature_importances_(self):
        """Norms of the features' outgoing weights, (n_features,).

        Those of the first weight matrix and, with ``skip=True``, of ``skip_coef_``.
        Zero exactly where all of them are. Comparable between features only if the
        network reads them on a common scale. With several members the mean of theirs.
        """
        if hasattr(self, "members_"):
            return np.mean([m.feature_importances_ for m in self.members_], axis=0)
        # in float64, where no square of a float32 is zero
        weights = [W.astype(np.float64) for W in self._outgoing()]
        return self._by_feature(np.sqrt(sum((W * W).sum(axis=1) for W in weights)))

    def _outgoing(self):
        """The weight matrices that the inputs go into."""
        skip = self.skip_coef_
        return [self.coefs_[0]] if skip is None else [self.coefs_[0], skip]

    @property
    def selected_features_(self):
        """Mask of the features with a weight that is not zero, (n_features,).

        With several members those that any of them selects: predictions depend on
        these.
        """
        if hasattr(self, "members_"):
            return np.any([m.selected_features_ for m in self.members_], axis=0)
        used = np.zeros(self.coefs_[0].shape[0], dtype=bool)
        for W in self._outgoing():
            used[W.nonzero()[0]] = True
        return self._by_feature(used)

    @property
    def selected_feature_names_(self):
        """Names of these features, where X had names that are strings."""
        check_is_fitted(self)
        return self.feature_names_in_[self.selected_features_]

    @property
    def sparsity_(self):
        """Share of exact zeros in each weight matrix, list of float.

        With ``skip=True`` that of ``skip_coef_`` is the last. With several members the
        mean of theirs.
        """
        check_is_fitted(self)
        if hasattr(self, "members_"):
            return np.mean([m.sparsity_ for m in self.members_], axis=0).tolist()
        return [zero_share([W]) for W in self._network.matrices()]

    @property
    def zero_share_(self):
        """Share of the weights, biases apart, that are exactly zero.

        With several members that of all their weights together.
        """
        check_is_fitted(self)
        return zero_share([W for m in self._trained for W in m._network.matrices()])

    @property
    def penalty(self):
        """Return "l1" if a penalty can zero all weights of a feature, else "l2".

        :class:`~sklearn.feature_selection.SelectFromModel` reads this attribute. After
        "l1" it keeps the features with an importance above 1e-5, after "l2" those above
        the mean.
        """
        if self.group_l1 > 0:
            return "l1"
        strengths = np.ravel(self.l1)
        outgoing = strengths[[0, -1]] if self.skip else strengths[:1]
        zeroed = all(strength == "auto" or strength > 0 for strength in outgoing)
        return "l1" if zeroed else "l2"

    def _by_feature(self, values):
        """Values for all features, in the last axis; those not read have zero."""
        inputs = self._network.inputs
        if inputs is None:
            return values
        shape = (*values.shape[:-1], self.n_features_in_)
        everywhere = np.zeros(shape, values.dtype)
        everywhere[..., inputs] = values
        return everywhere

    @property
    def n_trained_parameters_(self):
        """Number of parameters that training changes; all unless it was fine-tuned."""
        check_is_fitted(self)
        if hasattr(self, "members_"):
            return sum(m.n_trained_parameters_ for m in self.members_)
        network = self._network.dense()
        if self._fine_tuning is None:
            return network.params.size
        return self._fine_tuning.n_trained(network)

    @atomic
    def sparsify_weights(self):
        """Store the weights as sparse matrices, and skip their zeros in predictions.

        In place, for any network; without hidden layers `sparsify` is the same, as in
        scikit-learn's linear models. ``coefs_`` and ``skip_coef_`` become CSC matrices.
        In memory and on disk a weight then takes its own place and 4 bytes for the
        number of its row, which pays if more than half of the weights are zero, in
        float64 more than a third; in time, only if most are: see
        :doc:`/guide/feature_selection`. Predictions are the same to rounding.

        What the optimizer remembers is dropped, too. To train on, call `densify`;
        Adam's means or the momentum then begin anew. With ``weight_averaging``
        training goes on from the average.

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
        >>> dense = model.predict_proba(X)
        >>> model.sparsify_weights().coefs_[0].format
        'csc'
        >>> abs(model.predict_proba(X) - dense).max() < 1e-5
        np.True_
        """
        check_is_fitted(self)
        if hasattr(self, "members_"):
            self.members_ = [copy.copy(m).sparsify_weights() for m in self.members_]
        elif not isinstance(self._network, SparseNetwork):
            self._network = SparseNetwork(self._network)
            self._state = self._state.without_memory()
        return self

    @atomic
    def densify(self):
        """Store the weights as arrays again, after `sparsify_weights`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        check_is_fitted(self)
        if hasattr(self, "members_"):
            self.members_ = [copy.copy(m).densify() for m in self.members_]
        else:
            self._network = self._network.dense()
        return self

    def prune(self):
        """Return a smaller fitted estimator that predicts the same.

        Left out are hidden units without outgoing weights, or without incoming
        ones (their constant value moves into the biases behind), and features without
        outgoing weights, until nothing can go; with ``residual=True`` a unit goes from
        all layers that its connection joins, or stays. With ``skip=True``, where no
        unit is left, ``skip_coef_`` becomes ``coefs_[0]``. Batch normalization is
        folded into the weights. Predictions are the same to rounding.

        The new estimator takes X with all its features, as this one, but reads only
        ``selected_features_``: ``coefs_[0]`` and ``skip_coef_`` have a row for each of
        these. (One row of zeros, if there are none.) Its parameters are those that were
        trained with, so ``hidden_layer_sizes`` and ``skip`` are not what it has; its
        ``coefs_`` and ``skip_coef_`` say that. It cannot be trained on.

        Returns
        -------
        pruned : object
            A new estimator; this one is as it was.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.preprocessing import scale
        >>> from skreg import RegularizedMLPRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> X = scale(X)
        >>> model = RegularizedMLPRegressor(
        ...     (50,), l1=0.02, learning_rate="one_cycle", learning_rate_init=0.01,
        ...     batch_size=32, max_iter=100, random_state=0,
        ... ).fit(X, y)
        >>> pruned = model.prune()
        >>> pruned.coefs_[0].size < model.coefs_[0].size
        True
        >>> bool(abs(pruned.predict(X) - model.predict(X)).max() < 1e-3)
        True
        """
        self = settled(self)
        check_is_fitted(self)
        pruned = copy.copy(self)
        if hasattr(self, "members_"):
            pruned.members_ = [member.prune() for member in self.members_]
            return pruned
        fitted = {
            name: copy.deepcopy(value)
            for name, value in vars(self).items()
            if name.endswith("_") and not name.startswith("_")
        }
        network = pruned_network(self._network.dense())
        if isinstance(self._network, SparseNetwork):
            network = SparseNetwork(network)
        state = copy.deepcopy(self._state.without_memory())
        # what fine_tune has changed is no part of it any more
        vars(pruned).update(fitted, _network=network, _state=state, _fine_tuning=None)
        pruned.n_layers_ = len(network.layer_sizes)
        return pruned
