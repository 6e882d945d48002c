"""The libraries that are compared, behind one interface.

A `Peer` turns a `Workload` into a function `task(n)` that trains n epochs, or predicts
n times. What comes before training in a library's own way of life (tensors from arrays,
compilation) is done by then and not timed; what its `fit` or `predict` does is.
"""

import os
import warnings
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
from _workloads import ONE_ROW, PREDICT, TRAIN
from threadpoolctl import threadpool_limits

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-8  # of everyone's Adam


class Peer:
    """One library, on a number of threads."""

    name: str
    modules: tuple = ()
    tasks = (TRAIN,)
    dropout = True
    sparse = False

    def __init__(self, threads):
        self.threads = threads
        self.limits = threadpool_limits(threads)
        self.predicted = None

    @classmethod
    def missing(cls):
        """Modules that are not installed."""
        return [module for module in cls.modules if find_spec(module) is None]

    @classmethod
    def can(cls, workload):
        """Whether the library does such a thing at all."""
        return (
            workload.task in cls.tasks
            and (cls.dropout or not workload.dropout)
            and (cls.sparse or not workload.density)
        )

    def task(self, workload, dtype, settings):
        """The function of a number of epochs or calls."""
        self.predicted = None
        X, y = workload.data()
        X = X.astype(dtype, copy=False)
        if workload.task == TRAIN:
            return self.training(workload, X, y, settings)
        predict = self.prediction(workload, fitted(workload, X, y))
        if workload.task == ONE_ROW:
            X = X[:1]
        self.predicted = predict(X)  # for whoever compares

        def task(calls):
            for _ in range(calls):
                predict(X)

        return task

    def training(self, workload, X, y, settings):
        """The task of a number of epochs; `settings` are skreg's own."""
        raise NotImplementedError

    def prediction(self, workload, model):
        """A function of X that predicts what the fitted skreg model does."""
        raise NotImplementedError


def fitted(workload, X, y):
    """A skreg model that all libraries predict with, the same in every process."""
    model = Skreg.estimator(workload, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X[:1000], y[:1000])


class EstimatorPeer(Peer):
    """A library with fit."""

    tasks = (TRAIN, PREDICT, ONE_ROW)

    def training(self, workload, X, y, settings):
        """Whole fits."""

        def task(epochs):
            # neither library stops before max_iter
            model = self.estimator(
                workload, max_iter=epochs, n_iter_no_change=epochs + 1, **settings
            )
            if self.name == "skreg":
                model.set_params(dtype=str(X.dtype))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it has not converged
                model.fit(X, y)
            assert model.n_iter_ == epochs

        return task

    def prediction(self, workload, model):
        """`predict_proba`, or `predict` of one row."""
        model = self.like(workload, model)
        return model.predict if workload.task == ONE_ROW else model.predict_proba


class Skreg(EstimatorPeer):
    """This library."""

    name = "skreg"
    sparse = True

    def __init__(self, threads):
        import skreg._kernels  # noqa: F401  # the limit is for what is loaded

        super().__init__(threads)

    @staticmethod
    def estimator(workload, **settings):
        """The estimator, without penalties unless `settings` have some."""
        from _plain import RegularizedMLPClassifier, RegularizedMLPRegressor

        kind = RegularizedMLPClassifier if workload.classes else RegularizedMLPRegressor
        return kind(
            hidden_layer_sizes=workload.hidden,
            activation=workload.activation,
            batch_size=workload.batch,
            random_state=0,
            **{"l2": 0.0, "dropout": workload.dropout} | settings,
        )

    def like(self, workload, model):
        """The model itself."""
        return model


class ScikitLearn(EstimatorPeer):
    """Its multilayer perceptron, which has no dropout."""

    name = "scikit-learn"
    dropout = False
    sparse = True

    @staticmethod
    def estimator(workload, **settings):
        """The estimator, without its L2 penalty."""
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        return (MLPClassifier if workload.classes else MLPRegressor)(
            hidden_layer_sizes=workload.hidden,
            activation=workload.activation,
            batch_size=workload.batch,
            alpha=0.0,
            random_state=0,
            **settings,
        )

    def like(self, workload, model):
        """A model that has these weights."""
        few = replace(workload, rows=200, batch=200)
        copy = self.estimator(few, max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            copy.fit(*few.data())
        copy.coefs_ = [W.copy() for W in model.coefs_]
        copy.intercepts_ = [b.copy() for b in model.intercepts_]
        return copy


class Validation(ScikitLearn):
    """What scikit-learn's check of its input takes in a prediction, nothing else."""

    name = "validate_data alone"
    tasks = (ONE_ROW,)

    def prediction(self, workload, model):
        """The call as it stands in scikit-learn's MLP."""
        from sklearn.utils.validation import validate_data

        return partial(
            validate_data,
            self.like(workload, model),
            accept_sparse=["csr", "csc"],
            reset=False,
        )


class PyTorch(Peer):
    """Eager, with the fused Adam."""

    name = "PyTorch"
    modules = ("torch",)
    tasks = (TRAIN, PREDICT)

    def __init__(self, threads):
        import torch

        super().__init__(threads)
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        torch.manual_seed(0)

    @staticmethod
    def network(workload):
        """The same layers."""
        from torch import nn

        activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[workload.activation]
        layers = []
        *sizes, outputs = workload.layer_sizes
        for n_in, n_out in pairwise(sizes):
            layers += [nn.Linear(n_in, n_out), activation()]
            if workload.dropout:
                layers.append(nn.Dropout(workload.dropout))
        return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))

    def training(self, workload, X, y, settings):
        """Epochs over tensors; the rows are put into a new order once per epoch."""
        import torch
        from torch.nn import functional

        model = self.network(workload)
        adam = torch.optim.Adam(
            model.parameters(), RATE, (BETA_1, BETA_2), EPSILON, fused=True
        )
        X = torch.from_numpy(X)
        if workload.outputs > 1:
            y, loss = torch.from_numpy(y), functional.cross_entropy
        else:
            y = torch.from_numpy(y.astype(np.float32)[:, None])
            loss = (
                functional.binary_cross_entropy_with_logits
                if workload.classes
                else functional.mse_loss
            )

        def task(epochs):
            for _ in range(epochs):
                order = torch.randperm(len(X))
                for X_batch, y_batch in zip(
                    X[order].split(workload.batch),
                    y[order].split(workload.batch),
                    strict=True,
                ):
                    adam.zero_grad()
                    loss(model(X_batch), y_batch).backward()
                    adam.step()

        return task

    def prediction(self, workload, model):
        """NumPy in, NumPy out."""
        import torch

        network = self.network(workload).eval()
        layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
        with torch.no_grad():
            for layer, W, b in zip(
                layers, model.coefs_, model.intercepts_, strict=True
            ):
                layer.weight.copy_(torch.from_numpy(W.T.copy()))
                layer.bias.copy_(torch.from_numpy(b.copy()))

        def predict(X):
            with torch.inference_mode():
                return torch.softmax(network(torch.from_numpy(X)), dim=1).numpy()

        return predict


class JAX(Peer):
    """A whole epoch, shuffled, in one compiled call; Adam written out.

    JAX takes as many threads as its process may use cores, which the process was bound
    to before. Where a system has no such bounds, JAX is left out.
    """

    name = "JAX"
    modules = ("jax", "jaxlib")

    @classmethod
    def can(cls, workload):
        """Also whether its threads can be limited."""
        return hasattr(os, "sched_setaffinity") and super().can(workload)

    def training(self, workload, X, y, settings):
        """Epochs whose state stays with JAX."""
        import jax

        X = jax.numpy.asarray(X)
        y = jax.numpy.asarray(y if workload.outputs > 1 else y.astype(np.float32))
        rng = np.random.default_rng(0)
        epoch = jax.jit(jax_epoch(workload), donate_argnums=0)
        state = jax_state(workload, rng)

        def task(epochs):
            nonlocal state
            for _ in range(epochs):
                # NumPy shuffles and seeds faster than JAX does
                order = rng.permutation(workload.rows).astype(np.int32)
                state = epoch(state, X, y, order, int(rng.integers(2**31)))
            jax.block_until_ready(state)

        return task


def jax_state(workload, rng):
    """Parameters, their two moments, and the number of steps."""
    import jax
    from jax import numpy as jnp

    sizes = workload.layer_sizes
    params = []
    for n_in, n_out in pairwise(sizes):
        limit = np.sqrt(6 / (n_in + n_out))
        W = rng.uniform(-limit, limit, (n_in, n_out))
        params.append((jnp.asarray(W, jnp.float32), jnp.zeros(n_out, jnp.float32)))
    zeros = partial(jax.tree.map, jnp.zeros_like)
    return params, zeros(params), zeros(params), jnp.zeros((), jnp.float32)


def jax_epoch(workload):
    """The epoch as a pure function, with a last batch of the rows that are left."""
    import jax
    from jax import numpy as jnp

    activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[workload.activation]
    rate = workload.dropout

    def loss(params, X, y, key):
        for W, b in params[:-1]:
            X = activation(X @ W + b)
            if rate:
                key, own = jax.random.split(key)
                X = jnp.where(
                    jax.random.bernoulli(own, 1 - rate, X.shape), X / (1 - rate), 0
                )
        W, b = params[-1]
        f = X @ W + b
        if workload.outputs > 1:
            chosen = jnp.take_along_axis(jax.nn.log_softmax(f), y[:, None], axis=1)
            return -chosen.mean()
        f = f[:, 0]
        if workload.classes:
            return (jax.nn.softplus(f) - y * f).mean()
        return ((f - y) ** 2).mean()

    def step(state, X, y, key):
        params, first, second, t = state
        gradient = jax.grad(loss)(params, X, y, key)
        t = t + 1
        first = jax.tree.map(
            lambda m, g: BETA_1 * m + (1 - BETA_1) * g, first, gradient
        )
        second = jax.tree.map(
            lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, second, gradient
        )
        scale = RATE * jnp.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        params = jax.tree.map(
            lambda p, m, v: p - scale * m / (jnp.sqrt(v) + EPSILON),
            params,
            first,
            second,
        )
        return params, first, second, t

    batches, left = divmod(workload.rows, workload.batch)

    def epoch(state, X, y, order, seed):
        keys = jax.random.split(jax.random.key(seed), batches + 1)
        whole = order[: batches * workload.batch].reshape(batches, workload.batch)

        def body(state, batch):
            rows, key = batch
            return step(state, X[rows], y[rows], key), None

        state, _ = jax.lax.scan(body, state, (whole, keys[:-1]))
        if left:
            rows = order[-left:]
            state = step(state, X[rows], y[rows], keys[-1])
        return state

    return epoch


class ONNXRuntime(Peer):
    """Prediction with the weights written into an ONNX model."""

    name = "onnxruntime"
    modules = ("onnx", "onnxruntime")
    tasks = (PREDICT, ONE_ROW)

    def prediction(self, workload, model):
        """`run` of a session, and for one row the class."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            onnx_model(model).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        classes = model.classes_

        def predict_proba(X):
            return session.run(None, {"X": X})[0]

        def predict(X):
            return classes[predict_proba(X).argmax(axis=1)]

        return predict if workload.task == ONE_ROW else predict_proba


def onnx_model(model):
    """Gemm and Relu for each layer, Softmax at the end."""
    from onnx import TensorProto, checker, helper, numpy_helper

    assert model.activation == "relu"
    assert model.out_activation_ == "softmax"
    nodes, constants, name = [], [], "X"
    for l, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        last = l == len(model.coefs_) - 1
        constants += [
            numpy_helper.from_array(np.ascontiguousarray(W), f"W{l}"),
            numpy_helper.from_array(np.ascontiguousarray(b), f"b{l}"),
        ]
        activation, axis = ("Softmax", {"axis": 1}) if last else ("Relu", {})
        nodes += [
            helper.make_node("Gemm", [name, f"W{l}", f"b{l}"], [f"f{l}"]),
            helper.make_node(activation, [f"f{l}"], [f"h{l}"], **axis),
        ]
        name = f"h{l}"

    def shape(name, width):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])

    graph = helper.make_graph(
        nodes,
        "network",
        [shape("X", model.n_features_in_)],
        [shape(name, model.n_outputs_)],
        constants,
    )
    # a version of ONNX of 2021, which every runtime of today reads
    made = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)]
    )
    checker.check_model(made)
    return made


PEERS = {
    peer.name: peer
    for peer in (Skreg, ScikitLearn, Validation, PyTorch, JAX, ONNXRuntime)
}
