"""Teacher data in one process, over Dask (one of two workers killed half-way) or over MPI: bits, seconds, bytes.

    python python/benches/distributed.py alone 20000
    python python/benches/distributed.py dask 20000
    mpiexec -n 3 python -m mpi4py.futures python/benches/distributed.py mpi 20000

Prints the bound as it is stored, a digest of the certificate, seconds, and the bytes of tasks and outcomes.
"""

import hashlib
import os
import resource
import signal
import sys
import time
from concurrent.futures import Executor

import numpy as np

import relucert


class Weighed(Executor):
    """Passes tasks on, and weighs them and what comes back."""

    def __init__(self, executor):
        self.executor, self.sent, self.received = executor, [], []

    def submit(self, function, task, *arguments):
        self.sent.append(len(task))
        future = self.executor.submit(function, task, *arguments)
        future.add_done_callback(lambda done: done.exception() or self.received.append(len(done.result())))
        return future


def teacher(samples):
    random = np.random.default_rng(0)
    x = random.standard_normal((samples, 10))
    u, v = random.standard_normal((10, 8)), random.standard_normal((8, 3))
    return x, np.maximum(x @ u, 0.0) @ v + 0.3 * random.standard_normal((samples, 3))


def run(name, samples, executor=None, callback=None):
    x, y = teacher(samples)
    keywords = {"tolerance": 1e-2, "effort": "low", "method": "relaxation"}
    weighed = None if executor is None else Weighed(executor)
    begun = time.perf_counter()
    found = relucert.certify(x, y, samples / 30, executor=weighed, callback=callback, **keywords)
    seconds = time.perf_counter() - begun
    digest = hashlib.sha256(b"".join(found.certificate[key].tobytes() for key in sorted(found.certificate)))
    cpu = sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(
        f"{name}: {found.report['blocks']} blocks, lower bound {found.lower_bound!r}, certificate "
        f"{digest.hexdigest()[:16]}, {seconds:.1f} s ({cpu:.1f} s of CPU here and in children)",
        flush=True,
    )
    if weighed is not None:
        for way, sizes in (("out", weighed.sent), ("back", weighed.received)):
            print(f"  {way}: {len(sizes)} tasks, {sum(sizes)} bytes, largest {max(sizes)}", flush=True)


def main(kind, samples):
    if kind == "alone":
        run(kind, samples)
    elif kind == "mpi":
        from mpi4py.futures import MPIPoolExecutor

        with MPIPoolExecutor() as executor:
            run(f"mpi, {executor.num_workers} workers", samples, executor)
    elif kind == "dask":
        from distributed import Client, LocalCluster

        options = {"threads_per_worker": 1, "processes": True, "protocol": "tcp://", "dashboard_address": None}
        with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
            workers, killed = client.run(os.getpid), []

            def half_way(progress):
                if progress.blocks and 2 * progress.blocks[0] >= progress.blocks[1] and not killed:
                    killed.append(next(iter(workers.values())))
                    os.kill(killed[0], signal.SIGKILL)

            run("dask, 2 workers over TCP", samples, client.get_executor(), half_way)
            print(f"  killed half-way: process {killed[0]}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
