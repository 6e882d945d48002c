"""Ensembles: `n_members` networks in one estimator."""

import copy
import pickle
import signal
import threading
import warnings

import numpy as np
import pytest
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from threadpoolctl import threadpool_limits

from skreg import regularization_path
from skreg._estimators.callbacks import HAVE_CALLBACKS
from skreg._estimators.members import OF_ONE_NETWORK
from skreg.adversarial import adversarial_examples

SETTINGS = {
    "hidden_layer_sizes": (16,),
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.01,
    "max_iter": 60,
    "random_state": 0,
}


def values(n=200, outputs=1):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6))
    y = X[:, :outputs] + X[:, [3]] ** 2
    return X, y.ravel() if outputs == 1 else y


def classes():
    X, y = load_iris(return_X_y=True)
    return scale(X), np.array(["a", "b", "c"])[y]


def labels():
    X, _ = values()
    return X, (X[:, :3] > 0.3).astype(int)


def regressor(**params):
    return RegularizedMLPRegressor(**(SETTINGS | {"n_members": 3} | params))


def classifier(**params):
    return RegularizedMLPClassifier(**(SETTINGS | {"n_members": 3} | params))


PROBLEMS = {
    "values": (regressor, values()),
    "outputs": (regressor, values(outputs=2)),
    "classes": (classifier, classes()),
    "two classes": (classifier, (classes()[0][:100], classes()[1][:100])),
    "labels": (classifier, labels()),
}
every_problem = pytest.mark.parametrize("name", PROBLEMS)


def state_of(model):
    """All that a fit has learnt, as bytes."""
    return [
        array.tobytes()
        for member in getattr(model, "members_", [model])
        for array in [*member.coefs_, *member.intercepts_]
    ]


@every_problem
def test_predictions_are_means_of_the_members(name):
    make, (X, y) = PROBLEMS[name]
    model = make().fit(X, y)
    assert len(model.members_) == 3
    if make is regressor:
        each = [member.predict(X) for member in model.members_]
        np.testing.assert_allclose(model.predict(X), np.mean(each, axis=0), rtol=1e-12)
        mean, std = model.predict(X, return_std=True)
        np.testing.assert_array_equal(mean, model.predict(X))
        np.testing.assert_allclose(std, np.std(each, axis=0))
        assert std.min() >= 0
        assert std.max() > 0
        return
    each = [member.predict_proba(X) for member in model.members_]
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities, np.mean(each, axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        np.exp(model.predict_log_proba(X)), probabilities, rtol=1e-4, atol=1e-7
    )
    if y.ndim == 2:
        np.testing.assert_array_equal(model.predict(X), probabilities > 0.5)
    else:
        codes = probabilities.argmax(axis=1)
        np.testing.assert_array_equal(model.predict(X), model.classes_[codes])


def test_log_probabilities_of_members_that_are_certain_are_finite():
    X = np.linspace(-1, 1, 40)[:, None]
    y = (X[:, 0] > 0).astype(int)
    model = classifier(hidden_layer_sizes=(), learning_rate_init=0.1).fit(X, y)
    far = np.array([[1e4]])
    assert model.predict_proba(far)[0, 0] == 0
    assert -1e6 < model.predict_log_proba(far)[0, 0] < -100


@every_problem
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_member_is_what_a_single_fit_with_its_seed_gives(name, early_stopping):
    make, (X, y) = PROBLEMS[name]
    model = make(early_stopping=early_stopping).fit(X, y)
    member = model.members_[1]
    assert member.n_members == 1
    alone = clone(member).fit(X, y)
    same = state_of(alone) == state_of(member)
    # which early stopping gives other validation rows
    assert same != early_stopping
    given = {"X_val": X[:20], "y_val": y[:20]}
    if early_stopping:
        model = model.fit(X[20:], y[20:], **given)
        alone = clone(model.members_[1]).fit(X[20:], y[20:], **given)
        assert state_of(alone) == state_of(model.members_[1])


def test_one_member_is_no_ensemble():
    X, y = values()
    plain = RegularizedMLPRegressor(**SETTINGS).fit(X, y)
    one = regressor(n_members=1).fit(X, y)
    assert state_of(plain) == state_of(one)
    assert not hasattr(one, "members_")
    with pytest.raises(ValueError, match=r"return_std=True .* with one .*n_members=4"):
        one.predict(X, return_std=True)


@pytest.mark.parametrize("threads", [1, 2, 3])
@every_problem
def test_the_same_bits_for_any_number_of_threads(name, threads, monkeypatch):
    make, (X, y) = PROBLEMS[name]
    model = make(early_stopping=True, dropout=0.2)
    with threadpool_limits(1):
        expected = state_of(model.fit(X, y))
    monkeypatch.setattr("skreg._problem.cores.limit", lambda: threads)
    monkeypatch.setattr("skreg._problem.cores._cores", lambda: threads)
    assert state_of(model.fit(X, y)) == expected


def test_the_first_members_are_the_same_for_any_number():
    X, y = values()
    two = regressor(n_members=2, early_stopping=True).fit(X, y)
    four = regressor(n_members=4, early_stopping=True).fit(X, y)
    assert state_of(two) == state_of(four)[: len(state_of(two))]


def test_a_prediction_has_the_same_bits_in_any_batch():
    X, y = classes()
    model = classifier().fit(X, y)
    one_by_one = np.concatenate([model.predict_proba(row[None]) for row in X])
    np.testing.assert_array_equal(model.predict_proba(X), one_by_one)


def held_out_of(model, X, y, monkeypatch):
    """The validation rows of each member."""
    found = []
    split = type(model)._split

    def noted(self, training, rows, given=None):
        found.append(given[1])
        return split(self, training, rows, given)

    with monkeypatch.context() as patch, threadpool_limits(1):
        patch.setattr(type(model), "_split", noted)
        model.fit(X, y)
    return found


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_validation_rows_are_disjoint_then_drawn_anew(monkeypatch):
    X, y = values(100)
    model = regressor(n_members=7, early_stopping=True, validation_fraction=0.2)
    held_out = held_out_of(model, X, y, monkeypatch)
    assert [len(rows) for rows in held_out] == [20] * 7
    first = np.concatenate(held_out[:4])
    assert len(np.unique(first)) == 80
    assert not any(np.array_equal(a, b) for a in held_out[:4] for b in held_out[4:])


def test_validation_rows_keep_the_shares_of_classes(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = np.repeat([0, 1], [160, 40])
    model = classifier(n_members=4, early_stopping=True)
    for rows in held_out_of(model, X, y, monkeypatch):
        assert len(rows) == 20
        assert y[rows].sum() == 4


def test_rows_of_weight_zero_validate_no_member(monkeypatch):
    X, y = values(100)
    model = regressor(n_members=4, early_stopping=True)
    weights = np.ones(100)
    weights[::2] = 0
    fit = model.fit
    monkeypatch.setattr(
        type(model), "fit", lambda self, X, y: fit(X, y, sample_weight=weights)
    )
    for rows in held_out_of(model, X, y, monkeypatch):
        assert (rows % 2 == 1).all()


@pytest.mark.parametrize("params", [{"early_stopping": True}, {"dropout": 0.1}])
def test_weights_of_zero_are_rows_left_out(params):
    X, y = classes()
    kept = np.random.default_rng(0).random(len(y)) < 0.7
    model = classifier(**params)
    left_out = clone(model).fit(X, y, sample_weight=kept.astype(float))
    removed = clone(model).fit(X[kept], y[kept])
    if not params.get("early_stopping"):
        np.testing.assert_allclose(
            left_out.predict_proba(X), removed.predict_proba(X), atol=1e-5
        )
    assert left_out.score(X, y) > 0.8


def test_class_weight_reaches_the_members():
    X, y = classes()
    even = classifier().fit(X, y)
    heavy = classifier(class_weight={"a": 1, "b": 1, "c": 50}).fit(X, y)
    assert (heavy.predict(X) == "c").sum() > (even.predict(X) == "c").sum()


def test_sparse_rows():
    X, y = values()
    X[np.abs(X) < 0.5] = 0
    dense = regressor().fit(X, y)
    held = regressor().fit(sparse.csr_matrix(X), y)
    np.testing.assert_allclose(dense.predict(X), held.predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every_problem
def test_partial_fit_trains_each_member(name):
    make, (X, y) = PROBLEMS[name]
    model = make(learning_rate="constant")
    known = {"classes": np.unique(y)} if y.dtype.kind == "U" else {}
    if name == "labels":
        known = {"classes": np.arange(3)}
    model.partial_fit(X, y, **known)
    before = state_of(model)
    model.partial_fit(X, y)
    assert [member.t_ for member in model.members_] == [2 * len(X)] * 3
    assert not set(before) & set(state_of(model))
    fitted = make(learning_rate="constant", max_iter=2, shuffle=False).fit(X, y)
    again = make(learning_rate="constant", shuffle=False)
    for _ in range(2):
        again.partial_fit(X, y, **(known if not hasattr(again, "members_") else {}))
    if name not in ("values", "outputs"):
        # targets of regressions get their scale in another way
        assert state_of(fitted) == state_of(again)


def test_warm_start_goes_on():
    X, y = values()
    whole = regressor(learning_rate="constant", warm_start=True, max_iter=5, tol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole.fit(X, y)
        first = whole.members_
        losses = whole.loss_
        whole.fit(X, y)
        longer = regressor(learning_rate="constant", max_iter=10, tol=0).fit(X, y)
    assert whole.loss_ < losses
    assert whole.members_[0] is not first[0]
    assert state_of(whole) == state_of(longer)
    assert len(first[0].loss_curve_) == 5
    with pytest.raises(ValueError, match="another n_members: 3 before, 4 now"):
        whole.set_params(n_members=4).fit(X, y)
    with pytest.raises(ValueError, match="another n_members: 3 before, 1 now"):
        whole.set_params(n_members=1).fit(X, y)


def test_a_refit_forgets_members_and_network():
    X, y = values()
    model = regressor().fit(X, y)
    model.set_params(n_members=1).fit(X, y)
    assert not hasattr(model, "members_")
    assert len(model.coefs_) == 2
    model.set_params(n_members=2).fit(X, y)
    assert len(model.members_) == 2
    assert not hasattr(model, "coefs_")
    assert not hasattr(model, "loss_curve_")


@pytest.mark.parametrize(
    "name",
    [
        *("coefs_", "intercepts_", "skip_coef_", "folded_coefs_", "loss_curve_"),
        *("learning_rates_", "validation_scores_", "validation_losses_"),
        *("adaptation_", "folded_intercepts_"),
    ],
)
def test_what_belongs_to_one_network_says_where_it_is(name):
    X, y = values()
    model = regressor().fit(X, y)
    with pytest.raises(AttributeError, match=rf"members_\[0\].{name}"):
        getattr(model, name)
    assert not hasattr(RegularizedMLPRegressor(), name)


def test_figures_are_means_over_the_members():
    X, y = values()
    model = regressor(early_stopping=True, l1=0.01, group_l1=0.01).fit(X, y)
    members = model.members_
    for name in ("loss_", "best_validation_score_", "zero_share_"):
        each = [getattr(member, name) for member in members]
        np.testing.assert_allclose(getattr(model, name), np.mean(each))
    for name in ("feature_importances_", "sparsity_", "l1_", "l2_"):
        each = [getattr(member, name) for member in members]
        np.testing.assert_allclose(getattr(model, name), np.mean(each, axis=0))
    assert model.best_loss_ is None
    assert model.n_iter_ == max(member.n_iter_ for member in members)
    assert model.t_ == sum(member.t_ for member in members)
    assert model.n_trained_parameters_ == 3 * members[0].n_trained_parameters_
    assert (model.n_layers_, model.n_outputs_) == (3, 1)
    selected = np.any([member.selected_features_ for member in members], axis=0)
    np.testing.assert_array_equal(model.selected_features_, selected)
    np.testing.assert_array_equal(model.feature_importances_ > 0, selected)


def test_selection_by_the_members():
    X, y = values()
    X = np.c_[X, np.random.default_rng(1).normal(size=(len(X), 5))]
    model = regressor(group_l1=0.05, max_iter=100)
    selector = SelectFromModel(model).fit(X, y)
    assert selector.get_support()[[0, 3]].all()
    assert selector.get_support().sum() < X.shape[1]


def clone_of(model, **params):
    """The same, fitted, with other parameters."""
    return copy.deepcopy(model).set_params(**params)


def test_sparsify_densify_and_prune_go_through_the_members():
    X, y = values()
    model = regressor(l1=0.05).fit(X, y)
    expected = model.predict(X)
    pruned = model.prune()
    assert pruned.members_[0].coefs_[0].size < model.members_[0].coefs_[0].size
    np.testing.assert_allclose(pruned.predict(X), expected, atol=1e-5)
    held = copy.deepcopy(model).sparsify_weights()
    assert held.members_[0].coefs_[0].format == "csc"
    assert isinstance(model.members_[0].coefs_[0], np.ndarray)
    np.testing.assert_allclose(held.predict(X), expected, atol=1e-5)
    with pytest.raises(ValueError, match="sparse weights"):
        held.set_params(learning_rate="constant").partial_fit(X, y)
    with pytest.raises(ValueError, match="sparse weights"):
        clone_of(held, warm_start=True).fit(X, y)
    assert isinstance(held.densify().members_[0].coefs_[0], np.ndarray)
    with pytest.raises(ValueError, match="pruned network"):
        pruned.set_params(learning_rate="constant").partial_fit(X, y)


def test_input_gradients_are_those_of_the_mean_loss():
    X, y = classes()
    model = classifier().fit(X, y)
    each = [member.input_gradient(X, y) for member in model.members_]
    np.testing.assert_array_equal(model.input_gradient(X, y), np.mean(each, axis=0))
    hostile = adversarial_examples(model, X, y, epsilon=0.5)
    assert model.score(hostile, y) < model.score(X, y)


@pytest.mark.parametrize("method", ["head", "lora", "full"])
def test_fine_tuning_adapts_each_member(method):
    X, y = classes()
    old = y != "c"
    base = classifier().fit(X[old], y[old])
    adapted = base.fine_tune(X, y, method=method, max_iter=200)
    assert adapted.classes_.tolist() == ["a", "b", "c"]
    assert adapted.score(X, y) > 0.8
    assert len(adapted.members_) == 3
    assert adapted.members_[0].adaptation_ is not None
    assert base.classes_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="fine_tune cannot change n_members"):
        base.fine_tune(X, y, n_members=1)


def test_paths_refuse_members():
    X, y = values()
    with pytest.raises(ValueError, match="n_members=3 is refused: a path is that of"):
        regularization_path(regressor(), X, y)


def test_copies_pickles_and_searches():
    X, y = values()
    model = regressor().fit(X, y)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert state_of(twin) == state_of(model)
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), regressor(max_iter=30)),
        {"regularizedmlpregressor__n_members": [1, 2]},
        cv=2,
        n_jobs=2,
    ).fit(X, y)
    assert len(search.cv_results_["params"]) == 2
    assert search.predict(X).shape == y.shape


def test_names_of_features_are_known():
    pandas = pytest.importorskip("pandas")
    X, y = values()
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    model = regressor(group_l1=0.05).fit(frame, y)
    model.predict(frame)
    model.members_[0].predict(frame)
    assert set(model.selected_feature_names_) <= set("abcdef")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("fedcba")])


def test_a_failed_call_changes_nothing():
    X, y = values()
    model = regressor(warm_start=True).fit(X, y)
    before, members = state_of(model), model.members_
    calls = []

    def scoring(estimator, X, y):
        calls.append(1)
        if len(calls) > 70:
            raise RuntimeError("it is enough")
        return estimator.score(X, y)

    model.set_params(early_stopping=True, scoring=scoring)
    with pytest.raises(RuntimeError, match="it is enough"):
        model.fit(X, y)
    assert model.members_ is members
    assert state_of(model) == before
    assert len(members[0].loss_curve_) == 60


@pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="signals of this system reach no thread"
)
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_keeps_what_was_learnt(threads, monkeypatch):
    X, y = values()
    monkeypatch.setattr("skreg._problem.cores.limit", lambda: threads)
    monkeypatch.setattr("skreg._problem.cores._cores", lambda: threads)
    seen, lock = [], threading.Lock()

    def scoring(estimator, X, y):
        with lock:
            seen.append(1)
            # by then all threads run, and the main one waits for them
            at_last = len(seen) == 1000
        if at_last:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return estimator.score(X, y)

    model = regressor(early_stopping=True, scoring=scoring, max_iter=20_000)
    model.set_params(n_iter_no_change=np.inf)
    # packages that other tests import take the signal for themselves
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
    finally:
        signal.signal(signal.SIGINT, before)
    assert 1 <= len(model.members_) <= 3
    assert np.isfinite(model.predict(X)).all()
    assert model.n_iter_ < 20_000


def test_one_warning_speaks_for_all():
    X, y = values()
    model = regressor(learning_rate="constant", max_iter=2)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    (message,) = [str(each.message) for each in caught]
    assert message.startswith("3 of 3 members: ")
    assert "max_iter=2" in message


def test_one_warning_of_classes_that_are_too_small_to_split():
    X, y = classes()
    X, y = np.r_[X, X[:1]], np.r_[y, ["d"]]
    with pytest.warns(UserWarning, match="does not keep the shares") as caught:
        classifier(early_stopping=True).fit(X, y)
    assert len(caught) == 1


@pytest.mark.parametrize("n_members", [0, 1.5, "4", None])
def test_bad_numbers_are_refused(n_members):
    X, y = values()
    with pytest.raises(ValueError, match="n_members"):
        regressor(n_members=n_members).fit(X, y)


@pytest.mark.skipif(
    not HAVE_CALLBACKS, reason="scikit-learn before 1.9 has no callbacks"
)
def test_callbacks_see_the_members_so_far():
    from sklearn.callback import ScoringMonitor

    X, y = values()
    monitor = ScoringMonitor(scoring="r2")
    model = regressor().set_callbacks(monitor).fit(X, y)
    assert len(model.members_) == 3


@pytest.mark.skipif(
    not HAVE_CALLBACKS, reason="scikit-learn before 1.9 has no callbacks"
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_callbacks_see_the_figures_of_the_member_that_has_ended(early_stopping):
    class Keeper:
        def __init__(self):
            self.kept = {"member": [], "fit": []}

        def setup(self, *args, **kwargs):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            self.kept[context.task_name].append(fitted_estimator)

    X, y = values()
    keeper = Keeper()
    model = regressor(early_stopping=early_stopping, batch_size="auto")
    model.set_callbacks(keeper).fit(X, y)
    assert len(keeper.kept["member"]) == 3
    for copied, member in zip(keeper.kept["member"], model.members_, strict=True):
        assert copied.members_[-1] is member
        for name in OF_ONE_NETWORK:
            assert getattr(copied, name) == getattr(member, name)
        assert copied.automatic_params_ == model.automatic_params_ != {}
    # the whole has none, as after fit
    [whole] = keeper.kept["fit"]
    for fitted in (whole, model):
        assert not hasattr(fitted, "loss_curve_")


@pytest.mark.skipif(
    not HAVE_CALLBACKS, reason="scikit-learn before 1.9 has no callbacks"
)
def test_ctrl_c_in_a_callback_keeps_the_members_so_far():
    class Impatient:
        seen = 0

        def setup(self, *args, **kwargs):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, *args, **kwargs):
            self.seen += 1
            if self.seen == 2:
                raise KeyboardInterrupt

    X, y = values()
    model = regressor().set_callbacks(Impatient())
    with pytest.raises(KeyboardInterrupt, match="the estimator is fitted"):
        model.fit(X, y)
    # one that another thread has at work is kept, too, as far as it came
    assert len(model.members_) >= 2
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("unit", [1e-170, 1e300])
def test_spread_of_the_members_in_any_unit(unit):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = X[:, 0]
    given = {"hidden_layer_sizes": (8,), "n_members": 2, "random_state": 0}
    given |= {"max_iter": 5}
    _, plain = RegularizedMLPRegressor(**given).fit(X, y).predict(X, return_std=True)
    model = RegularizedMLPRegressor(**given).fit(X, y * unit)
    _, spread = model.predict(X, return_std=True)
    np.testing.assert_allclose(spread / unit, plain, rtol=1e-3)
