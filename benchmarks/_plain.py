"""skreg's estimators with nothing on but what a script sets.

One network, a constant rate, no decay, dropout or early stopping. What "auto" is worth
is the question of `bench_tables.py`.
"""

from functools import partial

import skreg
from skreg._problem.automatic import plain_settings


def _plain(cls):
    """The class with these settings, but for the layers."""
    settings = plain_settings(cls)
    del settings["hidden_layer_sizes"]
    return partial(cls, **settings)


RegularizedMLPClassifier = _plain(skreg.RegularizedMLPClassifier)
RegularizedMLPRegressor = _plain(skreg.RegularizedMLPRegressor)
