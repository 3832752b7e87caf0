"""The binding beside the command line: CPU seconds and peak memory of the same runs.

    python python/benches/overhead.py target/release/relucert [REPEATS]

Each pair certifies the same saved problem with the same settings; the smaller of several CPU times counts. The time of
Python is that of the call; its memory is the rise of the peak from before the call, when X is there as a numpy array.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

CASES = {
    # gamma, settings of the command line, the same as keywords
    "iris": (5.0, ["--tolerance", "1e-4"], {"tolerance": 1e-4}),
    "100,000 x 10": (1e7, ["--tolerance", "1e-2"], {"tolerance": 1e-2}),
}


def problem(case):
    if case == "iris":
        x, labels = load_iris(return_X_y=True)
        x = np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))])
        return x, np.eye(3)[labels]
    n, d = (int(number.replace(",", "")) for number in case.split(" x "))
    random = np.random.default_rng(0)
    x = random.standard_normal((n, d))
    return x, np.maximum(x @ random.standard_normal((d, 8)), 0.0) @ random.standard_normal((8, 3))


def by_command_line(program, path, gamma, settings):
    run = [program, "certify", str(path), "--gamma", str(gamma), "--task", "regression", *settings, "--quiet", "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(run, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(told.stdout)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, report["peak_memory_bytes"], report["lower_bound"]


def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def in_python(path, gamma, keywords):
    import relucert

    with np.load(path) as archive:
        x, y = archive["X"], archive["Y"]
    before, begun = peak(), os.times()
    found = relucert.certify(x, y, gamma, **keywords)
    ended = os.times()
    cpu = ended.user + ended.system - begun.user - begun.system
    print(json.dumps([cpu, before, peak(), found.lower_bound]))


def main(program, repeats):
    print(f"{'':14}{'command line':>24}{'Python':>24}{'X':>10}")
    for case, (gamma, settings, keywords) in CASES.items():
        x, y = problem(case)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "problem.npz"
            np.savez(path, X=x, Y=y)
            run = [sys.executable, __file__, "--child", str(path), str(gamma), json.dumps(keywords)]
            pairs = [
                (
                    by_command_line(program, path, gamma, settings),
                    json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout),
                )
                for _ in range(repeats)
            ]
        for (_, _, theirs), (_, _, _, ours) in pairs:
            assert theirs == ours, "not the same bits"
        cli = min(pair[0][0] for pair in pairs), min(pair[0][1] for pair in pairs)
        own = min(pair[1][0] for pair in pairs), min(pair[1][2] - pair[1][1] for pair in pairs)
        print(
            f"{case:14}{cli[0]:10.2f} s{cli[1] / 1e6:9.1f} MB{own[0]:10.2f} s{own[1] / 1e6:9.1f} MB"
            f"{x.nbytes / 1e6:7.1f} MB   {100 * (own[0] / cli[0] - 1):+.1f} %"
        )


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        in_python(sys.argv[2], float(sys.argv[3]), json.loads(sys.argv[4]))
    else:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
