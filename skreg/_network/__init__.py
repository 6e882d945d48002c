"""A network: where its parameters lie, and what becomes of them after training.

``network.py`` holds them in one flat buffer. Nothing here trains.
"""
