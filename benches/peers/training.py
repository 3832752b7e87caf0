#!/usr/bin/env python3
"""The networks that relucert trains beside those of scipy's L-BFGS, and of Adam and SGD where torch is installed.

Each peer starts from random weights of several widths on the same objective, 1/2 |(XU)_+ V' - Y|^2 + g/2 (|U|^2 + |V|^2);
everything runs on one thread, and CPU seconds count.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
for variable in THREADS:
    os.environ[variable] = "1"
sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
TARGET = REPOSITORY / "target" / "peers-training"
DIVISORS = (0.1, 0.01, 0.001)
WIDTHS = (50, 200, 500)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="folder of iris_train.csv, mnist_pca_train.csv")
    add("--only", nargs="+", default=[""], help="only data sets whose names contain one of these")
    add("--gammas", type=float, nargs="+", default=DIVISORS, help="weight decay over the number of samples [0.1 0.01 0.001]")
    add("--widths", type=int, nargs="+", default=WIDTHS, help="widths of the peers [50 200 500]")
    add("--starts", type=int, default=3, help="random starts of each width [3]")
    add("--iterations", type=int, default=3000, help="iterations of L-BFGS at most [3000]")
    add("--efforts", nargs="+", default=["normal"], help="efforts of relucert [normal]")
    add("--torch", action="store_true", help="Adam and SGD of PyTorch as well, at width 200")
    add("--binary", type=Path, help="the example `train` [default: what cargo builds]")
    add("--output", type=Path, default=TARGET, help="folder to write into [target/peers-training]")
    return parser.parse_args()


def one_hot(labels):
    return (labels[:, None] == np.unique(labels)).astype(float)


def standardised(x):
    """Mean zero and deviation one, and a column of ones."""
    spread = x.std(axis=0)
    spread[spread == 0] = 1
    return np.hstack([(x - x.mean(axis=0)) / spread, np.ones((len(x), 1))])


def table(path):
    rows = [line.strip().split(",") for line in path.read_text().splitlines() if not line.startswith("#")][1:]
    return np.array([[float(value) for value in row[:-1]] for row in rows]), one_hot(np.array([row[-1] for row in rows]))


def digits(path):
    rows = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    pixels = np.array([[int(character, 17) for character in image] for image, _ in rows], float)
    return pixels, one_hot(np.array([label for _, label in rows]))


def teacher(samples):
    """A teacher of eight neurons with noise: what `relucert synth teacher` draws, from numpy's generator."""
    random = np.random.default_rng(0)
    x, u, v = (random.standard_normal(size) for size in ((samples, 10), (10, 8), (3, 8)))
    y = np.maximum(x @ u, 0) @ v.T / 4 + 0.3 * random.standard_normal((samples, 3))
    return np.hstack([x, np.ones((samples, 1))]), y


def instances(data):
    """Name, features and targets."""
    from sklearn.datasets import load_diabetes, make_classification, make_friedman1

    built = REPOSITORY / "datasets"
    diabetes = load_diabetes(scaled=False)
    yield "diabetes", standardised(diabetes.data), diabetes.target[:, None]
    x, y = make_friedman1(n_samples=1000, n_features=10, noise=1.0, random_state=0)
    yield "friedman1", standardised(x), y[:, None]
    for name in ("breast_cancer", "wine", "iris"):
        x, y = table(built / f"{name}.csv")
        yield name, standardised(x), y
    x, y = make_classification(768, 8, n_informative=5, n_redundant=1, flip_y=0.2, class_sep=0.7, random_state=0)
    yield "pima-like", standardised(x), one_hot(y)
    x, y = digits(built / "digits.txt")
    yield "digits", standardised(x), y
    for name in ("iris_train", "mnist_pca_train"):
        path = data / f"{name}.csv"
        if path.is_file():
            x, y = table(path)
            yield f"{name}-raw", x, y
            yield f"{name}-std", standardised(x), y
    yield "teacher-10000", *teacher(10_000)


def lbfgs(x, y, gamma, width, seed, iterations):
    """Objective of one run from random weights, and its CPU seconds."""
    from scipy.optimize import minimize

    n, d = x.shape
    c = y.shape[1]
    random = np.random.default_rng(seed)
    start = np.concatenate([random.standard_normal(d * width) / np.sqrt(d), random.standard_normal(c * width) / np.sqrt(width)])

    def objective(weights):
        u, v = weights[: d * width].reshape(d, width), weights[d * width :].reshape(width, c)
        hidden = np.maximum(x @ u, 0)
        residual = hidden @ v - y
        value = 0.5 * np.vdot(residual, residual) + 0.5 * gamma * weights @ weights
        back = residual @ v.T
        back *= hidden > 0
        return value, np.concatenate([(x.T @ back + gamma * u).ravel(), (hidden.T @ residual + gamma * v).ravel()])

    begin = time.process_time()
    options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-9}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return float(found.fun), time.process_time() - begin


def torch_run(x, y, gamma, name, width=200, steps=3000):
    """Objective of full-batch Adam or SGD with momentum, best of five learning rates, and the CPU seconds of all."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    a, b = torch.tensor(x), torch.tensor(y)
    begin, best = time.process_time(), np.inf
    for rate in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3):
        u = (torch.randn(x.shape[1], width, dtype=a.dtype) / x.shape[1] ** 0.5).requires_grad_()
        v = (torch.randn(width, y.shape[1], dtype=a.dtype) / width**0.5).requires_grad_()
        rule = torch.optim.Adam([u, v], lr=rate) if name == "adam" else torch.optim.SGD([u, v], lr=rate / len(x), momentum=0.9)
        for _ in range(steps):
            rule.zero_grad()
            value = 0.5 * ((a @ u).relu() @ v - b).square().sum() + 0.5 * gamma * (u.square().sum() + v.square().sum())
            value.backward()
            rule.step()
            if value.isfinite():
                best = min(best, value.item())
    return best, time.process_time() - begin


def relucert(binary, path, gamma, effort, regression):
    """What the example `train` prints, with the CPU seconds of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [binary, path, repr(gamma), "--effort", effort, *(["--regression"] if regression else [])]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = json.loads(output)
    result["cpu"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return result


def build():
    command = ["cargo", "build", "--release", "--example", "train", "--message-format=json-render-diagnostics"]
    output = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [json.loads(line) for line in output.splitlines()]
    return next(message["executable"] for message in found if message.get("executable"))


def line(row):
    """One row of the table."""
    best = min(value for value, _ in row["lbfgs"].values())
    cells = [row["name"], f"{row['gamma']:.4g}"]
    cells += [f"{value:.6g} ({seconds:.1f} s)" for value, seconds in row["lbfgs"].values()]
    cells += [f"{value:.6g} ({seconds:.1f} s)" for value, seconds in row["torch"].values()]
    reference = row["lbfgs"].get("200", next(iter(row["lbfgs"].values())))[1]
    for run in row["relucert"].values():
        difference = 100 * (run["objective"] / best - 1)
        cells += [
            f"{run['objective']:.6g} ({run['cpu']:.1f} s)",
            f"{difference:+.2f} %",
            f"{run['cpu'] / max(reference, 1e-3):.2f}",
            f"{run['neurons']}",
            f"{run['ratio']:.5f}",
        ]
    return "| " + " | ".join(cells) + " |"


def head(row):
    cells = ["data", "γ", *(f"L-BFGS {width}" for width in row["lbfgs"]), *row["torch"]]
    for effort in row["relucert"]:
        cells += [f"relucert {effort}", "against the best L-BFGS", "time over one L-BFGS at 200", "neurons", "largest ratio found"]
    return "| " + " | ".join(cells) + " |\n" + "|---" * len(cells) + "|"


def main():
    options = arguments()
    binary = options.binary.resolve() if options.binary else build()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, x, y in instances(options.data):
        if not any(word in name for word in options.only):
            continue
        path = options.output / f"{name}.npz"
        np.savez(path, X=np.ascontiguousarray(x), Y=np.ascontiguousarray(y))
        for divisor in options.gammas:
            gamma = divisor * len(x)
            row = {"name": name, "gamma": gamma, "lbfgs": {}, "torch": {}, "relucert": {}}
            for width in options.widths:
                runs = [lbfgs(x, y, gamma, width, seed, options.iterations) for seed in range(options.starts)]
                # The best objective, and the mean time of one run.
                row["lbfgs"][str(width)] = (min(value for value, _ in runs), sum(cpu for _, cpu in runs) / len(runs))
            for method in ("adam", "sgd") if options.torch else ():
                row["torch"][method] = torch_run(x, y, gamma, method)
            for effort in options.efforts:
                row["relucert"][effort] = relucert(binary, path, gamma, effort, y.shape[1] == 1)
            rows.append(row)
            print(line(row), file=sys.stderr, flush=True)
            (options.output / "training.json").write_text(json.dumps(rows, indent=1))
    if rows:
        print(head(rows[0]), *map(line, rows), sep="\n")


if __name__ == "__main__":
    import environment

    if "--help" not in sys.argv and "-h" not in sys.argv and "RELUCERT_PEERS" not in os.environ:
        # numpy and its like come from an environment of their own.
        python = environment.peers_python(TARGET / "venv", HERE / "requirements-training.txt")
        sys.exit(subprocess.run([python, __file__, *sys.argv[1:]], env=os.environ | {"RELUCERT_PEERS": "1"}).returncode)
    if "RELUCERT_PEERS" in os.environ:
        import numpy as np
    main()
