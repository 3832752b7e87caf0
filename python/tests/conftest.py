"""Data, and the command line to compare with."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris


@pytest.fixture(scope="session")
def iris():
    """Iris, standardised; one-hot targets."""
    x, labels = load_iris(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), np.eye(3)[labels]


@pytest.fixture(scope="session")
def teacher():
    """240 samples of a random network with noise, four features, two outputs."""
    random = np.random.default_rng(7)
    x = random.standard_normal((240, 4))
    u, v = random.standard_normal((4, 5)), random.standard_normal((5, 2))
    return x, np.maximum(x @ u, 0.0) @ v + 0.3 * random.standard_normal((240, 2))


@pytest.fixture(scope="session")
def command_line():
    """The program, where it has been built."""
    built = Path(__file__).resolve().parents[2] / "target/release/relucert"
    found = os.environ.get("RELUCERT") or (str(built) if built.exists() else shutil.which("relucert"))
    if not found:
        pytest.skip("no relucert on the command line: cargo build --release")
    return found
