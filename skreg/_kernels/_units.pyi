"""The names of the modules _units_*, one for each instruction set."""

from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

_Float = TypeVar("_Float", np.float32, np.float64)

def philox4x32(
    counter: tuple[int, int, int, int], key: tuple[int, int]
) -> list[int]: ...
def shuffled(n: int, key: tuple[int, int], epoch: int) -> NDArray[np.intp]: ...
def philox_group(
    counter: tuple[int, int, int, int], key: tuple[int, int]
) -> NDArray[np.uint32]: ...
def dropout_mask(
    shape: tuple[int, int], rate: float, key: tuple[int, int], layer: int, step: int
) -> NDArray[np.float64]: ...
def dropout_factor(
    rate: float, key: tuple[int, int], layer: int, step: int, element: int
) -> float: ...
def normal_numbers(
    key: tuple[int, int], layer: int, step: int, groups: int
) -> NDArray[np.float32]: ...
def augmented(
    x: NDArray[_Float], table: NDArray[np.void], key: tuple[int, int], step: int
) -> tuple[NDArray[_Float], NDArray[np.float64], int]: ...
def activate(
    activation: int, z: NDArray[_Float]
) -> tuple[NDArray[_Float], NDArray[_Float]]: ...
def vector_function(
    name: Literal[
        "exp",
        "expm1_negative",
        "tanh",
        "logistic",
        "log",
        "log1p_unit",
        "normal_cdf",
    ],
    x: NDArray[_Float],
) -> NDArray[_Float]: ...
def sine_and_cosine(
    x: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
def losses_of(
    loss: int, parameter: float, f: NDArray[_Float], y: NDArray[_Float]
) -> tuple[NDArray[np.float64], NDArray[_Float]]: ...
def inverse_link(loss: int, f: NDArray[_Float]) -> NDArray[_Float]: ...
def soft_threshold(w: NDArray[_Float], threshold: float) -> NDArray[_Float]: ...
def group_prox(
    w: NDArray[np.float64], metric: NDArray[np.float64], lam: float
) -> NDArray[np.float64]: ...
def hierarchy_prox(
    t: NDArray[np.float64],
    t_metric: NDArray[np.float64],
    w: NDArray[np.float64],
    w_metric: NDArray[np.float64],
    lam: float,
    bound: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def forward_product(
    x: NDArray[_Float], w: NDArray[_Float], b: NDArray[_Float]
) -> NDArray[_Float]: ...
def add_product(
    x: NDArray[_Float], w: NDArray[_Float], start: NDArray[_Float]
) -> NDArray[_Float]: ...
def weight_gradient_product(
    x: NDArray[_Float], delta: NDArray[_Float], start: NDArray[_Float], accumulate: bool
) -> NDArray[_Float]: ...
def input_gradient_product(
    delta: NDArray[_Float], w: NDArray[_Float], start: NDArray[_Float], accumulate: bool
) -> NDArray[_Float]: ...
