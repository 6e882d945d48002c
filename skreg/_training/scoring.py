"""Scores of the weights during training, by a scorer of the user's."""

import copy
import warnings
from functools import wraps
from inspect import Parameter, signature
from numbers import Real

import numpy as np
from sklearn.utils.metadata_routing import _routing_enabled
from sklearn.utils.multiclass import type_of_target

from skreg._problem.target_scale import power_of_two

REMEDY = (
    "Use scoring='loss', raise validation_fraction, pass X_val and y_val that it can "
    "score, or take another scorer."
)


def weights_for_metrics(weights):
    """Weights whose sum is no overflow; what is not for a metric is left for its error.

    Only the ratios of weights count, and extreme ones are divided by a power of two.
    """
    array = finite_numbers(weights)
    if array is None or not array.size:
        return weights
    return array / power_of_two(np.abs(array).max())


def values_for_r2(y, predicted):
    """Targets and predictions whose squares neither overflow nor vanish.

    R2 is the same on any scale of an output. The rest as in `weights_for_metrics`.
    """
    true = finite_numbers(y)
    fits = true is not None and true.size == predicted.size
    if not fits or not np.isfinite(predicted).all():
        return y, predicted
    columns = [np.abs(a.reshape(len(predicted), -1)) for a in (true, predicted)]
    unit = power_of_two(np.maximum(*(c.max(axis=0) for c in columns)))
    if unit.size == 1:
        unit = unit[0]
    return true / unit, predicted / unit


def finite_numbers(values):
    """An array-like as floats, or None where it is nothing of the kind."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        return None
    if array.dtype.kind not in "biuf":
        return None
    array = array.astype(np.float64)
    return array if np.isfinite(array).all() else None


def takes_weights(scorer):
    """Whether a scorer is to be given `sample_weight`.

    With metadata routing on it is by its request; otherwise, and where it requests
    nothing, by the signature: of the metric for what `make_scorer` has made, and of a
    function itself.
    """
    if _routing_enabled() and hasattr(scorer, "get_metadata_routing"):
        requested = scorer.get_metadata_routing().score.requests.get("sample_weight")
        if requested is not None:
            return requested is not False
    try:
        parameters = signature(getattr(scorer, "_score_func", scorer)).parameters
    except (TypeError, ValueError):
        # compiled functions have no signature
        return False
    return "sample_weight" in parameters or any(
        p.kind == Parameter.VAR_KEYWORD for p in parameters.values()
    )


def knows_labels(scorer, classes):
    """The scorer, told of all classes if its metric takes probabilities and labels.

    Such a metric cannot know the columns of the probabilities otherwise where a class
    is missing from the rows that it scores.
    """
    metric = getattr(scorer, "_score_func", None)
    methods = np.ravel(getattr(scorer, "_response_method", ()))
    if classes is None or metric is None or "predict_proba" not in methods:
        return scorer
    if "labels" not in signature(metric).parameters or "labels" in scorer._kwargs:
        return scorer
    scorer = copy.copy(scorer)
    scorer._kwargs = scorer._kwargs | {"labels": classes}
    return scorer


class RightAnswers:
    """Predictions of what is right: what no training can do better than.

    A scorer that fails on them fails whatever is learnt.
    """

    @staticmethod
    def given_to(estimator, y):
        """A copy of a fitted estimator that predicts y for len(y) rows."""
        answers = copy.copy(estimator)
        classes = getattr(estimator, "classes_", None)
        tiny = 1e-6
        if classes is None:
            # as no network does, it must not predict whole numbers
            right = {"predict": y + tiny * (1 + np.abs(y))}
        else:
            right = {"predict": y}
            indicator = y if y.ndim == 2 else y[:, None] == classes
            shares = indicator * (1 - 2 * tiny) + tiny
            if y.ndim == 1:
                shares /= shares.sum(axis=1, keepdims=True)
            right |= {"predict_proba": shares, "predict_log_proba": np.log(shares)}
        for name, values in right.items():
            answer = _answer(getattr(estimator, name), values)
            setattr(answers, name, answer)
        return answers


def _answer(method, values):
    # scikit-learn's scorers go by the name
    @wraps(method)
    def predict(X):
        return values.copy() if X.shape[0] == len(values) else method(X)

    return predict


class Score:
    """The score of an estimator's weights on validation data, by its ``scoring``.

    Parameters
    ----------
    estimator : estimator
        Being fitted: how it reads and writes y is set. It is not kept.
    X : ndarray or CSR
    y : ndarray
        As the user gave it.
    weights : ndarray or None
    """

    def __init__(self, estimator, X, y, weights):
        from sklearn.metrics import check_scoring

        self.scoring = estimator.scoring
        classes = getattr(estimator, "classes_", None)
        if getattr(estimator, "_multilabel", False):
            classes = None
        scorer = check_scoring(estimator, self.scoring)
        self.scorer = knows_labels(scorer, classes)
        # a copy that shares the weights, for X is an array here, without names
        self.scored = copy.copy(estimator)
        self.scored.__dict__.pop("feature_names_in_", None)
        if classes is not None:
            y = y.ravel()
        self.X, self.y = X, y
        # What the metric refuses untrained weights' predictions with, if it does; the
        # best score, and how many there are.
        self.refusal = None
        self.best, self.number = -np.inf, 0
        self.given = {}
        if weights is not None and takes_weights(self.scorer):
            self.given = {"sample_weight": weights}

    def __call__(self):
        """The score of the weights now.

        It is minus infinity where a metric that takes predictions that are right
        refuses these.

        Raises
        ------
        Exception
            Of the scorer's own kind if it fails, and ValueError if its value is nan,
            plus infinity or no number.
        """
        self.number += 1
        try:
            value = self._of(self.scored)
        except Exception as error:
            if type(error) is not type(self.refusal) and not self._refuses(error):
                raise
            return -np.inf
        self._refuse_infinity(value)
        self.best = max(self.best, value)
        return value

    def _refuse_infinity(self, value):
        """Raise ValueError for a score that no later one could surpass."""
        if value == np.inf:
            raise ValueError(
                f"scoring={self.scoring!r} gave inf on the validation data: no later "
                "epoch could be better. Return a finite number, or -inf for an epoch "
                "that cannot be scored."
            )

    def _refuses(self, error):
        """Whether one of scikit-learn's metrics does not take these predictions.

        Weights may come to predict what untrained ones did not, such as values below
        zero. What a user's function raises is an error.
        """
        return isinstance(self.scoring, str) and isinstance(error, ValueError)

    def finish(self):
        """Raise an error if no predictions had a score, so that none are the best.

        It is what the metric has refused all of them with, if it has.
        """
        if self.best > -np.inf or not self.number:
            return
        if self.refusal is not None:
            raise self.refusal
        raise ValueError(
            f"scoring={self.scoring!r} gave -inf after each of the {self.number} "
            f"epochs, so that no epoch is the best. {REMEDY}"
        )

    def try_out(self):
        """Refuse a scorer that fails whatever is learnt.

        Untrained weights may predict what a metric refuses, such as values below zero,
        or has no value for. So a failure counts if the right answers fail, too.
        """
        try:
            value = self._of(self.scored)
        except Exception as error:
            answers = RightAnswers.given_to(self.scored, self.y)
            self._of(answers, ", even for predictions that are right")
            self.refusal = error
        else:
            self._refuse_infinity(value)

    def _of(self, estimator, when=""):
        try:
            # squares of large targets overflow in the metric; its value is looked at
            with np.errstate(over="ignore", invalid="ignore"):
                value = self.scorer(estimator, self.X, self.y, **self.given)
        except Exception as error:
            raise self._named(error, when) from error
        if not isinstance(value, Real):
            raise ValueError(
                f"scoring must give one number; {self.scoring!r} gave {value!r}. "
                "Use scoring='loss' or a scorer of a single metric."
            )
        if np.isnan(value):
            raise ValueError(
                f"scoring={self.scoring!r} gave nan on the validation data{when}, so "
                f"that no epoch is the best. {REMEDY}"
            )
        return float(value)

    def _remedy_for_targets(self):
        """What else there is to do for one of scikit-learn's metrics of another y."""
        if not isinstance(self.scoring, str):
            return ""
        # which makes whole numbers of y, and may warn of their number
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = type_of_target(self.y)
        advice = f"y is {kind}: take a scorer for such targets"
        methods = np.ravel(getattr(self.scorer, "_response_method", ()))
        if kind.startswith("multilabel") and "predict_proba" in methods:
            # scikit-learn's scorers go by classes_, which are two for two labels
            advice += (
                ", such as 'f1_macro', or a function of estimator, X and y that gives "
                "estimator.predict_proba(X) to the metric"
            )
        return f"{advice}."

    def _named(self, error, when):
        """The error with parameter and remedy, of the same kind where that can be."""
        said = str(error).rstrip(".")
        text = (
            f"scoring={self.scoring!r} failed on the validation data{when}: {said}. "
            f"{REMEDY} {self._remedy_for_targets()}".rstrip()
        )
        try:
            named = type(error)(text)
        except Exception:
            return ValueError(text)
        return named if text in str(named) else ValueError(text)
