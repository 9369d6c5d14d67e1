"""Vise: trains small and medium nets with hard regularization.

    >>> import vise
    >>> net = vise.Classifier(clamp=0.5, clip_norm=1)

Classifier and Regressor are estimators as scikit-learn has them, SearchCV chooses their strengths by cross-validation,
Trainer is the loop in your own hands. load and save read and write models.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._errors import (
    DataError,
    DeviceError,
    Error,
    FileError,
    FormatError,
    InternalError,
    NonFiniteError,
    OutOfMemoryError,
    ShapeError,
    StateError,
    UnsupportedError,
    UsageError,
)
from ._library import lib as _lib
from .model import Model, load, save

if TYPE_CHECKING:
    from ._estimators import Classifier, Regressor
    from ._search import SearchCV
    from ._trainer import Step, Trainer

__version__ = _lib.vise_version().decode()

# Modules that take scikit-learn along are loaded when they are wanted.
_LATER = {"Classifier": "_estimators", "Regressor": "_estimators", "SearchCV": "_search", "Trainer": "_trainer",
          "Step": "_trainer"}

__all__ = ["Classifier", "Regressor", "SearchCV", "Trainer", "Step", "Model", "load", "save", "Error", "DataError",
           "DeviceError", "FileError", "FormatError", "InternalError", "NonFiniteError", "OutOfMemoryError", "ShapeError",
           "StateError", "UnsupportedError", "UsageError"]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'vise' has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(f".{_LATER[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "sklearn":
            raise
        raise ImportError(f"vise.{name} needs scikit-learn, which is not installed: pip install scikit-learn") from None
    globals()[name] = value
    return value


def __dir__() -> Any:
    return sorted(set(globals()) | set(_LATER))
