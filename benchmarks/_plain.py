"""skreg's estimators with nothing on but what a script sets: no decay, dropout, or early
stopping, one network, a constant rate. What "auto" stands for is `bench_tables.py`'s.
"""

from functools import partial

import skreg
from skreg._automatic import PLAIN

_SETTINGS = {name: v for name, v in PLAIN.items() if name != "hidden_layer_sizes"}
RegularizedMLPClassifier = partial(skreg.RegularizedMLPClassifier, **_SETTINGS)
RegularizedMLPRegressor = partial(skreg.RegularizedMLPRegressor, **_SETTINGS)
