"""What is asked: parameters and data, read and checked once.

Each value that a user may pass is checked in ``parameters.py``, each array in
``reading.py`` and ``data.py``. Nothing here knows of a network that is trained.
"""
