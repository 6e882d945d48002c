"""Several networks in one estimator: trained side by side, their predictions averaged.

A member is an estimator of the ensemble's class with ``n_members=1``. X, y and weights
are read and checked once, by the ensemble; members train on the same arrays, each from
initial weights, with an order of rows, masks and validation rows of its own.
"""

import copy
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skreg._estimators.callbacks import EndFromOutside, FitCallbacks
from skreg._estimators.transaction import TrainingInterrupted, work_on_copies
from skreg._problem import cores
from skreg._problem.automatic import AUTO
from skreg._problem.data import (
    check_weights,
    heavy_classes,
    split_rows,
    used_rows,
    warn_of_rows_far_off,
    with_a_row_of_each,
)
from skreg._problem.parameters import check_validation_given, read_settings
from skreg._problem.reading import errors_about
from skreg._training.outcome import Verdict, complaint_about, warn_of_text

SECONDS_BETWEEN_LOOKS = 0.2

# Parameters that members do not have open.
OF_THE_ENSEMBLE = ("hidden_layer_sizes", "n_members")

# What a single network leaves behind, and members have each on their own.
OF_ONE_NETWORK = (
    "loss_curve_",
    "learning_rates_",
    "validation_scores_",
    "validation_losses_",
)
STATE_OF_ONE_NETWORK = (
    *OF_ONE_NETWORK,
    "_network",
    "_state",
    "_fine_tuning",
)


def no_network_of_its_own(estimator, name):
    """The error of an ensemble that is asked for what a network has."""
    return AttributeError(
        f"{type(estimator).__name__} with n_members={len(estimator.members_)} has no "
        f"{name} of its own: each member has one. Read members_[0].{name}, or set "
        "n_members=1."
    )


class OfOneNetwork:
    """An attribute that fit sets where there is one network; says why it is missing."""

    def __init__(self, doc):
        self.__doc__ = doc

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, estimator, owner=None):
        if estimator is None:
            return self
        if "members_" in vars(estimator):
            raise no_network_of_its_own(estimator, self.name)
        raise AttributeError(
            f"{type(estimator).__name__!r} object has no attribute {self.name!r}: it "
            "is set by fit."
        )


def fit_members(ensemble, X, y, sample_weight, validation):
    """`fit` of an estimator with ``n_members`` above 1.

    Parameters
    ----------
    ensemble : estimator
    X, y, sample_weight : as given to `fit`
    validation : tuple
        X_val, y_val and their weights, as given to `fit`.
    """
    goes_on = ensemble.warm_start and hasattr(ensemble, "members_")
    if ensemble.warm_start:
        refuse_another_number(ensemble)
    read_settings(ensemble)
    check_validation_given(ensemble, *validation)
    given = X, y, sample_weight
    X, y = ensemble._read(X, y, reset=not goes_on)
    weights = check_weights(sample_weight, X)
    if validation[0] is not None:
        validation = read_once(ensemble, validation)
        warn_of_rows_far_off(X, validation[0])
    members = members_to_train(ensemble, y, weights, goes_on)
    held_out = [None] * len(members)
    if ensemble.early_stopping and validation[0] is None:
        by_class = ensemble._class_weights(y, weights, False)
        weighted = ensemble._reweight(y, weights, by_class, "sample_weight")
        heavy = ()
        if by_class is not None:
            labels = ensemble._stratify_by(y)
            heavy = heavy_classes(labels, weighted, len(ensemble.classes_))
        held_out = splits(ensemble, used_rows(weighted), y, len(members), heavy)

    def train(member, callbacks, split):
        return member._fit_on(X, y, weights, validation, callbacks, split)

    run(ensemble, members, train, held_out, given)


def partial_fit_members(ensemble, X, y, sample_weight, classes):
    """An epoch of each member."""
    goes_on = hasattr(ensemble, "members_")
    refuse_another_number(ensemble)
    read_settings(ensemble)
    given = X, y, sample_weight
    X, y = ensemble._read(X, y, reset=not goes_on)
    weights = check_weights(sample_weight, X)
    members = members_to_train(ensemble, y, weights, goes_on, classes)

    def train(member, callbacks, _):
        return member._partial_fit_on(X, y, weights, classes, callbacks)

    run(ensemble, members, train, [None] * len(members), given, judged=False)


def members_to_train(ensemble, y, weights, goes_on, classes=None):
    """Copies of the members that training goes on with, or new ones."""
    if goes_on:
        return copies(ensemble)
    forget(ensemble)
    # sets what reads y; the members find the same
    ensemble._encode_targets(y, weights, True, classes)
    return new_members(ensemble)


def refuse_another_number(ensemble):
    """Training goes on with as many networks as it began with."""
    before = None
    if hasattr(ensemble, "members_"):
        before = len(ensemble.members_)
    elif hasattr(ensemble, "_network"):
        before = 1
    if before not in (None, ensemble.n_members):
        raise ValueError(
            f"Training cannot go on with another n_members: {before} before, "
            f"{ensemble.n_members} now. Set warm_start=False and call fit, or clone "
            "the estimator."
        )


def read_once(ensemble, validation):
    """X_val, y_val and weights as every member reads them without a copy."""
    X_val, y_val, sample_weight_val = validation
    with errors_about("X_val", "y_val"):
        X_val, y_val = ensemble._read(X_val, y_val, reset=False)
    return X_val, y_val, sample_weight_val


def forget(estimator):
    """Drop what an earlier fit has left, of one network or of several."""
    for name in (*STATE_OF_ONE_NETWORK, "members_"):
        vars(estimator).pop(name, None)


def new_members(ensemble):
    """Unfitted members, each with a seed; the first are the same for any number."""
    random_state = check_random_state(ensemble.random_state)
    ensemble._seed_of_splits = int(random_state.randint(2**31))
    seeds = random_state.randint(2**31, size=ensemble.n_members)
    members = [
        clone(ensemble).set_params(n_members=1, random_state=int(seed))
        for seed in seeds
    ]
    for member in members:
        member.n_features_in_ = ensemble.n_features_in_
        if hasattr(ensemble, "feature_names_in_"):
            member.feature_names_in_ = ensemble.feature_names_in_
    return members


def copies(ensemble):
    """Copies of the members with the ensemble's parameters, to be trained on."""
    params = ensemble.get_params(deep=False)
    del params["n_members"], params["random_state"]
    members = []
    for member in ensemble.members_:
        member._can_go_on()
        # with lists of figures of its own
        twin = copy.copy(member)
        work_on_copies(twin)
        members.append(twin.set_params(**params))
    return members


def splits(ensemble, rows, y, number, heavy=()):
    """For each member rows to train on and rows to validate on.

    The latter have a row of each of the classes in `heavy`, by their numbers, which has
    two.

    The latter are parts of the rows without one in common as long as there are enough,
    then new draws, so that nearly all rows train some of the members.
    """
    rows = np.arange(len(y)) if rows is None else rows
    labels = ensemble._stratify_by(y)
    random_state = np.random.RandomState(ensemble._seed_of_splits)
    n_val = None
    left, found = rows, []
    for _ in range(number):
        if n_val is not None and len(left) < 2 * n_val:
            left = rows
        # all say the same of classes that are too small
        with warnings.catch_warnings():
            if found:
                warnings.simplefilter("ignore")
            _, held_out = split_rows(
                left,
                len(y),
                fraction=ensemble.validation_fraction,
                n_val=n_val,
                random_state=random_state,
                labels=labels,
            )
        n_val = len(held_out) if n_val is None else n_val
        train = np.setdiff1d(rows, held_out, assume_unique=True)
        train, held_out = with_a_row_of_each(
            train, held_out, labels, heavy, random_state
        )
        left = np.setdiff1d(left, held_out, assume_unique=True)
        found.append((train, held_out))
    return found


def run(ensemble, members, train, held_out, given, *, judged=True):
    """Train the members, as many at a time as there are threads, and publish them."""
    X, y, sample_weight = given
    ended = threading.Event()
    done, reported = [], []
    callbacks = FitCallbacks(
        ensemble,
        X,
        y,
        sample_weight,
        max_iter=len(members),
        snapshot=lambda: {
            **figures(ensemble, done),
            **figures_of_one(reported),
            "members_": list(done),
        },
        task_name="member",
    )
    interrupted = None
    said = []

    def train_one(j):
        if ended.is_set():
            return None
        return train(members[j], EndFromOutside(ended), held_out[j])

    with callbacks.fit(), side_by_side(train_one, len(members), ended) as results:
        for member, result in zip(members, results, strict=False):
            task = callbacks.epoch_begins()
            trained = result()
            if trained is None:
                break
            solver, problem = trained
            if solver.interrupted:
                ended.set()
                if done and not member._state.history.epochs_ever:
                    break
            done.append(member)
            said.append((solver.complaint, problem, member))
            reported[:] = [member]
            interrupted = interrupted or solver.interrupted
            try:
                if callbacks.epoch_ends(task):
                    ended.set()
            except KeyboardInterrupt:
                ended.set()
                interrupted = interrupted or f"{member.n_iter_} epochs"
        reported.clear()
        ensemble.members_ = done
        ensemble._adopt(done[0])
        vars(ensemble).update(figures(ensemble, done))
        if interrupted:
            raise TrainingInterrupted(
                f"Training was interrupted after {interrupted} of member {len(done)}; "
                "the estimator is fitted and keeps what it has learnt so far.",
                ensemble,
            )
    warn_of_members(said, judged)


def fine_tuned_members(base, adapted, given, how):
    """What `fine_tune` returns of an ensemble.

    Parameters
    ----------
    base : estimator
        Fitted, with members.
    adapted : estimator
        An unfitted clone, with the parameters that it shall have.
    given : tuple
        X, y and sample_weight.
    how : dict
        The other arguments of `fine_tune`.
    """
    seeds = None
    if how.pop("random_state", None) is not None:
        random_state = check_random_state(adapted.random_state)
        seeds = random_state.randint(2**31, size=len(base.members_))
    members = []
    of_the_members = vars(base).get("automatic_params_", {})
    left_open = {name: AUTO for name in of_the_members if name not in OF_THE_ENSEMBLE}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for j, member in enumerate(base.members_):
            own = {} if seeds is None else {"random_state": int(seeds[j])}
            # what was left open is open again, for other rows and parameters
            twin = copy.copy(member).set_params(**left_open)
            members.append(twin.fine_tune(*given, **how, **own))
    # what all of them say is said once
    said = {str(each.message): each.message for each in caught}
    for message in said.values():
        warnings.warn(message, stacklevel=4)
    adapted.members_ = members
    if of_the_members:
        adapted.automatic_params_ = {
            name: value
            for name, value in of_the_members.items()
            if name in OF_THE_ENSEMBLE
        } | vars(members[0]).get("automatic_params_", {})
    adapted._seed_of_splits = base._seed_of_splits
    adapted._adopt(members[0])
    vars(adapted).update(figures(adapted, members))
    return adapted


class side_by_side:
    """Calls of a function of 0, 1, ... in threads, whose results are asked for in turn.

    Ctrl-C, or an error, ends the others before their next epoch.
    """

    def __init__(self, function, number, ended):
        self.function, self.number, self.ended = function, number, ended
        self.pool = None

    def __enter__(self):
        wanted = min(self.number, cores.limit())
        self.threads = cores.borrowed(wanted)
        granted = self.threads.__enter__()
        if granted == 1:
            return [lambda j=j: self.function(j) for j in range(self.number)]
        self.pool = ThreadPoolExecutor(granted)
        futures = [self.pool.submit(self.function, j) for j in range(self.number)]
        return [lambda future=future: self.result(future) for future in futures]

    def result(self, future):
        waits = True
        while waits:
            try:
                # a signal may fall between Python's look for one and the wait
                wait([future], timeout=SECONDS_BETWEEN_LOOKS)
                waits = not future.done()
            except KeyboardInterrupt:
                # members end by themselves, and are kept
                self.ended.set()
        return future.result()

    def __exit__(self, *error):
        if error[0] is not None:
            self.ended.set()
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=error[0] is not None)
        return self.threads.__exit__(*error)


def mean_of(predictions):
    """The mean of arrays of one shape, summed in their order."""
    predictions = list(predictions)
    # of shares, for a sum of large numbers may be infinite where their mean is not
    total = predictions[0] / len(predictions)
    with np.errstate(over="ignore"):
        for each in predictions[1:]:
            total += each / len(predictions)
    if np.isinf(total).any():
        # those of the largest number may be infinite by rounding
        finite = np.all([np.isfinite(each) for each in predictions], axis=0)
        largest = np.finfo(total.dtype).max
        total = np.where(finite, np.clip(total, -largest, largest), total)
    return total


def figures(ensemble, members):
    """The ensemble's attributes that have a meaning for several networks."""
    if not members:
        return {}

    def mean(name):
        # one that diverged in its first epoch has no best score
        values = [getattr(member, name) for member in members]
        values = [value for value in values if value is not None]
        return np.mean(values, axis=0).tolist() if values else None

    first = members[0]
    return {
        **{name: mean(name) for name in ("l1_", "l2_", "loss_")},
        **{name: mean(name) for name in ("best_loss_", "best_validation_score_")},
        "n_iter_": max(member.n_iter_ for member in members),
        "t_": sum(member.t_ for member in members),
        "n_layers_": first.n_layers_,
        "n_outputs_": first.n_outputs_,
        "out_activation_": first.out_activation_,
    }


def figures_of_one(reported):
    """What the member whose task has ended has on its own, for a callback.

    Parameters
    ----------
    reported : list of estimator
        The member, or nothing.
    """
    return {
        name: copy.copy(getattr(member, name))
        for member in reported
        for name in OF_ONE_NETWORK
    }


def warn_of_members(said, judged):
    """One warning of what there is to say against some of the members.

    That predictions explain little counts if half of the members say so, or if one is
    worse than a constant, which the others cannot make good.
    """
    verdicts = [Verdict(problem) if judged else None for _, problem, _ in said]
    failing = [verdict and verdict.complaint() is not None for verdict in verdicts]
    most = 2 * sum(map(bool, failing)) >= len(said)
    texts = []
    for verdict, fails, (complaint, _, member) in zip(
        verdicts, failing, said, strict=True
    ):
        counts = fails and (most or verdict.is_below_constant())
        texts.append(complaint_about(complaint, verdict if counts else None, member))
    worst = max(texts, key=len)
    if worst:
        number = sum(map(bool, texts))
        warn_of_text(f"{number} of {len(texts)} members: {worst}")
