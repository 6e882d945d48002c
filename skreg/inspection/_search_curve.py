"""The scores of a search against the strength of one regularizer."""

from collections import defaultdict
from numbers import Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg.inspection._axes import axes_for


class SearchCurveDisplay:
    """Plot of cross-validated scores against one parameter of a search.

    For each value the mean over the folds is plotted, with a band of one standard error
    of that mean to either side. Marked are the best value, and the most regular value
    whose mean is within one standard error of the best: the one-standard-error rule
    (Breiman, Friedman, Olshen & Stone 1984).

    Where the search went over other parameters too, a value stands for the best of its
    candidates. If all values met the same settings of the others, as in a grid, a line
    joins them. If not, as in a random search, they are a cloud of points.

    Make one with `from_estimator` or `from_cv_results`. Needs matplotlib.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Values of the parameter, ascending.
    test_scores : array-like of shape (n_values, n_folds)
        Scores on the held-out folds; higher is better.
    train_scores : array-like of shape (n_values, n_folds) or None, default=None
        Scores on the training folds.
    param : str, default="strength"
        The parameter's name.
    score_name : str, default="Score"
        What the scores are.
    more_regular : {"larger", "smaller"} or None, default="larger"
        Which values regularize more. None leaves the rule out.
    joined : bool, default=True
        Whether a line joins the values.

    Attributes
    ----------
    best_value : float
        That of the highest mean score.
    one_standard_error_value : float or None
        That of the one-standard-error rule; None with ``more_regular=None`` or with
        fewer than two folds.
    ax_ : matplotlib Axes
        With the curves, after `plot`.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : dict of str to matplotlib artist
        "test", and where they were plotted "train", "best" and "one_standard_error".
    bands_ : dict of str to matplotlib artist
        Standard errors of "test", and of "train" where that was plotted.

    References
    ----------
    Breiman, Friedman, Olshen, Stone (1984). Classification and regression trees.
    Wadsworth.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skreg import RegularizedMLPRegressor
    >>> from skreg.inspection import SearchCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GridSearchCV(
    ...     RegularizedMLPRegressor((), solver="lbfgs"), {"l1": [0.01, 0.1, 1.0, 10.0]}
    ... ).fit(X, y)
    >>> display = SearchCurveDisplay.from_estimator(search)
    >>> display.best_value == search.best_params_["l1"]
    np.True_
    """

    def __init__(
        self,
        *,
        values,
        test_scores,
        train_scores=None,
        param="strength",
        score_name="Score",
        more_regular="larger",
        joined=True,
    ):
        self.values = values
        self.test_scores = test_scores
        self.train_scores = train_scores
        self.param = param
        self.score_name = score_name
        self.more_regular = more_regular
        self.joined = joined

    @property
    def _best(self):
        return int(np.argmax(np.mean(self.test_scores, axis=1)))

    @property
    def best_value(self):
        """The value of the highest mean score."""
        return np.asarray(self.values)[self._best]

    @property
    def one_standard_error_value(self):
        """The most regular value within one standard error of the best, or None."""
        index = self._within_one_error()
        return None if index is None else np.asarray(self.values)[index]

    def _within_one_error(self):
        mean, error = _mean_and_error(self.test_scores)
        if self.more_regular is None or error is None:
            return None
        near = np.flatnonzero(mean >= mean[self._best] - error[self._best])
        return int(near[-1] if self.more_regular == "larger" else near[0])

    @classmethod
    def from_estimator(cls, search, param=None, *, score_name=None, **parameters):
        """Plot the scores of a fitted search.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or any with ``cv_results_``
            Fitted.
        param, more_regular, metric, negate_score, ax, **line
            As in `from_cv_results`; `metric` of a search with several metrics is the
            one that it refits by, unless another is given.
        score_name : str or None, default=None
            Label of the vertical axis; None follows ``scoring``.

        Returns
        -------
        display : SearchCurveDisplay
            After `plot`.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If it is no search.
        ValueError
            As `from_cv_results`.
        """
        if not hasattr(search, "cv_results_"):
            if hasattr(search, "cv"):
                check_is_fitted(search, "cv_results_")
            raise TypeError(
                "search must have cv_results_, as GridSearchCV and RandomizedSearchCV "
                f"have once fitted; got {type(search).__name__}."
            )
        refit = getattr(search, "refit", None)
        several = "mean_test_score" not in search.cv_results_
        if parameters.get("metric") is None and several and isinstance(refit, str):
            parameters["metric"] = refit
        scoring = getattr(search, "scoring", None)
        if score_name is None and not several and isinstance(scoring, str):
            score_name = scoring
        return cls.from_cv_results(
            search.cv_results_, param, score_name=score_name, **parameters
        )

    @classmethod
    def from_cv_results(
        cls,
        cv_results,
        param=None,
        *,
        metric=None,
        more_regular="larger",
        score_name=None,
        negate_score=False,
        ax=None,
        **line,
    ):
        """Plot the scores of a search's ``cv_results_``.

        Parameters
        ----------
        cv_results : dict
            As ``cv_results_`` of a search, with the scores of each split. Candidates
            that failed are left out.
        param : str or None, default=None
            The parameter, such as "l1", in full or, of a pipeline's step, without the
            step's name. Its values are numbers. None is the only one that was searched.
        metric : str or None, default=None
            Which metric, of a search with several.
        more_regular : {"larger", "smaller"} or None, default="larger"
            Which values regularize more: "larger" of a penalty or a rate of dropout,
            "smaller" of ``max_norm``, the number of units or epochs. None leaves the
            one-standard-error rule out.
        score_name : str or None, default=None
            Label of the vertical axis; None is the metric's name.
        negate_score : bool, default=False
            Whether to plot minus the scores: errors, where the metric is ``"neg_..."``.
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        **line
            For matplotlib's ``plot`` of the mean test score.

        Returns
        -------
        display : SearchCurveDisplay
            After `plot`.

        Raises
        ------
        ValueError
            If there is no such parameter or metric, if values are not numbers, or if no
            candidate has scores.
        """
        if more_regular not in ("larger", "smaller", None):
            raise ValueError(
                "more_regular must be 'larger', 'smaller' or None; got "
                f"{more_regular!r}. 'larger' is right for a penalty."
            )
        param = _searched(cv_results, param)
        metric = _metric(cv_results, metric)
        test = _scores(cv_results, "test", metric)
        train = _scores(cv_results, "train", metric)
        candidates, joined = _best_of_each_value(cv_results, param, test)
        if score_name is None:
            score_name = "Score" if metric == "score" else metric
        display = cls(
            values=np.array([float(cv_results[param][i]) for i in candidates]),
            test_scores=test[candidates],
            train_scores=None if train is None else train[candidates],
            param=param.removeprefix("param_"),
            score_name=score_name,
            more_regular=more_regular,
            joined=joined,
        )
        return display.plot(ax=ax, negate_score=negate_score, **line)

    def plot(self, ax=None, *, negate_score=False, **line):
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None is a new figure.
        negate_score : bool, default=False
            Whether to plot minus the scores: errors, where the metric is ``"neg_..."``.
        **line
            For matplotlib's ``plot`` of the mean test score.

        Returns
        -------
        display : SearchCurveDisplay
            This one.

        Raises
        ------
        ImportError
            Without matplotlib: ``pip install "skreg[plot]"``.
        """
        ax = axes_for(self, ax)
        sign = -1 if negate_score else 1
        values = np.asarray(self.values)
        self.lines_, self.bands_ = {}, {}
        if self.train_scores is not None:
            self._plot_scores(ax, "train", self.train_scores, sign, {"color": "C1"})
        self._plot_scores(ax, "test", self.test_scores, sign, {"color": "C0"} | line)
        mean = sign * np.mean(self.test_scores, axis=1)
        self.lines_["best"] = ax.plot(
            values[self._best],
            mean[self._best],
            linestyle="none",
            marker="*",
            markersize=13,
            color="C3",
            zorder=4,
            label=f"best, {self.best_value:.3g}",
        )[0]
        index = self._within_one_error()
        if index is not None:
            self.lines_["one_standard_error"] = ax.axvline(
                values[index],
                color="0.4",
                linestyle=":",
                label=f"one standard error, {values[index]:.3g}",
            )
        _scale(ax, values)
        ax.set(xlabel=self.param.rpartition("__")[2], ylabel=self._label(negate_score))
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_scores(self, ax, part, scores, sign, style):
        """Means, and standard errors as a band or, of points, as bars."""
        values = np.asarray(self.values)
        mean, error = _mean_and_error(scores)
        style = {
            "marker": "o",
            "markersize": 4,
            "linestyle": "-" if self.joined else "none",
            "label": f"{part}, mean of {np.shape(scores)[1]} folds",
        } | style
        (self.lines_[part],) = ax.plot(values, sign * mean, **style)
        if error is None:
            return
        color = self.lines_[part].get_color()
        if self.joined:
            self.bands_[part] = ax.fill_between(
                values,
                sign * (mean - error),
                sign * (mean + error),
                color=color,
                alpha=0.18,
                linewidth=0,
            )
        else:
            self.bands_[part] = ax.errorbar(
                values, sign * mean, error, fmt="none", ecolor=color, alpha=0.5
            )

    def _label(self, negated):
        """The score's name in words."""
        name = str(self.score_name)
        minus = name.startswith("neg_")
        name = name.removeprefix("neg_").replace("_", " ")
        if minus != negated:
            return f"Negative {name}"
        return name[:1].upper() + name[1:]


def _mean_and_error(scores):
    """Mean over folds, and its standard error, None of one fold; (n_values,) each."""
    scores = np.asarray(scores)
    n_folds = scores.shape[1]
    mean = scores.mean(axis=1)
    if n_folds < 2:
        return mean, None
    return mean, scores.std(axis=1, ddof=1) / np.sqrt(n_folds)


def _searched(cv_results, param):
    """The column of a parameter, "param_..."."""
    columns = [name for name in cv_results if name.startswith("param_")]
    searched = ", ".join(name.removeprefix("param_") for name in columns)
    if param is None:
        if len(columns) != 1:
            raise ValueError(
                f"param must be one of the parameters that were searched: {searched}. "
                "Only where there is one may it be None."
            )
        return columns[0]
    if f"param_{param}" in columns:
        return f"param_{param}"
    ends = [name for name in columns if name.endswith(f"__{param}")]
    if len(ends) != 1:
        raise ValueError(
            f"param must be one of the parameters that were searched: {searched}; got "
            f"{param!r}."
        )
    return ends[0]


def _metric(cv_results, metric):
    """The name behind "mean_test_"."""
    prefix = "mean_test_"
    names = [
        name.removeprefix(prefix) for name in cv_results if name.startswith(prefix)
    ]
    if metric is None and len(names) == 1:
        return names[0]
    if metric not in names:
        raise ValueError(
            f"metric must be one of the search's: {', '.join(names)}; got {metric!r}."
        )
    return metric


def _scores(cv_results, part, metric):
    """Scores of each candidate and split, (n_candidates, n_splits), or None."""
    splits = []
    while (name := f"split{len(splits)}_{part}_{metric}") in cv_results:
        splits.append(np.asarray(cv_results[name], dtype=np.float64))
    if splits:
        return np.column_stack(splits)
    if part == "test":
        raise ValueError(
            f"cv_results must have the scores of each split, split0_test_{metric} and "
            "so on. Pass cv_results_ of a search as it is."
        )
    return None


def _best_of_each_value(cv_results, param, scores):
    """One candidate per value, values ascending; and whether a line may join them."""
    by_value, settings = defaultdict(list), defaultdict(set)
    for i, given in enumerate(cv_results["params"]):
        value = cv_results[param][i]
        if np.ma.is_masked(value) or np.isnan(scores[i]).any():
            continue  # another part of a list of grids, or a fit that failed
        if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
            raise ValueError(
                f"The values of {param.removeprefix('param_')} must be numbers; got "
                f"{value!r}. Choose another param, or leave such candidates out of the "
                "search."
            )
        others = {k: v for k, v in given.items() if f"param_{k}" != param}
        by_value[value].append(i)
        settings[value].add(repr(sorted(others.items(), key=lambda item: item[0])))
    if not by_value:
        raise ValueError(
            f"No candidate has a value of {param.removeprefix('param_')} and scores on "
            "all splits. Set error_score='raise' in the search to see why fits fail."
        )
    values = sorted(by_value)
    means = scores.mean(axis=1)
    best = [max(by_value[value], key=lambda i: means[i]) for value in values]
    return best, all(settings[value] == settings[values[0]] for value in values)


def _scale(ax, values):
    """A logarithmic axis where values, zero apart, differ by more than a factor 20."""
    positive = values[values > 0]
    if values.min() < 0 or len(positive) < 2 or positive.max() < 20 * positive.min():
        return
    if len(positive) == len(values):
        ax.set_xscale("log")
        return
    # zero has a place of its own, one decade to the left
    ax.set_xscale("symlog", linthresh=positive.min(), linscale=0.5)
    ax.set_xlim(left=-0.1 * positive.min())
