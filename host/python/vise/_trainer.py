"""vise.Trainer: single steps, with the loss in the library or in the user's hands."""
from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_double
from typing import Any, NamedTuple, Optional

import numpy as np

from . import _fit
from . import _library as _l
from ._library import Handle, call, lib, made
from ._options import Configs
from ._tables import array_of, dense, numbers_of
from .model import Model


class Step(NamedTuple):
    """What a step reports, at the weights before it unless said otherwise."""

    step: int
    loss: float
    penalty: float
    lr: float
    grad_norm: float
    """global 2-norm of the gradient entering the norm clip"""
    grad_norm_clipped: float
    """and leaving it"""
    n_clipped_values: int
    n_at_bounds: int
    """weights that are at their bound after the step"""
    n_nonfinite: int
    n_correct: int
    skipped: bool


def _matrix(values: Any, what: str) -> np.ndarray:
    """An array, a tensor of torch or JAX (by DLPack, without a copy on the CPU), a sparse matrix or lists."""
    values = dense(values)
    if not isinstance(values, np.ndarray) and hasattr(values, "__dlpack__"):
        values = values.detach() if hasattr(values, "detach") else values
        try:
            values = np.from_dlpack(values)
        except (BufferError, RuntimeError, TypeError) as error:
            raise ValueError(f"`{what}` cannot be taken over by DLPack: {error}. It must be in the memory of the CPU: "
                             "x.cpu() of a tensor on a GPU") from None
    values = numbers_of(values)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise ValueError(f"`{what}` has {values.ndim} dimensions; it is [rows, columns]")
    return values


class Trainer:
    """Training step by step, on batches of your own.

    model: a vise.Model (its weights follow at `sync`, and are current after each `model` access). options: those of
    vise.Classifier that belong to training: optimizer, lr, clamp, clip_norm, l2, ...; with loss "external" the gradient of
    the loss comes from you. Arrays of NumPy, and tensors of torch or JAX on the CPU through DLPack, are taken.

    >>> import numpy as np, vise
    >>> trainer = vise.Trainer(vise.Model([2, 8, 1]), loss="mse", lr=0.1, clamp=1)
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    >>> losses = [trainer.step(x, x[:, :1] * x[:, 1:]).loss for _ in range(200)]
    >>> losses[-1] < losses[0]
    True
    >>> trainer.forward(x).shape
    (4, 1)
    """

    def __init__(self, model: Model, **options: Any) -> None:
        self._model, self._configs = model, Configs()
        if model.dtype == "float64" and "backend" not in options:
            options["backend"] = "cpu64"
        if "loss" not in options:
            options["loss"] = model.loss
        for parameter, value in options.items():
            if value is not None:
                self._configs.set(parameter, value)
        pointer = made(lib.vise_trainer_create, byref(self._configs.train), model._pointer, None, None, None)
        self._handle = Handle(pointer, lib.vise_trainer_free)
        self._lr = float(self._configs.get("lr"))

    @property
    def model(self) -> Model:
        """The model, with the weights after the last step."""
        self.sync()
        return self._model

    @property
    def lr(self) -> float:
        """The learning rate of the steps to come, before its schedule. May be set."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        call(lib.vise_trainer_set_lr, self._handle.pointer, float(value))
        self._lr = float(value)

    def _report(self, stats: Any) -> Step:
        return Step(stats.step, stats.loss, stats.penalty, stats.lr, stats.grad_norm, stats.grad_norm_clipped,
                    stats.n_clipped_values, stats.n_at_lo + stats.n_at_hi, stats.n_nonfinite, stats.n_correct,
                    bool(stats.skipped))

    def step(self, x: Any, y: Any, sample_weight: Any = None) -> Step:
        """A step on the rows x [n, inputs] with targets y: numbers [n, outputs], or labels [n] of classes 0, 1, ...
        sample_weight: [n], or None."""
        features, targets = _matrix(x, "x"), _matrix(y, "y")
        weights = None if sample_weight is None else _matrix(sample_weight, "sample_weight")
        view = byref(array_of(weights)) if weights is not None else None
        stats = _l.StepStats()
        call(lib.vise_trainer_step_batch_sized, ctypes.sizeof(stats), self._handle.pointer, byref(array_of(features)),
             byref(array_of(targets)), view, byref(stats))
        return self._report(stats)

    def step_external(self, x: Any, delta: Any, loss: float = 0.0) -> Step:
        """A step with your own loss, for loss "external": delta [n, outputs] is its gradient by the outputs for the rows
        x [n, inputs]. loss is only reported."""
        features, gradient = _matrix(x, "x"), _matrix(delta, "delta")
        stats = _l.StepStats()
        call(lib.vise_trainer_step_external_sized, ctypes.sizeof(stats), self._handle.pointer,
             byref(array_of(features)), byref(array_of(gradient)), float(loss), byref(stats))
        return self._report(stats)

    def forward(self, x: Any) -> np.ndarray:
        """Outputs [n, outputs] at the current weights, before any softmax, in the model's type; torch.from_dlpack takes
        them over."""
        features = _matrix(x, "x")
        out = np.empty((len(features), self._model.widths[-1]))
        call(lib.vise_trainer_forward, self._handle.pointer, byref(array_of(features)),
             out.ctypes.data_as(POINTER(c_double)))
        return out if self._model.dtype == "float64" else out.astype(np.float32)

    def sync(self) -> None:
        """Copies the current weights to the model."""
        call(lib.vise_trainer_sync, self._handle.pointer)

    def state(self) -> bytes:
        """All that `restore` needs to go on with the same bits: weights, moments, counters."""
        return _fit.save_trainer(self._handle)

    def restore(self, state: bytes) -> None:
        """Goes on from a state of a trainer of the same net and options."""
        _fit.restore_trainer(self._handle, state)

    def __getstate__(self) -> Optional[dict]:
        raise TypeError("a vise.Trainer is not pickled; keep its state() and its model")
