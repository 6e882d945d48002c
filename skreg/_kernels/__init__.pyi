from typing import Literal

from skreg._kernels import _engine as engine
from skreg._kernels import _units as units

__all__ = ["ISA", "engine", "units"]

ISA: Literal["baseline", "v3", "v4"]
