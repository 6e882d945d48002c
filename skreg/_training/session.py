"""The training of one network: its problem, its solver, and what they carry on.

`fit`, `partial_fit`, `fine_tune`, members and paths train by a `Session`. It reads the
parameters of training, and writes to the network and to the state alone.
"""

from dataclasses import replace

from skreg._problem.augmentation import TransformedRows
from skreg._problem.columns import Columns
from skreg._problem.data import kernel_weights, writeable
from skreg._problem.optimizers import STOCHASTIC_SOLVERS, WRITTEN, Optimizer
from skreg._problem.schedules import new_schedule
from skreg._training.adaptive import Tuner
from skreg._training.finiteness import keep_finite
from skreg._training.lbfgs import LBFGSTraining
from skreg._training.scoring import Score
from skreg._training.state import TrainingState
from skreg._training.stochastic import (
    Checkpoint,
    History,
    Problem,
    Progress,
    StochasticTraining,
)


class Session:
    """The training of an estimator's network.

    Parameters
    ----------
    estimator : estimator
        With a network and a state; none of its parameters is "auto".

    Attributes
    ----------
    network : Network
    state : TrainingState
    fine_tuning : FineTuning or None
    """

    def __init__(self, estimator):
        self._parameters = estimator
        self.network = estimator._network
        self.state = estimator._state
        self.fine_tuning = estimator._fine_tuning

    def restart(self):
        """Forget what has been learnt, but the key of the random numbers."""
        self.state = TrainingState(self.state.key, History())

    def problem(self, training, rows, settings, *validation):
        """What is minimised on some rows.

        Parameters
        ----------
        training : TrainingData
        rows : ndarray of intp or None
            Those to train on; None: all.
        settings : Settings
        validation : (callable, ValidationLoss) or nothing
        """
        network = self.network
        weights = kernel_weights(training.weights, rows, network.dtype)
        data = network.data(training.X, training.targets, weights, rows)
        transform = None
        if settings.row_functions:
            transform = TransformedRows(
                settings.row_functions,
                network,
                training.X,
                training.targets,
                weights,
                rows,
                self.state.key,
            )
            # a function that fails does so before training
            transform.data(self.state.history.epochs_ever)
        return Problem(
            network,
            data,
            settings,
            *validation,
            transform=transform,
            fine_tuning=self.fine_tuning,
            largest_raw=self._parameters._largest_raw(),
            feature_names=getattr(self._parameters, "feature_names_in_", None),
        )

    # ---------------------------------------------------------------------- schedule

    def begin_schedule(self, max_iter=None):
        """Set the schedule to its beginning; `max_iter` as in `solve`."""
        self.state.schedule = schedule_of(self._parameters, max_iter)
        self.state.loss_progress = progress_of(self._parameters)

    def carry_on_schedule(self):
        """Keep the schedule of the calls before, if it is still the one asked for."""
        state, parameters = self.state, self._parameters
        schedule = schedule_of(parameters)
        if state.schedule is None or not state.schedule.is_like(schedule):
            state.schedule = schedule
        if state.loss_progress is None:
            state.loss_progress = progress_of(parameters)
        state.loss_progress.tol = parameters.tol
        state.loss_progress.patience = parameters.n_iter_no_change

    # ------------------------------------------------------------------------ solver

    def solve(
        self, problem, callbacks, *, incremental=False, loops=None, max_iter=None
    ):
        """Run the solver on a problem.

        Parameters
        ----------
        problem : Problem
        callbacks : FitCallbacks or EndFromOutside
        incremental : bool
            Whether it is one epoch of many calls.
        loops : Engine or None
            Of an earlier training on the same problem.
        max_iter : int or None
            Epochs, if not as many as the parameter says.

        Returns
        -------
        training : StochasticTraining or LBFGSTraining
            With its engine, which another strength of the same problem can use.
        """
        max_iter = self._parameters.max_iter if max_iter is None else max_iter
        self._prepare(problem)
        if self._parameters.solver == "lbfgs":
            training = self._solve_by_lbfgs(problem, callbacks, loops, max_iter)
        else:
            training = self._solve_by_steps(
                problem, callbacks, incremental, loops, max_iter
            )
        if self.fine_tuning is not None:
            self.fine_tuning.trained_with(self.network)
        return training

    def _prepare(self, problem):
        """Make arrays writeable, and the state one of a training that begins."""
        state, network, settings = self.state, self.network, problem.settings
        network.params = writeable(network.params)
        if network.statistics is not None:
            network.statistics.values = writeable(network.statistics.values)
        if state.iterate is not None:
            network.set_weights(state.iterate)
            state.iterate = None
        network.changed()
        if self._parameters.solver in STOCHASTIC_SOLVERS:
            state.optimizer = self._optimizer(state.optimizer)
            if self.fine_tuning is not None:
                self.fine_tuning.ready_for(state.optimizer)
        before, state.tuner = state.tuner, None
        if settings.tuned:
            state.tuner = Tuner.of(settings.tuned, len(settings.l2), before)
        problem.tuner = state.tuner
        history = state.history
        history.n_iter = 0
        history.validation_scores = history.validation_losses = None
        if problem.validation_score is not None:
            history.validation_scores, history.validation_losses = [], []

    def _solve_by_lbfgs(self, problem, callbacks, loops, max_iter):
        parameters, history = self._parameters, self.state.history
        training = LBFGSTraining(
            problem,
            tol=parameters.tol,
            max_fun=parameters.max_fun,
            verbose=parameters.verbose,
            fresh=not history.epochs_ever and self.fine_tuning is None,
            loops=loops,
        )
        start = Checkpoint(self.network)
        training.run(history, callbacks, max_iter=max_iter)
        if keep_finite(problem, [start.restore]):
            training.complaint = (
                "Training diverged: predictions are not finite. The initial weights "
                f"are kept. {Columns(problem).advice()}".rstrip()
            )
        return training

    def _solve_by_steps(self, problem, callbacks, incremental, loops, max_iter):
        parameters, state = self._parameters, self.state
        batch_size = 200 if parameters.batch_size == "auto" else parameters.batch_size
        training = StochasticTraining(
            problem,
            state.optimizer,
            state.schedule,
            state.loss_progress,
            state.key,
            batch_size=min(batch_size, len(problem.data)),
            shuffle=parameters.shuffle,
            verbose=parameters.verbose,
            max_iter=max_iter,
            loops=loops,
        )
        state.iterate = training.run(
            state.history, callbacks, max_iter=max_iter, incremental=incremental
        )
        if not training.interrupted and isinstance(problem.validation_score, Score):
            problem.validation_score.finish()
        return training

    def _optimizer(self, kept):
        """The optimizer that goes on, or a new one."""
        parameters, network = self._parameters, self.network
        settings = {
            "beta_1": float(parameters.beta_1),
            "beta_2": float(parameters.beta_2),
            "epsilon": float(parameters.epsilon),
            "momentum": float(parameters.momentum),
            "nesterov": bool(parameters.nesterovs_momentum),
        }
        solver, size = parameters.solver, network.params.size
        if kept is None:
            return Optimizer(solver, size, network.dtype, **settings)
        if kept.solver != solver or kept.size != size:
            return Optimizer(
                solver, size, network.dtype, starts=kept.starts + 1, **settings
            )
        return replace(
            kept,
            **{name: writeable(getattr(kept, name)) for name in WRITTEN},
            **settings,
        )

    # ----------------------------------------------------------------------- figures

    def figures(self, settings):
        """The fitted attributes that are not properties, of the training until now."""
        network, history = self.network, self.state.history
        scores = history.validation_scores
        validates = scores is not None
        best_loss = min(history.loss_curve, default=history.loss)
        is_lbfgs = self._parameters.solver == "lbfgs"
        return {
            "l1_": list(map(float, settings.l1)),
            "l2_": list(map(float, settings.l2)),
            "loss_": history.loss,
            "loss_curve_": history.loss_curve,
            "learning_rates_": None if is_lbfgs else history.learning_rates,
            "n_iter_": history.n_iter,
            "t_": history.t,
            "n_layers_": len(network.layer_sizes),
            "n_outputs_": network.layer_sizes[-1],
            "out_activation_": network.loss.out_activation,
            "validation_scores_": scores,
            "validation_losses_": history.validation_losses,
            "best_loss_": None if validates else best_loss,
            "best_validation_score_": max(scores, default=None) if validates else None,
        }


def schedule_of(parameters, max_iter=None):
    """A new schedule of the rate, for as many epochs as the parameter says or given."""
    return new_schedule(
        parameters.learning_rate,
        float(parameters.learning_rate_init),
        power_t=parameters.power_t,
        max_iter=parameters.max_iter if max_iter is None else max_iter,
        warm_up=float(parameters.warm_up),
    )


def progress_of(parameters):
    """What is to be waited for, from the beginning."""
    return Progress(parameters.tol, parameters.n_iter_no_change)
