"""The compiled part. Private: its callers are the modules beside it."""

from collections.abc import Callable
from os import PathLike
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

_Matrix: TypeAlias = NDArray[np.float64] | NDArray[np.float32]
_Integers: TypeAlias = NDArray[np.int32] | NDArray[np.int64]
_Rows: TypeAlias = tuple[int, int, _Integers, _Integers, _Matrix]
_Features: TypeAlias = _Matrix | _Rows
_Weights: TypeAlias = tuple[_Matrix, _Matrix]

__all__ = [
    "Outcome",
    "__version__",
    "certify",
    "objective",
    "predict",
    "solve_block",
    "train",
    "verify_arrays",
    "verify_folder",
]
__version__: str

@final
class Outcome:
    def figures(self) -> tuple[float, float, float]: ...
    def shown(self) -> tuple[str, str, str]: ...
    def report(self) -> str: ...
    def meets(self, tolerance: float) -> bool: ...
    def weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def certificate(self) -> dict[str, NDArray[Any]]: ...
    def history(self) -> list[dict[str, Any]]: ...
    def save(self, folder: str | PathLike[str]) -> None: ...

def certify(
    x: _Features,
    y: _Matrix,
    gamma: float,
    bias: bool,
    weights: _Weights | None,
    options: dict[str, Any],
    time_limit: float | None,
    threads: int | None,
    callback: Callable[[dict[str, Any]], object] | None,
    futures: object | None,
) -> Outcome: ...
def solve_block(task: bytes, threads: int | None, seconds: float | None) -> bytes: ...
def train(
    x: _Features,
    y: _Matrix,
    gamma: float,
    bias: bool,
    effort_name: str,
    width: int,
    starts: int,
    seed: int,
    time_limit: float | None,
    threads: int | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def objective(x: _Features, y: _Matrix, gamma: float, weights: _Weights, bias: bool) -> float: ...
def predict(x: _Features, weights: _Weights, bias: bool) -> NDArray[np.float64]: ...
def verify_folder(
    folder: str | PathLike[str], failure_probability: float, max_cells: int, seed: int | None, threads: int | None
) -> tuple[str, str | None]: ...
def verify_arrays(
    x: _Features,
    y: _Matrix,
    gamma: float,
    bias: bool,
    certificate: bytes,
    weights: _Weights | None,
    failure_probability: float,
    max_cells: int,
    seed: int | None,
    threads: int | None,
) -> tuple[str, str | None]: ...
