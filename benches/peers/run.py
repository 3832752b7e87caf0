#!/usr/bin/env python3
"""relucert against other ways to the same number, on the same files, one process after the other."""

import argparse
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import environment
import instances
import table
from files import write
from measure import PEERS, RELAXATION, RELUCERT, Contest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
TARGET = REPOSITORY / "target" / "peers"
ALL = [RELUCERT, RELAXATION, *PEERS]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, help="folder of the published CSV files [default: ../shared/data, else synthetic sets]")
    add("--gammas", type=float, nargs="+", default=[0.1, 0.01], help="weight decays [default: 0.1 0.01]")
    add("--only", nargs="+", default=[""], help="only instances whose names contain one of these")
    add("--solvers", nargs="+", default=ALL, choices=ALL, help="only these")
    add("--tolerance", type=float, default=1e-4, help="asked of every solver [default: 1e-4]")
    add("--limit", type=float, default=300, help="seconds for one process [default: 300]")
    add("--repetitions", type=int, default=1, help="runs of each; the median counts [default: 1]")
    add("--binary", type=Path, help="the relucert to measure [default: what cargo builds]")
    add("--output", type=Path, default=TARGET, help="folder to write into [default: target/peers]")
    return parser.parse_args()


def chosen(options, binary):
    """The published sets where they are found, else stand-ins; of these, what --only names."""
    found = instances.published(options.data or REPOSITORY.parent / "shared" / "data")
    if not found and options.data:
        sys.exit(f"--data {options.data}: no {instances.PUBLISHED[0]}.csv or the like there; leave it out for synthetic sets")
    found = found or instances.synthetic(binary, REPOSITORY, TARGET / "data")
    kept = [instance for instance in found if any(word in instance.name for word in options.only)]
    if not kept:
        sys.exit(f"--only: choose from {', '.join(instance.name for instance in found)}")
    return kept


def main():
    options = arguments()
    if options.repetitions < 1:
        sys.exit("--repetitions: must be at least 1")
    python = environment.peers_python(TARGET / "venv", HERE / "requirements.txt")
    binary = options.binary.resolve() if options.binary else environment.relucert(REPOSITORY)
    contest = Contest(binary, python, options.tolerance, options.limit)

    # Untimed, so that no solver pays for a cold disk.
    tiny = ["--samples", "4", "--features", "2", "--outputs", "2"]
    warm = instances.synth(binary, TARGET / "data" / "warm.csv", "teacher", *tiny)
    for solver in options.solvers:
        contest.solve(solver, warm, 1.0)

    rows = []
    for instance in chosen(options, binary):
        for gamma in options.gammas:
            new = contest.rows(options.solvers, instance, gamma, options.repetitions)
            rows += new
            print(*map(table.progress, new), sep="\n", file=sys.stderr, flush=True)
            # After every instance, so that a run that is cut short leaves what it has.
            write(options.output / "peers.csv", table.as_csv(rows))
            write(options.output / "peers.md", table.as_markdown(rows))
    subprocess.run([python, HERE / "plot.py", options.output / "peers.csv", options.output / "peers.svg"], check=True)
    print((options.output / "peers.md").read_text())


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() if isinstance(error.stderr, str) else "see above"
        sys.exit(f"{' '.join(map(str, error.cmd))}: exit status {error.returncode}: {reason}")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
