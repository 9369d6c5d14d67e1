"""Time from the start of a process to 97 % and 98 % test accuracy on MNIST, Vise's and each peer's.

    python3 bench/peers/time_to_accuracy.py [--threads 1,2] [--ways vise-cpu,torch:compile-manual,...] [--seeds 0,1,2]
                                            [--out FILE]

The recipe, the same for all: RECIPE below, relu, cross-entropy, plain SGD, L2 on the weights, norm clip, box, skip; a new
order in each epoch, its last partial batch left out; after each epoch the accuracy on the 10000 test rows. The clock
starts with the process and stops when the epoch that reaches the accuracy has been reported, so imports, reading and
unpacking the files, compiling, and the evaluations count; PyTorch's store of compiled code is empty at each start.

The ways take turns, seed by seed. Prints CSV: way, threads, seed, seconds and epochs to each accuracy (empty: not within
the epochs), the best accuracy; then, as comments, the median over the seeds with the least and the most. scikit-learn
neither clips nor bounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from environment import MNIST, ROOT, THREAD_VARIABLES  # before numpy
from common import print_context, read_mnist

RECIPE = {"hidden": 256, "batch": 64, "lr": 0.5, "l2": 1e-5, "clip_norm": 5.0, "clamp": 0.5, "epochs": 15}
TARGETS = (0.97, 0.98)
MARK = "epoch-accuracy"
SETTINGS = {name: RECIPE[name] for name in ("lr", "l2", "clip_norm", "clamp")}


# ---- one training, in its own process: prints MARK, the epoch and the accuracy ---------------------------------------


def report(epoch, accuracy):
    print(MARK, epoch, accuracy, flush=True)


def load():
    import numpy as np

    return read_mnist("train", np.float32) + read_mnist("t10k", np.float32)


def orders(seed, n, batch):
    """The batches of each epoch, int64 [n_batches, batch]."""
    import numpy as np

    random = np.random.default_rng(seed)
    for _ in range(RECIPE["epochs"]):
        yield random.permutation(n)[: n // batch * batch].reshape(-1, batch)


def initial(seed):
    from bench_common import Case, start_weights

    return start_weights(Case("mnist", (784, RECIPE["hidden"], 10), RECIPE["batch"], "cross-entropy", True, 0, 0), seed)


def train_torch(name, device, threads, seed):
    import torch

    import torch_step
    from torch_ways import ways

    torch.set_num_threads(threads)
    x, y, x_test, y_test = (torch.from_numpy(a).to(device) for a in load())
    way = None
    for epoch, order in enumerate(orders(seed, len(x), RECIPE["batch"]), 1):
        order = torch.from_numpy(order).to(device)
        if way is None:
            params = [torch.from_numpy(p).to(device) for p in initial(seed)]
            way = ways(device)[name](params, (x, y, list(order.unbind())), SETTINGS)
        else:
            way.set_order(order)
        way.run(0, len(order))
        with torch.no_grad():
            report(epoch, (torch_step.forward(way.params, x_test).argmax(1) == y_test).double().mean().item())


def train_jax(name, threads, seed):
    import numpy as np

    if threads < os.cpu_count():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import jax

    from jax_bench import WAYS

    x, y, x_test, y_test = load()
    forward = jax.jit(lambda p, x: jax.nn.relu(x @ p[0][0].T + p[0][1]) @ p[1][0].T + p[1][1])
    way = None
    with jax.default_matmul_precision("highest"):
        for epoch, order in enumerate(orders(seed, len(x), RECIPE["batch"]), 1):
            if way is None:
                way = WAYS[name](initial(seed), (x, y.astype(np.int32), order), SETTINGS)
            else:
                way.set_order(order)
            way.run(0, len(order))
            report(epoch, float((np.asarray(forward(way.params, x_test)).argmax(1) == y_test).mean()))


def train_sklearn(seed):
    from sklearn.neural_network import MLPClassifier

    x, y, x_test, y_test = load()
    n = len(x) // RECIPE["batch"] * RECIPE["batch"]
    model = MLPClassifier((RECIPE["hidden"],), solver="sgd", batch_size=RECIPE["batch"], momentum=0.0,
                          nesterovs_momentum=False, learning_rate_init=RECIPE["lr"], random_state=seed,
                          alpha=2 * RECIPE["l2"] * RECIPE["batch"])
    for epoch in range(1, RECIPE["epochs"] + 1):
        model.partial_fit(x[:n], y[:n], classes=range(10) if epoch == 1 else None)
        report(epoch, model.score(x_test, y_test))


def train_here(way, threads, seed):
    peer, _, name = way.partition(":")
    if peer in ("torch", "torch-cuda"):
        train_torch(name, "cuda" if peer == "torch-cuda" else "cpu", threads, seed)
    elif peer == "jax":
        train_jax(name, threads, seed)
    elif peer == "sklearn":
        train_sklearn(seed)
    else:
        raise SystemExit(f"--ways: '{way}' is unknown")


# ---- watching --------------------------------------------------------------------------------------------------------


class Progress:
    """When which accuracy was reached."""

    def __init__(self):
        self.start, self.reached, self.best = time.perf_counter(), {}, 0.0

    def see(self, epoch, accuracy):
        """False once nothing more is to be waited for."""
        self.best = max(self.best, accuracy)
        for target in TARGETS:
            if accuracy >= target and target not in self.reached:
                self.reached[target] = (time.perf_counter() - self.start, epoch)
        return len(self.reached) < len(TARGETS)


def watch_vise(tool, way, threads, seed):
    backend, _, mode = way.removeprefix("vise-").partition(":")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "run")
        command = [tool, "train", "--layers", f"784-{RECIPE['hidden']}-10", "--loss", "cross-entropy", "--drop-last",
                   "--batch", str(RECIPE["batch"]), "--epochs", str(RECIPE["epochs"]), "--seed", str(seed), "--backend",
                   backend, "--checkpoint-every", "1000000000", "--quiet", "--out", out]
        for option, name in (("train", "train-images-idx3"), ("train-labels", "train-labels-idx1"),
                             ("test", "t10k-images-idx3"), ("test-labels", "t10k-labels-idx1")):
            command += ["--" + option, os.path.join(MNIST, name + "-ubyte.gz")]
        for name, value in SETTINGS.items():
            command += ["--" + name.replace("_", "-"), repr(value)]
        command += ["--step", mode] if mode else []
        command += ["--threads", str(threads)] if backend != "cuda" else []
        progress = Progress()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        read = 0
        while True:
            ended = process.poll() is not None
            try:
                with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as stream:
                    lines = stream.read().split("\n")[:-1]
            except FileNotFoundError:
                lines = []
            more = True
            for line in lines[read:]:
                event = json.loads(line)
                if event["event"] == "epoch":
                    more = progress.see(event["epoch"], event["test_accuracy"])
            read = len(lines)
            if ended or not more:
                break
            time.sleep(0.002)
        process.terminate()
        error = process.stderr.read()
        if process.wait() == 2:
            raise RuntimeError(error.strip().splitlines()[0])
    return progress


def watch_peer(way, threads, seed):
    environment = dict(os.environ, **{name: str(threads) for name in THREAD_VARIABLES})
    if way == "jax" or way.startswith("jax:"):
        environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryFile("w+") as errors:
        environment["TORCHINDUCTOR_CACHE_DIR"] = cache
        progress = Progress()
        process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--child", way, "--threads",
                                    str(threads), "--seeds", str(seed)], stdout=subprocess.PIPE, stderr=errors,
                                   text=True, env=environment)
        for line in process.stdout:
            if line.startswith(MARK):
                _, epoch, accuracy = line.split()
                if not progress.see(int(epoch), float(accuracy)):
                    process.terminate()
                    break
        process.stdout.close()
        code = process.wait()
        errors.seek(0)
        error = errors.read()
        if code != 0 and not progress.reached:
            raise RuntimeError((error.strip().splitlines() or ["no message"])[-1])
    return progress


def what_is_here(tool):
    """The ways that this machine may have; those that it lacks say so when they are tried."""
    done = subprocess.run([tool, "info", "--json"], stdout=subprocess.PIPE, check=True, text=True)
    backends = [item["backend"] for item in json.loads(done.stdout)["backends"] if item["available"]]
    ways = ["vise-cuda:fused", "vise-cuda:unfused-graph"] if "cuda" in backends else []
    ways += ["vise-cpu", "torch:eager-manual-foreach", "torch:eager-manual-buffers", "torch:compile-manual", "jax:jit", "jax:scan", "sklearn"]
    if os.path.exists("/dev/nvidia0"):
        ways += ["torch-cuda:eager-manual-foreach", "torch-cuda:compile-manual", "torch-cuda:graph-many"]
    return ways


def run(arguments, stream):
    def say(text):
        print(text, flush=True)
        if stream is not None:
            print(text, file=stream, flush=True)

    columns = [f"{what}_to_{100 * t:.0f}" for t in TARGETS for what in ("seconds", "epochs")]
    say("# recipe: 784-%d-10, " % RECIPE["hidden"] + ", ".join(f"{k} {v:g}" for k, v in RECIPE.items() if k != "hidden"))
    say("way,threads,seed," + ",".join(columns) + ",best_accuracy")
    ways, reached = arguments.ways or what_is_here(arguments.vise), {}
    for seed in arguments.seeds:
        for way, threads in [(w, t) for w in ways for t in (arguments.threads if "cuda" not in w else [1])]:
            if reached.get((way, threads)) is None and seed != arguments.seeds[0]:
                continue  # left out before
            try:
                progress = (watch_vise(arguments.vise, way, threads, seed) if way.startswith("vise-")
                            else watch_peer(way, threads, seed))
            except RuntimeError as error:
                say(f"# {way}: left out: {error}")
                reached[way, threads] = None
                continue
            reached.setdefault((way, threads), []).append(progress.reached)
            cells = []
            for target in TARGETS:
                seconds, epoch = progress.reached.get(target, (None, ""))
                cells += ["" if seconds is None else f"{seconds:.3f}", str(epoch)]
            say(f"{way},{threads},{seed}," + ",".join(cells) + f",{progress.best:.4f}")
    for (way, threads), runs in reached.items():
        for target in TARGETS:
            seconds = [run[target][0] for run in runs or [] if target in run]
            if seconds and len(seconds) == len(runs):
                say(f"# {way}, {threads} threads, to {100 * target:.0f} %: median {statistics.median(seconds):.3f} s "
                    f"({min(seconds):.3f} to {max(seconds):.3f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = lambda text: [int(n) for n in text.split(",")]
    parser.add_argument("--vise", default=os.path.join(ROOT, "build", "bin", "vise"))
    parser.add_argument("--threads", type=numbers, default=sorted({1, len(os.sched_getaffinity(0))}))
    parser.add_argument("--seeds", type=numbers, default=[0, 1, 2])
    parser.add_argument("--ways", type=lambda text: text.split(","), default=[])
    parser.add_argument("--out", help="write the table to this file too")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        train_here(arguments.child, arguments.threads[0], arguments.seeds[0])
        return
    version = subprocess.run([arguments.vise, "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()[1]
    if arguments.out is None:
        print_context(vise=version)
        run(arguments, None)
        return
    with open(arguments.out, "w", encoding="utf-8") as stream:
        print_context(stream, vise=version)
        run(arguments, stream)


if __name__ == "__main__":
    main()
