"""The search space: every draw is a valid combination, in proportion and in scale."""

import inspect
import warnings

import numpy as np
import pytest
from common import data_for, learns_nothing
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    HalvingRandomSearchCV,
    ParameterSampler,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import search_space
from skreg._problem.parameters import read_settings
from skreg._problem.search_space import (
    DropoutRates,
    PerMatrix,
    Sometimes,
    batch_sizes,
    widths,
)
from skreg._problem.strengths import STRENGTHS

TASKS = {
    "classification": RegularizedMLPClassifier,
    "regression": RegularizedMLPRegressor,
}
# Parameters of the estimators that say what is fitted and how, not how it is
# regularized; where they are in the space, beside it.
NO_REGULARIZERS = {
    *["hidden_layer_sizes", "activation", "loss", "huber_delta", "quantile"],
    *["standardize_target", "class_weight", "dtype", "random_state", "verbose"],
    *["solver", "batch_size", "shuffle", "momentum", "nesterovs_momentum"],
    *["beta_1", "beta_2", "epsilon", "max_fun", "max_iter", "tol", "warm_start"],
    *["learning_rate", "learning_rate_init", "power_t", "warm_up"],
    *["validation_fraction", "scoring", "n_iter_no_change", "n_members"],
    # "auto" is what the other parameters of a draw allow
    *["preprocessing", "feature_scaling"],
}
every_task = pytest.mark.parametrize("task", TASKS)


def draws(space, n, seed=0):
    """Parameters as a search would draw them."""
    # those that are objects are shared by all draws
    sampler = ParameterSampler(space, n, random_state=seed)
    return [clone(parameters, safe=False) for parameters in sampler]


def is_off(drawn, off):
    """Whether a value, or one for each weight matrix, turns a regularizer off."""
    if isinstance(drawn, list):
        return all(value in (off, np.inf) for value in drawn)
    return drawn == off


def shape_of_data(task):
    return data_for(TASKS[task]())[0].shape


@every_task
def test_every_draw_of_every_dict_is_valid(task):
    model = TASKS[task]()
    space = search_space(task, *shape_of_data(task))
    # what is drawn more often stands there several times
    distinct = [part for k, part in enumerate(space) if part not in space[:k]]
    assert len(distinct) == 3 * 3 * 2 * 2 * 7
    for k, part in enumerate(distinct):
        for parameters in draws([part], 2, seed=k):
            model.set_params(**parameters)
            model._validate_params()
            read_settings(model)


@every_task
def test_draws_train(task):
    model = TASKS[task](max_iter=2, random_state=0)
    X, y = data_for(model)
    X, y = X[::3], y[::3]
    for parameters in draws(search_space(task, *X.shape), 80):
        candidate = clone(model).set_params(**parameters)
        with warnings.catch_warnings():
            # two epochs, of any rate
            warnings.simplefilter("ignore", ConvergenceWarning)
            candidate.fit(X, y)
        assert np.isfinite(candidate.score(X, y))


@every_task
def test_each_regularizer_is_off_and_on(task):
    space = search_space(task, 1000, 20)
    off = {
        "l1": 0.0,
        "l2": 0.0,
        "weight_decay": 0.0,
        "input_dropout": 0.0,
        "max_norm": None,
        "max_grad_norm": None,
        "batch_norm": False,
        "weight_averaging": None,
        "augmentation": None,
        "adversarial": None,
        "residual": False,
        "group_l1": 0.0,
        "skip": False,
        "hierarchy": None,
        "dropout_schedule": None,
        "weight_decay_schedule": None,
    }
    if task == "classification":
        off["label_smoothing"] = 0.0
    drawn = draws(space, 400)
    for name, value in off.items():
        share = np.mean([is_off(parameters[name], value) for parameters in drawn])
        assert 0.15 < share < 0.95, name
    assert 0.4 < np.mean([not any(p["dropout"]) for p in drawn]) < 0.6
    disturbed = [
        type(p["augmentation"]).__name__ for p in drawn if p["augmentation"] is not None
    ]
    assert len(set(disturbed)) == 5
    alone = [not p["augmentation"] and not p["adversarial"] for p in drawn]
    assert 0.4 < np.mean(alone) < 0.6
    # rows are disturbed in one way
    assert not any(p["augmentation"] and p["adversarial"] for p in drawn)


@every_task
def test_names_are_the_estimators_parameters(task):
    known = set(TASKS[task]().get_params())
    for part in search_space(task, 1000, 20):
        assert {name.split("__")[0] for name in part} <= known
        assert "max_iter" not in part
    smoothed = ["label_smoothing" in part for part in search_space(task, 1000, 20)]
    assert all(smoothed) if task == "classification" else not any(smoothed)


def test_residual_layers_have_one_width_and_dropout_one_rate_per_layer():
    for parameters in draws(search_space("regression", 3000, 20), 200):
        sizes = parameters["hidden_layer_sizes"]
        assert len(set(sizes)) == 1
        assert len(parameters["dropout"]) == len(sizes)
        if parameters["residual"]:
            assert len(sizes) > 1


@every_task
def test_every_regularizer_of_the_estimator_is_drawn(task):
    """A new parameter is drawn, or named here; a regularizer also in the docstring."""
    said = inspect.getdoc(search_space)
    not_drawn = set(TASKS[task]().get_params()) - NO_REGULARIZERS
    for part in search_space(task, 1000, 20):
        left_out = not_drawn - set(part)
        assert left_out == {"feature_groups", "early_stopping"}
        assert all(f"``{name}``" in said for name in left_out)


def test_the_hierarchy_has_its_penalty_and_a_schedule_something_to_act_on():
    for parameters in draws(search_space("regression", 1000, 20), 400):
        if parameters["hierarchy"] is not None:
            assert parameters["skip"]
            assert parameters["group_l1"] > 0
        if parameters["dropout_schedule"] is not None:
            assert any(parameters["dropout"])
        if parameters["weight_decay_schedule"] is not None:
            assert parameters["weight_decay"] > 0


def test_draws_stay_within_the_one_list_of_strengths():
    for parameters in draws(search_space("classification", 1000, 20), 400):
        if parameters["hierarchy"] is not None:
            parameters["hierarchy group_l1"] = parameters.pop("group_l1")
        for kind in ("augmentation", "adversarial"):
            for name in [name for name in parameters if name.startswith(f"{kind}__")]:
                disturbing = type(parameters[kind]).__name__
                knob = name.removeprefix(f"{kind}__")
                parameters[f"{disturbing} {knob}"] = parameters[name]
        for name, strength in STRENGTHS.items():
            drawn = parameters.get(name)
            for value in np.ravel(0.0 if drawn is None else drawn):
                if value not in (0.0, np.inf):
                    assert value <= strength.high, name
                    if name != "dropout":  # its shape falls to less than `low`
                        assert value >= strength.low, name


def test_draws_are_those_of_the_seed():
    space = search_space("classification", 500, 10)
    assert repr(draws(space, 20)) == repr(draws(space, 20))
    assert repr(draws(space, 20)) != repr(draws(space, 20, seed=1))


@pytest.mark.parametrize(
    ("n_samples", "n_features", "expected"),
    [
        (1, 1, [16, 32, 64]),
        (150, 4, [16, 32, 64]),
        (1000, 20, [32, 64, 128]),
        (150, 500, [64, 128, 256]),
        (100_000, 10, [128, 256, 512]),
        (100, 100_000, [128, 256, 512]),
    ],
)
def test_widths_grow_with_the_data(n_samples, n_features, expected):
    assert widths(n_samples, n_features) == expected
    for part in search_space("regression", n_samples, n_features):
        assert {sizes[0] for sizes in part["hidden_layer_sizes"]} == set(expected)


@pytest.mark.parametrize(
    ("n_samples", "expected"),
    [
        (1, [16, 32]),
        (600, [16, 32]),
        (3000, [32, 64, 128]),
        (10**6, [128, 256, 512]),
    ],
)
def test_batches_grow_with_the_rows(n_samples, expected):
    assert batch_sizes(n_samples) == expected


@pytest.mark.parametrize("off", [0.0, None])
def test_sometimes_is_off_in_half_of_the_draws(off):
    class One:
        def rvs(self, random_state):
            return 1

    random_state = np.random.RandomState(0)
    drawn = [Sometimes(One(), off).rvs(random_state) for _ in range(2000)]
    assert abs(drawn.count(off) - 1000) < 4 * np.sqrt(500)
    assert drawn.count(1.0) == 2000 - drawn.count(off)
    assert type(next(value for value in drawn if value)) is float


def test_one_draw_and_fixed_strengths():
    class One:
        def rvs(self, random_state):
            return 1.0

    assert PerMatrix([0.0, None, None, 0.0], One()).rvs() == [0.0, 1.0, 1.0, 0.0]


def test_dropout_has_three_shapes():
    class Highest:
        def rvs(self, random_state):
            return 0.75

    random_state = np.random.RandomState(0)
    drawn = [tuple(DropoutRates(3, Highest()).rvs(random_state)) for _ in range(2000)]
    shapes = {
        (0.75, 0.75, 0.75): 2000 / 3,
        (0.25, 0.5, 0.75): 2000 / 3,
        (0.75, 0.5, 0.25): 2000 / 3,
    }
    assert set(drawn) == set(shapes)
    for shape, expected in shapes.items():
        assert abs(drawn.count(shape) - expected) < 5 * np.sqrt(expected)


@every_task
@learns_nothing
def test_a_pipeline_in_scikit_learns_searches(task):
    Estimator = TASKS[task]
    model = make_pipeline(StandardScaler(), Estimator(random_state=0, max_iter=2))
    X, y = data_for(Estimator())
    X, y = X[::3], y[::3]
    step = Estimator.__name__.lower()
    space = search_space(task, *X.shape, prefix=f"{step}__")
    search = RandomizedSearchCV(
        model, space, n_iter=4, cv=2, random_state=0, error_score="raise"
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_[-1].get_params()
    for name, value in search.best_params_.items():
        if not hasattr(value, "get_params"):
            assert best[name.removeprefix(f"{step}__")] == value
    halving = HalvingRandomSearchCV(
        model,
        space,
        resource=f"{step}__max_iter",
        min_resources=2,
        max_resources=6,
        n_candidates=3,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert halving.n_iterations_ == 2


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("ranking", 100, 5), ["task", "'classification', 'regression'", "'ranking'"]),
        (("regression", 0, 5), ["n_samples", ">= 1", "0"]),
        (("regression", 100, 2.5), ["n_features", "whole number", "2.5"]),
    ],
)
def test_bad_arguments(arguments, parts):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        search_space(*arguments)
    for part in parts:
        assert part in str(caught.value)


def test_prefix_is_given_by_name():
    kind = inspect.signature(search_space).parameters["prefix"].kind
    assert kind is inspect.Parameter.KEYWORD_ONLY
