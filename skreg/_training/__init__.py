"""One training of one network: from a problem to weights, and what they have come to.

A `Session` (``session.py``) makes the problem and runs the loop of ``stochastic.py`` or
``lbfgs.py``. It knows of no estimator's parameters but through ``_problem``.
"""
