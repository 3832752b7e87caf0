"""What a caller may pass as X and Y, made into what the compiled part reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def matrix(array: Any, name: str) -> NDArray[Any]:
    """A numpy array of float64 or float32 with two dimensions; one that is so already is not copied."""
    dense = _dense(array, name)
    if dense.ndim != 2:
        raise ValueError(f"{name}: expected an array of two dimensions, got {dense.ndim}; reshape it")
    return dense


def features(x: Any) -> Any:
    """X as a matrix, or the compressed rows of a sparse one, which is never filled."""
    if not _is_sparse(x):
        return matrix(x, "X")
    if x.ndim != 2:
        raise ValueError(f"X: expected an array of two dimensions, got {x.ndim}; reshape it")
    rows = x.tocsr()
    if not rows.has_canonical_format:
        # Sorted columns, none twice; what the caller has stays as it is.
        rows = rows.copy()
        rows.sum_duplicates()
    index = rows.indices.dtype if rows.indices.dtype in (np.int32, np.int64) else np.dtype(np.int64)
    return (*rows.shape, np.asarray(rows.indptr, index), np.asarray(rows.indices), _floats(rows.data, "X"))


def targets(y: Any) -> NDArray[Any]:
    """Y as a matrix with a row for each sample; one dimension is one output."""
    if _is_sparse(y):
        raise ValueError("Y: a sparse array is not taken; pass Y.toarray()")
    array = _dense(y, "Y")
    if array.ndim == 1:
        return array[:, np.newaxis]
    if array.ndim != 2:
        raise ValueError(f"Y: expected an array of one or two dimensions, got {array.ndim}; reshape it")
    return array


def _is_sparse(x: Any) -> bool:
    # Of scipy.sparse, which need not be there.
    return hasattr(x, "tocsr") and hasattr(x, "nnz")


def _dense(array: Any, name: str) -> NDArray[Any]:
    if hasattr(array, "detach"):
        # A tensor of torch, wherever it lives.
        array = array.detach().cpu().numpy()
    return _floats(np.asarray(array), name)


def _floats(array: NDArray[Any], name: str) -> NDArray[Any]:
    if array.dtype.kind not in "fiubO":
        raise ValueError(f"{name}: expected real numbers, got {array.dtype}; encode or leave out what is none")
    wanted = np.dtype(np.float32) if array.dtype == np.float32 else np.dtype(np.float64)
    try:
        # Copies other types, foreign byte orders and what is not aligned; nothing else.
        return np.require(array, wanted, ["ALIGNED"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected real numbers, got {array.dtype} ({error}); encode what is none") from error
