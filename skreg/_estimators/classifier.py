"""RegularizedMLPClassifier."""

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logsumexp
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skreg._estimators.available import available_unless_it_raises
from skreg._estimators.base import BaseRegularizedMLP
from skreg._estimators.callbacks import with_callbacks
from skreg._estimators.members import mean_of
from skreg._estimators.transaction import atomic, settled
from skreg._network.fine_tuning import new_outputs, union_of_classes
from skreg._problem.data import moderate, refuse_bad_weights
from skreg._problem.losses import BINARY_LOG_LOSS, MULTINOMIAL_LOG_LOSS
from skreg._problem.parameters import CONSTRAINTS, RATE, trains_epoch_by_epoch
from skreg._problem.reading import refuse_objects
from skreg._training.scoring import weights_for_metrics


class RegularizedMLPClassifier(ClassifierMixin, BaseRegularizedMLP):
    """Multilayer perceptron classifier with L1, L2, dropout and early stopping.

    Minimises, over weight matrices W_l and biases b_l,

        sum_i s_i loss(y_i, f(x_i)) / sum_i s_i
        + sum_l [ l1_l ||W_l||_1 + l2_l / 2 ||W_l||_F^2 ],

    where loss is the log loss: binary, multinomial, or summed over labels. Its value
    does not depend on the batch size. Without a hidden layer and with
    ``l2=1 / (C * n_samples)`` it is ``LogisticRegression(C=C)``.

    Its parameters stand in groups, in the order of use:

    - network, what is built: `hidden_layer_sizes`, `activation`, `batch_norm`,
      `residual`, `skip`, `preprocessing`, `feature_scaling`, `n_members`, `dtype`
    - target, what is learnt: `class_weight`, `label_smoothing`
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
        Units of each hidden layer. ``()`` is no hidden layer: logistic regression.
        "auto" is ``(256, 256)``.
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
        masks and, with ``early_stopping``, validation rows of its own; probabilities
        are averaged. They are trained in threads, on one copy of X, with the
        same bits for any number of threads. Each counts as a fit in time and memory.
        "auto" is 4 where ``hidden_layer_sizes`` is "auto", too, and the solver "adam",
        else 1.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights and of all arithmetic. "float32" is about twice as fast
        and as accurate in prediction; "float64" is for comparisons to solver
        precision.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into the sample weights, those of validation
        data too. "balanced" makes the classes' total weights in training equal. Not
        for multilabel targets.
    label_smoothing : float or "auto", default="auto"
        Share of the targets, in [0, 1), that is spread evenly over the classes
        (Szegedy et al. 2016), in training only; for each label of multilabel targets.
        "auto" is 0.02 with hidden layers and "adam", but 0 beside ``l1`` or
        ``group_l1``, else 0.
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
        divided by 1 - dropout; prediction uses all units as they are. "auto" is 0.2
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
        The rate at the start, or the highest of "one_cycle"; > 0. "auto" is 0.003 for
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
        and a schedule that has an end it is 40, and from 10,000 rows on 400,000 /
        n_samples, but 6 at least.
    early_stopping : bool or "auto", default="auto"
        Stop when the score on validation data has not improved by ``tol`` for
        ``n_iter_no_change`` epochs, and restore the weights of the best epoch.
        "auto" is True with hidden layers and "adam" from 30 rows on, if as many are set
        aside as there are classes or labels, or if `fit` is given ``X_val`` and
        ``y_val``, else False.
    validation_fraction : float, default=0.1
        Share of the rows set aside for that, in (0, 1), unless `fit` is given
        ``X_val`` and ``y_val``. The shares of the classes are kept; the only row of
        a class stays in training.
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
    members_ : list of RegularizedMLPClassifier
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
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Without hidden layers only: the weights as in
        :class:`~sklearn.linear_model.LogisticRegression`, one row for two classes, else
        one per class or label; CSR after ``sparsify``. Read-only: set
        ``coefs_``.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        The constants beside them: ``X @ coef_.T + intercept_`` are the log odds, or the
        logits.
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
    classes_ : ndarray of shape (n_classes,)
        The class labels; for multilabel targets the numbers of the labels.
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
        "logistic" (binary, multilabel) or "softmax".
    n_features_in_ : int
        Features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had names that are all strings.

    See Also
    --------
    RegularizedMLPRegressor : The same network for values.
    sklearn.neural_network.MLPClassifier : Its parameters keep their names here; its
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
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg import RegularizedMLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = make_pipeline(
    ...     StandardScaler(),
    ...     RegularizedMLPClassifier(
    ...         dropout=0.3, l1=1e-3, learning_rate="one_cycle",
    ...         learning_rate_init=0.01, max_iter=50, random_state=0,
    ...     ),
    ... )
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    """

    _parameter_constraints: dict = {
        **CONSTRAINTS,
        "label_smoothing": [StrOptions({"auto"}), RATE],
        "class_weight": [dict, StrOptions({"balanced"}), None],
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
        class_weight=None,
        label_smoothing="auto",
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
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @available_unless_it_raises(trains_epoch_by_epoch)
    @atomic
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train one epoch on X and y, going on from the last call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training input.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, as in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that any call will bring; needed in the first call.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If ``classes`` is missing in the first call or y has a class that is not
            among them.
        AttributeError
            With parameters that need to know when training ends: ``solver="lbfgs"``,
            ``early_stopping=True``, ``dropout_schedule``, ``weight_decay_schedule``
            and, for ``learning_rate``, all but "constant", "invscaling" and
            "adaptive"; and with strengths that are "auto".
        """
        if classes is None and not hasattr(self, "classes_"):
            raise ValueError(
                "classes must be passed on the first call to partial_fit: all labels "
                "that any call will bring, for example classes=[0, 1]."
            )
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def score(self, X, y, sample_weight=None):
        """Return the share of rows that are predicted rightly, with all their labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The classes; labels that are 0 or 1, as in `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            The accuracy.
        """
        check_is_fitted(self)
        refuse_objects(y, "y", labels=True)
        if self._multilabel:
            check_indicator(y.toarray() if hasattr(y, "toarray") else np.asarray(y))
        return super().score(X, y, weights_for_metrics(sample_weight))

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The likeliest class, or 1 for each label whose probability exceeds 1/2;
            with several members by the mean of their probabilities.
        """
        self = settled(self)
        X = self._read_to_predict(X)
        if hasattr(self, "members_"):
            probabilities = self._probabilities(X)
            if self._multilabel:
                return (probabilities > 0.5).astype(int)
            return self.classes_.take(probabilities.argmax(axis=1))
        raw = self._network_outputs(X, raw=True)
        if self._multilabel:
            return (raw > 0).astype(int)
        codes = raw[:, 0] > 0 if self._is_binary else raw.argmax(axis=1)
        return self.classes_.take(codes)

    def predict_proba(self, X):
        """Predict probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; rows sum to 1, but for multilabel targets,
            where each is the probability of its label. With several members the mean
            of theirs.
        """
        self = settled(self)
        return self._probabilities(self._read_to_predict(X))

    def _probabilities(self, X):
        """The same for X as it was read."""
        if hasattr(self, "members_"):
            return mean_of(member._probabilities(X) for member in self.members_)
        if not self._is_binary:
            return self._network_outputs(X)
        both = self._both_raw(self._network_outputs(X, raw=True))
        return expit(both, out=both)

    def predict_log_proba(self, X):
        """Predict logarithms of the probabilities, without taking log(0).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            As `predict_proba`.
        """
        self = settled(self)
        return self._log_probabilities(self._read_to_predict(X))

    def _log_probabilities(self, X):
        if hasattr(self, "members_"):
            each = [member._log_probabilities(X) for member in self.members_]
            return logsumexp(each, axis=0) - np.log(len(each), dtype=each[0].dtype)
        raw = self._network_outputs(X, raw=True)
        if self._is_binary:
            both = self._both_raw(raw)
            return log_expit(both, out=both)
        return log_expit(raw) if self._multilabel else log_softmax(raw, axis=1)

    # ---------------------------------------------------------------------- targets

    _READING = ("classes_", "_multilabel")

    def _reading_of_outputs(self):
        return self.classes_.tolist(), self._multilabel

    def _widen(self, y):
        check_classification_targets(y)
        kinds = ("binary", "multiclass")
        if self._multilabel or type_of_target(y) not in kinds:
            return
        self.classes_ = union_of_classes(self.classes_, column_or_1d(y))

    def _new_outputs(self, base, training):
        if len(self.classes_) == len(base.classes_):
            return None
        rows = slice(None) if training.weights is None else training.weights > 0
        return new_outputs(
            base._network,
            training.X[rows],
            training.targets[rows],
            None if training.weights is None else training.weights[rows],
            np.searchsorted(self.classes_, base.classes_),
            len(self.classes_),
        )

    def _encode_targets(self, y, weights, first, classes):
        if classes is not None:
            refuse_objects(classes, "classes", labels=True)
        check_classification_targets(y)
        kind = type_of_target(y)
        multilabel = kind.startswith("multilabel")
        if kind == "multiclass-multioutput":
            raise ValueError(
                f"y has shape {y.shape} and other values than two whole numbers: "
                "several outputs must be labels that are 0 or 1 (a multilabel "
                "indicator). Use MultiOutputClassifier for several multiclass targets."
            )
        if multilabel:
            check_indicator(y)
        else:
            y = column_or_1d(y, warn=True)
        # y alone defines the classes: a weight of zero takes a row's influence only
        if first:
            self._multilabel = multilabel
            self.classes_ = self._find_classes(y, classes)
        self._check_classes(y, multilabel, classes)
        if multilabel:
            return y.astype(np.float64), y.shape[1]
        codes = np.searchsorted(self.classes_, y)
        if len(self.classes_) == 2:
            return codes.astype(np.float64).reshape(-1, 1), 1
        return codes.astype(np.int32), len(self.classes_)

    def _find_classes(self, y, classes):
        """The classes of a first call."""
        if self._multilabel:
            return np.arange(y.shape[1])
        name, given = ("y", y) if classes is None else ("classes", classes)
        found = np.unique(given)
        if len(found) < 2:
            raise ValueError(
                f"A classifier needs at least 2 classes; {name} has one class, "
                f"{found.tolist()[0]!r}. Give rows of another class, or pass classes "
                "to partial_fit."
            )
        return found

    def _check_classes(self, y, multilabel, classes):
        """The classes must be those of the first call."""
        if multilabel != self._multilabel or (
            multilabel and y.shape[1] != len(self.classes_)
        ):
            raise ValueError(
                f"y has shape {y.shape}, which does not fit the classes of the first "
                f"call, {self.classes_.tolist()}. Give y in the form of that call, or "
                "fit anew."
            )
        if multilabel:
            return
        if classes is not None and not np.array_equal(
            np.unique(classes), self.classes_
        ):
            raise ValueError(
                f"classes={np.asarray(classes).tolist()} differs from those of the "
                f"first call, {self.classes_.tolist()}. Pass the same classes, or none."
            )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y has classes {unknown.tolist()} that training does not know; it "
                f"began with {self.classes_.tolist()}. Leave these rows out, or begin "
                "with all classes: fit learns those of its y, and the first call of "
                "partial_fit takes them as classes."
            )

    @property
    def _is_binary(self):
        """Two classes, told apart by one output."""
        return not self._multilabel and len(self.classes_) == 2

    @staticmethod
    def _both_raw(raw):
        """Raw outputs of both classes: 1 - p would round small probabilities to 0."""
        both = np.empty((len(raw), 2), raw.dtype)
        np.negative(raw[:, 0], out=both[:, 0])
        both[:, 1] = raw[:, 0]
        return both

    def _loss(self):
        if self._multilabel or len(self.classes_) == 2:
            return BINARY_LOG_LOSS, 0.0
        return MULTINOMIAL_LOG_LOSS, 0.0

    def _output_bias(self, targets, weights, n_outputs):
        loss, _ = self._loss()
        return loss.best_constant(targets, weights, n_outputs)

    def _stratify_by(self, y):
        return y if self._multilabel else np.searchsorted(self.classes_, y.ravel())

    def _class_weights(self, y, weights, incremental):
        if self.class_weight is None:
            return None
        if self._multilabel:
            raise ValueError(
                f"class_weight={self.class_weight!r} is not defined for multilabel "
                "targets. Use sample_weight, or class_weight=None."
            )
        if not isinstance(self.class_weight, str):
            return moderate(self._dict_weights())
        if incremental:
            raise ValueError(
                "partial_fit does not support class_weight='balanced': it does "
                "not know the shares of the classes. Pass a dict such as "
                "{label: weight}."
            )
        y = y.ravel()
        if weights is None:
            weights = np.ones(len(y))
        totals = np.array([weights[y == c].sum() for c in self.classes_])
        # a class may have no row here, or only rows of weight zero
        totals[totals == 0] = np.inf
        with np.errstate(over="ignore"):
            by_class = weights.sum() / (len(totals) * totals)
        if not np.isfinite(by_class).all():
            rare = self.classes_[np.argmin(totals)]
            raise ValueError(
                f"class_weight='balanced' gives the class {rare} a weight beyond all "
                f"numbers: the weights of its rows are {totals.min():g} in all. Raise "
                "its sample_weight, or pass class_weight a dict."
            )
        return by_class

    def _reweight(self, y, weights, by_class, name):
        if by_class is None:
            return weights
        factors = by_class[np.searchsorted(self.classes_, y.ravel())]
        return refuse_bad_weights(
            factors if weights is None else weights * factors, f"class_weight * {name}"
        )

    def _dict_weights(self):
        """The weights of `class_weight` in the order of the classes; 1 by default."""
        labels = list(self.classes_)
        unknown = [label for label in self.class_weight if label not in labels]
        if unknown:
            raise ValueError(
                f"class_weight has labels {unknown!r} that are not among the classes "
                f"{labels!r}."
            )
        by_class = np.array([self.class_weight.get(c, 1.0) for c in labels], float)
        if not (by_class >= 0).all() or not np.isfinite(by_class).all():
            raise ValueError(
                "class_weight must hold finite weights >= 0; got "
                f"{self.class_weight!r}."
            )
        return by_class


def check_indicator(y):
    """Refuse labels that are not 0 or 1.

    The log loss of other numbers has no lower bound, and `predict` returns 0 and 1.
    """
    if ((y != 0) & (y != 1)).any():
        found = np.unique(y).tolist()
        raise ValueError(
            f"y of shape {y.shape} has the values {found!r}: labels of several "
            "outputs must be 0 or 1 (a multilabel indicator). Pass "
            f"y == {found[-1]!r} for the rows that have a label, or use "
            "MultiOutputClassifier."
        )
