"""Writes iris.csv beside this script from scikit-learn's bundled copy (pip install scikit-learn)."""

import csv
from pathlib import Path

from sklearn.datasets import load_iris

iris = load_iris()
header = [name.removesuffix(" (cm)").replace(" ", "_") for name in iris.feature_names] + ["species"]
with open(Path(__file__).with_name("iris.csv"), "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    for row, label in zip(iris.data.tolist(), iris.target):
        writer.writerow(row + [iris.target_names[label]])
