"""Where a display plots."""


def axes_for(display, ax):
    """`ax`, or the axes of a new figure.

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
        _, ax = plt.subplots(layout="constrained")
    return ax
