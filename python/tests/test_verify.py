"""Certificates proved again."""

import json
import shutil
import subprocess

import numpy as np
import pytest

import relucert


@pytest.fixture(scope="module")
def runs(teacher, iris):
    """Certificates of every kind: W alone, multipliers, blocks, prices, cuts."""
    x, y = teacher
    flat = np.random.default_rng(0).standard_normal((40, 2))
    return {
        "branch": (iris, 5.0, relucert.certify(*iris, 5.0, method="branch", tolerance=1e-2)),
        "multipliers": ((x, y), 30.0, relucert.certify(x, y, 30.0, method="low-rank", tolerance=1e-2)),
        "blocks": ((x, y), 30.0, relucert.certify(x, y, 30.0, blocks=3, tolerance=1e-2)),
        "prices": ((x, y), 30.0, relucert.certify(x, y, 30.0, blocks=2, prices=2, tolerance=1e-2)),
        "cuts": ((flat, flat[:, 0]), 3.0, relucert.certify(flat, flat[:, 0], 3.0, cuts=20, method="relaxation")),
    }


def test_arrays_are_those_of_the_contract(runs):
    names = {name: set(found.certificate) for name, (_, _, found) in runs.items()}
    assert names["branch"] == {"W", "branch"}
    assert names["multipliers"] == {"W", "y", "pairs", "N"}
    assert names["blocks"] == {"W", "y", "pairs", "N", "block"}
    assert names["prices"] >= names["blocks"]
    for (x, y), _, found in runs.values():
        assert found.certificate.W.shape == (len(x), y.reshape(len(x), -1).shape[1])
        assert found.certificate["W"] is found.certificate.W
    assert runs["branch"][2].certificate.y is None


@pytest.mark.parametrize("kind", ["branch", "multipliers", "blocks", "prices", "cuts"])
def test_every_certificate_proves_its_bound(runs, kind, tmp_path, command_line):
    (x, y), gamma, found = runs[kind]
    again = relucert.verify(X=x, Y=y, gamma=gamma, certificate=found.certificate, network=found.network)
    assert again.lower_bound == pytest.approx(found.lower_bound, rel=1e-12)
    assert again.upper_bound == found.upper_bound
    folder = tmp_path / "run"
    found.save(folder)
    saved = relucert.verify(folder)
    assert (saved.lower_bound, saved.claimed_lower_bound) == (again.lower_bound, found.lower_bound)
    with np.load(folder / "certificate.npz") as archive:
        assert {name: archive[name].tobytes() for name in archive} == {
            name: array.tobytes() for name, array in found.certificate.items()
        }
        assert relucert.verify(X=x, Y=y, gamma=gamma, certificate=archive).lower_bound == again.lower_bound
    assert json.loads((folder / "report.json").read_text()) == found.report
    subprocess.run([command_line, "verify", folder], check=True, capture_output=True)


@pytest.mark.parametrize("kind", ["branch", "multipliers", "blocks", "prices"])
def test_a_forged_certificate_is_refused(runs, kind):
    (x, y), gamma, found = runs[kind]
    forged = dict(found.certificate, W=1.05 * found.certificate.W)
    with pytest.raises(ValueError, match=r"refused|proved"):
        relucert.verify(X=x, Y=y, gamma=gamma, certificate=forged, max_cells=10_000_000)


def test_a_report_that_claims_more_is_refused(runs, tmp_path):
    *_, found = runs["multipliers"]
    found.save(tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    for name, value in (
        ("lower_bound", 1.01 * report["lower_bound"]),
        ("upper_bound", 0.99 * report["upper_bound"]),
        ("gap", 0.5 * report["gap"]),
        ("gamma", 31.0),
        ("samples", 239),
    ):
        (tmp_path / "report.json").write_text(json.dumps(report | {name: value}))
        with pytest.raises(ValueError, match=r"report\.json"):
            relucert.verify(tmp_path)


def test_what_cannot_be_read_is_refused(runs, tmp_path):
    with pytest.raises(ValueError, match=r"problem\.npz"):
        relucert.verify(tmp_path)
    (x, y), gamma, found = runs["multipliers"]
    certificate = dict(found.certificate)
    for change, sentence in (
        ({"y": certificate["y"][:-1]}, "certificate y"),
        ({"N": -certificate["N"]}, "must not be negative"),
        ({"pairs": certificate["pairs"][:, :1]}, "pairs"),
        ({"Z": certificate["N"]}, "Z"),
        ({"W": certificate["W"] * np.nan}, "not finite"),
    ):
        with pytest.raises(ValueError, match=sentence):
            relucert.verify(X=x, Y=y, gamma=gamma, certificate=certificate | change)
    with pytest.raises(ValueError, match="a folder alone"):
        relucert.verify(X=x, Y=y)
    with pytest.raises(ValueError, match="a folder alone"):
        relucert.verify(tmp_path, gamma=1.0)


def test_another_network_beside_the_certificate(runs, tmp_path):
    (x, y), gamma, found = runs["multipliers"]
    with pytest.raises(ValueError, match="network"):
        relucert.verify(X=x, Y=y, gamma=gamma, certificate=found.certificate, network=relucert.Network(y.T, y.T))
    found.save(tmp_path)
    shutil.move(tmp_path / "network.npz", tmp_path / "elsewhere.npz")
    with pytest.raises(ValueError, match=r"network\.npz is missing"):
        relucert.verify(tmp_path)
