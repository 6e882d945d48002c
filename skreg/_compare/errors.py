"""The one error that the command turns into a message and exit code 2."""


class InputError(ValueError):
    """What the user asked for cannot be done; the message says why and what to do."""
