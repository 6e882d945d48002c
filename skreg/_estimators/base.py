"""What the two estimators share: parameters, fit, partial_fit.

The way of a fit: values for what is "auto" (``as_view.py``), the parameters checked
together (`read_settings`), X and y read (``inputs.py``), the network made
(``building.py``), the validation part split off (``validation.py``), then trained (a
`Session`, with the loops of ``_training/stochastic.py``), and the fitted attributes set
(`_publish`). Nothing is changed on the estimator before all checks have passed.
"""

import copy
from functools import partial

from sklearn.base import BaseEstimator, _fit_context

from skreg._documentation import DocumentationLinkMixin
from skreg._estimators.as_view import TrainsAsAView
from skreg._estimators.building import BuildsNetwork
from skreg._estimators.callbacks import (
    CallbackSupportMixin,
    FitCallbacks,
    with_callbacks,
)
from skreg._estimators.fine_tunable import FineTunable
from skreg._estimators.fitted import FittedNetwork
from skreg._estimators.inputs import ReadsData
from skreg._estimators.linear import LinearModel
from skreg._estimators.members import (
    OfOneNetwork,
    fit_members,
    partial_fit_members,
    refuse_another_number,
)
from skreg._estimators.targets import ReadsTargets
from skreg._estimators.transaction import (
    TrainingInterrupted,
    atomic,
    settled_state,
    work_on_copies,
)
from skreg._estimators.validation import ValidatesOnRows
from skreg._persistence import VersionedMixin
from skreg._problem.automatic import (
    PLAIN,
    as_used,
    automatic_values,
    values_for_one_epoch,
)
from skreg._problem.data import (
    check_weights,
    used_rows,
)
from skreg._problem.parameters import CONSTRAINTS, check_validation_given
from skreg._training.outcome import Verdict, warn_of
from skreg._training.session import Session, progress_of, schedule_of


class BaseRegularizedMLP(
    DocumentationLinkMixin,
    VersionedMixin,
    CallbackSupportMixin,
    ReadsTargets,
    ReadsData,
    BuildsNetwork,
    ValidatesOnRows,
    TrainsAsAView,
    FittedNetwork,
    FineTunable,
    LinearModel,
    BaseEstimator,
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
        training, settings = self._build(X, y, weights, settings, goes_on)
        problem = self._problem_with_validation(training, settings, *validation)
        self._run_schedule(problem, *given)
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
        training, settings = self._build(X, y, weights, settings, goes_on)
        problem = self._problem_with_validation(
            training, settings, *validation, split=split, compares=False
        )
        session = Session(self)
        session.begin_schedule()
        solved = session.solve(problem, callbacks)
        self._publish(problem)
        return solved, problem

    def _run_schedule(self, problem, X, y, sample_weight):
        """Train for max_iter epochs, with the schedule from its beginning."""
        Session(self).begin_schedule()
        self._train(problem, self.max_iter, X, y, sample_weight)

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
        self._train(problem, 1, *given, incremental=True)

    def _partial_fit_on(self, X, y, weights, classes, callbacks):
        """`partial_fit` of a member; see `_fit_on`."""
        goes_on = self._can_go_on()
        settings = self._read_settings(goes_on)
        problem = self._next_epoch(X, y, weights, classes, settings, goes_on)
        solved = Session(self).solve(problem, callbacks, incremental=True)
        self._publish(problem)
        return solved, problem

    def _next_epoch(self, X, y, weights, classes, settings, goes_on):
        """The problem of one epoch of `partial_fit`, and its state."""
        training, settings = self._build(
            X, y, weights, settings, goes_on, incremental=True, classes=classes
        )
        session = Session(self)
        session.carry_on_schedule()
        return session.problem(training, used_rows(training.weights), settings)

    def _train(self, problem, n_tasks, X, y, sample_weight, incremental=False):
        """Run the solver on a problem and set the fitted attributes."""
        callbacks = FitCallbacks(
            self,
            X,
            y,
            sample_weight,
            max_iter=n_tasks,
            snapshot=partial(self._snapshot, problem),
        )
        with callbacks.fit():
            training = Session(self).solve(problem, callbacks, incremental=incremental)
            self._publish(problem)
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

    def _publish(self, problem):
        """Set the fitted attributes that are not properties."""
        vars(self).update(Session(self).figures(problem.settings))

    def _snapshot(self, problem):
        """Attributes with which a copy is fitted as if training ended now."""
        figures = Session(self).figures(problem.settings)
        figures = {name: copy.copy(value) for name, value in figures.items()}
        return {"_network": copy.deepcopy(self._network), **figures}

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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # what changes the rows of a batch would leave no zeros in them
        tags.input_tags.sparse = self.augmentation is None and self.adversarial is None
        return tags
