"""Checks that the PyTorch step of these scripts is the step of Vise: both run in float64 from the same weights over the
same rows in file order, and every loss and all final weights must agree. The hand-written variant must, too.

    python3 bench/peers/verify_step.py [--vise build/bin/vise] [--steps 100] [--tolerance 1e-9]

Exits 1 on disagreement. The job's own settings seldom clip or reach the box in so few steps, so a second case has a
tight clip and a tight box.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

import torch_step
from common import BATCH, CLAMP, CLIP_NORM, L2, LR, MNIST, ROOT, print_context, read_mnist

NAMES = ("0.weight", "0.bias", "2.weight", "2.bias")
CASES = {
    "job": {"lr": LR, "l2": L2, "clip_norm": CLIP_NORM, "clamp": CLAMP},
    "tight": {"lr": 0.5, "l2": 1e-3, "clip_norm": 0.5, "clamp": 0.05},
}


def run_vise(tool, folder, start, settings, steps):
    """Losses of the steps and the final weights, in the order of NAMES."""
    init, out = os.path.join(folder, "init.safetensors"), os.path.join(folder, "run")
    save_file(dict(zip(NAMES, start)), init)
    command = [tool, "train", "--train", os.path.join(MNIST, "train-images-idx3-ubyte.gz"),
               "--train-labels", os.path.join(MNIST, "train-labels-idx1-ubyte.gz"), "--layers", "784-128-10",
               "--batch", str(BATCH), "--steps", str(steps), "--loss", "cross-entropy", "--shuffle", "no",
               "--backend", "cpu64", "--init", init, "--activation", "relu", "--out", out, "--log-every", "1", "--quiet"]
    for name, value in settings.items():
        command += ["--" + name.replace("_", "-"), repr(value)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as stream:
        events = [json.loads(line) for line in stream]
    weights = load_file(os.path.join(out, "model.safetensors"))
    return [e for e in events if e["event"] == "step"], [weights[name] for name in NAMES]


def run_torch(start, settings, steps, x, y):
    params = [p.clone().requires_grad_(True) for p in start]
    losses, norms = [], []
    for i in range(steps):
        rows = slice(i * BATCH, (i + 1) * BATCH)
        loss = torch.nn.functional.cross_entropy(torch_step.forward(params, x[rows]), y[rows])
        grads = list(torch.autograd.grad(loss, params))
        with torch.no_grad():
            norms.append(torch_step.update(params, grads, **settings).item())
        losses.append(loss.item())
    return losses, norms, [p.detach() for p in params]


def manual_error(start, expected, steps, x, y):
    """How far the hand-written backward pass of the speed comparison ends from autograd's, with the job's settings."""
    params = [p.clone() for p in start]
    for i in range(steps):
        torch_step.step_manual(params, x[i * BATCH : (i + 1) * BATCH], y[i * BATCH : (i + 1) * BATCH])
    return max((a - b).abs().max().item() for a, b in zip(params, expected))


def compare(name, settings, arguments, x, y):
    torch.manual_seed(0)
    start = torch_step.initial_parameters(torch.float64)
    for w in start[0::2]:
        w.clamp_(-settings["clamp"], settings["clamp"])
    losses, norms, expected = run_torch(start, settings, arguments.steps, x, y)
    with tempfile.TemporaryDirectory() as folder:
        events, got = run_vise(arguments.vise, folder, start, settings, arguments.steps)
    if len(events) != arguments.steps or any(w.dtype != torch.float64 for w in got):
        raise SystemExit(f"{name}: {len(events)} steps of {arguments.steps}, weights of {got[0].dtype}")
    # Written so that a NaN fails.
    loss_error = max(abs(e["loss"] - loss) for e, loss in zip(events, losses))
    norm_error = max(abs(e["grad_norm"] - norm) for e, norm in zip(events, norms))
    weight_error = max((a - b).abs().max().item() for a, b in zip(got, expected))
    clipped = sum(norm > settings["clip_norm"] for norm in norms)
    at_bound = sum((w.abs() == settings["clamp"]).sum().item() for w in expected[0::2])
    errors = [loss_error, norm_error, weight_error]
    if name == "job":
        errors.append(manual_error(start, expected, arguments.steps, x, y))
    agreed = all(error <= arguments.tolerance for error in errors)
    print(f"{name},{arguments.steps},{loss_error:.3g},{norm_error:.3g},{weight_error:.3g},{clipped},{at_bound},"
          f"{'yes' if agreed else 'NO'}", flush=True)
    return agreed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vise", default=os.path.join(ROOT, "build", "bin", "vise"))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--tolerance", type=float, default=1e-9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_context(torch=torch.__version__)
    x, y = (torch.from_numpy(a[: arguments.steps * BATCH]) for a in read_mnist("train"))
    if len(x) < arguments.steps * BATCH:
        raise SystemExit(f"--steps {arguments.steps}: the data have rows for {len(x) // BATCH} whole batches only")
    print("case,steps,worst_loss_error,worst_norm_error,worst_weight_error,steps_clipped,weights_at_bound,agreed")
    if not all([compare(name, settings, arguments, x, y) for name, settings in CASES.items()]):
        sys.exit(1)


if __name__ == "__main__":
    main()
