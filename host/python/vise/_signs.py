"""Monotone nets, and weights that keep their signs: the options --monotone and --sign of the tool."""
from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from typing import Any, Dict, List, Optional

import numpy as np

from . import _library as _l
from ._library import Handle, call, lib
from ._options import Configs
from ._tables import address_of
from .model import Model

_DIRECTIONS = {"+": 1, "-": -1, 1: 1, -1: -1, 0: 0}


def _direction(feature: Any, value: Any) -> int:
    if isinstance(value, (str, int, float, np.number)) and value in _DIRECTIONS:
        return _DIRECTIONS[value]
    raise ValueError(f"`monotone`: {value!r} for {feature!r}; it is 1 or '+' (never falls where the feature rises), -1 or "
                     "'-' (never rises), or 0 (free)")


def _place(feature: Any, names: Optional[List[str]], n: int) -> int:
    """A feature by its name, else by its place."""
    if names is not None and feature in names:
        return names.index(feature)
    text = str(feature)
    if not isinstance(feature, float) and text.isdigit() and int(text) < n:
        return int(text)
    raise ValueError(f"`monotone`: X has no feature {feature!r}" +
                     (f"; it has {', '.join(names[:20])}" if names is not None else f"; its columns are 0 to {n - 1}"))


def _items(text: str) -> Dict[str, str]:
    """The tool's "age=+,dose=-"."""
    made: Dict[str, str] = {}
    for item in text.split(","):
        name, is_there, direction = item.rpartition("=")
        if not is_there or direction not in ("+", "-"):
            raise ValueError(f"`monotone`: {item!r} is not NAME=+ or NAME=-")
        if name in made:
            raise ValueError(f"`monotone`: {name!r} is there twice")
        made[name] = direction
    return made


def directions_of(monotone: Any, names: Optional[List[str]], n: int) -> np.ndarray:
    """1, -1 or 0 for each of n features. monotone: a dict by name or place, one number for each feature, or the tool's
    text."""
    made = np.zeros(n, dtype=np.int8)
    if isinstance(monotone, str):
        monotone = _items(monotone)
    if isinstance(monotone, Mapping):
        for feature, value in monotone.items():
            made[_place(feature, names, n)] = _direction(feature, value)
        return made

    values = list(monotone) if hasattr(monotone, "__iter__") else None
    if values is None or len(values) != n:
        has = f"{len(values)} numbers" if values is not None else repr(monotone)
        raise ValueError(f"`monotone` has {has}; it is a dict by feature, or a number (1, -1 or 0) for each of the {n} "
                         "features")
    for i, value in enumerate(values):
        made[i] = _direction(names[i] if names is not None else i, value)
    return made


def _of_inputs(directions: np.ndarray, preprocessor: Handle, names: Optional[List[str]]) -> np.ndarray:
    """Directions of features as those of the net's inputs. Columns that were left out have none, and change nothing."""
    made = np.zeros(lib.vise_preprocessor_n_inputs(preprocessor.pointer), dtype=np.int8)
    info = _l.ColumnInfo()
    for i in range(lib.vise_preprocessor_n_columns(preprocessor.pointer)):
        call(lib.vise_preprocessor_column, preprocessor.pointer, i, ctypes.byref(info))
        if info.role != _l.ROLE_FEATURE or directions[info.place] == 0:
            continue
        if info.kind == _l.COLUMN_TEXT:
            raise ValueError(f"`monotone`: column {names[info.place] if names is not None else info.place!r} holds text, "
                             "which has no order")
        made[info.first_input] = directions[info.place]
    return made


def give_signs(model: Model, monotone: Any, sign: Any, configs: Configs, preprocessor: Handle,
               names: Optional[List[str]], n_features: int) -> None:
    """Signs for a new net, of an estimator's parameters."""
    if monotone is not None and sign is not None:
        raise ValueError("`monotone` and `sign` are both given: the signs come from one of them")
    if sign is not None:
        set_signs(model, sign)
    if monotone is None:
        return

    if configs.number("loss") == _l.named(lib.vise_loss_parse, "cross-entropy"):
        raise ValueError("`monotone`: not with loss='cross-entropy', whose probabilities of several classes are not "
                         "monotone; for two classes choose loss='bce'")
    set_monotone(model, _of_inputs(directions_of(monotone, names, n_features), preprocessor, names))


def set_monotone(model: Model, directions: np.ndarray) -> None:
    """directions: 1, -1 or 0 for each input of the net."""
    call(lib.vise_model_set_monotone, model._pointer, address_of(directions), len(directions))


def set_signs(model: Model, sign: Any) -> None:
    """sign: a file, or a dict of tensors' names to 1, -1 and 0."""
    if not isinstance(sign, Mapping):
        if not isinstance(sign, (str, bytes, os.PathLike)):
            raise TypeError(f"`sign` is of type {type(sign).__name__}; it is a path, or a dict of tensors' names to arrays "
                            "of 1, -1 and 0")
        call(lib.vise_model_load_signs, model._pointer, os.fsencode(sign))
        return

    trained = [name for name in model.tensor_names if ".running_" not in name]
    unknown = [name for name in sign if name not in trained]
    if unknown:
        raise ValueError(f"`sign`: the net has no tensor {unknown[0]!r}; there are {', '.join(trained)}")
    parts = []
    for name in trained:
        shape = model[name].shape
        values = np.asarray(sign.get(name, 0))
        if values.shape not in ((), shape):
            raise ValueError(f"`sign`: {name!r} is of shape {shape}, not {values.shape}")
        if not np.isin(values, (-1, 0, 1)).all():
            raise ValueError(f"`sign`: {name!r} has values other than 1, -1 and 0")
        parts.append(np.broadcast_to(values, shape).astype(np.int8).ravel())
    flat = np.concatenate(parts)
    call(lib.vise_model_set_signs, model._pointer, address_of(flat), len(flat))
