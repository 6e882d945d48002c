"""Pickles say which version of skreg made them, and a later version completes them.

A pickle holds an object's ``__dict__``, in the form that its version gave it. What a
later version added is missing there: parameters get what the older version did, which
is their default or the class's `_before`, and fields of the private dataclasses their
defaults. What has no default cannot be made up, and is refused in words.
"""

import inspect
import sys
import warnings
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from typing import ClassVar

from skreg.exceptions import InconsistentVersionWarning

KEY = "_skreg_version"
# Modules whose classes are in pickles that were made before there were folders.
MOVED = {
    "_adaptive": "_training.adaptive",
    "_base": "_training.state",
    "_batch_norm": "_network.batch_norm",
    "_classifier": "_estimators.classifier",
    "_cv": "_estimators.cv",
    "_feature_groups": "_problem.feature_groups",
    "_fine_tuning": "_network.fine_tuning",
    "_input_scaling": "_problem.input_scaling",
    "_losses": "_problem.losses",
    "_optimizers": "_problem.optimizers",
    "_path": "_estimators.path",
    "_regressor": "_estimators.regressor",
    "_schedules": "_problem.schedules",
    "_search_space": "_problem.search_space",
    "_sparse_network": "_network.sparse_network",
    "_target_scale": "_problem.target_scale",
    "_training_state": "_training.state",
    "_validation": "_problem.data",
}
# Those of modules that have become folders of the same name.
MOVED_INTO = {
    ("_network", "network"): ("Folded", "Network", "Views"),
    ("_training", "stochastic"): ("Checkpoint", "History", "Progress"),
}


class VersionedMixin:
    """Notes the version in what is pickled, and warns of another when it is loaded.

    Copies in memory go the same way, and never warn.
    """

    # By parameter, what was done before there was one, where that is no default.
    _before: ClassVar[dict] = {}

    def __getstate__(self):
        return self._settled_state() | {KEY: current_version()}

    def _settled_state(self):
        """The attributes to copy or pickle."""
        return vars(self)

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop(KEY, None)
        self.__dict__.update(state)
        name = type(self).__name__
        filled, missing = fill_parameters(self)
        if version != current_version():
            missing += complete(self, "") + self._complete()
        if missing:
            raise ValueError(
                f"This {name} was pickled by skreg {version or 'before 0.1.0'} and "
                f"cannot be used by {current_version()}: it lacks "
                f"{', '.join(missing)}. Load it with the version that made it, or fit "
                "it anew with this one."
            )
        if filled or version != current_version():
            warnings.warn(
                InconsistentVersionWarning(name, current_version(), version, filled),
                stacklevel=2,
            )

    def _complete(self):
        """Complete what another version has pickled, beside parameters and fields.

        Returns
        -------
        missing : list of str
            What cannot be completed.
        """
        return []


def keep_old_names():
    """Let classes be found by the names that older pickles have for them."""
    for old, new in MOVED.items():
        sys.modules[f"skreg.{old}"] = import_module(f"skreg.{new}")
    for (folder, module), names in MOVED_INTO.items():
        moved = import_module(f"skreg.{folder}.{module}")
        for name in names:
            setattr(sys.modules[f"skreg.{folder}"], name, getattr(moved, name))


def current_version():
    """The version of skreg that runs."""
    from skreg import __version__  # which the package sets last

    return __version__


def fill_parameters(loaded):
    """Give parameters that are missing the values that do what was done without them.

    Returns
    -------
    filled, missing : lists of str
        Names of those that had a default, and of those that have none.
    """
    filled, missing = [], []
    if not hasattr(loaded, "get_params"):
        return filled, missing
    parameters = inspect.signature(type(loaded).__init__).parameters
    for name in type(loaded)._get_param_names():
        if hasattr(loaded, name):
            continue
        default = loaded._before.get(name, parameters[name].default)
        if default is inspect.Parameter.empty:
            missing.append(f"the parameter {name}")
        else:
            setattr(loaded, name, default)
            filled.append(name)
    return filled, missing


def complete(loaded, path):
    """Give fields of skreg's dataclasses that are missing their defaults, at any depth.

    Returns
    -------
    missing : list of str
        Where from `loaded` fields without a default are missing.
    """
    missing = []
    if is_dataclass(loaded):
        for field in fields(loaded):
            # a plain default is an attribute of the class
            if hasattr(loaded, field.name):
                continue
            if field.default_factory is MISSING:
                missing.append(f"{path}{field.name}")
            else:
                object.__setattr__(loaded, field.name, field.default_factory())
    for name, value in vars(loaded).items():
        several = isinstance(value, list | tuple)
        for each in value if several and value and is_ours(value[0]) else [value]:
            # one with a version of its own has completed itself
            if is_ours(each) and not isinstance(each, VersionedMixin):
                missing += complete(each, f"{path}{name}.")
    return missing


def is_ours(value):
    """Whether it is an object of skreg that was pickled as a part of another."""
    return type(value).__module__.startswith("skreg.") and hasattr(value, "__dict__")
