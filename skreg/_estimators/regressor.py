"""RegularizedMLPRegressor."""

import copy
import warnings
from numbers import Real

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.exceptions import DataConversionWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skreg._estimators.available import available_unless_it_raises
from skreg._estimators.base import BaseRegularizedMLP
from skreg._estimators.callbacks import with_callbacks
from skreg._estimators.members import mean_of
from skreg._estimators.transaction import atomic, settled
from skreg._problem.data import kernel_weights, used_rows
from skreg._problem.losses import REGRESSION_LOSSES
from skreg._problem.parameters import CONSTRAINTS, POSITIVE, trains_epoch_by_epoch
from skreg._problem.reading import LOST, refuse_objects, refuse_times
from skreg._problem.target_scale import (
    FEWEST_ROWS,
    LogLevel,
    TargetMoments,
    TargetScale,
    last_calls,
    power_of_two,
)
from skreg._training.scoring import values_for_r2, weights_for_metrics
from skreg._training.stochastic import ValidationLoss


class RegularizedMLPRegressor(MultiOutputMixin, RegressorMixin, BaseRegularizedMLP):
    """Multilayer perceptron regressor with L1, L2, dropout and early stopping.

    Minimises, over weight matrices W_l and biases b_l,

        sum_i s_i loss(y_i, f(x_i)) / sum_i s_i
        + sum_l [ l1_l ||W_l||_1 + l2_l / 2 ||W_l||_F^2 ],

    where the loss is summed over outputs and the squared loss is *half* the squared
    error. Its value does not depend on the batch size. Without a hidden layer and with
    ``standardize_target=False``, ``l1=a`` is ``Lasso(alpha=a)``, ``l2=a / n_samples``
    is ``Ridge(alpha=a)``, and ``l1=a * r, l2=a * (1 - r)`` is
    ``ElasticNet(alpha=a, l1_ratio=r)``.

    Its parameters stand in groups, in the order of use:

    - network, what is built: `hidden_layer_sizes`, `activation`, `batch_norm`,
      `residual`, `skip`, `preprocessing`, `feature_scaling`, `n_members`, `dtype`
    - target, what is learnt: `loss`, `quantile`, `huber_delta`, `standardize_target`
    - penalties, what keeps weights small or zero: `l1`, `l2`, `group_l1`,
      `feature_groups`, `hierarchy`, `weight_decay`, `weight_decay_schedule`,
      `max_norm`
    - noise, what varies in training: `dropout`, `input_dropout`, `dropout_schedule`,
      `augmentation`, `adversarial`
    - training, solver, rate and steps: `solver`, `learning_rate`,
      `learning_rate_init`, `warm_up`, `power_t`, `batch_size`, `shuffle`, `momentum`,
      `nesterovs_momentum`, `beta_1`, `beta_2`, `epsilon`, `max_grad_norm`,
      `weight_averaging`, `max_fun`
    - end, how long, and what is kept: `max_iter`, `early_stopping`,
      `validation_fraction`, `scoring`, `n_iter_no_change`, `tol`
    - call, how it runs: `random_state`, `warm_start`, `verbose`

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Units of each hidden layer. ``()`` is no hidden layer: a linear model. "auto" is
        ``(256, 128)``.
    activation : str or array-like of str, default="relu"
        Activation of the hidden layers, one for all or one per layer: "identity",
        "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu" or
        "mish". The initial weights follow it: LeCun et al.
        (1998) for "selu", Glorot & Bengio (2010) for the others, with a third of the
        variance for "logistic".
    batch_norm : bool or {"before", "after"}, default=False
        Batch normalization of the hidden layers (Ioffe & Szegedy 2015), before (True)
        or after the activation. Predictions use running averages, folded into the
        weights; see ``folded_coefs_``.
    residual : bool, default=False
        Whether a hidden layer adds its input to its output (He et al. 2016), wherever
        it follows a hidden layer of the same width.
    skip : bool, default=False
        Whether the inputs are also connected to the outputs by weights of their own:
        f(x) = net(x) + x ``skip_coef_`` (Cheng et al. 2016). They start at zero. Needs
        a hidden layer.
    preprocessing : {"auto", "robust"} or None, default="auto"
        How the network reads X: as it is (None), or each feature as
        3 asinh(z / 3) of z = (x - median) / (distance of the quartiles) in the training
        rows: no feature is large, and a value that is far off counts by its logarithm.
        Dense X is not copied, sparse X is made dense; all else is in X's units. Not
        with ``adversarial`` and objects of ``augmentation``. "auto" is "robust" in
        `fit` with hidden layers and "adam", for dense X and for sparse X of up to 512
        features and 2^27 numbers in all, and beside none of these, nor ``l1`` and
        ``group_l1``, else None.
    feature_scaling : float or "auto", default="auto"
        In [0, 100]. With a value > 0, each feature has a learnt scale, W = diag(s) V of
        the first layer, and s takes steps of the rate times this value, without decay
        (after Holzmueller et al. 2024). ``coefs_[0]`` is W, and the objective that of
        W. Needs "adam"; not with ``group_l1``, ``hierarchy`` and "auto" strengths, nor
        with ``l1`` and ``max_norm`` of the first layer. "auto" is 6 with hidden layers
        and "adam" for X that is dense or read so (``preprocessing``) and beside
        none of these, else 0.
    n_members : int or "auto", default="auto"
        Networks that are trained, each from initial weights, with an order of rows,
        masks and, with ``early_stopping``, validation rows of its own; values are
        averaged. They are trained in threads, on one copy of X, with the
        same bits for any number of threads. Each counts as a fit in time and memory.
        "auto" is 4 where ``hidden_layer_sizes`` is "auto", too, and the solver "adam",
        else 1.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights and of all arithmetic. "float32" is about twice as fast
        and as accurate in prediction; "float64" is for comparisons to solver
        precision.
    loss : str, default="squared_error"
        "squared_error" (half of it), "absolute_error", "huber", "quantile", "poisson"
        (y >= 0) or "gamma" (y > 0). The last two predict ``exp(f(x))``.
    quantile : float, default=0.5
        The quantile that ``loss="quantile"`` predicts, in (0, 1).
    huber_delta : float, default=1.35
        Where ``loss="huber"`` turns from squares to absolute values, > 0. In standard
        deviations of y with ``standardize_target``, else in y's own unit.
    standardize_target : bool, default=True
        Fit the network to (y - mean) / standard deviation and undo that in `predict`,
        so that targets of any magnitude train and the strengths have no unit. Then
        ``coefs_``, ``intercepts_`` and ``loss_`` belong to the standardized target.
        Without effect for "poisson" and "gamma". If False, training that goes on stays
        in the unit of its first y, and warns of another.
    l1 : float, array-like of float or "auto", default=0.0
        Strength of the L1 penalty, >= 0, one for all weight matrices or one for each
        (hidden layers + 1, and one more, the last, with ``skip=True``). Applied by a
        proximal step, so weights become exactly 0.
        "auto" tunes one for each during the fit, on the validation data of
        ``early_stopping=True``, by approximate gradients of the validation loss
        (Luketina et al. 2016). Not with "lbfgs" or ``batch_norm``.
    l2 : float, array-like of float or "auto", default=1e-4
        Strength of the L2 penalty, >= 0, likewise. Part of the gradient.
    group_l1 : float, default=0.0
        Strength of the group lasso (Yuan & Lin 2006), >= 0, on the outgoing weights of
        each feature, or of each of ``feature_groups``: the objective gets
        ``group_l1 * sum_g sqrt(m_g) ||W_g||_2``, with W_g the m_g weights of the group
        in the first layer and, with ``skip=True``, past the hidden layers. Applied by a
        proximal step, so that features drop out with weights that are exactly 0. Not
        with "lbfgs".
    feature_groups : array-like of shape (n_features,) or None, default=None
        Labels, numbers or strings: ``group_l1`` keeps or drops features of one label
        together, such as the columns of one one-hot encoding. None: each feature on
        its own.
    hierarchy : float or None, default=None
        M > 0 of LassoNet (Lemhadri et al. 2021), for ``skip=True``. ``group_l1`` is
        then the strength on the m_g weights of each group in ``skip_coef_`` alone, and
        their norm times M bounds each of its weights in the first layer: a feature is
        used at all only if it has linear weights. Infinity is no bound. The averages of
        ``weight_averaging`` need not keep within it. Not with "lbfgs", nor with ``l1``
        of the first layer or ``skip_coef_``, or ``max_norm`` of the latter.
    weight_decay : float or "auto", default="auto"
        Decoupled decay w <- w - rate * weight_decay * w after Loshchilov & Hutter
        (2019), >= 0. Not part of the objective. Under "sgd" it acts like an l2 of
        ``(1 - momentum) * weight_decay``. "auto" is
        0.05 with hidden layers and "adam", but 0 beside ``l1`` or ``group_l1``, whose
        objective it would change; else 0.
    weight_decay_schedule : schedule of `skreg.schedules` or None, default=None
        Factor on ``weight_decay`` by epoch, taken at the epoch's beginning.
    max_norm : float, array-like of float or None, default=None
        Bound > 0 on the norm of each unit's incoming weights, projected after each step
        (Srivastava et al. 2014); one for all weight matrices or one for each.
    dropout : float, array-like of float or "auto", default="auto"
        Probability, in [0, 1), that a hidden unit is left out of a training step
        (Srivastava et al. 2014), one for all or one per hidden layer. Units kept are
        divided by 1 - dropout; prediction uses all units as they are. "auto" is 0.1
        with "adam" where each hidden layer has 64 units at least, else 0.
    input_dropout : float, default=0.0
        The same for the features.
    dropout_schedule : schedule of `skreg.schedules` or None, default=None
        Factor on ``dropout`` and ``input_dropout`` by epoch, taken at the epoch's
        beginning; no rate may reach 1.
    augmentation : object, list, callable or None, default=None
        Changes of the training rows, drawn anew for every batch: an object of
        `skreg.augmentation` such as ``Mixup()``, a list of them, or
        ``Compose([(name, object), ...])``. A function ``f(X, rng)`` that returns an
        array of X's shape is called once per epoch; in a list functions come first.
        Needs dense X.
    adversarial : object or None, default=None
        An `~skreg.adversarial.AdversarialTraining`; for dense X.
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        Adam (Kingma & Ba 2015), stochastic gradient descent with momentum, or SciPy's
        L-BFGS-B on the full batch. The last is for small data and for no hidden layer,
        where it reaches solver precision; it excludes ``dropout``,
        ``input_dropout``, ``augmentation``, ``weight_decay`` and ``early_stopping``.
    learning_rate : str or schedule of `skreg.schedules`, default="auto"
        Schedule of the rate, for "adam" and "sgd":

        - "auto": "one_cycle" with hidden layers and "adam", else "constant";
        - "constant": ``learning_rate_init``;
        - "invscaling": ``learning_rate_init / (t_ + 1) ** power_t``;
        - "adaptive": divided by 5 whenever ``n_iter_no_change`` epochs bring no
          progress, until it is below 1e-6;
        - "cosine": from ``learning_rate_init`` to 0 along half a cosine over
          ``max_iter`` epochs (Loshchilov & Hutter 2017);
        - "cosine_restarts": the same again and again, in 10, 20, 40, ... epochs;
        - "flat_cosine": ``learning_rate_init`` in 70 % of ``max_iter`` epochs, then
          down to 0 along half a cosine;
        - "one_cycle": up to ``learning_rate_init`` in 30 % of ``max_iter`` epochs, then
          down to almost 0 (Smith & Topin 2018).

        The last four, and schedule objects, use all ``max_iter`` epochs unless
        ``early_stopping`` ends them.
    learning_rate_init : float or "auto", default="auto"
        The rate at the start, or the highest of "one_cycle"; > 0. "auto" is 0.005 for
        "one_cycle" with hidden layers and "adam", else 0.001.
    warm_up : float, default=0.0
        Epochs, >= 0 and not necessarily whole, in which a factor rises linearly from 0
        to 1 step by step. It multiplies any schedule. Each `fit` warms up anew.
    power_t : float, default=0.5
        Exponent of "invscaling", >= 0.
    batch_size : int or "auto", default="auto"
        Rows of a batch, at most n_samples. "auto" is 200; with hidden layers and "adam"
        it is the power of two nearest to n_samples / 32, from 16 to 128, and 512 from
        50,000 rows on.
    shuffle : bool, default=True
        Whether each epoch takes the rows in a new order.
    momentum : float, default=0.9
        Momentum of "sgd", in [0, 1).
    nesterovs_momentum : bool, default=True
        Whether it is Nesterov's.
    beta_1 : float, default=0.9
        Decay rate of Adam's mean of the gradient, in [0, 1).
    beta_2 : float, default=0.999
        Decay rate of Adam's mean of the gradient's square, in [0, 1).
    epsilon : float, default=1e-8
        Adam's term against division by zero, > 0.
    max_grad_norm : float or None, default=None
        Bound > 0 on the norm of the loss's gradient by all parameters (Pascanu et al.
        2013), to which it is shortened before each step.
    weight_averaging : {"ema", "swa"}, object or None, default=None
        Predict with an average of the weights: an
        `~skreg.averaging.ExponentialMovingAverage` or a
        `~skreg.averaging.StochasticWeightAveraging`.
    max_fun : int, default=15000
        Most evaluations of the objective by "lbfgs".
    max_iter : int or "auto", default="auto"
        Most epochs, or iterations of "lbfgs". "auto" is 200; with hidden layers, "adam"
        and a schedule that has an end it is 60, and from 10,000 rows on 600,000 /
        n_samples, but 6 at least.
    early_stopping : bool or "auto", default="auto"
        Stop when the score on validation data has not improved by ``tol`` for
        ``n_iter_no_change`` epochs, and restore the weights of the best epoch.
        "auto" is True with hidden layers and "adam" from 30 rows on, or if `fit` is
        given ``X_val`` and ``y_val``, else False.
    validation_fraction : float, default=0.1
        Share of the rows set aside for that, in (0, 1), unless `fit` is given
        ``X_val`` and ``y_val``.
    scoring : str or callable, default="loss"
        What early stopping looks at: "loss" (minus the loss, penalties left out) or
        any scorer of scikit-learn, or a function of (estimator, X, y). It is given the
        weights of the rows if it takes ``sample_weight``. A function may return -inf
        for an epoch that cannot be scored; nan and +inf are errors.
    n_iter_no_change : int, inf or "auto", default="auto"
        Epochs without progress that are waited for; not counted while the network
        still predicts its training rows like a constant. "auto" is 10; with hidden
        layers, "adam" and a schedule that has an end 3/8 of ``max_iter``, rounded up,
        but 5 at least.
    tol : float, default=1e-4
        Least gain in training loss (or validation score) that counts as progress; for
        "lbfgs", the largest element of the projected gradient of the objective at
        which it stops: by each weight, and by each weight times the standard deviation
        of its feature. A fit that ends above it warns, unless all that is left to gain
        is lost in the rounding of the loss.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the order of the rows, the dropout masks and the
        validation split. The same seed gives the same bits.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit, its optimizer state included.
    verbose : bool or int, default=False
        Print one line per epoch.

    Attributes
    ----------
    automatic_params_ : dict
        The values used for the parameters that are "auto"; only where there are some.
    members_ : list of RegularizedMLPRegressor
        With ``n_members`` above 1: the networks, each fitted. The estimator's own
        ``loss_``, ``best_loss_``, ``best_validation_score_``, ``l1_``, ``l2_``,
        ``feature_importances_`` and ``sparsity_`` are means over them, ``n_iter_`` is
        the largest and ``t_`` the sum, ``selected_features_`` are those of any; what
        belongs to one network, such as ``coefs_`` and ``loss_curve_``, they have each.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weight matrices; CSC after ``sparsify_weights``. They can be set, in place or as
        ``coefs_[0] = W``; those that are CSC have read-only arrays and can be replaced.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases, likewise.
    skip_coef_ : ndarray of shape (n_features, n_outputs) or None
        Weights of the connection from the inputs to the outputs, with ``skip=True``;
        CSC after ``sparsify_weights``.
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        Without hidden layers only: the weights as in
        :class:`~sklearn.linear_model.Ridge`, in the unit of y; CSR of shape
        (n_outputs, n_features) after ``sparsify``. Read-only: set
        ``coefs_``.
    intercept_ : float or ndarray of shape (n_outputs,)
        The constant beside them: ``X @ coef_.T + intercept_`` is the prediction, or its
        logarithm for "poisson" and "gamma".
    folded_coefs_ : tuple of ndarray of shape (n_in, n_out)
        Weight matrices of a network without batch normalization that predicts the same;
        those of ``coefs_`` where there is none. Read-only: set ``coefs_``.
    folded_intercepts_ : tuple of ndarray of shape (n_out,)
        Its biases, read-only, too.
    l1_ : list of float
        Strengths of the L1 penalty, one per weight matrix: those given or, where they
        are "auto", those of the epoch whose weights were kept.
    l2_ : list of float
        Those of the L2 penalty.
    feature_importances_ : ndarray of shape (n_features,)
        Norms of the features' outgoing weights: of the rows of ``coefs_[0]`` and, with
        ``skip=True``, ``skip_coef_`` together.
    selected_features_ : ndarray of bool of shape (n_features,)
        Which features have a weight that is not zero.
    selected_feature_names_ : ndarray of str
        Their names, where X had names.
    sparsity_ : list of float
        Share of exact zeros in each weight matrix, with ``skip=True`` that of the skip
        connection last.
    zero_share_ : float
        The same of all together.
    loss_ : float
        The objective at the end: the mean loss over the last epoch, each batch before
        its step, plus the penalties after it; for "lbfgs" the objective itself.
    loss_curve_ : list of float
        ``loss_`` after each epoch. Where strengths are "auto", the penalties are those
        of the epoch.
    learning_rates_ : list of float or None
        Learning rate of the last step of each epoch in ``loss_curve_``; None for
        "lbfgs".
    best_loss_ : float or None
        Least of ``loss_curve_``; None with ``early_stopping``.
    validation_scores_ : list of float or None
        Score on the validation data after each epoch, with ``early_stopping``.
    validation_losses_ : list of float or None
        Mean loss on the same data, penalties left out, whatever ``scoring`` is.
    best_validation_score_ : float or None
        The highest of the scores, whose weights were restored.
    n_iter_ : int
        Epochs (iterations) of the last `fit`.
    t_ : int
        Rows seen in training.
    n_layers_ : int
        Hidden layers + 2.
    n_outputs_ : int
        Units of the output layer.
    out_activation_ : str
        "identity", or "exp" for the losses "poisson" and "gamma".
    n_features_in_ : int
        Features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had names that are all strings.

    See Also
    --------
    RegularizedMLPClassifier : The same network for classes.
    sklearn.neural_network.MLPRegressor : Its parameters keep their names here; its
        ``alpha`` is ``l2 * batch_size``.

    References
    ----------
    Cheng et al. (2016). Wide & deep learning for recommender systems. Workshop on Deep
    Learning for Recommender Systems.

    Holzmueller, Grinsztajn, Steinwart (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS 37.

    Luketina, Berglund, Greff, Raiko (2016). Scalable gradient-based tuning of
    continuous regularization hyperparameters. ICML.

    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014). Dropout: a simple
    way to prevent neural networks from overfitting. JMLR 15.

    Yun, Lozano, Yang (2021). Adaptive proximal gradient methods for structured neural
    networks. NeurIPS 34.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg import RegularizedMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = make_pipeline(
    ...     StandardScaler(),
    ...     RegularizedMLPRegressor(
    ...         l1=0.01, learning_rate="one_cycle", learning_rate_init=0.01,
    ...         max_iter=50, random_state=0,
    ...     ),
    ... )
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.3
    True

    Without a hidden layer it is the Lasso:

    >>> import numpy as np
    >>> from sklearn.linear_model import Lasso
    >>> lasso = Lasso(alpha=1.0, tol=1e-10).fit(X, y)
    >>> model = RegularizedMLPRegressor(
    ...     hidden_layer_sizes=(), l1=1.0, l2=0.0, solver="lbfgs", tol=1e-10,
    ...     standardize_target=False, dtype="float64",
    ... ).fit(X, y)
    >>> np.allclose(model.coefs_[0].ravel(), lasso.coef_)
    True
    """

    _parameter_constraints: dict = {
        **CONSTRAINTS,
        "loss": [StrOptions(set(REGRESSION_LOSSES))],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "huber_delta": [POSITIVE],
        "standardize_target": ["boolean"],
    }

    def __init__(
        self,
        hidden_layer_sizes="auto",
        activation="relu",
        *,
        batch_norm=False,
        residual=False,
        skip=False,
        preprocessing="auto",
        feature_scaling="auto",
        n_members="auto",
        dtype="float32",
        # target: what is learnt
        loss="squared_error",
        quantile=0.5,
        huber_delta=1.35,
        standardize_target=True,
        # penalties: what keeps weights small or zero
        l1=0.0,
        l2=1e-4,
        group_l1=0.0,
        feature_groups=None,
        hierarchy=None,
        weight_decay="auto",
        weight_decay_schedule=None,
        max_norm=None,
        # noise: what varies in training
        dropout="auto",
        input_dropout=0.0,
        dropout_schedule=None,
        augmentation=None,
        adversarial=None,
        # training: solver, rate and steps
        solver="adam",
        learning_rate="auto",
        learning_rate_init="auto",
        warm_up=0.0,
        power_t=0.5,
        batch_size="auto",
        shuffle=True,
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        max_grad_norm=None,
        weight_averaging=None,
        max_fun=15000,
        # end: how long, and what is kept
        max_iter="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        scoring="loss",
        n_iter_no_change="auto",
        tol=1e-4,
        # call: how it runs
        random_state=None,
        warm_start=False,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.batch_norm = batch_norm
        self.residual = residual
        self.skip = skip
        self.preprocessing = preprocessing
        self.feature_scaling = feature_scaling
        self.n_members = n_members
        self.dtype = dtype
        self.loss = loss
        self.quantile = quantile
        self.huber_delta = huber_delta
        self.standardize_target = standardize_target
        self.l1 = l1
        self.l2 = l2
        self.group_l1 = group_l1
        self.feature_groups = feature_groups
        self.hierarchy = hierarchy
        self.weight_decay = weight_decay
        self.weight_decay_schedule = weight_decay_schedule
        self.max_norm = max_norm
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.dropout_schedule = dropout_schedule
        self.augmentation = augmentation
        self.adversarial = adversarial
        self.solver = solver
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.warm_up = warm_up
        self.power_t = power_t
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.max_grad_norm = max_grad_norm
        self.weight_averaging = weight_averaging
        self.max_fun = max_fun
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    @available_unless_it_raises(trains_epoch_by_epoch)
    @atomic
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train one epoch on X and y, going on from the last call.

        With ``standardize_target`` the first call's y sets the mean and the scale. They
        follow the targets of the last calls (at least 10, and 200 rows) where these
        are far from them: a root mean square above 4 in the present scale, or a
        standard deviation below 1/4. The output layer changes with them. So do the
        biases of "poisson" and "gamma" where the mean changes by a factor beyond 4.
        Other losses with ``standardize_target=False`` stay in the unit that was learnt;
        a y in another is warned of, where steps of the solver do not lead to it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training input.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, as in `fit`.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        AttributeError
            With parameters that need to know when training ends: ``solver="lbfgs"``,
            ``early_stopping=True``, ``dropout_schedule``, ``weight_decay_schedule``
            and, for ``learning_rate``, all but "constant", "invscaling" and
            "adaptive"; and with strengths that are "auto".
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X, return_std=False):
        """Predict values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.
        return_std : bool, default=False
            Whether to return how much the members differ, too; needs ``n_members``
            above 1.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs), float64
            The prediction, in the unit of the y that was given to `fit`. With several
            members the mean of theirs.
        std : ndarray of the same shape
            With ``return_std=True``: the standard deviation of the members'
            predictions. It is what the networks do not know together, and not the
            noise of y.

        Raises
        ------
        ValueError
            If ``return_std=True`` and there is one network.
        """
        self = settled(self)
        X = self._read_to_predict(X)
        if not return_std:
            return self._values(X)
        if not hasattr(self, "members_"):
            raise ValueError(
                "return_std=True needs several networks, whose predictions differ; "
                "this estimator was fitted with one network. Fit a "
                "RegularizedMLPRegressor with n_members=4, for example."
            )
        return self._values(X), spread_of(
            [member._values(X) for member in self.members_]
        )

    def _values(self, X):
        """The prediction for X as it was read."""
        if hasattr(self, "members_"):
            return mean_of(member._values(X) for member in self.members_)
        y = self._target_scale.invert(self._network_outputs(X))
        return y.ravel() if self._one_dimensional else y

    def score(self, X, y, sample_weight=None):
        """Return R², the share of the variance of y that is explained.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            At most 1; the mean over outputs. It does not depend on the unit of y and
            the weights, however large or small these are.
        """
        # imported for a score only, as RegressorMixin has it
        from sklearn.metrics import r2_score

        check_is_fitted(self)
        refuse_times(y, "y")
        refuse_objects(y, "y", labels=False)
        y, predicted = values_for_r2(y, self.predict(X))
        weights = weights_for_metrics(sample_weight)
        return r2_score(y, predicted, sample_weight=weights)

    # ---------------------------------------------------------------------- targets

    _READING = ("_target_scale", "_one_dimensional")

    def _reading_of_outputs(self):
        scale = self._target_scale
        return scale.mean.tolist(), scale.scale.tolist(), self._one_dimensional

    def _largest_raw(self):
        scale = self._target_scale
        # a prediction somewhat beyond the largest number is taken for that number
        return 1e3 * (np.finfo(np.float64).max / max(scale.scale.max(), 1e3))

    def _encode_targets(self, y, weights, first, classes):
        one_dimensional = y.ndim == 1
        y = as_columns(y)
        loss = REGRESSION_LOSSES[self.loss]
        in_use = y if weights is None else y[weights > 0]
        self._check_range(loss, in_use)
        if first:
            self._check_start(loss, in_use)
            self._one_dimensional = one_dimensional
            moments = TargetMoments.of(y, weights)
            self._last_calls = [moments]
            self._target_place = self._place_of(moments)
            self._target_scale = (
                self._target_place
                if self._standardizes
                else TargetScale.none(y.shape[1])
            )
        elif y.shape[1] != len(self._target_scale.mean):
            raise ValueError(
                f"y has {y.shape[1]} outputs, but {len(self._target_scale.mean)} in "
                "the first call."
            )
        targets = self._target_scale.apply(y)
        in_use = targets if weights is None else targets[weights > 0]
        self._check_magnitude(loss, in_use, first)
        return targets, y.shape[1]

    def _warn_of_targets(self, y):
        y = as_columns(y)
        # smaller ones are refused
        smallest = np.sqrt(np.finfo(np.dtype(self.dtype)).tiny)
        with np.errstate(all="ignore"):
            mean, spread = y.mean(axis=0), y.std(axis=0)
            lost = (y - y.astype(np.float32)).std(axis=0) > LOST * spread
            lost &= np.abs(y).max(axis=0) > smallest
        if not self._standardizes and self.dtype == "float32" and lost.any():
            j = int(np.flatnonzero(lost)[0])
            warnings.warn(
                f"float32 rounds away what varies in y (mean {mean[j]:.3g}, standard "
                f"deviation {spread[j]:.3g}). Set standardize_target=True or "
                "dtype='float64', or subtract the mean.",
                DataConversionWarning,
            )
        if self.loss == "poisson" and smallest < mean.min() < SMALL_COUNTS:
            warnings.warn(
                f"The mean of y is {mean.min():.3g}. The Poisson loss has the unit of "
                "y, so that penalties such as l2, and tol, weigh as much more as y is "
                f"smaller. Multiply y by a constant such as {1 / mean.min():.0g}, or "
                "lower l2 and tol in proportion."
            )

    @property
    def _standardizes(self):
        return self.standardize_target and REGRESSION_LOSSES[self.loss].standardizable

    def _place_of(self, moments):
        """What is followed of targets."""
        has_log_link = REGRESSION_LOSSES[self.loss].out_activation == "exp"
        return (LogLevel if has_log_link else TargetScale).of(moments)

    def _follow_targets(self, trained, X, y, weights, *, incremental=False):
        y, network = as_columns(y), trained._network
        if (
            y.shape[1] != network.layer_sizes[-1]
            or network.dtype != self.dtype
            or network.loss != self._loss()[0]
        ):
            # of another network, which is refused
            return None
        # older pickles have none
        known = getattr(trained, "_last_calls", [])
        calls = known if incremental else []
        call = TargetMoments.of(y, weights)
        self._last_calls = last_calls([*calls, call])
        moments = TargetMoments.of_all(self._last_calls)
        if self._standardizes:
            return self._follow_by_scale(trained, moments, X, y, weights)
        old = getattr(trained, "_target_place", None) or self._place_of(moments)
        new, _ = old.followed(moments)
        self._target_place = new
        if new is old:
            return None
        if isinstance(new, LogLevel):
            return self._follow_by_level(network, call, X, y, weights)
        if self.solver != "lbfgs" and sum(each.n for each in known) >= FEWEST_ROWS:
            self._warn_of_other_unit(old, new)
        return None

    def _follow_by_level(self, network, call, X, y, weights):
        """The same of targets whose logarithm is fitted."""
        data = self._data_for(network, X, y, weights)
        raw = network.predict(X, raw=True, subset=data.subset)
        used = weights if data.subset is None else weights[data.subset]
        # what training has changed meanwhile counts
        old = LogLevel.of_outputs(raw, used)
        change = old.same_place_in(old.followed(call)[0])
        as_it_is, changed = losses_of_outputs(network, change, data)
        return change if changed < as_it_is else None

    def _follow_by_scale(self, trained, moments, X, y, weights):
        """The same of targets that are standardised."""
        old = trained._target_scale
        new, farther = old.followed(moments)
        self._target_scale = new
        if new is old:
            return None
        change = old.same_predictions_in(new)
        data = self._data_for(trained._network, X, y, weights)
        same_outputs, same_predictions = losses_of_outputs(
            trained._network, change, data
        )
        if same_outputs < same_predictions or not np.isfinite(same_predictions):
            return None
        of_its_own = self._fine_tuning is None and trained is self
        if of_its_own and self.hierarchy in (None, np.inf):
            return change
        if not farther:
            # the output layer is a base's, or bounds the first: it stays as it is, and
            # its predictions are near these targets
            self._target_scale = old
        return None

    def _data_for(self, network, X, y, weights):
        """Rows with their targets on the present scale."""
        rows = used_rows(weights)
        return network.data(
            X,
            self._kernel_targets(self._target_scale.apply(y)),
            kernel_weights(weights, rows, network.dtype),
            rows,
        )

    def _warn_of_other_unit(self, old, new):
        """Say that steps of the solver do not reach these targets."""
        j = int(np.argmax(np.abs(np.log(new.scale / old.scale))))
        warnings.warn(
            f"y has changed its unit: its mean and standard deviation were "
            f"{old.mean[j]:.3g} and {old.scale[j]:.3g}, and are {new.mean[j]:.3g} and "
            f"{new.scale[j]:.3g} now. With standardize_target=False the network stays "
            f"in the unit that it has learnt, from which steps of solver="
            f"{self.solver!r} do not lead to another. Give y in that unit, or set "
            "standardize_target=True.",
            UserWarning,
            stacklevel=2,
        )

    def _check_range(self, loss, y):
        """Targets must be in the range of the loss."""
        smallest = y.min()
        if smallest < loss.smallest or (loss.open_below and smallest == loss.smallest):
            sign = ">" if loss.open_below else ">="
            raise ValueError(
                f"loss={self.loss!r} needs y {sign} {loss.smallest:g}; the smallest y "
                f"is {smallest:g}. Shift y, or use another loss."
            )

    def _check_magnitude(self, loss, targets, first):
        """What the network is fitted to must be numbers that its dtype can train on."""
        limits = np.finfo(np.dtype(self.dtype))
        smallest, largest = float(limits.tiny), float(limits.max)
        squares = "" if loss.bounded_gradient else " whose squares are"
        if squares:
            # Adam's mean of the squared gradient
            smallest, largest = np.sqrt(smallest), np.sqrt(largest)
        found = np.abs(targets).max(axis=0)
        remedy = "Change the unit of y, for example by y / abs(y).max()"
        if self._standardizes:
            if found.max() > largest:
                raise ValueError(
                    f"y has values {found.max():g} standard deviations of the first "
                    f"call's targets from their mean; numbers{squares} beyond "
                    f"{limits.dtype} begin at {largest:.3g}. Give y in the unit of "
                    "that call, or fit anew."
                )
            return
        if loss.standardizable:
            remedy += ", or set standardize_target=True"
        if limits.dtype == np.float32:
            remedy += ", or try dtype='float64'"
        if found.max() > largest:
            raise ValueError(
                f"y has values as large as {found.max():g}; with loss={self.loss!r} "
                f"and dtype={limits.dtype} no number can be trained on that is beyond "
                f"{largest:.3g}. {remedy}."
            )
        tiny = found[(found > 0) & (found < smallest)]
        if first and tiny.size:
            raise ValueError(
                f"An output of y has no value larger than {tiny.min():g}; with "
                f"loss={self.loss!r} and dtype={limits.dtype} no number can be trained "
                f"on that is below {smallest:.3g}. {remedy}."
            )

    def _check_start(self, loss, y):
        """The first targets must have a best constant."""
        if loss.smallest == 0 and not y.any(axis=0).all():
            raise ValueError(
                f"loss={self.loss!r} needs a positive y in every output; an output is "
                "0 throughout. Give more rows, or use another loss."
            )

    def _loss(self):
        loss = REGRESSION_LOSSES[self.loss]
        parameter = getattr(self, loss.parameter) if loss.parameter else 0.0
        return loss, float(parameter)

    def _output_bias(self, targets, weights, n_outputs):
        loss, parameter = self._loss()
        return loss.best_constant(targets, weights, parameter)

    def _constant_outputs(self, training):
        y = as_columns(training.y)
        if training.weights is not None:
            y = y[training.weights > 0]
        return (y == y[0]).all(axis=0)

    def _stratify_by(self, y):
        return None


# Mean of counts below which default penalties and tol are out of proportion.
SMALL_COUNTS = 1e-3


def losses_of_outputs(network, change, data):
    """The losses of a network as it is, and of one whose outputs are changed."""
    changed = copy.deepcopy(network)
    change.apply(network, changed.params)
    changed.changed()
    return [-ValidationLoss(each, data).score() for each in (network, changed)]


def as_columns(y):
    """Values as float64 of shape (n, n_outputs)."""
    with np.errstate(over="ignore"):
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    if not np.isfinite(columns).all():
        j = int(np.flatnonzero(~np.isfinite(columns).all(axis=1))[0])
        raise ValueError(
            f"y must be finite numbers of float64; got {np.asarray(y)[j]!r} in row "
            f"{j}. Change the unit of y, or leave the row out."
        )
    return columns


def spread_of(predictions):
    """The standard deviation of arrays of one shape, for numbers of any size."""
    predictions = np.asarray(predictions)
    unit = power_of_two(np.abs(predictions).max(initial=0.0))
    with np.errstate(over="ignore"):
        return unit * np.std(predictions / unit, axis=0)
