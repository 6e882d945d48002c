"""Regularization paths: one network trained at one strength after the other."""

import copy
import threading
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array

from skreg._estimators.base import BaseRegularizedMLP
from skreg._estimators.callbacks import EndFromOutside
from skreg._network.network import Network
from skreg._persistence import VersionedMixin
from skreg._problem.automatic import plain_values
from skreg._problem.data import check_weights, used_rows
from skreg._problem.parameters import is_auto, read_settings, with_schedules
from skreg._problem.regularizers import PENALTIES
from skreg._training.outcome import Verdict, warn_of
from skreg._training.session import Session
from skreg._training.state import TrainingState
from skreg._training.stochastic import ValidationLoss

# The strengths that a path can vary.
# A strength of l2 that leaves little of any weight, in total variances of the features.
L2_REACH = 10.0

# Share of the best constant's loss that a network must gain to be gone on from.
LEAST_GAIN = 1e-3

# Of max_iter, for the points of a network that is trained already; the share that
# LassoNet takes by default.
SHARE_PER_POINT = 10


def regularization_path(
    estimator,
    X,
    y,
    *,
    param="l1",
    alphas=100,
    eps=None,
    max_iter_per_point=None,
    sample_weight=None,
    X_val=None,
    y_val=None,
    sample_weight_val=None,
):
    """Train a network at one strength of a penalty after the other.

    Each point goes on from the weights, and the optimizer's moments, of the one before:
    the result is, bit for bit, that of ``fit`` with ``warm_start=True`` after
    ``set_params(l1=alpha, max_iter=...)`` for each alpha. But data are validated once,
    and network, data and engine are made once.

    Without a hidden layer the path leads from the largest strength to the smallest,
    as that of the Lasso; the way does not matter to the optimum then. With hidden
    layers it leads from the smallest to the largest, from a dense network to a sparse
    one, for a network whose weights are all zero could never leave that point
    (Lemhadri et al. 2021). "l2" begins in the middle and leads from there down, and
    from there up: a network that was trained with hardly any l2 has fitted noise, and
    keeps it for long. Where the strength leaves no more than a constant prediction,
    the next smaller does not go on from that; it begins with the initial weights, as a
    ``fit``.

    Parameters
    ----------
    estimator : RegularizedMLPClassifier or RegularizedMLPRegressor
        What is trained. It is cloned; its own value of ``param`` is not used.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The training input.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Classes or values.
    param : {"l1", "l2", "group_l1"}, default="l1"
        The strength that is varied; one value for all weight matrices.
    alphas : int or array-like of shape (n_alphas,), default=100
        The strengths, >= 0, or the number of points of the grid described below.
    eps : float or None, default=None
        The smallest strength of that grid relative to the largest, in (0, 1). None is
        1e-3, and 1e-8 for "l2".
    max_iter_per_point : int or None, default=None
        Most epochs of each point that goes on from another; the others have
        ``max_iter``. None is a tenth of that with hidden layers and a stochastic
        solver, for these points begin with a trained network; otherwise ``max_iter``.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, as in `fit`.
    X_val, y_val : array-like, default=None
        Data to score each point on, by the estimator's ``scoring``. With its
        ``early_stopping=True`` each point also ends by it; without X_val a part of X
        is set aside for that, as in `fit`.
    sample_weight_val : array-like of shape (n_val,), default=None
        Weights of these rows.

    Returns
    -------
    path : RegularizationPath
        With the strengths from the largest to the smallest.

    Raises
    ------
    ValueError
        If a parameter or the data are out of range; before training starts.
    KeyboardInterrupt
        If Ctrl-C ends the training. Its attribute ``path`` is the RegularizationPath
        of the strengths that were done, or None.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If a point that goes on from no other ends at ``max_iter``, or one of "lbfgs"
        does.

    Notes
    -----
    *The largest strength.* Let there be no hidden layer, and let b be the best constant
    output. All weights are zero at the optimum if and only if 0 is in the
    subdifferential of F at W = 0. With G = dF/dW there, without the penalty, that says
    ::

        l1:        |G_jk| <= l1 for all j, k,              or l1 >= max |G|;
        group_l1:  ||G_g|| <= group_l1 sqrt(m_g) for all groups g,
                                            or group_l1 >= max_g ||G_g|| / sqrt(m_g).

    Beside an ``l1`` that stays, G is soft-thresholded by it in the second (Simon et al.
    2013); beside a ``group_l1`` that stays the first is an upper bound.

    For the squared loss G = -X^T (y - b) / n, so that the first is the Lasso's. For
    losses with kinks ("absolute_error", "quantile") G is one subgradient of several,
    and the strength an upper bound. With dropout, augmentation or adversarial training
    it is approximate, for they change the loss.

    With hidden layers the strength at which all is zero has no closed form: it depends
    on the other weights, which the penalty changes too. The path begins at ``eps``
    times the largest strength of the linear model of the same data. It grows by the
    factor ``eps ** (-1 / (alphas - 1))`` until no feature is left, so that the number
    of points is about ``alphas``, and twice that at most.

    For "l2" no strength makes weights zero. The grid ends at ten times the total
    variance of the features, trace(Cov X). No eigenvalue d of Cov X is larger than the
    trace, and Ridge multiplies each principal direction by d / (d + l2), hence by less
    than 1/11 there.

    References
    ----------
    Friedman, Hastie, Tibshirani (2010). Regularization paths for generalized linear
    models via coordinate descent. Journal of Statistical Software 33.

    Lemhadri, Ruan, Abraham, Tibshirani (2021). LassoNet: a neural network with feature
    sparsity. JMLR 22.

    Simon, Friedman, Hastie, Tibshirani (2013). A sparse-group lasso. Journal of
    Computational and Graphical Statistics 22.

    Examples
    --------
    Without a hidden layer it is the path of the Lasso:

    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import lasso_path
    >>> from skreg import RegularizedMLPRegressor, regularization_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RegularizedMLPRegressor(
    ...     (), solver="lbfgs", l2=0.0, tol=1e-10, standardize_target=False,
    ...     dtype="float64",
    ... )
    >>> path = regularization_path(model, X, y, alphas=10)
    >>> alphas, coefs, _ = lasso_path(
    ...     X, y - y.mean(), alphas=path.alphas, tol=1e-10
    ... )
    >>> np.allclose(path.coefs[0][:, :, 0], coefs.T, atol=1e-3)
    True
    >>> path.n_nonzero_features
    array([ 0,  3,  4,  5,  7,  7,  8, 10,  9, 10])
    """
    model = checked_model(estimator, param)
    check_grid(alphas, eps, max_iter_per_point)
    if (X_val is None) != (y_val is None) or (
        X_val is None and sample_weight_val is not None
    ):
        raise ValueError(
            "X_val, y_val and sample_weight_val belong together: pass X_val and y_val, "
            "or none of the three."
        )
    X, y = model._read(X, y, reset=True)
    given = None if X_val is None else (X_val, y_val, sample_weight_val)
    training = PathTraining(
        model,
        X,
        y,
        check_weights(sample_weight, X),
        param=param,
        max_iter_per_point=max_iter_per_point,
        given=given,
    )
    own_range = isinstance(alphas, Integral)
    return recorded(training, training.walk(alphas, eps), chosen=own_range)


def checked_model(estimator, param):
    """A clone to train, or an error if it cannot be trained along `param`."""
    if not isinstance(estimator, BaseRegularizedMLP):
        raise TypeError(
            "estimator must be a RegularizedMLPClassifier or a "
            f"RegularizedMLPRegressor; got {estimator!r}."
        )
    names = sorted(name for name in PENALTIES if hasattr(estimator, name))
    if param not in names:
        raise ValueError(f"param must be one of {names}; got {param!r}.")
    model = clone(estimator)
    model.set_params(**plain_values(model))
    for name in ("l1", "l2"):
        if is_auto(getattr(model, name)):
            why = (
                "is what the path varies"
                if name == param
                else "would change the objective from point to point"
            )
            raise ValueError(
                f"{name}='auto' {why}. Give {name} a number; fit takes 'auto'."
            )
    if model.n_members != 1:
        raise ValueError(
            f"n_members={model.n_members!r} is refused: a path is that of one network. "
            "Set n_members=1, and fit an ensemble at the strength that you choose."
        )
    # any strength: what excludes the penalty is refused before training
    setattr(model, param, 1.0)
    model.warm_start = False
    model._validate_params()
    return model


# Of a path. Each keeps its weights.
MOST_POINTS = 1_000_000


def check_grid(alphas, eps, max_iter_per_point):
    """Refuse numbers that make no grid."""
    if isinstance(alphas, Integral) and alphas < 1:
        raise ValueError(f"alphas must be an array or a number >= 1; got {alphas!r}.")
    if isinstance(alphas, Integral) and alphas > MOST_POINTS:
        raise ValueError(
            f"alphas must be at most {MOST_POINTS:,} points, each of which is a "
            f"network; got {alphas}. Lower alphas."
        )
    if eps is not None and not 0 < eps < 1:
        raise ValueError(f"eps must be None or a number in (0, 1); got {eps!r}.")
    if max_iter_per_point is not None and not (
        isinstance(max_iter_per_point, Integral) and max_iter_per_point >= 1
    ):
        raise ValueError(
            "max_iter_per_point must be None or a whole number >= 1; got "
            f"{max_iter_per_point!r}."
        )


def sorted_strengths(alphas):
    """What the user gave, once each, from the largest to the smallest, float64."""
    alphas = check_array(alphas, ensure_2d=False, dtype=np.float64, input_name="alphas")
    if alphas.ndim != 1:
        raise ValueError(
            "alphas must be a number of points or an array of shape (n_alphas,); got "
            f"shape {alphas.shape}."
        )
    if alphas.min() < 0:
        raise ValueError(f"alphas must be >= 0; the smallest is {alphas.min():g}.")
    return np.unique(alphas)[::-1]


class PathTraining:
    """One network, trained at one strength after the other.

    Parameters
    ----------
    model : estimator
        Trained, and thereby changed.
    X, y : as `model._read` gives them
    weights : ndarray of shape (n,) or None
    param : str
        The strength.
    max_iter_per_point : int or None
        Of a point that goes on from another.
    classes : ndarray or None
        Of a classifier, where the rows in use may lack some.
    given : tuple or None
        Validation data.
    ended : threading.Event or None
        Ends the training when set, with KeyboardInterrupt.

    Attributes
    ----------
    problem : Problem
    targets, weights : ndarray
        Those of all rows, as the kernels read them; the weights with those of the
        classes, or None.
    score : callable or None
        Of the weights now, on validation data.
    loss : ValidationLoss
        On the rows for training, without the penalties.
    complaint : str or None
        What there is to say against the first training that did not end well.
    epochs_before : int
        How many of the history are not those of the last point.
    """

    def __init__(
        self,
        model,
        X,
        y,
        weights,
        *,
        param,
        max_iter_per_point=None,
        classes=None,
        given=None,
        ended=None,
    ):
        self.model = model
        self.param, self.penalty = param, PENALTIES[param]
        self.callbacks = EndFromOutside(threading.Event() if ended is None else ended)
        settings = read_settings(model)
        training, settings = model._build(X, y, weights, settings, classes=classes)
        rows = used_rows(training.weights)
        validation = []
        if given is not None:
            validation = model._validation_given(training, *given)
        elif model.early_stopping:
            rows, *validation = model._split(training, rows)
        self.score = validation[0] if validation else None
        self.session = Session(model)
        self.problem = self.session.problem(
            training, rows, settings, *(validation if model.early_stopping else [])
        )
        self.targets, self.weights = training.targets, training.weights
        self.loss = ValidationLoss(model._network, self.problem.data)
        self.complaint = None
        self.epochs_before = 0
        self._loops = self._alpha = None
        self.max_iter_per_point = max_iter_per_point
        if max_iter_per_point is None:
            short = self.deep and model.solver != "lbfgs"
            self.max_iter_per_point = max(
                1, model.max_iter // (SHARE_PER_POINT if short else 1)
            )
        # for the grid and for points that begin anew, before training moves them
        self._best_constant = model._network.intercepts[-1].copy()
        self._initial = model._network.weights()

    @property
    def deep(self):
        """Whether there are hidden layers, so that zero is no place to start from."""
        return bool(self.problem.settings.hidden_layer_sizes)

    def fit(self, alpha):
        """Train at a strength: go on, or begin if there is nothing to go on from."""
        model, problem = self.model, self.problem
        goes_on = self._loops is not None
        leads_down = goes_on and alpha < self._alpha
        self._alpha = alpha
        if leads_down and self.deep and self._predicts_a_constant():
            goes_on = False
            model._network.set_weights(self._initial)
            self.session.restart()
            model._state = self.session.state
        max_iter = self.max_iter_per_point if goes_on else model.max_iter
        problem.budgeted = goes_on
        problem.settings = with_schedules(
            model, self._with_strength(float(alpha)), max_iter
        )
        self.epochs_before = len(self.session.state.history.loss_curve)
        self.session.begin_schedule(max_iter)
        solver = self.session.solve(
            self.problem, self.callbacks, loops=self._loops, max_iter=max_iter
        )
        self._loops = solver.engine
        if solver.interrupted:
            raise KeyboardInterrupt(
                f"The path was interrupted at {self.param}={alpha:g}, after "
                f"{solver.interrupted}."
            )
        # of the points of a path one is enough
        self.complaint = self.complaint or solver.complaint

    def warn_of_point(self, alpha, weights, *, chosen=False):
        """Warn, once, of what there is to say against a point of the path.

        Parameters
        ----------
        alpha : float
        weights : tuple
        chosen : bool
            Whether the strength was not the user's, but chosen by scores or the best
            of a range of our own. A constant is a choice like others, unless it is one
            since features are so far off or of such scales that nothing weaker was of
            any use.
        """
        network, problem = self.model._network, self.problem
        settings, now = problem.settings, network.weights()
        network.set_weights(weights)
        verdict = Verdict(problem)
        columns = verdict.columns
        is_the_scales = chosen and (columns.ill_scaled or columns.tiny)
        excuse = 0.0 if is_the_scales else alpha
        problem.settings = self._with_strength(excuse)
        warn_of(self.complaint, verdict, self.model)
        problem.settings = settings
        network.set_weights(now)

    def ends_at_zero(self, alphas):
        """Whether the path goes on until nothing is left, wherever that is."""
        return isinstance(alphas, Integral) and self.deep and self.param != "l2"

    def walk(self, alphas, eps):
        """Train at one strength after the other, yielding each once it is done."""
        if self.ends_at_zero(alphas):
            steps = self._grow(alphas, eps)
        else:
            steps = self.grid(alphas, eps)
            if self.deep:
                # nothing grows out of a hidden layer of zeros
                both = self.param == "l2"
                steps = self._both_ways(steps) if both else steps[::-1]
        for alpha in steps:
            self.fit(alpha)
            yield alpha

    def grid(self, alphas, eps):
        """The strengths from the largest to the smallest, where they are known."""
        if not isinstance(alphas, Integral):
            return sorted_strengths(alphas)
        eps = self.penalty.path_span if eps is None else eps
        largest = self._largest_checked()
        return np.geomspace(largest, largest * eps, alphas)

    def _both_ways(self, steps):
        """From the middle down, and then from the middle up."""
        middle = len(steps) // 2
        yield steps[middle]
        weights = self.model._network.weights()
        state = copy.deepcopy(self.session.state)
        yield from steps[middle + 1 :]
        self.model._network.set_weights(weights)
        self.model._state = self.session.state = state
        yield from steps[:middle][::-1]

    def _grow(self, number, eps):
        eps = self.penalty.path_span if eps is None else eps
        alpha = self._largest_checked() * eps
        factor = eps ** (-1 / max(number - 1, 1))
        for _ in range(2 * number):
            yield alpha
            if not self.model.feature_importances_.any():
                return
            alpha *= factor

    def _largest_checked(self):
        """The largest strength, > 0."""
        largest = self.largest()
        if not np.isfinite(largest):
            raise ValueError(
                f"The features are so large that no number is the largest {self.param} "
                "of the grid. Scale them, for example with StandardScaler, or pass "
                "alphas as an array."
            )
        # a target or features that do not vary have no scale
        return max(largest, np.finfo(np.float64).resolution)

    def largest(self):
        """Strength at which a linear model has no weights; see the Notes above."""
        if self.param == "l2":
            with np.errstate(over="ignore", invalid="ignore"):
                spread = self.problem.moments.spread
                return L2_REACH * float(np.square(spread).sum())
        linear = self._linear_model_of_zeros()
        linear.params[:] = ValidationLoss(linear, self.problem.data).gradient()
        # smoothed targets vary by so much less, and the best constant follows them
        settings = self.problem.settings
        G = linear.coefs[0].astype(np.float64)
        return (1 - settings.label_smoothing) * self.penalty.zeroing(G, settings)

    def _with_strength(self, alpha):
        """The settings at one strength."""
        return self.penalty.with_strength(self.problem.settings, alpha)

    def _linear_model_of_zeros(self):
        """A network without hidden layers that predicts the best constant."""
        network = self.problem.network
        n_features, *_, n_outputs = network.layer_sizes
        linear = Network(
            [n_features, n_outputs],
            [],
            network.loss,
            network.loss_parameter,
            network.dtype,
            scaling=network.scaling,
        )
        linear.intercepts[0][:] = self._best_constant
        return linear

    def _predicts_a_constant(self):
        """Whether the network is hardly better than the best constant.

        Small weights grow from small gradients: with L hidden layers that of each
        matrix has the product of the L others as a factor.
        """
        constant = self._constant_loss
        return constant + self.loss.score() < LEAST_GAIN * abs(constant)

    @cached_property
    def _constant_loss(self):
        zeros = self._linear_model_of_zeros()
        return -ValidationLoss(zeros, self.problem.data).score()


def recorded(training, steps, *, judged=True, chosen=False):
    """The RegularizationPath of what `steps` trains.

    With `judged` a warning says what there is to say against the point of the least
    loss; others may be constants by design. For `chosen` see
    `PathTraining.warn_of_point`. Ctrl-C is raised again, with the path of
    what was done as its ``path``.
    """
    alphas, weights, histories, features = [], [], [], []
    losses, penalties, scores = [], [], []
    model, network = training.model, training.problem.network

    def record(alpha):
        history, seen = training.session.state.history, training.epochs_before
        histories.append(
            replace(
                history,
                loss_curve=history.loss_curve[seen:],
                learning_rates=history.learning_rates[seen:],
            )
        )
        weights.append(network.weights())
        features.append(np.count_nonzero(model.feature_importances_))
        losses.append(-training.loss.score())
        penalties.append(training.problem.penalty())
        if training.score is not None:
            scores.append(training.score())
        alphas.append(float(alpha))

    interrupt = None
    try:
        for alpha in steps:
            record(alpha)
    except KeyboardInterrupt as caught:
        interrupt = caught
        interrupt.path = None
        if not alphas:
            raise
        # of a point that was being recorded a part may be there
        columns = [weights, histories, features, losses, penalties, scores]
        for column in columns:
            del column[len(alphas) :]
    if alphas and interrupt is None and judged:
        best = int(np.argmin(losses))
        training.warn_of_point(alphas[best], weights[best], chosen=chosen)
    order = np.argsort(alphas)[::-1]

    def in_order(values):
        return [values[i] for i in order]

    losses = np.array(in_order(losses))
    path = RegularizationPath(
        param=training.param,
        alphas=np.array(in_order(alphas)),
        losses=losses,
        objectives=losses + np.array(in_order(penalties)),
        validation_scores=np.array(in_order(scores)) if scores else None,
        n_nonzero_features=np.array(in_order(features)),
        n_iter=np.array([history.n_iter for history in in_order(histories)]),
        _model=model,
        _settings=training.problem.settings,
        _params=np.stack([params for params, *_ in in_order(weights)]),
        _statistics=[rest for _, *rest in in_order(weights)],
        _histories=in_order(histories),
    )
    if interrupt is not None:
        interrupt.path = path
        raise interrupt
    return path


@dataclass
class RegularizationPath(VersionedMixin):
    """What `regularization_path` has found, from the largest strength to the smallest.

    Attributes
    ----------
    param : str
        The strength that was varied.
    alphas : ndarray of shape (n_alphas,)
        Its values, falling.
    losses : ndarray of shape (n_alphas,)
        Mean loss on the training rows, without penalties and without what disturbs
        training, such as dropout. On the standardized target, where there is one.
    objectives : ndarray of shape (n_alphas,)
        The same with the penalties.
    validation_scores : ndarray of shape (n_alphas,) or None
        Score on validation data, higher is better, where there were some.
    n_iter : ndarray of int of shape (n_alphas,)
        Epochs, or iterations of "lbfgs", that each point took.
    coefs : list of ndarray of shape (n_alphas, n_in, n_out)
        Weight matrices, one array per layer.
    intercepts : list of ndarray of shape (n_alphas, n_out)
        Biases.
    skip_coefs : ndarray of shape (n_alphas, n_features, n_outputs) or None
        With ``skip=True`` the weights of the linear connection.
    n_nonzero_weights : ndarray of int of shape (n_alphas,)
        Weights, biases apart, that are not zero.
    n_nonzero_features : ndarray of int of shape (n_alphas,)
        Features with an outgoing weight that is not zero.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPClassifier, regularization_path
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RegularizedMLPClassifier((), solver="lbfgs", l2=0.0)
    >>> path = regularization_path(model, scale(X), y, alphas=[0.1, 0.01])
    >>> path.n_nonzero_features
    array([4, 9])
    >>> path.estimator(1).score(scale(X), y) > 0.97
    True
    """

    param: str
    alphas: np.ndarray
    losses: np.ndarray
    objectives: np.ndarray
    validation_scores: np.ndarray | None
    n_nonzero_features: np.ndarray
    n_iter: np.ndarray
    _model: object = field(repr=False)
    _settings: object = field(repr=False)
    _params: np.ndarray = field(repr=False)
    _statistics: list = field(repr=False)
    _histories: list = field(repr=False)

    def __len__(self):
        return len(self.alphas)

    @property
    def coefs(self):
        """Weight matrices, one array per layer, each (n_alphas, n_in, n_out)."""
        return [
            self._params[:, bias - n_in * n_out : bias].reshape(-1, n_in, n_out)
            for bias, n_in, n_out in self._model._network._layers()
        ]

    @property
    def intercepts(self):
        """Biases, one array per layer, each (n_alphas, n_out)."""
        return [
            self._params[:, bias : bias + n_out]
            for bias, _, n_out in self._model._network._layers()
        ]

    @property
    def skip_coefs(self):
        """Linear weights with `skip`, (n_alphas, n_features, n_outputs); else None."""
        network = self._model._network
        if not network.skip:
            return None
        theta = self._params[:, network._layers_end :]
        return theta.reshape(-1, network.layer_sizes[0], network.layer_sizes[-1])

    @property
    def n_nonzero_weights(self):
        """Weights, biases apart, that are not zero, (n_alphas,)."""
        every = [1.0] * len(self._settings.l1)
        is_weight = self._model._network.per_parameter(every) > 0
        return np.count_nonzero(self._params[:, is_weight], axis=1)

    def _weights(self, i):
        """What `Network.set_weights` takes, of the i-th strength."""
        return self._params[i], *self._statistics[i]

    def estimator(self, i):
        """The estimator as it was fitted at one strength.

        Parameters
        ----------
        i : int
            Its place in ``alphas``.

        Returns
        -------
        estimator : RegularizedMLPClassifier or RegularizedMLPRegressor
            Fitted; it shares nothing with the path.

        Raises
        ------
        IndexError
            If there is no such point.
        """
        alpha = float(self.alphas[i])
        model = copy.copy(self._model)
        setattr(model, self.param, alpha)
        settings = PENALTIES[self.param].with_strength(self._settings, alpha)
        model._network = copy.deepcopy(self._model._network)
        model._network.set_weights(self._weights(i))
        model._state = TrainingState(
            self._model._state.key, copy.deepcopy(self._histories[i])
        )
        vars(model).update(Session(model).figures(settings))
        return model

    def predict(self, X):
        """Predictions at every strength.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        y : ndarray of shape (n_alphas, n_samples) or (n_alphas, n_samples, n_outputs)
            As the estimators' `predict`.
        """
        return np.stack([self.estimator(i).predict(X) for i in range(len(self))])
