"""What torch_gpu.py and jax_gpu.py share: a peer over the named cases on the GPU of this machine, within a time limit.

A peer's program runs in passes, the ones that tell most first; a row is in the file as soon as it is measured, and what
the time did not suffice for is left out with a note.
"""

import argparse
import os
import subprocess
import sys
import threading
import time

from bench_common import COLUMNS, ROOT

HERE = os.path.dirname(os.path.abspath(__file__))
NAMED = "mnist-64,mnist-128,policy,tabular,classic-64x4,classic-128x4,large-4096x4"


def run_pass(command, deadline, write):
    """Gives every line but the heading to write. Returns the exit code, or None: it was stopped at the deadline."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    stopped = threading.Event()

    def stop():
        stopped.set()
        process.kill()

    timer = threading.Timer(max(deadline - time.monotonic(), 0.1), stop)
    timer.start()
    for line in map(str.strip, process.stdout):
        if line and line != ",".join(COLUMNS):
            write(line)
    code = process.wait()
    timer.cancel()
    return None if stopped.is_set() else code


def main(program, description, passes):
    """passes: lists of options of program, each with --case, --variants and --precision."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--vise", default=os.path.join(ROOT, "build", "bin", "vise"))
    parser.add_argument("--out", required=True, help="the CSV")
    parser.add_argument("--seconds", type=float, default=0.2, help="to time each row for")
    parser.add_argument("--limit", type=float, default=130, help="seconds for all of it")
    parser.add_argument("--device", default="cuda", help="cpu: to try this program where there is no GPU")
    parser.add_argument("--case", help="these cases only, in every pass")
    arguments = parser.parse_args()
    deadline = time.monotonic() + arguments.limit
    n_rows = n_wrong = 0
    failed = []
    with open(arguments.out, "w", encoding="utf-8") as stream:
        print(",".join(COLUMNS), file=stream)

        def write(line):
            nonlocal n_rows, n_wrong
            print(line, file=stream, flush=True)
            print(line, flush=True)
            if not line.startswith("#"):
                n_rows += 1
                n_wrong += dict(zip(COLUMNS, line.split(",")))["verified"] == "no"

        for i, options in enumerate(passes):
            command = [sys.executable, os.path.join(HERE, program), "--vise", arguments.vise, "--device",
                       arguments.device, "--seconds", str(arguments.seconds)] + options
            if arguments.case:
                command += ["--case", arguments.case]
            if time.monotonic() >= deadline:
                write(f"# {len(passes) - i} of {len(passes)} passes: left out: the {arguments.limit:g} s are over")
                break
            code = run_pass(command, deadline, write)
            if code is None:
                write(f"# pass {i + 1} of {len(passes)}: stopped after {arguments.limit:g} s; its further rows are left out")
            elif code != 0:
                failed.append(f"pass {i + 1} ended with exit code {code}")
    if n_wrong:
        failed.append(f"{n_wrong} rows computed another step than Vise's")
    if n_rows == 0:
        failed.append("nothing was measured")
    if failed:
        raise SystemExit("; ".join(failed))
