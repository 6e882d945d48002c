"""The prox of LassoNet's hierarchy against brute force."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from skreg._kernels import units


def clipped(w, T, bound):
    """The best hidden weights for the linear weights T."""
    reach = bound * np.linalg.norm(T, axis=-1, keepdims=True)
    return np.clip(w, -reach, reach)


def objective(T, t, d, w, e, lam, bound):
    """What is left to minimise once the hidden weights are the best; T: (..., k)."""
    return (
        ((T - t) ** 2 / (2 * d)).sum(axis=-1)
        + lam * np.linalg.norm(T, axis=-1)
        + ((clipped(w, T, bound) - w) ** 2 / (2 * e)).sum(axis=-1)
    )


def least(t, d, w, e, lam, bound):
    """The least value that a search over the linear weights finds."""
    case = t, d, w, e, lam, bound
    radius = 2 * max(np.linalg.norm(t), np.abs(w).max() / bound) + 1e-3
    rng = np.random.default_rng(0)
    if len(t) == 1:
        points = np.linspace(-radius, radius, 20_001)[:, None]
    else:
        points = rng.normal(size=(3000, len(t)))
        points *= (
            radius * rng.random((3000, 1)) / np.linalg.norm(points, axis=1)[:, None]
        )
    points = np.vstack([points, t, np.zeros(len(t))])
    values = objective(points, *case)
    found = [values.min()]
    for start in points[np.argsort(values)[:4]]:
        result = minimize(
            objective, start, case, "Nelder-Mead", options={"xatol": 1e-9, "fatol": 0}
        )
        found.append(result.fun)
    return min(found)


@st.composite
def cases(draw):
    """Linear and hidden weights, their metrics, lam and M."""
    n_linear = draw(st.integers(1, 4))
    n_hidden = draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([0.0, 1.0, 4.0]))
    t = rng.normal(size=n_linear)
    t[rng.random(n_linear) < draw(st.sampled_from([0.0, 0.5]))] = 0
    w = draw(st.sampled_from([0.01, 1.0, 30.0])) * rng.normal(size=n_hidden)
    lam = draw(st.sampled_from([0.0, 0.1, 1.0, 10.0]))
    bound = draw(st.sampled_from([0.01, 1.0, 10.0]))
    d, e = (np.exp(spread * rng.normal(size=n)) for n in [n_linear, n_hidden])
    return t, d, w, e, lam, bound


@settings(max_examples=40, deadline=None)
@given(cases())
@example((np.zeros(2), np.ones(2), np.ones(3), np.ones(3), 0.5, 1.0))
@example((np.array([0.0, 0.5]), np.array([2.0, 1]), np.ones(3), np.ones(3), 0.0, 1.0))
@example((np.array([1e-9, 0.5]), np.array([2.0, 1]), np.ones(3), np.ones(3), 0.0, 1.0))
def test_no_search_finds_less(case):
    t, _, w, _, _, bound = case
    T, W = units.hierarchy_prox(*case)
    np.testing.assert_allclose(W, clipped(w, T, bound), rtol=1e-12)
    assert np.abs(W).max() <= bound * np.linalg.norm(T) * (1 + 1e-12)
    value = objective(T, *case)
    assert value <= least(*case) + 1e-9 * abs(objective(t, *case)) + 1e-12
    assert np.all((T * t > 0) | (t == 0) | (T == 0))


@settings(max_examples=200, deadline=None)
@given(cases())
def test_all_is_zero_exactly_from_the_strength_in_closed_form(case):
    t, d, w, e, _, bound = case
    threshold = np.linalg.norm(t / d) + bound * np.sum(np.abs(w) / e)
    T, W = units.hierarchy_prox(t, d, w, e, threshold * (1 + 1e-9), bound)
    assert not T.any()
    assert not W.any()
    T, W = units.hierarchy_prox(t, d, w, e, threshold * (1 - 1e-6), bound)
    assert T.any()
    assert np.array_equal(W != 0, w != 0)


@given(cases())
def test_without_bound_the_linear_weights_carry_the_penalty_alone(case):
    t, d, w, e, lam, _ = case
    T, W = units.hierarchy_prox(t, d, w, e, lam, np.inf)
    np.testing.assert_array_equal(W, w)
    np.testing.assert_array_equal(T, units.group_prox(t, d, lam))


def test_one_linear_weight_by_hand():
    """(T - 1) + lam - M (2 - M T) = 0 with M = 1: T = (1 - lam + 2) / 2."""
    one = np.ones(1)
    T, W = units.hierarchy_prox(one, one, 2 * one, one, 0.5, 1.0)
    np.testing.assert_allclose([T[0], W[0]], 1.25, rtol=1e-15)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_result_scales_with_the_weights(scale):
    rng = np.random.default_rng(1)
    t, w = rng.normal(size=3), rng.normal(size=9)
    d, e = rng.uniform(0.1, 2.0, 3), rng.uniform(0.1, 2.0, 9)
    expected = units.hierarchy_prox(t, d, w, e, 0.3, 0.5)
    got = units.hierarchy_prox(scale * t, d, scale * w, e, scale * 0.3, 0.5)
    for result, wanted in zip(got, expected, strict=True):
        np.testing.assert_allclose(result, scale * wanted, rtol=1e-12)


def test_what_is_not_a_number_stays_so():
    one = np.ones(2)
    for t, w in [([np.nan, 1.0], one), (one, [np.nan, 5.0])]:
        found = units.hierarchy_prox(np.array(t), one, np.array(w), one, 0.1, 0.5)
        assert np.isnan(np.concatenate(found)).any()
