"""The names of the modules _engine_*, one for each instruction set."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array, csr_matrix

CHUNK_ROWS: int

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Key: TypeAlias = tuple[int, int]

def max_threads() -> int: ...

class _Statistics(Protocol):
    values: _Floats
    decay: float
    gathered: float

class _Attack(Protocol):
    n_steps: int
    l2: bool
    random_start: bool
    epsilon: float
    step_size: float
    clean_weight: float
    lower: float
    upper: float

class _Groups(Protocol):
    starts: NDArray[np.intp]
    features: NDArray[np.intp]

class _LowRank(Protocol):
    ranks: Sequence[int]
    scales: Sequence[float]
    base: _Floats
    factors: _Floats
    first: _Floats
    second: _Floats | None

class _Optimizer(Protocol):
    adam: bool
    beta_1: float
    beta_2: float
    epsilon: float
    momentum: float
    nesterov: bool
    first: _Floats
    second: _Floats | None
    average: _Floats | None
    average_decay: float
    anchor: _Floats | None
    scales: _Floats | None
    scale_first: _Floats | None
    scale_second: _Floats | None
    unscaled: _Floats | None
    scale_rate: float
    step: int

class Data:
    X: _Floats | csr_array | csr_matrix
    targets: _Floats | NDArray[np.int32] | None
    weights: _Floats | None
    subset: NDArray[np.intp] | None
    dtype: np.dtype[Any]
    n_outputs: int
    def __init__(
        self,
        X: _Floats | csr_array | csr_matrix,
        targets: _Floats | NDArray[np.int32] | None,
        weights: _Floats | None,
        n_outputs: int,
        subset: NDArray[np.intp] | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...

class Engine:
    dtype: np.dtype[Any]
    threads: int
    capacity: int
    max_grad_norm: float
    n_parameters: int
    def __init__(
        self,
        layer_sizes: Sequence[int],
        activations: Sequence[int],
        loss: int,
        loss_parameter: float,
        dtype: DTypeLike,
        *,
        dropout: Sequence[float] | None = None,
        input_dropout: float = 0.0,
        batch_norm: int = 0,
        norm_epsilon: float = 1e-5,
        residual: bool | Sequence[int] = False,
        skip: bool = False,
        label_smoothing: float = 0.0,
        max_grad_norm: float = ...,
        attack: _Attack | None = None,
        augmentation: NDArray[np.void] | None = None,
        groups: _Groups | None = None,
        scaling: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
        capacity: int = 256,
        training: bool = True,
        threads: int = 1,
    ) -> None: ...
    def segments(
        self,
        l1: Sequence[float],
        l2: Sequence[float],
        weight_decay: float = 0.0,
        max_norm: Sequence[float] | None = None,
        group_l1: float = 0.0,
        hierarchy: float | None = None,
        *,
        trained: tuple[Sequence[bool], Sequence[bool]] | None = None,
        anchor: Sequence[float] | None = None,
        feature_scaling: bool = False,
    ) -> NDArray[np.void]: ...
    def set_dropout(self, dropout: Sequence[float], input_dropout: float) -> None: ...
    def run_epoch(
        self,
        params: _Floats,
        data: Data,
        *,
        optimizer: _Optimizer,
        segments: NDArray[np.void],
        key: _Key,
        epoch: int,
        order: NDArray[np.intp] | None,
        learning_rates: NDArray[np.float64],
        batch_size: int,
        statistics: _Statistics | None = None,
        low_rank: _LowRank | None = None,
        threads: int = 1,
    ) -> float: ...
    def merge(self, params: _Floats, low_rank: _LowRank) -> None: ...
    def loss_and_gradient(
        self,
        params: _Floats,
        data: Data,
        gradient: _Floats | None = None,
        *,
        key: _Key | None = None,
        step: int = 0,
        centre: _Floats | None = None,
        statistics: _Statistics | None = None,
        threads: int = 1,
    ) -> float: ...
    def gather_statistics(
        self,
        params: _Floats,
        data: Data,
        statistics: _Statistics,
        *,
        threads: int = 1,
    ) -> None: ...
    def input_gradient(
        self, params: _Floats, data: Data, out: _Floats, *, threads: int = 1
    ) -> _Floats: ...
    def predict(
        self,
        params: _Floats,
        data: Data,
        out: _Floats,
        *,
        raw: bool = False,
        threads: int = 1,
    ) -> _Floats: ...
