"""Runs: what goes in, what comes out, and the command line's bits."""

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import relucert

# Small, and it ends by itself in a moment.
QUICK = {"method": "branch", "tolerance": 1e-2}


def bits(found):
    return found.lower_bound, found.upper_bound, found.network.U.tobytes(), found.certificate.W.tobytes()


def test_command_line_has_the_same_bits(command_line, tmp_path):
    folder = tmp_path / "iris"
    options = ["--gamma", "5", "--standardize", "--bias", "--quiet", "--json", "--save", str(folder)]
    told = subprocess.run([command_line, "certify", "iris", *options], check=True, capture_output=True, text=True)
    problem, network = np.load(folder / "problem.npz"), np.load(folder / "network.npz")
    report = json.loads(told.stdout)
    found = relucert.certify(problem["X"], problem["Y"], float(problem["gamma"]))
    assert (found.lower_bound, found.upper_bound, found.gap) == tuple(
        report[name] for name in ("lower_bound", "upper_bound", "gap")
    )
    assert np.array_equal(found.network.U, network["U"])
    assert np.array_equal(found.network.V, network["V"])
    assert np.array_equal(found.certificate.W, np.load(folder / "certificate.npz")["W"])
    assert set(found.report) <= set(report)


def test_bound_is_below_every_network(iris):
    x, y = iris
    found = relucert.certify(x, y, 5.0, bias=True)
    assert found.converged
    assert found.gap < 1e-3
    random = np.random.default_rng(0)
    u, v = found.network.U, found.network.V
    for scale in (0.0, 1e-3, 0.1):
        near = relucert.Network(
            u + scale * random.standard_normal(u.shape), v + scale * random.standard_normal(v.shape), bias=True
        )
        assert near.objective(x, y, 5.0) >= found.lower_bound


def layouts(x):
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
    wide = np.zeros((x.shape[0], 2 * x.shape[1]))
    wide[:, ::2] = x
    unaligned = np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(np.float64).reshape(x.shape)
    return {
        "Fortran": np.asfortranarray(x),
        "strided": wide[:, ::2],
        "backwards": np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
        "foreign bytes": x.astype(">f8"),
        "unaligned": unaligned,
        "read only": np.frombuffer(x.tobytes()).reshape(x.shape),
        "objects": x.astype(object),
        "lists": x.tolist(),
        "pandas": frame,
        "pandas, mixed": frame.assign(x0=frame["x0"].astype(object)),
    }


def test_layout_does_not_matter(iris):
    x, y = iris
    wanted = bits(relucert.certify(x, y, 20.0, bias=True, **QUICK))
    assert wanted == bits(relucert.certify(np.column_stack([x, np.ones(len(x))]), y, 20.0, **QUICK))
    for name, other in layouts(x).items():
        assert bits(relucert.certify(other, y, 20.0, bias=True, **QUICK)) == wanted, name
    for name, other in layouts(y).items():
        assert bits(relucert.certify(x, other, 20.0, bias=True, **QUICK)) == wanted, name


def test_single_precision_and_whole_numbers_are_exact(iris):
    x, y = iris
    single = np.asfortranarray(x, np.float32)
    wanted = bits(relucert.certify(single.astype(np.float64), y, 20.0, **QUICK))
    assert bits(relucert.certify(single, y.astype(np.float32), 20.0, **QUICK)) == wanted
    assert bits(relucert.certify(single, y.astype(bool), 20.0, **QUICK)) == wanted
    assert bits(relucert.certify(single, y.astype(np.int8), 20.0, **QUICK)) == wanted


def test_sparse_rows_in_every_form(iris):
    x, y = iris
    x = np.where(np.abs(x) < 0.5, 0.0, x)
    rows = sp.csr_array(x)
    wanted = bits(relucert.certify(rows, y, 20.0, bias=True, **QUICK))
    with_ones = sp.csr_array(np.column_stack([x, np.ones(len(x))]))
    assert bits(relucert.certify(with_ones, y, 20.0, **QUICK)) == wanted
    long = sp.csr_array(x)
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    # Every entry as two halves, in falling order of the columns.
    ends = itertools.pairwise(rows.indptr)
    order = np.concatenate([np.repeat(np.arange(a, b)[::-1], 2) for a, b in ends])
    halves = sp.csr_array((rows.data[order] / 2, rows.indices[order], 2 * rows.indptr), shape=rows.shape)
    before = halves.data.copy()
    for other in (sp.csr_matrix(x), sp.csc_array(x), sp.coo_array(x), long, halves):
        assert bits(relucert.certify(other, y, 20.0, bias=True, **QUICK)) == wanted
    assert np.array_equal(halves.data, before)
    assert len(halves.data) == 2 * rows.nnz


def test_sparse_rows_are_never_filled():
    # As a dense matrix 32 GB.
    random = np.random.default_rng(0)
    x = sp.random_array((40, 100_000_000), density=1e-7, random_state=random, format="csr")
    network = relucert.Network(np.zeros((100_000_000, 0)), np.zeros((1, 0)))
    assert network.objective(x, np.ones(40), 1.0) == pytest.approx(20.0)


def test_damaged_sparse_rows_are_refused(iris):
    x, y = iris
    for change in (
        lambda rows: rows.indices.__setitem__(3, 77),
        lambda rows: rows.indices.__setitem__(3, -1),
        lambda rows: rows.indptr.__setitem__(1, 9000),
        lambda rows: rows.indptr.__setitem__(1, -4),
    ):
        rows = sp.csr_array(x)
        rows.sum_duplicates()
        change(rows)
        with pytest.raises(ValueError, match="X"):
            relucert.certify(rows, y, 1.0)


def test_one_target_may_be_a_row(teacher):
    x, y = teacher
    one = relucert.certify(x, y[:, 0], 30.0, **QUICK)
    assert bits(one) == bits(relucert.certify(x, y[:, :1], 30.0, **QUICK))
    assert one.network.predict(x).shape == (240, 1)


X, Y = np.arange(12.0).reshape(6, 2), np.arange(6.0)
NOT_FINITE = np.where(X == 5.0, np.nan, X)


@pytest.mark.parametrize(
    ("arguments", "keywords", "sentence"),
    [
        ((X, Y[:5], 1.0), {}, "targets: expected 6 rows, one for each sample, got 5 rows"),
        ((X[:, :0], Y, 1.0), {}, "features: expected at least one row and one column, got 6 × 0"),
        ((X[:0], Y[:0], 1.0), {}, "expected at least one row"),
        ((X[0], Y, 1.0), {}, "X: expected an array of two dimensions, got 1; reshape it"),
        ((X[None], Y, 1.0), {}, "X: expected an array of two dimensions, got 3"),
        ((X, Y[:, None, None], 1.0), {}, "Y: expected an array of one or two dimensions, got 3"),
        ((NOT_FINITE, Y, 1.0), {}, "features has a value that is not finite at row 2, column 1; remove or impute it"),
        ((X, np.where(Y == 1.0, np.inf, Y), 1.0), {}, "targets has a value that is not finite"),
        ((X.astype(str), Y, 1.0), {}, "X: expected real numbers, got <U"),
        ((X + 1j, Y, 1.0), {}, "X: expected real numbers, got complex128"),
        ((np.array([["a", 1.0]] * 6, object), Y, 1.0), {}, "X: expected real numbers, got object"),
        (([[1.0], [1.0, 2.0]], [1, 2], 1.0), {}, ""),
        ((1e200 * X, Y, 1.0), {}, "overflows; divide the features by a constant"),
        ((X, sp.csr_array(Y[:, None]), 1.0), {}, "Y: a sparse array is not taken"),
        ((X, Y, 0.0), {}, "gamma = 0.0 is out of range; it must be positive and finite"),
        ((X, Y, np.nan), {}, "gamma = NaN is out of range"),
        ((X, Y, 1.0), {"tolerance": 0.0}, "tolerance = 0.0 is out of range; it must be between 0 and 1"),
        ((X, Y, 1.0), {"method": "magic"}, "method = magic is out of range; it must be auto, branch,"),
        ((X, Y, 1.0), {"cuts": "many"}, "cuts = many is out of range; it must be none, auto or a number"),
        ((X, Y, 1.0), {"blocks": 0}, "blocks = 0 is out of range"),
        ((X, Y, 1.0), {"blocks": 5}, "blocks = 5 is out of range"),
        ((X, Y, 1.0), {"prices": "no"}, "prices = no is out of range"),
        ((X, Y, 1.0), {"prices": 2, "cuts": 2}, "prices and cuts do not go together"),
        ((X, Y, 1.0), {"effort": "some"}, "effort = some is out of range; it must be low, normal or high"),
        ((X, Y, 1.0), {"time_limit": -1}, "time_limit = -1.0 is out of range; it must be a positive number of seconds"),
        ((X, Y, 1.0), {"time_limit": np.nan}, "time_limit = NaN is out of range"),
        ((X, Y, 1.0), {"seed": -1}, "seed = -1 is out of range"),
        ((X, Y, 1.0), {"threads": 0}, "threads = 0 is out of range; it must be between 1 and 1024"),
        ((X, Y, 1.0), {"failure_probability": 0.9}, "failure probability = 0.9 is out of range"),
        ((X, Y, 1.0), {"memory_limit": 0}, "memory_limit = 0 is out of range"),
        ((X, Y, 1.0), {"memory_limit": 1000}, "memory"),
        ((X, Y, 1.0), {"checkpoint": "/nowhere/at/all"}, "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_used_is_a_value_error(arguments, keywords, sentence):
    with pytest.raises(ValueError) as raised:  # noqa: PT011, the sentence is compared below
        relucert.certify(*arguments, **keywords)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "keywords", [{"tolerance": "small"}, {"seed": 1.5}, {"blocks": 2.5}, {"threads": "two"}, {"executor": 3}]
)
def test_a_wrong_type_is_a_type_error(keywords):
    with pytest.raises(TypeError, match=next(iter(keywords))):
        relucert.certify(X, Y, 1.0, **keywords)


def test_threads_change_no_bit(teacher):
    x, y = teacher
    wanted = bits(relucert.certify(x, y, 30.0, method="low-rank", tolerance=1e-2, threads=1))
    assert bits(relucert.certify(x, y, 30.0, method="low-rank", tolerance=1e-2, threads=3)) == wanted


def test_progress_is_told_and_kept(teacher):
    x, y = teacher
    told = []
    found = relucert.certify(x, y, 30.0, method="low-rank", callback=told.append)
    assert told == found.history
    assert told
    assert isinstance(told[-1], relucert.Progress)
    assert all(a.seconds <= b.seconds for a, b in itertools.pairwise(told))


def test_what_the_callback_raises_ends_the_run(teacher):
    x, y = teacher

    def callback(_):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        relucert.certify(x, y, 1.0, method="low-rank", callback=callback)


def test_time_limit_ends_with_a_bound(teacher):
    x, y = teacher
    begun = time.perf_counter()
    found = relucert.certify(x, y, 0.5, method="low-rank", tolerance=1e-9, time_limit=1.0)
    # A tenth and a second are promised; the machine may have other work.
    assert time.perf_counter() - begun < 10.0
    assert found.status == "time_limit"
    assert not found.converged
    assert 0.0 < found.lower_bound <= found.upper_bound


SLOW = """
    import signal, numpy as np, relucert
    # What runs in the background of a shell has been told to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random = np.random.default_rng(0)
    x = random.standard_normal((500, 8))
    y = np.maximum(x @ random.standard_normal((8, 3)), 0).sum(axis=1) + random.standard_normal(500)
    told = lambda progress: print("told", flush=True)
    found = relucert.certify(x, y, 1.0, method="low-rank", tolerance=1e-9, callback=told)
    print(found.status, found.lower_bound, found.upper_bound)
"""


def interrupted(times):
    run = [sys.executable, "-c", textwrap.dedent(SLOW)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "told\n"
        for _ in range(times):
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.3)
        output, errors = process.communicate(timeout=120)
    return process.returncode, output.splitlines(), errors


def test_interrupt_returns_the_best_bound_so_far():
    code, output, errors = interrupted(1)
    status, lower, upper = output[-1].split()
    assert (code, status) == (0, "cancelled"), errors
    assert 0.0 < float(lower) <= float(upper)


def test_second_interrupt_leaves_at_once():
    # Where the first one has already ended the run there was nothing left to interrupt.
    code, output, errors = interrupted(2)
    assert "KeyboardInterrupt" in errors or output[-1].startswith("cancelled"), (code, output, errors)


def test_other_threads_of_python_go_on(teacher):
    x, y = teacher
    counts, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counts[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    before = counts[0]
    begun = time.perf_counter()
    relucert.certify(x, y, 1.0, method="low-rank", tolerance=1e-9, time_limit=1.0)
    seconds = time.perf_counter() - begun
    counted = counts[0] - before
    done.set()
    thread.join()
    # A thousand a second if it were alone; none while the lock is held.
    assert counted > 20 * seconds


def test_runs_side_by_side(teacher):
    x, y = teacher
    wanted = bits(relucert.certify(x, y, 30.0, method="low-rank", tolerance=1e-2))
    found = [None] * 3

    def run(place):
        found[place] = bits(relucert.certify(x, y, 30.0, method="low-rank", tolerance=1e-2))

    threads = [threading.Thread(target=run, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 3


def test_checkpoint_is_gone_on_from(teacher, tmp_path):
    x, y = teacher
    keywords = {"method": "low-rank", "tolerance": 1e-2, "checkpoint": tmp_path / "kept.npz"}
    first = relucert.certify(x, y, 30.0, **keywords)
    assert bits(relucert.certify(x, y, 30.0, **keywords))[:2] == bits(first)[:2]
    with pytest.raises(ValueError, match=r"kept\.npz"):
        relucert.certify(x, y, 31.0, **keywords)


def test_input_is_left_alone(iris):
    x, y = (array.copy() for array in iris)
    x.setflags(write=False)
    relucert.certify(x, y, 20.0, bias=True, **QUICK)
    assert np.array_equal(x, iris[0])


def test_representations_are_rounded_outwards(iris):
    x, y = iris
    found = relucert.certify(x, y, 5.0, bias=True)
    text = repr(found)
    assert "\n" not in text
    assert (
        text
        == "<Certified: objective 17.843216 with 5 neurons, lower bound 17.827156 (verified), gap 0.091 %, converged>"
    )
    assert found.lower_bound >= 17.827156
    assert found.upper_bound <= 17.843216
    page = found._repr_html_()
    assert page.startswith("<table>")
    for figure in ("17.843216", "17.827156", "0.091 %", "150 samples", "branch and bound"):
        assert figure in page


def test_a_result_is_saved_rather_than_pickled(iris):
    import pickle

    found = relucert.certify(*iris, 20.0, **QUICK)
    with pytest.raises(TypeError, match="save"):
        pickle.dumps(found)
    copy = pickle.loads(pickle.dumps(found.certificate))
    assert np.array_equal(copy.W, found.certificate.W)
    assert np.array_equal(pickle.loads(pickle.dumps(found.network)).U, found.network.U)
