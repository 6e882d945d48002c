"""Adversarial training against the oracle, and attacks on fitted estimators."""

import numpy as np
import pytest
import reference
from cases import KEY, data_of, engine_of, random_params, random_targets
from common import both_estimators, data_for, few_epochs, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg._problem.optimizers import Optimizer
from skreg.adversarial import AdversarialTraining, adversarial_examples, checked
from skreg.inspection import RobustnessCurveDisplay, robustness_curve

pytestmark = few_epochs

STREAM_ATTACK = 3

ATTACKS = [
    {"epsilon": 0.2},
    {"epsilon": 0.2, "clean_weight": 0.0},
    {"epsilon": 0.2, "n_steps": 3, "clean_weight": 0.3},
    {"epsilon": 0.2, "random_start": True, "bounds": (-1, 1)},
    {"epsilon": 0.3, "norm": "l2"},
    {"epsilon": 0.3, "norm": "l2", "n_steps": 2, "random_start": True},
    {"epsilon": 0.3, "norm": "l2", "clean_weight": 0.0, "bounds": (None, 0.5)},
]


def random_shift(attack, shape, step):
    rows, p = shape
    groups = -(-p // 64)
    words = reference.random_words(
        rows * groups * 64, key=KEY, stream=STREAM_ATTACK, step=step
    )
    uniform = (words.reshape(rows, -1)[:, :p] + 0.5) / 2**32
    return projected(attack, attack.epsilon * (2 * uniform - 1))


def projected(attack, d):
    if not attack.l2:
        return np.clip(d, -attack.epsilon, attack.epsilon)
    lengths = np.linalg.norm(d, axis=1, keepdims=True)
    return d * np.minimum(1, attack.epsilon / np.maximum(lengths, 1e-300))


def adversarial_rows(attack, network, params, X, y, weights, masks, step):
    """f (x + d) divided by f, so that the masks may be applied to it."""
    f = masks[0]
    clean = f * X
    plain = [np.ones_like(X), *masks[1:]]

    def perturbed(d):
        x = clean + f * d
        with np.errstate(invalid="ignore"):  # 0 times infinity
            inside = np.clip(x, f * attack.lower, f * attack.upper)
        return np.where(f > 0, inside, 0.0)

    d = np.zeros_like(X)
    if attack.random_start:
        d = random_shift(attack, X.shape, step)
    for _ in range(attack.n_steps):
        network.loss_and_gradient(params, perturbed(d), y, weights, plain)
        g = network.input_gradient * (f > 0)
        if attack.l2:
            g = g / np.maximum(np.linalg.norm(g, axis=1, keepdims=True), 1e-300)
        else:
            g = np.sign(g)
        d = projected(attack, d + attack.step_size * g)
    return perturbed(d), plain


@pytest.mark.parametrize("input_dropout", [0.0, 0.25])
@pytest.mark.parametrize("given", ATTACKS, ids=str)
@pytest.mark.parametrize(
    ("batch_norm", "skip"), [(None, False), (None, True), ("before", True)]
)
def test_steps_equal_the_oracle(batch_norm, skip, given, input_dropout):
    attack = checked(AdversarialTraining(**given))
    network = reference.Network(
        [70, 11, 6, 3],
        ["tanh", "gelu"],
        "multinomial_log_loss",
        dropout=[0.25, 0.0],
        input_dropout=input_dropout,
        batch_norm=batch_norm,
        skip=skip,
    )
    rng = np.random.default_rng(0)
    rows = 9
    params = random_params(network, rng)
    X = rng.normal(size=(rows, 70))
    y = random_targets(network.loss, rng, (rows, 3))
    weights = rng.uniform(0.5, 1.5, rows)
    weights /= weights.mean()

    masks = network.masks(rows, KEY, 0)
    c = attack.clean_weight
    loss, gradient = 0.0, 0.0
    if c:
        loss, gradient = network.loss_and_gradient(params, X, y, weights, masks)
    x, plain = adversarial_rows(attack, network, params, X, y, weights, masks, 0)
    bad_loss, bad_gradient = network.loss_and_gradient(params, x, y, weights, plain)
    gradient = c * gradient + (1 - c) * bad_gradient
    expected = params - 0.1 * gradient

    loops = engine_of(network, capacity=rows, attack=attack)
    optimizer = Optimizer("sgd", params.size, np.dtype(float), momentum=0.0)
    statistics = None
    if batch_norm:
        from skreg._network.batch_norm import Statistics

        statistics = Statistics.of([11, 6], float)
    got = params.copy()
    got_loss = loops.run_epoch(
        got,
        data_of(X, y, weights),
        optimizer=optimizer,
        segments=loops.segments([0.0] * 4, [0.0] * 4),
        key=KEY,
        epoch=0,
        order=None,
        learning_rates=np.array([0.1]),
        batch_size=rows,
        statistics=statistics,
    )
    assert got_loss == pytest.approx(c * loss + (1 - c) * bad_loss, rel=1e-10)
    assert_allclose(got, expected, rtol=1e-8, atol=1e-11)
    assert np.abs(got - params).max() > 1e-4


@both_estimators
@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_attacks_stay_in_the_ball_and_raise_the_loss(Estimator, norm):
    model = Estimator((20,), max_iter=30, random_state=0, dtype="float64")
    X, y = data_for(model)
    model.fit(X, y)
    if norm == "inf":
        length = lambda d: np.abs(d).max(axis=1)  # noqa: E731
    else:
        length = lambda d: np.linalg.norm(d, axis=1)  # noqa: E731
    scores = [model.score(X, y)]
    for n_steps in [1, 5]:
        moved = adversarial_examples(
            model, X, y, epsilon=0.3, norm=norm, n_steps=n_steps
        )
        assert length(moved - X).max() <= 0.3 * (1 + 1e-12)
        scores.append(model.score(moved, y))
    assert scores[0] > scores[1] >= scores[2] - 0.02


def test_a_linear_model_is_attacked_by_the_worst_case():
    """For a linear score the sign of its weights is the exact maximum."""
    X, y = iris()
    y = (y > 0).astype(int)
    model = RegularizedMLPClassifier((), solver="lbfgs", dtype="float64").fit(X, y)
    w = model.coefs_[0][:, 0]
    moved = adversarial_examples(model, X, y, epsilon=0.5)
    expected = X - 0.5 * np.sign(w) * (2 * y[:, None] - 1)
    assert_allclose(moved, expected, rtol=1e-12)


def test_training_makes_it_harder():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X, attack = X / 16, {"epsilon": 0.1, "bounds": (0, 1)}
    plain = RegularizedMLPClassifier(
        (64,),
        learning_rate="cosine",
        learning_rate_init=0.01,
        max_iter=15,
        random_state=0,
    )
    trained = clone(plain).set_params(adversarial=AdversarialTraining(**attack))
    scores = [
        robustness_curve(
            model.fit(X[:1200], y[:1200]),
            X[1200:],
            y[1200:],
            epsilons=[0, 0.1],
            bounds=(0, 1),
        ).scores
        for model in [plain, trained]
    ]
    assert scores[1][1] > scores[0][1] + 0.1
    assert scores[1][0] > scores[0][0] - 0.03


def test_bounds_hold():
    X, y = iris()
    model = RegularizedMLPClassifier((), solver="lbfgs").fit(X, y)
    moved = adversarial_examples(model, X, y, epsilon=5, bounds=(-1, 1))
    assert moved.min() == -1
    assert moved.max() == 1


def test_epsilon_zero_gives_the_rows_back():
    X, y = iris()
    model = RegularizedMLPClassifier((), solver="lbfgs").fit(X, y)
    assert_array_equal(
        adversarial_examples(model, X, y, epsilon=0), X.astype(np.float32)
    )
    curve = robustness_curve(model, X, y, epsilons=[0])
    assert curve.scores[0] == model.score(X, y)


def test_sparse_rows_are_refused():
    X, y = iris()
    model = RegularizedMLPClassifier(adversarial=AdversarialTraining())
    with pytest.raises(ValueError, match=r"adversarial=.*sparse X.*toarray"):
        model.fit(sparse.csr_array(X), y)
    model.set_params(adversarial=None, max_iter=2).fit(X, y)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        model.input_gradient(sparse.csr_array(X), y)


def test_a_pipeline_is_refused_with_a_remedy():
    X, y = iris()
    model = make_pipeline(
        StandardScaler(), RegularizedMLPClassifier((), solver="lbfgs")
    ).fit(X, y)
    with pytest.raises(TypeError, match="the last step"):
        adversarial_examples(model, X, y)


@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_rows_with_names(epsilon):
    """As the estimator was fitted on: no warning, which would be an error here."""
    pandas = pytest.importorskip("pandas")
    X, y = iris()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = RegularizedMLPClassifier((), solver="lbfgs").fit(frame, y)
    moved = adversarial_examples(model, frame, y, epsilon=epsilon)
    nameless = clone(model).fit(X, y)
    assert_array_equal(moved, adversarial_examples(nameless, X, y, epsilon=epsilon))
    curve = robustness_curve(model, frame, y, epsilons=[epsilon])
    assert curve.scores[0] == model.score(
        pandas.DataFrame(moved, columns=list("abcd")), y
    )
    with pytest.raises(ValueError, match="feature names"):
        adversarial_examples(model, frame[["b", "a", "c", "d"]], y)


def test_display():
    pytest.importorskip("matplotlib").use("Agg")
    X, y = iris()
    model = RegularizedMLPClassifier((), solver="lbfgs").fit(X, y)
    display = RobustnessCurveDisplay.from_estimator(
        model, X, y, epsilons=[0, 0.5], scoring="accuracy", name="linear"
    )
    assert_array_equal(display.line_.get_xdata(), [0, 0.5])
    assert_array_equal(display.line_.get_ydata(), display.scores)
    assert display.ax_.get_ylabel() == "accuracy"
    assert display.ax_.get_legend().get_texts()[0].get_text() == "linear"
