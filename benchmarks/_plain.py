"""skreg's estimators with nothing on but what a script sets.

One network, a constant rate, no decay, dropout or early stopping. What "auto" is worth
is the question of `bench_tables.py`.
"""

from functools import partial

import skreg
from skreg._automatic import PLAIN

_SETTINGS = {name: v for name, v in PLAIN.items() if name != "hidden_layer_sizes"}
RegularizedMLPClassifier = partial(skreg.RegularizedMLPClassifier, **_SETTINGS)
RegularizedMLPRegressor = partial(skreg.RegularizedMLPRegressor, **_SETTINGS)
