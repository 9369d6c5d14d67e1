"""The shared library: where it is, the structs and functions of the C API that the package uses, and errors.

The meaning of everything here is said in the headers (include/vise). Structs that may grow are passed with their size,
so a newer library can be used with this file as it is.
"""
from __future__ import annotations

import ctypes
import os
import re
import threading
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char,
    c_char_p,
    c_double,
    c_int,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Dict, Optional, Tuple

from ._errors import BY_STATUS, InternalError

# vise_dtype, vise_backend, vise_output, vise_target_kind, vise_scale, vise_missing
U8, I32, I64, F32, F64 = range(5)
AUTO, CUDA, CPU, CPU64 = range(4)
RAW, PROBABILITY, CLASS, MEAN, OUTPUT_AUTO = range(5)
TARGET_NONE, TARGET_CLASSES, TARGET_NUMBERS = range(3)
COLUMN_TEXT = 1
ROLE_FEATURE = 0
LOG_WARNING = 1


class Failure(Structure):
    """vise_error"""

    _fields_ = [("code", c_int), ("text", c_char * 1024)]


class Array(Structure):
    """vise_array"""

    _fields_ = [("data", c_void_p), ("dtype", c_int), ("n_rows", c_size_t), ("n_cols", c_size_t),
                ("row_stride", c_size_t), ("col_stride", c_size_t)]


class Config(Structure):
    """Room for a struct that begins with its size and is set by the names of its fields: vise_train_config,
    vise_net_config. What a library does not know of it stays 0."""

    _fields_ = [("struct_size", c_size_t), ("rest", c_uint64 * 255)]


class Metrics(Structure):
    """vise_metrics"""

    _fields_ = [("n_rows", c_size_t), ("loss", c_double), ("accuracy", c_double), ("rmse", c_double), ("r2", c_double)]


class StepStats(Structure):
    """vise_step_stats"""

    _fields_ = [("step", c_uint64), ("epoch", c_uint64), ("n_rows", c_size_t), ("loss", c_double),
                ("penalty", c_double), ("lr", c_double), ("grad_norm", c_double), ("grad_norm_clipped", c_double),
                ("n_clipped_values", c_uint64), ("norm_clipped", c_bool), ("n_at_lo", c_uint64),
                ("n_at_hi", c_uint64), ("n_boxed", c_uint64), ("n_nonfinite", c_uint64), ("n_correct", c_uint64),
                ("skipped", c_bool), ("bad_tensor", c_int)]


class Progress(Structure):
    """vise_progress"""

    _fields_ = [("step", c_uint64), ("epoch", c_uint64), ("planned_steps", c_uint64), ("steps_per_epoch", c_uint64),
                ("epoch_ended", c_bool), ("train_loss", c_double), ("train", Metrics), ("validation", Metrics),
                ("test", Metrics), ("seconds", c_double), ("last", POINTER(StepStats)), ("record", c_void_p)]


PROGRESS_CALL = CFUNCTYPE(None, c_void_p, POINTER(Progress))
LOG_CALL = CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class RunConfig(Structure):
    """vise_run_config"""

    _fields_ = [("struct_size", c_size_t), ("out_dir", c_char_p), ("overwrite", c_bool), ("resume", c_bool),
                ("config_json", c_char_p), ("checkpoint_every", c_uint64), ("log_every", c_uint64),
                ("interrupted", c_void_p), ("progress", PROGRESS_CALL), ("log", LOG_CALL), ("user", c_void_p),
                ("owned", c_void_p), ("checkpoint_seconds", c_double), ("checkpoint_each_epoch", c_bool),
                ("describe", c_void_p), ("evaluate_at_end", c_bool), ("losses", c_void_p),
                ("validation_losses", c_void_p), ("n_losses", c_size_t), ("progress_by_time", c_bool),
                ("validation_scores", c_void_p)]


class RunResult(Structure):
    """vise_run_result"""

    _fields_ = [("reason", c_int), ("steps", c_uint64), ("epochs", c_uint64), ("launches", c_uint64),
                ("n_skipped", c_uint64), ("n_norm_clipped", c_uint64), ("n_clipped_values", c_uint64),
                ("n_at_lo", c_uint64), ("n_at_hi", c_uint64), ("n_boxed", c_uint64), ("n_zero_weights", c_uint64),
                ("n_weights", c_uint64), ("best_epoch", c_uint64), ("seconds", c_double),
                ("seconds_to_first_step", c_double), ("train", Metrics), ("validation", Metrics), ("test", Metrics),
                ("resumed_from_step", c_uint64), ("lowest_epoch", c_uint64), ("lowest_loss", c_double)]


class FitConfig(Structure):
    """vise_fit_config"""

    _fields_ = [("struct_size", c_size_t), ("training", c_void_p), ("net", c_void_p), ("init_scheme", c_int),
                ("run", c_void_p), ("train", c_void_p), ("validation", c_void_p)]


class EvalConfig(Structure):
    """vise_eval_config"""

    _fields_ = [("struct_size", c_size_t), ("backend", c_int), ("precision", c_int), ("batch", c_size_t),
                ("n_threads", c_int), ("device", c_int), ("as_", c_char_p), ("integer", c_void_p), ("ranges", c_void_p)]


class PreprocessorOptions(Structure):
    """vise_preprocessor_options"""

    _fields_ = [("struct_size", c_size_t), ("target", c_char_p), ("features", c_char_p), ("drop", c_char_p),
                ("missing", c_int), ("max_categories", c_size_t), ("scale", c_int), ("loss_given", c_bool),
                ("loss", c_int), ("target_kind", c_int), ("group", c_char_p), ("keep_constant", c_size_t),
                ("ranks", c_void_p), ("constant_target", c_size_t)]


class TransformOptions(Structure):
    """vise_transform_options"""

    _fields_ = [("struct_size", c_size_t), ("dtype", c_int), ("rows", POINTER(c_size_t)), ("n_rows", c_size_t),
                ("targets", c_bool), ("keep_all_rows", c_bool), ("use_up", c_bool), ("max_bytes", c_size_t),
                ("row_weights", POINTER(Array))]


class ColumnInfo(Structure):
    """vise_column_info"""

    _fields_ = [("name", c_char_p), ("place", c_size_t), ("kind", c_int), ("role", c_int), ("reason", c_char_p),
                ("first_input", c_size_t), ("n_inputs", c_size_t), ("n_gaps", c_size_t), ("fill", c_double),
                ("origin", c_double), ("shift", c_double), ("scale", c_double), ("has_indicator", c_bool),
                ("n_categories", c_size_t), ("n_grouped", c_size_t)]


class SplitOptions(Structure):
    """vise_split_options"""

    _fields_ = [("struct_size", c_size_t), ("fraction", c_double), ("shuffle", c_bool), ("stratify", c_bool),
                ("seed", c_uint64), ("index", c_uint32), ("rows", POINTER(c_size_t)), ("n_rows", c_size_t)]


class Split(Structure):
    """vise_split"""

    _fields_ = [("kept", POINTER(c_size_t)), ("n_kept", c_size_t), ("held_out", POINTER(c_size_t)),
                ("n_held_out", c_size_t)]


GIVEN_CALL = CFUNCTYPE(c_bool, c_void_p, c_char_p)


class RecipeFacts(Structure):
    """vise_recipe_facts"""

    _fields_ = [("struct_size", c_size_t), ("n_table_rows", c_size_t), ("n_rows", c_size_t), ("n_features", c_size_t),
                ("has_validation", c_bool), ("has_net", c_bool), ("given", GIVEN_CALL), ("user", c_void_p)]


SCORE_CALL = CFUNCTYPE(c_int, c_void_p, c_uint64, c_void_p, c_void_p, POINTER(c_double), POINTER(Failure))


class SweepConfig(Structure):
    """vise_sweep_config"""

    _fields_ = [("struct_size", c_size_t), ("n_jobs", c_int), ("score", SCORE_CALL), ("user", c_void_p)]


class SweepFit(Structure):
    """vise_sweep_fit"""

    _fields_ = [("struct_size", c_size_t), ("id", c_uint64), ("training", c_void_p), ("net", c_void_p),
                ("init_scheme", c_int), ("initial", c_void_p), ("train", c_void_p), ("validation", c_void_p),
                ("state", c_void_p), ("n_state_bytes", c_size_t), ("keep_model", c_bool), ("keep_state", c_bool)]


class SweepResult(Structure):
    """vise_sweep_result"""

    _fields_ = [("id", c_uint64), ("status", c_int), ("error", Failure), ("reason", c_int), ("score", c_double),
                ("train", Metrics), ("validation", Metrics), ("steps", c_uint64), ("epochs", c_uint64),
                ("best_epoch", c_uint64), ("n_skipped", c_uint64), ("n_norm_clipped", c_uint64), ("n_at_lo", c_uint64),
                ("n_at_hi", c_uint64), ("n_boxed", c_uint64), ("seconds", c_double), ("model", c_void_p),
                ("state", c_void_p), ("n_state_bytes", c_size_t)]


def _path() -> str:
    """VISE_LIBRARY, else the library inside the package, else that of the system."""
    given = os.environ.get("VISE_LIBRARY")
    if given:
        return given
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib")
    for name in ("libvise.so.0", "libvise.so"):
        if os.path.exists(os.path.join(here, name)):
            return os.path.join(here, name)
    return "libvise.so.0"


# Functions: what they return, then their arguments, in letters.
#   v nothing  s status  p pointer  t text  z size_t  i int  u uint64_t  b bool  d double  a vise_array by value
#   e vise_error *; capitals: pointers to those
_LETTERS = {"v": None, "s": c_int, "p": c_void_p, "t": c_char_p, "z": c_size_t, "i": c_int, "u": c_uint64, "b": c_bool,
            "d": c_double, "a": Array, "e": POINTER(Failure), "P": POINTER(c_void_p), "Z": POINTER(c_size_t),
            "D": POINTER(c_double), "I": POINTER(c_int), "B": POINTER(c_bool), "A": POINTER(Array),
            "T": POINTER(c_char_p)}
_FUNCTIONS = {
    "vise_version": "t", "vise_option_at": "pz", "vise_train_config_init_sized": "vpz",
    "vise_net_config_init_sized": "vpz", "vise_run_config_init_sized": "vpz", "vise_train_config_set": "sptte",
    "vise_net_config_set": "sptte", "vise_run_config_set": "sptte", "vise_train_config_get": "spttze",
    "vise_net_config_get": "spttze", "vise_train_config_clear": "vp", "vise_run_config_clear": "vp",
    "vise_net_config_settle": "spppie", "vise_train_config_settle": "vppbb", "vise_dataset_prepare": "spppPPe",
    "vise_fit_config_init_sized": "vpz", "vise_fit_with_sized": "szpPpe", "vise_flag_is_set": "bp",
    "vise_loss_parse": "stIe", "vise_loss_name": "ti",
    "vise_scale_parse": "stIe", "vise_missing_parse": "stIe",
    "vise_init_scheme_parse": "stIe", "vise_nonfinite_parse": "stIe", "vise_backend_parse": "stIe",
    "vise_stop_reason_name": "ti",
    "vise_activation_name": "ti", "vise_recipe_facts_init_sized": "vpz", "vise_recipe_for_table": "zptz",
    "vise_recipe_validation_fraction": "dz", "vise_table_create": "stzPe", "vise_table_add_numbers": "spTAe",
    "vise_table_add_text": "sptTe", "vise_table_add_fields": "sptTe", "vise_table_free": "vp",
    "vise_table_split": "sppppe", "vise_split_clear": "vp", "vise_split_options_init_sized": "vpz",
    "vise_preprocessor_options_init_sized": "vpz", "vise_preprocessor_fit": "sppZzPe",
    "vise_preprocessor_free": "vp", "vise_preprocessor_to_json": "spPe", "vise_preprocessor_from_json": "stPe",
    "vise_preprocessor_n_columns": "zp", "vise_preprocessor_column": "spzpe", "vise_preprocessor_n_inputs": "zp",
    "vise_preprocessor_n_features": "zp",
    "vise_preprocessor_input_name": "tpztz",
    "vise_preprocessor_n_classes": "zp", "vise_preprocessor_class_name": "tpz",
    "vise_transform_options_init_sized": "vpz", "vise_preprocessor_transform": "spppPe",
    "vise_transformed_free": "vp", "vise_transformed_features": "ap", "vise_dataset_from_transformed": "spAAPe",
    "vise_dataset_from_arrays": "sAAAbPe", "vise_dataset_free": "vp", "vise_dataset_n_rows": "zp",
    "vise_model_create": "spiPe", "vise_model_initialize": "spiue", "vise_model_free": "vp",
    "vise_model_clone": "spiPe", "vise_model_load": "stPe", "vise_model_save": "spte",
    "vise_model_save_memory": "spPZe", "vise_model_load_memory": "spzPe", "vise_buffer_free": "vp",
    "vise_model_n_layers": "zp", "vise_model_width": "zpz", "vise_model_dtype": "ip",
    "vise_model_n_parameters": "zp", "vise_model_n_tensors": "zp", "vise_model_tensor_name": "tpz",
    "vise_model_tensor_shape": "spzZZe", "vise_model_get_tensor": "spzDze", "vise_model_set_tensor": "spzDze",
    "vise_model_loss": "ip", "vise_model_feature_scaling": "ipDD", "vise_model_set_preprocessing": "spte",
    "vise_model_preprocessing": "tp", "vise_model_n_listed": "zp", "vise_model_layer_sized": "vzpzp",
    "vise_model_set_monotone": "sppze", "vise_model_signs": "pp", "vise_model_set_signs": "sppze",
    "vise_model_mask": "pp", "vise_model_set_mask": "sppze", "vise_model_load_signs": "spte",
    "vise_model_set_target_scaling": "spiDDe", "vise_eval_config_init_sized": "vpz", "vise_predict": "spppiDe",
    "vise_predict_width": "zpi", "vise_trainer_create": "spppppPe", "vise_trainer_free": "vp",
    "vise_trainer_run_sized": "szpppe", "vise_trainer_step_batch_sized": "szpAAApe",
    "vise_trainer_step_external_sized": "szpAAdpe", "vise_trainer_forward": "spADe", "vise_trainer_set_lr": "spde",
    "vise_trainer_sync": "spe", "vise_trainer_save_memory": "spPZe", "vise_trainer_restore_memory": "sppze",
    "vise_certify_config_init_sized": "vpz", "vise_certify": "sppPe", "vise_certificate_free": "vp",
    "vise_certificate_to_json": "spPe", "vise_export_config_init_sized": "vpz", "vise_export_format_parse": "stIe",
    "vise_export": "sppte", "vise_sweep_config_init_sized": "vpz", "vise_sweep_fit_init_sized": "vpz",
    "vise_sweep_create": "spPe", "vise_sweep_free": "vp", "vise_sweep_n_wanted": "zp", "vise_sweep_submit": "sppe",
    "vise_sweep_next_sized": "szpdpBe", "vise_sweep_result_clear": "vp", "vise_sweep_n_open": "zp",
}


class Functions:
    """The functions listed above, and no others: one that is not declared would take pointers for 32-bit numbers."""

    def __init__(self, library: ctypes.CDLL, path: str) -> None:
        for name, letters in _FUNCTIONS.items():
            function = getattr(library, name, None)
            if function is None:
                raise ImportError(f"vise: {path} lacks {name}: the library is older than the package; install both "
                                  "together")
            function.restype = _LETTERS[letters[0]]
            function.argtypes = [_LETTERS[letter] for letter in letters[1:]]
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} is not declared in vise/_library.py")


def _load() -> Functions:
    path = _path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"vise: its library does not load: {error}. Install the package whole (pip install), or set "
                          "VISE_LIBRARY to the path of libvise.so") from None
    return Functions(library, path)


lib = _load()


spoken_names: Dict[str, str] = {}  # parameters by the fields that the library's messages name, where these are others


def spoken(text: bytes) -> str:
    """A message of the library in the words of the package."""
    return re.sub("`([a-z0-9_.]+)`", lambda name: f"`{spoken_names.get(name[1], name[1])}`", text.decode("utf-8", "replace"))


def fail(status: int, text: bytes) -> None:
    """Raises the exception for a status."""
    raise BY_STATUS.get(status, InternalError)(spoken(text))


class _ThreadsFailure(threading.local):
    """One vise_error for each thread, as to make one for each call takes as long as many calls."""

    def __init__(self) -> None:
        self.failure = Failure()
        self.reference = ctypes.byref(self.failure)


_threads = _ThreadsFailure()


def call(function: Any, *arguments: Any) -> None:
    """Calls a function whose last argument is a vise_error, and raises what it says."""
    status = function(*arguments, _threads.reference)
    if status != 0:
        fail(status, _threads.failure.text)


def made(function: Any, *arguments: Any) -> int:
    """The same for a function that makes an object, as the last argument before the vise_error."""
    out = c_void_p()
    call(function, *arguments, ctypes.byref(out))
    return out.value or 0


_defaults: Dict[str, bytes] = {}  # by the names of functions


def sized(struct_type: Any, init: Any) -> Any:
    """A struct with its defaults, which are asked for once."""
    known = _defaults.get(init.__name__)
    if known is not None:
        return struct_type.from_buffer_copy(known)
    struct = struct_type()
    init(ctypes.byref(struct), ctypes.sizeof(struct))
    _defaults[init.__name__] = bytes(struct)
    return struct


_named: Dict[Tuple[str, str], int] = {}


def named(parse: Any, name: Any) -> int:
    """The value of an enumeration."""
    key = (parse.__name__, str(name))
    if key not in _named:
        out = c_int()
        call(parse, key[1].encode(), ctypes.byref(out))
        _named[key] = out.value
    return _named[key]


def take_bytes(function: Any, pointer: Any) -> bytes:
    """The bytes that a function writes to memory."""
    data, n = c_void_p(), c_size_t()
    call(function, pointer, ctypes.byref(data), ctypes.byref(n))
    try:
        return ctypes.string_at(data, n.value)
    finally:
        lib.vise_buffer_free(data)


class Handle:
    """An object of the library, freed with the Python one."""

    __slots__ = ("pointer", "_free", "__weakref__")

    def __init__(self, pointer: int, free: Any) -> None:
        self.pointer: Optional[int] = pointer
        self._free = free

    def __del__(self) -> None:
        if self.pointer is not None:
            self._free(self.pointer)
            self.pointer = None
