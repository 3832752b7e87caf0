"""A picture of a run: plot.py ROWS.csv PICTURE.svg."""

import csv
import io
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

from files import write
from measure import PEERS, RELAXATION, RELUCERT

# Smaller errors, 0 among them, are drawn here.
FLOOR = 1e-9


def draw(rows):
    matplotlib.rcParams["svg.hashsalt"] = RELUCERT
    cases = list(dict.fromkeys(case(row) for row in rows))
    figure, (time, error) = plt.subplots(1, 2, figsize=(12, 1.5 + 0.35 * len(cases)), sharey=True)
    for solver, marker in zip([RELUCERT, RELAXATION, *PEERS], "*o^sD"):
        own = [row for row in rows if row["solver"] == solver]
        points(time, cases, own, "seconds", marker, solver)
        if solver != RELUCERT:
            points(error, cases, own, "error", marker, solver)
    relaxed = [row for row in rows if row["solver"] == RELAXATION]
    points(error, cases, relaxed, "shortfall", "k|", "verified bound")
    time.set_yticks(range(len(cases)), [f"{name}, γ = {gamma}" for name, gamma in cases])
    time.invert_yaxis()
    titles = ["seconds, whole process", f"relative error of the claimed value, or the bound (at least {FLOOR:.0e})"]
    for axes, title in zip([time, error], titles):
        axes.set_xscale("log")
        axes.set_xlabel(title)
        axes.grid(alpha=0.3)
    known = {}
    for axes in (time, error):
        known |= dict(zip(*reversed(axes.get_legend_handles_labels())))
    handles, labels = known.values(), known.keys()
    figure.legend(handles, labels, loc="upper center", ncols=len(labels), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.4 / figure.get_figheight()))
    picture = io.StringIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def case(row):
    return row["instance"], row["gamma"]


def points(axes, cases, rows, column, marker, label):
    known = [row for row in rows if row[column]]
    if known:
        values = [max(abs(float(row[column])), FLOOR) for row in known]
        axes.plot(values, [cases.index(case(row)) for row in known], marker, linestyle="", markersize=8, label=label)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    with open(source, newline="") as file:
        write(target, draw(list(csv.DictReader(file))))
