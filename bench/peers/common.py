"""What the peer scripts share: MNIST from the repository, the job's settings, a note of the machine, CSV lines."""

import gzip
import os
import statistics
import sys

from environment import MNIST, NOTE, ROOT, commit, cpu_name  # before numpy
import numpy as np

# The job: vise train --layers 784-128-10 --batch 64 --epochs 10 --lr 0.1 --l2 1e-5 --clip-norm 5 --clamp 0.5
#          --loss cross-entropy
N_IN, N_HIDDEN, N_OUT = 784, 128, 10
BATCH, EPOCHS, LR, L2, CLIP_NORM, CLAMP = 64, 10, 0.1, 1e-5, 5.0, 0.5


def read_idx(path):
    """The bytes of an IDX .gz file, in its shape."""
    with gzip.open(path, "rb") as stream:
        raw = stream.read()
    if raw[:3] != b"\x00\x00\x08":
        raise SystemExit(f"{path}: not an IDX file of bytes")
    n_dims = raw[3]
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", n_dims, 4))
    return np.frombuffer(raw, np.uint8, -1, 4 + 4 * n_dims).reshape(shape)


def read_mnist(part, dtype=np.float64):
    """part: "train" or "t10k". Images of dtype in [0, 1], [n, 784]; labels as int64, [n]."""
    images = read_idx(os.path.join(MNIST, f"{part}-images-idx3-ubyte.gz"))
    labels = read_idx(os.path.join(MNIST, f"{part}-labels-idx1-ubyte.gz"))
    return images.reshape(len(images), -1) / dtype(255), labels.astype(np.int64)


def print_context(*streams, **versions):
    """Comment lines that say by what and where the numbers below were made, to stdout and the streams."""
    arguments = [os.path.relpath(os.path.abspath(sys.argv[0]), ROOT)] + sys.argv[1:]
    for stream in (sys.stdout,) + streams:
        print("# command: python3 " + " ".join(arguments), file=stream)
        print("# commit: " + commit(), file=stream)
        print("# " + ", ".join(f"{name} {version}" for name, version in versions.items()), file=stream)
        if NOTE:
            print("# " + NOTE, file=stream)
        print("# cpu: " + cpu_name(), file=stream, flush=True)


def quantiles(values):
    """Median, and the spread as (largest - smallest) / median."""
    median = statistics.median(values)
    return median, (max(values) - min(values)) / median
