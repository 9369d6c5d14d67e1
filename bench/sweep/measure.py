"""What the scripts of this folder share: the tool, times beside what other programs took of the machine meanwhile, made-up
rows, and results with their circumstances."""

import csv
import datetime
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "bench", "peers"))
from environment import NOTE, commit, cpu_name  # before numpy; takes OPENBLAS_* away

TICK = os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """Of all processors since the machine started."""
    with open("/proc/stat", encoding="ascii") as stream:
        user, nice, system, _, _, irq, soft_irq, steal = map(int, stream.readline().split()[1:9])
    return (user + nice + system + irq + soft_irq + steal) / TICK


def seconds_of_children():
    """Of those that still run: workers of scikit-learn's."""
    ticks = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as stream:
                fields = stream.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICK


def own_seconds():
    """Of this program and of its children."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system + seconds_of_children()


class Meter:
    """with Meter() as m: ...; m.wall, m.own (seconds of processors) and m.others, the processors that other programs
    kept busy in the mean."""

    def __enter__(self):
        self.begin = time.perf_counter(), own_seconds(), busy_seconds()
        return self

    def __exit__(self, *_):
        wall, own, busy = self.begin
        self.wall = time.perf_counter() - wall
        self.own = own_seconds() - own
        self.others = max(0.0, busy_seconds() - busy - self.own) / self.wall


def wait_until_quiet(seconds, most_busy=0.2):
    """Waits up to so many seconds for a fifth of one in which others keep less than this of a processor busy."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with Meter() as meter:
            time.sleep(0.2)
        if meter.others < most_busy:
            return


def run(command, timeout=600):
    """Standard output and error of the tool, which must succeed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=timeout)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)[:300]}\nexit {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout


def json_of(printed):
    """The object in what the tool printed, after lines on standard error."""
    return json.loads(printed[printed.index("{"):])


def made_up(folder, n_rows, n_inputs, n_classes):
    """Rows to classify, always the same, as x.npy and y.npy in the folder. Returns them."""
    import numpy as np
    from sklearn.datasets import make_classification

    x, y = make_classification(n_rows, n_inputs, n_informative=n_inputs * 2 // 3, n_classes=n_classes, random_state=0)
    x, y = x.astype(np.float32), y.astype(np.int64)
    np.save(os.path.join(folder, "x.npy"), x)
    np.save(os.path.join(folder, "y.npy"), y)
    return x, y


def strengths(n, low=-6, high=-2):
    """n of l2, evenly on a logarithmic scale."""
    return [float(f"{10 ** (low + (high - low) * i / (n - 1)):.4g}") for i in range(n)]


def vary(name, values):
    return ["--vary", f"{name}={','.join(f'{value:g}' if isinstance(value, float) else str(value) for value in values)}"]


class Results:
    """Prints what a script finds, and keeps it in a file if there is a path."""

    def __init__(self, path, vise):
        self.streams = [sys.stdout] + ([open(path, "w", encoding="utf-8")] if path else [])
        versions = {"vise": run([vise, "--version"]).split()[-1]}
        for module in ("sklearn", "jax", "numpy"):
            if module in sys.modules:
                versions[module] = sys.modules[module].__version__
        arguments = [os.path.relpath(os.path.abspath(sys.argv[0]), ROOT)] + sys.argv[1:]
        self.say("# command: python3 " + " ".join(arguments))
        self.say(f"# date: {datetime.date.today()}, commit: {commit()}")
        self.say("# " + ", ".join(f"{name} {version}" for name, version in versions.items()))
        if NOTE:
            self.say("# " + NOTE)
        with open("/proc/loadavg", encoding="ascii") as stream:
            self.say(f"# cpu: {cpu_name()}; load before: {' '.join(stream.read().split()[:3])}")

    def say(self, line):
        for stream in self.streams:
            print(line, file=stream, flush=True)

    def row(self, cells):
        for stream in self.streams:
            csv.writer(stream, lineterminator="\n").writerow(
                f"{cell:.5g}" if isinstance(cell, float) else cell for cell in cells)
            stream.flush()
