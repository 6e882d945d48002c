"""The Lasso by skreg's lbfgs and by scikit-learn's coordinate descent.

Both are stopped at the same objective: each gets the loosest tolerance, of the powers
of ten, with which it comes within `CLOSE` of the least value that either ever reached.
"""

import time
import warnings
from dataclasses import dataclass

import numpy as np
from _plain import RegularizedMLPRegressor
from _report import markdown_table, milliseconds
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import Lasso
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

CLOSE = 1e-6
TOLERANCES = [10.0**-k for k in range(1, 16)]
LIBRARIES = {
    "skreg": lambda alpha, tol: RegularizedMLPRegressor(
        hidden_layer_sizes=(),
        solver="lbfgs",
        l1=alpha,
        l2=0.0,
        standardize_target=False,  # which y is already
        dtype="float64",
        tol=tol,
        max_iter=100_000,
        max_fun=1_000_000,
    ),
    "scikit-learn": lambda alpha, tol: Lasso(alpha, tol=tol, max_iter=100_000),
}


@dataclass
class Problem:
    """Data, and the strength of the penalty."""

    name: str
    X: np.ndarray
    y: np.ndarray
    alpha: float

    def objective(self, model):
        """Half the mean squared error and the penalty."""
        w = model.coefs_[0].ravel() if hasattr(model, "coefs_") else model.coef_
        residual = self.y - model.predict(self.X)
        return float(residual @ residual) / (2 * len(self.y)) + self.alpha * float(
            np.abs(w).sum()
        )

    def fit(self, library, tol):
        """A fitted model and the seconds that it took."""
        model = LIBRARIES[library](self.alpha, tol)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is not at its tolerance
            start = time.perf_counter()
            model.fit(self.X, self.y)
            return model, time.perf_counter() - start


def problems(quick):
    """Small and real; larger and made."""
    X, y = load_diabetes(return_X_y=True)
    yield problem("diabetes", X, y, 0.02)
    rows = 500 if quick else 5000
    X, y = make_regression(rows, rows // 10, n_informative=50, noise=10, random_state=0)
    yield problem("made", X, y, 0.05)


def problem(name, X, y, share):
    """A problem whose alpha is a share of the least that makes all weights zero."""
    X = StandardScaler().fit_transform(X)
    y = (y - y.mean()) / y.std()
    largest = np.abs(X.T @ y).max() / len(y)
    shape = f"{X.shape[0]} x {X.shape[1]}"
    return Problem(f"Lasso, {name}, {shape}", X, y, share * largest)


def measure(repeats, quick):
    """Every repetition as a row of the CSV."""
    rows = []
    with threadpool_limits(1):
        for case in problems(quick):
            found = {
                (library, tol): case.objective(case.fit(library, tol)[0])
                for library in LIBRARIES
                for tol in TOLERANCES
            }
            least = min(found.values())
            chosen = {
                library: max(
                    tol
                    for tol in TOLERANCES
                    if found[library, tol] <= least * (1 + CLOSE)
                )
                for library in LIBRARIES
            }
            for repetition in range(repeats):
                for library, tol in chosen.items():
                    model, seconds = case.fit(library, tol)
                    rows.append(
                        {
                            "workload": case.name,
                            "library": library,
                            "repetition": repetition,
                            "tol": tol,
                            "n_iter": int(np.max(model.n_iter_)),
                            "excess": f"{found[library, tol] / least - 1:.1e}",
                            "seconds": f"{seconds:.4g}",
                        }
                    )
    return rows


def table(rows):
    """The fastest of each in Markdown, with the tolerances."""
    header = ["problem", "skreg float64, ms", "tol", "Lasso, ms", "tol", "ratio"]
    lines = []
    for name in dict.fromkeys(row["workload"] for row in rows):
        best, tol = {}, {}
        for row in rows:
            if row["workload"] == name:
                library, seconds = row["library"], float(row["seconds"])
                best[library] = min(seconds, best.get(library, np.inf))
                tol[library] = row["tol"]
        own, peer = best["skreg"], best["scikit-learn"]
        lines.append(
            [
                name,
                milliseconds(own),
                f"{tol['skreg']:.0e}",
                milliseconds(peer),
                f"{tol['scikit-learn']:.0e}",
                f"{peer / own:.2f}",
            ]
        )
    return markdown_table(header, lines)
