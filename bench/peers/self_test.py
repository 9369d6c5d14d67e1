"""Checks that the verification of the peers finds a wrong step out, and that the right ones pass.

    python3 bench/peers/self_test.py [--vise build/bin/vise]

Every eager way of PyTorch, and JAX where it is, must pass; the same ways with one thing changed (no clip, no box, no
penalty, another rate, no skip, a gradient that misses a layer) must not. JAX must ask a GPU for the precision that a row
names. Exits 1 otherwise.
"""

import argparse
import dataclasses
import os
import sys

import numpy as np

from bench_common import ROOT, Case, train_reference, with_threads

# Small weights and a large rate make clip and box bite within three steps.
CASE = Case("self-test", (20, 30, 5), 16, "cross-entropy", False, 1e5, 1e4)


@dataclasses.dataclass(frozen=True)
class Tight(Case):
    @property
    def settings(self):
        return {"lr": 0.5, "l2": 1e-2, "clip_norm": 0.3, "clamp": 0.22}


CHANGES = {"no clip": {"clip_norm": 1e9}, "no box": {"clamp": 1e9}, "no penalty": {"l2": 0.0}, "another rate": {"lr": 0.49}}


def tight():
    return Tight(**vars(CASE))


def changed(reference, change):
    """The reference for a peer that would use other settings."""

    class Other(Tight):
        @property
        def settings(self):
            return dict(super().settings, **change)

    return dataclasses.replace(reference, case=Other(**vars(reference.case)))


class Report:
    def __init__(self):
        self.faults = 0

    def note(self, text, good):
        self.faults += not good
        print(f"{'PASS' if good else 'FAIL'}  {text}", flush=True)

    def expect(self, name, verdict, passes):
        self.note(f"{name} is {'right' if passes else 'found out'}: {verdict.text}", verdict.passed == passes)


def test_torch(reference, report):
    import torch

    import torch_step
    from torch_bench import computing_in, verify
    from torch_ways import Eager, ways

    for name, kind in ways("cpu").items():
        if name.startswith("compile"):
            continue
        report.expect(f"torch {name}", verify(kind, reference, "cpu", "fp32"), True)
        for what, change in CHANGES.items():
            report.expect(f"torch {name} with {what}", verify(kind, changed(reference, change), "cpu", "fp32"), False)
        if name == "eager-manual-buffers":  # whose buffers are float32
            continue
        with computing_in("bf16", "cpu"):
            report.expect(f"torch {name} in bf16", verify(kind, reference, "cpu", "bf16"), True)

    class WithoutSkip(Eager):
        def prepare(self):
            def step(x, y):
                with torch.no_grad():
                    loss = torch_step.step_manual(self.params, x, y, **self.settings)
                    if not torch.isfinite(loss):
                        self.params[0].add_(1)
                return loss

            self.step = step

    class WithoutALayer(Eager):
        def prepare(self):
            def step(x, y):
                kept = self.params[0].clone()
                loss = torch_step.step_manual(self.params, x, y, **self.settings)
                self.params[0].copy_(kept)
                return loss

            self.step = step

    report.expect("torch without skip", verify(WithoutSkip, reference, "cpu", "fp32"), False)
    report.expect("torch without a layer", verify(WithoutALayer, reference, "cpu", "fp32"), False)


def test_jax(reference, report):
    try:
        import jax
    except ImportError:
        print("jax: left out: it is not installed", flush=True)
        return
    from jax_bench import WAYS, verify

    with jax.default_matmul_precision("highest"):
        for name, kind in WAYS.items():
            report.expect(f"jax {name}", verify(kind, reference, "fp32"), True)
        for what, change in CHANGES.items():
            report.expect(f"jax jit with {what}", verify(WAYS["jit"], changed(reference, change), "fp32"), False)


def test_jax_precisions(reference, report):
    """What a GPU would be given, by what JAX makes of the step for one."""
    try:
        import jax
    except ImportError:
        return
    from jax_bench import PRECISIONS, Jit

    order = np.arange(reference.case.batch).reshape(1, -1)
    way = Jit(reference.start, (reference.x, reference.y, order), reference.case.settings)
    n_products = 3 * len(way.params) - 1  # of the first layer's inputs there is no gradient
    for name, precision in PRECISIONS.items():
        with jax.default_matmul_precision(precision):
            traced = way.one.trace(way.params, way.x, way.y, way.order, 0)
            lines = traced.lower(lowering_platforms=("cuda",)).as_text().splitlines()
        asked = "HIGHEST, HIGHEST" if name == "fp32" else f"lhs_precision_type = {name}, rhs_precision_type = {name}"
        found = sum(asked in line for line in lines if "dot_general" in line)
        report.note(f"jax {name}: {found} of {n_products} products in this precision", found == n_products)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vise", default=os.path.join(ROOT, "build", "bin", "vise"))
    arguments = parser.parse_args()
    with_threads(1)  # tiny nets
    report = Report()
    for loss, n_out in (("cross-entropy", 5), ("mse", 3)):
        case = dataclasses.replace(tight(), loss=loss, widths=(20, 30, 12, n_out))
        reference = train_reference(arguments.vise, case)
        test_torch(reference, report)
        test_jax(reference, report)
        test_jax_precisions(reference, report)
    print(f"{report.faults} faults")
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
