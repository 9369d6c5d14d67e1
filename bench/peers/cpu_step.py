"""Steps per second of the main job's step on the CPU: PyTorch in the ways a careful user would try, and scikit-learn.

    python3 bench/peers/cpu_step.py [--threads 1,2] [--steps 300] [--repeats 5] [--variants NAME,...]

Prints CSV: peer, variant, threads, steps_per_s, us_per_step (median of the repeats), spread ((max - min) / median).
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

from common import BATCH, L2, LR, N_HIDDEN, print_context, quantiles, read_mnist


def torch_variants():
    import torch
    import torch.nn.functional as F

    import torch_step
    from common import CLAMP, CLIP_NORM, N_IN, N_OUT

    def leaf():
        return [p.requires_grad_(True) for p in torch_step.initial_parameters()]

    def module(fused):
        """nn.Sequential, clip_grad_norm_, torch.optim.SGD. The penalty is added before the clip, as in the job."""
        net = torch.nn.Sequential(torch.nn.Linear(N_IN, N_HIDDEN), torch.nn.ReLU(), torch.nn.Linear(N_HIDDEN, N_OUT))
        params = list(net.parameters())
        weights = [p for p in params if p.dim() == 2]
        kind = {"fused": True} if fused else {"foreach": True}
        optimizer = torch.optim.SGD(params, lr=LR, **kind)

        def step(x, y):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(net(x), y).backward()
            with torch.no_grad():
                torch._foreach_add_([w.grad for w in weights], weights, alpha=2 * L2)
                torch.nn.utils.clip_grad_norm_(params, CLIP_NORM, foreach=True)
                optimizer.step()
                torch._foreach_clamp_min_(weights, -CLAMP)
                torch._foreach_clamp_max_(weights, CLAMP)

        return step

    def bound(function, params):
        return lambda x, y: function(params, x, y)

    def compiled_autograd():
        params = leaf()
        gradient = torch.compile(
            lambda p, x, y: torch.autograd.grad(F.cross_entropy(torch_step.forward(p, x), y), p), dynamic=False
        )
        update = torch.compile(torch_step.update, dynamic=False)

        def step(x, y):
            grads = list(gradient(params, x, y))
            with torch.no_grad():
                update(params, grads)

        return step

    def compiled_manual():
        return bound(torch.compile(torch_step.step_manual, dynamic=False), torch_step.initial_parameters())

    return {
        "eager-module-foreach": lambda: module(False),
        "eager-module-fused": lambda: module(True),
        "eager-autograd-foreach": lambda: bound(torch_step.step_autograd, leaf()),
        "eager-manual-foreach": lambda: bound(torch_step.step_manual, torch_step.initial_parameters()),
        "compile-autograd": compiled_autograd,
        "compile-manual": compiled_manual,
    }


def time_torch(name, make, data, steps, repeats, threads):
    import torch

    x, y, order = data
    step = make()

    def run(first, n):
        for i in range(first, first + n):
            rows = order[i % len(order)]
            step(x.index_select(0, rows), y.index_select(0, rows))

    run(0, 50)
    seconds = []
    for repeat in range(repeats):
        start = time.perf_counter()
        run(50 + repeat * steps, steps)
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

    torch.set_num_threads(threads)
    images, labels = read_mnist("train")
    x, y = torch.from_numpy(images.astype(np.float32)), torch.from_numpy(labels)
    torch.manual_seed(0)
    full = len(x) // BATCH * BATCH
    order = torch.randperm(len(x))[:full].view(-1, BATCH)
    for name, make in torch_variants().items():
        if arguments.variants and name not in arguments.variants:
            continue
        try:
            time_torch(name, make, (x, y, order), arguments.steps, arguments.repeats, threads)
        except Exception as error:  # torch.compile needs a compiler, which not every machine has
            print(f"# {name}, {threads} threads: not available here ({type(error).__name__})", flush=True)
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
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = dict(os.environ, **{name: str(threads) for name in names})
        subprocess.run([sys.executable] + sys.argv + ["--child", str(threads)], env=environment, check=True)


if __name__ == "__main__":
    main()
