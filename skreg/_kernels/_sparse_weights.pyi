"""The names of the modules _sparse_weights_*, one for each instruction set."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, csr_matrix

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

class SparsePredictor:
    dtype: np.dtype[Any]
    threads: int
    n_features: int
    n_outputs: int
    def __init__(
        self,
        coefs: Sequence[csc_array],
        intercepts: Sequence[_Floats],
        activations: Sequence[int],
        loss: int,
        *,
        residual: Sequence[int],
        skip: csc_array | None = None,
        threads: int = 1,
    ) -> None: ...
    def predict(
        self,
        X: _Floats | csr_array | csr_matrix,
        out: _Floats,
        *,
        raw: bool = False,
        threads: int = 1,
    ) -> _Floats: ...
