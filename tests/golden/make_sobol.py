#!/usr/bin/env python3
"""Makes sobol.json, beside this script: points of SciPy's Sobol sequence, not scrambled, times 2^32, for the test of
host/sweep/sobol.c: some of them, and a checksum (FNV-1a, 64 bits, over 32-bit words) of the first 1024 in 64 dimensions,
point by point; and in all 64 a late point that is made of all direction numbers up to the 22nd. Needs SciPy.

    python3 tests/golden/make_sobol.py [--table]

--table prints the rows of the table in host/sweep/sobol.c instead.
"""
import json
import os
import sys

import numpy as np
import scipy.stats
from scipy.stats import qmc

HERE = os.path.dirname(os.path.abspath(__file__))
DIMENSIONS, POINTS = 64, 1024
LATE = 0x2AAAAA  # its Gray code is 22 ones
SHOWN_POINTS, SHOWN_DIMENSIONS = [0, 1, 2, 3, 5, 100, 1023], [0, 1, 2, 7, 36, 63]


def checksum(words):
    total = 0xcbf29ce484222325
    for word in words:
        total = ((total ^ int(word)) * 0x100000001b3) & (2**64 - 1)
    return f"{total:016x}"


def words_of(points):
    return (points * 2**32).astype(np.uint64)


def print_table():
    path = os.path.join(os.path.dirname(scipy.stats.__file__), "_sobol_direction_numbers.npz")
    with np.load(path) as numbers:
        for polynomial, first in zip(numbers["poly"][1:DIMENSIONS], numbers["vinit"][1:DIMENSIONS]):
            degree = int(polynomial).bit_length() - 1
            print(f"  {{{polynomial}, {{{', '.join(str(m) for m in first[:degree])}}}}},")


def main():
    if "--table" in sys.argv[1:]:
        print_table()
        return
    points = words_of(qmc.Sobol(DIMENSIONS, scramble=False, bits=32).random(POINTS))
    late = words_of(qmc.Sobol(DIMENSIONS, scramble=False, bits=32).fast_forward(LATE).random(1)[0])
    golden = {"checksum": checksum(points.ravel()), "points": SHOWN_POINTS, "dimensions": SHOWN_DIMENSIONS,
              "words": [[int(points[i, d]) for d in SHOWN_DIMENSIONS] for i in SHOWN_POINTS],
              "late": LATE, "late_words": [int(word) for word in late]}
    with open(os.path.join(HERE, "sobol.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
