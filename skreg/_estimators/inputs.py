"""The rows of a call: read to train on, and read to predict."""

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted

from skreg._estimators.members import no_network_of_its_own
from skreg._problem.augmentation import check_augmentable
from skreg._problem.data import (
    KEPT_DTYPES,
    as_csr_for_kernels,
    parts_for_kernels,
    take_columns,
)
from skreg._problem.input_scaling import densely, preprocessing_of
from skreg._problem.reading import (
    errors_name_the_column,
    read_data,
    warn_of_lost_digits,
)
from skreg._training.state import TrainingData


class ReadsData:
    """X and y of a fit, X of a prediction."""

    def _read(self, X, y, *, reset):
        """X as a C-contiguous array or CSR of the network's dtype; y as it is.

        A network with a scale for X reads an array.
        """
        given = X
        X, y = read_data(
            self,
            given,
            y,
            accept_sparse="csr",
            dtype=np.dtype(self.dtype),
            order="C",
            multi_output=True,
            y_numeric=is_regressor(self),
            reset=reset,
        )
        warn_of_lost_digits(given, X, getattr(self, "feature_names_in_", None))
        if sparse.issparse(y):
            y = y.toarray()
        if reset:
            self._warn_of_targets(y)
        if sparse.issparse(X):
            scales = self.preprocessing == "robust"
            X = densely(X) if scales else as_csr_for_kernels(X)
        return X, y

    def _training_data(
        self, X, y, weights, settings, *, reset, incremental=False, classes=None
    ):
        """The TrainingData, their targets in full precision, and sizes of layers.

        With `reset` y sets how targets are read.
        """
        if settings.attack is not None and sparse.issparse(X):
            raise ValueError(
                f"adversarial={self.adversarial!r} does not support sparse X: a "
                "perturbation has no zeros. Pass X.toarray(), or set adversarial=None."
            )
        check_augmentable(settings.row_functions, settings.augmentation, X)
        targets, n_outputs = self._encode_targets(y, weights, reset, classes)
        by_class = self._class_weights(y, weights, incremental)
        weights = self._reweight(y, weights, by_class, "sample_weight")
        training = TrainingData(X, y, self._kernel_targets(targets), weights, by_class)
        layer_sizes = [X.shape[1], *settings.hidden_layer_sizes, n_outputs]
        return training, targets, layer_sizes

    def _kernel_targets(self, targets):
        """Class numbers stay int32; values take the network's dtype."""
        if targets.dtype == np.int32:
            return targets
        # what is too large was refused, but in rows of weight zero, which nothing reads
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(targets, dtype=np.dtype(self.dtype))

    def _check_fitted(self, what):
        """Raise NotFittedError before fit, and AttributeError where there are members.

        `what` is asked for, which each member has on its own.
        """
        if not hasattr(self, "_network"):
            check_is_fitted(self)
            raise no_network_of_its_own(self, what)

    @property
    def _trained(self):
        """The members, or this estimator, which is the only one."""
        return vars(self).get("members_") or [self]

    def _trained_network(self):
        """The network, or the first member's, which are alike; None before fit."""
        return getattr(self._trained[0], "_network", None)

    def _read_to_predict(self, X):
        """X as an array or CSR of any numeric dtype, not yet looked at for NaN."""
        check_is_fitted(self)
        return read_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[self._trained[0]._network.dtype, *KEPT_DTYPES],
            ensure_all_finite=False,
            reset=False,
        )

    def _network_outputs(self, X, *, raw=False):
        """The network's predictions, or its raw outputs, (n, n_outputs).

        X is as `_read_to_predict` gives it.
        """
        network = self._network
        out = network.empty_outputs(X.shape[0])
        inputs = network.inputs
        gathers = inputs is not None and len(inputs) < X.shape[1]
        fills = preprocessing_of(network) is not None and sparse.issparse(X)
        names = getattr(self, "feature_names_in_", None)
        in_parts = gathers or fills
        for rows, part in parts_for_kernels(X, network.dtype, in_parts=in_parts):
            if fills:
                # zeros are no zeros on the network's scale
                part = part.toarray()
            # checked here, where a number may have become too large for the dtype; the
            # first look is a sum, which may overflow
            with (
                np.errstate(over="ignore", invalid="ignore"),
                errors_name_the_column(part, names=names),
            ):
                assert_all_finite(
                    part, estimator_name=type(self).__name__, input_name="X"
                )
            if gathers:
                part = take_columns(part, inputs)
            network.predict(part, raw=raw, out=out[rows])
        return out
