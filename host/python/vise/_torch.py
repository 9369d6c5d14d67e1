"""The layers of a net as modules of torch."""
from __future__ import annotations

from typing import Any

import numpy as np

from ._library import lib
from .model import ACTIVATION, BATCH_NORM, DROPOUT, LINEAR, Layer


def module_of(torch: Any, layer: Layer, n_inputs: int) -> Any:
    """The module for a layer that takes n_inputs values."""
    nn = torch.nn
    if layer.kind == LINEAR:
        return nn.Linear(n_inputs, layer.width, bias=layer.bias)
    if layer.kind == BATCH_NORM:
        return nn.BatchNorm1d(n_inputs)
    if layer.kind == DROPOUT:
        return nn.Dropout(layer.dropout)
    assert layer.kind == ACTIVATION
    name = lib.vise_activation_name(layer.activation).decode()
    return {"relu": nn.ReLU, "leaky-relu": nn.LeakyReLU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
            "gelu": nn.GELU, "identity": nn.Identity, "elu": nn.ELU}[name]()


def scaling_module(torch: Any, shift: np.ndarray, scale: np.ndarray) -> Any:
    """(x - shift) / scale as a linear layer is not the same to the last bit, so it is a module of its own."""

    class Scaling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("shift", torch.as_tensor(shift))
            self.register_buffer("scale", torch.as_tensor(scale))

        def forward(self, x: Any) -> Any:
            return (x - self.shift) / self.scale

    return Scaling()
