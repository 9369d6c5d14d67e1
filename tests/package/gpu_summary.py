"""bench/peers/summarize_gpu_run.py on hand-made rows: ratios of the right sides, wrong rows and lost files left out."""

import csv
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench", "peers"))
import summarize_gpu_run as program  # noqa: E402 (the path comes first)

NAMES = ["tool", "device", "verified"] + [n for n in program.NAMES if not n.endswith("_variant")]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as stream:
        print("# device: some\n# phase,x", file=stream)
        writer = csv.DictWriter(stream, NAMES, restval="")
        writer.writeheader()
        writer.writerows(dict(zip(("tool", "mode", "precision", "us_per_step", "verified"), row), device="cuda",
                              case="policy", batch="64") for row in rows)


def main():
    with tempfile.TemporaryDirectory() as folder:
        place = lambda name: os.path.join(folder, name)
        write(place("bench.csv"), [("vise-1", "fused", "fp32", "5", "yes"), ("vise-1", "unfused", "fp32", "40", "yes"),
                                   ("vise-1", "unfused-graph", "fp32", "20", "yes"), ("vise-1", "fused", "bf16", "4", "yes"),
                                   ("vise-1", "fused-many", "fp32", "", "no")])
        write(place("torch.csv"), [("pytorch-2", "eager-a", "fp32", "200", "yes"), ("pytorch-2", "eager-b", "fp32", "150", "yes"),
                                   ("pytorch-2", "graph-many", "fp32", "30", "yes"), ("pytorch-2", "graph-x", "fp32", "1", "no")])
        command = [sys.executable, program.__file__, "--out", place("out.csv"), place("bench.csv"), place("torch.csv"),
                   place("jax.csv")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(place("out.csv"), encoding="utf-8") as stream:
            lines = stream.read().splitlines()
        assert "# jax.csv: left out: it is not there" in lines and not any("phase" in line for line in lines), lines
        rows = {(r["mode"], r["precision"]): r for r in csv.DictReader(l for l in lines if not l.startswith("#"))}
        assert len(rows) == 4, rows
        fused = rows["fused", "fp32"]
        ratios = [fused[n] for n in ("x_unfused", "x_graph", "x_torch_eager", "x_torch", "x_jax", "torch_variant")]
        assert ratios == ["8.000", "4.000", "30.000", "6.000", "", "graph-many"], ratios
        assert rows["fused", "bf16"]["x_unfused"] == rows["fused", "bf16"]["x_torch"] == "", rows
        none = subprocess.run(command[:4] + [place("torch.csv")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
        assert none.returncode == 1 and "no row of Vise" in none.stderr, none
    print("the summary is right")


if __name__ == "__main__":
    main()
