"""exp, tanh and the like of vecmath.h, in units in the last place."""

import numpy as np
import pytest
from cases import both_dtypes
from scipy.special import ndtr

from skreg._kernels import units

# NumPy's own functions in more digits than the kernel's. Where the platform has no
# longer type than double, the oracle itself is off by up to one unit.
LONGER = {np.float32: np.float64, np.float64: np.longdouble}
HAS_LONGER = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant

# name: (oracle, range of arguments by type, allowed units in the last place)
FUNCTIONS = {
    "exp": (np.exp, {np.float32: (-103, 88.7), np.float64: (-745, 709.7)}, 1.5),
    "expm1_negative": (
        np.expm1,
        {np.float32: (-60, 0), np.float64: (-60, 0)},
        1.5,
    ),
    "log": (np.log, {np.float32: (1e-37, 1e37), np.float64: (1e-300, 1e300)}, 3),
    "log1p_unit": (np.log1p, {np.float32: (0, 1), np.float64: (0, 1)}, 3),
    "tanh": (np.tanh, {np.float32: (-20, 20), np.float64: (-40, 40)}, 3),
    "logistic": (
        lambda x: 1 / (1 + np.exp(-x)),
        {np.float32: (-87, 87), np.float64: (-700, 700)},
        3,
    ),
}


def arguments(low, high, dtype, n=200_000):
    """Evenly over the range, and ever denser towards zero."""
    even = np.linspace(low, high, n)
    small = np.geomspace(1e-30, 1, n // 4)
    x = np.concatenate([even, small, -small]).astype(dtype)
    return x[(x >= low) & (x <= high)]


def off_by(got, exact):
    """Distance in units in the last place of the exact result's neighbours."""
    return np.abs(got - exact) / np.spacing(np.abs(exact).astype(got.dtype))


@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_units_in_the_last_place(name, dtype):
    oracle, ranges, allowed = FUNCTIONS[name]
    x = arguments(*ranges[dtype], dtype)
    got = units.vector_function(name, x)
    assert got.dtype == dtype
    if dtype == np.float64 and not HAS_LONGER:
        allowed += 1
    with np.errstate(under="ignore"):
        worst = off_by(got, oracle(x.astype(LONGER[dtype]))).max()
    assert worst <= allowed


@pytest.mark.parametrize("dtype", both_dtypes)
def test_normal_cdf(dtype):
    x = arguments(-30, 30, dtype)
    got = units.vector_function("normal_cdf", x)
    if dtype == np.float32:
        np.testing.assert_allclose(got, ndtr(x.astype(float)), rtol=0, atol=3e-7)
    else:
        # an error of x by one unit is one of x^2 units in the tail
        np.testing.assert_allclose(got, ndtr(x), rtol=1e-13)


@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        (
            "exp",
            [-np.inf, -1e30, 0.0, -0.0, 1e30, np.inf],
            [0, 0, 1, 1, np.inf, np.inf],
        ),
        ("expm1_negative", [-np.inf, -1e30, 0.0, -0.0], [-1, -1, 0, 0]),
        ("tanh", [-np.inf, -1e30, 0.0, -0.0, 1e30, np.inf], [-1, -1, 0, 0, 1, 1]),
        ("logistic", [-np.inf, -1e30, 0.0, 1e30, np.inf], [0, 0, 0.5, 1, 1]),
        ("normal_cdf", [-np.inf, -1e30, 1e30, np.inf], [0, 0, 1, 1]),
    ],
)
def test_limits_are_exact(name, x, expected, dtype):
    got = units.vector_function(name, np.array(x, dtype=dtype))
    np.testing.assert_array_equal(got, np.array(expected, dtype=dtype))


@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize("name", [*FUNCTIONS, "normal_cdf"])
def test_nan_stays_nan(name, dtype):
    x = np.array([np.nan, -np.nan, -1.0], dtype=dtype)
    np.testing.assert_array_equal(
        np.isnan(units.vector_function(name, x)), [True, True, False]
    )


@pytest.mark.parametrize("dtype", both_dtypes)
def test_tanh_is_odd(dtype):
    x = arguments(0, 20, dtype)
    np.testing.assert_array_equal(
        units.vector_function("tanh", -x), -units.vector_function("tanh", x)
    )


@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("tanh", -1, 1), ("logistic", 0, 1), ("normal_cdf", 0, 1), ("exp", 0, np.inf)],
)
def test_results_stay_in_their_range(name, low, high, dtype):
    got = units.vector_function(name, arguments(-1000, 1000, dtype))
    assert got.min() >= low
    assert got.max() <= high


@pytest.mark.parametrize("dtype", both_dtypes)
def test_exp_reaches_subnormal_numbers_and_infinity(dtype):
    info = np.finfo(dtype)
    last = np.log(np.longdouble(info.max))
    x = np.array(
        [np.log(np.longdouble(info.smallest_subnormal)), last - 1e-3, last + 1e-3]
    )
    got = units.vector_function("exp", x.astype(dtype))
    assert 0 < got[0] < info.tiny
    assert np.isfinite(got[1])
    assert np.isposinf(got[2])
