"""X and y as users bring them: any container, layout, dtype and kind of label."""

import pickle

import numpy as np
import pytest
from common import all_weights, both_estimators, data_for, diabetes, few_epochs, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import DataConversionWarning

pytestmark = few_epochs

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


def read_only_memory_map(X, folder):
    path = folder / "X.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def unaligned(X, _=None):
    """At addresses where no number of its type may stand, as in a file's middle."""
    moved = np.frombuffer(bytearray(X.nbytes + 1), X.dtype, X.size, offset=1)
    moved = moved.reshape(X.shape)
    moved[...] = X
    assert not moved.flags.aligned
    return moved


LAYOUTS = {
    "list": lambda X, _: X.tolist(),
    "float32": lambda X, _: X.astype(np.float32),
    "Fortran order": lambda X, _: np.asfortranarray(X),
    "every other column": lambda X, _: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed twice": lambda X, _: X[::-1].copy()[::-1],
    "read-only memory map": read_only_memory_map,
    "big endian": lambda X, _: X.astype(">f8"),
    "unaligned": unaligned,
    "unaligned float32": lambda X, _: unaligned(X.astype(np.float32)),
    "field of packed records": lambda X, _: np.rec.fromarrays(
        [np.zeros(len(X), np.int8), X], dtype=[("a", "i1"), ("X", "f8", X.shape[1])]
    )["X"],
}


@both_estimators
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_of_dense_X(Estimator, layout, tmp_path):
    model = Estimator(**SMALL)
    X, y = data_for(model)
    expected = clone(model).fit(X, y)
    given = LAYOUTS[layout](X, tmp_path)
    model.fit(given, y)
    assert_array_equal(all_weights(model), all_weights(expected))
    assert_array_equal(model.predict(given), expected.predict(X))


@both_estimators
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_that_is_unaligned(Estimator, dtype):
    """X of the network's own dtype, dense and CSR, y, weights, validation data."""
    model = Estimator(**SMALL, dtype=dtype, early_stopping=True)
    X, y = data_for(model)
    X = X.astype(dtype)
    weights = np.linspace(0.5, 1.5, len(y))
    odd = unaligned(X), unaligned(y), unaligned(weights)
    expected = clone(model).fit(
        X, y, weights, X_val=X, y_val=y, sample_weight_val=weights
    )
    model.fit(*odd, X_val=odd[0], y_val=odd[1], sample_weight_val=odd[2])
    assert_array_equal(all_weights(model), all_weights(expected))
    assert_array_equal(model.predict(odd[0]), expected.predict(X))
    csr = sparse.csr_array(X)
    csr.data, csr.indices, csr.indptr = map(
        unaligned, (csr.data, csr.indices, csr.indptr)
    )
    model.set_params(early_stopping=False).fit(csr, *odd[1:])
    expected.set_params(early_stopping=False).fit(sparse.csr_array(X), y, weights)
    assert_array_equal(all_weights(model), all_weights(expected))
    for network in (model, model.sparsify_weights()):
        assert_array_equal(network.predict(csr), network.predict(sparse.csr_array(X)))
        assert_array_equal(network.predict(odd[0]), network.predict(X))


@both_estimators
def test_weights_that_are_unaligned(Estimator):
    """As a buffer from which a pickle takes them may give them."""
    model = Estimator(**SMALL, batch_norm=True)
    X, y = data_for(model)
    model.fit(X, y)
    buffers = []
    stream = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    odd = [
        memoryview(bytearray(1) + bytes(part.raw()))[1:].toreadonly()
        for part in buffers
    ]
    restored = pickle.loads(stream, buffers=odd)
    assert_array_equal(restored.predict(X), model.predict(X))
    assert_array_equal(
        all_weights(restored.partial_fit(X, y)), all_weights(model.partial_fit(X, y))
    )


@both_estimators
@pytest.mark.parametrize("dtype", [int, np.int8, np.uint16, bool])
def test_integers_and_booleans(Estimator, dtype):
    model = Estimator(**SMALL)
    X, y = data_for(model)
    X = (X > 0).astype(dtype)
    expected = clone(model).fit(X.astype(float), y)
    assert_array_equal(all_weights(model.fit(X, y)), all_weights(expected))


@both_estimators
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_X_is_not_changed(Estimator, dtype):
    model = Estimator(**SMALL, dtype=dtype, input_dropout=0.5)
    X, y = data_for(model)
    X = X.astype(dtype)
    before = X.copy()
    model.fit(X, y)
    model.predict(X)
    assert_array_equal(X, before)


SPARSE = {
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csc_array": sparse.csc_array,
    "coo_array": sparse.coo_array,
    "64-bit indices": lambda X: with_long_indices(sparse.csr_array(X)),
    "float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "unsorted": lambda X: unsorted(sparse.csr_array(X)),
}


def with_long_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def unsorted(X):
    """The same matrix with each row's elements in reverse order."""
    for start, stop in zip(X.indptr, X.indptr[1:], strict=False):
        X.data[start:stop] = X.data[start:stop][::-1]
        X.indices[start:stop] = X.indices[start:stop][::-1]
    X.has_sorted_indices = False
    return X


@both_estimators
@pytest.mark.parametrize("container", SPARSE)
def test_sparse_X_gives_what_dense_X_gives(Estimator, container):
    model = Estimator(**SMALL, dtype="float64", l1=1e-3, input_dropout=0.2, dropout=0.2)
    X, y = data_for(model)
    X = X * (np.abs(X) > 0.7)
    if container == "float32":
        X = X.astype(np.float32).astype(float)
    expected = clone(model).fit(X, y)
    given = SPARSE[container](X)
    model.fit(given, y)
    assert_allclose(all_weights(model), all_weights(expected), atol=1e-12)
    assert_allclose(
        model._network_outputs(model._read_to_predict(given)),
        expected._network_outputs(X),
        atol=1e-12,
    )


@both_estimators
def test_wide_sparse_X_is_never_dense(Estimator):
    """10,000 x 2,000,000 would be 80 GB in float32."""
    n, n_features = 10_000, 2_000_000
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(n, size=n), rng.integers(n_features, size=n)
    X = sparse.csr_array((rng.random(n), (rows, columns)), shape=(n, n_features))
    y = np.arange(n) % 2
    model = Estimator((2,), max_iter=1, batch_size=5000, random_state=0).fit(X, y)
    assert model.predict(X).shape == (10_000,)


@both_estimators
def test_pandas(Estimator):
    pd = pytest.importorskip("pandas")
    model = Estimator(**SMALL)
    X, y = data_for(model)
    expected = clone(model).fit(X, y)
    frame = pd.DataFrame(X).add_prefix("f")
    model.fit(frame, pd.Series(y, index=np.arange(len(y)) + 1000))
    assert_array_equal(all_weights(model), all_weights(expected))
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert_array_equal(model.predict(frame), expected.predict(X))
    early = clone(model).set_params(early_stopping=True)
    early.fit(frame, y, X_val=frame, y_val=y)
    assert len(early.validation_scores_) == early.n_iter_


@both_estimators
def test_polars(Estimator):
    pl = pytest.importorskip("polars")
    model = Estimator(**SMALL)
    X, y = data_for(model)
    expected = clone(model).fit(X, y)
    frame = pl.DataFrame(X, schema=[f"f{i}" for i in range(X.shape[1])])
    model.fit(frame, pl.Series(y))
    assert_array_equal(all_weights(model), all_weights(expected))
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert_array_equal(model.predict(frame), expected.predict(X))


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["setosa", "versicolor", "virginica"]),
        np.array(["setosa", "versicolor", "virginica"], dtype=object),
        np.array([-5, 0, 70]),
        np.array([0.0, 1.0, 2.0]),
    ],
    ids=["str", "object", "int", "float"],
)
def test_labels(labels):
    X, y = iris()
    expected = RegularizedMLPClassifier(**SMALL).fit(X, y)
    model = RegularizedMLPClassifier(**SMALL).fit(X, labels[y])
    assert_array_equal(model.classes_, labels)
    assert_array_equal(model.predict(X), labels[expected.predict(X)])
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_boolean_labels():
    X, y = iris()
    model = RegularizedMLPClassifier(**SMALL).fit(X, y == 2)
    assert model.predict(X).dtype == bool
    assert model.out_activation_ == "logistic"
    assert model.predict_proba(X).shape == (len(y), 2)


def test_labels_as_a_column_warn():
    X, y = iris()
    model = RegularizedMLPClassifier(**SMALL)
    with pytest.warns(UserWarning, match="column-vector y"):
        model.fit(X, y.reshape(-1, 1))
    assert model.predict(X).shape == y.shape


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_multilabel(container):
    X, Y = make_multilabel_classification(n_labels=3, random_state=0)
    X = X / 10
    expected = RegularizedMLPClassifier(**SMALL).fit(X, Y)
    model = RegularizedMLPClassifier(**SMALL).fit(X, container(Y))
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.predict(X).shape == model.predict_proba(X).shape == Y.shape
    assert set(np.unique(model.predict(X))) <= {0, 1}
    assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    model.set_params(max_iter=500, learning_rate_init=0.03, l2=0.0).fit(X, Y)
    assert (model.predict(X) == Y).mean() > 0.95


@pytest.mark.parametrize("n_outputs", [2, 5])
def test_several_outputs(n_outputs):
    X, y = diabetes()
    Y = np.stack([y + 100 * k * X[:, k] for k in range(n_outputs)], axis=1)
    model = RegularizedMLPRegressor(
        (), solver="lbfgs", l2=0.0, tol=1e-9, dtype="float64"
    )
    model.fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert model.n_outputs_ == n_outputs
    for k in range(n_outputs):
        alone = clone(model).fit(X, Y[:, k])
        assert_allclose(model.predict(X)[:, k], alone.predict(X), rtol=1e-4)


@both_estimators
def test_constant_feature(Estimator):
    model = Estimator(**SMALL)
    X, y = data_for(model)
    X = np.column_stack([X, np.full(len(X), 3.0), np.zeros(len(X))])
    model.fit(X, y)
    assert np.isfinite(all_weights(model)).all()


def test_constant_target_is_predicted():
    X, _ = diabetes()
    model = RegularizedMLPRegressor(
        learning_rate="one_cycle", learning_rate_init=0.01, batch_size=32
    )
    model.fit(X, np.full(len(X), 12.5))
    assert_allclose(model.predict(X), 12.5, atol=0.1)


def test_a_single_sample():
    model = RegularizedMLPRegressor(learning_rate="one_cycle", learning_rate_init=0.01)
    model.fit([[1.0, 2.0]], [3.0])
    assert_allclose(model.predict([[1.0, 2.0]]), [3.0], atol=0.1)
    classifier = RegularizedMLPClassifier(**SMALL)
    classifier.partial_fit([[1.0, 2.0]], ["a"], classes=["a", "b"])
    assert classifier.predict([[1.0, 2.0]]) == ["a"]


@pytest.mark.parametrize("magnitude", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_targets_of_any_magnitude_train(magnitude, shift):
    X, y = diabetes()
    model = RegularizedMLPRegressor(
        (20,),
        max_iter=50,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        random_state=0,
    )
    expected = clone(model).fit(X, y).score(X, y)
    target = (y + shift * y.std()) * magnitude
    assert expected > 0.5
    assert model.fit(X, target).score(X, target) == pytest.approx(expected, abs=0.02)


FAR_OFF = 1.7e9 + 10 * np.random.default_rng(0).normal(size=(60, 1))


@pytest.mark.parametrize("given", [np.ndarray.tolist, sparse.csr_array, np.asarray])
def test_digits_that_float32_loses_of_X(given):
    y = FAR_OFF[:, 0] - 1.7e9
    with pytest.warns(DataConversionWarning, match="float32 rounds away"):
        RegularizedMLPRegressor(**SMALL).fit(given(FAR_OFF), y)


def test_digits_that_float32_loses_of_y():
    X = FAR_OFF - 1.7e9
    model = RegularizedMLPRegressor(**SMALL, standardize_target=False)
    with pytest.warns(DataConversionWarning, match="float32 rounds away .* in y"):
        model.fit(X, FAR_OFF[:, 0])


def test_counts_of_a_small_unit_are_said():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = 1e-5 * np.exp(X[:, 0])
    for loss in ("poisson", "gamma"):
        model = RegularizedMLPRegressor((), solver="lbfgs", loss=loss)
        if loss == "poisson":
            with pytest.warns(UserWarning, match="Multiply y by a constant"):
                model.fit(X, y)
        else:
            assert model.fit(X, y).score(X, y) > 0.5


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_masked_values_are_refused(name):
    given = {"X": np.ones((6, 2)), "y": np.arange(6.0), "sample_weight": np.ones(6)}
    given[name] = np.ma.array(given[name], mask=False)
    RegularizedMLPRegressor(**SMALL).fit(**given)
    given[name][0] = np.ma.masked
    with pytest.raises(ValueError, match=f"{name} is a masked array"):
        RegularizedMLPRegressor(**SMALL).fit(**given)


@pytest.mark.parametrize("y", [["1e400", "1", "2"], [10**400, 1, 2]])
def test_values_beyond_float64_are_refused(y):
    with pytest.raises(ValueError, match="y"):
        RegularizedMLPRegressor(**SMALL).fit(np.ones((3, 2)), np.array(y, dtype=object))


@pytest.mark.skipif(
    not hasattr(sparse.coo_array(np.ones(3)), "coords"),
    reason="this SciPy has no sparse arrays of one dimension",
)
@pytest.mark.parametrize("preprocessing", ["auto", None])
def test_sparse_X_of_one_dimension_is_refused(preprocessing):
    model = RegularizedMLPRegressor(**SMALL, preprocessing=preprocessing)
    with pytest.raises(ValueError, match="Expected 2D"):
        model.fit(sparse.coo_array(np.ones(3)), np.arange(3.0))


@pytest.mark.parametrize("kind", [sparse.coo_array, sparse.csc_array])
def test_indicators_of_labels_in_any_sparse_format(kind):
    X, labels = make_multilabel_classification(random_state=0)
    dense = RegularizedMLPClassifier(**SMALL).fit(X, labels)
    model = RegularizedMLPClassifier(**SMALL).fit(X, kind(labels))
    assert_array_equal(model.predict(X), dense.predict(X))
