"""Warnings that skreg has of its own."""

from sklearn.exceptions import InconsistentVersionWarning as _OfScikitLearn

__all__ = ["InconsistentVersionWarning"]


class InconsistentVersionWarning(_OfScikitLearn):
    """An object of skreg is loaded that another version of skreg has pickled.

    A subclass of scikit-learn's warning of the same name, so that a filter for that one
    holds here too.

    Parameters
    ----------
    name : str
        The object's class.
    current_version : str
        Of the skreg that loads it.
    original_version : str or None
        Of the skreg that pickled it; None where it was older than 0.1.0, which began
        to note it.
    filled : tuple of str, default=()
        Parameters that the older version did not have: they have their defaults now.

    Attributes
    ----------
    name, current_version, original_version, filled
        As given.

    Examples
    --------
    >>> from skreg.exceptions import InconsistentVersionWarning
    >>> print(InconsistentVersionWarning("RegularizedMLPRegressor", "0.2.0", "0.1.0"))
    This RegularizedMLPRegressor was pickled by skreg 0.1.0 and is loaded by 0.2.0. ...

    A program that must not load such objects makes an error of it:

    >>> import warnings
    >>> warnings.simplefilter("error", InconsistentVersionWarning)
    """

    def __init__(self, name, current_version, original_version, filled=()):
        super().__init__(
            estimator_name=name,
            current_sklearn_version=current_version,
            original_sklearn_version=original_version,
        )
        self.name = name
        self.current_version = current_version
        self.original_version = original_version
        self.filled = tuple(filled)

    def __str__(self):
        original = self.original_version or "before 0.1.0"
        defaults = ""
        if self.filled:
            defaults = (
                "Parameters that it did not know have their defaults: "
                f"{', '.join(self.filled)}. "
            )
        return (
            f"This {self.name} was pickled by skreg {original} and is loaded by "
            f"{self.current_version}. {defaults}What it predicts may differ: check it "
            "on rows with known predictions, or fit it anew. To keep fitted estimators "
            "across versions see the user guide on persistence."
        )
