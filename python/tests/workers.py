"""Executors that misbehave, and what their workers do: importable by the processes of a pool."""

import io
import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np


def counted(folder, function, *arguments):
    """Leaves a file for each call."""
    (Path(folder) / f"{os.getpid()}-{os.urandom(4).hex()}").touch()
    return function(*arguments)


def killed_once(marker, function, *arguments):
    """Dies by SIGKILL in the first call; what a machine that is switched off looks like."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return function(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)


def failing(*_):
    raise OSError("no space left\non device")


class Counted(ProcessPoolExecutor):
    """Counts tasks, and the bytes of each way."""

    def __init__(self, folder, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.folder = folder
        self.sent, self.received = [], []

    def submit(self, function, task, *arguments):
        self.sent.append(len(task))
        future = super().submit(counted, self.folder, function, task, *arguments)
        future.add_done_callback(lambda done: self.received.append(len(done.result())))
        return future


class KilledOnce(ProcessPoolExecutor):
    """One of its workers dies in the middle of the third task."""

    def __init__(self, marker, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.marker, self.submitted = marker, 0

    def submit(self, function, *arguments):
        self.submitted += 1
        if self.submitted == 3:
            return super().submit(killed_once, self.marker, function, *arguments)
        return super().submit(function, *arguments)


class Failing(ThreadPoolExecutor):
    """The second task fails so many times."""

    def __init__(self, times):
        super().__init__(2)
        self.times, self.submitted, self.task = times, 0, None

    def submit(self, function, task, *arguments):
        self.submitted += 1
        if self.submitted == 2:
            self.task = task
        if task == self.task and self.times > 0:
            self.times -= 1
            return super().submit(failing)
        return super().submit(function, task, *arguments)


class Lying(Executor):
    """Solves every task, and then says something else of the second."""

    def __init__(self, lie):
        self.lie, self.outcomes = lie, []

    def submit(self, function, *arguments):
        self.outcomes.append(function(*arguments))
        future = Future()
        future.set_result(self.lie(self.outcomes) if len(self.outcomes) == 2 else self.outcomes[-1])
        return future


def raised(outcomes):
    """The outcome with a certificate that claims more."""
    with np.load(io.BytesIO(outcomes[-1])) as archive:
        arrays = dict(archive)
    arrays["W"] = 1.05 * arrays["W"]
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
