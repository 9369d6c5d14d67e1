"""partial_fit: training on rows as they come."""
from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_double
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import numpy as np

from . import _fit
from . import _library as _l
from ._library import Handle, call, lib
from ._options import Configs, batch_of, given_options, recipe_text
from ._tables import Table, array_of
from .model import Model


def _array(view: Any, dtype: Any) -> np.ndarray:
    """A copy of what a vise_array shows."""
    n = view.n_rows * view.n_cols
    source = (ctypes.c_char * (n * np.dtype(dtype).itemsize)).from_address(view.data)
    return np.frombuffer(source, dtype=dtype).reshape(view.n_rows, view.n_cols).copy()


class PartialFit:
    """What an estimator needs to train without an end in sight."""

    _live: Optional[Tuple[Configs, Handle]]  # the options, and a trainer
    _partial_state: Optional[Dict[str, Any]]  # the same of a pickle

    if TYPE_CHECKING:  # what it takes from the estimator
        loss: Optional[str]
        scale_target: Optional[bool]
        recipe: str
        patience: Optional[int]

        def _settings(self) -> Dict[str, Any]: ...
        def _table(self, x: Any) -> Table: ...
        def _new_model(self, configs: Configs, preprocessor: Handle) -> Model: ...
        def _transformed(self, x: Any) -> Handle: ...

    def _is_partial(self) -> bool:
        """Whether there is a net that partial_fit goes on with."""
        return getattr(self, "_live", None) is not None or getattr(self, "_partial_state", None) is not None

    def _refuse_patience(self) -> None:
        """Patience needs rows held out, of which a pass has none."""
        if self.patience is not None and self.patience is not False:
            raise ValueError("partial_fit does not support `patience`: there are no rows to validate on, and no end to come "
                             "early; set it to None")

    def _begin_partial(self, x: Any, targets: np.ndarray, n_outputs: int, loss: str) -> None:
        """A preprocessor fitted to the first rows, a net, and a trainer without data of its own."""
        settings = dict(self._settings(), val_fraction=0)
        how = _fit.preprocessor_options(settings, "", _l.TARGET_NONE, None, x.shape[0])
        how.keep_constant = 1  # rows to come may differ
        self._preprocessor = _fit.fit_preprocessor(self._table(x), how, None)

        configs = self._partial_configs(settings, x.shape, loss, n_outputs)
        self.model_ = self._new_model(configs, self._preprocessor)
        if configs.get("loss") == "mse" and self.loss is None and self.scale_target is not False:
            self._scale_targets(targets)
        configs.set("scale_target", False)
        self._live = (configs, _fit.new_trainer(configs, self.model_, None))

    def _go_on_partial(self, x: Any) -> None:
        """A trainer for the net that fit made, with new moments."""
        settings = dict(self._settings(), val_fraction=0, layers=self.model_.widths, scale_target=None)
        configs = self._partial_configs(settings, x.shape, self.model_.loss, self.model_.widths[-1])
        self._live = (configs, _fit.new_trainer(configs, self.model_, None))

    def _partial_configs(self, settings: Dict[str, Any], shape: Any, loss: str, n_outputs: int) -> Configs:
        """The options, without what needs an end or validation rows."""
        configs = Configs()
        open_end = {"steps": "off", "epochs": "1", "patience": "off", "lr_schedule": "constant"}
        given = {name: value for name, value in given_options(settings).items()
                 if name not in ("steps", "epochs", "patience", "stop_stall", "min_delta")}
        if self.recipe == "table":
            configs.set_recipe(recipe_text(shape[0], shape[0], shape[1], False, {**open_end, **given}))
        for parameter, value in {**open_end, "loss": loss, **given}.items():
            configs.set(parameter, value)
        configs.put("scale", _fit._UNSCALED)
        if configs.get("penalty_convention") == "over_m":  # there are no other rows to count
            configs.set("penalty_convention", "half")
            configs.set("l2", configs.number("l2") / shape[0])
            configs.set("l1", configs.number("l1") / (2 * shape[0]))
        sizes = configs.widths() or [0, 0]
        sizes[0] = sizes[0] or lib.vise_preprocessor_n_inputs(self._preprocessor.pointer)
        sizes[-1] = sizes[-1] or n_outputs
        configs.set("layers", sizes)
        return configs

    def _scale_targets(self, targets: np.ndarray) -> None:
        shift, scale = targets.mean(axis=0), targets.std(axis=0)
        scale[scale == 0] = 1
        standard = _l.named(lib.vise_scale_parse, "standard")
        call(lib.vise_model_set_target_scaling, self.model_._pointer, standard,
             shift.ctypes.data_as(POINTER(c_double)), scale.ctypes.data_as(POINTER(c_double)))

    def _trainer_live(self) -> Tuple[Configs, Handle]:
        """The trainer; that of a pickle is made anew."""
        live = getattr(self, "_live", None)
        if live is None:
            assert self._partial_state is not None
            configs = Configs.of_texts(self._partial_state["options"])
            live = (configs, _fit.new_trainer(configs, self.model_, None))
            _fit.restore_trainer(live[1], self._partial_state["state"])
            self._live = live
        return live

    def _pass_over(self, x: Any, targets: np.ndarray, weights: Optional[np.ndarray]) -> None:
        """One pass over the rows, in batches."""
        configs, trainer = self._trainer_live()
        transformed = self._transformed(x)
        features = _array(lib.vise_transformed_features(transformed.pointer), np.dtype(self.model_.dtype))

        n = len(features)
        size = int(min(batch_of(configs), n))
        passes = getattr(self, "n_iter_", 0)
        rows = np.arange(n)
        if size < n and configs.number("shuffle"):
            rows = np.random.default_rng([configs.number("seed"), passes]).permutation(n)
        stats, losses = _l.StepStats(), []
        for begin in range(0, n, size):
            part = rows[begin:begin + size]
            y = np.ascontiguousarray(targets[part])
            w = None if weights is None else byref(array_of(np.ascontiguousarray(weights[part])))
            call(lib.vise_trainer_step_batch_sized, ctypes.sizeof(stats), trainer.pointer,
                 byref(array_of(np.ascontiguousarray(features[part]))), byref(array_of(y)), w, byref(stats))
            losses.append((stats.loss, len(part)))

        call(lib.vise_trainer_sync, trainer.pointer)
        self.n_iter_, self.n_steps_ = passes + 1, int(stats.step)
        self.loss_ = float(np.average([loss for loss, _ in losses], weights=[rows for _, rows in losses]))
        self.loss_curve_ = [*getattr(self, "loss_curve_", []), self.loss_]
        self._partial_state = None

    def _kept_partial(self) -> Any:
        """What a pickle holds of the trainer."""
        live = getattr(self, "_live", None)
        if live is None:
            return getattr(self, "_partial_state", None)
        configs, trainer = live
        return {"options": configs.texts(), "state": _fit.save_trainer(trainer)}
