#!/usr/bin/env python3
"""Makes the golden files of the step: trajectories.json, layers.json and data_a.json, beside this script.

Every case trains a small net for some hundred steps in float64 with PyTorch: its layers, losses, optimizers and clips
wherever PyTorch has them, a few plain tensor operations where it has not (per-unit clips, proximal L1, ...). The
tests then demand the same weights of Vise. Needs PyTorch and NumPy; run again when cases are added. Cases that are in
their file stay as they are, since other versions differ in the last digits; --all makes them anew:

    python3 tests/golden/make_trajectories.py [--all]

The keys of a case's "spec" are those of vise_i_step_spec (see tests/support/trajectory.c).
"""
import json
import math
import os
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from layered_net import LayeredNet

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS, FEATURES, OUTPUTS = 48, 7, 5
REPORTED_STEPS = [1, 2, 3, 10, 50, 100, 200, 300]


def round_to_grid(a):
    """Multiples of 1/1024: exact in float32, short in decimal."""
    return np.round(np.asarray(a) * 1024) / 1024


def make_data():
    rng = np.random.RandomState(7)
    x = round_to_grid(rng.randn(ROWS, FEATURES))
    teacher = rng.randn(FEATURES, OUTPUTS)
    scores = np.tanh(x) @ teacher
    return {
        "x": x,
        "labels": scores.argmax(1).reshape(-1, 1),
        "values": round_to_grid(scores * 0.5 + 0.3 * rng.randn(ROWS, OUTPUTS)),
        "value": round_to_grid(scores[:, :1] * 0.5 + 0.3 * rng.randn(ROWS, 1)),
        "bits": (scores > 0).astype(int),
        "bit": (scores[:, :1] > 0).astype(int),
        "sign": np.where(scores[:, :1] > 0, 1, -1),
        "row_weights": round_to_grid(rng.rand(ROWS) * 2),
        "counts": np.floor(np.exp(np.clip(scores, -2, 2))),
        "count": np.floor(np.exp(np.clip(scores[:, :1], -2, 2))),
    }


ACTIVATIONS = {
    "relu": nn.ReLU, "leaky-relu": lambda: nn.LeakyReLU(0.01), "silu": nn.SiLU, "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "identity": nn.Identity, "elu": nn.ELU,
}

DEFAULTS = {
    "loss": "cross-entropy", "mse_reduction": "half_mean", "label_smoothing": 0.0, "class_weights": None,
    "optimizer": "sgd", "momentum": 0.0, "nesterov": False, "rho": 0.9, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
    "max_update": 0.0, "k2": 0.0, "k1": 0.0, "kF": 0.0, "k2d": 0.0, "prox_l1": False, "penalize_bias": False,
    "clip_value": False, "clip_lo": 0.0, "clip_hi": 0.0, "clip_norm": 0.0, "clip_norm_type": "global",
    "clip_norm_p": "2", "clip_norm_torch_eps": False, "clip_scope": "total", "clip_agc": 0.0,
    "box_lo": None, "box_hi": None, "clamp_bias": False, "max_norm": 0.0, "max_norm_scope": "unit",
}


LAYERS = {"batch_norm", "dropout", "input_dropout", "residual", "seed"}


def case(name, target="labels", widths=(FEATURES, 11, OUTPUTS), activation="relu", bias=True, lr=0.1, batch=16,
         steps=300, row_weights=False, mask=False, **spec):
    layers = {k: spec.pop(k) for k in LAYERS & set(spec)}
    unknown = set(spec) - set(DEFAULTS)
    assert not unknown, unknown
    spec = dict(dict(loss="cross-entropy"), **spec)
    return dict(name=name, target=target, widths=list(widths), activation=activation, bias=bias, lr=lr, batch=batch,
                steps=steps, row_weights=row_weights, mask=mask, spec=spec, **dict(sorted(layers.items())))


def make_cases():
    class_weights = [0.5, 2.0, 1.0, 0.25, 1.5]
    wd = dict(clip_scope="data", penalize_bias=True)  # with the `half` convention this is PyTorch's weight_decay
    mse = dict(target="values", loss="mse")
    c = [case("sgd")]
    c += [case("activation " + a, activation=a) for a in ACTIVATIONS if a != "relu"]
    c += [
        case("no bias", bias=False, lr=0.05),
        case("linear model", widths=(FEATURES, OUTPUTS)),
        case("deep tanh", widths=(FEATURES, 9, 8, 6, OUTPUTS), activation="tanh"),
        case("deep gelu adam", widths=(FEATURES, 9, 8, 6, OUTPUTS), activation="gelu", lr=0.003, optimizer="adam"),
        case("partial last batch", batch=20),
        case("full batch", batch=48),
        case("single rows", batch=1, lr=0.01),
        # losses
        case("label smoothing", label_smoothing=0.1),
        case("class weights", class_weights=class_weights),
        case("class weights and label smoothing", class_weights=class_weights, label_smoothing=0.2),
        case("row weights", row_weights=True),
        case("row weights, class weights and label smoothing", row_weights=True, class_weights=class_weights,
             label_smoothing=0.1),
        case("mse half_mean", lr=0.02, **mse),
        case("mse mean", lr=0.05, mse_reduction="mean", **mse),
        case("mse half_sum", lr=0.002, mse_reduction="half_sum", **mse),
        case("mse row weights", lr=0.02, row_weights=True, **mse),
        case("mse of class labels", lr=0.02, loss="mse", class_weights=class_weights),
        case("mse one output", target="value", widths=(FEATURES, 11, 1), loss="mse", lr=0.02),
        case("huber", target="values", loss="huber"),
        case("huber row weights", target="values", loss="huber", row_weights=True),
        case("poisson", target="counts", loss="poisson", lr=0.05),
        case("poisson row weights", target="counts", loss="poisson", row_weights=True, lr=0.05),
        case("poisson one output", target="count", widths=(FEATURES, 11, 1), loss="poisson", lr=0.02),
        case("bce of bits", target="bits", loss="bce"),
        case("bce one output", target="bit", widths=(FEATURES, 11, 1), loss="bce", class_weights=[1.0, 3.0]),
        case("bce of class labels", loss="bce", class_weights=class_weights, row_weights=True),
        case("hinge one output, 0/1", target="bit", widths=(FEATURES, 11, 1), loss="hinge", lr=0.02),
        case("hinge one output, -1/+1", target="sign", widths=(FEATURES, 11, 1), loss="hinge", lr=0.02,
             class_weights=[2.0, 0.5]),
        case("hinge of class labels", loss="hinge", lr=0.02),
        case("hinge of bits", target="bits", loss="hinge", lr=0.02),
        # optimizers
        case("momentum", momentum=0.9, lr=0.02),
        case("nesterov", momentum=0.9, nesterov=True, lr=0.02),
        case("adam", optimizer="adam", lr=0.003),
        case("adam, other betas", optimizer="adam", lr=0.003, beta1=0.8, beta2=0.95, eps=1e-3),
        case("adamw", optimizer="adam", lr=0.003, k2d=0.1, penalize_bias=True),
        case("adamw, biases exempt", optimizer="adam", lr=0.003, k2d=0.1),
        case("sgd decoupled decay", k2d=0.05),
        case("rmsprop", optimizer="rmsprop", lr=0.001),
        case("rmsprop momentum", optimizer="rmsprop", lr=0.0005, momentum=0.8, rho=0.95, eps=1e-4),
        case("lion", optimizer="lion", lr=0.001, beta2=0.99),
        case("lion, other betas", optimizer="lion", lr=0.001, beta1=0.8, beta2=0.95, activation="tanh"),
        case("lion, decay, clip, cap, mask and box", optimizer="lion", lr=0.001, beta2=0.99, k2d=0.1, k2=0.01,
             clip_norm=0.3, max_update=0.0008, mask=True, box_lo=-0.5, box_hi=0.6),
        case("max update sgd", max_update=0.002),
        case("max update adam", optimizer="adam", lr=0.003, max_update=0.001),
        # penalties
        case("l2", k2=0.02),
        case("l2 on biases too", k2=0.02, penalize_bias=True),
        case("l1", k1=0.003, lr=0.05),
        case("elastic net, huge", k1=0.01, k2=0.1, lr=0.05),
        case("frobenius norm", kF=0.05),
        case("weight decay sgd", k2=0.03, momentum=0.9, lr=0.02, **wd),
        case("weight decay adam", k2=0.03, optimizer="adam", lr=0.003, **wd),
        case("weight decay rmsprop", k2=0.03, optimizer="rmsprop", lr=0.001, **wd),
        case("weight decay with clips", k2=0.05, clip_norm=0.2, clip_norm_torch_eps=True, **wd),
        case("prox l1", k1=0.01, prox_l1=True),
        case("prox l1 momentum", k1=0.005, prox_l1=True, momentum=0.9, lr=0.02),
        # clips
        case("value clip", clip_value=True, clip_lo=-0.02, clip_hi=0.02),
        case("value clip, asymmetric", clip_value=True, clip_lo=-0.01, clip_hi=0.03),
        case("value clip of the total gradient", clip_value=True, clip_lo=-0.02, clip_hi=0.02, k2=0.05, k1=0.002),
        case("value clip of the data gradient", clip_value=True, clip_lo=-0.02, clip_hi=0.02, k2=0.05,
             clip_scope="data"),
        case("norm clip torch", clip_norm=0.3, clip_norm_torch_eps=True),
        case("norm clip torch inf", clip_norm=0.05, clip_norm_p="inf", clip_norm_torch_eps=True),
        case("norm clip", clip_norm=0.3),
        case("norm clip inf", clip_norm=0.05, clip_norm_p="inf"),
        case("norm clip per tensor", clip_norm=0.1, clip_norm_type="tensor"),
        case("norm clip per tensor torch", clip_norm=0.1, clip_norm_type="tensor", clip_norm_torch_eps=True),
        case("norm clip per unit", clip_norm=0.05, clip_norm_type="unit"),
        case("norm clip per unit inf", clip_norm=0.02, clip_norm_type="unit", clip_norm_p="inf"),
        case("adaptive clip", clip_agc=0.02),
        case("adaptive clip, small weights", clip_agc=0.5, widths=(FEATURES, 11, 7, OUTPUTS), k2=0.3, activation="tanh"),
        case("adaptive clip, value clip, norm clip", clip_agc=0.03, clip_value=True, clip_lo=-0.05, clip_hi=0.04,
             clip_norm=0.1, optimizer="adam", lr=0.01),
        case("adaptive clip and norm clip per unit", clip_agc=0.05, clip_norm=0.04, clip_norm_type="unit"),
        case("value then norm clip", clip_value=True, clip_lo=-0.05, clip_hi=0.05, clip_norm=0.15, k2=0.02),
        # projections
        case("box", box_lo=-0.4, box_hi=0.4),
        case("box, asymmetric, biases too", box_lo=-0.2, box_hi=0.5, clamp_bias=True),
        case("box per layer", box_lo=[-0.3, -0.7], box_hi=[0.25, None]),
        case("max-norm per unit", max_norm=0.8),
        case("max-norm per tensor", max_norm=2.0, max_norm_scope="tensor"),
        case("box and max-norm", box_lo=-0.5, box_hi=0.5, max_norm=0.9),
        case("mask", mask=True),
        case("mask momentum box", mask=True, momentum=0.9, lr=0.02, box_lo=-0.5, box_hi=0.5),
        case("mask adam", mask=True, optimizer="adam", lr=0.003, k2=0.01),
        case("everything", row_weights=True, mask=True, class_weights=class_weights, label_smoothing=0.05,
             optimizer="adam", lr=0.003, k2=0.01, k1=0.001, kF=0.002, k2d=0.02, clip_value=True, clip_lo=-0.05,
             clip_hi=0.04, clip_norm=0.2, max_update=0.002, box_lo=-0.5, box_hi=0.6, max_norm=1.2,
             activation="gelu", batch=20),
    ]
    assert len({x["name"] for x in c}) == len(c)
    return c


def make_layer_cases():
    """Cases of layers.json: batch norm, dropout and residuals, each alone and all together."""
    deep = dict(widths=(FEATURES, 9, 9, 9, OUTPUTS))
    all_of_them = dict(batch_norm=True, dropout=0.2, input_dropout=0.1, residual=True, seed=2 ** 40 + 11, **deep)
    hard = dict(clip_value=True, clip_lo=-0.05, clip_hi=0.04, clip_norm=0.2, box_lo=-0.5, box_hi=0.6, k2=0.01, k2d=0.02)
    c = [
        case("batch norm", batch_norm=True),
        case("batch norm, deep gelu", batch_norm=True, activation="gelu", **deep),
        case("batch norm, mse, row weights", target="values", loss="mse", batch_norm=True, row_weights=True, lr=0.02),
        case("batch norm, adam, no bias", batch_norm=True, bias=False, optimizer="adam", lr=0.003),
        case("batch norm, a last row joins", batch_norm=True, batch=47),
        case("batch norm, clips, box, decay", batch_norm=True, activation="tanh", **hard),
        case("batch norm, gain and shift penalized and boxed", batch_norm=True, clamp_bias=True, penalize_bias=True,
             **hard),
        case("dropout", dropout=0.3, seed=5),
        case("dropout, deep, adam, partial last batch", dropout=0.5, seed=6, optimizer="adam", lr=0.003, batch=20,
             **deep),
        case("dropout, clips, box, decay", dropout=0.25, seed=7, activation="silu", **hard),
        case("input dropout", input_dropout=0.2, seed=2 ** 63 + 1),
        case("input dropout, linear model", input_dropout=0.4, seed=8, widths=(FEATURES, OUTPUTS)),
        case("input dropout, clips, box, decay", input_dropout=0.1, seed=9, **hard),
        case("residual", residual=True, lr=0.05, **deep),
        case("residual from the inputs", residual=True, activation="tanh", widths=(FEATURES, FEATURES, OUTPUTS)),
        case("residual, clips, box, decay", residual=True, lr=0.05, **deep, **hard),
        case("all layers", lr=0.05, **all_of_them),
        case("all layers, adam, clips, box, decay", optimizer="adam", lr=0.003, activation="gelu", **all_of_them,
             **hard),
        case("all layers, everything", optimizer="adam", lr=0.003, k1=0.001, kF=0.002, max_update=0.002, max_norm=1.2,
             label_smoothing=0.05, row_weights=True, mask=True, batch=20, activation="silu", **all_of_them, **hard),
    ]
    assert len({x["name"] for x in c}) == len(c)
    return c


def initial_weights(params, seed, n_in):
    """U(-1, 1)/sqrt(in), gains of batch norms around 1; on the grid, in flat order."""
    rng = np.random.RandomState(seed)
    parts = []
    for p, is_gain in params:
        n_in = p.shape[1] if p.dim() == 2 else n_in
        parts.append(is_gain + rng.uniform(-1, 1, tuple(p.shape)) / math.sqrt(n_in))
    return [round_to_grid(p) for p in parts]


class Lion(torch.optim.Optimizer):
    """PyTorch has none: u = sign(b1 m + (1 - b1) g), then m <- b2 m + (1 - b2) g (Chen et al. 2023)."""

    def __init__(self, params, lr, betas):
        super().__init__(params, dict(lr=lr, betas=betas))

    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                p.sub_(group["lr"] * torch.sign(beta1 * m + (1 - beta1) * p.grad))
                m.mul_(beta2).add_((1 - beta2) * p.grad)


class Step:
    """One case as PyTorch computes it."""

    def __init__(self, case_, data):
        self.spec = dict(DEFAULTS, **case_["spec"])
        self.lr = case_["lr"]
        widths, bias = case_["widths"], case_["bias"]
        layers = {k: case_[k] for k in LAYERS & set(case_)}
        self.model = LayeredNet(widths, ACTIVATIONS[case_["activation"]], bias, **layers)
        self.params = list(self.model.parameters())
        gains = {id(m.weight) for m in self.model.modules() if isinstance(m, nn.BatchNorm1d)}
        self.initial = initial_weights([(p, id(p) in gains) for p in self.params], 100 + sum(widths) + len(widths),
                                       widths[0])
        with torch.no_grad():
            for p, v in zip(self.params, self.initial):
                p.copy_(torch.from_numpy(v))
        self.is_bias = [p.dim() == 1 for p in self.params]
        self.layer = (np.cumsum([not b for b in self.is_bias]) - 1).tolist()
        self.x = torch.tensor(data["x"])
        self.y = torch.tensor(data[case_["target"]])
        self.row_weights = torch.tensor(data["row_weights"]) if case_["row_weights"] else None
        c = self.spec["class_weights"]
        self.class_weights = None if c is None else torch.tensor(c)
        self.is_class = case_["target"] == "labels"
        self.masks = None
        if case_["mask"]:
            rng = np.random.RandomState(5)
            self.masks = [torch.tensor(rng.rand(*p.shape) < 0.6 if not b else np.ones(p.shape, bool))
                          for p, b in zip(self.params, self.is_bias)]
            self.apply_masks()
        with torch.no_grad():
            self.project()
        self.make_optimizer()
        self.totals = dict(clipped_values=0, norm_clipped=0, correct=0)

    def make_optimizer(self):
        s = self.spec
        # PyTorch's own weight_decay where the case is one; else the penalties are added by hand.
        self.torch_decay = s["clip_scope"] == "data" and s["penalize_bias"] and s["k1"] == 0 and s["kF"] == 0
        decay = s["k2"] if self.torch_decay else 0
        if s["optimizer"] == "sgd":
            self.optimizer = torch.optim.SGD(self.params, lr=self.lr, momentum=s["momentum"], nesterov=s["nesterov"],
                                             weight_decay=decay)
        elif s["optimizer"] == "rmsprop":
            self.optimizer = torch.optim.RMSprop(self.params, lr=self.lr, alpha=s["rho"], eps=s["eps"],
                                                 momentum=s["momentum"], weight_decay=decay)
        elif s["optimizer"] == "lion":
            assert not self.torch_decay
            self.optimizer = Lion(self.params, lr=self.lr, betas=(s["beta1"], s["beta2"]))
        elif s["k2d"] and s["penalize_bias"]:
            self.optimizer = torch.optim.AdamW(self.params, lr=self.lr, betas=(s["beta1"], s["beta2"]), eps=s["eps"],
                                               weight_decay=s["k2d"])
        else:
            self.optimizer = torch.optim.Adam(self.params, lr=self.lr, betas=(s["beta1"], s["beta2"]), eps=s["eps"],
                                              weight_decay=decay)

    def loss(self, z, y, row_weights):
        """Data loss by PyTorch's functions; row and class weights by the mean over the sum of weights."""
        s, n_out = self.spec, z.shape[1]
        r = torch.ones(len(z)) if row_weights is None else row_weights
        c = self.class_weights
        if s["loss"] == "cross-entropy":
            label = y[:, 0]
            self.totals["correct"] += int((z.argmax(1) == label).sum())
            if row_weights is None:
                return F.cross_entropy(z, label, weight=c, label_smoothing=s["label_smoothing"])
            rows = F.cross_entropy(z, label, weight=c, label_smoothing=s["label_smoothing"], reduction="none")
            return (r * rows).sum() / (r if c is None else r * c[label]).sum()
        if self.is_class:
            label = y[:, 0]
            y = F.one_hot(label, n_out)
            correct = z.argmax(1) == label
            weights = r if c is None else r * c[label]
        else:
            correct = ((z > 0) == (y > 0)).all(1)
            weights = r if c is None else r * c[(y[:, 0] > 0).long()]
        y = y.double()
        if s["loss"] not in ("mse", "huber", "poisson"):
            self.totals["correct"] += int(correct.sum())
        weighted = row_weights is not None or c is not None
        if s["loss"] == "mse":
            if not weighted and s["mse_reduction"] == "mean":
                return F.mse_loss(z, y)
            rows = ((z - y) ** 2).sum(1)
            return {"half_mean": lambda: (weights * rows).sum() / 2 / weights.sum(),
                    "mean": lambda: (weights * rows).sum() / weights.sum() / n_out,
                    "half_sum": lambda: (weights * rows).sum() / 2}[s["mse_reduction"]]()
        if s["loss"] == "huber":
            if not weighted:
                return F.huber_loss(z, y)
            rows = F.huber_loss(z, y, reduction="none").mean(1)
        elif s["loss"] == "poisson":
            if not weighted:
                return F.poisson_nll_loss(z, y)
            rows = F.poisson_nll_loss(z, y, reduction="none").mean(1)
        elif s["loss"] == "bce":
            if not weighted:
                return F.binary_cross_entropy_with_logits(z, y)
            rows = F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(1)
        else:
            rows = F.relu(1 - torch.where(y > 0, 1.0, -1.0) * z).sum(1)
        return (weights * rows).sum() / weights.sum()

    def penalty(self, with_l1=True):
        s, value = self.spec, torch.zeros(())
        for p, is_bias in zip(self.params, self.is_bias):
            if is_bias and not s["penalize_bias"]:
                continue
            value = value + s["k2"] / 2 * (p ** 2).sum() + s["kF"] * torch.linalg.vector_norm(p)
            if with_l1:
                value = value + s["k1"] * p.abs().sum()
        return value

    def add_penalty_gradient(self):
        grads = torch.autograd.grad(self.penalty(not self.spec["prox_l1"]), self.params, allow_unused=True)
        for p, g in zip(self.params, grads):
            if g is not None:
                p.grad += g

    def norm(self):
        return torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in self.params])).item()

    def clip_value(self):
        s = self.spec
        if not s["clip_value"]:
            return
        for p in self.params:
            self.totals["clipped_values"] += int(((p.grad < s["clip_lo"]) | (p.grad > s["clip_hi"])).sum())
        if s["clip_lo"] == -s["clip_hi"]:
            torch.nn.utils.clip_grad_value_(self.params, s["clip_hi"])
        else:
            for p in self.params:
                p.grad.clamp_(s["clip_lo"], s["clip_hi"])

    def clip_adaptively(self):
        """By rows of weights, after Brock et al. 2021 (High-performance large-scale image recognition)."""
        bound = self.spec["clip_agc"]
        clipped = False
        for p in self.params if bound else []:
            if p.dim() != 2:
                continue
            most = bound * torch.linalg.vector_norm(p.detach(), dim=1, keepdim=True).clamp(min=1e-3)
            scale = (most / torch.linalg.vector_norm(p.grad, dim=1, keepdim=True)).clamp(max=1)
            clipped |= bool((scale < 1).any())
            p.grad.mul_(scale)
        return clipped

    def clip_norm(self):
        s = self.spec
        clipped = self.clip_adaptively()
        if not s["clip_norm"]:
            self.totals["norm_clipped"] += clipped
            return
        p_norm = float(s["clip_norm_p"])
        if s["clip_norm_type"] == "global":
            groups = [self.params]
        elif s["clip_norm_type"] == "tensor":
            groups = [[p] for p in self.params]
        else:
            groups = None
        if groups and s["clip_norm_torch_eps"]:
            for group in groups:
                norm = torch.nn.utils.clip_grad_norm_(group, s["clip_norm"], norm_type=p_norm)
                clipped |= bool(norm + 1e-6 > s["clip_norm"])
        else:
            if groups:
                units = [[p.grad for p in group] for group in groups]
            else:
                units = [[row] for p in self.params for row in (p.grad if p.dim() == 2 else p.grad.unsqueeze(0))]
            for unit in units:
                norm = torch.linalg.vector_norm(torch.cat([g.flatten() for g in unit]), ord=p_norm)
                if norm > s["clip_norm"]:
                    clipped = True
                    for g in unit:
                        g.mul_(s["clip_norm"] / norm)
        self.totals["norm_clipped"] += clipped

    def update(self):
        s = self.spec
        before = [p.clone() for p in self.params]
        self.optimizer.step()
        in_optimizer = isinstance(self.optimizer, torch.optim.AdamW)
        for p, w, is_bias in zip(self.params, before, self.is_bias):
            exempt = is_bias and not s["penalize_bias"]
            d = (1 - self.lr * s["k2d"]) * w - p if in_optimizer else w - p
            if s["max_update"]:
                d = d.clamp(-s["max_update"], s["max_update"])
            if s["max_update"] or (s["k2d"] and not in_optimizer):
                p.copy_((1 if exempt else 1 - self.lr * s["k2d"]) * w - d)
            if s["prox_l1"] and not exempt:
                p.copy_(F.softshrink(p, self.lr * s["k1"]))

    def apply_masks(self):
        with torch.no_grad():
            for p, m in zip(self.params, self.masks):
                p.mul_(m)
                state = getattr(self, "optimizer", None) and self.optimizer.state[p]
                for key in ("momentum_buffer", "exp_avg", "exp_avg_sq", "square_avg"):
                    if state and torch.is_tensor(state.get(key)):
                        state[key].mul_(m)

    def bounds(self, i):
        """(lo, hi) of tensor i, infinite where there are none."""
        s = self.spec
        if s["box_lo"] is None or (self.is_bias[i] and not s["clamp_bias"]):
            return -math.inf, math.inf
        lo, hi = s["box_lo"], s["box_hi"]
        lo = lo[self.layer[i]] if isinstance(lo, list) else lo
        hi = hi[self.layer[i]] if isinstance(hi, list) else hi
        return -math.inf if lo is None else lo, math.inf if hi is None else hi

    def project(self):
        s = self.spec
        for i, p in enumerate(self.params):
            lo, hi = self.bounds(i)
            p.clamp_(lo, hi)
            if s["max_norm"] and not self.is_bias[i]:
                norm = torch.linalg.vector_norm(p, dim=1, keepdim=True) if s["max_norm_scope"] == "unit" \
                    else torch.linalg.vector_norm(p)
                p.mul_(torch.clamp(s["max_norm"] / norm, max=1))

    def run(self, step, rows):
        self.model.set_step(step)
        row_weights = None if self.row_weights is None else self.row_weights[rows]
        self.optimizer.zero_grad()
        loss = self.loss(self.model(self.x[rows]), self.y[rows], row_weights)
        loss.backward()
        report = dict(losses=loss.item(), penalties=self.penalty().item())
        if self.spec["clip_scope"] == "total":
            self.add_penalty_gradient()
        with torch.no_grad():
            self.clip_value()
            report["grad_norms"] = self.norm()
            self.clip_norm()
            report["grad_norms_clipped"] = self.norm()
        if self.spec["clip_scope"] == "data" and not self.torch_decay:
            self.add_penalty_gradient()
        with torch.no_grad():
            self.update()
            if self.masks:
                self.apply_masks()
            self.project()
        return report


def flat(tensors):
    return [v for t in tensors for v in np.asarray(t).flatten().tolist()]


def run_case(case_, data):
    step = Step(case_, data)
    # With batch norm a last row alone joins the batch before it.
    joins = bool(step.model.statistics()) and case_["batch"] > 1 and ROWS % case_["batch"] == 1
    n_batches = -(-ROWS // case_["batch"]) - joins
    reported = {k: [] for k in ("losses", "penalties", "grad_norms", "grad_norms_clipped")}
    steps = [s for s in REPORTED_STEPS if s <= case_["steps"]]
    for s in range(case_["steps"]):
        first = s % n_batches * case_["batch"]
        last = s % n_batches == n_batches - 1
        report = step.run(s, slice(first, ROWS if last else first + case_["batch"]))
        if s + 1 in steps:
            for k, v in report.items():
                reported[k].append(v)
    at_lo = at_hi = 0
    for i, p in enumerate(step.params):
        lo, hi = step.bounds(i)
        at_lo += int((p == lo).sum())
        at_hi += int((p == hi).sum())
    out = {k: v for k, v in case_.items() if k != "mask"}
    if "seed" in out:
        out["seed"] = str(out["seed"])  # 64 bits
    if step.masks:
        out["mask"] = "".join(str(int(v)) for v in flat(step.masks))
    final = flat([p.detach().numpy() for p in step.params] + step.model.statistics())
    assert all(math.isfinite(v) for v in final), case_["name"]
    statistics = [k % 2 for k, s in enumerate(step.model.statistics()) for _ in s]
    out.update(initial=flat(step.initial) + statistics, final=final, reported_steps=steps,
               totals=dict(step.totals, at_lo=at_lo, at_hi=at_hi), **reported)
    print("%-50s loss %.6f -> %.6f %s" % (case_["name"], reported["losses"][0], reported["losses"][-1], out["totals"]))
    return out


def write(name, value):
    """JSON with one top-level array item a line; floats by repr, which is exact."""
    parts = []
    for k, v in value.items():
        if k == "cases":
            v = "[\n" + ",\n".join(json.dumps(i, separators=(",", ":")) for i in v) + "\n]"
        else:
            v = json.dumps(v, separators=(",", ":"))
        parts.append(json.dumps(k) + ":" + v)
    with open(os.path.join(HERE, name), "w") as f:
        f.write("{\n" + ",\n".join(parts) + "\n}\n")


def cases_made(name):
    """The cases of the file that need not be made again, by name."""
    path = os.path.join(HERE, name)
    if "--all" in sys.argv[1:] or not os.path.exists(path):
        return {}
    with open(path) as f:
        return {c["name"]: c for c in json.load(f)["cases"]}


def write_cases(name, cases, data):
    made = cases_made(name)
    write(name, {
        "made_by": "make_trajectories.py, PyTorch %s, float64" % torch.__version__.split("+")[0],
        "data": {k: np.asarray(v).tolist() for k, v in data.items()},
        "cases": [made.get(c["name"]) or run_case(c, data) for c in cases],
    })


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    data = make_data()
    write_cases("trajectories.json", make_cases(), data)
    write_cases("layers.json", make_layer_cases(), data)
    legacy = np.random.RandomState(0)
    x = legacy.rand(100, 1)
    y = 3 * x + 2 + 0.5 * legacy.randn(100, 1)
    write("data_a.json", {"made_by": "make_trajectories.py: NumPy's legacy generator, seed 0", "x": x.ravel().tolist(),
                          "y": y.ravel().tolist()})


if __name__ == "__main__":
    main()
