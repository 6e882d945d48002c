from typing import Literal

from skreg._kernels import _engine as engine
from skreg._kernels import _sparse_weights as sparse_weights
from skreg._kernels import _units as units

__all__ = ["ISA", "engine", "sparse_weights", "units"]

ISA: Literal["baseline", "v3", "v4"]
