#!/usr/bin/env python3
"""What vise sweep takes beside its fits: 10000 small ones (2000 configurations, 5 folds, 8-16-2, 500 rows, 5 epochs).

  scale.py [--vise build/bin/vise ...] [--rounds 3] [--configs 2000] [--out FILE]

host_share is the time of the jobs in which no fit ran, 1 - sum(seconds of fits) / (jobs x wall), from start to end of the
process; where the machine has fewer free processors than jobs + 1, fits also count time in which their thread waited.
host_cpu_share does not: it is the processor time of the process outside fits over all of it, where the fits' time is
that of their threads. Several --vise take turns."""

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time

import measure

COLUMNS = ("vise", "jobs", "round", "fits", "wall_s", "fits_per_s", "us_of_a_fit", "host_share", "cpu_s", "main_thread_s",
           "host_us_per_fit", "host_cpu_share", "peak_mb", "others")
SMALL = dict(sizes="8-16-2", rows=500, inputs=8, classes=2, epochs=5)
USUAL = dict(sizes="17-64-64-3", rows=2000, inputs=17, classes=3, epochs=20)


class Watch(threading.Thread):
    """The processor time of a process' first thread and the peak of its memory, as last seen. (That of wait4 counts this
    program's own memory, which the child had before exec.)"""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.seconds, self.peak_mb = pid, 0.0, 0.0

    def look(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/stat", encoding="ascii") as stream:
            fields = stream.read().rpartition(")")[2].split()
        self.seconds = max(self.seconds, (int(fields[11]) + int(fields[12])) / measure.TICK)
        with open(f"/proc/{self.pid}/status", encoding="ascii") as stream:
            status = dict(line.split(":", 1) for line in stream)
        if status["Name"].strip().startswith("vise"):
            self.peak_mb = max(self.peak_mb, int(status["VmHWM"].split()[0]) / 1024)

    def run(self):
        try:
            while True:
                self.look()
                time.sleep(0.02)
        except (OSError, KeyError, IndexError):  # it has ended
            pass


def sweep(vise, folder, jobs, n_configs, case):
    """A row's cells from jobs on."""
    out = os.path.join(folder, "out")
    command = [vise, "sweep", "--train", os.path.join(folder, "x.npy"), "--train-labels",
               os.path.join(folder, "y.npy"), "--layers", case["sizes"], "--epochs", str(case["epochs"]), "--batch",
               "64", "--optimizer", "adam", "--lr", "1e-3", "--backend", "cpu", "--search", "random", "--configs",
               str(n_configs), "--vary", "l2=1e-6..1e-1:log", "--refit", "no", "--jobs", str(jobs), "--overwrite",
               "--quiet", "--out", out]
    with measure.Meter() as meter:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        watch = Watch(process.pid)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"vise sweep: exit {process.returncode}")
    with open(os.path.join(out, "fits.jsonl"), encoding="utf-8") as stream:
        seconds = [json.loads(line)["seconds"] for line in stream]
    cpu, n = usage.ru_utime + usage.ru_stime, len(seconds)
    main = min(watch.seconds, cpu)
    return (n, meter.wall, n / meter.wall, 1e6 * sum(seconds) / n, 1 - sum(seconds) / (jobs * meter.wall), cpu, main,
            1e6 * main / n, main / cpu, watch.peak_mb, meter.others)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vise", nargs="+", default=[os.path.join(measure.ROOT, "build", "bin", "vise")])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--configs", type=int, default=2000)
    parser.add_argument("--usual", action="store_true", help="17-64-64-3, 2000 rows, 20 epochs instead")
    parser.add_argument("--quiet-seconds", type=float, default=60, help="wait so long for a quiet machine")
    parser.add_argument("--out", help="write the CSV to this file as well")
    return parser.parse_args()


def main():
    arguments = parse()
    case = USUAL if arguments.usual else SMALL
    with tempfile.TemporaryDirectory() as folder:
        measure.made_up(folder, case["rows"], case["inputs"], case["classes"])
        results = measure.Results(arguments.out, arguments.vise[0])
        results.row(COLUMNS)
        for number in range(arguments.rounds):
            measure.wait_until_quiet(arguments.quiet_seconds)
            for jobs in (1, 2):
                for vise in arguments.vise:
                    name = os.path.relpath(vise, measure.ROOT)
                    results.row((name, jobs, number, *sweep(vise, folder, jobs, arguments.configs, case)))


if __name__ == "__main__":
    main()
