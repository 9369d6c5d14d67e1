"""Where the benchmarks run: the repository and its MNIST, the machine, and the environment without OPENBLAS_*. It is imported
before any library that computes, and takes those variables away, from this process and from those that it starts, so that
every library takes its own choice of kernels. The threads are told by OMP_NUM_THREADS and MKL_NUM_THREADS, which OpenBLAS
heeds as well. Needs nothing but Python."""

import contextlib
import os
import platform
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MNIST = os.path.join(ROOT, "bench", "data", "mnist")
MNIST_FILES = tuple(os.path.join(MNIST, f"train-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

DROPPED = {name: os.environ.pop(name) for name in sorted(os.environ) if name.startswith("OPENBLAS_")}
NOTE = "dropped from the environment: " + ", ".join(f"{k}={v}" for k, v in DROPPED.items()) if DROPPED else ""


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    except OSError:
        pass
    return f"{platform.machine()}, {os.cpu_count()} cores"


def commit():
    """Of the repository, and whether there are changes."""
    done = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    changed = subprocess.run(["git", "-C", ROOT, "status", "--porcelain"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=False)
    return (done.stdout.strip() or "unknown") + (" and changes" if changed.stdout.strip() else "")


def print_into(path, work):
    """Calls work, with what it prints in the file too if there is a path; shown when it is whole."""
    if path is None:
        work()
        return
    with open(path, "w", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        work()
    with open(path, encoding="utf-8") as stream:
        sys.stdout.write(stream.read())
