"""Looks for inputs that leave the ranges of a certificate, or change the outputs by more than its Lipschitz bounds: at
random, at corners, and by climbing along gradients. Needs numpy."""
import numpy as np

from certify_check import FUNCTIONS

CHUNK = 4096


def slopes(name, v):
    """f' by a difference: good enough to climb."""
    return (FUNCTIONS[name](v + 1e-5) - FUNCTIONS[name](v - 1e-5)) / 2e-5


class Net:
    """Forward in float32 or float64, and gradients in float64."""

    def __init__(self, blocks, scaling, target):
        self.blocks, self.scaling, self.target = blocks, scaling, target

    def forward(self, x, dtype):
        """Outputs, and the pre-activations of each layer. The batch norm is folded into the weights in float32."""
        a, pre = ((x - self.scaling[0]) / self.scaling[1]).astype(dtype), []
        for b in self.blocks:
            w = (b["w"] * b["factor"][:, None]).astype(dtype)
            z = a @ w.T + b["offset"].astype(dtype)
            out = FUNCTIONS[b["f"]](z).astype(dtype)
            a = out + a if b["residual"] else out
            pre.append(z)
        return a.astype(float) * self.target[1] + self.target[0], pre

    def gradient(self, x, outputs):
        """Of outputs[i] at each row i."""
        _, pre = self.forward(x, float)
        delta = np.eye(len(self.blocks[-1]["w"]))[outputs]
        for b, z in zip(self.blocks[::-1], pre[::-1]):
            below = (delta * slopes(b["f"], z) * b["factor"]) @ b["w"]
            delta = below + delta if b["residual"] else below
        return delta / self.scaling[1]


def points(net, low, high, n, rng):
    """n inputs within the ranges, in chunks: a third at random, a third at corners, a third that climb."""
    done = 0
    while done < n:
        size, kind = min(CHUNK, n - done), (done // CHUNK) % 3
        x = low + (high - low) * rng.random((size, len(low)))
        if kind == 1:  # half of them where a unit of the first layer is largest or least
            row = net.blocks[0]["w"][rng.integers(len(net.blocks[0]["w"]), size=size)]
            aimed = row * rng.choice([-1, 1], (size, 1)) > 0
            x = np.where(np.where(rng.random((size, 1)) < 0.5, aimed, rng.random(x.shape) < 0.5), low, high)
        if kind == 2:
            outputs, sign = rng.integers(len(net.blocks[-1]["w"]), size=size), rng.choice([-1, 1], (size, 1))
            for step in (0.3, 0.5, 2.0):
                x = np.clip(x + step * (high - low) * sign * np.sign(net.gradient(x, outputs)), low, high)
        yield x
        done += size


def probe(net, certificate, n, seed=1):
    """Faults, and the largest share of each bound that was seen."""
    rng, faults, c = np.random.default_rng(seed), [], certificate
    low, high = np.array(c["inputs"]["ranges"], float).T
    outputs, error = np.array(c["outputs"], float), np.array(c["float32_error"])
    ranges = [np.array(layer["pre_activation"], float) for layer in c["layers"]]
    seen = {"output": 0.0, "pre-activation": 0.0, "float32 error": 0.0, "Lipschitz, inf": 0.0, "Lipschitz, 2": 0.0}

    def share(what, values, least, most):
        """How far from the middle of a range, as a share of what is allowed."""
        half = (most - least) / 2
        share_of = np.max(abs(values - (most + least) / 2) / half)
        seen[what] = max(seen[what], share_of)
        if not share_of <= 1:
            faults.append(f"{what}: {share_of} of what is claimed")

    for x in points(net, low, high, n, rng):
        exact, pre64 = net.forward(x, np.float64)
        single, pre32 = net.forward(x, np.float32)
        for values in (exact, single):
            share("output", values, *outputs.T)
        for bounds, a, b in zip(ranges, pre64, pre32):
            share("pre-activation", a, *bounds.T)
            share("pre-activation", b.astype(float), *bounds.T)
        share("float32 error", single - exact, -error, error)
        # Along the gradient, and its signs, a small step changes one output most.
        grad = net.gradient(x, np.argmax(abs(exact), 1))
        for what, step, norm in (("Lipschitz, inf", np.sign(grad), np.inf), ("Lipschitz, 2", grad, 2)):
            step = 1e-3 * step / np.maximum(np.linalg.norm(step, norm, axis=1, keepdims=True), 1e-300)
            change = np.linalg.norm(net.forward(x + step, np.float64)[0] - exact, norm, axis=1) / 1e-3
            change = np.maximum(change - 1e3 * 2.0**-46 * (1 + np.max(abs(exact), axis=1)), 0)  # what float64 rounds
            bound = c["lipschitz"]["inf" if norm == np.inf else "2"]
            share(what, change, -bound, bound)
    return faults, seen
