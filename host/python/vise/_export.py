"""Proven bounds of a model, and models as files for other places."""
from __future__ import annotations

import ctypes
import json
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_size_t, c_void_p
from typing import Any, Dict, Optional, Tuple

import numpy as np

from . import _library as _l
from ._library import Handle, call, lib, made


class CertifyConfig(ctypes.Structure):
    """vise_certify_config"""

    _fields_ = [("struct_size", c_size_t), ("low", POINTER(c_double)), ("high", POINTER(c_double)), ("origin", c_char_p),
                ("integers", c_char_p), ("data", c_void_p)]


class ExportConfig(ctypes.Structure):
    """vise_export_config"""

    _fields_ = [("struct_size", c_size_t), ("format", c_int), ("name", c_char_p), ("low", POINTER(c_double)),
                ("high", POINTER(c_double)), ("n_vectors", c_size_t), ("integers", c_char_p), ("data", c_void_p)]


Ranges = Optional[Tuple[np.ndarray, np.ndarray]]


def ranges_of(inputs: Any, n: int) -> Ranges:
    """inputs: None, (low, high) for all inputs, or [inputs, 2]."""
    if inputs is None:
        return None
    given = np.asarray(inputs, dtype=np.float64)
    if given.shape == (2,):
        given = np.tile(given, (n, 1))
    if given.shape != (n, 2):
        raise ValueError(f"`inputs` is of shape {given.shape}; it is (low, high), or [{n}, 2] for the model's inputs")
    return np.ascontiguousarray(given[:, 0]), np.ascontiguousarray(given[:, 1])


def _set_ranges(config: Any, ranges: Ranges) -> None:
    if ranges is not None:
        config.low, config.high = (side.ctypes.data_as(POINTER(c_double)) for side in ranges)


def certify(model: Any, ranges: Ranges, origin: Optional[str] = None, integers: Optional[str] = None,
            data: Optional[Handle] = None) -> Dict[str, Any]:
    """The certificate of a model as a dict."""
    config = _l.sized(CertifyConfig, lib.vise_certify_config_init_sized)
    _set_ranges(config, ranges)
    config.origin = origin.encode() if origin is not None else None
    config.integers = integers.encode() if integers is not None else None
    config.data = data.pointer if data is not None else None
    certificate = Handle(made(lib.vise_certify, model._whole, byref(config)), lib.vise_certificate_free)
    text = c_void_p()
    call(lib.vise_certificate_to_json, certificate.pointer, byref(text))
    try:
        return json.loads(ctypes.string_at(text))
    finally:
        lib.vise_buffer_free(text)


def export(model: Any, path: Any, format: str, ranges: Ranges, *, name: Optional[str], vectors: Optional[int],
           integers: Optional[str], data: Optional[Handle]) -> None:
    """Writes a model's files into the new or empty folder path."""
    config = _l.sized(ExportConfig, lib.vise_export_config_init_sized)
    config.format = _l.named(lib.vise_export_format_parse, format)
    _set_ranges(config, ranges)
    if name is not None:
        config.name = name.encode()
    if vectors is not None:
        config.n_vectors = vectors
    config.integers = integers.encode() if integers is not None else None
    config.data = data.pointer if data is not None else None
    call(lib.vise_export, model._whole, byref(config), os.fsencode(path))
