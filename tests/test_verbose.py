"""``verbose`` prints one readable line per epoch."""

import pytest
from common import diabetes, few_epochs, iris
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor

pytestmark = few_epochs


def table(text):
    """The header and the rows that were printed, as lists of columns."""
    header, *rows = [line.split() for line in text.splitlines()]
    return header, rows


def test_columns_of_a_fit(capsys):
    X, y = diabetes()
    model = RegularizedMLPRegressor(
        verbose=True, max_iter=3, l1=0.05, learning_rate_init=0.02, random_state=0
    ).fit(X, y)
    header, rows = table(capsys.readouterr().out)
    assert header == ["epoch", "loss", "rate", "zeros", "seconds"]
    assert [int(row[0]) for row in rows] == [1, 2, 3]
    assert [float(row[1]) for row in rows] == pytest.approx(model.loss_curve_, rel=1e-4)
    assert all(float(row[2]) == 0.02 for row in rows)
    n_zero = sum((W == 0).sum() for W in model.coefs_)
    share = n_zero / sum(W.size for W in model.coefs_)
    assert share > 0.1
    assert rows[-1][3] == f"{share:.1%}"
    seconds = [float(row[4]) for row in rows]
    assert seconds == sorted(seconds)


def test_validation_score_is_a_column(capsys):
    X, y = iris()
    model = RegularizedMLPClassifier(
        verbose=1, max_iter=3, early_stopping=True, scoring="accuracy", random_state=0
    ).fit(X, y)
    header, rows = table(capsys.readouterr().out)
    assert header == ["epoch", "loss", "validation", "rate", "zeros", "seconds"]
    scores = [float(row[2]) for row in rows]
    assert scores == pytest.approx(model.validation_scores_, rel=1e-4)


def test_the_rate_follows_the_schedule(capsys):
    X, y = iris()
    RegularizedMLPClassifier(
        verbose=True, max_iter=5, learning_rate="cosine", random_state=0
    ).fit(X, y)
    _, rows = table(capsys.readouterr().out)
    rates = [float(row[3 - 1]) for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.2 * rates[0]


def test_lbfgs_prints_its_iterations(capsys):
    X, y = diabetes()
    model = RegularizedMLPRegressor(
        verbose=True, max_iter=4, solver="lbfgs", random_state=0
    ).fit(X, y)
    _, rows = table(capsys.readouterr().out)
    assert len(rows) == model.n_iter_ == 4


def test_the_reason_for_stopping_is_said(capsys):
    X, y = iris()
    model = RegularizedMLPClassifier(
        verbose=True,
        max_iter=200,
        tol=10.0,
        n_iter_no_change=2,
        # soon better than a constant, where no epoch counts
        learning_rate_init=0.03,
        random_state=0,
    ).fit(X, y)
    last = capsys.readouterr().out.splitlines()[-1]
    assert "training loss has not improved" in last
    assert "Stopping" in last
    assert model.n_iter_ < 10


def test_silent_by_default(capsys):
    X, y = iris()
    RegularizedMLPClassifier(max_iter=2).fit(X, y)
    assert capsys.readouterr().out == ""
