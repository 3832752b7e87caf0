"""Blocks of samples as tasks of a ``concurrent.futures.Executor``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import cast

from . import _relucert

# A task whose worker is lost is sent once more; a second loss is an error (conventional).
TRIES = 2
# Executors that may break in one run before the rest is solved here (conventional).
BREAKS = 3


def solve(task: bytes, threads: int | None, deadline: float | None) -> bytes:
    """What a worker does with a task: bytes in, bytes out, and nothing else is needed or touched.

    ``deadline`` is in seconds since the epoch; a task that is begun after it comes back at once, without a bound.
    """
    seconds = None if deadline is None else max(deadline - time.time(), 1e-3)
    return _relucert.solve_block(task, threads, seconds)


@dataclass
class _Task:
    place: int
    data: bytes
    deadline: float | None
    tries: int = 1
    sent_to: Executor | None = None


class Futures:
    """The tasks that are under way; the compiled part submits and collects them by their place."""

    def __init__(self, executor: Executor | Callable[[], Executor], threads: int | None) -> None:
        # One thread in each worker, unless it was said how many.
        self._threads = 1 if threads is None else threads
        self._make = None if hasattr(executor, "submit") else executor
        self._executor: Executor | None = cast(Executor, executor) if self._make is None else self._made()
        self._breaks = 0
        self._tasks: dict[Future[bytes], _Task] = {}
        # Tasks for which nobody is left, by place.
        self._orphans: list[int] = []

    def submit(self, place: int, data: bytes, seconds: float | None) -> None:
        """Sends a task out."""
        self._send(_Task(place, data, None if seconds is None else time.time() + seconds))

    def collect(self, timeout: float) -> list[tuple[int, bytes | None, str | None]]:
        """What has come back: place, and the bytes, or why there are none; neither where nobody is left to ask."""
        done = wait(self._tasks, 0 if self._orphans else timeout, FIRST_COMPLETED).done
        back: list[tuple[int, bytes | None, str | None]] = []
        # In the order of the tasks, whatever the order of their ends.
        for future in sorted(done, key=lambda future: self._tasks[future].place):
            task = self._tasks.pop(future)
            try:
                outcome = future.result()
            except CancelledError:
                back.append((task.place, None, "it was cancelled"))
            except BrokenExecutor as error:
                self._mend(task.sent_to, error)
                self._send(task)
            except Exception as error:
                if task.tries < TRIES:
                    task.tries += 1
                    self._send(task)
                else:
                    words = " ".join(str(error).split())
                    back.append((task.place, None, f"its worker failed {TRIES} times: {type(error).__name__}: {words}"))
            else:
                if isinstance(outcome, bytes):
                    back.append((task.place, outcome, None))
                else:
                    kind = type(outcome).__name__
                    back.append((task.place, None, f"its worker returned {kind} in place of bytes"))
        back += [(place, None, None) for place in self._orphans]
        self._orphans.clear()
        return back

    def cancel(self, everything: bool) -> None:
        """Takes back what no worker has begun; of the rest nothing more is heard if everything is to go."""
        for future in list(self._tasks):
            future.cancel()
        if everything:
            self._tasks.clear()

    def close(self) -> None:
        """Ends an executor that was made here."""
        self.cancel(everything=True)
        if self._make is not None and self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _send(self, task: _Task) -> None:
        while self._executor is not None:
            task.sent_to = self._executor
            try:
                future = self._executor.submit(solve, task.data, self._threads, task.deadline)
            except BrokenExecutor as error:
                self._mend(task.sent_to, error)
            else:
                self._tasks[future] = task
                return
        self._orphans.append(task.place)

    def _mend(self, broken: Executor | None, error: BrokenExecutor) -> None:
        """Another executor in place of one that broke, none where there is no way to make one."""
        if broken is not self._executor or broken is None:
            # It was replaced when another of its tasks was lost.
            return
        self._executor = None
        self._breaks += 1
        if self._make is not None and self._breaks < BREAKS:
            broken.shutdown(wait=False)
            self._executor = self._made()
            return
        what = f"the executor is broken ({' '.join(str(error).split())})"
        warnings.warn(f"relucert: {what}; the rest is solved in this process", RuntimeWarning, stacklevel=2)

    def _made(self) -> Executor:
        made = self._make() if self._make is not None else None
        if made is None or not hasattr(made, "submit"):
            raise TypeError(f"executor: expected a concurrent.futures.Executor, got {type(made).__name__}")
        return made
