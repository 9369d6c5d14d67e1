"""summary.md of a run on a GPU: what ran, what passed, what was measured; for a reader who knows nothing of the run.

    python3 report.py --out DIR --logs DIR

DIR is what tests/gpu/run.sh leaves. A file that is not there leaves its section out. Needs nothing but Python.
"""

import argparse
import csv
import os
import re

PARTS = {
    "bits": "Bits", "phases": "Phases of a step", "micro": "Microbenchmarks", "ncu": "Profiler", "small": "Small nets",
    "large": "A large net", "sanitize": "Sanitizers", "rest": "Other tests", "peers": "Peers",
}
# What the profiler's table is read for.
METRICS = (
    "gpu__time_duration.sum", "launch__registers_per_thread", "smsp__inst_executed.sum", "sm__cycles_elapsed.max",
    "lts__t_bytes.sum", "lts__t_sectors_op_read.sum", "dram__bytes_read.sum", "dram__bytes_write.sum",
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum", "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",
    "smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio",
    "smsp__average_warps_issue_stalled_long_scoreboard_per_issue_active.ratio",
    "smsp__average_warps_issue_stalled_short_scoreboard_per_issue_active.ratio",
    "smsp__average_warps_issue_stalled_membar_per_issue_active.ratio",
    "smsp__average_warps_issue_stalled_no_instruction_per_issue_active.ratio",
)
TAIL = 25


def lines_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().splitlines()
    except OSError:
        return []


def table(heading, rows):
    """Lines of a Markdown table."""
    def line(cells):
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
    return [line(heading), line("---" for _ in heading), *(line(row) for row in rows), ""]


def block(lines):
    return ["```", *lines, "```", ""]


def number(text, digits=3):
    try:
        return f"{float(text):.{digits}g}" if text else ""
    except ValueError:
        return text


def steps_of(logs):
    return [line.split("\t") for line in lines_of(os.path.join(logs, "steps.tsv")) if line.count("\t") == 5]


def log_of(logs, name):
    return lines_of(os.path.join(logs, f"{name}.log"))


def what_ran(steps):
    out = ["## What ran", ""]
    rows = []
    for part, title in PARTS.items():
        own = [step for step in steps if step[0] == part]
        if not own:
            continue
        counts = {result: sum(step[2] == result for step in own) for result in ("passed", "FAILED", "absent", "skipped")}
        seconds = sum(float(step[4]) for step in own if step[4] != "-")
        rows.append((title, *(counts[result] or "" for result in counts), f"{seconds:.0f}"))
    out += table(("part", "passed", "failed", "absent", "skipped", "seconds"), rows)
    out += table(("step", "result", "exit", "seconds", "note"), [(s[1], s[2], s[3], s[4], s[5]) for s in steps])
    return out


def failures(steps, logs):
    out = []
    for _, name, result, code, _, note in steps:
        if result == "FAILED":
            out += [f"### {name} (exit status {code}{': ' + note if note else ''})", ""]
            out += block(log_of(logs, name)[-TAIL:])
    return ["## What failed", "", *out] if out else []


def bits(logs):
    first = log_of(logs, "first-bits")[1:]
    stress = [line for line in log_of(logs, "test-kernel_exchange") if re.search(r"^\d+ rounds of \d+ CTAs", line)]
    return ["## Bits", "", "Each training, step by step, against a dump of the emulated device:", "", *block(first),
            "The exchange under random delays: " + "; ".join(stress), ""] if first or stress else []


def phases(out, logs):
    rows = list(csv.DictReader(line[2:] for line in lines_of(os.path.join(out, "bench.csv"))
                               if line.startswith("# phase,")))
    clocks = [line for line in log_of(logs, "clocks")[1:]]
    text = []
    for mode in dict.fromkeys(row["mode"] for row in rows):
        own = [row for row in rows if row["mode"] == mode]
        total = sum(float(row[key]) for row in own for key in ("us_wait", "us_work") if row[key])
        text += [f"{own[0]['case']}, {mode}: {total:.2f} us in exchanges and parts, medians over {own[0]['steps']} steps at"
                 f" {number(own[0]['clock_mhz'], 4)} MHz. Exchange: the CTA that waits least; skew: how much longer"
                 " another waits; work: the slowest CTA.", ""]
        text += table(("part", "exchange us", "skew us", "work us"),
                      [(row["name"], *(number(row[key]) for key in ("us_wait", "us_skew", "us_work"))) for row in own])
    if clocks:
        text += ["784-128-10, batch 64, in clocks (every mark of every CTA: logs/clocks.csv):", "", *block(clocks)]
    return ["## Phases of a step", "", *text] if text else []


def micro(out):
    rows = list(csv.DictReader(lines_of(os.path.join(out, "micro.csv"))))
    keys = ("name", "value", "unit", "least", "most", "right", "replaces", "assumed")
    return ["## Microbenchmarks", "", *table(keys, [[row.get(key, "") for key in keys] for row in rows])] if rows else []


def profiles(logs):
    text = []
    for name in ("one-launch", "persistent"):
        lines = [line for line in log_of(logs, f"ncu-{name}-metrics") if line.startswith('"')]
        if len(lines) < 3:
            continue
        table_rows = list(csv.reader(lines))
        heading, units, rows = table_rows[0], table_rows[1], table_rows[2:]
        found = [i for metric in METRICS for i, key in enumerate(heading) if key == metric]
        text += [f"{name} (logs/{name}.ncu-rep):", ""]
        text += table(("metric", "unit", *(f"launch {i + 1}" for i in range(len(rows)))),
                      [(heading[i], units[i], *(row[i] for row in rows)) for i in found])
    return ["## Profiler", "", *text] if text else []


def bench(out):
    lines = [line for line in lines_of(os.path.join(out, "bench.csv")) if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    keys = ("case", "batch", "precision", "mode", "verified", "us_per_step", "us_launches", "floor_us", "share_of_floor",
            "x_unfused", "x_graph", "share_of_gemm")
    keys = [key for key in keys if rows and key in rows[0]]
    return ["## Nets", "", *table(keys, [[number(row[key]) if key not in keys[:5] else row[key] for key in keys]
                                         for row in rows])] if rows else []


def sanitizers(steps, logs):
    rows = [(name, "; ".join(line.strip("= ") for line in log_of(logs, name) if "SUMMARY" in line or "stand-in" in line))
            for part, name, *_ in steps if part == "sanitize"]
    return ["## Sanitizers", "", *table(("run", "said"), rows)] if rows else []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--logs", required=True)
    arguments = parser.parse_args()
    out, logs = arguments.out, arguments.logs
    steps = steps_of(logs)
    machine = lines_of(os.path.join(out, "machine.txt"))

    text = ["# Vise on a GPU", "", *(f"- {line}" for line in machine[:3]), ""]
    text += [f"**{line}**" for line in lines_of(os.path.join(logs, "verdict"))[:1]] + [""]
    text += failures(steps, logs) + bits(logs) + phases(out, logs) + micro(out) + profiles(logs) + bench(out)
    text += sanitizers(steps, logs) + what_ran(steps)
    text += ["## The machine", "", *block(machine[:40])]
    path = os.path.join(out, "summary.md")
    with open(path + ".new", "w", encoding="utf-8") as stream:
        stream.write("\n".join(text))
    os.replace(path + ".new", path)


if __name__ == "__main__":
    main()
