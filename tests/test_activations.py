"""Each activation of the registry: value and slope against oracle and differences."""

import re
from pathlib import Path

import numpy as np
import pytest
import reference
from cases import both_dtypes

from skreg._kernels import units
from skreg._problem.activations import ACTIVATIONS

KERNELS = Path(__file__).resolve().parent.parent / "skreg" / "_kernels"

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)
# Relative, and absolute beside values of order 1. The normal distribution function
# in single precision is the least exact.
TOLERANCE = {np.float32: 3e-6, np.float64: 1e-14}


def activate(name, z):
    return units.activate(ACTIVATIONS[name].kernel, z)


def grid(dtype=np.float64):
    """From deep in one tail to deep in the other, with zero."""
    tail = np.geomspace(1e-6, 80, 3001)
    return np.concatenate([-tail[::-1], [0.0], tail]).astype(dtype)


def test_registry_has_the_numbers_of_the_kernels():
    source = (KERNELS / "activations.pxd").read_text("utf-8")
    body = source.split("cdef enum Activation:\n")[1].split("\n\n")[0]
    numbers = {
        name.lower(): int(number) for name, number in re.findall(r"(\w+) = (\d+)", body)
    }
    assert {name: entry.kernel for name, entry in ACTIVATIONS.items()} == numbers


def test_oracle_has_every_activation():
    assert set(reference.ACTIVATIONS) == set(ACTIVATIONS)


@pytest.mark.parametrize("dtype", both_dtypes)
@every_activation
def test_value_and_slope_equal_the_oracle(name, dtype):
    z = grid(dtype)
    got = activate(name, z)
    for array, oracle in zip(got, reference.ACTIVATIONS[name], strict=True):
        assert array.dtype == dtype
        tolerance = TOLERANCE[dtype]
        np.testing.assert_allclose(
            array, oracle(z.astype(np.float64)), rtol=tolerance, atol=tolerance
        )


@every_activation
def test_slope_is_the_derivative(name):
    z, h = grid(), 1e-5
    if name in reference.KINKED_ACTIVATIONS:
        z = z[np.abs(z) > h]
    differences = (activate(name, z + h)[0] - activate(name, z - h)[0]) / (2 * h)
    np.testing.assert_allclose(activate(name, z)[1], differences, rtol=0, atol=1e-5)
    # curvature jumps at zero for some; elsewhere the differences are good to h^2
    away = np.abs(z) > h
    np.testing.assert_allclose(
        activate(name, z[away])[1], differences[away], rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("dtype", both_dtypes)
@every_activation
def test_huge_arguments(name, dtype):
    z = np.array([-1e30, -1e12, -1e6, -1e3, 1e3, 1e6, 1e12, 1e30], dtype=dtype)
    got = activate(name, z)
    for array, oracle in zip(got, reference.ACTIVATIONS[name], strict=True):
        np.testing.assert_allclose(
            array, oracle(z.astype(np.float64)), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("dtype", both_dtypes)
@every_activation
def test_nan_passes_through(name, dtype):
    value, _ = activate(name, np.array([1.0, np.nan, -1.0], dtype=dtype))
    np.testing.assert_array_equal(np.isnan(value), [False, True, False])


@pytest.mark.parametrize("dtype", both_dtypes)
@every_activation
def test_bits_do_not_depend_on_the_neighbours(name, dtype):
    # an element may stand in a vector or in what is left over after the last one
    z = np.random.default_rng(0).normal(size=67).astype(dtype) * 3
    together = activate(name, z)
    for i in range(len(z)):
        for got, alone in zip(together, activate(name, z[i : i + 1]), strict=True):
            assert got[i] == alone[0]
