"""Vise and its peers over the cases of vise bench, all measured in one run on one machine, case by case.

    python3 bench/peers/compare.py --out DIR [--case NAME,... | --grid [--widths ..] [--depths ..] [--batch ..]]
        [--seconds 1] [--total-seconds N] [--threads 1,2] [--peers torch,jax,sklearn] [--variants NAME,...]
        [--devices cpu,cuda] [--precision fp32,...] [--max-cpu-flop N] [--quick]

Writes DIR/rows.csv (every measurement, in the columns of vise bench --csv, and vise_over_this: the best of Vise over
this row, on the same device, in the same precision), DIR/summary.csv (a line for each case) and, with matplotlib, plots
(plots.py). On the CPU the best number of threads counts, for each side. What is not there is left out with a note.
With --total-seconds cases are taken in an order that spreads over the list, until the time is over.

Exits 1 when something computed another step than Vise's cpu64 does.
"""

import argparse
import csv
import datetime
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time

from bench_common import COLUMNS, END, ROOT, case_options, given_case_options, list_cases
from common import commit, cpu_name

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = {"torch": "torch_bench.py", "jax": "jax_bench.py", "sklearn": "sklearn_bench.py"}
FAMILIES = {"pytorch": "pytorch", "jax": "jax", "scikit-learn": "sklearn"}
GOLDEN = 0.6180339887498949
QUICK = {"case": "mnist-64,policy", "seconds": 0.2,
         "variants": "eager-module-fused,eager-manual-foreach,graph-many,jit,scan"}

for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
    del os.environ[name]  # every library takes its own choice of kernels


class Peer:
    """A peer's program with one number of threads, asked case by case. While it is not asked it is stopped, since
    threads that start, compile or spin would take their time from whoever is measured."""

    def __init__(self, name, device, threads, arguments):
        self.device = device
        self.title = f"{name} on {device}" + (f", {threads} threads" if device == "cpu" else "")
        command = [sys.executable, os.path.join(HERE, SCRIPTS[name]), "--serve", "--device", device, "--vise",
                   arguments.vise, "--seconds", str(arguments.seconds), "--threads", str(threads), "--precision",
                   arguments.precision]
        if arguments.variants:
            command += ["--variants", arguments.variants]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)
        self.gone = False
        self.signal(signal.SIGSTOP)

    def signal(self, number):
        """To the program and what it started."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def measure(self, case, note):
        """The rows of one case."""
        rows = []
        if self.gone:
            return rows
        self.signal(signal.SIGCONT)
        try:
            print(json.dumps(vars(case)), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # what it said before it ended is still to be read
        for line in map(str.strip, self.process.stdout):
            if line == END:
                self.signal(signal.SIGSTOP)
                return rows
            if line.startswith("#"):
                if not line.startswith(("# command", "# cpu")):
                    note(f"{self.title}: {line[2:]}")
            elif line != ",".join(COLUMNS):
                rows.append(dict(zip(COLUMNS, line.split(","))))
        self.gone = True
        if self.process.wait() != 0:
            note(f"{self.title}: ended with exit code {self.process.returncode}; its further cases are left out")
        return rows

    def close(self):
        self.signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def measure_vise(case, threads, modes, arguments, note):
    """Rows of vise bench for one case."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.csv")
        which = ["--case", case.name]
        if case.name == case.shape:  # one of --layers
            which = ["--layers", case.shape, "--batch", str(case.batch)]
        command = [arguments.vise, "bench", "--csv", path, "--seconds", str(arguments.seconds), "--mode", modes,
                   "--precision", arguments.precision, "--threads", str(threads)] + which
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        for line in done.stderr.splitlines():
            note(line.removeprefix("note: "))
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as stream:
            return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def what_vise_has(tool):
    done = subprocess.run([tool, "info", "--json"], stdout=subprocess.PIPE, check=True, text=True)
    info = json.loads(done.stdout)
    return info, [item["backend"] for item in info["backends"] if item["available"]]


def headers(info, given):
    return ["command: python3 bench/peers/compare.py " + " ".join(map(shlex.quote, given)), f"commit: {commit()}",
            f"date: {datetime.date.today().isoformat()}", f"cpu: {cpu_name()}",
            f"vise: {info['version']}, {info['build']}", f"load before: {os.getloadavg()[0]:.2f}"]


# ---- what follows from the rows --------------------------------------------------------------------------------------


def speed(row):
    return float(row["steps_per_s"] or 0)


def is_vise(row):
    return row["tool"].startswith("vise-")


def family(row):
    return "vise" if is_vise(row) else next((FAMILIES[f] for f in FAMILIES if row["tool"].startswith(f)), row["tool"])


def best(rows):
    """The fastest row that did the right step (or, scikit-learn's, another one); None if there is none."""
    rows = [row for row in rows if row["verified"] != "no" and speed(row) > 0]
    return max(rows, key=speed) if rows else None


def groups(rows):
    """Rows by case, batch, device and precision. cpu64 is the only one of its precision and stands beside fp32."""
    out = {}
    for row in rows:
        precision = "fp32" if row["precision"] == "fp64" else row["precision"]
        out.setdefault((row["case"], row["batch"], row["device"], precision), []).append(row)
    return out


def add_ratios(rows):
    for group in groups(rows).values():
        vise = best([row for row in group if is_vise(row)])
        for row in group:
            row["vise_over_this"] = f"{speed(vise) / speed(row):.3f}" if vise and speed(row) > 0 else ""


def summarize(rows):
    """One line for each group: the best of every family, and Vise's best over the best peer that does the same step,
    and over scikit-learn, which does less."""
    out = []
    for (case, batch, device, precision), group in groups(rows).items():
        line = {"case": case, "shape": group[0]["shape"], "batch": batch, "device": device,
                "precision": precision}
        top = {name: best([row for row in group if family(row) == name]) for name in
               ("vise", "pytorch", "jax", "sklearn")}
        cpu64 = best([row for row in group if row["mode"] == "cpu64"])
        for name, row in dict(top, vise_cpu64=cpu64).items():
            line[name] = f"{speed(row):.6g}" if row else ""
            line[name + "_variant"] = row["mode"] + (f"/{row['threads']}" if row["threads"] else "") if row else ""
        peers = [row for row in (top["pytorch"], top["jax"]) if row]
        line["over_best_peer"] = ratio(top["vise"], best(peers))
        line["over_sklearn"] = ratio(top["vise"], top["sklearn"])
        out.append(line)
    return out


def ratio(ours, theirs):
    return f"{speed(ours) / speed(theirs):.3f}" if ours and theirs else ""


def print_summary(lines):
    print(f"\n{'case':<22} {'batch':>6} {'device':<6} {'prec':<5} {'vise':>11} {'pytorch':>11} {'jax':>11} "
          f"{'sklearn':>11} {'x-peer':>7} {'x-skl':>7}  best of vise, best peers (steps/s; mode/threads)")
    for line in lines:
        print(f"{line['case']:<22} {line['batch']:>6} {line['device']:<6} {line['precision']:<5} "
              f"{line['vise'] or '-':>11} {line['pytorch'] or '-':>11} {line['jax'] or '-':>11} {line['sklearn'] or '-':>11} "
              f"{line['over_best_peer'] or '-':>7} {line['over_sklearn'] or '-':>7}  "
              + ", ".join(line[k] for k in ("vise_variant", "pytorch_variant", "jax_variant") if line[k]))
    slower = [line["case"] for line in lines for key in ("over_best_peer", "over_sklearn")
              if line[key] and float(line[key]) < 1]
    print(f"Vise is slower than a peer in: {', '.join(dict.fromkeys(slower)) or 'none of these'}")


def write(path, comments, names, rows):
    with open(path, "w", encoding="utf-8", newline="") as stream:
        for text in comments:
            print("# " + text, file=stream)
        writer = csv.DictWriter(stream, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


# ---- the run ---------------------------------------------------------------------------------------------------------


def spread(cases):
    """The same in an order whose every beginning is spread over the whole list."""
    return [case for _, case in sorted(enumerate(cases), key=lambda item: item[0] * GOLDEN % 1)]


def parse(given):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    case_options(parser)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=float, help="to time each row for (default 1)")
    parser.add_argument("--total-seconds", type=float, default=0, help="begin no case after it (default: no limit)")
    parser.add_argument("--threads", type=lambda t: [int(n) for n in t.split(",")],
                        default=sorted({1, len(os.sched_getaffinity(0))}))
    parser.add_argument("--peers", type=lambda t: [p for p in t.split(",") if p], default=list(SCRIPTS))
    parser.add_argument("--variants", default="", help="of the peers; without it: all")
    parser.add_argument("--devices", type=lambda t: t.split(","), default=["cpu", "cuda"])
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--max-cpu-flop", type=float, default=1.2e11,
                        help="leave out, on the CPU, cases with larger steps (default 1.2e11)")
    parser.add_argument("--quick", action="store_true", help="two cases, few variants, a short look")
    arguments = parser.parse_args(given)
    if arguments.quick:
        if not given_case_options(arguments):
            arguments.case = QUICK["case"]
        arguments.variants = arguments.variants or QUICK["variants"]
        arguments.seconds = arguments.seconds or QUICK["seconds"]
    arguments.seconds = arguments.seconds or 1.0
    unknown = [name for name in arguments.peers if name not in SCRIPTS]
    if unknown:
        parser.error(f"--peers: {unknown[0]} is none of {', '.join(SCRIPTS)}")
    return arguments


def make_peers(arguments, has_cuda):
    out = []
    for name in arguments.peers:
        if "cpu" in arguments.devices:
            out += [Peer(name, "cpu", threads, arguments) for threads in arguments.threads]
        if has_cuda and "cuda" in arguments.devices and name != "sklearn":
            out.append(Peer(name, "cuda", 1, arguments))
    return out


def nvidia_is_here():
    return os.path.exists("/dev/nvidia0") or os.path.exists("/dev/dxg")


def main(given=None):
    given = sys.argv[1:] if given is None else given
    arguments = parse(given)
    start = time.monotonic()
    os.makedirs(arguments.out, exist_ok=True)
    info, backends = what_vise_has(arguments.vise)
    comments, notes, rows = headers(info, given), [], []

    def note(text):
        if text not in notes:
            notes.append(text)
            print("# " + text, flush=True)

    for text in comments:
        print("# " + text)
    if not nvidia_is_here() and "cuda" in arguments.devices:
        note("cuda: left out: no NVIDIA device here")
    cases = list_cases(arguments.vise, given_case_options(arguments))
    large = [case.name for case in cases if case.flop > arguments.max_cpu_flop]
    if large and "cpu" in arguments.devices:
        note(f"cpu: {len(large)} of {len(cases)} cases left out: a step takes over {arguments.max_cpu_flop:g} FLOP")
    if not nvidia_is_here():
        cases = [case for case in cases if case.name not in large]
    if arguments.total_seconds:
        cases = spread(cases)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the peers must not stay behind, stopped
    peers = make_peers(arguments, nvidia_is_here())
    try:
        for i, case in enumerate(cases):
            if arguments.total_seconds and time.monotonic() - start > arguments.total_seconds:
                note(f"{len(cases) - i} of {len(cases)} cases: left out: the {arguments.total_seconds:g} s are over")
                break
            got = []
            on_cpu = "cpu" in arguments.devices and case.name not in large
            if on_cpu:
                for threads in arguments.threads:
                    got += measure_vise(case, threads, "cpu,cpu64", arguments, note)
            if "cuda" in arguments.devices and "cuda" in backends:
                got += measure_vise(case, 1, "unfused,unfused-graph,fused,fused-many", arguments, note)
            for peer in peers:
                if on_cpu or peer.device != "cpu":
                    got += peer.measure(case, note)
            if not got:
                continue
            add_ratios(got)
            rows += got
            write(os.path.join(arguments.out, "rows.csv"), comments + notes, list(COLUMNS) + ["vise_over_this"], rows)
            for line in summarize(got):
                print(f"{line['case']:<22} {line['device']:<5} vise {line['vise'] or '-':>10} "
                      f"({line['vise_variant']})  pytorch {line['pytorch'] or '-':>10} "
                      f"({line['pytorch_variant']})  jax {line['jax'] or '-':>10}  sklearn {line['sklearn'] or '-':>10}  x {line['over_best_peer'] or '-'}", flush=True)
    finally:
        for peer in peers:
            peer.close()
    if not rows:
        raise SystemExit("nothing was measured")
    lines = summarize(rows)
    write(os.path.join(arguments.out, "summary.csv"), comments + notes, list(lines[0]), lines)
    print_summary(lines)
    try:
        import plots

        plots.make(os.path.join(arguments.out, "rows.csv"), arguments.out)
    except ImportError as error:
        print(f"# plots: left out: {error}")
    wrong = [f"{row['tool']} {row['mode']} in {row['case']}" for row in rows if row["verified"] == "no"]
    if wrong:
        raise SystemExit("another step than Vise's cpu64: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
