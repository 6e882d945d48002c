"""The comparison as a picture."""

from matplotlib.figure import Figure

from .candidates import TUNED

PLAIN, MARKED, FAINT = "#5b6770", "#c8501e", "#b9c0c5"


def draw(comparison):
    """Draw the candidates' scores and, if known, the regularizers' effects.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    matplotlib.figure.Figure
    """
    effects = comparison.effects
    rows = max(len(comparison.ranked), len(effects))
    figure = Figure(figsize=(11 if effects else 6, 1.6 + 0.42 * rows), dpi=150)
    panels = figure.subplots(1, 2 if effects else 1, squeeze=False)[0]
    scores = [result.scores for result in comparison.ranked]
    _draw_samples(panels[0], scores, {TUNED})
    panels[0].set_title("Candidates")
    panels[0].set_xlabel(f"{comparison.scoring} (higher is better)")
    if effects:
        _draw_samples(panels[1], effects, {e.name for e in effects if e.is_clear})
        panels[1].axvline(0, color=PLAIN, linewidth=1, zorder=0)
        panels[1].set_title("Regularizers against the network without one")
        panels[1].set_xlabel(f"change in {comparison.scoring}, fold by fold")
    figure.suptitle(f"{comparison.problem.name}: {comparison.problem.task}")
    figure.set_layout_engine("constrained")
    return figure


def _draw_samples(axes, samples, marked):
    """Draw one row per sample, best on top: every fold, the mean, the spread."""
    for row, sample in enumerate(samples):
        color = MARKED if sample.name in marked else PLAIN
        axes.scatter(sample.values, [row] * len(sample.values), color=FAINT, s=14)
        axes.errorbar(
            sample.mean, row, xerr=sample.spread, fmt="o", color=color, capsize=3
        )
    axes.set_yticks(range(len(samples)), [sample.name for sample in samples])
    axes.invert_yaxis()
    axes.grid(axis="x", color="#e6e9eb")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
