"""The instances: CSV files and the names of their target columns. Nothing but the standard library."""

import csv
import subprocess
from dataclasses import dataclass
from pathlib import Path

from files import write

PUBLISHED = [*(f"random_{k:02}" for k in range(5)), "spiral", "iris_train"]


@dataclass(frozen=True)
class Instance:
    name: str
    path: Path
    targets: tuple[str, ...]


def read(path, targets):
    """Features and targets of a CSV file as lists of rows; one column of labels becomes one-hot in sorted order."""
    with open(path, newline="") as file:
        header, *rows = list(csv.reader(file))
    features = [[float(cell) for name, cell in zip(header, row) if name not in targets] for row in rows]
    outputs = [[cell for name, cell in zip(header, row) if name in targets] for row in rows]
    if len(targets) == 1:
        classes = sorted({row[0] for row in outputs})
        return features, [[float(row[0] == label) for label in classes] for row in outputs]
    return features, [[float(cell) for cell in row] for row in outputs]


def describe(path):
    """An instance from a CSV file: its targets are the columns y, y1, ..., or else the last one."""
    with open(path, newline="") as file:
        header = next(csv.reader(file))
    targets = [name for name in header if name[0] == "y" and (not name[1:] or name[1:].isdigit())]
    return Instance(path.stem, path, tuple(targets or header[-1:]))


def published(folder):
    """The published sets in a folder, as far as they are there."""
    paths = [folder / f"{name}.csv" for name in PUBLISHED]
    return [describe(path) for path in paths if path.is_file()]


def synthetic(binary, repository, folder):
    """Stand-ins of the published sizes: teacher data, a spiral, and every second row of Iris."""
    made = []
    for seed in range(2):
        path = folder / f"teacher_{seed:02}.csv"
        options = ["--samples", "25", "--features", "2", "--outputs", "5", "--seed", str(seed)]
        made.append(synth(binary, path, "teacher", *options))
    made.append(synth(binary, folder / "spiral_synthetic.csv", "spiral", "--samples", "20"))
    header, *rows = (repository / "datasets" / "iris.csv").read_text().splitlines()
    path = folder / "iris_half.csv"
    write(path, "\n".join([header, *rows[::2]]) + "\n")
    return [*made, describe(path)]


def synth(binary, path, *options):
    """A set written by `relucert synth`."""
    text = subprocess.run([binary, "synth", *options], check=True, capture_output=True, text=True).stdout
    write(path, text)
    return describe(path)
