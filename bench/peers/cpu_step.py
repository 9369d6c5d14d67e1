"""Steps per second of the main job's step on the CPU: PyTorch in the ways a careful user would try, and scikit-learn.

    python3 bench/peers/cpu_step.py [--threads 1,2] [--steps 300] [--repeats 5] [--variants NAME,...]

The ways of PyTorch are those of torch_ways.py, here on the real MNIST. Prints CSV: peer, variant, threads, steps_per_s,
us_per_step (median of the repeats), spread ((max - min) / median).
All data lie in memory as float32 tensors, batches are gathered by index_select from a permutation made beforehand; a
repeat times --steps consecutive steps, after a warm-up. Each thread count runs in a process of its own.

scikit-learn's MLPClassifier has no clip and no box and its L2 is on the weights alone, so it does less work than the
others; its mini-batch loop is timed over whole passes of partial_fit.
"""

import argparse
import os
import subprocess
import sys
import time

from environment import THREAD_VARIABLES  # before numpy
from common import BATCH, CLAMP, CLIP_NORM, L2, LR, N_HIDDEN, print_context, quantiles, read_mnist


def time_torch(name, kind, data, steps, repeats, threads):
    import torch

    import torch_step

    x, y, order = data
    settings = {"lr": LR, "l2": L2, "clip_norm": CLIP_NORM, "clamp": CLAMP}
    way = kind(torch_step.initial_parameters(), (x, y, list(order)), settings)
    way.run(0, 50)
    seconds = []
    for repeat in range(repeats):
        start = time.perf_counter()
        way.run(50 + repeat * steps, steps)
        seconds.append((time.perf_counter() - start) / steps)
    report(f"pytorch-{torch.__version__}", name, threads, seconds)


def report(peer, variant, threads, seconds_per_step):
    median, spread = quantiles(seconds_per_step)
    print(f"{peer},{variant},{threads},{1 / median:.1f},{median * 1e6:.1f},{spread:.3f}", flush=True)


def time_sklearn(x, y, repeats, threads):
    import sklearn
    from sklearn.neural_network import MLPClassifier

    # alpha/2 * sum w^2 / batch in its units; 2*l2 is the gradient factor here.
    model = MLPClassifier((N_HIDDEN,), solver="sgd", batch_size=BATCH, learning_rate_init=LR, momentum=0.0,
                          nesterovs_momentum=False, alpha=2 * L2 * BATCH, shuffle=True)
    n = 300 * BATCH
    model.partial_fit(x[:n], y[:n], classes=range(10))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.partial_fit(x[:n], y[:n])
        seconds.append((time.perf_counter() - start) / 300)
    report(f"scikit-learn-{sklearn.__version__}", "mlpclassifier-no-clip-no-box", threads, seconds)


def run_one_count(arguments, threads):
    """In a process whose environment has set the threads of every BLAS."""
    import numpy as np
    import torch

    from torch_ways import ways

    torch.set_num_threads(threads)
    images, labels = read_mnist("train")
    x, y = torch.from_numpy(images.astype(np.float32)), torch.from_numpy(labels)
    torch.manual_seed(0)
    full = len(x) // BATCH * BATCH
    order = torch.randperm(len(x))[:full].view(-1, BATCH)
    for name, kind in ways("cpu").items():
        if arguments.variants and name not in arguments.variants:
            continue
        try:
            time_torch(name, kind, (x, y, order), arguments.steps, arguments.repeats, threads)
        except Exception as error:  # torch.compile needs a compiler, which not every machine has
            print(f"# {name}, {threads} threads: not available here ({type(error).__name__}: {str(error).splitlines()[:1]})",
                  flush=True)
    if not arguments.variants or "sklearn" in arguments.variants:
        time_sklearn(x.numpy(), labels, arguments.repeats, threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=lambda text: [int(t) for t in text.split(",")], default=[1, 2])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--variants", type=lambda text: text.split(","), default=[])
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        run_one_count(arguments, arguments.child)
        return
    import numpy
    import sklearn
    import torch

    print_context(torch=torch.__version__, numpy=numpy.__version__, sklearn=sklearn.__version__)
    print("peer,variant,threads,steps_per_s,us_per_step,spread", flush=True)
    for threads in arguments.threads:
        environment = dict(os.environ, **{name: str(threads) for name in THREAD_VARIABLES})
        subprocess.run([sys.executable] + sys.argv + ["--child", str(threads)], env=environment, check=True)


if __name__ == "__main__":
    main()
