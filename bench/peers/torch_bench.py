"""The cases of vise bench in PyTorch, in every way of torch_ways.py: verified by a training of vise cpu64, then timed.

    python3 bench/peers/torch_bench.py [--case mnist-64,policy] [--device auto] [--threads 1] [--precision fp32]
                                       [--variants eager-manual-foreach,...] [--seconds 1]

Prints the columns of vise bench --csv. The data wait in the memory of the device as float32; each step gathers its rows
by index_select from an order made beforehand. Exits 1 when a variant computes another step than Vise.
"""

import contextlib

import numpy as np

from bench_common import Clock, Verdict, peer_main, row, start_weights, timed_data


def context(arguments):
    import torch

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise ImportError("PyTorch sees no CUDA device")
    if arguments.device == "auto":
        arguments.device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(arguments.threads)
    versions = {"torch": torch.__version__, "device": arguments.device}
    if arguments.device == "cuda":
        versions["gpu"] = torch.cuda.get_device_name()
        versions["cuda"] = torch.version.cuda
    return versions


def to_device(x, y, order, device):
    import torch

    return (torch.from_numpy(x).to(device), torch.from_numpy(y).to(device),
            list(torch.from_numpy(order).to(device).unbind()))


@contextlib.contextmanager
def computing_in(precision, device):
    import torch

    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    if precision != "bf16":
        yield
        return
    # Its cache keeps copies of parameters in bfloat16, which would be old ones after the first step.
    with torch.autocast(device, dtype=torch.bfloat16, cache_enabled=False):
        yield


def verify(kind, reference, device, precision):
    import torch

    case, n_steps = reference.case, reference.n_steps
    params = [torch.from_numpy(p).to(device) for p in reference.start]
    order = np.arange(case.batch * n_steps).reshape(n_steps, case.batch)
    x = reference.x
    way = kind(params, to_device(x, reference.y, order, device), case.settings)
    losses = []
    for i in range(n_steps):
        way.run(i, 1)
        losses.append(float(way.loss.detach()))
    weights = [p.detach().cpu().numpy() for p in way.params]
    poisoned = x.copy()
    poisoned[0, 0] = np.inf
    way = kind(params, to_device(poisoned, reference.y, order, device), case.settings)
    way.run(0, 1)
    unchanged = all(torch.equal(a.detach(), b) for a, b in zip(way.params, params))
    return Verdict(reference, weights, losses, unchanged, precision)


def time_way(kind, case, arguments):
    import torch

    device = arguments.device
    params = [torch.from_numpy(p).to(device) for p in start_weights(case)]
    way = kind(params, to_device(*timed_data(case), device), case.settings)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    return Clock(way.run, arguments.seconds, wait, getattr(way, "steps", 1))


def rows_of(case, reference, arguments):
    import torch

    from torch_ways import ways

    device, tool = arguments.device, f"pytorch-{torch.__version__}"
    for precision in arguments.precision:
        if device == "cpu" and precision != "fp32":
            yield f"{precision}: left out: the peers on the CPU compute in fp32"
            continue
        for name, kind in ways(device).items():
            if arguments.variants and name not in arguments.variants:
                continue
            try:
                torch._dynamo.reset()
                with computing_in(precision, device):
                    verdict = verify(kind, reference, device, precision)
                    clock = time_way(kind, case, arguments) if verdict.passed else None
                arguments.clocks[name] = clock
            except Exception as error:  # torch.compile needs a compiler and graphs memory, which not all machines have
                yield f"{name} {precision}: not available here ({type(error).__name__}: {str(error).splitlines()[:1]})"
                continue
            if not verdict.passed:
                yield f"{name} {precision}: another step than Vise's: {verdict.text}"
            yield row(tool, name, device, case, precision, arguments.threads, verdict, clock)


if __name__ == "__main__":
    peer_main(__doc__.splitlines()[0], rows_of, context)
