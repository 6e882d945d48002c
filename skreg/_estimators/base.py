"""What the two estimators share: parameters, fit, partial_fit.

The way of a fit: check the parameters together (`read_settings`), read the data and
make the network (`_build`), split off the validation part (`_split`), then train (a
`Session`, with the loops of ``_training/stochastic.py``) and set the fitted attributes
(`_publish`). Nothing is changed on the estimator before all checks have passed.
"""

import copy
from abc import ABCMeta, abstractmethod
from functools import partial

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, _fit_context, is_regressor
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.validation import check_is_fitted

from skreg._documentation import DocumentationLinkMixin
from skreg._estimators.callbacks import (
    CallbackSupportMixin,
    FitCallbacks,
    with_callbacks,
)
from skreg._estimators.fine_tunable import FineTunable
from skreg._estimators.fitted import FittedNetwork
from skreg._estimators.linear import LinearModel
from skreg._estimators.members import (
    OfOneNetwork,
    fit_members,
    no_network_of_its_own,
    partial_fit_members,
    refuse_another_number,
)
from skreg._estimators.transaction import (
    TrainingInterrupted,
    atomic,
    settled_state,
    work_on_copies,
)
from skreg._network.fine_tuning import check_method
from skreg._network.network import Network
from skreg._network.sparse_network import SparseNetwork
from skreg._persistence import VersionedMixin
from skreg._problem.augmentation import check_augmentable
from skreg._problem.automatic import (
    PLAIN,
    as_used,
    automatic_values,
    values_for_one_epoch,
)
from skreg._problem.data import (
    KEPT_DTYPES,
    as_csr_for_kernels,
    check_weights,
    heavy_classes,
    kernel_weights,
    parts_for_kernels,
    split_rows,
    take_columns,
    used_rows,
    with_a_row_of_each,
)
from skreg._problem.feature_groups import FeatureGroups
from skreg._problem.input_scaling import (
    InputScaling,
    densely,
    preprocessing_of,
    refuse_constants,
    warn_of_unscalable,
)
from skreg._problem.losses import loss_name
from skreg._problem.parameters import CONSTRAINTS, check_validation_given, read_settings
from skreg._problem.reading import (
    errors_about,
    errors_name_the_column,
    read_data,
    warn_of_lost_digits,
)
from skreg._training.outcome import Verdict, warn_of
from skreg._training.scoring import Score
from skreg._training.session import Session, progress_of, schedule_of
from skreg._training.state import TrainingData, TrainingState
from skreg._training.stochastic import (
    History,
    ValidationLoss,
)


class BaseRegularizedMLP(
    DocumentationLinkMixin,
    VersionedMixin,
    CallbackSupportMixin,
    FittedNetwork,
    FineTunable,
    LinearModel,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Parameters, fit and partial_fit of the two estimators."""

    _parameter_constraints: dict = CONSTRAINTS
    _before = PLAIN

    loss_curve_ = OfOneNetwork("The objective after each epoch.")
    learning_rates_ = OfOneNetwork("The rate of the last step of each epoch.")
    validation_scores_ = OfOneNetwork("Score on the validation data by epoch.")
    validation_losses_ = OfOneNetwork("Loss on the validation data by epoch.")

    def _settled_state(self):
        return settled_state(self)

    # ------------------------------------------------------------------ what differs

    @abstractmethod
    def _encode_targets(self, y, weights, first, classes):
        """Check y and, if `first`, set what encodes and decodes it.

        `classes` are those given to the classifier's partial_fit, or None.

        Returns
        -------
        targets : ndarray
            int32 class numbers (n,), or values (n, n_outputs).
        n_outputs : int
        """

    def _follow_targets(self, trained, X, y, weights, *, incremental=False):
        """Before y is encoded: change what reads it, where training goes on with it.

        Parameters
        ----------
        trained : estimator
            Whose network training goes on with: this one, or the base of fine-tuning.

        Returns
        -------
        change : OutputChange or None
            Of the network's outputs, to go on from.
        """

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

    @abstractmethod
    def _loss(self):
        """The Loss for the targets that were encoded, and its parameter."""

    @abstractmethod
    def _output_bias(self, targets, weights, n_outputs):
        """The raw output of the best constant, (n_outputs,)."""

    def _constant_outputs(self, training):
        """A mask of the outputs whose targets are all the same, or None."""
        return None

    def _largest_raw(self):
        """The largest |raw output| that is finite as a prediction, too."""
        return np.inf

    @abstractmethod
    def _stratify_by(self, y):
        """Labels that keep their shares in a validation split, (n,), or None."""

    def _class_weights(self, y, weights, incremental):
        """The weight of each class, for y to train on; or None, for 1."""
        return None

    def _reweight(self, y, weights, by_class, name):
        """Weights with those of the classes multiplied in; `name` is for errors."""
        return weights

    # What fit learns about y, for reading other y and writing predictions.
    _READING: tuple = ()

    @abstractmethod
    def _reading_of_outputs(self):
        """The same as plain lists and numbers, whose repr is equal where it is."""

    # --------------------------------------------------------------------------- fit

    # How the network was made, if from another's.
    _fine_tuning = None

    @atomic
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train the network on X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training input. CSR is used as it is and never made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes, a multilabel indicator of 0 and 1, or values to predict. y alone
            defines the classes, whatever the weights of its rows.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights s_i >= 0 of the objective; a row of weight zero is left out.
            Weights count relative to their mean.
        X_val, y_val : array-like, default=None
            Data to validate on where there is ``early_stopping``, instead of a part of
            X and y. Both or neither.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation rows.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, or the data, is out of range, or if parameters exclude
            each other. Raised before training starts.
        KeyboardInterrupt
            If Ctrl-C ends the training. The estimator is fitted then, and keeps what
            it has learnt until then. After any other error it is as it was before.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If training ends at ``max_iter``, or diverges and is stopped; or if the
            predictions for the training rows are no better than the best constant
            (unless strong penalties leave no more), or much worse than those of a
            linear model. One warning says all, with cause and remedy.
        """
        given = X, y, sample_weight, (X_val, y_val, sample_weight_val)
        values = automatic_values(
            self,
            X,
            y,
            sample_weight,
            validates=X_val is not None,
            network=self._trained_network() if self.warm_start else None,
        )
        return self._with_values(values, lambda view: view._fit(*given))

    def _with_values(self, values, call):
        """Train with values for the parameters that are "auto".

        Parameters
        ----------
        values : dict
        call : callable
            Of a view of the estimator that has these values; what it learns is taken
            over.

        Returns
        -------
        self : object
        """
        if not values:
            call(self)
            vars(self).pop("automatic_params_", None)
            return self
        view = object.__new__(type(self))
        before = dict(vars(self))
        vars(view).update(before, _given_by=self, automatic_params_=values, **values)
        try:
            call(view)
        except TrainingInterrupted as interrupt:
            self._take_over(view, before)
            interrupt.estimator = self
            raise
        self._take_over(view, before)
        return self

    def _take_over(self, view, before):
        """What a view has learnt, and forgotten."""
        for name in before.keys() - vars(view).keys():
            del vars(self)[name]
        vars(self).update(view._learnt())

    def _learnt(self):
        """All attributes but parameters, of a view."""
        given = {"_given_by", *self._get_param_names()}
        return {name: v for name, v in vars(self).items() if name not in given}

    def _fit(self, X, y, sample_weight, validation):
        """`fit` by parameters none of which is "auto"."""
        if self.n_members > 1:
            fit_members(self, X, y, sample_weight, validation)
            return
        if self.warm_start:
            refuse_another_number(self)
        goes_on = self.warm_start and self._can_go_on()
        if goes_on:
            work_on_copies(self)
        settings = self._read_settings(goes_on)
        check_validation_given(self, *validation)
        given = X, y, sample_weight
        X, y = self._read(X, y, reset=not goes_on)
        weights = check_weights(sample_weight, X)
        training = self._build(X, y, weights, settings, goes_on)
        problem = self._problem_with_validation(training, settings, *validation)
        self._run_schedule(problem, settings, *given)
        vars(self).pop("members_", None)

    def _fit_on(self, X, y, weights, validation, callbacks, split):
        """`fit` of a member, on data that the ensemble has read and checked.

        Parameters
        ----------
        X, y : as `_read` gives them
        weights : ndarray of shape (n,) or None
        validation : tuple
            X_val, y_val and their weights, or None three times.
        callbacks : FitCallbacks
        split : (ndarray, ndarray) or None
            Rows to train on and to validate on.

        Returns
        -------
        training : StochasticTraining or LBFGSTraining
            What it has come to; it warns of nothing.
        problem : Problem
        """
        goes_on = self.warm_start and self._can_go_on()
        settings = self._read_settings(goes_on)
        training = self._build(X, y, weights, settings, goes_on)
        problem = self._problem_with_validation(
            training, settings, *validation, split=split
        )
        session = Session(self)
        session.begin_schedule()
        solved = session.solve(problem, callbacks)
        self._publish(settings)
        return solved, problem

    def _run_schedule(self, problem, settings, X, y, sample_weight):
        """Train for max_iter epochs, with the schedule from its beginning."""
        Session(self).begin_schedule()
        self._train(problem, settings, self.max_iter, X, y, sample_weight)

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """One epoch, going on from where the last call ended."""
        return self._with_values(
            values_for_one_epoch(self, X, self._trained_network()),
            lambda view: view._train_one_epoch(X, y, sample_weight, classes),
        )

    def _train_one_epoch(self, X, y, sample_weight, classes):
        """The same by parameters none of which is "auto"."""
        if self.n_members > 1:
            partial_fit_members(self, X, y, sample_weight, classes)
            return
        refuse_another_number(self)
        goes_on = self._can_go_on()
        if goes_on:
            work_on_copies(self)
        given = X, y, sample_weight
        settings = self._read_settings(goes_on)
        X, y = self._read(X, y, reset=not goes_on)
        weights = check_weights(sample_weight, X)
        problem = self._next_epoch(X, y, weights, classes, settings, goes_on)
        self._train(problem, settings, 1, *given, incremental=True)

    def _partial_fit_on(self, X, y, weights, classes, callbacks):
        """`partial_fit` of a member; see `_fit_on`."""
        goes_on = self._can_go_on()
        settings = self._read_settings(goes_on)
        problem = self._next_epoch(X, y, weights, classes, settings, goes_on)
        solved = Session(self).solve(problem, callbacks, incremental=True)
        self._publish(settings)
        return solved, problem

    def _next_epoch(self, X, y, weights, classes, settings, goes_on):
        """The problem of one epoch of `partial_fit`, and its state."""
        training = self._build(
            X, y, weights, settings, goes_on, incremental=True, classes=classes
        )
        session = Session(self)
        session.carry_on_schedule()
        return session.problem(training, used_rows(training.weights), settings)

    def _train(
        self, problem, settings, n_tasks, X, y, sample_weight, incremental=False
    ):
        """Run the solver on a problem and set the fitted attributes."""
        callbacks = FitCallbacks(
            self,
            X,
            y,
            sample_weight,
            max_iter=n_tasks,
            snapshot=partial(self._snapshot, settings),
        )
        with callbacks.fit():
            training = Session(self).solve(problem, callbacks, incremental=incremental)
            self._publish(settings)
            if training.interrupted:
                raise TrainingInterrupted(
                    f"Training was interrupted after {training.interrupted}; the "
                    "estimator is fitted and keeps what it has learnt so far.",
                    self,
                )
        # a part of the epochs that partial_fit is called for may explain nothing yet
        try:
            verdict = None if incremental else Verdict(problem)
            warn_of(training.complaint, verdict, self)
        except KeyboardInterrupt:
            raise TrainingInterrupted(
                "The judgement of the training was interrupted; the estimator is "
                "fitted.",
                self,
            ) from None

    def _publish(self, settings):
        """Set the fitted attributes that are not properties."""
        vars(self).update(Session(self).figures(settings))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # what changes the rows of a batch would leave no zeros in them
        tags.input_tags.sparse = self.augmentation is None and self.adversarial is None
        return tags

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

    def _complete(self):
        """What schedules and progress of an older version lack, new ones have."""
        if not hasattr(self, "n_features_in_") or hasattr(self, "members_"):
            return []
        missing = [
            name
            for name in ("_network", "_state", *self._READING)
            if not hasattr(self, name)
        ]
        if missing:
            return missing
        state = self._state
        used = as_used(self)
        for kept, new in [
            (state.schedule, schedule_of(used)),
            (state.loss_progress, progress_of(used)),
        ]:
            if type(kept) is type(new):
                vars(kept).update(vars(new) | vars(kept))
        return []

    def _snapshot(self, settings):
        """Attributes with which a copy is fitted as if training ended now."""
        figures = Session(self).figures(settings)
        figures = {name: copy.copy(value) for name, value in figures.items()}
        return {"_network": copy.deepcopy(self._network), **figures}

    def _read_settings(self, goes_on):
        """The settings; of a fine-tuned network that is trained on, for its layers."""
        settings = read_settings(self)
        if not goes_on:
            self.__dict__.pop("_fine_tuning", None)
        if self._fine_tuning is None:
            return settings
        check_method(self, settings, self._fine_tuning.options.method)
        return self._fine_tuning.settings(settings, self._network)

    # -------------------------------------------------------------------------- data

    def _build(
        self, X, y, weights, settings, goes_on=False, *, incremental=False, classes=None
    ):
        """Make the network and the state, or check those that go on.

        X and y are as `_read` gives them, weights are checked.
        """
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
        return training

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
        settings.feature_groups = FeatureGroups.of(self.feature_groups, X.shape[1])
        targets, n_outputs = self._encode_targets(y, weights, reset, classes)
        by_class = self._class_weights(y, weights, incremental)
        weights = self._reweight(y, weights, by_class, "sample_weight")
        training = TrainingData(X, y, self._kernel_targets(targets), weights, by_class)
        layer_sizes = [X.shape[1], *settings.hidden_layer_sizes, n_outputs]
        return training, targets, layer_sizes

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
        if sparse.issparse(X):
            scales = self.preprocessing == "robust"
            X = densely(X) if scales else as_csr_for_kernels(X)
        return X, y

    def _check_fitted(self, what="network"):
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

    def _kernel_targets(self, targets):
        """Class numbers stay int32; values take the network's dtype."""
        if targets.dtype == np.int32:
            return targets
        # what is too large was refused, but in rows of weight zero, which nothing reads
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(targets, dtype=np.dtype(self.dtype))

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

    def _problem_with_validation(
        self, training, settings, X_val, y_val, sample_weight_val, *, split=None
    ):
        """The problem, with the validation data given or split off.

        `split` are rows to train on and rows to validate on; None draws them.
        """
        rows = used_rows(training.weights)
        validation = ()
        if X_val is not None:
            validation = self._validation_given(
                training, X_val, y_val, sample_weight_val
            )
        elif self.early_stopping:
            rows, *validation = self._split(training, rows, split)
        return Session(self).problem(training, rows, settings, *validation)

    # -------------------------------------------------------------------- validation

    def _split(self, training, rows, split=None):
        """Split off rows to validate on; return (rows to train on, score, loss)."""
        if split is None:
            labels = self._stratify_by(training.y)
            random_state = np.random.RandomState(self._state.key)
            split = split_rows(
                rows,
                training.X.shape[0],
                fraction=self.validation_fraction,
                random_state=random_state,
                labels=labels,
            )
            if training.by_class is not None:
                heavy = heavy_classes(labels, training.weights, len(self.classes_))
                split = with_a_row_of_each(*split, labels, heavy, random_state)
        rows, held_out = split
        loss = self._validation_loss(training, held_out)
        if self.scoring == "loss":
            return rows, loss.score, loss
        weights = None if training.weights is None else training.weights[held_out]
        score = self._scorer_score(training.X[held_out], training.y[held_out], weights)
        return rows, score, loss

    def _validation_given(self, training, X, y, sample_weight):
        """(Score, loss) on the data that the user gave for validation.

        Classes have the weights that they have in training, as where it is split off.
        """
        with errors_about("X_val", "y_val"):
            X, y = self._read(X, y, reset=False)
            weights = check_weights(sample_weight, X, "sample_weight_val")
            targets, _ = self._encode_targets(y, weights, False, None)
            weights = self._reweight(y, weights, training.by_class, "sample_weight_val")
            given = TrainingData(X, y, self._kernel_targets(targets), weights)
            loss = self._validation_loss(given, used_rows(weights))
        if self.scoring == "loss":
            return loss.score, loss
        return self._scorer_score(X, y, weights), loss

    def _validation_loss(self, validation, rows):
        network = self._network
        weights = kernel_weights(validation.weights, rows, network.dtype)
        data = network.data(validation.X, validation.targets, weights, rows)
        return ValidationLoss(network, data)

    def _scorer_score(self, X, y, weights):
        """The user's score of the weights now, which has been tried out."""
        score = Score(self, X, y, weights)
        score.try_out()
        return score
