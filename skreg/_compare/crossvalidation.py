"""Nested cross-validation of the candidates, in parallel and within a time limit."""

import math
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from . import budget
from .candidates import TUNED
from .errors import InputError
from .tables import suggest

OUT_OF_TIME = "the time limit was reached"


@dataclass(frozen=True)
class Settings:
    """What decides a comparison besides the problem.

    Attributes
    ----------
    scoring : str
    folds : int
    seed : int
    n_jobs : int
    time_limit : float or None
        Seconds that the whole comparison may take.
    """

    scoring: str
    folds: int
    seed: int
    n_jobs: int
    time_limit: float | None


@dataclass(frozen=True)
class Fold:
    """What came of one candidate on one fold.

    Attributes
    ----------
    candidate : str
    number : int
    score : float
        NaN when the fit failed or was not started.
    seconds : float
        Time of the fit, tuning included.
    elapsed : float
        The same with the scoring, and the fits of single regularizers.
    zeros : float
        Share of the weights that are exactly zero; NaN for models without weights.
    chosen : dict
        The settings that tuning chose, in words.
    parameters : dict
        The same, as `set_params` takes them.
    regularizers : dict of str to float
        For the tuned network: the score of each regularizer at its best setting.
    warnings : Counter
        Number of warnings by category.
    failure : str
        Why there is no score; empty when there is one.
    """

    candidate: str
    number: int
    score: float = np.nan
    seconds: float = np.nan
    elapsed: float = 0.0
    zeros: float = np.nan
    chosen: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    regularizers: dict = field(default_factory=dict)
    warnings: Counter = field(default_factory=Counter)
    failure: str = ""


def cross_validate(problem, candidates, settings, deadline=math.inf):
    """Yield each candidate's result on each fold as it arrives.

    One job is one candidate on one fold, on one thread: so jobs do not fight for the
    processors, and the number of jobs decides nothing but the time. They start in the
    order of the candidates.

    A candidate whose folds, by the time of those that are done, will not all be done by
    the deadline is given up at once, so that the next ones have the time. A fit that
    the deadline finds at work is stopped; processes that do not stop are ended.

    Parameters
    ----------
    problem : Problem
    candidates : list of Candidate
    settings : Settings
    deadline : float
        By the clock of `budget.now`.

    Yields
    ------
    Fold
    """
    splitter = StratifiedKFold if problem.is_classification else KFold
    split = splitter(settings.folds, shuffle=True, random_state=settings.seed)
    parts = list(split.split(problem.X, problem.y))
    plan = Plan(deadline, joblib.effective_n_jobs(settings.n_jobs))
    run = joblib.delayed(_run_fold)

    def jobs():
        for candidate in candidates:
            for number, (train, test) in enumerate(parts):
                if plan.allows(candidate.name, len(parts) - number):
                    yield run(
                        *(candidate, problem, settings.scoring, number),
                        *(train, test, deadline),
                    )

    # Without a limit, jobs wait in the processes; with one, they wait for its decision.
    ahead = "2*n_jobs" if deadline == math.inf else "n_jobs"
    parallel = joblib.Parallel(
        settings.n_jobs, return_as="generator_unordered", pre_dispatch=ahead
    )
    missing = {(c.name, number) for c in candidates for number in range(len(parts))}
    results = parallel(jobs())
    while True:
        try:
            with warnings.catch_warnings(), budget.stop_at(deadline + budget.GRACE):
                # joblib's, of processes that are ended: the report says which
                warnings.filterwarnings("ignore", r"\d+ tasks (which were|have been)")
                fold = next(results)
        except (StopIteration, budget.OutOfTime):
            break
        missing.remove((fold.candidate, fold.number))
        plan.learn(fold)
        yield fold
    for name, number in sorted(missing):
        yield Fold(name, number, failure=OUT_OF_TIME)


class Plan:
    """Which folds are worth starting before a deadline."""

    def __init__(self, deadline, n_jobs):
        self.deadline = deadline
        self.n_jobs = n_jobs
        self.seconds = {}
        self.given_up = set()

    def allows(self, name, folds):
        """Whether a candidate's last so many folds should be started."""
        rounds = math.ceil(folds / self.n_jobs)
        end = budget.now() + self.seconds.get(name, 0) * rounds
        if end >= self.deadline and self.deadline != math.inf:
            self.given_up.add(name)
        return name not in self.given_up

    def learn(self, fold):
        """Take note of what a fold took."""
        if fold.failure == OUT_OF_TIME:
            self.given_up.add(fold.candidate)
        elif not fold.failure:
            known = self.seconds.get(fold.candidate, 0)
            self.seconds[fold.candidate] = max(known, fold.elapsed)


def _run_fold(candidate, problem, scoring, number, train, test, deadline):
    """Fit and score one candidate on one fold, whatever happens."""
    start = budget.now()
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with budget.stop_at(deadline):
                outcome = _fit_and_score(candidate, problem, scoring, train, test)
        except budget.OutOfTime:
            return Fold(candidate.name, number, failure=OUT_OF_TIME)
        # Any candidate may fail on data that suit the others; the comparison goes on.
        except Exception as error:
            outcome = {"failure": f"{type(error).__name__}: {error}"}
    counts = Counter(warning.category.__name__ for warning in caught)
    elapsed = budget.now() - start
    return Fold(candidate.name, number, warnings=counts, elapsed=elapsed, **outcome)


def _fit_and_score(candidate, problem, scoring, train, test):
    X, y = problem.X.iloc[train], problem.y[train]
    X_test, y_test = problem.X.iloc[test], problem.y[test]
    pipeline = clone(candidate.pipeline)
    scorer = get_scorer(scoring)
    start = time.perf_counter()
    pipeline.fit(X, y)
    seconds = time.perf_counter() - start
    model = pipeline["model"]
    outcome = {
        "score": scorer(pipeline, X_test, y_test),
        "seconds": seconds,
        "zeros": zero_share(model),
        "chosen": chosen_settings(model),
        "parameters": getattr(model, "best_params_", {}),
    }
    if candidate.name == TUNED:
        encode = pipeline[:-1].transform
        outcome["regularizers"] = {
            name: scorer(network, encode(X_test), y_test)
            for name, network in _best_of_each(model, encode(X), y)
        }
    return outcome


def _best_of_each(search, X, y):
    """Yield each regularizer's name and the network at its best setting.

    The search has already ranked the settings on the inner folds, so that the outer
    fold that scores these networks has had no say in their choice.
    """
    results = search.cv_results_
    best = {}
    for index in np.argsort(results["rank_test_score"], kind="stable"):
        setting = results["params"][index]
        if setting and np.isfinite(results["mean_test_score"][index]):
            best.setdefault(" + ".join(setting), setting)
    for name, setting in best.items():
        if setting == search.best_params_:
            yield name, search.best_estimator_
        else:
            yield name, clone(search.estimator).set_params(**setting).fit(X, y)


def fit_finally(candidate, result, problem, settings, deadline=math.inf):
    """Fit a candidate on all rows.

    Parameters
    ----------
    candidate : Candidate
    result : Result
        Of its folds. Where the time is too short to tune once more, the settings that
        most of them chose are taken.
    problem : Problem
    settings : Settings
    deadline : float
        By the clock of `budget.now`.

    Returns
    -------
    sklearn.pipeline.Pipeline or None
        With the model that tuning chose in the place of the search. None where the
        deadline came first.
    """
    pipeline = clone(candidate.pipeline)
    model = pipeline["model"]
    # All rows are folds / (folds - 1) times those of a fold, and cost a little more.
    seconds = 1.5 * max(fold.elapsed for fold in result.folds)
    if isinstance(model, GridSearchCV):
        if budget.now() + seconds < deadline:
            pipeline.set_params(model__n_jobs=settings.n_jobs)
        else:
            model = clone(model.estimator).set_params(**result.commonest)
            pipeline.set_params(model=model)
    try:
        with warnings.catch_warnings(), budget.stop_at(deadline):
            warnings.simplefilter("ignore")  # it was said for the folds
            pipeline.fit(problem.X, problem.y)
    except budget.OutOfTime:
        return None
    model = getattr(pipeline["model"], "best_estimator_", pipeline["model"])
    return Pipeline([*pipeline.steps[:-1], ("model", model)])


def final_model(model):
    """Return the model that a search or a target transformation has fitted."""
    if isinstance(model, GridSearchCV):
        return final_model(model.best_estimator_)
    return final_model(model.regressor_) if hasattr(model, "regressor_") else model


def zero_share(model):
    """Return the share of exact zeros among a model's weights, NaN without weights."""
    model = final_model(model)
    if hasattr(model, "zero_share_"):
        return model.zero_share_
    weights = getattr(model, "coefs_", None) or [getattr(model, "coef_", np.array([]))]
    size = sum(weight.size for weight in weights)
    return sum((weight == 0).sum() for weight in weights) / size if size else np.nan


def chosen_settings(model):
    """Return the settings that a model chose by cross-validation."""
    if isinstance(model, GridSearchCV):
        chosen = model.best_params_ or {"none": True}
        return {
            name.removeprefix("regressor__"): value for name, value in chosen.items()
        }
    return {}


def check_scoring(problem, scoring):
    """Return the name of a scorer that fits the task.

    Parameters
    ----------
    problem : Problem
    scoring : str or None
        None stands for what the estimators' own ``score`` gives: R² or accuracy.

    Returns
    -------
    str
    """
    if scoring is None:
        return "accuracy" if problem.is_classification else "r2"
    if scoring not in get_scorer_names():
        raise InputError(
            f"--scoring {scoring} is not a scorer of scikit-learn."
            f"{suggest(scoring, get_scorer_names())} Try r2 or "
            "neg_mean_absolute_error, for classes accuracy, roc_auc or neg_log_loss."
        )
    dummy = DummyClassifier() if problem.is_classification else DummyRegressor()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            get_scorer(scoring)(dummy.fit(problem.X, problem.y), problem.X, problem.y)
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(
                f"--scoring {scoring} does not suit this {problem.task} of "
                f"{problem.target}: {error}"
            ) from error
    return scoring
