"""One training: rows held out, a preprocessor, the recipe, a net, a run."""
from __future__ import annotations

import ctypes
import math
import signal
import sys
import threading
import warnings
from ctypes import byref, c_int
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np

from . import _library as _l
from ._library import Handle, call, lib, made
from ._options import Configs, batch_of, given_options, recipe_text
from ._tables import Table, address_of, prepared, rows_pointer
from .model import Model

try:
    import _signal  # the same functions without enumerations, which take longer than all the rest of a short run
except ImportError:
    _signal = signal

MANY_EPOCHS = 1_000_000  # no curve is kept of more


class Data:
    """What a table of n_table_rows became: datasets, and the preprocessor that made them."""

    def __init__(self, train: Handle, validation: Optional[Handle], preprocessor: Handle, n_table_rows: int) -> None:
        self.train, self.validation, self.preprocessor = train, validation, preprocessor
        self.n_table_rows = n_table_rows


def _list(value: Any, parameter: str) -> Optional[bytes]:
    """Columns or texts as the library's lists, separated by commas."""
    if value is None:
        return None
    if isinstance(value, (str, int, np.integer)):
        value = [value]
    texts = [str(item) for item in value]
    if any("," in text for text in texts):
        raise ValueError(f"`{parameter}` has a name with a comma in it, which is not possible: rename that column")
    return ",".join(texts).encode()


def preprocessor_options(params: Mapping[str, Any], target: str, kind: int, loss: Optional[str], n_rows: int) -> Any:
    """vise_preprocessor_options of an estimator's parameters, and what must be kept alive with them."""
    how = _l.sized(_l.PreprocessorOptions, lib.vise_preprocessor_options_init_sized)
    how.target, how.target_kind, how.constant_target = target.encode(), kind, 1
    how.keep_constant = n_rows == 1  # in one row every column is
    how.drop, how.features = _list(params.get("drop"), "drop"), _list(params.get("features"), "features")
    if params.get("missing") is not None:
        how.missing = _l.named(lib.vise_missing_parse, params["missing"])
    if params.get("max_categories") is not None:
        how.max_categories = int(params["max_categories"])
    scale = params.get("scale")
    if scale is None:
        scale = "none" if params.get("recipe") == "none" else "standard"
    how.scale = _l.named(lib.vise_scale_parse, "none" if scale == "auto" else scale)
    if loss is not None:
        how.loss_given, how.loss = True, _l.named(lib.vise_loss_parse, loss)
    return how


def fit_preprocessor(table: Table, how: Any, rows: Optional[np.ndarray]) -> Handle:
    pointer, n = rows_pointer(rows)
    return Handle(made(lib.vise_preprocessor_fit, table.pointer, byref(how), pointer, n), lib.vise_preprocessor_free)


def hold_out(table: Table, how: Any, fraction: float, configs: Configs, stratify: bool) -> Tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows to validate on."""
    options = _l.sized(_l.SplitOptions, lib.vise_split_options_init_sized)
    options.fraction = fraction
    options.shuffle = configs.number("shuffle")
    options.stratify = stratify and options.shuffle
    options.seed = configs.number("seed")
    split = _l.Split()
    call(lib.vise_table_split, table.pointer, byref(how), byref(options), byref(split))
    try:
        return (np.array(split.kept[:split.n_kept], dtype=np.uintp),
                np.array(split.held_out[:split.n_held_out], dtype=np.uintp))
    finally:
        lib.vise_split_clear(byref(split))


def prepare(table: Table, how: Any, params: Mapping[str, Any], weights: Optional[np.ndarray],
            known: Optional[Handle] = None) -> Data:
    """Makes datasets of a table: all rows are trained on, but for what val_fraction or the recipe hold out. known: the
    preprocessor of a net that was trained before."""
    configs = Configs.to_read(given_options(params))
    rows, held_out = None, None
    fraction = params.get("val_fraction")
    if fraction is None:
        fraction = 0 if params.get("recipe") == "none" else lib.vise_recipe_validation_fraction(table.n_rows)

    if fraction > 0:
        stratify = params.get("stratify")
        rows, held_out = hold_out(table, how, fraction, configs, True if stratify is None else bool(stratify))
    train, preprocessor = prepared(table, how, rows, dtype_of(configs), weights, known)
    validation = None
    if held_out is not None:
        validation, _ = prepared(table, how, held_out, dtype_of(configs), None, preprocessor)
    return Data(train, validation, preprocessor, table.n_rows)


def configs_for(data: Data, params: Mapping[str, Any]) -> Configs:
    """The options of an estimator, with the recipe and what else follows from the data."""
    given, recipe = given_options(params), ""
    if params.get("recipe") != "none":
        n_rows = lib.vise_dataset_n_rows(data.train.pointer)
        n_features = lib.vise_preprocessor_n_features(data.preprocessor.pointer)
        recipe = recipe_text(data.n_table_rows, n_rows, n_features, data.validation is not None, given)
    configs = Configs.of(given, recipe)
    if "steps" in given and "epochs" not in given and configs.number("steps") > 0:
        configs.put("epochs", 0)  # steps alone end it
    lib.vise_train_config_settle(byref(configs.train), data.preprocessor.pointer, "loss" in given, "scale_target" in given)
    if configs.number("patience") > 0 and "keep_best" not in given and configs.number("nonfinite") != _HALT:
        configs.put("keep_best", True)
    configs.put("scale", _UNSCALED)  # the preprocessor has done it
    call(lib.vise_net_config_settle, byref(configs.net), data.preprocessor.pointer, data.train.pointer,
         configs.number("loss"))
    return configs


_UNSCALED = _l.named(lib.vise_scale_parse, "none")
_HALT = _l.named(lib.vise_nonfinite_parse, "halt")


def new_model(configs: Configs, init_scheme: Optional[str], preprocessor: Optional[Handle]) -> Model:
    """A net with its initial weights, and how its inputs are made."""
    model = Model._of(made(lib.vise_model_create, byref(configs.net), dtype_of(configs)), preprocessor)
    scheme = _l.named(lib.vise_init_scheme_parse, init_scheme or "linear")
    call(lib.vise_model_initialize, model._pointer, scheme, configs.number("seed"))
    return model


def dtype_of(configs: Configs) -> int:
    """The type of weights and inputs."""
    return _l.F64 if configs.number("backend") == _l.CPU64 else _l.F32


def new_trainer(configs: Configs, model: Model, data: Optional[Data]) -> Handle:
    train = data.train.pointer if data is not None else None
    validation = data.validation.pointer if data is not None and data.validation is not None else None
    pointer = made(lib.vise_trainer_create, byref(configs.train), model._pointer, train, validation, None)
    return Handle(pointer, lib.vise_trainer_free)


def save_trainer(trainer: Handle) -> bytes:
    return _l.take_bytes(lib.vise_trainer_save_memory, trainer.pointer)


def restore_trainer(trainer: Handle, state: bytes) -> None:
    call(lib.vise_trainer_restore_memory, trainer.pointer, state, len(state))


class _Interrupt:
    """While it lasts, Ctrl-C sets the flag that the run looks at; what Ctrl-C does otherwise follows at the end."""

    def __init__(self) -> None:
        self.flag = c_int(0)
        self._signal: Optional[Tuple[int, Any]] = None
        self._before: Any = None

    def _set(self, number: int, frame: Any) -> None:
        self.flag.value = 1
        self._signal = (number, frame)

    def __enter__(self) -> _Interrupt:
        if threading.current_thread() is threading.main_thread() and callable(_signal.getsignal(signal.SIGINT)):
            self._before = _signal.signal(signal.SIGINT, self._set)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._before is not None:
            _signal.signal(signal.SIGINT, self._before)

    def deliver(self) -> None:
        """KeyboardInterrupt, where there was a Ctrl-C."""
        if self._signal is not None and self._before is not None:
            self._before(*self._signal)


class Outcome:
    """How a run ended: result is vise_run_result, curves by epoch, NaN where there is none."""

    def __init__(self, result: Any, losses: np.ndarray, held_out: Optional[np.ndarray], interrupt: _Interrupt) -> None:
        self.result, self.losses, self.interrupt = result, losses, interrupt
        self.validation_losses: Optional[np.ndarray] = None
        self.validation_scores: Optional[np.ndarray] = None
        if held_out is not None:
            self.validation_losses, self.validation_scores = held_out


def _n_epochs(configs: Configs, data: Data) -> int:
    """Most epochs that the run may end."""
    epochs, steps = configs.number("epochs"), configs.number("steps")
    if steps > 0:
        n_rows = lib.vise_dataset_n_rows(data.train.pointer)
        rows_each = int(min(batch_of(configs), n_rows))
        per_epoch = max(1, n_rows // rows_each if configs.number("drop_last") else math.ceil(n_rows / rows_each))
        epochs = min(epochs, steps // per_epoch) if epochs > 0 else steps // per_epoch
    return min(epochs, MANY_EPOCHS)


def run(trainer: Handle, configs: Configs, data: Data, show: Any = False) -> Outcome:
    """Runs until a limit or Ctrl-C. show: True prints a line each epoch, "tqdm" shows a bar. Warnings of the library
    are Python's."""
    def call_it(result: Any, failure: Any) -> int:
        return lib.vise_trainer_run_sized(ctypes.sizeof(result), trainer.pointer, byref(configs.run), byref(result),
                                          byref(failure))

    return _watched(call_it, configs, data, show)


def fit(configs: Configs, data: Data, init_scheme: Optional[str], show: Any = False) -> Tuple[Model, Outcome]:
    """The same for a net with its initial weights, which nobody else sees before it is trained."""
    asked = _l.FitConfig.from_buffer_copy(_FIT)
    asked.training, asked.net = ctypes.addressof(configs.train), ctypes.addressof(configs.net)
    asked.init_scheme = _l.named(lib.vise_init_scheme_parse, init_scheme or "linear")
    asked.run, asked.train = ctypes.addressof(configs.run), data.train.pointer
    asked.validation = data.validation.pointer if data.validation is not None else None
    out = ctypes.c_void_p()

    def call_it(result: Any, failure: Any) -> int:
        return lib.vise_fit_with_sized(ctypes.sizeof(result), byref(asked), byref(out), byref(result), byref(failure))

    outcome = _watched(call_it, configs, data, show)
    return Model._of(out.value or 0, data.preprocessor), outcome


def _watched(call_it: Callable[[Any, Any], int], configs: Configs, data: Data, show: Any) -> Outcome:
    """A run with what is told of it on the way, and by Ctrl-C to it."""
    config, result, interrupt = configs.run, _l.RunResult(), _Interrupt()
    losses = np.full(_n_epochs(configs, data), np.nan)
    held_out = np.full((2, len(losses)), np.nan) if data.validation is not None else None  # losses and scores

    display = _display(show)
    config.interrupted = _FLAG_IS_SET
    config.user = ctypes.addressof(interrupt.flag)
    config.losses, config.n_losses = address_of(losses), len(losses)
    if held_out is not None:
        config.validation_losses, config.validation_scores = address_of(held_out[0]), address_of(held_out[1])
    config.progress_by_time = display is None or not display.each_epoch
    config.progress = _l.PROGRESS_CALL(display.show) if display is not None else _NOTHING
    config.log = _LOG

    failure = _l.Failure()  # not the thread's, which calls made meanwhile from here take
    try:
        with interrupt:
            status = call_it(result, failure)
    finally:
        told = _told.pop(config.user, ())
    if display is not None:
        display.close()
    for text in told:
        warnings.warn(text, RuntimeWarning, stacklevel=4)
    if status != 0:
        _l.fail(status, failure.text)
    n = min(int(result.epochs), len(losses))
    return Outcome(result, losses[:n], held_out[:, :n] if held_out is not None else None, interrupt)


_told: Dict[int, List[str]] = {}  # warnings of the runs that go on, by the addresses of their flags


def _log(user: int, level: int, text: bytes) -> None:
    if level == _l.LOG_WARNING:
        _told.setdefault(user, []).append(_l.spoken(text))


def _nothing(user: Any, progress: Any) -> None:
    """Lets Python see to its signals."""


# Made once: each takes as long as many calls.
_LOG, _NOTHING = _l.LOG_CALL(_log), _l.PROGRESS_CALL(_nothing)
_FIT = _l.sized(_l.FitConfig, lib.vise_fit_config_init_sized)
_FLAG_IS_SET = ctypes.cast(lib.vise_flag_is_set, ctypes.c_void_p)


class _Lines:
    """A line each epoch."""

    each_epoch = True

    def show(self, user: Any, progress: Any) -> None:
        p = progress.contents
        if not p.epoch_ended:
            return
        held_out = f"  val loss {p.validation.loss:.6g}" if p.validation.n_rows > 0 else ""
        print(f"epoch {p.epoch}  step {p.step}  loss {p.train_loss:.6g}{held_out}", file=sys.stderr)

    def close(self) -> None:
        pass


class _Bar:
    """tqdm's bar over steps."""

    each_epoch = False

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        self._make: Any = tqdm
        self._bar: Any = None

    def show(self, user: Any, progress: Any) -> None:
        p = progress.contents
        if self._bar is None:
            self._bar = self._make(total=p.planned_steps or None, unit="step")
        self._bar.update(p.step - self._bar.n)
        self._bar.set_postfix(epoch=p.epoch, loss=f"{p.train_loss:.4g}")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _display(show: Any) -> Any:
    if not show:
        return None
    if show == "tqdm":
        return _Bar()
    if isinstance(show, (bool, int, np.integer, np.bool_)):
        return _Lines()
    raise ValueError(f"`verbose` is {show!r}; it is True (or a number above 0), False or 'tqdm'")
