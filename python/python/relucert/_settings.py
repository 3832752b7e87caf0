"""Keyword arguments, checked for their type where the compiled part would not say it in words."""

from __future__ import annotations

import math
import operator
from datetime import timedelta
from typing import Any


def options(
    *,
    tolerance: float,
    method: str,
    cuts: str | int,
    blocks: str | int,
    prices: str | int,
    effort: str,
    seed: int,
    failure_probability: float,
    memory_limit: int | None,
    checkpoint: Any,
) -> dict[str, Any]:
    """The settings of a run; what each may be is for the library to say."""
    return {
        "tolerance": number(tolerance, "tolerance"),
        "method": str(method),
        "cuts": _word_or_count(cuts, "cuts"),
        "blocks": _word_or_count(blocks, "blocks"),
        "prices": _word_or_count(prices, "prices"),
        "effort": str(effort),
        "seed": whole(seed, "seed"),
        "failure_probability": number(failure_probability, "failure_probability"),
        "memory_limit": None if memory_limit is None else whole(memory_limit, "memory_limit"),
        "checkpoint": checkpoint,
    }


def number(value: Any, name: str) -> float:
    """A real number."""
    try:
        if isinstance(value, str):
            raise TypeError
        return float(value)
    except TypeError:
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}") from None


def whole(value: Any, name: str) -> int:
    """A whole number from 0 to 2⁶⁴ − 1."""
    try:
        found = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {type(value).__name__}") from None
    if not 0 <= found < 1 << 64:
        raise ValueError(f"{name} = {found} is out of range; it must be between 0 and 2⁶⁴ − 1")
    return found


def seconds(limit: float | timedelta | None) -> float | None:
    """A time limit in seconds."""
    if limit is None:
        return None
    if isinstance(limit, timedelta):
        return limit.total_seconds()
    found = number(limit, "time_limit")
    return None if math.isinf(found) and found > 0 else found


def threads(count: int | None) -> int | None:
    """A number of threads."""
    return None if count is None else whole(count, "threads")


def _word_or_count(value: str | int, name: str) -> str:
    return value if isinstance(value, str) else str(whole(value, name))
