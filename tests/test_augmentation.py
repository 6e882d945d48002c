"""Augmentations: the oracle's values, their statistics, targets, and the contract."""

import inspect
import pickle
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import reference
import reference_augmentation
from cases import (
    KEY,
    both_dtypes,
    data_of,
    engine_of,
    random_params,
    random_targets,
    random_weights,
)
from common import (
    all_weights,
    assert_refused,
    assert_same_fit,
    both_estimators,
    data_for,
    diabetes,
    few_epochs,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse, stats
from scipy.special import erf
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

import skreg.augmentation
from skreg._kernels import engine, units
from skreg._problem import cores
from skreg._problem.augmentation import kernel_table, read_augmentation
from skreg._problem.optimizers import Optimizer
from skreg.augmentation import (
    Compose,
    CutMix,
    FeatureMasking,
    FeatureScaling,
    GaussianNoise,
    ImageFlip,
    ImageScale,
    ImageShift,
    Mixup,
)

pytestmark = few_epochs

SHAPE = (3, 4, 2)  # of images with 24 numbers

EXAMPLES = [
    GaussianNoise(0.3),
    FeatureScaling(0.4),
    FeatureScaling(0.4, per="sample"),
    FeatureMasking(0.25, fill=-1.5),
    FeatureMasking(0.3),
    Mixup(0.7),
    Mixup(1e-3),
    Mixup(50.0, probability=0.4),
    CutMix(),
    CutMix(0.5, probability=0.6),
    CutMix(shape=SHAPE),
    CutMix(2.0, probability=0.5, shape=(4, 6)),
    ImageFlip(SHAPE),
    ImageFlip((6, 4), axis="vertical", probability=0.7),
    ImageShift(SHAPE, fill=0.5),
    ImageShift((4, 6), pixels=1),
    ImageScale(SHAPE, 0.5, fill=2.0),
    ImageScale((24, 1), 0.9),
]
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)


def augmented(X, augmentations, key=KEY, step=0):
    return units.augmented(X, kernel_table(augmentations), key, step)


# ------------------------------------------------------------------------- the oracle


@pytest.mark.parametrize("dtype", both_dtypes)
@given(data=st.data())
@settings(max_examples=200)
def test_batches_are_the_oracles(dtype, data):
    chosen = data.draw(st.lists(st.sampled_from(EXAMPLES), min_size=1, max_size=4))
    mixing = [step for step in chosen if step._mixes]
    steps = [step for step in chosen if step not in mixing[1:]]
    X = np.random.default_rng(0).normal(size=(data.draw(st.integers(1, 40)), 24))
    word = st.integers(0, 2**32 - 1)
    key, step = data.draw(st.tuples(word, word)), data.draw(st.integers(0, 2**40))
    got, shares, offset = augmented(X.astype(dtype), steps, key, step)
    expected, expected_shares, other = reference_augmentation.augment_inputs(
        steps, X, key=key, step=step
    )
    assert got.dtype == dtype
    # normal numbers are of single precision for either type
    tolerance = 2e-5 if dtype == np.float32 or GaussianNoise in map(type, steps) else 0
    assert_allclose(got, expected, rtol=1e-12 + tolerance, atol=1e-12 + tolerance)
    assert_allclose(shares, expected_shares, rtol=1e-12, atol=1e-12)
    assert_array_equal((np.arange(len(X)) + offset) % len(X), other)


@each_example
def test_rows_that_are_not_multiples_of_a_group_do_change(example):
    X = np.random.default_rng(0).normal(size=(33, 24))
    assert (augmented(X, [example])[0] != X).any(axis=1).sum() >= 1


def test_sine_and_cosine():
    x = np.linspace(-1, 1, 2**20 + 1, dtype=np.float32)
    sine, cosine = units.sine_and_cosine(x)
    exact = x.astype(float) * np.pi
    assert_allclose(sine, np.sin(exact), rtol=0, atol=2e-7)
    assert_allclose(cosine, np.cos(exact), rtol=0, atol=2e-7)
    assert_array_equal(sine, -sine[::-1])
    assert_array_equal(cosine, cosine[::-1])


def trainings():
    """Networks, losses and targets with which mixing is exact for the loss."""
    for loss, widths in [
        ("multinomial_log_loss", [24, 7, 4]),
        ("binary_log_loss", [24, 7, 1]),
        ("binary_log_loss", [24, 3]),  # multilabel
        ("squared_error", [24, 7, 2]),
        ("poisson", [24, 5, 1]),
        ("huber", [24, 5, 1]),
    ]:
        for steps in [
            [Mixup(0.6)],
            [CutMix(shape=SHAPE)],
            [FeatureScaling(0.2), CutMix(probability=0.7), FeatureMasking(0.25)],
        ]:
            yield loss, widths, steps


@pytest.mark.parametrize(("subset", "threads"), [(False, 1), (True, 2)])
@pytest.mark.parametrize(("loss", "widths", "steps"), list(trainings()))
def test_epochs_with_sample_weights_equal_the_oracle(
    loss, widths, steps, subset, threads
):
    rng = np.random.default_rng(0)
    rows, batch_size = 45, 8  # the last batch has 5, or 4, rows
    network = reference.Network(
        widths, ["tanh"] * (len(widths) - 2), loss, 0.7, input_dropout=0.25
    )
    start = random_params(network, rng)
    X = rng.normal(size=(rows, 24))
    y = random_targets(loss, rng, (rows, widths[-1]))
    weights = random_weights(rng, rows)
    used = rng.permutation(rows)[:36] if subset else np.arange(rows)
    n_steps = -(-len(used) // batch_size)
    optimizers = [
        Optimizer("adam", start.size, np.dtype(float), step=3) for _ in range(2)
    ]
    params, expected = start.copy(), start
    loops = engine_of(
        network,
        augmentation=kernel_table(steps),
        capacity=batch_size,
        threads=threads,
    )
    for epoch in range(2):
        order = used[reference.shuffled(len(used), KEY, epoch)]
        got_loss = loops.run_epoch(
            params,
            data_of(X, y, weights, subset=used if subset else None),
            optimizer=optimizers[0],
            segments=loops.segments(*np.zeros((2, 4)), 0.0),
            key=KEY,
            epoch=epoch,
            order=np.empty(len(used), np.intp),
            learning_rates=np.full(n_steps, 0.01),
            batch_size=batch_size,
            threads=threads,
        )
        expected, expected_loss = reference.run_epoch(
            network,
            expected,
            X,
            y,
            weights,
            optimizer=optimizers[1],
            strengths=reference.Strengths(),
            key=KEY,
            order=order,
            rates=np.full(n_steps, 0.01),
            batch_size=batch_size,
            augment=partial(reference_augmentation.augment, steps, key=KEY),
        )
        assert_allclose(got_loss, expected_loss, rtol=1e-11)
        assert_allclose(params, expected, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize(
    "loss", ["multinomial_log_loss", "binary_log_loss", "poisson", "gamma"]
)
def test_the_loss_of_a_mixed_row_is_the_mix_of_losses(loss):
    # with lambda and the partners that the kernels report, by the definition
    rng = np.random.default_rng(0)
    network = reference.Network([24, 5, 3], ["tanh"], loss)
    params = random_params(network, rng)
    X, y = rng.normal(size=(20, 24)), random_targets(loss, rng, (20, 3))
    s = random_weights(rng, 20)
    mixed, shares, offset = augmented(X, [Mixup(0.8)], step=5)
    other = (np.arange(20) + offset) % 20
    f = network.forward(params, mixed)[0]
    expected = np.mean(
        shares * s * reference.loss_values(loss, 0.0, f, y)
        + (1 - shares) * s[other] * reference.loss_values(loss, 0.0, f, y[other])
    )
    loops = engine_of(network, augmentation=kernel_table([Mixup(0.8)]))
    got = loops.loss_and_gradient(params, data_of(X, y, s), key=KEY, step=5)
    assert_allclose(got, expected, rtol=1e-12)


def test_class_numbers_are_mixed_as_one_hot_targets():
    rng = np.random.default_rng(0)
    network = reference.Network([24, 5, 3], ["tanh"], "multinomial_log_loss")
    params = random_params(network, rng)
    X, classes = rng.normal(size=(20, 24)), rng.integers(3, size=20)
    s = random_weights(rng, 20)
    loops = engine_of(network, augmentation=kernel_table([CutMix()]))
    losses = [
        loops.loss_and_gradient(params, data, key=KEY)
        for data in [
            data_of(X, np.eye(3)[classes], s),
            engine.Data(X, classes.astype(np.int32), s, 3),
        ]
    ]
    assert losses[0] == losses[1]


def test_losses_without_a_key_are_of_the_rows_as_they_are():
    rng = np.random.default_rng(0)
    network = reference.Network([24, 1], [], "squared_error")
    params = random_params(network, rng)
    X, y = rng.normal(size=(20, 24)), rng.normal(size=(20, 1))
    loops = engine_of(network, augmentation=kernel_table([Mixup()]))
    mixed = loops.loss_and_gradient(params, data_of(X, y), key=KEY)
    plain = loops.loss_and_gradient(params, data_of(X, y))
    assert_allclose(plain, network.loss_and_gradient(params, X, y)[0], rtol=1e-12)
    assert mixed != plain


# ------------------------------------------------------------------------- statistics


def test_normal_numbers_are_normal():
    z = np.sort(units.normal_numbers(KEY, 0, 0, 2**15).astype(float))
    n = len(z)
    # moments 1 to 4, whose variances are 1, 2, 15 and 96
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs(np.mean(z**power) - moment) < 5 * np.sqrt(variance / n), power
    distance = np.abs((1 + erf(z / np.sqrt(2))) / 2 - (np.arange(n) + 0.5) / n).max()
    assert distance < 2.0 / np.sqrt(n)  # by Kolmogorov: exceeded once in 1500
    assert 4.5 < z[-1] < 6.8
    assert -6.8 < z[0] < -4.5


def test_normal_numbers_have_the_range_that_the_words_allow():
    # the largest word makes u = 1 and the radius 0; the smallest the largest radius
    words = np.zeros(64, dtype=np.uint64)
    words[1] = 2**32 - 1
    z = reference_augmentation.normal_numbers(words)
    assert 6.6 < z[0] < 6.8
    assert abs(z[1]) < 1e-4


def test_noise_has_the_scale_and_no_correlation():
    # over steps, positions in the list, rows and columns
    X = np.zeros((200, 50))
    noise = [augmented(X, [GaussianNoise(0.5)], step=step)[0] for step in (0, 1, 2**33)]
    twice = augmented(X, [GaussianNoise(0.5), GaussianNoise(0.5)])[0]
    noise.append(twice - noise[0])  # that of the second position
    other_key = augmented(X, [GaussianNoise(0.5)], key=(KEY[1], KEY[0]))[0]
    noise = np.array([*noise, other_key]).reshape(5, -1)
    n = noise.shape[1]
    assert_allclose(noise.std(axis=1), 0.5, rtol=5 / np.sqrt(2 * n))
    correlation = np.corrcoef(noise)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 5 / np.sqrt(n)
    for lag in [1, 2, 16, 32, 50, 64]:
        assert abs(np.corrcoef(noise[0, lag:], noise[0, :-lag])[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("per", ["feature", "sample"])
def test_gains_are_uniform(per):
    shape = (500, 100) if per == "feature" else (50_000, 1)
    gains = augmented(np.ones(shape), [FeatureScaling(0.3, per=per)])[0].ravel()
    assert stats.kstest(gains, stats.uniform(0.7, 0.6).cdf).pvalue > 1e-4
    wide = augmented(np.ones((500, 100)), [FeatureScaling(0.3, per=per)])[0]
    spread = np.ptp(wide, axis=1)
    assert (spread == 0).all() if per == "sample" else (spread > 0.4).all()


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_masking_has_its_rate_and_leaves_the_rest(rate):
    n = 500 * 400
    X = np.random.default_rng(0).normal(size=(500, 400))
    masked = augmented(X, [FeatureMasking(rate, fill=7.0)])[0]
    assert abs((masked == 7).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / n)
    assert_array_equal(masked[masked != 7], X[masked != 7])


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 4.0])
def test_shares_follow_the_beta_distribution(alpha):
    shares = augmented(np.zeros((40_000, 1)), [Mixup(alpha)])[1]
    distribution = stats.beta(alpha, alpha)
    at = distribution.ppf(np.linspace(0.05, 0.95, 10))
    below = (shares[:, None] <= at).mean(axis=0)
    assert_allclose(below, distribution.cdf(at), atol=5 * 0.5 / 200)
    assert abs(shares.mean() - 0.5) < 5 * distribution.std() / 200
    assert abs(shares.var() - distribution.var()) < 0.005


@pytest.mark.parametrize("mixing", [Mixup, CutMix])
def test_rows_are_mixed_with_their_probability(mixing):
    n = 20_000
    X = np.random.default_rng(0).normal(size=(n, 5))
    mixed, shares, _ = augmented(X, [mixing(4.0, probability=0.3)])
    left = (mixed == X).all(axis=1)
    assert (shares[left] == 1).all()
    # CutMix may by chance take no feature
    expected = 0.7 if mixing is Mixup else 0.7 + 0.3 * stats.betabinom(5, 4, 4).pmf(0)
    assert abs(left.mean() - expected) < 5 * 0.5 / np.sqrt(n)


@pytest.mark.parametrize("shape", [None, (8, 10)])
def test_cutmix_tells_the_share_that_is_left(shape):
    own, other = np.zeros((3000, 80)), np.ones((3000, 80))
    X = np.stack([own, other], axis=1).reshape(-1, 80)
    step = CutMix(shape=shape)
    # a step whose offset is odd mixes zeros with ones
    for number in range(100):
        mixed, shares, offset = augmented(X, [step], step=number)
        if offset % 2:
            break
    assert_allclose(mixed[::2].mean(axis=1), 1 - shares[::2], atol=1e-12)
    assert_allclose(mixed[1::2].mean(axis=1), shares[1::2], atol=1e-12)
    if shape is None:
        assert abs(shares.mean() - 0.5) < 0.03
    else:
        # edges cut rectangles, and sides are rounded down: more is left than lambda
        assert 0.6 < shares.mean() < 0.8


def test_partners_differ_from_step_to_step():
    X, table = np.zeros((11, 2)), kernel_table([Mixup()])
    offsets = [units.augmented(X, table, KEY, step)[2] for step in range(3000)]
    counts = np.bincount(offsets, minlength=11)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 1e-4


def test_one_row_is_not_mixed():
    X = np.random.default_rng(0).normal(size=(1, 24))
    for step in [Mixup(5.0), CutMix(), CutMix(shape=SHAPE)]:
        got, shares, offset = augmented(X, [step])
        assert_array_equal(got, X)
        assert shares == [1]
        assert offset == 0


def test_shifts_are_uniform():
    X = np.zeros((20_000, 49))
    X[:, 24] = 1  # the centre of 7 x 7
    shifted = augmented(X, [ImageShift((7, 7), 2)])[0].sum(axis=0).reshape(7, 7)
    assert shifted[1:-1, 1:-1].sum() == 20_000
    assert stats.chisquare(shifted[1:-1, 1:-1].ravel()).pvalue > 1e-4


@pytest.mark.parametrize("probability", [0.2, 1.0])
def test_flips_have_their_probability(probability):
    X = np.tile(np.arange(6.0), (20_000, 1))
    flipped = augmented(X, [ImageFlip((2, 3), probability=probability)])[0]
    left = (flipped == X).all(axis=1)
    assert abs(left.mean() - (1 - probability)) < 5 * 0.4 / np.sqrt(20_000)
    assert_array_equal(
        flipped[~left], np.tile([2.0, 1, 0, 5, 4, 3], ((~left).sum(), 1))
    )


def test_scaling_keeps_the_centre_and_what_is_even():
    X = np.full((200, 81), 3.0)
    scaled = augmented(X, [ImageScale((9, 9), 0.3, fill=3.0)])[0]
    assert_allclose(scaled, 3)
    centre = augmented(X, [ImageScale((9, 9), 0.3)])[0].reshape(-1, 9, 9)
    assert_allclose(centre[:, 4, 4], 3)
    # about half of the images shrink, and then the fill comes in at the corners
    assert 60 < (centre[:, 0, 0] < 3).sum() < 140


# ------------------------------------------------------------------------- estimators


def fitted(Estimator, augmentation=None, rows=None, **parameters):
    parameters = {"max_iter": 3, "random_state": 0, "batch_size": 32} | parameters
    model = Estimator((16,), augmentation=augmentation, **parameters)
    X, y = data_for(model)
    return model.fit(X[:rows], y[:rows])


NEUTRAL = [
    GaussianNoise(0),
    FeatureScaling(0.0),
    FeatureScaling(0, per="sample"),
    FeatureMasking(0),
    Mixup(0),
    Mixup(probability=0),
    CutMix(0.0),
    CutMix(probability=0.0, shape=(2, 2)),
    ImageFlip((2, 2), probability=0),
    ImageShift((2, 2), 0),
    ImageScale((2, 2), 0),
]


@both_estimators
def test_neutral_values_leave_the_fit_as_it_is(Estimator):
    plain = fitted(Estimator, dropout=0.2)
    for neutral in [*NEUTRAL, [], NEUTRAL, Compose([]), Compose([("noise", None)])]:
        assert_same_fit(fitted(Estimator, neutral, dropout=0.2), plain)


@both_estimators
def test_neutral_values_do_not_move_the_others_random_numbers(Estimator):
    one = fitted(Estimator, GaussianNoise(0.1))
    assert_same_fit(fitted(Estimator, [Mixup(0), GaussianNoise(0.1)]), one)


@both_estimators
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lists_composes_and_objects_are_the_same(Estimator, dtype):
    object_ = fitted(Estimator, Mixup(0.5), dtype=dtype)
    assert (all_weights(object_) != all_weights(fitted(Estimator, dtype=dtype))).any()
    assert_same_fit(fitted(Estimator, [Mixup(0.5)], dtype=dtype), object_)
    compose = Compose([("mix", Mixup(0.5))])
    assert_same_fit(fitted(Estimator, compose, dtype=dtype), object_)


@both_estimators
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_number_of_threads(Estimator, dtype, monkeypatch):
    monkeypatch.setattr(cores, "OPERATIONS_PER_THREAD", 1.0)
    monkeypatch.setattr(cores, "_cores", lambda: 3)
    image = (2, 2) if Estimator is RegularizedMLPClassifier else (5, 2)
    every = [
        GaussianNoise(0.1),
        FeatureScaling(0.1),
        FeatureMasking(0.1),
        ImageShift(image, 1),
        Mixup(0.5),
        ImageScale(image),
        FeatureMasking(0.25),
        FeatureScaling(0.1, per="sample"),
    ]
    fits = []
    for threads in [1, 2, 3]:
        with threadpool_limits(threads):
            fits.append(
                fitted(Estimator, every, dtype=dtype, input_dropout=0.1, batch_size=50)
            )
    for fit in fits[1:]:
        assert_same_fit(fit, fits[0])


def test_rows_with_gaps_between_them():
    # 1024 numbers of single precision are set apart by a cache line
    rng = np.random.default_rng(0)
    network = reference.Network([1024, 1], [], "squared_error")
    params = random_params(network, rng)
    X, y = rng.normal(size=(20, 1024)), rng.normal(size=(20, 1))
    steps = [GaussianNoise(), FeatureScaling(), FeatureMasking(), Mixup(), CutMix()]
    for step in [*steps, CutMix(shape=(32, 32)), ImageScale((16, 64))]:
        augmentations = [step, GaussianNoise(), FeatureScaling()]
        after, target, weights = reference_augmentation.augment(
            augmentations, X, y, None, key=KEY, step=0
        )
        expected = network.loss_and_gradient(params, after, target, weights)[0]
        for threads in [1, 3]:
            loops = engine_of(
                network,
                np.float32,
                augmentation=kernel_table(augmentations),
                threads=threads,
            )
            got = loops.loss_and_gradient(
                params.astype("f"),
                data_of(X, y, dtype=np.float32),
                key=KEY,
                threads=threads,
            )
            assert_allclose(got, expected, rtol=1e-4)


@both_estimators
def test_validation_is_not_augmented(Estimator):
    # with a rate so small that nothing is learnt, the score is that of the start
    settings_ = {"early_stopping": True, "learning_rate_init": 1e-12, "max_iter": 1}
    plain = fitted(Estimator, **settings_)
    noisy = fitted(Estimator, [GaussianNoise(3.0), Mixup(1.0)], **settings_)
    assert_allclose(noisy.validation_scores_, plain.validation_scores_, rtol=1e-6)
    assert noisy.loss_ > plain.loss_ * 1.01 or noisy.loss_ < plain.loss_ * 0.99


@both_estimators
def test_steps_of_partial_fit_and_warm_start_go_on(Estimator):
    steps = [FeatureMasking(0.1), CutMix()]
    whole = fitted(Estimator, steps, tol=0)
    by_epoch = clone(whole)
    X, y = data_for(whole)
    extra = {"classes": np.unique(y)} if Estimator is RegularizedMLPClassifier else {}
    for _ in range(3):
        by_epoch.partial_fit(X, y, **extra)
    assert_array_equal(all_weights(by_epoch), all_weights(whole))
    warm = clone(whole).set_params(warm_start=True, max_iter=1)
    for _ in range(3):
        warm.fit(X, y)
    assert_array_equal(all_weights(warm), all_weights(whole))


def test_multilabel_targets_and_class_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6))
    y = (X[:, :3] + rng.normal(size=(80, 3)) > 0).astype(int)
    model = RegularizedMLPClassifier((8,), augmentation=Mixup(1.0), max_iter=3)
    assert np.isfinite(model.fit(X, y).loss_)
    model.set_params(class_weight="balanced")
    assert np.isfinite(model.fit(X, y[:, 0]).loss_)


def test_noise_is_ridge():
    # Bishop (1995): for a linear model, an L2 penalty of strength scale^2
    X, y = diabetes()
    y = (y - y.mean()) / y.std()
    model = RegularizedMLPRegressor(
        (), augmentation=GaussianNoise(0.5), l2=0.0, batch_size=32, max_iter=400,
        learning_rate="cosine", learning_rate_init=0.01, random_state=0,
    ).fit(X, y)  # fmt: skip
    ridge = Ridge(alpha=0.25 * len(y)).fit(X, y)
    assert np.abs(model.coefs_[0].ravel() - ridge.coef_).max() < 0.02


# --------------------------------------------------------------------------- functions


class Shuffles:
    """A function of the user's that remembers what it was called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, X, rng):
        noise = rng.normal(size=X.shape)
        self.calls.append((X, noise))
        return X + 0.1 * noise


def test_functions_are_called_once_per_epoch_on_the_training_rows():
    function = Shuffles()
    parameters = {"early_stopping": True, "max_iter": 4, "n_iter_no_change": 10}
    model = fitted(RegularizedMLPClassifier, [function], rows=100, **parameters)
    assert len(function.calls) == model.n_iter_ == 4
    X, noise = zip(*function.calls, strict=True)
    assert all(len(part) == 90 for part in X)
    assert X[0].dtype == np.float32
    assert not X[0].flags.writeable
    assert not any((a == b).any() for a, b in pairwise(noise))
    # the same seed gives the same noise
    again = Shuffles()
    repeated = fitted(RegularizedMLPClassifier, again, rows=100, **parameters)
    assert_same_fit(repeated, model)


def test_a_function_that_does_nothing_leaves_the_fit_as_it_is():
    rng = np.random.default_rng(0)
    X, y = data_for(RegularizedMLPClassifier())
    weights = rng.integers(0, 3, len(y))  # so that rows are left out
    fits = [
        RegularizedMLPClassifier(
            (8,), augmentation=augmentation, max_iter=3, random_state=0
        ).fit(X, y, weights)
        for augmentation in [GaussianNoise(), [lambda X, rng: X, GaussianNoise()]]
    ]
    assert_same_fit(*fits)


def test_functions_go_on_with_partial_fit():
    X, y = data_for(RegularizedMLPRegressor())
    whole = fitted(RegularizedMLPRegressor, Shuffles())
    by_epoch = clone(whole)
    for _ in range(3):
        by_epoch.partial_fit(X, y)
    assert_array_equal(all_weights(by_epoch), all_weights(whole))


def in_place(X, rng):
    X += 1
    return X


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        (lambda X, rng: X[1:], ["shape of X", "<lambda>"]),
        (lambda X, rng: np.full(X.shape, "a"), ["numbers"]),
        (lambda X, rng: None, ["shape ()"]),
        (lambda X, rng: X * np.nan, ["NaN", "<lambda>"]),
        (lambda X, rng: X.astype(float) * 1e300 + 1e300, ["infinity", "<lambda>"]),
        (in_place, ["read-only"]),
    ],
)
def test_bad_results_of_functions(function, parts):
    model = RegularizedMLPClassifier(augmentation=function)
    assert_refused(lambda: model.fit(*data_for(model)), ValueError, *parts)
    assert not hasattr(model, "n_iter_")
    assert not hasattr(model, "coefs_")


# ---------------------------------------------------------------------------- contract


@pytest.mark.parametrize("name", skreg.augmentation.__all__)
def test_docstrings(name):
    described = inspect.getdoc(getattr(skreg.augmentation, name))
    assert "Examples\n--------" in described
    parameters = inspect.signature(getattr(skreg.augmentation, name)).parameters
    for parameter in parameters:
        assert f"\n{parameter} : " in described


@each_example
def test_clone_and_pickle(example):
    for copy in [clone(example), pickle.loads(pickle.dumps(example))]:
        assert type(copy) is type(example)
        assert copy.get_params() == example.get_params()


def test_clone_and_pickle_of_estimators():
    compose = Compose([("noise", GaussianNoise(0.2)), ("mix", Mixup(0.3))])
    for augmentation in [compose, [GaussianNoise(0.2), Mixup(0.3)]]:
        model = fitted(RegularizedMLPClassifier, augmentation)
        X, y = data_for(model)
        assert_same_fit(clone(model).fit(X, y), model)
        assert_same_fit(pickle.loads(pickle.dumps(model)), model)


def test_nested_parameters():
    compose = Compose([("noise", GaussianNoise(0.2)), ("mix", Mixup(0.3))])
    model = RegularizedMLPClassifier(augmentation=compose)
    parameters = model.get_params()
    assert parameters["augmentation__noise__scale"] == 0.2
    assert parameters["augmentation__mix__alpha"] == 0.3
    model.set_params(augmentation__noise__scale=0.5, augmentation__mix=None)
    assert compose.get_params()["noise__scale"] == 0.5
    assert read_augmentation(compose) == ([], [compose.steps[0][1]])
    single = RegularizedMLPRegressor(augmentation=Mixup())
    assert single.set_params(augmentation__alpha=2.0).augmentation.alpha == 2.0
    with pytest.raises(ValueError, match="Invalid parameter 'strength'"):
        model.set_params(augmentation__noise__strength=1)


def test_grid_search():
    compose = Compose([("noise", GaussianNoise()), ("mix", Mixup())])
    model = RegularizedMLPClassifier((8,), augmentation=compose, max_iter=2)
    grid = {
        "augmentation__noise__scale": [0.0, 0.3],
        "augmentation__mix": [None, Mixup(0.4), CutMix()],
    }
    search = GridSearchCV(model, grid, cv=2).fit(*data_for(model))
    assert len(search.cv_results_["params"]) == 6
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# --------------------------------------------------------------------------- bad input

BAD = [
    (GaussianNoise(-1), ["scale of GaussianNoise", ">= 0", "-1"]),
    (GaussianNoise(np.inf), ["finite", "inf"]),
    (GaussianNoise(np.nan), ["nan"]),
    (GaussianNoise("much"), ["'much'"]),
    (FeatureScaling(1.5), ["scale of FeatureScaling", "[0, 1]", "1.5"]),
    (FeatureScaling(per="row"), ["per of FeatureScaling", "'sample'", "'row'"]),
    (FeatureMasking(1.0), ["rate of FeatureMasking", "[0, 1)", "1.0"]),
    (FeatureMasking(fill=np.nan), ["fill of FeatureMasking", "finite", "nan"]),
    (Mixup(-0.1), ["alpha of Mixup", ">= 0", "-0.1"]),
    (Mixup(probability=1.1), ["probability of Mixup", "[0, 1]", "1.1"]),
    (CutMix(np.inf), ["alpha of CutMix", "finite", "inf"]),
    (CutMix(shape=(4,)), ["shape of CutMix", "(height, width)", "(4,)"]),
    (CutMix(shape=(2, 3)), ["(2, 3)", "6 numbers", "4 features"]),
    (ImageFlip(4), ["shape of ImageFlip", "4"]),
    (ImageFlip((2, 2), axis="x"), ["axis of ImageFlip", "'vertical'", "'x'"]),
    (ImageFlip((2, 2), probability=-1), ["probability of ImageFlip", "-1"]),
    (ImageFlip((2, 2, 2)), ["(2, 2, 2)", "8 numbers", "4 features"]),
    (ImageShift((2, 2), 2), ["pixels of ImageShift", "below height", "got 2"]),
    (ImageShift((2, 2), 0.5), ["whole number", "0.5"]),
    (ImageShift((2, 2), -1), ["pixels", "-1"]),
    (ImageShift((2, -2), 0), ["whole numbers > 0", "(2, -2)"]),
    (ImageScale((2, 2), 1.0), ["scale of ImageScale", "[0, 1)", "1.0"]),
    (ImageScale((2, 2), fill="x"), ["fill of ImageScale", "'x'"]),
    (3, ["augmentation must be", "got 3", "GaussianNoise(0.1)"]),
    ("mixup", ["augmentation must be", "'mixup'"]),
    (Mixup, ["augmentation must be", "object of the class", "Mixup(...)"]),
    ([Mixup(), 3], ["augmentation must be", "got 3"]),
    ([Mixup(), CutMix()], ["at most one of Mixup and CutMix", "mixed twice"]),
    ([Mixup(), lambda X, rng: X], ["function", "after Mixup()", "first"]),
    (Compose([Mixup()]), ["steps of Compose", "(name, augmentation)"]),
    (Compose([("mix", 3)]), ["augmentation must be", "got 3"]),
    (Compose([("mix", Mixup()), ("mix", Mixup())]), ["not unique"]),
    (Compose([("a__b", Mixup())]), ["must not contain __"]),
    (Compose([("steps", Mixup())]), ["conflict"]),
]


@pytest.mark.parametrize(("bad", "parts"), BAD)
def test_bad_values(bad, parts):
    model = RegularizedMLPClassifier(augmentation=bad)
    assert_refused(lambda: model.fit(*data_for(model)), ValueError, *parts)
    assert not hasattr(model, "coefs_")


@both_estimators
def test_sparse_inputs_are_refused(Estimator):
    model = Estimator(augmentation=Mixup(), max_iter=1)
    X, y = data_for(model)
    with pytest.raises(ValueError, match=r"Mixup\(\) does not support sparse X"):
        model.fit(sparse.csr_array(X), y)
    model.set_params(augmentation=Mixup(0)).fit(sparse.csr_array(X), y)
    network = reference.Network([4, 1], [], "squared_error")
    loops = engine_of(network, augmentation=kernel_table([Mixup()]))
    rows = data_of(X[:, :4], X[:, :1], csr=True)
    with pytest.raises(ValueError, match="sparse X cannot be augmented"):
        loops.loss_and_gradient(np.zeros(5), rows, key=KEY)


@both_estimators
@pytest.mark.parametrize("augmentation", [Mixup(), lambda X, rng: X])
def test_lbfgs_refuses_augmentation(Estimator, augmentation):
    model = Estimator(solver="lbfgs", augmentation=augmentation)
    with pytest.raises(ValueError, match="does not support augmentation"):
        model.fit(*data_for(model))
    model.set_params(augmentation=FeatureMasking(0), max_iter=2)
    with pytest.warns(ConvergenceWarning):
        model.fit(*data_for(model))


def test_engine_refuses_tables_that_do_not_fit():
    network = reference.Network([4, 1], [], "squared_error")
    with pytest.raises(ValueError, match="images of 6 numbers in 4 features"):
        engine_of(network, augmentation=kernel_table([ImageFlip((2, 3))]))
    table = kernel_table([Mixup()])
    table["kind"] = 99
    with pytest.raises(ValueError, match="unknown augmentation 99"):
        engine_of(network, augmentation=table)
