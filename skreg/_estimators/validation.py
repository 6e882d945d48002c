"""Rows to validate on: given, or split off those of a fit."""

import numpy as np

from skreg._problem.data import (
    check_weights,
    heavy_classes,
    kernel_weights,
    split_rows,
    used_rows,
    warn_of_rows_far_off,
    with_a_row_of_each,
)
from skreg._problem.reading import errors_about
from skreg._training.scoring import Score
from skreg._training.session import Session
from skreg._training.state import TrainingData
from skreg._training.stochastic import ValidationLoss


class ValidatesOnRows:
    """The validation part of a fit."""

    def _problem_with_validation(
        self,
        training,
        settings,
        X_val,
        y_val,
        sample_weight_val,
        *,
        split=None,
        compares=True,
    ):
        """The problem, with the validation data given or split off.

        `split` are rows to train on and rows to validate on; None draws them. With
        `compares` the user is warned of X_val that is far from X.
        """
        rows = used_rows(training.weights)
        validation = ()
        if X_val is not None:
            validation = self._validation_given(
                training, X_val, y_val, sample_weight_val, compares=compares
            )
        elif self.early_stopping:
            rows, *validation = self._split(training, rows, split)
        return Session(self).problem(training, rows, settings, *validation)

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

    def _validation_given(self, training, X, y, sample_weight, *, compares=True):
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
        if compares:
            warn_of_rows_far_off(training.X, X)
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
