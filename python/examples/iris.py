"""A network on Iris, certified: python python/examples/iris.py"""

from pathlib import Path

import numpy as np

import relucert

table = np.genfromtxt(Path(__file__).parents[2] / "datasets/iris.csv", delimiter=",", names=True, dtype=None)
x = np.column_stack([table[name] for name in table.dtype.names[:4]])
x = (x - x.mean(axis=0)) / x.std(axis=0)
classes, labels = np.unique(table["species"], return_inverse=True)
print(relucert.certify(x, np.eye(len(classes))[labels], gamma=5, bias=True))
