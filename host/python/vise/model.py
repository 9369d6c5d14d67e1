"""Models: a net with its weights, scaling and preprocessing, as in a .safetensors file."""
from __future__ import annotations

import ctypes
import json
import os
import threading
from ctypes import POINTER, byref, c_double, c_size_t
from typing import Any, Dict, List, Optional

import numpy as np

from . import _export
from . import _library as _l
from ._library import Handle, call, lib, made, take_bytes
from ._tables import array_of, dense, numbers_of

_WRITES_PREPROCESSOR = threading.Lock()


class Layer(ctypes.Structure):
    """vise_layer"""

    _fields_ = [("struct_size", c_size_t), ("kind", ctypes.c_int), ("width", c_size_t), ("bias", ctypes.c_bool),
                ("activation", ctypes.c_int), ("dropout", c_double), ("span", c_size_t)]


LINEAR, BATCH_NORM, ACTIVATION, DROPOUT, RESIDUAL = range(5)


class Model:
    """A net and what is needed to use it. Make one with vise.load, or take `model_` of a fitted estimator.

    >>> import vise
    >>> model = vise.Model([2, 3, 1], activation="tanh", seed=1)
    >>> model.widths
    [2, 3, 1]
    >>> model.predict([[0.5, -1.0]]).shape
    (1, 1)
    """

    def __init__(self, layers: Any, *, dtype: Any = "float32", init_scheme: str = "linear", seed: int = 0,
                 **net_options: Any) -> None:
        """A new net. layers: sizes, as [784, 128, 10] or "784-128-10". dtype: float32 or float64, of the weights.
        init_scheme, seed: how the weights are drawn. net_options: activation, bias, batch_norm, dropout, ..., as in
        vise.Classifier."""
        from ._options import Configs

        configs = Configs()
        configs.set("layers", layers)
        for name, value in net_options.items():
            configs.set(name, value)
        kind = {"float32": _l.F32, "float64": _l.F64}.get(str(np.dtype(dtype)))
        if kind is None:
            raise ValueError(f"`dtype` is {dtype!r}; it is float32 or float64")
        self._handle = Handle(made(lib.vise_model_create, byref(configs.net), kind), lib.vise_model_free)
        scheme = _l.named(lib.vise_init_scheme_parse, init_scheme)
        call(lib.vise_model_initialize, self._pointer, scheme, seed)

    @classmethod
    def _of(cls, pointer: int, preprocessor: Optional[Handle] = None) -> Model:
        """The model at pointer; preprocessor: what makes its inputs."""
        model = cls.__new__(cls)
        model._handle = Handle(pointer, lib.vise_model_free)
        model._preprocessor = preprocessor
        return model

    _preprocessor: Optional[Handle] = None

    @property
    def _pointer(self) -> Optional[int]:
        return self._handle.pointer

    @property
    def _whole(self) -> Optional[int]:
        """The same, with the preprocessor written into the model, which takes longer than a short fit: so it is done when
        someone asks."""
        with _WRITES_PREPROCESSOR:
            if self._preprocessor is not None:
                text = ctypes.c_void_p()
                call(lib.vise_preprocessor_to_json, self._preprocessor.pointer, byref(text))
                try:
                    call(lib.vise_model_set_preprocessing, self._pointer, ctypes.string_at(text))
                finally:
                    lib.vise_buffer_free(text)
                self._preprocessor = None
        return self._pointer

    def __repr__(self) -> str:
        return f"<vise.Model {'-'.join(map(str, self.widths))}, {self.dtype}, loss {self.loss}>"

    # ---- what it is -------------------------------------------------------------------------------------------

    @property
    def widths(self) -> List[int]:
        """Inputs of the net, then the outputs of each linear layer."""
        return [lib.vise_model_width(self._pointer, i) for i in range(lib.vise_model_n_layers(self._pointer) + 1)]

    @property
    def dtype(self) -> str:
        """float32 or float64, of the weights."""
        return "float64" if lib.vise_model_dtype(self._pointer) == _l.F64 else "float32"

    @property
    def loss(self) -> str:
        """The loss that it was trained for."""
        return lib.vise_loss_name(lib.vise_model_loss(self._pointer)).decode()

    @property
    def n_parameters(self) -> int:
        """Trained numbers: weights, biases, gains."""
        return lib.vise_model_n_parameters(self._pointer)

    @property
    def tensor_names(self) -> List[str]:
        """Names of all tensors, as in the file: "0.weight", "0.bias", "2.weight", ..."""
        n = lib.vise_model_n_tensors(self._pointer)
        return [lib.vise_model_tensor_name(self._pointer, i).decode() for i in range(n)]

    @property
    def preprocessing(self) -> Optional[Dict[str, Any]]:
        """How the inputs are made of the columns of a table; None: they are the inputs."""
        text = lib.vise_model_preprocessing(self._whole)
        return json.loads(text) if text is not None else None

    def _linear_names(self, ending: str) -> List[str]:
        """Names of the tensors of linear layers that end so, ".weight" or ".bias"."""
        names = self.tensor_names
        normed = {name[:-len(".running_mean")] for name in names if name.endswith(".running_mean")}
        return [name for name in names if name.endswith(ending) and name[:-len(ending)] not in normed]

    def _index(self, name: str) -> int:
        names = self.tensor_names
        if name not in names:
            raise KeyError(f"no tensor {name!r}; there are {', '.join(names)}")
        return names.index(name)

    def _shape(self, i: int) -> Any:
        rows, columns = c_size_t(), c_size_t()
        call(lib.vise_model_tensor_shape, self._pointer, i, byref(rows), byref(columns))
        is_weight = lib.vise_model_tensor_name(self._pointer, i).endswith(b".weight") and columns.value > 0
        one = not is_weight or (columns.value == 1 and not self._is_linear(i))
        return (rows.value,) if one else (rows.value, columns.value)

    def _is_linear(self, i: int) -> bool:
        names = set(self.tensor_names)
        return self.tensor_names[i].replace(".weight", ".running_mean") not in names

    def __getitem__(self, name: str) -> np.ndarray:
        """A copy of a tensor, as float64: weights [outputs, inputs], biases [outputs]."""
        i = self._index(name)
        out = np.empty(self._shape(i))
        call(lib.vise_model_get_tensor, self._pointer, i, out.ctypes.data_as(POINTER(c_double)), out.size)
        return out

    def __setitem__(self, name: str, values: Any) -> None:
        i = self._index(name)
        values = np.ascontiguousarray(values, dtype=np.float64)
        if values.shape != self._shape(i):
            raise ValueError(f"{name} is of shape {self._shape(i)}, not {values.shape}")
        call(lib.vise_model_set_tensor, self._pointer, i, values.ctypes.data_as(POINTER(c_double)), values.size)

    def set_monotone(self, directions: Any) -> None:
        """Makes the outputs monotone in the inputs, now and in all training to come: for each input 1 (an output never
        falls where it rises), -1 (it never rises) or 0 (free).

        >>> import vise
        >>> model = vise.Model([2, 3, 1], seed=1)
        >>> model.set_monotone([1, 0])
        >>> bool(model["0.weight"][:, 0].min() >= 0)
        True
        """
        from . import _signs

        _signs.set_monotone(self, _signs.directions_of(directions, None, self.widths[0]))

    def set_signs(self, sign: Any) -> None:
        """Signs that weights keep: a .safetensors file, or a dict of tensors' names to 1 (not negative), -1 (not positive)
        and 0 (free)."""
        from . import _signs

        _signs.set_signs(self, sign)

    # ---- use ---------------------------------------------------------------------------------------------------

    def predict(self, x: Any, output: str = "auto", *, backend: str = "auto", threads: int = 0,
                integers: Optional[str] = None, data: Any = None) -> np.ndarray:
        """Outputs for the rows of x [n, inputs of the net]: [n, outputs], float64.

        output: raw (target scaling undone), probability, class, mean, or auto: a regression's means, else raw. x holds
        the net's own inputs; a model of a table is used through its estimator, or the tool's `predict`. integers: compute
        as a net in integers does, to the bit, as in "int8,acc16"; unless the model was trained for it, it is rounded
        first, for the ranges that values have with the rows of data [m, inputs], else with those of x. With what export
        had, these are the outputs of the C that it wrote. On the CPU, in one thread.

        >>> import vise
        >>> model, x = vise.Model([2, 3, 1], seed=1), [[0.5, -1.0], [1.0, 0.25]]
        >>> bool(abs(model.predict(x, integers="int8,acc20") - model.predict(x)).max() < 0.05)
        True
        """
        x = numbers_of(dense(x))
        if x.ndim != 2:
            raise ValueError(f"`x` has {x.ndim} dimensions; it is [rows, inputs of the net]")
        dataset = Handle(made(lib.vise_dataset_from_arrays, byref(array_of(x)), None, None, False),
                         lib.vise_dataset_free)
        if data is not None and integers is None:
            raise ValueError("`data` is for `integers` alone: it has the ranges that a net is rounded for")
        return self._predict(dataset, output, backend, threads, integers, self._rows(data))

    def _predict(self, dataset: Handle, output: str, backend: str, threads: int, integers: Optional[str] = None,
                 ranges: Optional[Handle] = None) -> np.ndarray:
        kinds = {"raw": _l.RAW, "probability": _l.PROBABILITY, "class": _l.CLASS, "mean": _l.MEAN,
                 "auto": _l.OUTPUT_AUTO}
        if output not in kinds:
            raise ValueError(f"`output` is {output!r}; it is one of {', '.join(kinds)}")
        config = _l.sized(_l.EvalConfig, lib.vise_eval_config_init_sized)
        config.n_threads = threads
        config.backend = _l.named(lib.vise_backend_parse, backend)
        if config.backend == _l.AUTO and self.dtype == "float64":
            config.backend = _l.CPU64
        config.as_ = integers.encode() if integers is not None else None
        config.ranges = ranges.pointer if ranges is not None else None
        n = lib.vise_dataset_n_rows(dataset.pointer)
        out = np.empty((n, lib.vise_predict_width(self._pointer, kinds[output])))
        call(lib.vise_predict, self._pointer, dataset.pointer, byref(config), kinds[output],
             out.ctypes.data_as(POINTER(c_double)))
        return out

    # ---- files -------------------------------------------------------------------------------------------------

    def save(self, path: Any) -> None:
        """Writes a .safetensors file, whole or not at all."""
        call(lib.vise_model_save, self._whole, os.fsencode(path))

    def to_bytes(self) -> bytes:
        """The bytes of that file."""
        return take_bytes(lib.vise_model_save_memory, self._whole)

    @classmethod
    def from_bytes(cls, data: bytes) -> Model:
        """The model of such bytes."""
        return cls._of(made(lib.vise_model_load_memory, data, len(data)))

    def __getstate__(self) -> Dict[str, Any]:
        n = self.n_parameters
        found = {"mask": lib.vise_model_mask(self._pointer), "signs": lib.vise_model_signs(self._pointer)}
        return {"model": self.to_bytes(), **{name: ctypes.string_at(at, n) if at else None for name, at in found.items()}}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self._handle = Model.from_bytes(state["model"])._handle
        for name, function in (("mask", lib.vise_model_set_mask), ("signs", lib.vise_model_set_signs)):
            if state[name] is not None:
                call(function, self._pointer, state[name], len(state[name]))

    def copy(self) -> Model:
        """A copy that shares nothing."""
        return Model._of(made(lib.vise_model_clone, self._whole, lib.vise_model_dtype(self._pointer)))

    # ---- proofs, and files for other places --------------------------------------------------------------------

    def certify(self, inputs: Any = None, *, integers: Optional[str] = None, data: Any = None) -> Dict[str, Any]:
        """Proven bounds: ranges of outputs and pre-activations for inputs within `inputs` ((low, high) for all, or
        [inputs, 2]; None: what is known of them), Lipschitz bounds, monotone inputs; a dict, as docs/files.md has it. Of a
        model that was trained for integers, or with integers and data as export has them, also the ranges of the sums of the
        net in integers.

        >>> import vise
        >>> proof = vise.Model([2, 3, 1], seed=1).certify(inputs=(-1, 1))
        >>> proof["lipschitz"]["inf"] > 0
        True
        """
        return _export.certify(self, _export.ranges_of(inputs, self.widths[0]), integers=integers, data=self._rows(data))

    @staticmethod
    def _rows(data: Any) -> Optional[Handle]:
        """Rows [n, inputs] as a data set."""
        if data is None:
            return None
        x = numbers_of(dense(data))
        return Handle(made(lib.vise_dataset_from_arrays, byref(array_of(x)), None, None, True), lib.vise_dataset_free)

    def export(self, path: Any, format: str = "onnx", *, inputs: Any = None, name: Optional[str] = None,
               vectors: Optional[int] = None, integers: Optional[str] = None, data: Any = None) -> None:
        """Writes the model into the new or empty folder path: format "onnx", "h" (float32 C99) or "c" (integers, C99).
        inputs: the ranges of test vectors, as in certify. name: of the files. vectors: how many test vectors. integers,
        data: for "c", unless the model was trained for it, as in "int8,acc16" and rows [n, inputs] to take ranges from."""
        _export.export(self, path, format, _export.ranges_of(inputs, self.widths[0]), name=name, vectors=vectors,
                       integers=integers, data=self._rows(data))

    # ---- torch -------------------------------------------------------------------------------------------------

    def _layers(self) -> List[Layer]:
        layers = []
        for i in range(lib.vise_model_n_listed(self._pointer)):
            layer = Layer(struct_size=ctypes.sizeof(Layer))
            lib.vise_model_layer_sized(ctypes.sizeof(layer), self._pointer, i, byref(layer))
            layers.append(layer)
        return layers

    def to_torch(self) -> Any:
        """The net as a torch.nn.Sequential in evaluation mode, of the same tensors: its outputs are the raw ones before
        any scaling of the targets is undone, its inputs are scaled by a first module where the model scales them.
        UnsupportedError for a net with residuals, which no Sequential has."""
        import torch

        from ._errors import UnsupportedError
        from ._torch import module_of, scaling_module

        modules, width = [], self.widths[0]
        for layer in self._layers():
            if layer.kind == RESIDUAL:
                raise UnsupportedError("a net with residuals is not a torch.nn.Sequential")
            modules.append(module_of(torch, layer, width))
            width = layer.width if layer.kind == LINEAR else width
        net = torch.nn.Sequential(*modules).to(getattr(torch, self.dtype))
        state = {name: torch.as_tensor(self[name]) for name in self.tensor_names}
        state.update({name: value for name, value in net.state_dict().items() if name.endswith("num_batches_tracked")})
        net.load_state_dict(state)

        shift, scale = np.empty(self.widths[0]), np.empty(self.widths[0])
        kind = lib.vise_model_feature_scaling(self._pointer, shift.ctypes.data_as(POINTER(c_double)),
                                              scale.ctypes.data_as(POINTER(c_double)))
        if kind != 0:
            net = torch.nn.Sequential(scaling_module(torch, shift, scale).to(getattr(torch, self.dtype)), net)
        return net.eval()


def load(path: Any) -> Model:
    """Reads a model from a .safetensors file, or from the folder of a run."""
    return Model._of(made(lib.vise_model_load, os.fsencode(path)))


def save(model: Any, path: Any) -> None:
    """Writes a model, or that of a fitted estimator, as a .safetensors file."""
    getattr(model, "model_", model).save(path)
