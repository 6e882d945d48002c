"""What the scores say: means and spreads, differences, and both in words."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from .candidates import TUNED, UNREGULARIZED
from .problem import Problem
from .significance import LEVEL, corrected_t_test, holm

HELPED, WORSE, UNDECIDED = "helped", "made it worse", "no evidence"
WORDINGS = {
    HELPED: "Helped as well: {}.",
    UNDECIDED: "No evidence of a difference: {}.",
    WORSE: "Made it worse: {}.",
}
TEST = (
    "p: corrected resampled t test (Nadeau & Bengio 2003), Holm's correction for all "
    f"rows; below {LEVEL:g} counts."
)


@dataclass(frozen=True)
class Sample:
    """Numbers, one per fold, under a name."""

    name: str
    values: np.ndarray

    @property
    def mean(self):
        return float(np.mean(self.values))

    @property
    def spread(self):
        """Standard deviation over the folds."""
        return float(np.std(self.values, ddof=1))


@dataclass(frozen=True)
class Difference(Sample):
    """Differences between two models' scores, fold by fold.

    Attributes
    ----------
    p : float
        Of the corrected resampled t test, corrected for its companions too.
    """

    p: float

    @classmethod
    def all(cls, values, n_rows):
        """Test differences together.

        Parameters
        ----------
        values : dict of str to ndarray
            A difference per fold under each name.
        n_rows : int
            Of all folds.

        Returns
        -------
        list of Difference
        """
        p_values = [
            corrected_t_test(
                differences, 1 / (len(differences) - 1), n_rows // len(differences)
            )
            for differences in values.values()
        ]
        return [
            cls(name, differences, float(p))
            for (name, differences), p in zip(
                values.items(), holm(p_values), strict=True
            )
        ]

    @property
    def better(self):
        """On how many folds the first model was better."""
        return f"{np.sum(self.values > 0)} of {len(self.values)}"

    @property
    def verdict(self):
        if self.p >= LEVEL:
            return UNDECIDED
        return HELPED if self.mean > 0 else WORSE

    @property
    def shown_p(self):
        """The p value in few digits."""
        return f"{self.p:.3f}" if self.p >= 0.001 else "<0.001"


@dataclass(frozen=True)
class Result:
    """All folds of one candidate, in the folds' order."""

    name: str
    folds: list

    @property
    def scores(self):
        return Sample(self.name, np.array([fold.score for fold in self.folds]))

    @property
    def seconds(self):
        return float(np.mean([fold.seconds for fold in self.folds]))

    @property
    def zeros(self):
        return float(np.mean([fold.zeros for fold in self.folds]))

    @property
    def failure(self):
        """Why the candidate cannot be ranked; empty when every fold has a score."""
        failures = [fold.failure for fold in self.folds if fold.failure]
        if failures:
            done = len(self.folds) - len(failures)
            return f"{failures[0]} ({done} of {len(self.folds)} folds were done)"
        return (
            "" if np.isfinite(self.scores.values).all() else "its score is not finite"
        )

    @property
    def commonest(self):
        """The parameters that tuning chose on most folds, the first of equals."""
        parameters = [fold.parameters for fold in self.folds]
        return max(parameters, key=parameters.count)

    @property
    def choice(self):
        """The settings chosen most often, or the median where all folds differ."""
        settings = [fold.chosen for fold in self.folds]
        texts = [describe(setting) for setting in settings]
        text, count = Counter(texts).most_common(1)[0]
        if count == len(texts):
            return text
        if count > 1:
            return f"{text} ({count} of {len(texts)} folds)"
        if len({tuple(setting) for setting in settings}) > 1:
            return "; ".join(texts)
        medians = {
            name: np.median([setting[name] for setting in settings])
            for name in settings[0]
        }
        return f"{describe(medians)} (median)"


def describe(setting):
    """Write settings as words: numbers short, switches by their name alone."""
    return ", ".join(
        name if value is True else f"{name} {value:.3g}"
        for name, value in setting.items()
    )


@dataclass(frozen=True)
class Comparison:
    """The results of all candidates on one problem.

    Attributes
    ----------
    problem : Problem
    scoring : str
    ranked : list of Result
        Those with a score on every fold, best first.
    left_out : list of Result
    """

    problem: Problem
    scoring: str
    ranked: list
    left_out: list

    @classmethod
    def of(cls, problem, scoring, folds):
        """Gather the folds of all candidates, in whatever order they arrived."""
        by_name = {}
        for fold in sorted(folds, key=lambda fold: (fold.candidate, fold.number)):
            by_name.setdefault(fold.candidate, []).append(fold)
        results = [Result(name, of_name) for name, of_name in by_name.items()]
        ranked = [result for result in results if not result.failure]
        ranked.sort(key=lambda result: -result.scores.mean)
        left_out = [result for result in results if result.failure]
        return cls(problem, scoring, ranked, left_out)

    def __getitem__(self, name):
        """Return the ranked result of that name, or None."""
        return next((result for result in self.ranked if result.name == name), None)

    @property
    def effects(self):
        """What each regularizer adds to the unregularized network, most first."""
        plain, tuned = self[UNREGULARIZED], self[TUNED]
        if plain is None or tuned is None:
            return []
        names = set.intersection(*(set(fold.regularizers) for fold in tuned.folds))
        effects = Difference.all(
            {
                name: np.array([fold.regularizers[name] for fold in tuned.folds])
                - plain.scores.values
                for name in sorted(names)
            },
            len(self.problem.y),
        )
        return sorted(effects, key=lambda effect: -effect.mean)

    @property
    def decimals(self):
        """Decimals that show two digits of half the typical spread.

        Differences between models spread less than their scores.
        """
        spread = np.median([result.scores.spread for result in self.ranked]) / 2
        return int(np.clip(1 - np.floor(np.log10(spread)), 0, 6)) if spread else 3

    def show(self, sample, sign=""):
        """Write a sample as mean ± spread."""
        d = self.decimals
        return f"{sample.mean:{sign},.{d}f} ± {sample.spread:,.{d}f}"

    @property
    def warnings(self):
        """Number of warnings by candidate and category."""
        return Counter(
            {
                (result.name, category): count
                for result in [*self.ranked, *self.left_out]
                for category, count in sum(
                    (fold.warnings for fold in result.folds), Counter()
                ).items()
            }
        )


def sentences(comparison):
    """Say what the comparison has found.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of str
    """
    return [
        *_on_regularizers(comparison),
        *_on_winner(comparison),
        *_on_left_out(comparison),
        *_on_warnings(comparison),
    ]


def _on_regularizers(comparison):
    effects = comparison.effects
    if not effects:
        yield (
            "Which regularizer helped cannot be said: that needs both "
            f"the rows {UNREGULARIZED!r} and {TUNED!r}."
        )
        return
    show, scoring = comparison.show, comparison.scoring
    best, plain = effects[0], comparison[UNREGULARIZED].scores
    if best.verdict == HELPED:
        before = f"{plain.mean:,.{comparison.decimals}f}"
        after = f"{plain.mean + best.mean:,.{comparison.decimals}f}"
        yield (
            f"{best.name} helped most: {scoring} {show(best, '+')} over the folds "
            f"against the same network without a regularizer, from {before} to {after} "
            f"(p = {best.shown_p})."
        )
    else:
        yield (
            f"No evidence that a regularizer helped; the best, {best.name}, changed "
            f"{scoring} by {show(best, '+')} and was better on {best.better} folds "
            f"(p = {best.shown_p})."
        )
    for verdict, wording in WORDINGS.items():
        names = [effect.name for effect in effects[1:] if effect.verdict == verdict]
        if names:
            yield wording.format("; ".join(names))


def _on_winner(comparison):
    if not comparison.ranked:
        yield "No candidate has a score on every fold, so there is no winner."
        return
    winner, *others = [result.scores for result in comparison.ranked]
    yield (
        f"{winner.name} has the best mean score: {comparison.scoring} "
        f"{comparison.show(winner)}."
    )
    gaps = Difference.all(
        {o.name: o.values - winner.values for o in others}, len(comparison.problem.y)
    )
    near = [gap for gap in gaps if gap.verdict == UNDECIDED]
    if near:
        listing = "; ".join(f"{gap.name} ({comparison.show(gap, '+')})" for gap in near)
        yield f"No evidence that it is better than: {listing}."
    tuned = next((gap for gap in gaps if gap.name == TUNED and gap not in near), None)
    if tuned:
        yield (
            f"{TUNED} is clearly behind it: {comparison.show(tuned, '+')} "
            f"(p = {tuned.shown_p})."
        )


def _on_left_out(comparison):
    by_failure = {}
    for result in comparison.left_out:
        by_failure.setdefault(result.failure, []).append(result.name)
    for failure, names in by_failure.items():
        yield f"Left out: {'; '.join(names)}. Why: {failure}."


def _on_warnings(comparison):
    if comparison.warnings:
        listing = "; ".join(
            f"{name}: {count} {category}"
            for (name, category), count in comparison.warnings.items()
        )
        yield f"Warnings while fitting, counted instead of shown: {listing}."
