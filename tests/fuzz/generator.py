"""Random cases, as plain data: parameters, data, and the calls that are made.

A case is a dict that JSON can hold. So it can be printed, kept in the corpus and made
smaller, and means the same after this file has changed.
"""

import numpy as np

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.automatic import plain_settings
from skreg._problem.losses import REGRESSION_LOSSES
from skreg._problem.schedules import SCHEDULES

DENSE = ["C", "F", "strided", "reversed", "readonly", "unaligned", "big-endian", "list"]
SPARSE = ["csr", "csr64", "csr-unsorted", "csr-duplicates", "csr-zeros", "csc", "coo"]
# What no call may read.
BROKEN = [
    "csr-column-beyond",
    "csr-column-negative",
    "csr-column-wraps",
    "csr-pointers-down",
    "csr-pointers-beyond",
    "csr-pointers-negative",
]

CALLS = [
    "fit",
    "partial_fit",
    "warm_fit",
    "fine_tune",
    "prune",
    "sparsify_weights",
    "densify",
    "pickle",
    "copy",
    "clone",
    "edit",
    "input_gradient",
    "attack",
    "unit",
]


def random_case(seed):
    """The case with this number."""
    rng = np.random.default_rng([11, seed])
    classifier = bool(rng.random() < 0.45)
    data = random_data(rng, classifier)
    params = random_params(rng, classifier, data)
    calls = ["fit" if rng.random() < 0.85 else "partial_fit"]
    calls += [str(name) for name in rng.choice(CALLS, rng.integers(0, 4))]
    if params.get("solver") == "lbfgs" and calls[0] == "partial_fit":
        calls[0] = "fit"
    cv = bool(rng.random() < 0.04)
    if cv:
        params.pop("n_members", None)
    return {
        "estimator": ("classifier" if classifier else "regressor") + "CV" * cv,
        "params": params,
        "data": data,
        "calls": calls[:1] if cv else calls,
    }


def pick(rng, values, share=None):
    """One of the values; with `share`, the first one that often."""
    if share is not None and rng.random() < share:
        return values[0]
    value = values[rng.integers(len(values))]
    return value.item() if isinstance(value, np.generic) else value


def random_data(rng, classifier):
    """What X, y and weights are like, for `data.arrays`."""
    n = int(pick(rng, [40, 1, 2, 3, 7, 15, 60, 300], 0.4))
    p = int(pick(rng, [4, 1, 2, 6, 9, 33], 0.5))
    layout = pick(rng, DENSE, 0.4)
    if rng.random() < 0.25:
        layout = pick(rng, SPARSE, 0.5)
    if rng.random() < 0.03:
        layout = pick(rng, BROKEN)
    if classifier:
        target = pick(
            rng,
            ["binary", "three", "multilabel", "text", "rare", "one-class", "bool"],
            0.4,
        )
    else:
        target = pick(
            rng,
            [
                "linear",
                "noise",
                "constant",
                "counts",
                "positive",
                "two-outputs",
                "column",
                "list",
                "zeros",
            ],
            0.4,
        )
    return {
        "n": n,
        "p": p,
        "seed": int(rng.integers(2**31)),
        "values": pick(
            rng,
            [
                "normal",
                "far",
                "constant",
                "binary",
                "counts",
                "heavy",
                "zeros",
                "scales",
                "repeated",
            ],
            0.5,
        ),
        "scale": pick(rng, [1.0, 1e-30, 1e-6, 1e3, 1e10, 1e18, 1e30, 1e38, 1e150], 0.8),
        "dtype": pick(
            rng, ["float64", "float32", "float16", "int64", "uint8", "bool"], 0.6
        ),
        "layout": layout,
        "target": target,
        "target_scale": 1.0
        if classifier
        else pick(
            rng, [1.0, 1e-310, 1e-170, 1e-20, 1e5, 1e20, 1e38, 1e155, 1e300], 0.75
        ),
        "weights": pick(
            rng,
            [
                "none",
                "uniform",
                "some-zero",
                "one-left",
                "tiny",
                "huge",
                "counts",
                "class-zero",
                "largest",
            ],
            0.7,
        ),
        "validation": bool(rng.random() < 0.3),
    }


def some(rng, share):
    return rng.random() < share


def random_params(rng, classifier, data):
    """Parameters of the estimator; objects as {"object": name, ...}."""
    widths = [int(w) for w in rng.integers(1, 18, rng.integers(0, 4))]
    if some(rng, 0.3) and widths:
        widths = [widths[0]] * len(widths)
    params = {
        "hidden_layer_sizes": widths,
        "random_state": int(rng.integers(100)),
        "max_iter": int(pick(rng, [3, 1, 2, 8, 20])),
        "solver": pick(rng, ["adam", "sgd", "lbfgs"]),
    }

    def maybe(name, values, share=0.15):
        if some(rng, share):
            params[name] = pick(rng, values)

    rates = [1e-300, 1e-8, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e10, 1e38, 1e300]
    strengths = [1e-300, 1e-6, 1e-3, 0.1, 10.0, 1e6, 1e38, 1e300]
    maybe("activation", sorted(ACTIVATIONS), 0.6)
    maybe("dtype", ["float64", "float32"], 0.4)
    maybe("batch_size", [1, 2, 3, 7, 32, 2**62, 2**70], 0.5)
    maybe("learning_rate_init", rates, 0.4)
    maybe("learning_rate", sorted(SCHEDULES), 0.3)
    maybe("power_t", [0.0, 0.5, 3.0, 60.0, 1e300], 0.08)
    maybe("warm_up", [1, 0.5, 3, 1e6], 0.08)
    maybe("shuffle", [False, True])
    maybe("tol", [0.0, 1e-10, 0.1, 1e300])
    maybe("l1", [*strengths, "auto"])
    maybe("l2", [0.0, *strengths, "auto"])
    maybe("epsilon", [1e-300, 1e-3, 1e10], 0.06)
    maybe("n_iter_no_change", [1, 2, 10**9], 0.1)
    stochastic = params["solver"] != "lbfgs" or some(rng, 0.03)
    if stochastic:
        maybe("group_l1", strengths, 0.12)
        maybe("weight_decay", strengths)
        maybe("dropout", [0.1, 0.5, 0.99])
        maybe("input_dropout", [0.1, 0.5, 0.99])
        maybe("feature_scaling", [1e-300, 1.0, 6.0, 100.0], 0.15)
        maybe("preprocessing", ["robust"], 0.15)
        maybe("max_norm", [1e-300, 1e-3, 1.0, 1e30])
        maybe("max_grad_norm", [1e-300, 1e-3, 1.0, 1e30])
        maybe(
            "weight_averaging",
            ["ema", "swa", {"object": "ExponentialMovingAverage", "decay": 0.1}],
            0.15,
        )
        maybe(
            "adversarial",
            [
                {"object": "AdversarialTraining"},
                {"object": "AdversarialTraining", "epsilon": 1e30},
                {"object": "AdversarialTraining", "norm": "l2", "n_steps": 3},
            ],
            0.06,
        )
        if some(rng, 0.12):
            params["augmentation"] = random_augmentation(rng, data["p"])
        maybe("early_stopping", [True, False], 0.25)
        maybe("momentum", [0.0, 0.5, 0.999])
        maybe("nesterovs_momentum", [False, True])
        maybe("beta_1", [0.0, 0.5, 0.999999])
        maybe("beta_2", [0.0, 0.5, 0.999999])
    else:
        maybe("max_fun", [1, 5, 2**62], 0.1)
    if params.get("early_stopping"):
        maybe("validation_fraction", [0.01, 0.3, 0.9], 0.4)
        maybe(
            "scoring",
            ["accuracy", "neg_log_loss"]
            if classifier
            else ["r2", "neg_mean_poisson_deviance"],
            0.3,
        )
    if widths:
        maybe("batch_norm", [True, "before", "after"], 0.25)
        maybe("skip", [True], 0.2)
        if params.get("skip"):
            maybe("hierarchy", [0.0, 1e-3, 10.0, 1e300], 0.4)
        maybe("residual", [True], 0.25 if len(set(widths)) < len(widths) else 0.02)
    if classifier:
        maybe("label_smoothing", [0.1, 0.9])
        maybe("class_weight", ["balanced"], 0.15)
    else:
        maybe("loss", list(REGRESSION_LOSSES), 0.5)
        maybe("quantile", [1e-6, 0.9], 0.1)
        maybe("huber_delta", [1e-300, 1e3, 1e300], 0.1)
        maybe("standardize_target", [False, True], 0.3)
    maybe("n_members", [2, 3])
    if some(rng, 0.7):
        # else what is not set is "auto"
        cls = RegularizedMLPClassifier if classifier else RegularizedMLPRegressor
        params = plain_settings(cls) | params
    return params


def random_augmentation(rng, p):
    """One or two objects of `skreg.augmentation`."""
    sides = [(1, p), (p, 1), (2, 2), (3, 3), (2**62 + 1, 4), (2**40, 2**40), (2**64, 1)]
    made = []
    for _ in range(rng.integers(1, 3)):
        name = pick(
            rng,
            [
                "GaussianNoise",
                "FeatureScaling",
                "FeatureMasking",
                "Mixup",
                "CutMix",
                "ImageFlip",
                "ImageShift",
                "ImageScale",
            ],
        )
        settings = {"object": name}
        if name.startswith("Image"):
            settings["shape"] = list(sides[rng.integers(len(sides))])
        if name == "ImageShift":
            settings["pixels"] = int(pick(rng, [0, 1, 2**62, 2**70]))
        if name in ("GaussianNoise", "FeatureScaling"):
            settings["scale"] = pick(rng, [0.1, 1e-300, 1e30, 1e300])
        if name == "Mixup":
            settings["alpha"] = pick(rng, [0.2, 1e-300, 1e-6, 1e6, 1e300])
        made.append(settings)
    return made
