"""The network of a fit: a new one, or that of an earlier call if it is as asked for."""

from dataclasses import replace

import numpy as np
from sklearn.utils import check_random_state

from skreg._network.fine_tuning import check_method
from skreg._network.network import Network
from skreg._network.sparse_network import SparseNetwork
from skreg._problem.data import used_rows
from skreg._problem.feature_groups import FeatureGroups
from skreg._problem.input_scaling import (
    InputScaling,
    preprocessing_of,
    refuse_constants,
    warn_of_unscalable,
)
from skreg._problem.losses import loss_name
from skreg._problem.parameters import read_settings
from skreg._training.state import TrainingState
from skreg._training.stochastic import History


class BuildsNetwork:
    """Settings and the network that they describe."""

    # How the network was made, if from another's.
    _fine_tuning = None

    def _read_settings(self, goes_on):
        """The settings; of a fine-tuned network that is trained on, for its layers."""
        settings = read_settings(self)
        if not goes_on:
            self.__dict__.pop("_fine_tuning", None)
        if self._fine_tuning is None:
            return settings
        check_method(self, settings, self._fine_tuning.options.method)
        return self._fine_tuning.settings(settings, self._network)

    def _can_go_on(self):
        """Whether training can go on from here; an error if only in another form."""
        if not hasattr(self, "_network"):
            return False
        if self._network.inputs is not None:
            raise ValueError(
                "Training cannot go on with a pruned network: its parameters do not "
                "describe it. Train on the estimator that it was pruned from and call "
                "prune() again, or set warm_start=False and call fit."
            )
        if isinstance(self._network, SparseNetwork):
            raise ValueError(
                "Training cannot go on with sparse weights. Call densify() first, or "
                "set warm_start=False and call fit."
            )
        return True

    def _build(
        self, X, y, weights, settings, goes_on=False, *, incremental=False, classes=None
    ):
        """Make the network and the state, or check those of an earlier call.

        X and y are as `_read` gives them, weights are checked.

        Returns
        -------
        training : TrainingData
        settings : Settings
            Those given, for this number of features.
        """
        settings = self._for_features(settings, X.shape[1])
        if goes_on:
            self._change_outputs(
                self._follow_targets(self, X, y, weights, incremental=incremental)
            )
        training, targets, layer_sizes = self._training_data(
            X,
            y,
            weights,
            settings,
            reset=not goes_on,
            incremental=incremental,
            classes=classes,
        )
        if goes_on:
            self._check_goes_on(layer_sizes, settings)
        else:
            random_state = check_random_state(self.random_state)
            key = random_state.randint(0, 2**32, size=2, dtype=np.uint32)
            self._state = TrainingState(tuple(int(word) for word in key), History())
            loss, parameter = self._loss()
            self._network = Network(
                layer_sizes,
                settings.activations,
                loss,
                parameter,
                np.dtype(self.dtype),
                batch_norm=settings.batch_norm,
                residual=settings.residual,
                skip=settings.skip,
                scaling=self._input_scaling(X, training.weights, incremental),
            )
            self._network.initialise(
                random_state,
                self._output_bias(targets, training.weights, layer_sizes[-1]),
                # the first rows of many need not be like the others
                None if incremental else self._constant_outputs(training),
            )
        return training, settings

    def _for_features(self, settings, n_features):
        """Settings with what depends on the number of features."""
        groups = FeatureGroups.of(self.feature_groups, n_features)
        return replace(settings, feature_groups=groups)

    def _input_scaling(self, X, weights, incremental):
        """How a new network scales X as it reads it, or None."""
        if self.preprocessing is None:
            return None
        rows = used_rows(weights)
        scaling = InputScaling.of(X, rows)
        warn_of_unscalable(scaling, X, rows, getattr(self, "feature_names_in_", None))
        if incremental:
            refuse_constants(scaling)
        return scaling

    def _check_goes_on(self, layer_sizes, settings):
        """The network of an earlier call must be the one that is asked for now."""
        network = self._network
        loss, parameter = self._loss()
        for name, now, before in [
            ("hidden_layer_sizes", layer_sizes[1:-1], network.layer_sizes[1:-1]),
            ("activation", settings.activations, network.activations),
            ("batch_norm", settings.batch_norm, network.batch_norm),
            ("residual", settings.residual, network.residual),
            ("skip", settings.skip, network.skip),
            ("preprocessing", settings.preprocessing, preprocessing_of(network)),
            ("dtype", np.dtype(self.dtype), network.dtype),
            ("n_outputs", layer_sizes[-1], network.layer_sizes[-1]),
            ("loss", loss_name(loss), loss_name(network.loss)),
            (loss.parameter, parameter, network.loss_parameter),
        ]:
            if now != before:
                raise ValueError(
                    f"Training cannot go on with another {name}: {before!r} before, "
                    f"{now!r} now. Set warm_start=False and call fit, or clone the "
                    "estimator."
                )

    def _change_outputs(self, change):
        """Train on from other outputs, after `_follow_targets`."""
        if change is None:
            return
        network, state = self._network, self._state
        change.apply(network, network.params)
        network.changed()
        if state.iterate is not None:
            # shared with the estimator as it was before the call
            params = state.iterate[0].copy()
            change.apply(network, params)
            state.iterate = (params, *state.iterate[1:])
        if self._fine_tuning is not None and self._fine_tuning.start is not None:
            change.apply(network, self._fine_tuning.start)
        # gradients and losses were those of other targets
        state.optimizer = state.optimizer and state.optimizer.without_memory()
        state.loss_progress = None
