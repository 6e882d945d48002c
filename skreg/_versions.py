"""show_versions: what a bug report needs to say of an installation."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from skreg import _kernels

PACKAGES = ("skreg", "scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl")


def show_versions():
    """Print the versions, the instruction set and the thread pools in use.

    Paste it into a report of a bug.

    See Also
    --------
    sklearn.show_versions : More on scikit-learn's own installation.

    Examples
    --------
    >>> import skreg
    >>> skreg.show_versions()  # doctest: +ELLIPSIS
    python: ...
    system: ...
    <BLANKLINE>
    skreg: ...
    scikit-learn: ...
    numpy: ...
    scipy: ...
    joblib: ...
    threadpoolctl: ...
    <BLANKLINE>
    instruction set: ... (of ...)
    ...
    """
    # the kernels, and BLAS, are loaded when skreg has been imported
    lines = [
        f"python: {sys.version}",
        f"system: {platform.platform()}",
        "",
        *(f"{name}: {version_of(name)}" for name in PACKAGES),
        "",
        f"instruction set: {_kernels.ISA} (of {', '.join(_kernels._available())})",
    ]
    for pool in threadpool_info():
        lines += ["", *(f"{key}: {value}" for key, value in pool.items())]
    print("\n".join(lines))


def version_of(package):
    """The version installed, or a word for its absence."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
