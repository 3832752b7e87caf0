"""Writes the built-in data sets beside this script from scikit-learn's bundled copies (pip install scikit-learn)."""

import csv
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

HERE = Path(__file__).parent
PIXELS = "0123456789abcdefg"  # one character for each of the 17 grey levels


def write_csv(name, data, target):
    """A header and one row a sample; the class codes are replaced by the names of the classes."""
    header = [feature.removesuffix(" (cm)").replace(" ", "_") for feature in data.feature_names] + [target]
    with open(HERE / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row, label in zip(data.data.tolist(), data.target):
            # The shortest decimals that give the same bits, whole numbers without a point.
            cells = [str(int(value)) if value.is_integer() and name != "iris" else value for value in row]
            writer.writerow(cells + [data.target_names[label]])


write_csv("iris", load_iris(), "species")
write_csv("wine", load_wine(), "cultivar")
write_csv("breast_cancer", load_breast_cancer(), "diagnosis")

digits = load_digits()
with open(HERE / "digits.txt", "w", newline="") as file:
    for row, label in zip(digits.data.astype(int).tolist(), digits.target):
        file.write("".join(PIXELS[value] for value in row) + f" {label}\n")
