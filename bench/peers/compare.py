"""Vise and its peers over the cases of vise bench, all measured in one run on one machine, case by case.

    python3 bench/peers/compare.py --out DIR [--case NAME,... | --grid [--widths ..] [--depths ..] [--batch ..]]
        [--images no] [--pairs 5] [--pairs-below X] [--seconds 1] [--total-seconds N] [--threads 1,2]
        [--peers torch,jax,sklearn] [--variants NAME,...] [--vise-modes cpu,cpu64] [--devices cpu,cuda]
        [--precision fp32,...] [--max-cpu-flop N] [--quick]

First every program is timed once in each of its ways and numbers of threads. Then, on the CPU, the best of each program
(and a second way that was within a tenth of it) are measured in pairs: Vise, peer, Vise, peer, ... --pairs times, so
that a disturbance hits both; the ratios of the pairs, their median and spread, are what counts. --pairs-below X does so
only where the first look found Vise less than X times as fast.

Cases of MNIST's size whose features are bytes are also run on MNIST's own images (NAME-images), as bytes in Vise and as
float32 in the memory of the peers.

Writes DIR/rows.csv (every first measurement, in the columns of vise bench --csv, and vise_over_this: the best of Vise
over this row, on the same device, in the same precision), DIR/pairs.csv, DIR/summary.csv (a line for each case) and, with
matplotlib, plots (plots.py). On the CPU the best number of threads counts, for each side. What is not there is left out
with a note. With --total-seconds cases are taken in an order that spreads over the list, until the time is over.

Exits 1 when something computed another step than Vise's cpu64 does.
"""

import argparse
import csv
import dataclasses
import datetime
import importlib.metadata
import json
import os
import platform
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from environment import MNIST_FILES, NOTE, commit, cpu_name  # before numpy
from bench_common import COLUMNS, END, case_options, given_case_options, list_cases

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = {"torch": "torch_bench.py", "jax": "jax_bench.py", "sklearn": "sklearn_bench.py"}
FAMILIES = {"pytorch": "pytorch", "jax": "jax", "scikit-learn": "sklearn"}
PROGRAMS = {"pytorch": "torch", "jax": "jax", "sklearn": "sklearn"}
PACKAGES = ("torch", "jax", "jaxlib", "scikit-learn", "numpy", "scipy")
PAIR_COLUMNS = ("case", "shape", "batch", "tool", "mode", "threads", "vise_threads", "pairs", "vise_us", "vise_us_min",
                "vise_us_max", "peer_us", "peer_us_min", "peer_us_max", "vise_over_this", "ratio_min", "ratio_max")
CLOSE = 0.9  # of the best: a way that is measured in pairs as well
CORES = re.compile(r"#\s+(?:peak\s+)?(\w+, (\d+) threads?: .*)")
GOLDEN = 0.6180339887498949
QUICK = {"case": "mnist-64,policy", "seconds": 0.2,
         "variants": "eager-module-fused,eager-manual-foreach,eager-manual-buffers,graph-many,jit,scan"}


class Peer:
    """A peer's program with one number of threads, asked case by case. While it is not asked it is stopped, since
    threads that start, compile or spin would take their time from whoever is measured."""

    def __init__(self, name, device, threads, arguments):
        self.name, self.device, self.threads = name, device, threads
        self.title = f"{name} on {device}" + (f", {threads} threads" if device == "cpu" else "")
        command = [sys.executable, os.path.join(HERE, SCRIPTS[name]), "--serve", "--device", device, "--vise",
                   arguments.vise, "--seconds", str(arguments.seconds), "--threads", str(threads), "--precision",
                   arguments.precision, "--references", arguments.references]
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

    def ask(self, request, note):
        """The lines of its answer."""
        lines = []
        if self.gone:
            return lines
        self.signal(signal.SIGCONT)
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # what it said before it ended is still to be read
        for line in map(str.strip, self.process.stdout):
            if line == END:
                self.signal(signal.SIGSTOP)
                return lines
            if line.startswith("#"):
                if not line.startswith(("# command", "# commit", "# cpu")):
                    note(f"{self.title}: {line[2:]}")
            elif line != ",".join(COLUMNS):
                lines.append(line)
        self.gone = True
        if self.process.wait() != 0:
            note(f"{self.title}: ended with exit code {self.process.returncode}; its further cases are left out")
        return lines

    def measure(self, case, note):
        """The rows of one case."""
        return [dict(zip(COLUMNS, line.split(","))) for line in self.ask(vars(case), note)]

    def again(self, mode, note):
        """Microseconds of a step of the latest case, measured once more; None if that cannot be."""
        lines = self.ask({"again": mode}, note)
        return float(lines[0]) if lines else None

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
        if case.name == case.shape or case.images:  # one of --layers
            which = ["--layers", case.shape, "--batch", str(case.batch)]
        if case.images:
            which += ["--data", MNIST_FILES[0], "--labels", MNIST_FILES[1]]
        command = [arguments.vise, "bench", "--csv", path, "--seconds", str(arguments.seconds), "--mode", modes,
                   "--precision", arguments.precision, "--threads", str(threads)] + which
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        for line in done.stderr.splitlines():
            note(line.removeprefix("note: "))
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as stream:
            lines = list(stream)
        for line in filter(None, map(CORES.match, lines)):
            if line.group(2) not in arguments.peaks:  # at the start; each row has its own
                arguments.peaks[line.group(2)] = line.group()
                note("peak at the start: " + line.group(1))
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        return [dict(row, case=case.name) for row in rows]


def what_vise_has(tool):
    done = subprocess.run([tool, "info", "--json"], stdout=subprocess.PIPE, check=True, text=True)
    info = json.loads(done.stdout)
    return info, [item["backend"] for item in info["backends"] if item["available"]]


def headers(info, given):
    return ["command: python3 bench/peers/compare.py " + " ".join(map(shlex.quote, given)), f"commit: {commit()}",
            f"date: {datetime.date.today().isoformat()}", f"cpu: {cpu_name()}",
            f"vise: {info['version']}, {info['build']}", f"peers: {versions()}",
            NOTE or "OPENBLAS_*: not set", f"load before: {os.getloadavg()[0]:.2f}"]


def versions():
    """Of all that takes part; the compiler is what torch.compile calls."""
    out = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            out.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            out.append(f"no {name}")
    try:
        done = subprocess.run(["g++", "-dumpfullversion"], stdout=subprocess.PIPE, check=True, text=True)
        out.append(f"g++ {done.stdout.strip()}")
    except (OSError, subprocess.CalledProcessError):
        out.append("no g++: torch.compile cannot work")
    return ", ".join(out)


# ---- pairs -----------------------------------------------------------------------------------------------------------


def candidates(rows):
    """Of each peer the best row and, if it is close to it, the second best."""
    out = []
    for name in FAMILIES.values():
        mine = [row for row in rows if family(row) == name and row["verified"] != "no" and speed(row) > 0]
        mine = sorted(mine, key=speed, reverse=True)[:2]
        out += [row for row in mine if speed(row) > CLOSE * speed(mine[0])]
    return out


def measure_pairs(case, rows, peers, arguments, note):
    """Rows in PAIR_COLUMNS: each candidate beside Vise's best, in turn."""
    cpu = [row for row in rows if row["device"] == "cpu" and row["precision"] == "fp32"]
    vise, them = best([row for row in cpu if is_vise(row)]), candidates(cpu)
    times = [[] for _ in them]
    if vise is None:
        return []
    for _ in range(arguments.pairs):
        for row, pairs in zip(them, times):
            peer = next(p for p in peers if p.device == "cpu" and p.name == PROGRAMS[family(row)]
                        and str(p.threads) == row["threads"])
            ours = best(measure_vise(case, int(vise["threads"]), vise["mode"], arguments, note))
            theirs = peer.again(row["mode"], note)
            if ours and theirs:
                pairs.append((float(ours["us_per_step"]), theirs))
    return [pair_row(vise, row, pairs) for row, pairs in zip(them, times) if pairs]


def pair_row(vise, row, pairs):
    ours, theirs = zip(*pairs)
    ratios = [b / a for a, b in pairs]
    numbers = {"pairs": len(pairs)}
    for name, values in (("vise_us", ours), ("peer_us", theirs)):
        numbers.update({name: statistics.median(values), name + "_min": min(values), name + "_max": max(values)})
    numbers.update(vise_over_this=statistics.median(ratios), ratio_min=min(ratios), ratio_max=max(ratios))
    out = {name: row[name] for name in ("case", "shape", "batch", "tool", "mode", "threads")}
    out.update({name: f"{value:.5g}" for name, value in numbers.items()}, vise_threads=vise["threads"])
    return out


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
    peaks = {row["threads"]: row["peak_gflop_per_s"] for row in rows if row["mode"] == "cpu" and row.get("peak_gflop_per_s")}
    for row in rows:
        if row["device"] == "cpu" and row["precision"] == "fp32" and not is_vise(row) and speed(row) > 0:
            row["peak_gflop_per_s"] = peaks.get(row["threads"], "")
            peak = float(row["peak_gflop_per_s"] or "nan")
            row["share_of_peak"] = f"{float(row['gflop_per_s']) / peak:.6g}" if peak == peak else ""
    for group in groups(rows).values():
        vise = best([row for row in group if is_vise(row)])
        for row in group:
            row["vise_over_this"] = f"{speed(vise) / speed(row):.3f}" if vise and speed(row) > 0 else ""


def paired_ratio(pairs, case, batch, name):
    """Vise over a peer by the pairs of a case: over its better way."""
    mine = [float(pair["vise_over_this"]) for pair in pairs
            if (pair["case"], pair["batch"]) == (case, batch) and (name is None or family(pair) == name)]
    return f"{min(mine):.3f}" if mine else ""


def summarize(rows, pairs):
    """One line for each group: the best of every family, and Vise's best over the best peer that does the same step,
    and over scikit-learn, which does less; and the same by the pairs, over each and over the best of all."""
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
        line["share_of_peak"] = (top["vise"] or {}).get("share_of_peak", "")
        is_paired = device == "cpu" and precision == "fp32"
        for column, name in PAIRED.items():
            line[column] = paired_ratio(pairs, case, batch, name) if is_paired else ""
        out.append(line)
    return out


PAIRED = {"pairs_over_pytorch": "pytorch", "pairs_over_jax": "jax", "pairs_over_sklearn": "sklearn",
          "pairs_over_best": None}


def ratio(ours, theirs):
    return f"{speed(ours) / speed(theirs):.3f}" if ours and theirs else ""


def print_summary(lines):
    print(f"\n{'case':<22} {'batch':>6} {'device':<6} {'prec':<5} {'vise':>11} {'pytorch':>11} {'jax':>11} "
          f"{'sklearn':>11} {'x-peer':>7} {'x-skl':>7} {'x-pairs':>7} {'peak':>6}  best of vise, best peers (steps/s; mode/threads)")
    for line in lines:
        print(f"{line['case']:<22} {line['batch']:>6} {line['device']:<6} {line['precision']:<5} "
              f"{line['vise'] or '-':>11} {line['pytorch'] or '-':>11} {line['jax'] or '-':>11} {line['sklearn'] or '-':>11} "
              f"{line['over_best_peer'] or '-':>7} {line['over_sklearn'] or '-':>7} "
              f"{line['pairs_over_best'] or '-':>7} {line['share_of_peak'][:5] or '-':>6}  "
              + ", ".join(line[k] for k in ("vise_variant", "pytorch_variant", "jax_variant") if line[k]))
    slower = []
    for line in lines:  # where there are pairs they decide
        keys = ("pairs_over_best",) if line["pairs_over_best"] else ("over_best_peer", "over_sklearn")
        slower += [line["case"] for key in keys if line[key] and float(line[key]) < 1]
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
    parser.add_argument("--pairs", type=int, default=5, help="on the CPU, of each peer's best with Vise's (default 5)")
    parser.add_argument("--pairs-below", type=float, default=float("inf"),
                        help="only where Vise seems to be less than so many times as fast")
    parser.add_argument("--images", choices=("yes", "no"), default="yes",
                        help="also MNIST's own images, for cases of bytes that have their size")
    parser.add_argument("--vise-modes", default="cpu,cpu64", help="of Vise on the CPU (default cpu,cpu64)")
    parser.add_argument("--quick", action="store_true", help="two cases, few variants, a short look")
    arguments = parser.parse_args(given)
    if arguments.quick:
        if not given_case_options(arguments):
            arguments.case = QUICK["case"]
        arguments.variants = arguments.variants or QUICK["variants"]
        arguments.seconds = arguments.seconds or QUICK["seconds"]
        arguments.pairs = min(arguments.pairs, 3)
    arguments.seconds = arguments.seconds or 1.0
    arguments.peaks = {}
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


def with_images(cases, arguments):
    """The cases, and after each of bytes that MNIST's images fit the same on these."""
    out = []
    for case in cases:
        out.append(case)
        if arguments.images == "yes" and case.byte_features and (case.widths[0], case.widths[-1]) == (784, 10):
            out.append(dataclasses.replace(case, name=case.name + "-images", images=True))
    return out


def select_cases(arguments, note):
    """All that is to be measured, and which of them also on the CPU."""
    cases = with_images(list_cases(arguments.vise, given_case_options(arguments)), arguments)
    large = [case.name for case in cases if case.flop > arguments.max_cpu_flop]
    if large and "cpu" in arguments.devices:
        note(f"cpu: {len(large)} of {len(cases)} cases left out: a step takes over {arguments.max_cpu_flop:g} FLOP")
    if not nvidia_is_here():
        cases = [case for case in cases if case.name not in large]
    if arguments.total_seconds:
        cases = spread(cases)
    small = {case.name for case in cases} - set(large)
    return cases, small if "cpu" in arguments.devices else set()


def measure_case(case, on_cpu, has_cuda, peers, arguments, note):
    """The rows of the first look, and the pairs."""
    rows, pairs = [], []
    if on_cpu:
        for threads in arguments.threads:
            rows += measure_vise(case, threads, arguments.vise_modes, arguments, note)
    if has_cuda:
        rows += measure_vise(case, 1, "unfused,unfused-graph,fused,fused-many", arguments, note)
    for peer in peers:
        if on_cpu or peer.device != "cpu":
            rows += peer.measure(case, note)
    add_ratios(rows)
    looks = [float(row["vise_over_this"]) for row in rows if row["device"] == "cpu" and not is_vise(row)
             and row["vise_over_this"]]
    if on_cpu and arguments.pairs > 0 and looks and min(looks) < arguments.pairs_below:
        pairs = measure_pairs(case, rows, peers, arguments, note)
    return rows, pairs


def print_case(rows, pairs):
    for line in summarize(rows, pairs):
        print(f"{line['case']:<22} {line['device']:<5} vise {line['vise'] or '-':>10} "
              f"({line['vise_variant']})  pytorch {line['pytorch'] or '-':>10} "
              f"({line['pytorch_variant']})  jax {line['jax'] or '-':>10}  sklearn {line['sklearn'] or '-':>10}  "
              f"x {line['over_best_peer'] or '-'}  in pairs {line['pairs_over_best'] or '-'}", flush=True)


def measure_all(arguments, has_cuda, comments, notes, note):
    """All rows and pairs; what is known is written after each case."""
    start, rows, pairs = time.monotonic(), [], []
    cases, on_cpu = select_cases(arguments, note)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the peers must not stay behind, stopped
    peers = make_peers(arguments, nvidia_is_here())
    try:
        for i, case in enumerate(cases):
            if arguments.total_seconds and time.monotonic() - start > arguments.total_seconds:
                note(f"{len(cases) - i} of {len(cases)} cases: left out: the {arguments.total_seconds:g} s are over")
                break
            got, got_pairs = measure_case(case, case.name in on_cpu, has_cuda, peers, arguments, note)
            if not got:
                continue
            rows, pairs = rows + got, pairs + got_pairs
            for name, columns, what in (("rows.csv", list(COLUMNS) + ["vise_over_this"], rows),
                                        ("pairs.csv", list(PAIR_COLUMNS), pairs)):
                write(os.path.join(arguments.out, name), comments + notes, columns, what)
            print_case(got, got_pairs)
    finally:
        for peer in peers:
            peer.close()
    note(f"all of it took {time.monotonic() - start:.0f} s")
    return rows, pairs


def main(given=None):
    given = sys.argv[1:] if given is None else given
    arguments = parse(given)
    os.makedirs(arguments.out, exist_ok=True)
    info, backends = what_vise_has(arguments.vise)
    comments, notes = headers(info, given), []

    def note(text):
        if text not in notes:
            notes.append(text)
            print("# " + text, flush=True)

    for text in comments:
        print("# " + text)
    if not nvidia_is_here() and "cuda" in arguments.devices:
        note("cuda: left out: no NVIDIA device here")
    if arguments.variants:
        note(f"of the peers only: {arguments.variants}")
    has_cuda = "cuda" in arguments.devices and "cuda" in backends
    with tempfile.TemporaryDirectory() as arguments.references:
        rows, pairs = measure_all(arguments, has_cuda, comments, notes, note)
    if not rows:
        raise SystemExit("nothing was measured")
    lines = summarize(rows, pairs)
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
