"""Where a display plots."""


def axes_for(display, ax, **figure):
    """`ax`, or the axes of a new figure.

    Parameters
    ----------
    display : object
        Its class is named in the error.
    ax : matplotlib Axes or None
    **figure
        For matplotlib's ``subplots``, if a new figure is made.

    Raises
    ------
    ImportError
        Without matplotlib: ``pip install "skreg[plot]"``.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__}.plot needs matplotlib. Install it with "
            "pip install 'skreg[plot]'."
        ) from error
    if ax is None:
        _, ax = plt.subplots(layout="constrained", **figure)
    return ax


def divide(ax, heights):
    """`ax` as several axes, one below the other, with a common horizontal axis.

    Parameters
    ----------
    ax : matplotlib Axes
        Becomes the first.
    heights : list of float
        Relative heights.

    Returns
    -------
    axes : list of matplotlib Axes

    Raises
    ------
    ValueError
        If `ax` is no part of a grid, which could make room.
    """
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            f"ax is no part of a grid, and so cannot be divided into {len(heights)} "
            "axes. Pass one made by plt.subplots, or None."
        )
    parts = place.subgridspec(len(heights), 1, height_ratios=heights)
    ax.set_subplotspec(parts[0])
    rest = [ax.figure.add_subplot(part, sharex=ax) for part in list(parts)[1:]]
    for upper in [ax, *rest][:-1]:
        upper.tick_params(labelbottom=False)
    return [ax, *rest]


def whole_numbers(axis):
    """Ticks of a matplotlib axis at whole numbers, unless it has another scale."""
    if axis.get_scale() == "linear":
        from matplotlib.ticker import MaxNLocator

        axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
