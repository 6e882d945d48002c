"""What must hold after every call of a case.

The post-condition of every fit: it returns finite predictions on its own training rows,
or it raises a clear error or warns, and keeps what is finite. Beside it: what the
caller owns does not change, warnings are skreg's own, errors are of the kinds that the
documentation names, and the bits depend neither on the run nor on the threads.
"""

import copy
import hashlib
import json
import pickle
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import skreg
from skreg import adversarial, augmentation, averaging
from skreg._problem import cores
from skreg.adversarial import adversarial_examples

from .data import arrays
from .generator import BROKEN

ESTIMATORS = {
    "classifier": skreg.RegularizedMLPClassifier,
    "regressor": skreg.RegularizedMLPRegressor,
    "classifierCV": skreg.RegularizedMLPClassifierCV,
    "regressorCV": skreg.RegularizedMLPRegressorCV,
}
METHODS = ["head", "bias", "lora", "adapter", "full"]
# Calls that may be refused for what the estimator is.
REFUSED = (ValueError, TypeError, AttributeError, NotFittedError)
HERE = Path(__file__).resolve()
SKREG = str(Path(skreg.__file__).parent)


class Fault(Exception):
    """Something that must not be; `kind` says what in a word or two, for grouping."""

    def __init__(self, kind, details=""):
        super().__init__(f"{kind}: {details}")
        self.kind = kind


def made(value):
    """A parameter from its plain form."""
    if isinstance(value, list):
        return [made(part) for part in value]
    if not isinstance(value, dict):
        return value
    settings = {
        name: tuple(given) if isinstance(given, list) else given
        for name, given in value.items()
        if name != "object"
    }
    for module in (augmentation, adversarial, averaging):
        if hasattr(module, value["object"]):
            return getattr(module, value["object"])(**settings)
    raise KeyError(value["object"])


def estimator_of(case):
    params = {name: made(value) for name, value in case["params"].items()}
    if case["estimator"].endswith("CV"):
        params |= {"cv": 2, "alphas": 3, "param": "l2"}
    return ESTIMATORS[case["estimator"]](**params)


def fingerprint(array):
    """The bytes of what a caller owns; None for None."""
    if sparse.issparse(array):
        kept = [
            getattr(array, name, None)
            for name in ("data", "indices", "indptr", "row", "col")
        ]
        return [fingerprint(part) for part in kept]
    if array is None or isinstance(array, list):
        return repr(array)
    return hashlib.sha1(np.ascontiguousarray(array).tobytes()).hexdigest()


@contextmanager
def threads(number):
    """Every call takes so many threads, however small it is."""
    kept = cores.OPERATIONS_PER_THREAD, cores.limit
    cores.OPERATIONS_PER_THREAD, cores.limit = 1.0, lambda: number
    try:
        yield
    finally:
        cores.OPERATIONS_PER_THREAD, cores.limit = kept


def place(error):
    """Where an error came from: the last line of skreg, and whether it is its own."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(SKREG)]
    # kernels have no absolute names
    last = frames[-1].filename
    raised_in = last.replace("\\", "/").rsplit("site-packages/", 1)[-1].split("/")[0]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "outside"
    return where, raised_in


def check_error(call, error, case):
    """Faults unless a user can make something of it."""
    where, raised_in = place(error)
    name = type(error).__name__
    if isinstance(error, NotFittedError):
        return
    if not isinstance(error, (ValueError, TypeError)) and not (
        isinstance(error, AttributeError) and call in ("partial_fit", "fine_tune")
    ):
        raise Fault(f"{name} in {where}", f"by {call}: {error}") from error
    if raised_in in ("numpy", "scipy", "joblib"):
        raise Fault(f"{name} of {raised_in} in {where}", f"by {call}: {error}")
    if not str(error).strip():
        raise Fault(f"{name} without words in {where}", call)


@contextmanager
def warnings_seen():
    """A list of the warnings, each with the function of skreg that it came from."""
    seen = []

    def note(message, category, filename, lineno, file=None, line=None):
        ours = [
            frame
            for frame in traceback.extract_stack()
            if frame.filename.startswith(SKREG)
        ]
        where = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "outside"
        seen.append((category, where, str(message)))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield seen


def check_warnings(call, seen):
    """Faults unless they are of a category that skreg warns by."""
    for category, where, message in seen:
        if not issubclass(category, (ConvergenceWarning, UserWarning)):
            raise Fault(f"{category.__name__} in {where}", f"by {call}: {message}")


def check_predictions(call, estimator, X, n, trained):
    """As many as rows, and finite numbers for those that were trained on."""
    outputs = [estimator.predict(X)]
    if hasattr(estimator, "predict_proba"):
        proba = estimator.predict_proba(X)
        parts = proba if isinstance(proba, list) else [proba]
        outputs += parts
        if any(part.min() < 0 or part.max() > 1 + 1e-6 for part in parts):
            raise Fault("probabilities outside [0, 1]", call)
    for output in outputs:
        if len(output) != n:
            raise Fault("predictions for another number of rows", call)
        if output.dtype.kind == "f" and not np.isfinite(output[trained]).all():
            raise Fault("predictions that are not finite", f"after {call}")
    figures = [loss for network in networks(estimator) for loss in network.loss_curve_]
    if not np.isfinite(figures).all():
        raise Fault("losses that are not finite", f"after {call}")
    for array in (
        array
        for network in networks(estimator)
        for array in [*network.coefs_, *network.intercepts_]
    ):
        numbers = array.data if sparse.issparse(array) else array
        if not np.isfinite(numbers).all():
            raise Fault("weights that are not finite", f"after {call}")
    return outputs


def make_call(name, estimator, X, y, weights, case, step):
    """One call; returns the estimator to go on with."""
    n = case["data"]["n"]
    given = {} if weights is None else {"sample_weight": weights}
    if name in ("fit", "warm_fit"):
        if name == "warm_fit":
            estimator.set_params(warm_start=True)
        validates = case["data"]["validation"] and case["params"].get("early_stopping")
        if validates:
            given |= {"X_val": X, "y_val": y}
        if case["estimator"].endswith("CV") and validates:
            given = {}
        return estimator.fit(X, y, **given)
    if name == "partial_fit":
        if case["estimator"].startswith("classifier"):
            given["classes"] = np.unique(y) if np.ndim(y) == 1 else None
        return estimator.partial_fit(X, y, **given)
    if name == "unit":
        # rows in another unit, which the network goes on with
        other = y if case["estimator"].startswith("classifier") else np.asarray(y) * 1e3
        estimator.set_params(warm_start=True)
        return estimator.fit(X, other, **given)
    if name == "fine_tune":
        return estimator.fine_tune(X, y, **given, method=METHODS[step % 5], rank=2**40)
    if name == "prune":
        return estimator.prune()
    if name in ("sparsify_weights", "densify"):
        return getattr(estimator, name)()
    if name == "pickle":
        return pickle.loads(pickle.dumps(estimator))
    if name == "copy":
        return copy.deepcopy(estimator)
    if name == "clone":
        return clone(estimator).fit(X, y, **given)
    if name == "edit":
        check_edit(estimator, X, n)
        return estimator
    if name == "input_gradient":
        estimator.input_gradient(X, y)
        return estimator
    if name == "attack":
        adversarial_examples(estimator, X, y, 0.1)
        return estimator
    raise KeyError(name)


def raw_predictions(estimator, X):
    return np.asarray(
        estimator.predict_proba(X)
        if hasattr(estimator, "predict_proba")
        else estimator.predict(X)
    )


def networks(estimator):
    """The members, or the estimator itself."""
    return getattr(estimator, "members_", [estimator])


def check_edit(estimator, X, n):
    """Weights that are set in place are those that predict."""
    raw_predictions(estimator, X)
    network = networks(estimator)[-1]
    first = network.coefs_[0]
    if sparse.issparse(first):
        network.coefs_[0] = first * first.dtype.type(0.5)
    else:
        first *= 0.5
    network.intercepts_[-1] = network.intercepts_[-1] + first.dtype.type(0.25)
    edited = raw_predictions(estimator, X)
    other = raw_predictions(pickle.loads(pickle.dumps(estimator)), X)
    if not np.array_equal(edited, other, equal_nan=True):
        raise Fault("edited weights are not seen", type(first).__name__)


def run(case):
    """All calls of a case; returns what was predicted after each.

    Raises
    ------
    Fault
        If something does not hold.
    """
    X, y, weights = arrays(case["data"])
    owned = [fingerprint(part) for part in (X, y, weights)]
    trained = slice(None) if weights is None else np.asarray(weights) > 0
    broken = case["data"]["layout"] in BROKEN
    seen = []
    try:
        estimator = estimator_of(case)
    except Exception as error:
        raise Fault("a constructor raises", str(error)) from error
    for step, name in enumerate(case["calls"]):
        with warnings_seen() as caught:
            error = None
            try:
                estimator = make_call(name, estimator, X, y, weights, case, step)
            except Fault:
                raise
            except Exception as caught_error:
                error = caught_error
        check_warnings(name, caught)
        if [fingerprint(part) for part in (X, y, weights)] != owned:
            raise Fault("a changed input", f"by {name}")
        if error is not None:
            check_error(name, error, case)
            seen.append(type(error).__name__)
            if not hasattr(networks(estimator)[0], "_network"):
                break
            if not hasattr(estimator, "n_iter_"):
                raise Fault("half fitted after an error", f"{name}: {error}")
        elif broken and name in ("fit", "partial_fit", "clone", "warm_fit"):
            raise Fault("broken CSR is accepted", case["data"]["layout"])
        if broken:
            continue
        with warnings_seen() as caught:
            try:
                seen += check_predictions(
                    name, estimator, X, case["data"]["n"], trained
                )
            except Fault:
                raise
            except Exception as error:
                where, _ = place(error)
                raise Fault(
                    f"predict raises {type(error).__name__} in {where}",
                    f"after {name}: {error}",
                ) from error
        check_warnings("predict", caught)
        seen.append(list(getattr(estimator, "loss_curve_", [])))
    return seen


def same(first, second):
    return len(first) == len(second) and all(
        a == b if isinstance(a, str) else np.array_equal(a, b, equal_nan=False)
        for a, b in zip(first, second, strict=True)
    )


def check(case, *, repeat=False):
    """Check a case; with `repeat` also that two threads give the same bits."""
    with threads(1):
        seen = run(case)
    if repeat:
        with threads(2):
            again = run(case)
        if not same(seen, again):
            raise Fault("other bits", "with two threads, or in a second run")


def fault_of(case, **settings):
    """The Fault of a case, or None."""
    try:
        check(case, **settings)
    except Fault as fault:
        return fault
    return None


def smaller(case):
    """Cases that lack something of this one."""
    for position in range(len(case["calls"]) - 1, -1, -1):
        if len(case["calls"]) > 1:
            calls = case["calls"][:position] + case["calls"][position + 1 :]
            yield case | {"calls": calls}
    for name in case["params"]:
        if name != "random_state":
            params = {k: v for k, v in case["params"].items() if k != name}
            yield case | {"params": params}
    plain = {
        "weights": "none", "layout": "C", "dtype": "float64", "values": "normal",
        "scale": 1.0, "target_scale": 1.0, "validation": False, "n": 3, "p": 2,
    }  # fmt: skip
    for name, value in plain.items():
        if case["data"][name] != value:
            yield case | {"data": case["data"] | {name: value}}


def reduced(case, kind, *, tries=60, **settings):
    """The smallest case found that has the same kind of fault."""
    progress = True
    while progress and tries > 0:
        progress = False
        for candidate in smaller(case):
            tries -= 1
            fault = fault_of(candidate, **settings)
            if fault is not None and fault.kind == kind:
                case, progress = candidate, True
                break
            if tries <= 0:
                break
    return case


def corpus():
    """The cases that found faults once: list of (name, case)."""
    lines = (HERE.parent / "corpus.jsonl").read_text().splitlines()
    return [(entry["found"], entry["case"]) for entry in map(json.loads, lines)]
