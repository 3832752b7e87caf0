"""One peer on one instance in a process of its own: peer.py NAME FILE TARGETS GAMMA TOLERANCE.

Prints one line of JSON: status, value, iterations, solver_seconds (the solver's own count).
"""

import json
import sys

from instances import read


def published_scs(x, y, gamma, tolerance):
    import cvxpy
    import formulations

    problem = formulations.published(x, y, gamma)
    try:
        problem.solve(solver=cvxpy.SCS, eps=tolerance, verbose=False)
    except cvxpy.error.SolverError as error:
        return {"status": str(error).splitlines()[0]}
    statistics = problem.solver_stats
    return {
        "status": problem.status,
        "value": None if problem.value is None else float(problem.value),
        "iterations": statistics.num_iters,
        "solver_seconds": statistics.solve_time,
    }


def reduced_scs(x, y, gamma, tolerance):
    import formulations
    import scs

    reduced = formulations.Reduced(x, y, gamma)
    data = {"P": reduced.p, "A": reduced.lower_triangle(), "b": reduced.b, "c": reduced.q}
    cone = {"z": reduced.zero, "l": reduced.nonnegative, "s": [reduced.order]}
    solver = scs.SCS(data, cone, eps_abs=tolerance, eps_rel=tolerance, verbose=False)
    info = solver.solve()["info"]
    return {
        "status": info["status"],
        "value": info["pobj"],
        "iterations": info["iter"],
        "solver_seconds": (info["setup_time"] + info["solve_time"]) / 1000,
    }


def reduced_clarabel(x, y, gamma, tolerance):
    import clarabel
    import formulations

    reduced = formulations.Reduced(x, y, gamma)
    cones = [
        clarabel.ZeroConeT(reduced.zero),
        clarabel.NonnegativeConeT(reduced.nonnegative),
        clarabel.PSDTriangleConeT(reduced.order),
    ]
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.max_threads = False, 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
    solution = clarabel.DefaultSolver(reduced.p, reduced.q, reduced.a, reduced.b, cones, settings).solve()
    return {
        "status": str(solution.status),
        "value": solution.obj_val,
        "iterations": solution.iterations,
        "solver_seconds": solution.solve_time,
    }


PEERS = {
    "published-scs": published_scs,
    "reduced-scs": reduced_scs,
    "reduced-clarabel": reduced_clarabel,
}


def main(name, path, targets, gamma, tolerance):
    import numpy as np

    features, outputs = read(path, targets.split(","))
    answer = PEERS[name](np.array(features), np.array(outputs), float(gamma), float(tolerance))
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
