"""The grid of vise bench on the CPU: cpu and cpu64 of Vise, PyTorch, JAX and scikit-learn. One command with a time budget:

    python3 bench/peers/grid_cpu.py [--total-seconds 3600] [--out build/bench-results/grid-cpu] [options of compare.py]

This is compare.py with other defaults: all cases of the grid whose step takes at most 5e10 FLOP, in an order that
spreads over it, so that a shorter budget leaves a coarser grid; of PyTorch the ways that need no compiler (--variants ''
takes all); pairs only where Vise seems to be less than 1.2 times as fast as a peer. summary.csv has a line for each
case: the steps/s of each side's best, and the ratios.

--short is a look of under six minutes: steps of at most 2e9 FLOP, 0.1 s a row, three pairs, no case begun after 300 s.
"""

import os
import sys

from common import ROOT
from compare import main

DEFAULTS = {
    "--out": os.path.relpath(os.path.join(ROOT, "build", "bench-results", "grid-cpu")),
    "--total-seconds": "3600",
    "--seconds": "0.3",
    "--max-cpu-flop": "5e10",
    "--devices": "cpu",
    "--peers": "torch,jax,sklearn",
    "--variants": "eager-module-fused,eager-autograd-foreach,eager-manual-foreach,eager-manual-buffers,jit,scan",
    "--vise-modes": "cpu",
    "--pairs-below": "1.2",
}
SHORT = {"--total-seconds": "300", "--seconds": "0.1", "--max-cpu-flop": "2e9", "--pairs": "3",
         "--variants": "eager-manual-foreach,eager-manual-buffers,scan"}

if __name__ == "__main__":
    given = [text for text in sys.argv[1:] if text != "--short"]
    defaults = dict(DEFAULTS, **SHORT) if "--short" in sys.argv[1:] else DEFAULTS
    names = {text.split("=")[0] for text in given}
    if not names & {"--case", "--layers", "--grid"}:
        given = given + ["--grid"]
    for name, value in defaults.items():
        if name not in names:
            given += [name, value]
    main(given)
