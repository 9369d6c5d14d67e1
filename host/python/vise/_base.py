"""What vise.Classifier and vise.Regressor have in common: estimators as scikit-learn has them, which work without it too."""
from __future__ import annotations

import ctypes
import inspect
import math
from functools import lru_cache
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np

from . import _checks, _export, _fit, _signs
from . import _library as _l
from ._errors import UsageError
from ._library import Handle, lib, made
from ._options import Configs
from ._parameters import Parameters
from ._partial import PartialFit
from ._tables import Table, column_name, dataset_of, names_of, retyped, title_of, transform
from .model import Model

try:
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
except ImportError:
    from ._without_sklearn import BaseEstimator, NotFittedError


_NAMES = frozenset(inspect.signature(Parameters.__init__).parameters) - {"self"}


class Begun:
    """A fit up to its first step, of an estimator's settings."""

    def __init__(self, data: Any, settings: Dict[str, Any]) -> None:
        self.data, self.settings, self.configs = data, settings, _fit.configs_for(data, settings)
        self.initial: Optional[Model] = None


class Estimator(Parameters, PartialFit, BaseEstimator):
    """What both have in common."""

    model_: Model
    n_features_in_: int
    feature_names_in_: np.ndarray
    n_iter_: int
    n_steps_: int
    loss_: float
    loss_curve_: List[float]
    validation_loss_curve_: Optional[List[float]]
    validation_scores_: Optional[List[float]]
    best_loss_: Optional[float]
    best_validation_score_: Optional[float]
    best_epoch_: Optional[int]
    stop_reason_: str
    _preprocessor: Handle
    _state: Optional[bytes]  # of the trainer, for warm_start
    _done: Tuple[int, int]  # epochs and steps of that trainer
    _takes_float32: bool = False  # the type of X at the first fit

    # ---- parameters --------------------------------------------------------------------------------------------

    @classmethod
    def _get_param_names(cls) -> List[str]:
        """Found once: to read a signature of ninety parameters takes longer than a fit of few rows."""
        if "_parameter_names" not in cls.__dict__:
            cls._parameter_names = sorted(set(inspect.signature(cls.__init__).parameters) - {"self"})
        return cls._parameter_names

    def get_params(self, deep: bool = True) -> Dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in self._get_param_names()}

    def _settings(self) -> Dict[str, Any]:
        """The parameters that are not None by name, with random_state as the seed."""
        settings = {name: value for name, value in self.__dict__.items() if value is not None and name in _NAMES}
        seed = _checks.seed_of(settings.pop("random_state", None))
        if seed is not None and "seed" in settings:
            raise ValueError("`seed` and `random_state` are both given: give one of the two")
        if seed is not None:
            settings["seed"] = seed
        if self.recipe not in ("table", "none"):
            raise ValueError(f"`recipe` is {self.recipe!r}; it is 'table' or 'none'")
        if self.warm_start:
            settings.setdefault("lr_schedule", "constant")  # no schedule knows where the last fit will end
        return settings

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.non_deterministic = False
        return tags

    def _more_tags(self) -> Dict[str, Any]:
        """The same for scikit-learn before 1.6."""
        return {"allow_nan": True, "X_types": ["2darray", "sparse", "string"]}

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise NotFittedError(f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate "
                                 "arguments before using this estimator.")

    # ---- fit ---------------------------------------------------------------------------------------------------

    def _note_features(self, x: Any) -> Any:
        """X checked, its columns and names kept."""
        names = names_of(x)
        x = _checks.features_of(x, type(self).__name__)
        self.n_features_in_, self._takes_float32 = x.shape[1], _is_float32(x)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return x

    def _names(self) -> Optional[List[str]]:
        """Names of the features; None without."""
        return list(self.feature_names_in_) if hasattr(self, "feature_names_in_") else None

    def _table(self, x: Any) -> Table:
        """X as a table, with the columns that are to be taken for text or for numbers."""
        names, table = self._names(), Table(x.shape[0])
        table.add_all(retyped(x, names, self.categorical, self.numeric), names)
        return table

    def _how(self, settings: Dict[str, Any], n_rows: int, n_targets: int, names: Optional[List[str]], kind: int) -> Any:
        if names is not None:
            target = ",".join(names[-n_targets:])
        else:
            target = ",".join(str(i - n_targets) for i in range(n_targets))
        return _fit.preprocessor_options(settings, target, kind, settings.get("loss"), n_rows)

    def _prepared(self, settings: Dict[str, Any], x: Any, targets: np.ndarray, y: Any, weights: Optional[np.ndarray],
                  otherwise: str, again: bool) -> Begun:
        """Targets that are numbers [n, targets], named as in y where X has names, else `otherwise`."""
        names, table = self._names(), self._table(x)
        titles: Optional[List[str]] = None if names is None else []
        for i in range(targets.shape[1]):
            title = None
            if names is not None and titles is not None:
                title = column_name(title_of(y, otherwise, i), names + titles)
                titles.append(title)
            table.add_numbers(np.ascontiguousarray(targets[:, i]), None if title is None else [title])

        kind = _l.TARGET_NUMBERS if targets.shape[1] == 1 else _l.TARGET_NONE
        how = self._how(settings, table.n_rows, targets.shape[1], titles, kind)
        data = _fit.prepare(table, how, settings, weights, self._preprocessor if again else None)
        return Begun(data, settings)

    def _noted(self) -> Dict[str, Any]:
        """What a fit has noted of its data so far."""
        return {name: value for name, value in self.__dict__.items() if name not in _NAMES}

    def _begin_alike(self, begun: Begun, noted: Dict[str, Any], names: Iterable[str]) -> Begun:
        """Begins a fit to the data of another one, of an estimator that differs in the parameters `names` alone, which data
        do not depend on."""
        self.__dict__.update(noted)
        own = {name: getattr(self, name) for name in names}
        kept = {name: value for name, value in begun.settings.items() if name not in own}
        return Begun(begun.data, {**kept, **{name: value for name, value in own.items() if value is not None}})

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Trains a net on the rows of X [n, features] (array, DataFrame or sparse matrix) and y: for a Classifier classes
        [n] (whole numbers, bools or texts) or labels [n, labels] of 0 and 1; for a Regressor numbers [n] or [n, targets].
        sample_weight: a weight of at least 0 for each row. Returns self."""
        again = self.warm_start and getattr(self, "_state", None) is not None
        begun = self._begin(X, y, sample_weight, again)
        goes_on, state = False, None
        if self.warm_start or self._has_signs():
            model, trainer, goes_on = self._trainer_for(begun, again)
            outcome = _fit.run(trainer, begun.configs, begun.data, self.verbose)
            state = _fit.save_trainer(trainer) if self.warm_start else None
        else:
            model, outcome = _fit.fit(begun.configs, begun.data, self.init_scheme, self.verbose)

        self._adopt(model, begun.data)
        self._live, self._partial_state, self._state = None, None, state
        self._note_outcome(outcome, again, goes_on)
        outcome.interrupt.deliver()
        return self

    def _new_model(self, configs: Configs, preprocessor: Handle) -> Model:
        """A net with its initial weights and the signs that they keep."""
        model = _fit.new_model(configs, self.init_scheme, preprocessor)
        if self._has_signs():
            _signs.give_signs(model, self.monotone, self.sign, configs, preprocessor, self._names(), self.n_features_in_)
        return model

    def _has_signs(self) -> bool:
        return self.monotone is not None or self.sign is not None

    def _trainer_for(self, begun: Begun, again: bool) -> Tuple[Model, Handle, bool]:
        """The net, a trainer, and whether that goes on where the trainer of the last fit ended."""
        if again:
            return self._go_on(begun)
        model = self._new_model(begun.configs, begun.data.preprocessor)
        return model, _fit.new_trainer(begun.configs, model, begun.data), False

    def _go_on(self, begun: Begun) -> Tuple[Model, Handle, bool]:
        """The net, a trainer, and whether that goes on where the trainer of the last fit ended. Where rows or options are
        others now it begins with the weights, and with the scaling of targets that they were made for."""
        model = self.model_.copy()
        limits = {"epochs": self._done[0], "steps": self._done[1]}
        asked = {name: begun.configs.number(name) for name in limits}
        for name, done in limits.items():  # they count all steps
            begun.configs.put(name, asked[name] + done if asked[name] > 0 else 0)
        try:
            trainer = _fit.new_trainer(begun.configs, model, begun.data)
            assert self._state is not None
            _fit.restore_trainer(trainer, self._state)
            return model, trainer, True
        except UsageError:
            for name, limit in asked.items():
                begun.configs.put(name, limit)
            begun.configs.put("scale_target", False)
            model = self.model_.copy()
            return model, _fit.new_trainer(begun.configs, model, begun.data), False

    def _adopt(self, model: Model, data: Any) -> None:
        """The trained net, and how its inputs are made."""
        self.model_, self._preprocessor = model, data.preprocessor

    def _note_result(self, result: Any) -> None:
        """Of vise_run_result or vise_sweep_result."""
        self._done = (int(result.epochs), int(result.steps))
        self.n_iter_, self.n_steps_ = max(self._done[0], 1), self._done[1]
        self.loss_ = float(result.train.loss)
        self.stop_reason_ = _stop_reason(result.reason)
        self.best_epoch_ = int(result.best_epoch) or None

    def _note_outcome(self, outcome: Any, again: bool, goes_on: bool) -> None:
        """again: the net was trained before; goes_on: by a trainer whose counts go on."""
        epochs, steps = self._done if goes_on else (0, 0)
        losses = self.loss_curve_ if again else []
        held_out, scores = (self.validation_loss_curve_, self.validation_scores_) if again else (None, None)
        other_epochs, other_steps = len(losses) - epochs, (self.n_steps_ if again else 0) - steps  # of other trainers
        self._note_result(outcome.result)
        self.n_iter_ = max(self._done[0] - epochs, 1)
        self.n_steps_ += other_steps
        if self.best_epoch_ is not None:
            self.best_epoch_ += other_epochs
        self.loss_curve_ = _joined(losses, outcome.losses, other_epochs)
        self.validation_loss_curve_ = self.validation_scores_ = None
        if outcome.validation_losses is not None:
            self.validation_loss_curve_ = _joined(held_out, outcome.validation_losses, other_epochs)
            self.validation_scores_ = _joined(scores, outcome.validation_scores, other_epochs)
        self.best_loss_ = _best(min, self.loss_curve_) if self.validation_scores_ is None else None
        self.best_validation_score_ = _best(max, self.validation_scores_)

    # ---- use ---------------------------------------------------------------------------------------------------

    def _transformed(self, x: Any) -> Handle:
        """The net's inputs for all rows of a checked X."""
        dtype = _l.F64 if self.model_.dtype == "float64" else _l.F32
        return transform(self._preprocessor, self._table(x), None, dtype, targets=False, every_row=True)

    def _outputs(self, X: Any, output: str) -> np.ndarray:
        self._check_fitted()
        x = _checks.check_features(self, X)
        dataset = dataset_of(self._transformed(x), None)
        outputs = self.model_._predict(dataset, output, self.backend or "auto", self.threads or 0)
        return outputs.astype(np.float32) if self._takes_float32 and _is_float32(x) else outputs

    def _tensors(self, ending: str) -> List[np.ndarray]:
        """Those of the linear layers."""
        self._check_fitted()
        dtype = np.float32 if self._takes_float32 else np.float64
        return [self.model_[name].astype(dtype) for name in self.model_._linear_names(ending)]

    @property
    def coefs_(self) -> List[np.ndarray]:
        """Copies of the weights [inputs, outputs] of the linear layers, in the type of X."""
        return [weights.reshape(len(weights), -1).T for weights in self._tensors(".weight")]

    @property
    def intercepts_(self) -> List[np.ndarray]:
        """Copies of the biases [outputs] of the linear layers that have them, in the type of X."""
        return self._tensors(".bias")

    @property
    def n_layers_(self) -> int:
        """Layers, that of the inputs counted."""
        self._check_fitted()
        return len(self.model_.widths)

    @property
    def n_outputs_(self) -> int:
        """Outputs of the net."""
        self._check_fitted()
        return self.model_.widths[-1]

    @property
    def input_names_(self) -> List[str]:
        """Names of the net's inputs, in their order: "age", "color=red", "age is missing"."""
        self._check_fitted()
        buffer = ctypes.create_string_buffer(4096)
        n = lib.vise_preprocessor_n_inputs(self._preprocessor.pointer)
        return [lib.vise_preprocessor_input_name(self._preprocessor.pointer, i, buffer, len(buffer)).decode()
                for i in range(n)]

    def save(self, path: Any) -> None:
        """Writes the model as a .safetensors file, which `vise predict` and vise.load read."""
        self._check_fitted()
        self.model_.save(path)

    def _ranges(self, X: Any) -> Any:
        """Least and largest value of each input that is a number; NaN for those made of texts and gaps."""
        x = _checks.check_features(self, X)
        n = lib.vise_preprocessor_n_inputs(self._preprocessor.pointer)
        low, high, info = np.full(n, np.nan), np.full(n, np.nan), _l.ColumnInfo()
        for i in range(lib.vise_preprocessor_n_columns(self._preprocessor.pointer)):
            _l.call(lib.vise_preprocessor_column, self._preprocessor.pointer, i, ctypes.byref(info))
            if info.role != _l.ROLE_FEATURE or info.kind == _l.COLUMN_TEXT:
                continue
            column = x.iloc[:, info.place] if hasattr(x, "iloc") else x[:, info.place]
            if getattr(column.dtype, "kind", "O") == "M":
                column = np.asarray(column, dtype="datetime64[s]").astype(np.float64) / 86400 - info.origin
            values = np.asarray(column, dtype=np.float64)
            low[info.first_input], high[info.first_input] = np.nanmin(values), np.nanmax(values)
        return low, high

    def certify(self, X: Any, *, integers: Optional[str] = None) -> Dict[str, Any]:
        """Proven bounds of the net for rows within the ranges of X's columns, see vise.Model.certify."""
        self._check_fitted()
        data = None
        if integers is not None:
            data = dataset_of(self._transformed(_checks.check_features(self, X)), None)
        return _export.certify(self.model_, self._ranges(X), "X", integers, data)

    def export(self, path: Any, format: str = "onnx", *, X: Any = None, name: Optional[str] = None,
               vectors: Optional[int] = None, integers: Optional[str] = None) -> None:
        """Writes the net into the new or empty folder path, see vise.Model.export; X: rows, for the ranges of test vectors
        and of the values of a net in integers. The net takes input_names_, numbers in their own units."""
        self._check_fitted()
        data = None
        if X is not None and format == "c":
            data = dataset_of(self._transformed(_checks.check_features(self, X)), None)
        _export.export(self.model_, path, format, None if X is None else self._ranges(X), name=name, vectors=vectors,
                       integers=integers, data=data)

    def to_torch(self) -> Any:
        """The net as a torch.nn.Sequential, see vise.Model.to_torch; its inputs are those of input_names_."""
        self._check_fitted()
        return self.model_.to_torch()

    # ---- pickles -----------------------------------------------------------------------------------------------

    def __getstate__(self) -> Dict[str, Any]:
        state = super().__getstate__() if hasattr(super(), "__getstate__") else self.__dict__
        kept = {name: value for name, value in state.items() if name not in ("_preprocessor", "_live")}
        if "_live" in state:
            kept["_partial_state"] = self._kept_partial()
        return kept

    def __setstate__(self, state: Dict[str, Any]) -> None:
        if hasattr(super(), "__setstate__"):
            super().__setstate__(state)
        else:
            self.__dict__.update(state)
        if "model_" in state:
            text = lib.vise_model_preprocessing(self.model_._pointer)
            self._preprocessor = Handle(made(lib.vise_preprocessor_from_json, text), lib.vise_preprocessor_free)


def _is_float32(x: Any) -> bool:
    """Whether a checked X is an array of float32, or a DataFrame of nothing else."""
    return isinstance(x, np.ndarray) and x.dtype == np.float32


_stop_reason = lru_cache(maxsize=None)(lambda reason: lib.vise_stop_reason_name(reason).decode())


def _best(choose: Any, curve: Optional[List[float]]) -> Optional[float]:
    """The least or the largest number of a curve; None where there is none."""
    return choose((value for value in curve if not math.isnan(value)), default=None) if curve is not None else None


def _joined(before: Optional[List[float]], losses: np.ndarray, n_other: int) -> List[float]:
    """The losses of all epochs: n_other of earlier trainers, then those of this one, NaN where it has none of its own."""
    known = before if before is not None else [math.nan] * n_other
    made_, earlier = losses.tolist(), known[n_other:]
    for i in range(min(len(earlier), len(made_))):
        if math.isnan(made_[i]):
            made_[i] = earlier[i]
    return known[:n_other] + made_
