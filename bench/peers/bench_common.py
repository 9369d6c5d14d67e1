"""What the benchmarks of the peers share: the cases of `vise bench`, their data, the training of Vise that every peer
is verified by, the clock, and rows in the columns of `vise bench --csv`."""

import argparse
import dataclasses
import functools
import json
import math
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time

from environment import MNIST_FILES, ROOT, THREAD_VARIABLES  # before numpy
import numpy as np

from common import CLAMP, CLIP_NORM, L2, read_idx

COLUMNS = ("tool", "mode", "device", "case", "shape", "batch", "precision", "threads", "verified", "worst_error",
           "tolerance", "us_per_step", "us_min", "us_q1", "us_q3", "us_max", "repeats", "steps_per_repeat",
           "steps_per_s", "gb_per_s", "tflop_per_s", "launches_per_step", "x_unfused", "x_unfused_graph",
           "share_of_copy", "share_of_gemm", "verified_batch", "us_host", "us_launches", "floor_us",
           "share_of_floor", "gflop_per_s", "peak_gflop_per_s", "share_of_peak")
END = "# end"  # after the answer to a line that came through --serve

VERIFY_STEPS, VERIFY_FLOP = 3, 3e10  # steps, and what cpu64 may spend on them
# Weights after the steps, as a share of the way that they went: what vise bench allows.
TOLERANCES = {"fp32": 5e-3, "tf32": 5e-2, "bf16": 1e-1}
LOSS_TOLERANCES = {"fp32": 1e-4, "tf32": 1e-2, "bf16": 3e-2}
MAX_BYTES = 256 << 20


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    widths: tuple
    batch: int
    loss: str  # cross-entropy or mse
    byte_features: bool
    flop: float  # of a step, as vise bench counts
    bytes: float
    images: bool = False  # MNIST's own training images and labels in place of random rows

    @property
    def lr(self):
        return 0.1 if self.loss == "cross-entropy" else 0.01

    @property
    def shape(self):
        return "-".join(map(str, self.widths))

    @property
    def settings(self):
        return {"lr": self.lr, "l2": L2, "clip_norm": CLIP_NORM, "clamp": CLAMP}

    @property
    def n_rows(self):
        """As many rows as vise bench has: whole batches, at least 60000 rows and four, at most 256 MB. (MNIST has as many.)"""
        targets = 1 if self.loss == "cross-entropy" else self.widths[-1]
        n = min(max(60000 // self.batch, 4), MAX_BYTES // (4 * (self.widths[0] + targets)) // self.batch)
        return max(n, 1) * self.batch


def case_of(item):
    return Case(**dict(item, widths=tuple(item["widths"])))


def list_cases(tool, arguments):
    """The cases that these options of vise bench ask for."""
    command = [tool, "bench", "--list", "--json"] + arguments
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [case_of(item) for item in json.loads(done.stdout)]


# ---- data ------------------------------------------------------------------------------------------------------------


def make_data(case, n_rows, seed):
    """x as stored (bytes or float32), [n, in]; y int64 labels [n] or float32 [n, out]."""
    if case.images:
        x, y = (read_idx(place)[:n_rows] for place in MNIST_FILES)
        return x.reshape(len(x), -1), y.astype(np.int64)
    random = np.random.default_rng(seed)
    if case.byte_features:
        x = random.integers(0, 256, (n_rows, case.widths[0]), dtype=np.uint8)
        x *= random.integers(0, 5, x.shape, dtype=np.uint8) == 0
    else:
        x = random.random((n_rows, case.widths[0]), dtype=np.float32) * 2 - 1
    if case.loss == "cross-entropy":
        return x, random.integers(0, case.widths[-1], n_rows)
    return x, random.random((n_rows, case.widths[-1]), dtype=np.float32) * 2 - 1


def scaled(case, x):
    return x.astype(np.float32) / np.float32(255) if case.byte_features else x


@functools.lru_cache(maxsize=1)
def timed_data(case):
    """What a case is timed with, made once for all variants: x as float32, y, and an order of the rows in batches. Not to
    be written to."""
    x, y = make_data(case, case.n_rows, 2)
    return scaled(case, x), y, np.random.default_rng(3).permutation(len(x)).reshape(-1, case.batch)


def start_weights(case, seed=0):
    """W0, b0, W1, b1, ... in float32, within the box."""
    return [w.copy() for w in draw_weights(case.widths, case.settings["clamp"], seed)]


@functools.lru_cache(maxsize=1)
def draw_weights(widths, clamp, seed):
    random = np.random.default_rng(seed)
    out = []
    for n_in, n_out in zip(widths, widths[1:]):
        for shape in ((n_out, n_in), (n_out,)):
            bound = 1 / math.sqrt(n_in)
            drawn = random.uniform(-bound, bound, shape).astype(np.float32)
            out.append(np.clip(drawn, -clamp, clamp).astype(np.float32) if len(shape) == 2 else drawn)
    return out


# ---- verification ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Reference:
    """A few steps of vise train with cpu64, over consecutive rows."""

    case: Case  # with the batch that was verified with
    n_steps: int
    start: list
    x: np.ndarray
    y: np.ndarray
    losses: list
    weights: list


def plan_reference(case):
    """The case with a batch for which cpu64 has the time, and steps."""
    if VERIFY_STEPS * case.flop <= VERIFY_FLOP:
        return case, VERIFY_STEPS
    if case.flop <= VERIFY_FLOP:
        return case, 1
    return dataclasses.replace(case, batch=max(int(case.batch * VERIFY_FLOP / case.flop), 16)), 1


def save_file(arrays, path):
    """float32 arrays by name as safetensors: the length of a JSON heading, the heading, the numbers."""
    heading, blocks, at = {}, [], 0
    for name, array in arrays.items():
        block = np.ascontiguousarray(array, "<f4").tobytes()
        heading[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    text = json.dumps(heading).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text + b"".join(blocks))


def load_file(path):
    with open(path, "rb") as stream:
        raw = stream.read()
    start = 8 + int.from_bytes(raw[:8], "little")
    types = {"F32": "<f4", "F64": "<f8"}
    out = {}
    for name, item in json.loads(raw[8:start]).items():
        if name != "__metadata__" and item["dtype"] in types:
            begin, end = item["data_offsets"]
            out[name] = np.frombuffer(raw[start + begin:start + end], types[item["dtype"]]).reshape(item["shape"])
    return out


def cached_reference(tool, case, folder):
    """The reference of a case, made by the first program that asks for it and kept in folder for the others."""
    if folder is None:
        return train_reference(tool, case)
    path = os.path.join(folder, f"{case.name}-{case.batch}.pickle")
    if not os.path.exists(path):
        with open(path, "wb") as stream:
            pickle.dump(train_reference(tool, case), stream)
    with open(path, "rb") as stream:
        return pickle.load(stream)


def train_reference(tool, full_case):
    case, n_steps = plan_reference(full_case)
    x, y = make_data(case, case.batch * n_steps, 1)
    start = start_weights(case)
    names = [f"{2 * layer}.{kind}" for layer in range(len(case.widths) - 1) for kind in ("weight", "bias")]
    with tempfile.TemporaryDirectory() as folder:
        place = lambda name: os.path.join(folder, name)
        np.save(place("x.npy"), x)
        np.save(place("y.npy"), y)
        save_file(dict(zip(names, start)), place("init.safetensors"))
        command = [tool, "train", "--train", place("x.npy"), "--train-labels", place("y.npy"), "--layers", case.shape,
                   "--batch", str(case.batch), "--steps", str(n_steps), "--loss", case.loss, "--shuffle", "no",
                   "--scale", "unit" if case.byte_features else "none", "--backend", "cpu64", "--init",
                   place("init.safetensors"), "--activation", "relu", "--out", place("run"), "--log-every", "1", "--quiet",
                   "--checkpoint-every", "1000000000"]
        for name, value in case.settings.items():
            command += ["--" + name.replace("_", "-"), repr(value)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(place("run/metrics.jsonl"), encoding="utf-8") as stream:
            steps = [event for event in map(json.loads, stream) if event["event"] == "step"]
        weights = load_file(place("run/model.safetensors"))
    if len(steps) != n_steps or any(event["skipped"] for event in steps):
        raise SystemExit(f"{case.name}: vise did {len(steps)} of {n_steps} steps")
    return Reference(case, n_steps, start, scaled(case, x), y, [event["loss"] for event in steps],
                     [weights[name] for name in names])


def weight_error(reference, weights, tolerance):
    """The worst tensor's distance from Vise's, over the way that it went and what rounding may do to it."""
    worst = 0.0
    for start, expected, got in zip(reference.start, reference.weights, weights):
        difference = np.linalg.norm(np.asarray(got, np.float64) - expected)
        rounding = 20 * 2.0**-23 / tolerance * np.linalg.norm(expected)
        allowed = np.linalg.norm(expected - start) + rounding
        error = difference / allowed if difference > 0 or math.isnan(difference) else 0.0
        worst = error if not error <= worst else worst  # a NaN stays
        if math.isnan(worst):
            break
    return worst


class Verdict:
    """Of one variant. unchanged: whether a batch with an infinite feature left all weights as they were."""

    def __init__(self, reference, weights, losses, unchanged, precision):
        self.tolerance = TOLERANCES[precision]
        self.error = weight_error(reference, weights, self.tolerance)
        self.batch = reference.case.batch
        largest = max(map(abs, reference.losses))
        errors = [abs(a - b) / (abs(b) + 1e-3 * largest) for a, b in zip(losses, reference.losses)]
        losses_agree = len(losses) == len(reference.losses) and all(e <= LOSS_TOLERANCES[precision] for e in errors)
        self.passed = bool(self.error <= self.tolerance and losses_agree and unchanged)
        self.text = (f"weights off by {self.error:.3g} (allowed {self.tolerance:g}), losses "
                     f"{'agree' if losses_agree else 'differ'}, a non-finite step "
                     f"{'is skipped' if unchanged else 'changes the weights'}")


# ---- timing ----------------------------------------------------------------------------------------------------------


class Clock:
    """Times run(first, n), which does steps first to first + n: a warm-up, whose best call tells the number of steps,
    then up to nine repeats of whole calls in about `seconds`. wait() returns once all work is done. The steps of a call
    are a multiple of `multiple`, if there is time for it."""

    def __init__(self, run, seconds, wait=lambda: None, multiple=1):
        self.run, self.wait, self.done = run, wait, 0
        step = self.warm_up(0.2 * seconds)
        n = seconds / max(step, 1e-9)
        self.repeats = int(min(max(n, 3), 9))
        self.steps = max(int(n / self.repeats), 1)
        if self.steps >= multiple:
            self.steps -= self.steps % multiple
        elif 3 * multiple * step <= 2 * seconds:
            self.steps, self.repeats = multiple, 3
        self.us = sorted(self.once() for _ in range(self.repeats))

    def once(self):
        """Microseconds of a step, over one repeat."""
        return 1e6 * self.call(self.steps) / self.steps

    def again(self):
        """The median of as many repeats as before, after one that warms the caches up."""
        self.once()
        return statistics.median(self.once() for _ in range(self.repeats))

    def call(self, n):
        start = time.perf_counter()
        self.run(self.done, n)
        self.wait()
        self.done += n
        return time.perf_counter() - start

    def warm_up(self, seconds):
        self.call(3)  # compiles, captures, allocates
        n, best, end = 1, math.inf, time.perf_counter() + seconds
        while True:
            took = self.call(n)
            best = min(best, took / n)
            if time.perf_counter() >= end:
                return best
            if took < 0.25 * seconds:
                n *= 2

    def quantile(self, q):
        at = q * (len(self.us) - 1)
        below = min(int(at), len(self.us) - 2) if len(self.us) > 1 else 0
        above = min(below + 1, len(self.us) - 1)
        return self.us[below] + (at - below) * (self.us[above] - self.us[below])


def row(tool, mode, device, case, precision, threads, verdict, clock):
    """A row in COLUMNS; verdict None: another step than ours; clock None: not timed."""
    out = dict.fromkeys(COLUMNS, "")
    out.update(tool=tool, mode=mode, device=device, case=case.name, shape=case.shape, batch=case.batch,
               precision=precision, threads=threads if device == "cpu" else "", verified="other")
    if verdict is not None:
        out.update(verified="yes" if verdict.passed else "no", worst_error=verdict.error, tolerance=verdict.tolerance,
                   verified_batch=verdict.batch)
    if clock is not None:
        median = statistics.median(clock.us)
        out.update(us_per_step=median, us_min=clock.us[0], us_q1=clock.quantile(0.25), us_q3=clock.quantile(0.75),
                   us_max=clock.us[-1], repeats=clock.repeats, steps_per_repeat=clock.steps, steps_per_s=1e6 / median,
                   gb_per_s=case.bytes / median * 1e-3, tflop_per_s=case.flop / median * 1e-6,
                   gflop_per_s=case.flop / median * 1e-3)
    return out


def write_row(out, stream):
    cells = (out[name] for name in COLUMNS)
    print(",".join(f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in cells), file=stream, flush=True)


# ---- a peer's program ------------------------------------------------------------------------------------------------


def with_threads(threads):
    """Begins this program again where the environment has not yet told every library its threads."""
    if threads > 0 and any(os.environ.get(name) != str(threads) for name in THREAD_VARIABLES):
        environment = dict(os.environ, **{name: str(threads) for name in THREAD_VARIABLES})
        os.execve(sys.executable, [sys.executable] + sys.argv, environment)


def case_options(parser):
    parser.add_argument("--vise", default=os.path.join(ROOT, "build", "bin", "vise"))
    for name in ("case", "widths", "depths", "layers", "batch"):
        parser.add_argument("--" + name, help="as in vise bench")
    parser.add_argument("--grid", action="store_true", help="as in vise bench")


def given_case_options(arguments):
    out = ["--grid"] if arguments.grid else []
    for name in ("case", "widths", "depths", "layers", "batch"):
        if getattr(arguments, name) is not None:
            out += ["--" + name, getattr(arguments, name)]
    return out


def peer_main(description, rows_of, context):
    """The program of a peer. rows_of(case, reference, arguments) yields rows and, as texts, what was left out, and
    leaves the clock of each row in arguments.clocks, by its mode; context(arguments) returns the versions, or raises
    ImportError.

    With --serve standard input has lines of JSON: a case, answered by its rows; or {"again": mode}, answered by the time
    of a step of this mode, measured once more on the latest case. END ends each answer."""
    parser = argparse.ArgumentParser(description=description)
    case_options(parser)
    parser.add_argument("--seconds", type=float, default=1.0, help="to time each row for")
    parser.add_argument("--threads", type=int, default=0, help="0: as the environment says")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", default="fp32", help="a comma list of fp32, tf32, bf16")
    parser.add_argument("--variants", default="", help="a comma list; without it: all")
    parser.add_argument("--serve", action="store_true", help="cases come as lines of JSON on standard input")
    parser.add_argument("--references", help="a folder that keeps the trainings of Vise for several programs")
    arguments = parser.parse_args()
    with_threads(arguments.threads)
    arguments.threads = arguments.threads or os.cpu_count()
    arguments.variants = [name for name in arguments.variants.split(",") if name]
    arguments.precision = arguments.precision.split(",")
    failed = False
    try:
        versions = context(arguments)
    except ImportError as error:
        print(f"# {os.path.basename(sys.argv[0])}: left out: {error}", flush=True)
        return
    from common import print_context

    print_context(**versions)
    print(",".join(COLUMNS), flush=True)
    if arguments.serve:
        requests = map(json.loads, sys.stdin)
    else:
        requests = map(vars, list_cases(arguments.vise, given_case_options(arguments)))
    for request in requests:
        if "again" in request:
            print(arguments.clocks[request["again"]].again(), END, sep="\n", flush=True)
            continue
        case = case_of(request)
        arguments.clocks = {}
        for item in rows_of(case, cached_reference(arguments.vise, case, arguments.references), arguments):
            if isinstance(item, str):
                print(f"# {case.name}: {item}", flush=True)
            else:
                write_row(item, sys.stdout)
                failed |= item["verified"] == "no"
        if arguments.serve:
            print(END, flush=True)
    sys.exit(1 if failed else 0)
