"""The look of the plots in the gallery."""

import matplotlib


def set_plot_style(gallery_conf, file):
    """Called before every example."""
    matplotlib.rcParams.update(
        {"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
    )
