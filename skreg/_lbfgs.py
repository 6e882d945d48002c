"""Full-batch training by SciPy's L-BFGS-B."""

import warnings

import numpy as np
from scipy.optimize import Bounds, minimize
from sklearn.exceptions import ConvergenceWarning

from skreg import _threads
from skreg._blas import one_blas_thread
from skreg._kernels import engine
from skreg._training import INTERRUPTED, EpochPrinter

# The status of scipy.optimize.minimize with L-BFGS-B; others say why it gave up.
CONVERGED, ABNORMAL, STOPPED_BY_CALLBACK = 0, 2, 99

# Units in the last place of the loss. A line search that finds nothing lower where no
# more than this is to be gained has met the rounding of the loss.
ROUNDING = 100


class LBFGSTraining:
    """Full-batch training by SciPy's L-BFGS-B.

    The L1 penalty is smooth where signs are fixed, so each penalised weight is split
    as w = p - q with p, q >= 0 and |w| = p + q. At the optimum one of the two stands
    at its bound, and where both do the weight is exactly zero.

    Parameters
    ----------
    problem : Problem
    tol, max_fun, verbose
        As in the estimators.
    loops : Engine or None
        As in `StochasticTraining`.
    """

    interrupted = False

    def __init__(self, problem, *, tol, max_fun, verbose, loops=None):
        self.problem = problem
        self.tol = tol
        self.max_fun = max_fun
        self.verbose = verbose
        network = problem.network
        # batch normalization needs all rows at once
        rows = len(problem.data)
        if network.statistics is None:
            rows = min(engine.CHUNK_ROWS, rows)
        self.threads = _threads.wanted(network.operations(rows, training=True))
        self.engine = loops or network.engine(
            problem.settings, capacity=rows, threads=self.threads
        )
        self.gradient = np.empty_like(network.params)
        self.start = network.params.astype(np.float64)
        self.trained = slice(None)
        self.pull = 0.0
        fine_tuning = problem.fine_tuning
        if fine_tuning is not None:
            self.trained = np.flatnonzero(fine_tuning.mask(network))
            self.pull = fine_tuning.options.l2_sp
            if self.pull:
                self.pulled_to = fine_tuning.start[self.trained].astype(np.float64)
        self.strength_l1 = self._per_weight(problem.settings.l1)
        self.strength_l2 = self._per_weight(problem.settings.l2)
        self.split = np.flatnonzero(self.strength_l1)

    def _per_weight(self, strengths):
        """Strengths per matrix as one per trained parameter; biases have none."""
        return self.problem.network.per_parameter(strengths)[self.trained]

    def _start(self):
        """(p or w, q) for the current weights."""
        w = self.start[self.trained].copy()
        q = np.maximum(-w[self.split], 0.0)
        w[self.split] = np.maximum(w[self.split], 0.0)
        return np.concatenate([w, q])

    def _weights(self, x):
        """The trained weights that (p or w, q) stand for."""
        n = self.strength_l1.size
        w = x[:n].copy()
        w[self.split] -= x[n:]
        return w

    def _params(self, w):
        """All parameters: those that are not trained are as they were."""
        params = self.start.copy()
        params[self.trained] = w
        return params

    def _set_weights(self, x):
        network = self.problem.network
        network.params[:] = self._params(self._weights(x))
        if network.statistics is not None:
            self.engine.gather_statistics(
                network.params, self.problem.data, network.statistics
            )
        network.changed()

    def objective(self, x):
        """F and its gradient by (p or w, q)."""
        w = self._weights(x)
        n = w.size
        with _threads.borrowed(self.threads) as threads:
            loss = self.engine.loss_and_gradient(
                self._params(w).astype(self.gradient.dtype),
                self.problem.data,
                self.gradient,
                threads=threads,
            )
        gradient = self.gradient[self.trained].astype(np.float64)
        gradient += self.strength_l2 * w
        l1 = self.strength_l1[self.split]
        value = loss + 0.5 * np.dot(self.strength_l2, w * w)
        value += np.dot(l1, x[:n][self.split] + x[n:])
        if self.pull:
            moved = w - self.pulled_to
            gradient += self.pull * moved
            value += self.pull / 2 * np.dot(moved, moved)
        by_q = l1 - gradient[self.split]
        gradient[self.split] += l1
        return value, np.concatenate([gradient, by_q])

    def run(self, history, callbacks, *, max_iter):
        """Minimise; see `StochasticTraining.run`."""
        network = self.problem.network
        printer = EpochPrinter(False) if self.verbose else None
        start = self._start()
        lower = np.full(start.size, -np.inf)
        lower[self.split] = 0.0
        lower[self.strength_l1.size :] = 0.0
        task = None

        def objective(x):
            # an iteration begins with its first evaluation
            nonlocal task
            if task is None:
                task = callbacks.epoch_begins()
            return self.objective(x)

        def iteration_done(intermediate_result):
            nonlocal task
            self._set_weights(intermediate_result.x)
            loss = float(intermediate_result.fun)
            history.add(loss, None, np.nan, len(self.problem.data))
            if printer is not None:
                printer.line(
                    history.n_iter, history.loss, None, np.nan, network.zero_share()
                )
            if callbacks.epoch_ends(task):
                raise StopIteration
            task = None

        try:
            with one_blas_thread():
                result = minimize(
                    objective,
                    start,
                    method="L-BFGS-B",
                    jac=True,
                    bounds=Bounds(lower, np.inf) if self.split.size else None,
                    callback=iteration_done,
                    options={
                        "maxiter": max_iter,
                        "maxfun": self.max_fun,
                        "gtol": self.tol,
                        # near the optimum F - F* goes with the gradient squared; a
                        # gain of a few units in the last place is noise
                        "ftol": max(self.tol**2, 4 * np.finfo(network.dtype).eps),
                        "maxls": 50,
                    },
                )
        except KeyboardInterrupt:
            done = f"{history.n_iter} iterations"
            warnings.warn(INTERRUPTED.format(done=done), UserWarning)
            self.interrupted = True
            return
        if not np.isfinite(result.fun):
            warnings.warn(
                "Training diverged: the loss is not finite. The last finite weights "
                "are kept. Scale the features, for example with StandardScaler, or "
                "raise l2.",
                ConvergenceWarning,
            )
            return
        self._set_weights(result.x)
        history.loss = float(result.fun)
        if result.status == ABNORMAL:
            if not self._met_rounding(result, lower, history):
                warnings.warn(
                    f"lbfgs has not converged: after {result.nit} iterations its line "
                    "search found no lower loss. Scale the features, use "
                    "dtype='float64', or raise tol.",
                    ConvergenceWarning,
                )
        elif result.status not in (CONVERGED, STOPPED_BY_CALLBACK):
            warnings.warn(
                f"lbfgs has not converged after {result.nit} iterations and "
                f"{result.nfev} evaluations (max_iter={max_iter}, "
                f"max_fun={self.max_fun}). Raise them, or scale the features.",
                ConvergenceWarning,
            )

    def _met_rounding(self, result, lower, history):
        """Whether what is to be gained is lost in the rounding of the loss.

        Estimated by the gain of the last iteration, or of a gradient step within the
        bounds where that was the first.
        """
        if history.n_iter >= 2:
            before, last = history.loss_curve[-2:]
            gain = before - last
        else:
            step = np.minimum(result.jac, result.x - lower)
            gain = np.dot(result.jac, step)
        unit = np.finfo(self.problem.network.dtype).eps * max(abs(result.fun), 1)
        return gain <= ROUNDING * unit
