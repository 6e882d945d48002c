"""Config objects: regularizers with more than one knob."""

from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)


def check_object(name, value):
    """Check the parameters of a config object against its own constraints.

    Parameters
    ----------
    name : str
        The estimator's parameter that the object was given as, for the error.
    value : BaseEstimator
        With ``_parameter_constraints``.

    Raises
    ------
    ValueError
        If one is out of range.
    """
    try:
        validate_parameter_constraints(
            value._parameter_constraints,
            value.get_params(deep=False),
            type(value).__name__,
        )
    except InvalidParameterError as error:
        raise ValueError(f"{name}={value!r} is not valid: {error}") from None
