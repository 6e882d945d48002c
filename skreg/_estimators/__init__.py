"""What scikit-learn sees: the estimators, and what they can do once they are fitted.

A `fit` begins in ``base.py``. It may use every other floor; none uses this one.
"""
