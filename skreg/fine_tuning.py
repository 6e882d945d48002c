"""Adaptations of fitted estimators, kept without the estimator they belong to."""

import copy

from sklearn.base import clone

from skreg._network.fine_tuning import begin, fingerprint
from skreg._persistence import VersionedMixin
from skreg._problem.automatic import as_used
from skreg._problem.parameters import read_settings
from skreg._training.state import TrainingState

__all__ = ["Adaptation"]


class Adaptation(VersionedMixin):
    """What `fine_tune` has changed of an estimator; small, where little was trained.

    The attribute ``adaptation_`` of what `fine_tune` returns. Pickle it, or write it
    with joblib, and `attach` it to the same base later: one base can have many
    adaptations, each of which takes the room of its own parameters only.

    See Also
    --------
    skreg.RegularizedMLPClassifier.fine_tune : Makes them.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> X = scale(X)
    >>> base = RegularizedMLPClassifier(
    ...     (100,), learning_rate_init=0.01, max_iter=20, random_state=0
    ... ).fit(X, y)
    >>> adapted = base.fine_tune(X + 1, y, method="bias")
    >>> kept = pickle.dumps(adapted.adaptation_)
    >>> adaptation = pickle.loads(kept)
    >>> adaptation
    Adaptation(method='bias', n_parameters=103)
    >>> again = adaptation.attach(base)
    >>> bool((again.predict_proba(X) == adapted.predict_proba(X)).all())
    True
    """

    @classmethod
    def of(cls, estimator):
        """Take what has changed from an estimator that `fine_tune` has made.

        Parameters
        ----------
        estimator : object
            Fine-tuned.

        Returns
        -------
        adaptation : Adaptation
            Shares nothing with the estimator.
        """
        adaptation = cls()
        fine_tuning, network = estimator._fine_tuning, estimator._network.dense()
        adaptation._options = fine_tuning.options
        adaptation._base_class = type(estimator).__name__
        adaptation._fingerprint = fine_tuning.fingerprint
        adaptation._key = fine_tuning.key
        adaptation._new = fine_tuning.new
        adaptation._values = network.params[fine_tuning.mask(network)]
        adaptation._factors = None
        if fine_tuning.low_rank is not None:
            adaptation._factors = fine_tuning.low_rank.factors.copy()
        # the lists of figures are shared between these two
        adaptation._fitted, adaptation._history, adaptation._params = copy.deepcopy(
            (figures(estimator), estimator._state.history, fine_tuning.params)
        )
        # the scale of other targets is not the base's
        adaptation._reading = {
            name: copy.deepcopy(getattr(estimator, name)) for name in estimator._READING
        }
        return adaptation

    def _complete(self):
        names = ("_options", "_base_class", "_fingerprint", "_key", "_new", "_values")
        names += ("_factors", "_fitted", "_history", "_params")
        return [name for name in names if not hasattr(self, name)]

    @property
    def method(self):
        """The method of `fine_tune`."""
        return self._options.method

    @property
    def n_parameters(self):
        """How many numbers are kept: those that were trained."""
        return self._values.size + (0 if self._factors is None else self._factors.size)

    def __repr__(self):
        return f"Adaptation(method={self.method!r}, n_parameters={self.n_parameters})"

    def attach(self, base):
        """Make the adapted estimator again.

        Parameters
        ----------
        base : RegularizedMLPClassifier or RegularizedMLPRegressor
            The fitted estimator that was fine-tuned, or a copy of it, such as one that
            has been pickled. It does not change.

        Returns
        -------
        adapted : object
            Predicts the same, bit for bit, as the one that the adaptation was taken
            from. Training goes on with an optimizer that starts anew, whose moments
            would take more room than what is kept.

        Raises
        ------
        ValueError
            If it is another estimator than the one that was fine-tuned, or one that
            has been trained since.
        """
        if not hasattr(base, "_check_fitted"):
            raise TypeError(
                "base must be a fitted RegularizedMLPClassifier or "
                f"RegularizedMLPRegressor; got {type(base).__name__}."
            )
        base._check_fitted("fine_tune")
        base._can_go_on()
        if fingerprint(base) != self._fingerprint:
            raise ValueError(
                f"This adaptation belongs to another {self._base_class} than the "
                f"{type(base).__name__} given: their parameters differ. Attach it to "
                "the estimator whose fine_tune made it, as it was then."
            )
        adapted = clone(base).set_params(**self._params)
        fitted, history = copy.deepcopy((self._fitted, self._history))
        adapted._adopt(base)
        vars(adapted).update(fitted)
        vars(adapted).update(copy.deepcopy(getattr(self, "_reading", {})))
        adapted._state = TrainingState(self._key, history)
        network, fine_tuning = begin(
            base,
            self._options,
            self._params,
            read_settings(as_used(adapted)),
            self._key,
            self._new,
        )
        network.params[fine_tuning.mask(network)] = self._values
        if self._factors is not None:
            fine_tuning.low_rank.factors[:] = self._factors
            fine_tuning.low_rank.merge(network)
        adapted._network, adapted._fine_tuning = network, fine_tuning
        return adapted


def figures(estimator):
    """The fitted attributes that say what a fit did, and the classes."""
    of_the_base = ("n_features_in_", "feature_names_in_")
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and not name.startswith("_") and name not in of_the_base
    }
