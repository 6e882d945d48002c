"""Whether differences between scores, fold by fold, are more than chance."""

import numpy as np
from scipy.stats import t as student

LEVEL = 0.05


def corrected_t_test(differences, test_share, test_rows):
    """Return the p value of the corrected resampled t test (Nadeau & Bengio 2003).

    The training parts of the folds overlap, so the differences are correlated, and
    their spread understates that of their mean. With k folds of mean difference d and
    variance s², the statistic

        t = d / sqrt((1 / k + n_test / n_train) s²)

    has about a t distribution with k - 1 degrees of freedom where nothing differs.

    Parameters
    ----------
    differences : array of shape (k,)
    test_share : float
        ``n_test / n_train``: 1 / (k - 1) for k folds.
    test_rows : int
        Rows of a fold that are scored.

    Returns
    -------
    float
        Two-sided. Differences that are all the same have no spread to go by, as shares
        of few rows may be; theirs is taken to be one row of a fold.
    """
    differences = np.asarray(differences, dtype=float)
    folds, mean = len(differences), differences.mean()
    deviation = differences.std(ddof=1)
    if deviation <= 1e-9 * np.abs(differences).max():
        deviation = 1 / test_rows
    statistic = mean / (deviation * np.sqrt(1 / folds + test_share))
    return float(2 * student.sf(abs(statistic), folds - 1))


def holm(p_values):
    """Return p values that hold for all of several tests at once (Holm 1979).

    The smallest of m is multiplied by m, the next by m - 1, and so on; none becomes
    less than one before it, nor more than 1.

    Parameters
    ----------
    p_values : array of shape (m,)

    Returns
    -------
    ndarray of shape (m,)
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return adjusted
