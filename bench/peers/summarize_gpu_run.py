"""One table from the CSVs of a run on a GPU: each case and precision in each mode of Vise, beside the peers.

    python3 bench/peers/summarize_gpu_run.py --out summary.csv bench.csv [torch_gpu.csv jax_gpu.csv ...]

Ratios say how many times as fast a mode of Vise is as its unfused step, that step replayed as a graph, the best of
PyTorch's eager ways, the best of all of PyTorch's ways, and the best of JAX's: same case, same precision, same run. A
file that is not there is left out with a note, as is a ratio without another side. Needs nothing but Python. Exits 1
when there is no row of Vise.
"""

import argparse
import csv
import os

NAMES = ("case", "batch", "precision", "mode", "us_per_step", "us_q1", "us_q3", "x_unfused", "x_graph", "x_torch_eager",
         "x_torch", "x_jax", "torch_variant", "jax_variant", "launches_per_step", "share_of_copy", "share_of_gemm",
         "share_of_floor")


def read(path):
    """Rows with a time on a device that did the right step, and the comments."""
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return ([row for row in rows if row["verified"] == "yes" and row["us_per_step"]],
            [line for line in lines if line.startswith("#") and not line.startswith("# phase,")])


def best(rows):
    return min(rows, key=lambda row: float(row["us_per_step"]), default=None)


def ratio(theirs, row):
    return f"{float(theirs['us_per_step']) / float(row['us_per_step']):.3f}" if theirs else ""


def summarize(rows):
    groups, out = {}, []
    for row in rows:
        groups.setdefault((row["case"], row["batch"], row["precision"], row["device"]), []).append(row)
    for (case, batch, precision, device), group in groups.items():
        torch = [row for row in group if row["tool"].startswith("pytorch")]
        jax = best([row for row in group if row["tool"].startswith("jax")])
        for row in group:
            if not row["tool"].startswith("vise-"):
                continue
            mode = {name: best([r for r in group if r["tool"] == row["tool"] and r["mode"] == name])
                    for name in ("unfused", "unfused-graph")}
            line = dict(row, x_unfused=ratio(mode["unfused"], row), x_graph=ratio(mode["unfused-graph"], row),
                        x_torch_eager=ratio(best([r for r in torch if r["mode"].startswith("eager")]), row),
                        x_torch=ratio(best(torch), row), x_jax=ratio(jax, row),
                        torch_variant=best(torch)["mode"] if torch else "", jax_variant=jax["mode"] if jax else "")
            out.append({name: line[name] for name in NAMES})
    return out


def print_table(lines):
    print(f"{'case':<18} {'prec':<5} {'mode':<14} {'us/step':>10} {'x-unfused':>9} {'x-graph':>8} {'x-eager':>8} "
          f"{'x-PyTorch':>9} {'x-JAX':>8} {'floor':>6}")
    for line in lines:
        share = f"{float(line['share_of_floor']):.2f}" if line["share_of_floor"] else "-"
        cells = [line[name] or "-" for name in ("x_unfused", "x_graph", "x_torch_eager", "x_torch", "x_jax")]
        print(f"{line['case']:<18} {line['precision']:<5} {line['mode']:<14} {float(line['us_per_step']):>10.2f} "
              "{:>9} {:>8} {:>8} {:>9} {:>8}".format(*cells) + f" {share:>6}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    rows, comments = [], []
    for path in arguments.files:
        if not os.path.exists(path):
            comments.append(f"# {os.path.basename(path)}: left out: it is not there")
            continue
        got, said = read(path)
        rows += got
        comments += [f"# {os.path.basename(path)}: {line.lstrip('# ')}" for line in said]
    lines = summarize(rows)
    with open(arguments.out, "w", encoding="utf-8", newline="") as stream:
        for line in comments:
            print(line, file=stream)
        writer = csv.DictWriter(stream, NAMES, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print_table(lines)
    if not lines:
        raise SystemExit("there is no row of Vise")


if __name__ == "__main__":
    main()
