"""The models that are compared on tables, each as it comes: `bench_tables.py`.

All get the same arrays and run on one thread. What is set beside a model's defaults is
the seed, the number of threads, silence, and what a model cannot do without.
"""

from dataclasses import dataclass, field
from importlib import import_module

import numpy as np
from _report import installed


@dataclass(frozen=True)
class Model:
    """A pair of estimators.

    Attributes
    ----------
    name : str
    packages : tuple of str
        Distributions whose versions its results depend on.
    module : str
        Where the estimators are imported from.
    classifier, regressor : str
        Their names there.
    settings : dict
        Of both.
    of_classifier, of_regressor : dict
        Of one of the two.
    seeded : bool
        Whether they draw, and so take random_state.
    """

    name: str
    packages: tuple
    module: str
    classifier: str
    regressor: str
    settings: dict = field(default_factory=dict)
    of_classifier: dict = field(default_factory=dict)
    of_regressor: dict = field(default_factory=dict)
    seeded: bool = True

    @property
    def versions(self):
        """Packages and versions as a text, or None if one is not installed."""
        found = {package: installed(package) for package in self.packages}
        if None in found.values():
            return None
        return ", ".join(f"{package} {version}" for package, version in found.items())

    def make(self, classifier, seed):
        """The estimator, unfitted."""
        kind = getattr(
            import_module(self.module),
            self.classifier if classifier else self.regressor,
        )
        own = self.of_classifier if classifier else self.of_regressor
        seeded = {"random_state": seed} if self.seeded else {}
        return kind(**self.settings, **own, **seeded)


SKREG, BOOSTING = "skreg", "HistGradientBoosting"
PYTABKIT = {"n_threads": 1, "device": "cpu", "verbosity": 0}
LISTED = [
    Model(
        SKREG,
        ("skreg",),
        "skreg",
        "RegularizedMLPClassifier",
        "RegularizedMLPRegressor",
    ),
    Model(
        "scikit-learn's MLP",
        ("scikit-learn",),
        "sklearn.neural_network",
        "MLPClassifier",
        "MLPRegressor",
    ),
    # strengths by cross-validation: of its own range, and of one as wide for Ridge
    Model(
        "linear",
        ("scikit-learn",),
        "sklearn.linear_model",
        "LogisticRegressionCV",
        "RidgeCV",
        of_classifier={
            "max_iter": 1000,
            "scoring": "neg_log_loss",
            # what no default says yet, from scikit-learn 1.8 on
            "l1_ratios": (0.0,),
            "use_legacy_attributes": False,
        },
        of_regressor={"alphas": np.logspace(-2, 4, 13)},
        seeded=False,
    ),
    Model(
        BOOSTING,
        ("scikit-learn",),
        "sklearn.ensemble",
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
    ),
    Model(
        "LightGBM",
        ("lightgbm",),
        "lightgbm",
        "LGBMClassifier",
        "LGBMRegressor",
        settings={"n_jobs": 1, "verbose": -1},
    ),
    Model(
        "RealMLP-TD",
        ("pytabkit", "torch"),
        "pytabkit",
        "RealMLP_TD_Classifier",
        "RealMLP_TD_Regressor",
        settings=PYTABKIT,
    ),
    Model(
        "TabM",
        ("pytabkit", "torch"),
        "pytabkit",
        "TabM_D_Classifier",
        "TabM_D_Regressor",
        settings=PYTABKIT,
    ),
]
MODELS = {model.name: model for model in LISTED}
