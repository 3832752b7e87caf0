"""Processes: how long each takes from its start to its end, and what it says."""

import json
import os
import resource
import statistics
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent
RELUCERT = "relucert"
# The same program by the relaxation, the way that the others go.
RELAXATION = "relucert-relaxation"
# In the order of peer.py, which alone needs their packages.
PEERS = ["published-scs", "reduced-scs", "reduced-clarabel"]
TIME_LIMIT = "time limit"
THREADS = ["OMP", "OPENBLAS", "MKL", "RAYON"]


def run(command, limit):
    """Seconds, CPU seconds, exit status (None when the limit ended it), output and the last line of errors."""
    environment = os.environ | {f"{name}_NUM_THREADS": "1" for name in THREADS}
    cpu = cpu_of_children()
    start = time.perf_counter()
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
        code, output, errors = ended.returncode, ended.stdout, ended.stderr
    except subprocess.TimeoutExpired:
        code, output, errors = None, "", ""
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "cpu": cpu_of_children() - cpu,
        "code": code,
        "output": output,
        "error": (errors.strip().splitlines() or [""])[-1],
    }


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def answer(ended, codes=(0,)):
    """The JSON that a process printed, or a status that says why there is none."""
    if ended["code"] is None:
        return {"status": TIME_LIMIT}
    if ended["code"] in codes:
        try:
            return json.loads(ended["output"])
        except ValueError:
            pass
    return {"status": f"exit {ended['code']}: {ended['error']}"}


def relucert_command(binary, verb, instance, gamma, tolerance):
    options = ["--gamma", gamma, "--tolerance", tolerance, "--threads", "1", "--json", "--quiet"]
    return [binary, verb, instance.path, "--target", ",".join(instance.targets), *map(str, options)]


def bracket(binary, instance, gamma):
    """A verified lower bound and a primal value of the relaxation, to 1e-8; None where that fails."""
    ended = run(relucert_command(binary, "reference", instance, gamma, 1e-8), None)
    report = answer(ended, codes=(0, 3))
    if "lower_bound" not in report:
        return None
    return report["lower_bound"], report["relaxation_value"]


class Contest:
    """Every solver on one instance after the other, as often as asked."""

    def __init__(self, binary, python, tolerance, limit):
        self.binary, self.python, self.tolerance, self.limit = binary, python, tolerance, limit

    def solve(self, solver, instance, gamma):
        """A row: how long, and what it claims."""
        if solver in (RELUCERT, RELAXATION):
            command = relucert_command(self.binary, "certify", instance, gamma, self.tolerance)
            command += ["--method", "low-rank"] if solver == RELAXATION else []
            ended = run(command, self.limit)
            row = claim(answer(ended, codes=(0, 3)))
        else:
            script = [HERE / "peer.py", solver, instance.path, ",".join(instance.targets)]
            ended = run([self.python, *script, str(gamma), str(self.tolerance)], self.limit)
            row = answer(ended)
        return row | {"seconds": ended["seconds"], "cpu": ended["cpu"]}

    def row(self, solver, instance, gamma, runs, interval):
        """The median of the runs of one solver, with its error against the bracket."""
        last = runs[-1]
        row = {"instance": instance.name, "gamma": gamma, "solver": solver} | last
        row |= {key: statistics.median(run[key] for run in runs) for key in ("seconds", "cpu")}
        return row | against(interval, last.get("value"), last.get("bound"))

    def rows(self, solvers, instance, gamma, repetitions):
        interval = bracket(self.binary, instance, gamma)
        runs = {solver: [] for solver in solvers}
        for _ in range(repetitions):
            for solver in solvers:
                runs[solver].append(self.solve(solver, instance, gamma))
        return [self.row(solver, instance, gamma, runs[solver], interval) for solver in solvers]


def claim(report):
    """What relucert's report says, in the words of the table."""
    if "lower_bound" not in report:
        return report
    return {
        "status": f"{report['status']}, {report['grade']}",
        "value": report["relaxation_value"],
        "solver_seconds": report["seconds"]["solve"],
        "bound": report["lower_bound"],
        "upper_bound": report["upper_bound"],
        "certified_gap": report["gap"] if report["relaxation_value"] is None else report["solver_gap"],
    }


def against(interval, value, bound):
    """The bracket, the signed relative distance of a claimed value from it (0 inside), and what a bound lacks."""
    if interval is None:
        return {}
    lower, upper = interval
    row = {"lower": lower, "upper": upper}
    if value is not None:
        outside = value - upper if value > upper else min(value - lower, 0.0)
        row["error"] = outside / upper
    if bound is not None:
        row["shortfall"] = (upper - bound) / upper
    return row
