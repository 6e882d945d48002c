"""Estimators that choose the strength of a penalty by cross-validated paths."""

import inspect
import re
import threading
import time
from collections.abc import Iterator
from functools import wraps
from numbers import Integral, Real

import numpy as np
from joblib import effective_n_jobs
from scipy.stats import rankdata
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed

from skreg._estimators.callbacks import FitCallbacks, with_callbacks
from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.path import PathTraining, check_grid, checked_model, recorded
from skreg._estimators.regressor import RegularizedMLPRegressor
from skreg._estimators.transaction import atomic
from skreg._problem.data import check_weights, kernel_weights
from skreg._problem.parameters import COUNT
from skreg._training.baseline import LossOfOutputs
from skreg._training.outcome import warn_of

# Training goes along a path of one network here, and never on from an earlier fit.
WITHOUT = ("warm_start", "n_members")

CHOICE_CONSTRAINTS = {
    "param": [StrOptions({"l1", "l2", "group_l1"})],
    "alphas": [COUNT, "array-like"],
    "eps": [Interval(Real, 0, 1, closed="neither"), None],
    "max_iter_per_point": [COUNT, None],
    "cv": ["cv_object"],
    "selection": [StrOptions({"best", "one_standard_error"})],
    "n_jobs": [Integral, None],
}


def takes_parameters_of(Estimator):
    """Give ``__init__`` the signature of its own parameters and of Estimator's.

    scikit-learn, `help` and editors read the signature; so the many parameters of the
    network, and their defaults, are written once.
    """

    def decorate(init):
        own = inspect.signature(init).parameters
        network = inspect.signature(Estimator.__init__).parameters
        taken = [p for p in own.values() if p.kind != p.VAR_KEYWORD]
        taken += [
            p for name, p in network.items() if name not in own and name not in WITHOUT
        ]

        @wraps(init)
        def __init__(self, *args, **kwargs):
            for name in kwargs:
                if name not in signature.parameters:
                    raise TypeError(
                        f"{type(self).__name__}.__init__() got an unexpected keyword "
                        f"argument {name!r}"
                    )
            init(self, *args, **kwargs)

        signature = inspect.Signature(taken)
        __init__.__signature__ = signature
        return __init__

    return decorate


def describes_parameters_of(Estimator):
    """Put what Estimator's docstring describes into a class's docstring.

    Its parameters stand in place of ``**network``, its attributes in place of
    ``**fitted``. Those that the class describes itself are left out.
    """

    def decorate(cls):
        # cleaned: whether a docstring is indented depends on the Python
        doc = inspect.cleandoc(cls.__doc__)
        theirs = inspect.cleandoc(Estimator.__doc__)
        for section, marker in [("Parameters", "network"), ("Attributes", "fitted")]:
            entries = theirs.split(f"{section}\n----------\n")[1]
            entries = re.split(r"\n\n(?=\w[\w ]*\n--)", entries)[0]
            before, after = doc.split(f"**{marker}\n")
            own = before.split(f"{section}\n----------\n")[1]
            taken = [
                entry
                for entry in re.split(r"\n(?=\w)", entries)
                if entry.split()[0] not in WITHOUT
                and not re.search(rf"^{entry.split()[0]} :", own, re.MULTILINE)
            ]
            doc = before + "\n".join(taken) + "\n" + after
        cls.__doc__ = doc
        return cls

    return decorate


class Fold:
    """One split: a path on its training rows, scored on the others.

    Parameters
    ----------
    whole : PathTraining
        On all rows; its targets and their scale are those of the losses, so that folds
        can be compared.
    training : PathTraining
        On the fold's training rows.
    X, y, weights
        All rows.
    test : ndarray of intp
        The rows to score on.
    scoring : str or callable
    """

    def __init__(self, whole, training, X, y, weights, test, scoring):
        self.training = training
        self.X, self.test = X, test
        model = training.model
        self.scale = getattr(model, "_target_scale", None)
        self.common_scale = getattr(whole.model, "_target_scale", None)
        self.network = model._network
        tested = None if weights is None else weights[test]
        self.score = self.scorer = self.mse = None
        if scoring == "loss":
            loss = LossOfOutputs(
                self.network,
                whole.targets[test],
                kernel_weights(tested, None, np.float64),
            )
            self.score = lambda outputs: -loss(outputs)
        else:
            self.scorer = model._scorer_score(X[test], y[test], tested)
            self.score = lambda _: self.scorer()
        if getattr(model, "loss", None) == "squared_error":
            true = y[test].astype(np.float64).reshape(len(test), -1)

            def mse(outputs):
                # infinite where the square of y is beyond all numbers
                with np.errstate(over="ignore", invalid="ignore"):
                    errors = (self.common_scale.invert(outputs) - true) ** 2
                    return float(np.average(errors.mean(axis=1), weights=tested))

            self.mse = mse

    def outputs(self):
        """Raw outputs for the rows to score on, float64, on the common scale."""
        outputs = self.network.predict(self.X, raw=True, subset=self.test)
        if self.scale is None:
            return outputs.astype(np.float64)
        return np.ascontiguousarray(self.common_scale.apply(self.scale.invert(outputs)))

    def run(self, alphas):
        """Figures of each point, from the largest strength to the smallest.

        Returns
        -------
        figures : ndarray of shape (n_alphas, 4)
            Score, mean squared error or nan, seconds to fit, seconds to score.
        """
        figures = {}
        start = time.perf_counter()
        for alpha in self.training.walk(alphas, None):
            fitted = time.perf_counter()
            outputs = self.outputs()
            score = self.score(outputs)
            mse = np.nan if self.mse is None else self.mse(outputs)
            scored = time.perf_counter()
            figures[alpha] = score, mse, fitted - start, scored - fitted
            start = scored
        if self.scorer is not None:
            self.scorer.finish()
        warn_of(self.training.complaint, None, self.training.model)
        return np.array([figures[alpha] for alpha in sorted(figures)[::-1]])


class ChoosesStrength:
    """fit of the two estimators below; they inherit the rest from their network."""

    # The estimator that is trained along the paths.
    _Estimator: type

    @atomic
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose the strength by cross-validation, and fit at it on all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training input. Folds are rows of it, without a copy.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes, a multilabel indicator, or values to predict.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0 of the rows, in training and in the scores.
        **params : dict
            For the splitter, such as ``groups``; with scikit-learn's
            ``enable_metadata_routing=True`` only.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, or the data, is out of range; before training starts.
        KeyboardInterrupt
            If Ctrl-C ends the fit, with all its folds. As after any other error, the
            estimator is as it was before.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If a point that goes on from no other ends at ``max_iter``, or one of
            "lbfgs" does.
        """
        _raise_for_params(params, self, "fit")
        self._choose(X, y, sample_weight, params)
        return self

    def _choose(self, X, y, sample_weight, params):
        given = X, y, sample_weight
        network = self._network_estimator()
        check_grid(self.alphas, self.eps, self.max_iter_per_point)
        X, y = self._read(X, y, reset=True)
        weights = check_weights(sample_weight, X)
        ended = threading.Event()
        whole = self._path_on(network, X, y, weights, ended)
        alphas = None
        if not whole.ends_at_zero(self.alphas):
            alphas = whole.grid(self.alphas, self.eps)
        classes = getattr(whole.model, "classes_", None)
        if classes is not None and whole.model._multilabel:
            classes = None
        folds = [
            self._fold(k, whole, network, X, y, weights, ended, classes, train, test)
            for k, (train, test) in enumerate(self._splits(X, y, sample_weight, params))
        ]

        # the paths are trained at the same time: the fit is all that callbacks see, and
        # its end, where all is set
        callbacks = FitCallbacks(self, *given, max_iter=0, snapshot=dict)
        with callbacks.fit():
            try:
                path, figures = self._run(whole, alphas, folds)
            finally:
                # the others end as well where one has failed
                ended.set()
            self._set_results(path, figures)
        i = self.best_index_
        whole.warn_of_point(path.alphas[i], path._weights(i), chosen=True)

    def _run(self, whole, alphas, folds):
        """The path on all rows, and the figures of those on the folds."""
        steps = whole.walk(self.alphas if alphas is None else alphas, self.eps)
        # Paths share X and leave their networks behind, so that other processes are of
        # no use. Of a backend that the caller has set only the number of jobs is taken.
        n_jobs = min(effective_n_jobs(self.n_jobs), 1 + len(folds))
        run = Parallel(n_jobs=n_jobs, require="sharedmem")
        if alphas is None:
            # where the grid ends, this path finds out
            path = recorded(whole, steps, judged=False)
            figures = run(delayed(fold.run)(path.alphas) for fold in folds)
        else:
            path, *figures = run(
                [
                    delayed(recorded)(whole, steps, judged=False),
                    *(delayed(fold.run)(alphas) for fold in folds),
                ]
            )
        return path, np.stack(figures, axis=1)

    def _network_estimator(self):
        """An estimator for each path, with one seed for all."""
        names = [n for n in self._Estimator._get_param_names() if n not in WITHOUT]
        network = self._Estimator(**{name: getattr(self, name) for name in names})
        network = checked_model(network, self.param)
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = int(check_random_state(seed).randint(np.iinfo(np.int32).max))
        return network.set_params(random_state=seed)

    def _path_on(self, network, X, y, weights, ended, classes=None):
        model = clone(network)
        model.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            model.feature_names_in_ = self.feature_names_in_
        return PathTraining(
            model,
            X,
            y,
            weights,
            param=self.param,
            max_iter_per_point=self.max_iter_per_point,
            classes=classes,
            ended=ended,
        )

    def _splits(self, X, y, sample_weight, params):
        splitter = self._splitter(y)
        given = {}
        if _routing_enabled():
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            given = routed.splitter.split
        rows = np.arange(X.shape[0])
        try:
            splits = [
                (rows[train], rows[test])
                for train, test in splitter.split(X, y, **given)
            ]
        except (IndexError, TypeError) as error:
            raise ValueError(
                f"cv={self.cv!r} must give pairs of indices, of those of the "
                f"{len(rows)} rows to train and to score on; got {error}. Pass a "
                "number of folds, a splitter, or a list of such pairs."
            ) from error
        if not splits:
            raise ValueError(
                f"cv={self.cv!r} gave no folds. An iterator, such as a generator, "
                "gives them once only: pass list(...) of it to fit again."
            )
        return splits

    def _splitter(self, y=None, *, cv=None):
        # imported for a fit only: it takes a fifth of the time of importing skreg
        from sklearn.model_selection import check_cv

        cv = self.cv if cv is None else cv
        return check_cv(cv, y, classifier=is_classifier(self))

    def _fold(self, k, whole, network, X, y, weights, ended, classes, train, test):
        n = X.shape[0]
        # a row that is not in it has weight zero, one that is in it twice has two
        inside = np.bincount(train, minlength=n).astype(np.float64)
        if weights is not None:
            inside *= weights
        # with the weights of the classes, as in a split for early stopping
        weights = whole.weights
        tested = np.ones(n)[test] if weights is None else weights[test]
        for purpose, given in [("train", inside), ("score", tested)]:
            if not given.any():
                raise ValueError(
                    f"Fold {k} of cv={self.cv!r} has no row of positive weight to "
                    f"{purpose} on. Use fewer folds, or another splitter."
                )
        training = self._path_on(network, X, y, inside, ended, classes)
        return Fold(whole, training, X, y, weights, test.astype(np.intp), self.scoring)

    def _set_results(self, path, figures):
        """Set what is fitted; figures: (n_alphas, n_folds, 4), see `Fold.run`."""
        self.path_ = path
        self.alphas_ = path.alphas
        scores = figures[:, :, 0]
        self.scores_ = scores
        vars(self).pop("mse_path_", None)
        if getattr(self, "loss", None) == "squared_error":
            self.mse_path_ = figures[:, :, 1]
        i = chosen(scores, self.selection)
        fitted = path.estimator(i)
        names = self.get_params(deep=False)
        for name, value in vars(fitted).items():
            if name not in names and name not in WITHOUT:
                setattr(self, name, value)
        self.alpha_ = float(path.alphas[i])
        self.best_index_ = i
        self.best_score_ = float(scores[i].mean())
        self.cv_results_ = search_results(self.param, path.alphas, figures)

    def get_metadata_routing(self):
        """Get metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            ``sample_weight`` for `fit`, and what the splitter takes.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                # an iterator requests nothing, and looking would use it up
                splitter=self._splitter(
                    cv=5 if isinstance(self.cv, Iterator) else None
                ),
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )

    @property
    def penalty(self):
        """Return "l1" if a penalty can zero all weights of a feature, else "l2"."""
        return "l2" if self.param == "l2" and super().penalty == "l2" else "l1"

    @property
    def fine_tune(self):
        """Missing here: fine-tuning adapts one network, that of the chosen strength."""
        raise AttributeError(
            f"{type(self).__name__} has no fine_tune: an adaptation belongs to one "
            "network. After fit, path_.estimator(best_index_) has one."
        )

    @property
    def partial_fit(self):
        """Not there: one epoch chooses no strength."""
        raise AttributeError(
            f"{type(self).__name__} has no partial_fit: cross-validation needs all "
            "rows. After fit, path_.estimator(best_index_) has one."
        )


def chosen(scores, selection):
    """Place of the strength to take, for scores (n_alphas, n_folds).

    The strongest with the best mean score, or the strongest whose mean is at most one
    standard error of that below it.
    """
    means = scores.mean(axis=1)
    if np.isnan(means).all():
        raise ValueError(
            "No strength has a score in every fold: each gave nan in one. Scale the "
            "features, for example with StandardScaler, lower learning_rate_init, or "
            "take another scoring."
        )
    best = int(np.nanargmax(means))
    if selection == "best" or scores.shape[1] == 1:
        return best
    error = scores[best].std(ddof=1) / np.sqrt(scores.shape[1])
    return int(np.flatnonzero(means >= means[best] - error)[0])


def search_results(param, alphas, figures):
    """``cv_results_`` with the keys of `GridSearchCV`.

    A point that has diverged may have a score beyond all numbers, or none, and is last
    then.
    """
    results = {}
    for name, column in [("fit_time", 2), ("score_time", 3), ("test_score", 0)]:
        if name == "test_score":
            results[f"param_{param}"] = np.ma.array(alphas, mask=False)
            results["params"] = [{param: float(alpha)} for alpha in alphas]
            for k in range(figures.shape[1]):
                results[f"split{k}_test_score"] = figures[:, k, column]
        with np.errstate(over="ignore", invalid="ignore"):
            results[f"mean_{name}"] = figures[:, :, column].mean(axis=1)
            results[f"std_{name}"] = figures[:, :, column].std(axis=1)
    scores = results["mean_test_score"]
    ranks = rankdata(np.where(np.isnan(scores), np.inf, -scores), method="min")
    results["rank_test_score"] = ranks.astype(np.int32)
    return results


@describes_parameters_of(RegularizedMLPRegressor)
class RegularizedMLPRegressorCV(ChoosesStrength, RegularizedMLPRegressor):
    """`RegularizedMLPRegressor` that chooses the strength of a penalty itself.

    The counterpart of `LassoCV` and `RidgeCV`: for each fold, and for all rows, a
    network is trained along a path of strengths, each going on from the one before (see
    `regularization_path`). The strength with the best score on the rows left out is
    chosen; the network is the one that the path on all rows has there.

    ``scoring`` decides the strength, and early stopping: "loss" is minus the loss
    on the rows left out, without penalties, on the standardized target of all rows.

    With no hidden layer, ``standardize_target=False``, ``solver="lbfgs"`` and
    ``dtype="float64"`` it chooses what `LassoCV` does (``l2=0``), or, for
    ``param="l2"``, what a search over ``Ridge(alpha=l2 * n_samples)`` does.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Along a path all that is "auto" is plain: one hidden layer of 100 units, no
        dropout, decay or early stopping, a constant rate of 0.001 for 200 epochs, in
        batches of 200. Else as in `RegularizedMLPRegressor`.
    activation : str or array-like of str, default="relu"
        Likewise.
    param : {"l1", "l2", "group_l1"}, default="l1"
        The strength that is chosen. The parameter of that name is not used.
    alphas : int or array-like of shape (n_alphas,), default=30
        The strengths to choose from, >= 0, or their number; then the grid is derived
        from the data, as in `regularization_path`.
    eps : float or None, default=None
        The smallest strength of that grid relative to the largest, in (0, 1). None is
        1e-3, and 1e-8 for "l2".
    max_iter_per_point : int or None, default=None
        Most epochs of a point that goes on from another, as in `regularization_path`:
        None is a tenth of ``max_iter`` with hidden layers and a stochastic solver.
    cv : int, splitter, iterable or None, default=None
        The folds, as in `GridSearchCV`; None is five.
    selection : {"best", "one_standard_error"}, default="best"
        Take the strength with the best mean score, or the largest whose mean score is
        within one standard error of it (Breiman et al. 1984).
    n_jobs : int or None, default=None
        Paths trained at the same time, in threads whatever joblib's backend is. None is
        one, or what a joblib context says, -1 one per core.
    **network

    Attributes
    ----------
    alpha_ : float
        The strength that was chosen.
    alphas_ : ndarray of shape (n_alphas,)
        All strengths, falling.
    scores_ : ndarray of shape (n_alphas, n_folds)
        Score of each in each fold; higher is better.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared error on the rows left out, in the unit of y, averaged over
        outputs; for ``loss="squared_error"``.
    best_score_ : float
        Mean score of the strength that was chosen.
    best_index_ : int
        Its place in ``alphas_``.
    cv_results_ : dict
        With the keys of `GridSearchCV`.
    path_ : RegularizationPath
        On all rows.
    n_iter_ : int
        Epochs (iterations) at ``alpha_`` on all rows.
    **fitted

    See Also
    --------
    regularization_path : A path without cross-validation.
    sklearn.linear_model.LassoCV : The same without a hidden layer.

    References
    ----------
    Breiman, Friedman, Olshen, Stone (1984). Classification and regression trees.
    Wadsworth.

    Friedman, Hastie, Tibshirani (2010). Regularization paths for generalized linear
    models via coordinate descent. Journal of Statistical Software 33.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LassoCV
    >>> from skreg import RegularizedMLPRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RegularizedMLPRegressorCV(
    ...     (), alphas=10, l2=0.0, solver="lbfgs", tol=1e-8, dtype="float64",
    ...     standardize_target=False,
    ... ).fit(X, y)
    >>> lasso = LassoCV(alphas=model.alphas_).fit(X, y)
    >>> bool(model.alpha_ == lasso.alpha_)
    True
    """

    _Estimator = RegularizedMLPRegressor
    _parameter_constraints: dict = {
        name: rule
        for name, rule in RegularizedMLPRegressor._parameter_constraints.items()
        if name not in WITHOUT
    } | CHOICE_CONSTRAINTS

    @takes_parameters_of(RegularizedMLPRegressor)
    def __init__(
        self,
        hidden_layer_sizes="auto",
        activation="relu",
        *,
        param="l1",
        alphas=30,
        eps=None,
        max_iter_per_point=None,
        cv=None,
        selection="best",
        n_jobs=None,
        **network,
    ):
        super().__init__(hidden_layer_sizes, activation, **network)
        self.param = param
        self.alphas = alphas
        self.eps = eps
        self.max_iter_per_point = max_iter_per_point
        self.cv = cv
        self.selection = selection
        self.n_jobs = n_jobs


@describes_parameters_of(RegularizedMLPClassifier)
class RegularizedMLPClassifierCV(ChoosesStrength, RegularizedMLPClassifier):
    """`RegularizedMLPClassifier` that chooses the strength of a penalty itself.

    The counterpart of `LogisticRegressionCV`: for each fold, and for all rows, a
    network is trained along a path of strengths, each going on from the one before (see
    `regularization_path`). The strength with the best score on the rows left out is
    chosen; the network is the one that the path on all rows has there.

    ``scoring`` decides the strength, and early stopping: "loss" is minus the loss
    on the rows left out, without penalties.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Along a path all that is "auto" is plain: one hidden layer of 100 units, no
        dropout, decay or early stopping, a constant rate of 0.001 for 200 epochs, in
        batches of 200. Else as in `RegularizedMLPClassifier`.
    activation : str or array-like of str, default="relu"
        Likewise.
    param : {"l1", "l2", "group_l1"}, default="l1"
        The strength that is chosen. The parameter of that name is not used.
    alphas : int or array-like of shape (n_alphas,), default=30
        The strengths to choose from, >= 0, or their number; then the grid is derived
        from the data, as in `regularization_path`.
    eps : float or None, default=None
        The smallest strength of that grid relative to the largest, in (0, 1). None is
        1e-3, and 1e-8 for "l2".
    max_iter_per_point : int or None, default=None
        Most epochs of a point that goes on from another, as in `regularization_path`:
        None is a tenth of ``max_iter`` with hidden layers and a stochastic solver.
    cv : int, splitter, iterable or None, default=None
        The folds, as in `GridSearchCV`; None is five, stratified.
    selection : {"best", "one_standard_error"}, default="best"
        Take the strength with the best mean score, or the largest whose mean score is
        within one standard error of it (Breiman et al. 1984).
    n_jobs : int or None, default=None
        Paths trained at the same time, in threads whatever joblib's backend is. None is
        one, or what a joblib context says, -1 one per core.
    **network

    Attributes
    ----------
    alpha_ : float
        The strength that was chosen.
    alphas_ : ndarray of shape (n_alphas,)
        All strengths, falling.
    scores_ : ndarray of shape (n_alphas, n_folds)
        Score of each in each fold; higher is better.
    best_score_ : float
        Mean score of the strength that was chosen.
    best_index_ : int
        Its place in ``alphas_``.
    cv_results_ : dict
        With the keys of `GridSearchCV`.
    path_ : RegularizationPath
        On all rows.
    n_iter_ : int
        Epochs (iterations) at ``alpha_`` on all rows.
    **fitted

    See Also
    --------
    regularization_path : A path without cross-validation.
    sklearn.linear_model.LogisticRegressionCV : The same without a hidden layer.

    References
    ----------
    Breiman, Friedman, Olshen, Stone (1984). Classification and regression trees.
    Wadsworth.

    Friedman, Hastie, Tibshirani (2010). Regularization paths for generalized linear
    models via coordinate descent. Journal of Statistical Software 33.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPClassifierCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RegularizedMLPClassifierCV(
    ...     (), alphas=10, solver="lbfgs", l2=0.0, selection="one_standard_error"
    ... ).fit(scale(X), y)
    >>> model.score(scale(X), y) > 0.95
    True
    >>> bool((model.coefs_[0] == 0).mean() > 0.4)
    True
    """

    _Estimator = RegularizedMLPClassifier
    _parameter_constraints: dict = {
        name: rule
        for name, rule in RegularizedMLPClassifier._parameter_constraints.items()
        if name not in WITHOUT
    } | CHOICE_CONSTRAINTS

    @takes_parameters_of(RegularizedMLPClassifier)
    def __init__(
        self,
        hidden_layer_sizes="auto",
        activation="relu",
        *,
        param="l1",
        alphas=30,
        eps=None,
        max_iter_per_point=None,
        cv=None,
        selection="best",
        n_jobs=None,
        **network,
    ):
        super().__init__(hidden_layer_sizes, activation, **network)
        self.param = param
        self.alphas = alphas
        self.eps = eps
        self.max_iter_per_point = max_iter_per_point
        self.cv = cv
        self.selection = selection
        self.n_jobs = n_jobs
