"""The comparison as a plot."""

from matplotlib.figure import Figure

from .candidates import DUMMY, TUNED
from .findings import HELPED

PLAIN, MARKED, FAINT, GRID = "#5b6770", "#c8501e", "#b9c0c5", "#e6e9eb"


def draw(comparison):
    """Draw the candidates' scores and, where known, the regularizers' effects.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    matplotlib.figure.Figure
    """
    effects = comparison.effects
    scores = [result.scores for result in comparison.ranked if result.name != DUMMY]
    rows = max(len(scores), len(effects))
    figure = Figure(
        figsize=(11 if effects else 6, 1.7 + 0.4 * rows), dpi=150, layout="constrained"
    )
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
    panels = figure.subplots(1, 2 if effects else 1, squeeze=False)[0]
    _draw_samples(panels[0], scores, marked={TUNED})
    panels[0].set_title("Candidates", loc="left")
    panels[0].set_xlabel(_score_label(comparison))
    if effects:
        helped = {effect.name for effect in effects if effect.verdict == HELPED}
        panels[1].axvline(0, color=PLAIN, linewidth=1, zorder=1)
        _draw_samples(panels[1], effects, marked=helped)
        panels[1].set_title("Each regularizer against none", loc="left")
        panels[1].set_xlabel(f"change in {comparison.scoring}, fold by fold")
    figure.suptitle(
        f"{comparison.problem.name}: {comparison.problem.task} of "
        f"{comparison.problem.target}",
        fontweight="bold",
    )
    figure.supxlabel(
        "Dots: the folds. Bars: their mean ± standard deviation.",
        fontsize="small",
        color=PLAIN,
    )
    return figure


def _score_label(comparison):
    """Tell the dummy's score in words: its place would squeeze all others."""
    dummy = comparison[DUMMY]
    level = f"; dummy: {dummy.scores.mean:,.{comparison.decimals}f}" if dummy else ""
    return f"{comparison.scoring} (higher is better{level})"


def _draw_samples(axes, samples, marked):
    """Draw a row per sample, the first on top: its folds, mean and spread."""
    for row, sample in enumerate(samples):
        color = MARKED if sample.name in marked else PLAIN
        axes.scatter(
            sample.values, [row] * len(sample.values), color=FAINT, s=16, zorder=2
        )
        axes.errorbar(
            sample.mean, row, xerr=sample.spread, fmt="o", color=color, capsize=3
        )
    axes.set_yticks(range(len(samples)), [sample.name for sample in samples])
    axes.invert_yaxis()
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
