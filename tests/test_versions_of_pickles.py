"""Pickles carry skreg's version; those of another version are completed, or refused."""

import copy
import copyreg
import io
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from common import all_weights, both_estimators, data_for, few_epochs
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPRegressor
from sklearn.base import clone, is_classifier
from sklearn.exceptions import InconsistentVersionWarning as OfScikitLearn

import skreg
from skreg import (
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
    augmentation,
    averaging,
    regularization_path,
    schedules,
)
from skreg._persistence import KEY
from skreg._problem.automatic import plain_settings
from skreg.adversarial import AdversarialTraining
from skreg.exceptions import InconsistentVersionWarning
from skreg.inspection import RobustnessCurve, StabilitySelection

pytestmark = few_epochs

PICKLED = Path(__file__).parent / "data" / "pickled_by_421a65c.pickle"
OLDER = {"dropout_schedule", "skip", "hierarchy", "group_l1", "feature_groups"}


def small(Estimator, **settings):
    model = Estimator((5,), max_iter=2, random_state=0, **settings)
    return model.fit(*data_for(model))


def fine_tuned():
    model = small(RegularizedMLPRegressor)
    return model.fine_tune(*data_for(model), method="bias").adaptation_


def path():
    model = RegularizedMLPRegressor((), solver="lbfgs")
    return regularization_path(model, *data_for(model), alphas=3)


VERSIONED = {
    "estimator": lambda: small(RegularizedMLPRegressor),
    "unfitted": RegularizedMLPRegressor,
    "sparse": lambda: small(RegularizedMLPRegressor, l1=0.1).sparsify_weights(),
    "adaptation": fine_tuned,
    "path": path,
    "stability": lambda: StabilitySelection(np.ones(3), 0.7, 1.5),
    "robustness": lambda: RobustnessCurve(np.ones(1), np.ones((1, 1))),
    "adversarial": AdversarialTraining,
    "compose": lambda: augmentation.Compose([("mix", augmentation.Mixup())]),
    **{name: getattr(averaging, name) for name in averaging.__all__},
    **{
        name: getattr(schedules, name)
        for name in schedules.__all__
        if name != "Schedule"
    },
}
every_object = pytest.mark.parametrize("make", VERSIONED.values(), ids=VERSIONED)


def older(thing, version=None, without=()):
    """The same as another version pickled it: in another form, and with its number."""

    def reduce(self):
        state = self.__getstate__()
        del state[KEY]
        state = {key: value for key, value in state.items() if key not in without}
        if version is not None:
            state[KEY] = version
        return copyreg.__newobj__, (type(self),), state

    class Pickler(pickle.Pickler):
        def reducer_override(self, value):
            return reduce(value) if value is thing else NotImplemented

    buffer = io.BytesIO()
    Pickler(buffer).dump(thing)
    return buffer.getvalue()


@every_object
def test_the_version_is_noted_and_the_same_one_is_silent(make):
    thing = make()
    assert thing.__getstate__()[KEY] == skreg.__version__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for copied in (
            pickle.loads(pickle.dumps(thing)),
            copy.copy(thing),
            copy.deepcopy(thing),
        ):
            # noted in what is written, not in the object
            assert KEY not in vars(copied)
            assert repr(copied) == repr(thing)


@every_object
@pytest.mark.parametrize("version", [None, "0.0.7", "9.0.0"])
def test_another_version_warns(make, version):
    thing = make()
    with pytest.warns(InconsistentVersionWarning) as caught:
        pickle.loads(older(thing, version))
    (warning,) = {str(each.message): each.message for each in caught}.values()
    assert isinstance(warning, OfScikitLearn)
    assert warning.original_version == version
    assert warning.current_version == skreg.__version__
    said = str(warning)
    for part in [type(thing).__name__, version or "before 0.1.0", skreg.__version__]:
        assert part in said


@both_estimators
def test_parameters_that_were_not_known_have_their_defaults(Estimator):
    model = small(Estimator, learning_rate="one_cycle")
    X, y = data_for(model)
    predicted = model.predict(X)
    with pytest.warns(InconsistentVersionWarning) as caught:
        loaded = pickle.loads(older(model, without=OLDER))
    assert set(caught[0].message.filled) == OLDER
    assert all(name in str(caught[0].message) for name in OLDER)
    assert repr(loaded) == repr(model)
    assert loaded.get_params() == model.get_params()
    assert clone(loaded).get_params() == clone(model).get_params()
    assert_array_equal(loaded.predict(X), predicted)
    # from here on as if nothing had happened
    given = {"classes": loaded.classes_} if is_classifier(model) else {}
    loaded.set_params(learning_rate="constant").partial_fit(X, y, **given)
    model.set_params(learning_rate="constant").partial_fit(X, y, **given)
    assert_array_equal(all_weights(loaded), all_weights(model))
    pickle.loads(pickle.dumps(loaded))  # of this version now: silent


@pytest.mark.parametrize(
    "Estimator", [RegularizedMLPClassifierCV, RegularizedMLPRegressorCV]
)
def test_estimators_with_cross_validation(Estimator):
    model = Estimator((), alphas=3, solver="lbfgs", cv=2)
    model.fit(*data_for(model))
    with pytest.warns(InconsistentVersionWarning) as caught:
        loaded = pickle.loads(older(model, without={"selection", "skip"}))
    assert set(caught[0].message.filled) == {"selection", "skip"}
    assert repr(loaded) == repr(model)
    assert clone(loaded).selection == "best"


def test_fields_of_the_private_state_have_their_defaults():
    model = small(RegularizedMLPRegressor)
    X, y = data_for(model)
    predicted = model.predict(X)
    network, state = model._network, model._state
    for name in ("_idle", "_folded", "skip", "residual", "inputs"):
        network.__dict__.pop(name, None)
    for name in ("iterate", "tuner"):
        del state.__dict__[name]
    for name in ("average", "anchor", "average_decay"):
        del state.optimizer.__dict__[name]
    del state.schedule.__dict__["warm_up"]
    del state.loss_progress.__dict__["waited"]
    with pytest.warns(InconsistentVersionWarning):
        loaded = pickle.loads(older(model))
    assert_array_equal(loaded.predict(X), predicted)
    assert loaded._state.schedule.warm_up == 0
    loaded.partial_fit(X, y)


@both_estimators
def test_a_pickle_of_an_older_commit(Estimator):
    """Made by commit 421a65c, before batch norms, schedules, skip and group_l1."""
    pickled = pickle.loads(PICKLED.read_bytes())[Estimator.__name__]
    with pytest.warns(InconsistentVersionWarning) as caught:
        loaded, predicted = pickle.loads(pickled)
    assert {"batch_norm", "skip", "group_l1"} <= set(caught[0].message.filled)
    X, y = data_for(loaded)
    predict = loaded.predict_proba if is_classifier(loaded) else loaded.predict
    assert_allclose(predict(X[:5]), predicted, rtol=1e-5)
    # with what its defaults were, and what did not yet exist
    before = plain_settings(type(loaded)) | {"batch_size": "auto"}
    given = {"hidden_layer_sizes": (3,), "max_iter": 3, "dropout": 0.2, "l1": 1e-3}
    new = type(loaded)(**(before | given), random_state=0)
    assert repr(loaded) == repr(new)
    assert repr(clone(loaded)) == repr(new)
    weights = all_weights(loaded)
    loaded.partial_fit(X, y)
    assert not np.array_equal(all_weights(loaded), weights)
    loaded.set_params(warm_start=True, batch_size=64).fit(X, y)
    assert loaded.n_iter_ == 3
    loaded.prune()


def without_a_field(name):
    model = small(RegularizedMLPRegressor)
    del model._network.__dict__[name]
    return older(model)


@pytest.mark.parametrize(
    ("pickled", "named"),
    [
        (lambda: without_a_field("layer_sizes"), "_network.layer_sizes"),
        (lambda: older(small(RegularizedMLPRegressor), without={"_state"}), "_state"),
        (
            lambda: older(small(RegularizedMLPRegressor), without={"_target_scale"}),
            "_target_scale",
        ),
        (lambda: older(fine_tuned(), without={"_fingerprint"}), "_fingerprint"),
        (lambda: older(path(), without={"_params"}), "_params"),
        (
            lambda: older(augmentation.ImageFlip((2, 2)), without={"shape"}),
            "the parameter shape",
        ),
    ],
    ids=["network", "state", "reading", "adaptation", "path", "parameter"],
)
def test_what_has_no_default_is_refused_in_words(pickled, named):
    with pytest.raises(ValueError, match="pickled by skreg") as caught:
        pickle.loads(pickled())
    for part in ["before 0.1.0", skreg.__version__, named, "fit it anew"]:
        assert part in str(caught.value)


def test_search_space_of_before_the_folders():
    """Its distributions stood in another module."""
    space = skreg.search_space("regression", 100, 5)
    old = pickle.dumps(space, protocol=2).replace(
        b"skreg._problem.search_space", b"skreg._search_space"
    )
    assert repr(pickle.loads(old)).count("Sometimes") == repr(space).count("Sometimes")
