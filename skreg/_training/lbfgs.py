"""Full-batch training by SciPy's L-BFGS-B."""

import numpy as np
from scipy.optimize import Bounds, minimize

from skreg._kernels import engine
from skreg._network.standardized import StandardizedInputs
from skreg._problem import cores
from skreg._problem.blas import one_blas_thread
from skreg._training.stochastic import EpochPrinter, ValidationLoss

# The status of scipy.optimize.minimize after a callback has raised StopIteration.
STOPPED_BY_CALLBACK = 99

# Units in the last place of the loss. Where no more than this is to be gained, the
# rounding of the loss has been met.
ROUNDING = 10

# Where the line search finds nothing more, a gradient within so many times tol is what
# the rounding of sums leaves, and no failure.
CLOSE = 10.0

# Share of the loss that rounding the weights of X as it is may add to it.
LOST = 0.01

# A stronger l1 penalty is taken for this one, whose product with a weight is finite.
LARGEST_L1 = 1e100


class Point:
    """Where F was evaluated last.

    Attributes
    ----------
    x : ndarray
        (p or v, q): the variables.
    value : float
        F.
    gradient : ndarray
        By the variables.
    projected : ndarray
        Likewise, cut where a bound is nearer than it is long.
    norm : float
        What `tol` bounds: the largest element of the projected gradient by the
        variables, in units in which the loss has curvature 1, or by the weights
        themselves.
    """

    def __init__(self, x, value, gradient, by_weights, factor, lower, curvature):
        self.x = x.copy()
        self.value = value
        self.gradient = gradient
        room = x - lower
        self.projected = np.minimum(gradient, room)
        by_weights = np.minimum(by_weights, room * factor)
        self.norm = float(
            max(
                np.abs(self.projected).max(initial=0) / curvature**0.5,
                np.abs(by_weights).max(initial=0),
            )
        )


class LBFGSTraining:
    """Full-batch training by SciPy's L-BFGS-B.

    Its variables are those of a network that reads standardized inputs, see
    `StandardizedInputs`.

    The L1 penalty is smooth where signs are fixed, so each penalised weight is split
    as w = p - q with p, q >= 0 and |w| = p + q. At the optimum one of the two stands
    at its bound, and where both do the weight is exactly zero.

    Parameters
    ----------
    problem : Problem
    tol, max_fun, verbose
        As in the estimators.
    fresh : bool, default=False
        Whether the weights are initial ones.
    loops : Engine or None
        As in `StochasticTraining`.
    """

    # How far training had come, in words, where Ctrl-C ended it.
    interrupted = None
    # What there is to say against the way that training ended, for a warning.
    complaint = None

    def __init__(self, problem, *, tol, max_fun, verbose, fresh=False, loops=None):
        self.problem = problem
        self.tol = tol
        self.max_fun = max_fun
        self.verbose = verbose
        network = problem.network
        # batch normalization needs all rows at once
        rows = len(problem.data)
        if network.statistics is None:
            rows = min(engine.CHUNK_ROWS, rows)
        self.threads = cores.wanted(network.operations(rows, training=True))
        self.engine = loops or network.engine(
            problem.settings, capacity=rows, threads=self.threads
        )
        self.gradient = np.empty_like(network.params)
        self.fresh = fresh
        self.point = None

    def _set_up(self):
        """The variables. Means and spreads take a look at all of X."""
        problem, network = self.problem, self.problem.network
        self.trained = slice(None)
        self.pull = 0.0
        fine_tuning = problem.fine_tuning
        if fine_tuning is not None:
            self.trained = np.flatnonzero(fine_tuning.mask(network))
            self.pull = fine_tuning.options.l2_sp
        self.strength_l2 = network.per_parameter(problem.settings.l2)
        self.inputs = StandardizedInputs(
            network,
            problem.moments,
            self.strength_l2 + self.pull,
            # all rows at once would be a centred copy of X; and what the network
            # scales itself is near zero
            centres=network.statistics is None and network.scaling is None,
        )
        self.start = network.params.astype(np.float64)
        if self.fresh:
            self.start = self.inputs.shrunk(self.start)
        self.variables = self.inputs.variables(self.start)
        if self.pull:
            self.pulled_to = fine_tuning.start.astype(np.float64)
        self.factor = self.inputs.factor[self.trained]
        self.strength_l1 = network.per_parameter(problem.settings.l1)[self.trained]
        self.split = np.flatnonzero(self.strength_l1)
        # one beyond any number keeps its weight at zero like any other large one
        strength = np.minimum(self.strength_l1, LARGEST_L1)
        self.strength_l1 = (strength * self.factor)[self.split]
        # of (p or v, q)
        self.factors = np.concatenate([self.factor, self.factor[self.split]])
        self.lower = np.full(self.factors.size, -np.inf)
        self.lower[self.split] = 0.0
        self.lower[self.factor.size :] = 0.0

    def _start(self):
        """(p or v, q) for the current weights."""
        v = self.variables[self.trained].copy()
        q = np.maximum(-v[self.split], 0.0)
        v[self.split] = np.maximum(v[self.split], 0.0)
        return np.concatenate([v, q])

    def _weights(self, x):
        """All parameters in float64 for (p or v, q); behind the inputs' weights, c."""
        v = x[: self.factor.size].copy()
        v[self.split] -= x[self.factor.size :]
        variables = self.variables.copy()
        variables[self.trained] = v
        return self.inputs.weights(variables)

    def _set_weights(self, x):
        network = self.problem.network
        params = self._weights(x)
        self.inputs.set_biases(params, as_read=False)
        # what is not trained is as it was, bit for bit; what is beyond the dtype is
        # infinite, and looked for after the training
        with np.errstate(over="ignore"):
            network.params[self.trained] = params[self.trained]
        if network.statistics is not None:
            self.engine.gather_statistics(
                network.params, self.problem.data, network.statistics
            )
        network.changed()

    def evaluate(self, x):
        """F and its gradient by (p or v, q), as a `Point`."""
        network, inputs = self.problem.network, self.inputs
        params = self._weights(x)
        read = params.copy()
        inputs.set_biases(read, as_read=True)
        with np.errstate(over="ignore"), cores.borrowed(self.threads) as threads:
            loss = self.engine.loss_and_gradient(
                read.astype(network.dtype),
                self.problem.data,
                self.gradient,
                centre=inputs.centre,
                statistics=network.statistics,
                threads=threads,
            )
        gradient = self.gradient.astype(np.float64)
        inputs.by_centre(gradient)
        gradient += self.strength_l2 * params
        value = loss + 0.5 * np.dot(self.strength_l2, params * params)
        if self.pull:
            inputs.set_biases(params, as_read=False)
            moved = np.zeros_like(params)
            moved[self.trained] = (params - self.pulled_to)[self.trained]
            gradient += self.pull * moved
            inputs.through_biases(gradient, self.pull * moved)
            value += self.pull / 2 * np.dot(moved, moved)
        value += np.dot(self.strength_l1, x[self.split] + x[self.factor.size :])
        by_weights = gradient.copy()
        inputs.by_bias(by_weights)
        return Point(
            x,
            value,
            self._by_halves(gradient[self.trained] * self.factor, self.strength_l1),
            self._by_halves(
                by_weights[self.trained], self.strength_l1 / self.factor[self.split]
            ),
            self.factors,
            self.lower,
            network.loss.curvature,
        )

    def _by_halves(self, gradient, strength_l1):
        """The gradient by (p or v, q), from the smooth part's by v."""
        by_q = strength_l1 - gradient[self.split]
        gradient[self.split] += strength_l1
        return np.concatenate([gradient, by_q])

    def objective(self, x):
        """F and its gradient by (p or v, q); kept as `point`."""
        if self.point is None or not np.array_equal(self.point.x, x):
            self.point = self.evaluate(x)
        return self.point.value, self.point.gradient

    def run(self, history, callbacks, *, max_iter):
        """Minimise; see `StochasticTraining.run`."""
        network = self.problem.network
        printer = EpochPrinter(False) if self.verbose else None
        task = None
        asked_to_stop = False

        def objective(x):
            # an iteration begins with its first evaluation
            nonlocal task
            if task is None:
                task = callbacks.epoch_begins()
            return self.objective(x)

        def iteration_done(intermediate_result):
            nonlocal task, asked_to_stop
            self.objective(intermediate_result.x)
            self._set_weights(intermediate_result.x)
            loss = float(intermediate_result.fun)
            history.add(loss, None, np.nan, len(self.problem.data))
            if printer is not None:
                printer.line(
                    history.n_iter, history.loss, None, np.nan, network.zero_share()
                )
            asked_to_stop = callbacks.epoch_ends(task)
            if asked_to_stop or self.point.norm <= self.tol:
                raise StopIteration
            task = None

        try:
            with one_blas_thread():
                self._set_up()
                self.objective(self._start())
                end = self._minimise(objective, iteration_done, history, max_iter)
        except KeyboardInterrupt:
            self.interrupted = f"{history.n_iter} iterations"
            return
        if not np.isfinite(self.point.value):
            self._complain(
                "Training diverged: the loss is not finite. The last finite weights "
                "are kept. Scale the features, for example with StandardScaler, or "
                "raise l2."
            )
            return
        self._set_weights(self.point.x)
        history.loss = float(self.point.value)
        if end is not None and not asked_to_stop:
            self._complain(
                f"lbfgs has not converged after {history.n_iter} iterations: the "
                f"gradient's largest element is {self.point.norm:.2g}, above "
                f"tol={self.tol:g}, for {end}."
            )
        self._look_at_rounding()

    def _minimise(self, objective, iteration_done, history, max_iter):
        """Run L-BFGS-B from the point, and again where it gave up too early.

        A step that a bound cuts short, or curvatures that are of the past, may end a
        run far from the optimum; without its memory it goes on.

        Returns
        -------
        cause : str or None
            Why it ended above `tol`, if that is a failure.
        """
        dtype = self.problem.network.dtype
        # at a minimum with kinks the gradient is not small; what is left is the gain
        has_kinks = self.problem.network.loss.has_kinks
        eps = np.finfo(dtype).eps
        evaluations = 0
        while not self.point.norm <= self.tol:
            before = self.point.value
            result = minimize(
                objective,
                self.point.x,
                method="L-BFGS-B",
                jac=True,
                bounds=Bounds(self.lower, np.inf) if self.split.size else None,
                callback=iteration_done,
                options={
                    "maxiter": max_iter - history.n_iter,
                    "maxfun": self.max_fun - evaluations,
                    # `iteration_done` looks at the gradient
                    "gtol": 0.0,
                    # a gain of one unit in the last place is noise
                    "ftol": max(self.tol**2, eps)
                    if has_kinks
                    else eps * min(abs(before), 1),
                },
            )
            evaluations += result.nfev
            self.objective(result.x)
            if self.point.norm <= self.tol or not np.isfinite(self.point.value):
                break
            if history.n_iter >= max_iter or evaluations >= self.max_fun:
                return (
                    f"max_iter={max_iter} or max_fun={self.max_fun} stopped it. Raise "
                    "them, or tol"
                )
            noise = eps * min(abs(before), 1)
            left = self._left_to_gain(result)
            if has_kinks or result.status == STOPPED_BY_CALLBACK or left <= noise:
                break
            if before - self.point.value <= noise:
                rounding = ROUNDING * eps * max(abs(before), 1)
                if left <= rounding or self.point.norm <= CLOSE * self.tol:
                    break
                if dtype == np.float32:
                    return "float32 rounds what is left to gain. Use dtype='float64'"
                return (
                    "its line search finds no lower loss. Raise l2, which tells "
                    "features apart that go together, or tol"
                )
        return None

    def _complain(self, text):
        """Add to what a warning says when the fit is done."""
        self.complaint = text if self.complaint is None else f"{self.complaint} {text}"

    def _left_to_gain(self, result):
        """What is left to gain, about.

        That is the gain of a step to the minimum of quadratic models of F: one of the
        loss's curvature along each variable, one of the curvatures that L-BFGS saw.
        """
        # beyond all numbers it is infinite, which is not little
        with np.errstate(over="ignore", invalid="ignore"):
            projected = self.point.projected
            curvature = self.problem.network.loss.curvature
            gain = 0.5 * np.dot(projected, projected) / curvature
            if result.hess_inv.n_corrs:
                seen = np.dot(projected, result.hess_inv.matvec(projected))
                gain = max(gain, 0.5 * seen)
            return gain

    def _look_at_rounding(self):
        """Say what the network loses because it reads X as it is, not centred."""
        problem = self.problem
        if self.inputs.centre is None:
            return
        loss = problem.penalty() - ValidationLoss(problem.network, problem.data).score()
        lost = loss - self.point.value
        unit = np.finfo(problem.network.dtype).eps * max(abs(self.point.value), 1)
        if lost <= LOST * abs(loss) + ROUNDING * unit:
            return
        distance = np.abs(self.inputs.centre) / np.where(
            self.inputs.spread > 0, self.inputs.spread, np.inf
        )
        j = int(np.argmax(distance))
        self._complain(
            f"The fitted network has a loss of {loss:.3g}, where lbfgs found "
            f"{self.point.value:.3g}: {problem.network.dtype} rounds its sums, for "
            f"feature {j} lies {distance[j]:.2g} standard deviations from zero. "
            "Subtract its mean, for example with StandardScaler, or use "
            "dtype='float64'."
        )
