"""Checks a saved certificate with numpy alone: python check.py DIR (memory: about 100 bytes times (samples + features)²).

The bound <W, Y> - |W|²/2 holds for every two-layer ReLU network if N >= 0 and the quadratic form of (u, s)

    gamma |u|² - |W'a|² / gamma - 2 sum_i y_i a_i b_i - 2 sum_k N_k p[pairs[k, 0]] p[pairs[k, 1]],

where a = (s + Xu) / 2, b = (s - Xu) / 2 and p = (a, b, l), is positive semidefinite. Without cuts there is no l. With them
l_f = sum_i |a_i| s_i - s_k for x_k = sum_i a_i x_i; what such an equality misses by is paid for: with |x_k - sum a_i x_i| <= D
the product l p_j is at least -D |x_j| |u|^2 on a neuron, and 2 N D |x_j| is subtracted from gamma.

A certificate with `branch` in it is W alone: the claim |W'(Xu)+| <= gamma |u| for every u is proved here by splitting the faces
of the cube into cells (few dimensions only; the rank of X decides).
"""

import json
import sys
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
problem, certificate = np.load(folder / "problem.npz"), np.load(folder / "certificate.npz")
Y, gamma = problem["Y"], float(problem["gamma"])
if "X_shape" in problem:  # compressed rows; columns without an entry change nothing but the network's objective
    shape, indptr, indices = (problem[f"X_{name}"] for name in ("shape", "indptr", "indices"))
    assert indptr[0] == 0 and indptr[-1] == len(indices) and (np.diff(indptr) >= 0).all() and len(indptr) == shape[0] + 1
    columns, place = np.unique(indices, return_inverse=True)
    X = np.zeros((shape[0], max(len(columns), 1)))
    np.add.at(X, (np.repeat(np.arange(shape[0]), np.diff(indptr)), place), problem["X_data"])
else:
    X, columns = problem["X"], slice(None)
W = certificate["W"]
convolutional = "image" in problem
if convolutional:  # |W~'(Xu)+| <= PQ gamma |u| over patches, W~ holding copies of W, is the claim (docs/convolution.md)
    assert "branch" in certificate and W.shape == Y.shape
    (height, width, channels), (A, B), (stride,), (P, Q) = (problem[name] for name in ("image", "filter", "stride", "pool"))
    windows = np.lib.stride_tricks.sliding_window_view(X.reshape(len(X), height, width, channels), (A, B), axis=(1, 2))
    windows = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)  # n, rows, columns, A, B, channels
    rows, columns_ = windows.shape[1:3]
    assert rows % P == 0 and columns_ % Q == 0
    blocks = windows.reshape(len(X), rows // P, P, columns_ // Q, Q, -1).transpose(0, 1, 3, 2, 4, 5)
    images, weights, outputs, targets, decay = X, W, W.shape[1], Y, gamma
    X = blocks.reshape(-1, A * B * channels)
    cells, pooled = (rows // P) * (columns_ // Q), P * Q
    block = np.tile(np.repeat(np.arange(cells), pooled), len(images))
    W = np.zeros((len(X), cells, outputs))
    W[np.arange(len(X)), block] = np.repeat(weights, cells * pooled, axis=0)
    W, gamma, Y = W.reshape(len(X), -1), pooled * gamma, np.zeros((len(X), cells * outputs))
    X, place = np.unique(X, axis=0, return_inverse=True)  # equal patches are one, their weights added up
    merged = np.zeros((len(X), W.shape[1]))
    np.add.at(merged, place.ravel(), W)
    W = merged
    Y = np.zeros_like(W)
n, d = X.shape
assert W.shape == Y.shape and gamma > 0 and all(np.isfinite(array).all() for array in (X, Y, W))


def branch_and_bound(most=5_000_000):
    """Largest violation of the claim found, and whether it was proved (with a part in 10^9 for rounding)."""
    Z = X @ np.linalg.svd(X, full_matrices=False)[2].T  # principal axes; the rest of u only adds to |u|
    Z = Z[:, np.abs(Z).max(0) > 1e-12 * np.abs(Z).max()]
    k = Z.shape[1]
    size = np.linalg.norm(W, axis=1)
    faces = [(sign * np.eye(k)[i], 1 - np.eye(k)[i]) for i in range(k) for sign in (1, -1)]
    centre, half = (np.array(list(part)) for part in zip(*faces))
    cells = 0
    while len(centre):
        cells += len(centre)
        if cells > most:
            return False
        centres, halves = [], []
        for u, rho in zip(np.array_split(centre, len(centre) // 2000 + 1), np.array_split(half, len(half) // 2000 + 1)):
            t, r = u @ Z.T, rho @ np.abs(Z).T  # x.u lies in t - r ... t + r
            with np.errstate(divide="ignore", invalid="ignore"):
                slope = np.where(t >= r, 1.0, np.where(t <= -r, 0.0, (t + r) / (2 * r)))
            band = np.where(np.abs(t) < r, (r * r - t * t) / (4 * np.maximum(r, 1e-300)), 0.0)  # (x.u)+ = slope x.u + band +- band
            A = np.einsum("pi,ij,ik->pjk", slope, W, Z)
            mid = np.einsum("pjk,pk->pj", A, u) + band @ W
            norm, length = np.linalg.norm(mid, axis=1), np.linalg.norm(u, axis=1)
            v = mid / np.maximum(norm, 1e-300)[:, None]
            along = np.einsum("pj,pjk->pk", v, A)
            across = np.sqrt(np.maximum((A**2).sum(1) - along**2, 0))
            spread = band @ size
            wide = (rho * across).sum(1) + spread  # part across v
            least = gamma * np.linalg.norm(np.maximum(np.abs(u) - rho, 0), axis=1)
            kappa = least - np.sqrt(np.maximum(least**2 - wide**2, 0))
            tilt = np.abs(along - gamma * u / length[:, None])
            above = norm + spread - gamma * length + kappa + (rho * tilt).sum(1)
            fall = (rho * np.abs(along)).sum(1) + spread - norm
            closed = (above <= 1e-9 * gamma * length) & (wide < least) & (fall + kappa <= least)
            value = np.linalg.norm(np.maximum(t, 0) @ W, axis=1)
            if (value > (1 + 1e-9) * gamma * length).any():
                sys.exit("REFUSED: W violates its claim at a direction u")
            gain = rho * (tilt + across + np.abs(Z).T @ size * (np.abs(t) < r).mean(1)[:, None])
            axis = gain.argmax(1)[~closed]
            u, rho = u[~closed], rho[~closed].copy()
            rows = np.arange(len(u))
            rho[rows, axis] /= 2
            for sign in (1, -1):
                moved = u.copy()
                moved[rows, axis] += sign * rho[rows, axis]
                centres.append(moved)
                halves.append(rho)
        centre, half = np.concatenate(centres), np.concatenate(halves)
    return True


def semidefinite():
    """Smallest eigenvalue of the form, and what rounding may have done to it."""
    y, pairs, N = (certificate[name] for name in ("y", "pairs", "N"))
    target, indptr, index, coef = (
        (certificate[f"form_{name}"] for name in ("target", "indptr", "index", "coef"))
        if "form_target" in certificate
        else (np.zeros(0, int), np.zeros(1, int), np.zeros(0, int), np.zeros(0))
    )
    f = len(target)
    assert y.shape == (n,) and pairs.shape == (len(N), 2)
    assert all(np.isfinite(array).all() for array in (y, N))
    assert (N >= 0).all() and (pairs >= 0).all() and (pairs < 2 * n + f).all() and (pairs[:, 0] != pairs[:, 1]).all()
    assert indptr.shape == (f + 1,) and indptr[0] == 0 and indptr[-1] == len(index) == len(coef) and (np.diff(indptr) >= 0).all()
    assert ((0 <= target) & (target < n)).all() and ((0 <= index) & (index < n)).all() and np.isfinite(coef).all()

    A = np.zeros((f, n))  # x_k = A x
    np.add.at(A, (np.repeat(np.arange(f), np.diff(indptr)), index), coef)
    norm = np.linalg.norm(X, axis=1)
    size = np.abs(A) @ norm + norm[target]
    defect = np.linalg.norm(X[target] - A @ X, axis=1) + d * n * np.finfo(float).eps * size
    if not (defect <= 1e-9 * size).all():
        sys.exit(f"REFUSED: form {np.argmax(defect / size)} does not give back its sample")
    S = np.abs(A)
    S[np.arange(f), target] -= 1
    F = np.block([[X / 2, np.eye(n) / 2], [-X / 2, np.eye(n) / 2], [np.zeros((f, d)), S]])  # p in (u, s)
    low, high = np.concatenate([np.zeros(2 * n), defect]), np.concatenate([norm, norm, size])
    cuts = pairs[(pairs >= 2 * n).any(axis=1)], N[(pairs >= 2 * n).any(axis=1)]
    a, b = cuts[0][:, 0], cuts[0][:, 1]
    payment = 2 * np.sum(cuts[1] * np.maximum(low[a] * high[b], low[b] * high[a]))

    P = np.zeros((2 * n + f, 2 * n + f))  # the form's multipliers of p pᵀ
    P[:n, :n] = W @ W.T / gamma
    np.add.at(P, (np.arange(n), n + np.arange(n)), y)
    np.add.at(P, (n + np.arange(n), np.arange(n)), y)
    np.add.at(P, (pairs[:, 0], pairs[:, 1]), N)
    np.add.at(P, (pairs[:, 1], pairs[:, 0]), N)
    Q = -F.T @ P @ F
    Q[:d, :d] += (gamma - payment) * np.eye(d)
    smallest = np.linalg.eigvalsh(Q)[0]
    rounding = len(Q) * np.finfo(float).eps * np.linalg.norm(Q)
    return smallest, rounding


bound = np.sum(weights * targets) - np.sum(weights**2) / 2 if convolutional else np.sum(W * Y) - np.sum(W * W) / 2

by_branch = "branch" in certificate
if not by_branch:
    smallest, rounding = semidefinite()
    print(f"smallest eigenvalue  {smallest:.3e} (rounding about {rounding:.1e})")
print(f"lower bound          {bound:.10g}")
if (folder / "network.npz").exists():
    network = np.load(folder / "network.npz")
    U, V = network["U"], network["V"]
    if convolutional:
        answers = np.maximum(X @ U, 0)[place.ravel()].reshape(len(images), cells, pooled, -1).mean(2)
        loss, decay = np.sum((answers.reshape(len(images), -1) @ V.T - targets) ** 2) / 2, decay
    else:
        loss, decay = np.sum((np.maximum(X @ U[columns], 0) @ V.T - Y) ** 2) / 2, gamma
    objective = loss + decay / 2 * (np.sum(U * U) + np.sum(V * V))
    print(f"network's objective  {objective:.10g}, gap {100 * (objective - bound) / max(objective, 1e-300):.4g} %")
problems = []
if by_branch:
    if not branch_and_bound():
        problems.append("the claim was not proved with five million cells; relucert verify is faster")
elif not smallest >= -rounding:
    problems.append("the form is not positive semidefinite")
if (folder / "report.json").exists():
    claim = json.loads((folder / "report.json").read_text())["lower_bound"]
    if not claim <= bound + 1e-9 * abs(bound):
        problems.append(f"report.json claims {claim}, more than {bound}")
if problems:
    sys.exit("REFUSED: " + "; ".join(problems))
print("the certificate holds")
