"""Imported before any library that computes: takes OPENBLAS_* out of the environment, of this process and of those that
it starts, so that every library takes its own choice of kernels. DROPPED says what was set; the threads are told by
OMP_NUM_THREADS and MKL_NUM_THREADS, which OpenBLAS heeds as well."""

import os

DROPPED = {name: os.environ.pop(name) for name in sorted(os.environ) if name.startswith("OPENBLAS_")}
NOTE = "dropped from the environment: " + ", ".join(f"{k}={v}" for k, v in DROPPED.items()) if DROPPED else ""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
