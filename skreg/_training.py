"""Training: the loop over epochs for adam and sgd, and lbfgs.

Python owns epochs here (schedule, early stopping, callbacks, Ctrl-C); the compiled
engine owns all that happens inside one.
"""

import time
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, minimize
from sklearn.exceptions import ConvergenceWarning

from skreg import _threads
from skreg._averaging import Average
from skreg._blas import one_blas_thread
from skreg._hierarchy import iterates_between_epochs
from skreg._kernels import engine

# The status of scipy.optimize.minimize with L-BFGS-B; others say why it gave up.
CONVERGED, ABNORMAL, STOPPED_BY_CALLBACK = 0, 2, 99

# Units in the last place of the loss. A line search that finds nothing lower where no
# more than this is to be gained has met the rounding of the loss.
ROUNDING = 100


@dataclass
class Problem:
    """What is minimised.

    Attributes
    ----------
    network : Network
        Its parameters are trained in place.
    data : Data
        The rows for training.
    settings : Settings
        The penalties, and the rest of what regularizes.
    validation_score : callable or None
        Score of the current weights on the validation part, higher is better; None
        without early stopping.
    validation_loss : ValidationLoss or None
        What `tuner` lowers; kept beside any score.
    tuner : Tuner or None
        Of strengths that are "auto"; it changes the settings.
    transform : TransformedRows or None
        Makes other data of as many rows for each epoch.
    fine_tuning : FineTuning or None
        Which parameters are trained, if not all.
    budgeted : bool
        Whether it is no failure that training ends at max_iter.
    """

    network: object
    data: object
    settings: object
    validation_score: object = None
    validation_loss: object = None
    tuner: object = None
    transform: object = None
    fine_tuning: object = None
    budgeted: bool = False

    def data_of_epoch(self, epoch):
        """The rows to train on."""
        return self.data if self.transform is None else self.transform.data(epoch)

    def loss_on_validation(self, score):
        """The validation loss of the weights now, whose validation score is given."""
        if self.validation_score == self.validation_loss.score:
            return -score
        return -self.validation_loss.score()

    def penalty(self):
        """The penalties of the objective for the weights now."""
        settings = self.settings
        if self.fine_tuning is not None:
            return self.fine_tuning.penalty(self.network, settings)
        return self.network.penalty(
            settings.l1,
            settings.l2,
            settings.group_l1,
            settings.feature_groups,
            settings.hierarchy,
        )


class ValidationLoss:
    """The mean loss on validation data of the weights now; penalties left out.

    Parameters
    ----------
    network : Network
    data : Data
    """

    def __init__(self, network, data):
        self.network = network
        self.data = data
        self.engine = network.engine()

    def score(self):
        """Minus the loss: higher is better."""
        params = self.network.prediction_params
        return -self.engine.loss_and_gradient(params, self.data)

    def gradient(self):
        """Its gradient, (n_parameters,); for a network without norms."""
        gradient = np.empty_like(self.network.params)
        self.engine.loss_and_gradient(self.network.params, self.data, gradient)
        return gradient


class Progress:
    """Whether a figure still improves; the rule of scikit-learn's MLP.

    Parameters
    ----------
    tol : float
        Least gain that counts as progress.
    patience : int
        Epochs without progress that are waited for.
    """

    def __init__(self, tol, patience):
        self.tol = tol
        self.patience = patience
        self.best = -np.inf
        self.waited = 0

    def update(self, score):
        """Take the next score, higher is better; return whether it is the best."""
        self.waited = self.waited + 1 if score < self.best + self.tol else 0
        is_best = score > self.best
        if is_best:
            self.best = score
        return is_best

    @property
    def exhausted(self):
        return self.waited > self.patience


class Checkpoint:
    """A copy of a network's weights to go back to, and of arrays that go with them."""

    def __init__(self, network, *others):
        self.network = network
        self.arrays = [network.params]
        if network.statistics is not None:
            self.arrays.append(network.statistics.values)
        self.arrays += [array for array in others if array is not None]
        self.copies = [array.copy() for array in self.arrays]

    def keep(self):
        """Copy what the arrays hold now."""
        for copy, array in zip(self.copies, self.arrays, strict=True):
            copy[:] = array

    def restore(self):
        """Give the arrays what was kept last."""
        for copy, array in zip(self.copies, self.arrays, strict=True):
            array[:] = copy
        self.network.changed()


class EpochPrinter:
    """One line per epoch for ``verbose``."""

    def __init__(self, validates):
        self.validates = validates
        self.started = time.perf_counter()
        columns = f"{'epoch':>6} {'loss':>12} "
        columns += f"{'validation':>12} " if validates else ""
        print(columns + f"{'rate':>9} {'zeros':>6} {'seconds':>8}", flush=True)

    def line(self, epoch, loss, validation_score, rate, zero_share):
        """Print the figures of one epoch."""
        text = f"{epoch:>6} {loss:>12.6g} "
        text += f"{validation_score:>12.6g} " if self.validates else ""
        seconds = time.perf_counter() - self.started
        print(text + f"{rate:>9.3g} {zero_share:>6.1%} {seconds:>8.2f}", flush=True)


class StochasticTraining:
    """Epochs of adam or sgd on one problem.

    Parameters
    ----------
    problem : Problem
    optimizer : Optimizer
        Its state is carried on.
    schedule : object
        From ``_schedules``.
    loss_progress : Progress
        Of the training loss; carried on too.
    key : tuple of two ints
        Of all random numbers in the kernels.
    batch_size : int
    shuffle, verbose
        As in the estimators.
    max_iter : int
        Epochs of this fit, for what depends on its end.
    loops : Engine or None
        Of an earlier training of the same network by the same settings.
    """

    # How far training had come, in words, where Ctrl-C ended it.
    interrupted = None

    def __init__(
        self,
        problem,
        optimizer,
        schedule,
        loss_progress,
        key,
        *,
        batch_size,
        shuffle,
        verbose,
        max_iter,
        loops=None,
    ):
        self.problem = problem
        self.optimizer = optimizer
        self.schedule = schedule
        self.key = key
        self.batch_size = batch_size
        self.verbose = verbose
        network, settings = problem.network, problem.settings
        self.threads = _threads.wanted(network.operations(batch_size, training=True))
        self.engine = loops or network.engine(
            settings, capacity=batch_size, threads=self.threads
        )
        if problem.tuner is not None:
            problem.tuner.set_strengths(settings)
        self.segments = None
        self.average = None
        if settings.averaging is None:
            # what an earlier fit has averaged is of no use any more
            optimizer.average = None
        else:
            self.average = Average(
                settings.averaging,
                network,
                optimizer,
                self._gather_statistics,
                max_iter=max_iter,
            )
        self.low_rank = None
        if problem.fine_tuning is not None:
            self.low_rank = problem.fine_tuning.low_rank
        self.loss_progress = loss_progress
        self.score_progress = Progress(loss_progress.tol, loss_progress.patience)
        n_rows = len(problem.data)
        self.order = np.empty(n_rows, dtype=np.intp) if shuffle else None
        self.steps_per_epoch = -(-n_rows // batch_size)

    def _gather_statistics(self):
        """Of batch normalization, for the weights as they are."""
        network = self.problem.network
        if network.statistics is not None:
            with _threads.borrowed(self.threads) as threads:
                self.engine.gather_statistics(
                    network.params,
                    self.problem.data,
                    network.statistics,
                    threads=threads,
                )

    def run(self, history, callbacks, *, max_iter, incremental):
        """Train for up to max_iter epochs; with `incremental`, for exactly one.

        Parameters
        ----------
        history : History
            Gets the figures of each epoch.
        callbacks : FitCallbacks

        Returns
        -------
        iterate : tuple or None
            Where training goes on from, if that is not what the network predicts with.
        """
        printer = None
        validates = self.problem.validation_score is not None
        if self.verbose:
            printer = EpochPrinter(validates)
        # Weights to go back to: the best by validation, else those before the epoch.
        low_rank = self.low_rank
        weights = Checkpoint(
            self.problem.network,
            None if validates else self.optimizer.average,
            None if low_rank is None else low_rank.factors,
        )
        try:
            for epoch in range(max_iter):
                # an epoch of partial_fit follows all before; only warm_up heeds it
                if incremental:
                    epoch = history.epochs_ever
                task = callbacks.epoch_begins()
                if not self._epoch(epoch, history, weights, printer):
                    break
                finished = self._finished(history)
                if self._told_to_stop(callbacks, task) or finished or incremental:
                    break
            else:
                self._warn_if_not_converged(max_iter)
        except KeyboardInterrupt:
            self.interrupted = f"{history.n_iter} epochs and part of the next"
            if not np.isfinite(self.problem.network.params).all():
                weights.restore()
                self.optimizer.start_anew()
        iterate = None
        if self.average is not None:
            iterate = self.problem.network.weights()
        if validates and history.n_iter:
            weights.restore()
            if self.problem.tuner is not None:
                self.problem.tuner.restore(self.problem.settings)
        elif self.average is not None:
            self.average.apply()
        return iterate

    def _told_to_stop(self, callbacks, task):
        """Whether a callback says so, which sees what predictions would be made by."""
        if task is None or self.average is None:
            return callbacks.epoch_ends(task)
        with self.average.applied():
            return callbacks.epoch_ends(task)

    def _epoch(self, epoch, history, weights, printer):
        """Train one epoch; return False if it diverged, with the weights restored."""
        problem = self.problem
        params = problem.network.params
        validates = problem.validation_score is not None
        if not validates:
            weights.keep()
        data = problem.data_of_epoch(history.epochs_ever)
        rates = self.schedule.rates(epoch, self.steps_per_epoch, history.t)
        self._regularize(epoch)
        with (
            iterates_between_epochs(problem.network, self.optimizer, problem.settings),
            _threads.borrowed(self.threads) as threads,
        ):
            loss = self.engine.run_epoch(
                params,
                data,
                optimizer=self.optimizer,
                segments=self.segments,
                key=(self.key[0], (self.key[1] + self.optimizer.starts) % 2**32),
                epoch=history.epochs_ever,
                order=self.order,
                learning_rates=rates,
                batch_size=self.batch_size,
                statistics=problem.network.statistics,
                low_rank=self.low_rank,
                threads=threads,
            )
        problem.network.changed()
        with np.errstate(over="ignore", invalid="ignore"):
            loss += problem.penalty()
            # a sum is finite only if all terms are
            finite = np.isfinite(loss) and np.isfinite(params.sum(dtype=np.float64))
        if not finite:
            weights.restore()
            # there may be NaN in its moments, and a copy of them would be kept for
            # this case alone
            self.optimizer.start_anew()
            warnings.warn(
                f"Training diverged in epoch {history.n_iter + 1}: the loss is no "
                "longer finite. The last finite weights are kept. Lower "
                f"learning_rate_init (now {self.schedule.rate:g}), and scale the "
                "features, for example with StandardScaler.",
                ConvergenceWarning,
            )
            return False
        if self.average is not None:
            self.average.epoch_done(epoch)
        score = validation_loss = None
        if validates:
            with self.average.applied() if self.average else nullcontext():
                score = problem.validation_score()
                validation_loss = problem.loss_on_validation(score)
                if self.score_progress.update(score):
                    weights.keep()
                    if problem.tuner is not None:
                        problem.tuner.keep()
        rate = float(rates[-1])
        history.add(loss, score, rate, len(problem.data), validation_loss)
        self.loss_progress.update(-loss)
        if problem.tuner is not None:
            problem.tuner.epoch_done(problem, self.optimizer)
        if printer is not None:
            printer.line(
                history.n_iter, loss, score, rate, problem.network.zero_share()
            )
        return True

    def _regularize(self, epoch):
        """Set the strengths that the epoch's regularizers have."""
        settings, fine_tuning = self.problem.settings, self.problem.fine_tuning
        if settings.dropout_factors is not None:
            self.engine.set_dropout(*settings.dropout_at(epoch))
        self.segments = self.engine.segments(
            settings.l1,
            settings.l2,
            settings.weight_decay_at(epoch),
            settings.max_norm,
            settings.group_l1,
            settings.hierarchy,
            **({} if fine_tuning is None else fine_tuning.of_segments()),
        )

    @property
    def runs_to_the_end(self):
        """Whether max_iter is the end by design, of the schedule or of the average."""
        return self.schedule.has_end or (
            self.average is not None and not self.average.exponential
        )

    def _finished(self, history):
        """Whether a plateau ends the training."""
        if self.problem.validation_score is not None:
            progress, figure = self.score_progress, "validation score"
        elif not self.runs_to_the_end:
            progress, figure = self.loss_progress, "training loss"
        else:
            return False
        if not progress.exhausted:
            return False
        progress.waited = 0
        stops = self.schedule.stops_on_plateau()
        if self.verbose:
            print(
                f"The {figure} has not improved by more than tol={progress.tol:g} for "
                f"{progress.patience} epochs. "
                + (
                    "Stopping."
                    if stops
                    else f"Learning rate set to {self.schedule.rate:g}."
                ),
                flush=True,
            )
        return stops

    def _warn_if_not_converged(self, max_iter):
        if not self.runs_to_the_end and not self.problem.budgeted:
            warnings.warn(
                f"Training has not converged after max_iter={max_iter} epochs. Raise "
                "max_iter or learning_rate_init, or take a schedule with an end, such "
                "as learning_rate='one_cycle'.",
                ConvergenceWarning,
            )


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

    interrupted = None

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
            self.interrupted = f"{history.n_iter} iterations"
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


@dataclass
class History:
    """Figures of the epochs, of one fit and of all.

    Attributes
    ----------
    loss_curve : list of float
        Of all fits.
    learning_rates : list of float
        Of the last steps of these epochs; NaN for lbfgs.
    validation_scores : list of float or None
        Of the last fit; None without early stopping.
    validation_losses : list of float or None
        Likewise, whatever the score is.
    n_iter : int
        Epochs of the last fit.
    epochs_ever : int
        Epochs of all fits; numbers the shuffles.
    t : int
        Rows seen by all fits.
    loss : float or None
        The last.
    """

    loss_curve: list = field(default_factory=list)
    learning_rates: list = field(default_factory=list)
    validation_scores: list | None = None
    validation_losses: list | None = None
    n_iter: int = 0
    epochs_ever: int = 0
    t: int = 0
    loss: float | None = None

    def lists(self):
        """The lists of all fits, which only grow."""
        return [self.loss_curve, self.learning_rates]

    def add(self, loss, score, rate, n_rows, validation_loss=None):
        """Take the figures of one epoch."""
        self.n_iter += 1
        self.epochs_ever += 1
        self.t += n_rows
        self.loss = loss
        self.loss_curve.append(loss)
        self.learning_rates.append(rate)
        if score is not None:
            self.validation_scores.append(score)
            self.validation_losses.append(validation_loss)
