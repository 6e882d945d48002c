"""Everything compiled. Knows arrays and networks, nothing of scikit-learn.

Where things are:

- ``types.pxd``        the floating types, ``Layer``, ``Network`` and ``Matrix``
- ``rows.pxd``         X (dense or CSR), targets and weights of a data set
- ``activations.pxd``  each activation with its slope, and dropout's mask on both
- ``losses.pxd``       each loss with its derivative
- ``dropout.pxd``      masks; ``philox.pxd`` the random numbers behind them
- ``augmentation.pxd`` changes of the inputs in training; its ``_features``, ``_mixing``
  and ``_images`` do them, ``_types`` describes one
- ``matmul.pxd``       the products of a dense layer; ``matmul.h`` how they are done
- ``sparse.pxd``       the products with X where it is sparse
- ``sparse_weights.pxd``  prediction where the weights are; its ``.h`` the products
- ``arrays.pxd``       NumPy arrays as pointers
- ``vecmath.pxd``      exp, tanh, log, ... that turn into vector instructions
- ``vectors.h``        vectors of each instruction set, for the headers in C
- ``workspace.pxd``    buffers for the batches, and how their work is cut into blocks
- ``forward.pxd``      from the rows of a batch to the raw outputs of the network
- ``backward.pxd``     from the losses of a batch to the steps, with gradient clipping
- ``batch_norm.pxd``   normalising a layer's units over a batch, and the way back
- ``optimizers.pxd``   Adam and SGD steps with decay, the L1 prox and moving averages
- ``feature_groups.pxd``  weights of features, shrunk together after the step;
  ``group_lasso.pxd`` and ``hierarchy.pxd`` are how
- ``low_rank.pxd``     steps of two thin factors instead of a whole weight matrix
- ``max_norm.pxd``     the bound on a unit's incoming weights, after the step
- ``adversarial.pxd``  perturbing the rows of a batch so that the loss rises
- ``team.pxd``         threads, and how they share the blocks
- ``loops.pxd``        the loops over batches, as every thread of a team runs them
- ``signals.pxd``      Ctrl-C, between and within batches
- ``_engine.pyx``      data and buffers, and what Python calls to run these loops
- ``_tables.pyx``      structs as dtypes, and numbers of what Python asks for by name
- ``_sparse_weights.pyx``  the same for predictions with sparse weights
- ``_units.pyx``       single kernels opened to Python, for tests, documentation and
  what a fitted network needs of them

The ``.pxd`` files hold inline functions for float and double; each ``.pyx`` is one
translation unit that includes them. All but ``_tables`` and ``_cpu`` are built for
every instruction set in ``meson.build``. Importing this package chooses the best that
the processor has; the environment variable ``SKREG_ISA`` forces one of ``baseline``,
``v3`` and ``v4``.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

if find_spec(f"{__name__}._cpu") is None:
    # Before anything else is imported: `skreg.__init__` imports this package first.
    raise ImportError(
        f"skreg was imported from {Path(__file__).parents[1]}, a source folder without "
        "compiled modules. Python finds it before the installed package, because its "
        "parent is the current directory or that of the script. Run Python from "
        "another folder or with the option -P (or PYTHONSAFEPATH=1), after `pip "
        "install .`; or make an editable install, which compiles the source folder: "
        "`python3 tools/develop.py`."
    )

from skreg._kernels import _cpu


def _available():
    """Instruction sets that were built and that the processor has, best last."""
    return [
        name for name in _cpu.supported() if find_spec(f"{__name__}._engine_{name}")
    ]


def _chosen():
    available = _available()
    if not available:
        raise ImportError(
            "skreg was built without kernels that this processor can run: it has "
            f"{_cpu.supported()}. Build skreg on this machine, or without the option "
            "-Dinstruction_sets."
        )
    forced = os.environ.get("SKREG_ISA", "")
    if not forced:
        return available[-1]
    if forced not in available:
        raise ImportError(
            f"SKREG_ISA must be one of {available} on this machine, got {forced!r}. "
            "Unset it to let skreg choose."
        )
    return forced


ISA = _chosen()
engine = import_module(f"{__name__}._engine_{ISA}")
sparse_weights = import_module(f"{__name__}._sparse_weights_{ISA}")
units = import_module(f"{__name__}._units_{ISA}")
