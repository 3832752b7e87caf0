"""Blocks solved by executors of Python: the same bits, whoever solves them, and nobody believed."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import relucert
import workers

GAMMA = 30.0
KINDS = {
    "blocks": {"blocks": 4, "tolerance": 1e-2},
    "prices": {"blocks": 3, "tolerance": 1e-2, "prices": 2},
}


def bits(found):
    arrays = {name: array.tobytes() for name, array in found.certificate.items()}
    return found.lower_bound, found.upper_bound, arrays, found.report["dividing_loss"], found.report["pairs"]


@pytest.fixture(scope="module")
def alone(teacher):
    """In one process."""
    return {kind: bits(relucert.certify(*teacher, GAMMA, **keywords)) for kind, keywords in KINDS.items()}


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_processes_give_the_same_bits(teacher, alone, kind, start, tmp_path):
    context = multiprocessing.get_context(start)
    with workers.Counted(tmp_path, 2, mp_context=context) as executor:
        found = relucert.certify(*teacher, GAMMA, executor=executor, **KINDS[kind])
    assert bits(found) == alone[kind]
    files = [file.name.split("-")[0] for file in tmp_path.iterdir()]
    # Blocks, halves and quarters of the first, and the rounds of prices: all of them elsewhere.
    assert len(files) == len(executor.sent) >= KINDS[kind]["blocks"] + 6
    assert str(os.getpid()) not in files
    assert len(executor.received) == len(executor.sent)


def test_number_of_workers_and_threads_change_no_bit(teacher, alone):
    for count, threads in ((1, None), (3, 2)):
        with ProcessPoolExecutor(count) as executor:
            assert (
                bits(relucert.certify(*teacher, GAMMA, executor=executor, threads=threads, **KINDS["blocks"]))
                == alone["blocks"]
            )


def test_given_network_too(teacher, alone):
    network = relucert.train(*teacher, GAMMA)
    here = relucert.certify_network(*teacher, GAMMA, network, **KINDS["blocks"])
    with ThreadPoolExecutor(2) as executor:
        found = relucert.certify_network(*teacher, GAMMA, network, executor=executor, **KINDS["blocks"])
    assert bits(found) == bits(here)


def test_an_undivided_problem_needs_no_worker(teacher):
    with ThreadPoolExecutor(1) as executor:
        found = relucert.certify(*teacher, GAMMA, tolerance=0.05, method="low-rank", executor=executor)
    assert found.report["blocks"] == 1


def test_a_killed_worker_costs_a_new_pool_where_one_can_be_made(teacher, alone, tmp_path):
    made = []

    def make():
        made.append(workers.KilledOnce(tmp_path / "killed", 2))
        return made[-1]

    assert bits(relucert.certify(*teacher, GAMMA, executor=make, **KINDS["blocks"])) == alone["blocks"]
    assert (tmp_path / "killed").exists()
    assert len(made) == 2


def test_a_killed_worker_leaves_the_rest_to_this_process(teacher, alone, tmp_path):
    with (
        workers.KilledOnce(tmp_path / "killed", 2) as executor,
        pytest.warns(RuntimeWarning, match="the executor is broken .* the rest is solved in this process"),
    ):
        assert bits(relucert.certify(*teacher, GAMMA, executor=executor, **KINDS["blocks"])) == alone["blocks"]
    assert (tmp_path / "killed").exists()


def test_a_failed_task_is_sent_once_more(teacher, alone):
    with workers.Failing(1) as executor:
        assert bits(relucert.certify(*teacher, GAMMA, executor=executor, **KINDS["blocks"])) == alone["blocks"]


def test_a_task_that_fails_again_is_named(teacher):
    with workers.Failing(2) as executor, pytest.raises(ValueError, match="block 1 of 4") as raised:
        relucert.certify(*teacher, GAMMA, executor=executor, **KINDS["blocks"])
    assert "OSError: no space left on device" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "lie",
    [
        lambda outcomes: b"rubbish",
        lambda outcomes: outcomes[0],
        lambda outcomes: outcomes[-1][: len(outcomes[-1]) // 2],
        lambda outcomes: None,
        workers.raised,
    ],
    ids=["rubbish", "another block", "half", "nothing", "forged"],
)
def test_a_worker_that_lies_is_refused(teacher, lie):
    with pytest.raises(ValueError, match="block 1 of 4") as raised:
        relucert.certify(*teacher, GAMMA, executor=workers.Lying(lie), **KINDS["blocks"])
    assert "\n" not in str(raised.value)


def test_time_limit_holds_with_workers(teacher):
    import time

    with ProcessPoolExecutor(2) as executor:
        begun = time.perf_counter()
        found = relucert.certify(*teacher, 0.5, blocks=4, tolerance=1e-9, time_limit=2.0, executor=executor)
        assert time.perf_counter() - begun < 15.0
    assert found.status == "time_limit"
    assert 0.0 < found.lower_bound <= found.upper_bound


def test_dask_over_tcp(teacher, alone):
    distributed = pytest.importorskip("distributed", reason="SKIPPED: dask.distributed is not installed")
    options = {"threads_per_worker": 1, "processes": True, "protocol": "tcp://", "dashboard_address": None}
    with distributed.LocalCluster(n_workers=2, **options) as cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        for kind, keywords in KINDS.items():
            assert bits(relucert.certify(*teacher, GAMMA, executor=executor, **keywords)) == alone[kind]
        processes = client.run(os.getpid)
        killed = []

        def kill(progress):
            if not killed:
                killed.append(next(iter(processes.values())))
                os.kill(killed[0], signal.SIGKILL)

        found = relucert.certify(*teacher, GAMMA, executor=executor, callback=kill, **KINDS["prices"])
        assert bits(found) == alone["prices"]
        assert killed


MPI = """
import pickle, sys
from mpi4py.futures import MPIPoolExecutor
import relucert

if __name__ == "__main__":
    x, y, gamma, keywords = pickle.load(open(sys.argv[1], "rb"))
    with MPIPoolExecutor() as executor:
        found = relucert.certify(x, y, gamma, executor=executor, **keywords)
        ranks = executor.num_workers
    arrays = {name: array.tobytes() for name, array in found.certificate.items()}
    told = found.lower_bound, found.upper_bound, arrays, found.report["dividing_loss"], found.report["pairs"]
    pickle.dump((ranks, told), open(sys.argv[2], "wb"))
"""


@pytest.mark.parametrize("kind", list(KINDS))
def test_mpi(teacher, alone, kind, tmp_path):
    import pickle

    pytest.importorskip("mpi4py", reason="SKIPPED: mpi4py is not installed")
    mpiexec = shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("SKIPPED: no mpiexec on this machine")
    script, given, told = (tmp_path / name for name in ("run.py", "given", "told"))
    script.write_text(MPI)
    given.write_bytes(pickle.dumps((*teacher, GAMMA, KINDS[kind])))
    version = subprocess.run([mpiexec, "--version"], capture_output=True, text=True).stdout
    # Of Open MPI (or OpenRTE) alone: more ranks than cores, and root where tests run in a container.
    own = ["--oversubscribe", "--allow-run-as-root"] if "Open" in version else []
    run = [mpiexec, "-n", "3", *own, sys.executable, "-m", "mpi4py.futures", script, given, told]
    done = subprocess.run(run, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    ranks, found = pickle.loads(Path(told).read_bytes())
    assert ranks == 2
    assert found == alone[kind]
