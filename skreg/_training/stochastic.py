"""Training: the loop over epochs for adam and sgd; lbfgs is in ``_training/lbfgs.py``.

Python owns epochs here (schedule, early stopping, callbacks, Ctrl-C); the compiled
engine owns all that happens inside one.
"""

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from skreg._problem import cores
from skreg._problem.columns import moments_of_inputs
from skreg._problem.input_scaling import BOUND
from skreg._problem.regularizers import penalty_of
from skreg._training.averaging import Average
from skreg._training.finiteness import keep_finite, predicts_finite_for_sure
from skreg._training.iterates import iterates_between_epochs
from skreg._training.outcome import Verdict
from skreg._training.remedies import remedy_of_divergence

# Running averages of batch normalization are taken for those of the weights now if the
# last epoch has at least this share in them: from 230 batches per epoch on.
OWN_SHARE = 0.9

# How many times n_iter_no_change epochs a fit may stay at the loss of the best constant
# if no single feature says that there is more to learn.
WAITS_AT_CONSTANT = 5


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
        Of strengths that are "auto"; each epoch has other settings by it.
    transform : TransformedRows or None
        Makes other data of as many rows for each epoch.
    fine_tuning : FineTuning or None
        Which parameters are trained, if not all.
    largest_raw : float
        The largest |raw output| that is finite in the unit of y, too.
    budgeted : bool
        Whether training is expected to end at max_iter, as at a point of a path.
    feature_names : ndarray of str or None
        For messages.
    ends_with_schedule : bool
        Whether training went on to max_iter, which is the end of its schedule: it does
        not say by itself whether that was enough.
    """

    network: object
    data: object
    settings: object
    validation_score: object = None
    validation_loss: object = None
    tuner: object = None
    transform: object = None
    fine_tuning: object = None
    largest_raw: float = np.inf
    budgeted: bool = False
    feature_names: object = None
    ends_with_schedule: bool = False

    @cached_property
    def largest_input(self):
        """The largest |x| that the network reads."""
        if self.network.scaling is not None:
            return BOUND
        X = self.data.X
        values = X.data if self.is_sparse else X
        if not values.size:
            return 0.0
        return max(float(values.max()), -float(values.min()))

    @property
    def is_sparse(self):
        return not isinstance(self.data.X, np.ndarray)

    @cached_property
    def moments(self):
        """Means and spreads of the features in the rows for training."""
        return moments_of_inputs(self.network, self.data)

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
        return penalty_of(settings, self.network)


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

    def twin(self):
        """Another that holds the same copies; what is kept next goes into new ones."""
        twin = object.__new__(Checkpoint)
        vars(twin).update(vars(self))
        self.copies = [array.copy() for array in self.arrays]
        return twin

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
    # What there is to say against the way that training ended, for a warning.
    complaint = None

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
        self.threads = cores.wanted(network.operations(batch_size, training=True))
        self.engine = loops or network.engine(
            settings, capacity=batch_size, threads=self.threads
        )
        if problem.tuner is not None:
            problem.settings = settings = problem.tuner.strengthened(settings)
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
        # fine-tuning starts from weights that have no scales of their own
        self.scales_features = settings.feature_scaling > 0 and not problem.fine_tuning
        if self.scales_features:
            optimizer.scale_features(network.coefs[0], settings.feature_scaling)
        else:
            optimizer.forget_scales()
        self.loss_progress = loss_progress
        self.score_progress = Progress(loss_progress.tol, loss_progress.patience)
        n_rows = len(problem.data)
        self.order = np.empty(n_rows, dtype=np.intp) if shuffle else None
        self.steps_per_epoch = -(-n_rows // batch_size)
        self.verdict = Verdict(problem)
        self.waits = 0
        # weights from before training, where later ones may predict what is not finite
        self.start = None
        self.sure = True
        # whether `order` is that of an epoch, whose loss is `loss_of_epoch`
        self.ordered = False
        self.loss_of_epoch = np.nan

    def _gather_statistics(self):
        """Of batch normalization, for the weights as they are.

        In batches as the last epoch's: those of sorted rows would vary too little.
        """
        network, data = self.problem.network, self.problem.data
        if network.statistics is None:
            return
        if self.order is not None and self.ordered:
            rows = self.order if data.subset is None else data.subset[self.order]
            data = network.data(data.X, data.targets, data.weights, rows)
        with cores.borrowed(self.threads) as threads:
            self.engine.gather_statistics(
                network.params, data, network.statistics, threads=threads
            )
        network.changed()

    def _gather_stale_statistics(self):
        """The same, if the running averages look back beyond the last epoch."""
        statistics = self.problem.network.statistics
        if statistics is None:
            return
        if 1 - statistics.decay**self.steps_per_epoch < OWN_SHARE:
            self._gather_statistics()

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
                finished = self._finished(waits=not incremental)
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
        try:
            return self._settle(iterate, history, weights, incremental)
        except KeyboardInterrupt:
            # what is left to do is a pass over the rows; without it nothing is kept
            self.interrupted = f"{history.n_iter} epochs"
            return self._settle(iterate, history, weights, incremental)

    def _settle(self, iterate, history, weights, incremental):
        """After the last epoch: make the weights those to predict with.

        It can be done again after it was interrupted. Parameters as `_keep_finite` has.
        """
        if self.problem.validation_score is not None and history.n_iter:
            weights.restore()
            if self.problem.tuner is not None:
                tuner = self.problem.tuner
                self.problem.settings = tuner.restored(self.problem.settings)
        elif self.average is not None:
            self.average.apply()
        elif not incremental:
            self._gather_stale_statistics()
        return self._keep_finite(iterate, history, weights)

    def _keep_finite(self, iterate, history, weights):
        """Weights whose predictions are finite; no loss has seen the last step.

        Parameters
        ----------
        iterate : tuple or None
            As `run` returns it.
        weights : Checkpoint
            Of the best epoch, or from before the last.

        Returns
        -------
        iterate : tuple or None
        """
        retreats = [weights.restore]
        if self.start is not None:
            retreats.append(self.start.restore)
        if self.average is not None and self.problem.validation_score is None:
            retreats.insert(0, lambda: (weights.restore(), self.average.apply()))
        if not keep_finite(self.problem, retreats):
            return iterate
        self._forget_steps()
        self.complaint = self._diverged(
            history.n_iter, "its last step leads to predictions that are not finite"
        )
        return None

    def _keep(self, weights):
        """Keep the weights now; the first, too, if they may not be of use."""
        if not self.sure and self.start is None:
            self.start = weights.twin()
        else:
            weights.keep()

    def _forget_steps(self):
        """After a divergence: there may be NaN in the optimizer's moments."""
        # a copy of them would be kept for this case alone
        self.optimizer.start_anew()
        if self.optimizer.average is not None:
            self.optimizer.average[:] = self.problem.network.params

    def _diverged(self, epoch, what):
        remedy = remedy_of_divergence(
            self.problem, self.schedule.rate, adam=self.optimizer.adam
        )
        return (
            f"Training diverged in epoch {epoch}: {what}. The last finite weights are "
            f"kept. {remedy}"
        )

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
            self._keep(weights)
        data = problem.data_of_epoch(history.epochs_ever)
        rates = self.schedule.rates(epoch, self.steps_per_epoch, history.t)
        self._regularize(epoch)
        with (
            iterates_between_epochs(problem.network, self.optimizer, problem.settings),
            cores.borrowed(self.threads) as threads,
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
        self.ordered = True
        self.loss_of_epoch = loss
        with np.errstate(over="ignore", invalid="ignore"):
            loss += problem.penalty()
            # NaN is the largest of what it is among
            largest = max(float(params.max()), -float(params.min()))
            finite = np.isfinite(loss) and np.isfinite(largest)
        if not finite:
            weights.restore()
            if validates:
                self._forget_steps()
            else:
                self.optimizer.start_anew()
            self.complaint = self._diverged(
                history.n_iter + 1, "the loss is no longer finite"
            )
            return False
        self.sure = predicts_finite_for_sure(problem, largest)
        if self.average is not None:
            self.average.epoch_done(epoch)
        score = validation_loss = None
        if validates:
            with self.average.applied() if self.average else nullcontext():
                if not self.average:
                    self._gather_stale_statistics()
                score = problem.validation_score()
                validation_loss = problem.loss_on_validation(score)
                if self.score_progress.update(score):
                    self._keep(weights)
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
            feature_scaling=self.scales_features,
            **({} if fine_tuning is None else fine_tuning.of_segments()),
        )

    @property
    def runs_to_the_end(self):
        """Whether max_iter is the end by design, of the schedule or of the average."""
        return self.schedule.has_end or (
            self.average is not None and not self.average.exponential
        )

    def _finished(self, *, waits):
        """Whether a plateau ends the training.

        With `waits`, no plateau at the loss of the best constant does.
        """
        if self.problem.validation_score is not None:
            progress, figure = self.score_progress, "validation score"
        elif not self.runs_to_the_end:
            progress, figure = self.loss_progress, "training loss"
        else:
            return False
        if not progress.exhausted:
            return False
        progress.waited = 0
        if waits and self._has_not_begun():
            return False
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

    def _has_not_begun(self):
        """Whether to wait on, for the loss is still that of the best constant.

        A network can stay there for long and then learn all. It has as long as it
        takes where a single feature says that there is something to learn, and some
        times the usual patience where none does, as with targets of noise.
        """
        at_constant, promising = self.verdict.has_not_begun(self.loss_of_epoch)
        if not at_constant or promising:
            return at_constant
        self.waits += 1
        return self.waits < WAITS_AT_CONSTANT and not self.verdict.is_cut_off()

    def _warn_if_not_converged(self, max_iter):
        self.problem.ends_with_schedule = self.runs_to_the_end
        if not self.runs_to_the_end and not self.problem.budgeted:
            self.complaint = (
                f"Training has not converged after max_iter={max_iter} epochs. Raise "
                "max_iter or learning_rate_init, or take a schedule with an end, such "
                "as learning_rate='one_cycle'."
            )


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
