"""Plots of the rows that compare.py or vise bench --csv wrote, as SVG, with matplotlib.

    python3 bench/peers/plots.py ROWS.csv DIR

speed-by-width.svg and speed-by-batch.svg: steps/s of the best of each family (one panel for each number of layers and
each of a few batches or widths); speed-up-map.svg: Vise over the best peer that does the same step, over width and
batch; cases.svg: the same as bars for named cases. A plot for which there are no rows is not made.
"""

import csv
import os
import re
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import LogNorm  # noqa: E402

GRID = re.compile(r"grid-w(\d+)-l(\d+)-b(\d+)$")
COLOURS = {"vise": "#0b6e4f", "pytorch": "#d1495b", "jax": "#3066be", "sklearn": "#8d99ae"}
PANELS = 4  # lines of a plot that stay legible


def read(path):
    with open(path, encoding="utf-8") as stream:
        return [row for row in csv.DictReader(line for line in stream if not line.startswith("#")) if
                row["steps_per_s"] and row["verified"] != "no"]


def family(row):
    for prefix, name in (("vise-", "vise"), ("pytorch", "pytorch"), ("jax", "jax"), ("scikit-learn", "sklearn")):
        if row["tool"].startswith(prefix):
            return name
    return row["tool"]


def best_of(rows):
    """{(family, device): {case: steps/s}} of fp32 rows, the best variant counting."""
    out = {}
    for row in rows:
        if row["precision"] == "fp32":
            cases = out.setdefault((family(row), row["device"]), {})
            case = row["case"] if row["case"] != row["shape"] else f"{row['case']}, batch {row['batch']}"
            cases[case] = max(cases.get(case, 0.0), float(row["steps_per_s"]))
    return out


def place(case):
    """(width, layers, batch) of a case of the grid, else None."""
    match = GRID.match(case)
    return tuple(map(int, match.groups())) if match else None


def some(values):
    """At most PANELS of the sorted values, both ends among them."""
    values = sorted(set(values))
    if len(values) <= PANELS:
        return values
    return [values[round(i * (len(values) - 1) / (PANELS - 1))] for i in range(PANELS)]


def save(figure, folder, name):
    path = os.path.join(folder, name)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    print(f"plot: {path}")


def lines(best, folder, along, name):
    """Steps/s along width (0) or batch (2)."""
    other = 2 - along
    places = [p for cases in best.values() for p in map(place, cases) if p]
    layers, fixed = some([p[1] for p in places]), some([p[other] for p in places])
    if len({p[along] for p in places}) < 2:
        return
    figure, axes = plt.subplots(len(layers), len(fixed), figsize=(3.4 * len(fixed), 2.9 * len(layers)), squeeze=False,
                                layout="constrained")
    for i, n_layers in enumerate(layers):
        for j, value in enumerate(fixed):
            axis = axes[i][j]
            for (who, device), cases in best.items():
                points = sorted((p[along], speed) for case, speed in cases.items()
                                for p in [place(case)] if p and p[1] == n_layers and p[other] == value)
                if points:
                    axis.plot(*zip(*points), marker="o", markersize=3, color=COLOURS.get(who),
                              linestyle="-" if device == "cuda" else "--", label=f"{who}, {device}")
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.set_title(f"{n_layers} layers, {'batch' if other == 2 else 'width'} {value}", fontsize=9)
            axis.set_xlabel("width" if along == 0 else "batch")
            axis.set_ylabel("steps/s")
            axis.grid(True, which="both", alpha=0.2)
    handles = {label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncol=max(len(handles), 1), fontsize=8)
    save(figure, folder, name)


def ratios(best, device):
    """{case: Vise over the best peer that does the same step}."""
    out = {}
    for case, ours in best.get(("vise", device), {}).items():
        theirs = [best.get((who, device), {}).get(case, 0.0) for who in ("pytorch", "jax")]
        if max(theirs) > 0:
            out[case] = ours / max(theirs)
    return out


def speed_up_map(best, device, folder):
    values = {place(case): x for case, x in ratios(best, device).items() if place(case)}
    if not values:
        return
    layers = sorted({p[1] for p in values})
    widths, batches = sorted({p[0] for p in values}), sorted({p[2] for p in values})
    figure, axes = plt.subplots(1, len(layers), figsize=(1.5 + 4.4 * len(layers), 4.2), squeeze=False,
                                layout="constrained")
    top = max(max(values.values()), 1 / min(values.values()), 1.1)
    for axis, n_layers in zip(axes[0], layers):
        cells = [[values.get((w, n_layers, b), float("nan")) for w in widths] for b in batches]
        image = axis.imshow(cells, origin="lower", cmap="RdYlGn", norm=LogNorm(1 / top, top), aspect="auto")
        for y, line in enumerate(cells):
            for x, value in enumerate(line):
                if value == value:
                    axis.text(x, y, f"{value:.1f}", ha="center", va="center", fontsize=7)
        axis.set_xticks(range(len(widths)), widths, rotation=45, fontsize=7)
        axis.set_yticks(range(len(batches)), batches, fontsize=7)
        axis.set_title(f"{n_layers} layers, {device}: Vise over the best peer", fontsize=9)
        axis.set_xlabel("width")
    axes[0][0].set_ylabel("batch")
    figure.colorbar(image, ax=axes, shrink=0.9)
    save(figure, folder, f"speed-up-map-{device}.svg")


def bars(best, device, folder):
    values = {case: x for case, x in ratios(best, device).items() if not place(case)}
    if not values:
        return
    figure, axis = plt.subplots(figsize=(6.5, 0.9 + 0.4 * len(values)), layout="constrained")
    drawn = axis.barh(list(values), list(values.values()), color=COLOURS["vise"])
    axis.bar_label(drawn, fmt="%.2f", padding=3, fontsize=8)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_xlabel(f"steps/s of Vise over the best of PyTorch and JAX, {device}, fp32")
    axis.invert_yaxis()
    save(figure, folder, f"cases-{device}.svg")


def make(path, folder):
    best = best_of(read(path))
    lines(best, folder, 0, "speed-by-width.svg")
    lines(best, folder, 2, "speed-by-batch.svg")
    for device in ("cpu", "cuda"):
        speed_up_map(best, device, folder)
        bars(best, device, folder)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    make(sys.argv[1], sys.argv[2])
