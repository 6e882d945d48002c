"""Fine-tuning as a method; ``_network/fine_tuning.py`` is how it is done."""

import copy

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skreg._estimators.callbacks import with_callbacks
from skreg._estimators.members import (
    fine_tuned_members,
    no_network_of_its_own,
)
from skreg._estimators.transaction import settled
from skreg._network.fine_tuning import (
    begin,
    check_method,
    declared,
    declared_of,
    read_options,
    refuse_of_the_base,
    refuse_other_network,
)
from skreg._problem.automatic import automatic_values
from skreg._problem.data import check_weights
from skreg._problem.parameters import check_validation_given, read_settings
from skreg._training.state import TrainingState
from skreg._training.stochastic import History


class FineTunable:
    """`fine_tune`, and what it leaves behind."""

    def fine_tune(
        self,
        X,
        y,
        sample_weight=None,
        *,
        method="head",
        rank=4,
        scale=None,
        width=8,
        l2_sp=0.0,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        **params,
    ):
        """Adapt a fitted network to other data; the estimator itself does not change.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to adapt to, with the features of `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their classes or values. A class that the estimator does not know gets an
            output of its own; not so for multilabel targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, as in `fit`.
        method : {"head", "bias", "lora", "adapter", "full"}, default="head"
            What is trained: the last layer; all biases (Ben Zaken 2021); changes of
            the weight matrices of low rank, and the last layer's biases (Hu 2021);
            small layers put behind the hidden ones, and the last layer (Houlsby
            2019); everything. All else stays as it is, bit for bit. With ``skip=True``
            "head", "lora" and "full" train ``skip_coef_``, the first because it leads
            to the outputs. With new classes every method trains it and the last layer
            as well.
        rank : int, default=4
            r of "lora": a matrix W of shape (n_in, n_out) becomes W + s A B with A of
            shape (n_in, r) and B of shape (r, n_out). Where these two would not have
            fewer numbers than W, it is trained itself.
        scale : float or None, default=None
            Of "lora": s = scale / rank. None is the rank, so that s = 1.
        width : int, default=8
            Units of the layers that "adapter" puts in.
        l2_sp : float, default=0.0
            Strength a of the penalty a/2 ||w - w0||^2 on what is trained, w0 being
            where training starts (Li 2018).
        X_val, y_val, sample_weight_val : array-like, default=None
            Data to validate on, as in `fit`.
        **params
            Parameters that the new estimator shall have instead of this one's, such
            as ``max_iter``, ``learning_rate_init`` or ``dropout``. Those that say what
            the network is cannot change.

        Returns
        -------
        adapted : object
            A new fitted estimator, with ``n_trained_parameters_`` and with
            ``adaptation_``, which holds what has changed
            (`skreg.fine_tuning.Adaptation`). Batch normalization is folded into its
            weights. Its `partial_fit`, or `fit` with ``warm_start=True``, goes on
            adapting; `fit` alone starts anew and forgets the adaptation.

        Raises
        ------
        ValueError
            If a parameter or the data are out of range, or if parameters exclude each
            other. Raised before training starts.
        KeyboardInterrupt
            If Ctrl-C ends the training. Its attribute ``estimator`` is the new
            estimator, with what it has learnt until then.

        Notes
        -----
        See the user guide's chapter on fine-tuning.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skreg import RegularizedMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> X = X / 16
        >>> old = y < 8
        >>> base = RegularizedMLPClassifier(
        ...     (100,), learning_rate_init=0.01, max_iter=20, random_state=0
        ... ).fit(X[old], y[old])
        >>> adapted = base.fine_tune(X, y, method="head")
        >>> adapted.classes_
        array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        >>> adapted.n_trained_parameters_
        1010
        >>> adapted.score(X, y) > 0.95
        True
        """
        base = settled(self)
        check_is_fitted(base)
        options = read_options(method, rank, scale, width, l2_sp)
        refuse_of_the_base(base, params)
        adapted = clone(base).set_params(**params)
        if hasattr(base, "members_"):
            how = {"method": method, "rank": rank, "scale": scale, "width": width}
            how |= {"l2_sp": l2_sp, "X_val": X_val, "y_val": y_val}
            how |= {"sample_weight_val": sample_weight_val} | params
            return fine_tuned_members(base, adapted, (X, y, sample_weight), how)
        base._can_go_on()
        return adapted._adapt(
            base,
            options,
            params,
            (X, y, sample_weight),
            (X_val, y_val, sample_weight_val),
        )

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def _adapt(self, base, options, params, given, given_for_validation):
        """Fine-tune what a base has learnt; of an estimator that is not yet fitted."""
        values = automatic_values(
            self,
            *given,
            validates=given_for_validation[0] is not None,
            network=base._network,
        )
        return self._with_values(
            values,
            lambda view: view._adapt_network(
                base, options, params, given, given_for_validation
            ),
        )

    def _adapt_network(self, base, options, params, given, given_for_validation):
        """The same by parameters none of which is "auto"."""
        settings = read_settings(self)
        check_method(self, settings, options.method)
        check_validation_given(self, *given_for_validation)
        refuse_other_network(base._declared_network(), declared(settings))
        self._adopt(base)
        X, y, sample_weight = given
        X, y = self._read(X, y, reset=False)
        weights = check_weights(sample_weight, X)
        self._widen(y)
        change = self._follow_targets(base, X, y, weights)
        settings = self._for_features(settings, X.shape[1])
        training, _, layer_sizes = self._training_data(
            X, y, weights, settings, reset=False
        )
        random_state = check_random_state(self.random_state)
        key = random_state.randint(0, 2**32, size=2, dtype=np.uint32)
        key = tuple(int(word) for word in key)
        new = self._new_outputs(base, training)
        self._state = TrainingState(key, History())
        self._network, self._fine_tuning = begin(
            base, options, params, settings, key, new
        )
        self._change_outputs(change)
        settings = self._fine_tuning.settings(settings, self._network)
        hidden = self._network.layer_sizes[1:-1]
        self._check_goes_on([layer_sizes[0], *hidden, layer_sizes[-1]], settings)
        problem = self._problem_with_validation(
            training, settings, *given_for_validation
        )
        self._run_schedule(problem, *given)

    def _adopt(self, base):
        """Take over from a fitted estimator how X and y are read."""
        for name in ("n_features_in_", "feature_names_in_", *self._READING):
            if hasattr(base, name):
                setattr(self, name, copy.copy(getattr(base, name)))

    def _widen(self, y):
        """Take in what y has that the base did not know."""

    def _new_outputs(self, base, training):
        """The NewOutputs for that, or None."""
        return None

    def _declared_network(self):
        """What the parameters said of the network when it was made."""
        if self._fine_tuning is not None:
            return self._fine_tuning.declared
        return declared_of(self._network)

    @property
    def adaptation_(self):
        """What `fine_tune` has changed, to be kept without the rest."""
        if hasattr(self, "members_"):
            raise no_network_of_its_own(self, "adaptation_")
        if self._fine_tuning is None:
            raise AttributeError(
                f"{type(self).__name__} has no adaptation_: only what fine_tune "
                "returns has one."
            )
        # it makes estimators, which this module is for
        from skreg.fine_tuning import Adaptation

        return Adaptation.of(self)
