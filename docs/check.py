"""Checks a saved certificate with numpy alone: python check.py DIR (memory: about 70 bytes times (samples + features)²).

The bound <W, Y> - |W|²/2 holds for every two-layer ReLU network if N >= 0 and the quadratic form of (u, s)

    gamma |u|² - |W'a|² / gamma - 2 sum_i y_i a_i b_i - 2 sum_k N_k p[pairs[k, 0]] p[pairs[k, 1]],

where a = (s + Xu) / 2, b = (s - Xu) / 2 and p = (a, b), is positive semidefinite.
"""

import json
import sys
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
problem, certificate = np.load(folder / "problem.npz"), np.load(folder / "certificate.npz")
X, Y, gamma = problem["X"], problem["Y"], float(problem["gamma"])
W, y, pairs, N = (certificate[name] for name in ("W", "y", "pairs", "N"))
n, d = X.shape
if "form_target" in certificate:
    sys.exit("this certificate uses sublinearity cuts, which this script does not know")
assert W.shape == Y.shape and y.shape == (n,) and pairs.shape == (len(N), 2) and gamma > 0
assert all(np.isfinite(array).all() for array in (X, Y, W, y, N))
assert (N >= 0).all() and (pairs >= 0).all() and (pairs < 2 * n).all()

P = np.zeros((2 * n, 2 * n))  # the form's multipliers of p pᵀ
P[:n, :n] = W @ W.T / gamma
np.add.at(P, (np.arange(n), n + np.arange(n)), y)
np.add.at(P, (n + np.arange(n), np.arange(n)), y)
np.add.at(P, (pairs[:, 0], pairs[:, 1]), N)
np.add.at(P, (pairs[:, 1], pairs[:, 0]), N)
aa, ab, bb = P[:n, :n], P[:n, n:], P[n:, n:]
uu = X.T @ (aa - ab - ab.T + bb) @ X / 4  # p pᵀ written in (u, s)
us = X.T @ (aa + ab - ab.T - bb) / 4
ss = (aa + ab + ab.T + bb) / 4
Q = np.block([[gamma * np.eye(d) - uu, -us], [-us.T, -ss]])
smallest = np.linalg.eigvalsh(Q)[0]
rounding = len(Q) * np.finfo(float).eps * np.linalg.norm(Q)
bound = np.sum(W * Y) - np.sum(W * W) / 2

print(f"smallest eigenvalue  {smallest:.3e} (rounding about {rounding:.1e})")
print(f"lower bound          {bound:.10g}")
if (folder / "network.npz").exists():
    network = np.load(folder / "network.npz")
    U, V = network["U"], network["V"]
    objective = np.sum((np.maximum(X @ U, 0) @ V.T - Y) ** 2) / 2 + gamma / 2 * (np.sum(U * U) + np.sum(V * V))
    print(f"network's objective  {objective:.10g}, gap {100 * (objective - bound) / max(objective, 1e-300):.4g} %")
problems = []
if not smallest >= -rounding:
    problems.append("the form is not positive semidefinite")
if (folder / "report.json").exists():
    claim = json.loads((folder / "report.json").read_text())["lower_bound"]
    if not claim <= bound + 1e-9 * abs(bound):
        problems.append(f"report.json claims {claim}, more than {bound}")
if problems:
    sys.exit("REFUSED: " + "; ".join(problems))
print("the certificate holds")
