"""What the functions return."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _arrays, _relucert, _settings


@dataclass(frozen=True)
class Progress:
    """One line of progress; the figures are estimates until the proof at the end.

    ``iteration`` counts Newton steps, or blocks; ``value`` is that of the relaxation, or the network's objective within
    branch and bound (where ``cells`` and ``share``, the part of all directions settled, say how far it is). ``blocks``
    is (done, all) where the problem is divided. Fields that do not apply are None.
    """

    iteration: int
    value: float
    lower_bound: float
    upper_bound: float
    infeasibility: float
    rank: int
    pairs: int
    seconds: float
    blocks: tuple[int, int] | None
    price_round: int | None
    cells: int | None
    share: float | None
    seconds_left: float | None


@dataclass(frozen=True, eq=False)
class Network:
    """x ↦ V(Uᵀx)₊ with hidden weights U (d × m) and output weights V (c × m).

    With ``bias`` the last row of U belongs to a feature that is 1 for every sample and that X does not have.

    >>> import numpy as np
    >>> network = Network(U=np.array([[1.0], [-1.0]]), V=np.array([[2.0]]), bias=True)
    >>> network.predict(np.array([[0.5], [3.0]])).tolist()  # 2(x − 1)₊
    [[0.0], [4.0]]
    """

    U: NDArray[np.float64]
    V: NDArray[np.float64]
    bias: bool = False

    @property
    def width(self) -> int:
        """Neurons, m."""
        return int(self.U.shape[1])

    def predict(self, X: Any) -> NDArray[np.float64]:
        """(XU)₊Vᵀ, n × c, for X (n × d) as :func:`relucert.certify` takes it."""
        return _relucert.predict(_arrays.features(X), (self.U, self.V), self.bias)

    def objective(self, X: Any, Y: Any, gamma: float) -> float:
        """½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²), rounded upwards: exactly these weights have no larger one."""
        x, y = _arrays.features(X), _arrays.targets(Y)
        return _relucert.objective(x, y, _settings.number(gamma, "gamma"), (self.U, self.V), self.bias)

    def __repr__(self) -> str:
        (inputs, width), outputs = self.U.shape, self.V.shape[0]
        with_bias = ", the last of them the bias" if self.bias else ""
        return f"<Network: {width} neurons, {inputs} features{with_bias}, {outputs} outputs>"


class Certificate(Mapping[str, NDArray[Any]]):
    """The arrays that prove a lower bound, by the names they have in ``certificate.npz``.

    ``W`` (n × c) is the claim: |Wᵀ(Xu)₊| ≤ γ|u| for every u, and then ⟨W, Y⟩ − ½‖W‖² bounds every network. The
    multipliers ``y``, ``pairs`` and ``N`` prove it, with ``block`` and ``head`` where the samples were divided and
    ``form_target``, ``form_indptr``, ``form_index`` and ``form_coef`` where there are cuts. ``branch`` says that W
    alone is the certificate, to be proved by branch and bound. Each is an attribute too, None where it is not there.
    """

    W: NDArray[np.float64]
    y: NDArray[np.float64] | None = None
    pairs: NDArray[np.int64] | None = None
    N: NDArray[np.float64] | None = None
    block: NDArray[np.int64] | None = None
    head: NDArray[np.float64] | None = None
    form_target: NDArray[np.int64] | None = None
    form_indptr: NDArray[np.int64] | None = None
    form_index: NDArray[np.int64] | None = None
    form_coef: NDArray[np.float64] | None = None
    branch: NDArray[np.int64] | None = None

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """From arrays by name; they are checked where they are used."""
        self._arrays = dict(arrays)
        for name, array in self._arrays.items():
            setattr(self, name, array)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {' × '.join(map(str, array.shape))}" for name, array in self.items())
        return f"<Certificate: {arrays}>"

    def _archive(self) -> bytes:
        """The bytes of ``certificate.npz``, which the library's own reader checks."""
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **{name: np.asarray(array) for name, array in self.items()})
        return file.getvalue()


class Certified:
    """A network, a lower bound on the objective of every network, and its proof.

    Keeps the library's copy of X and Y, so that it can be saved; what is wanted longer than those can be taken out
    (``network``, ``certificate``, ``report``).
    """

    def __init__(self, outcome: _relucert.Outcome, bias: bool, tolerance: float) -> None:
        self._outcome = outcome
        self._bias = bias
        self._tolerance = tolerance
        self.lower_bound: float
        """No network of any width has a smaller objective: proved, in the sense of ``grade``."""
        self.upper_bound: float
        """Objective of ``network``, rounded upwards."""
        self.gap: float
        """(upper − lower)/upper, rounded upwards: no network improves on this one by a larger part."""
        self.lower_bound, self.upper_bound, self.gap = outcome.figures()

    @cached_property
    def report(self) -> dict[str, Any]:
        """The figures of the run: the fields of ``report.json`` (``docs/reading-a-report.md`` explains each)."""
        report: dict[str, Any] = json.loads(self._outcome.report())
        return report

    @property
    def grade(self) -> str:
        """``verified``: proved in floating point; ``probabilistic``: but for a failure probability; ``none``."""
        return str(self.report["grade"])

    @property
    def status(self) -> str:
        """Why it ended: ``converged``, ``time_limit``, ``cancelled`` (Ctrl-C), ``stalled``, ``budget`` or another."""
        return str(self.report["status"])

    @property
    def converged(self) -> bool:
        """Whether the tolerance was reached: by the network, or by a relaxation that was solved."""
        return self._outcome.meets(self._tolerance)

    @cached_property
    def network(self) -> Network:
        """The network."""
        return Network(*self._outcome.weights(), bias=self._bias)

    @cached_property
    def certificate(self) -> Certificate:
        """The arrays that prove the lower bound."""
        return Certificate(self._outcome.certificate())

    @cached_property
    def history(self) -> list[Progress]:
        """What was told on the way."""
        return [Progress(**told) for told in self._outcome.history()]

    def save(self, folder: str | PathLike[str]) -> None:
        """Writes ``problem.npz``, ``network.npz``, ``certificate.npz`` and ``report.json`` into a folder.

        A folder that is not there is made. ``relucert verify FOLDER`` and :func:`relucert.verify` prove it again.
        """
        self._outcome.save(folder)

    def __repr__(self) -> str:
        lower, upper, gap = self._outcome.shown()
        width = self.report["network_width"]
        return (
            f"<Certified: objective {upper} with {width} neurons, lower bound {lower} ({self.grade}), "
            f"gap {gap}, {self.status}>"
        )

    def _repr_html_(self) -> str:
        lower, upper, gap = self._outcome.shown()
        report = self.report
        method = {"branch": "branch and bound"}.get(report["method"], f"relaxation, {report['method']}")
        rows = {
            "problem": f"{report['samples']} samples, {report['features']} features, {report['outputs']} outputs, "
            f"weight decay {report['gamma']:g}",
            "network": f"objective {upper} with {report['network_width']} neurons",
            "lower bound": f"{lower} on every network of any width, {self.grade}",
            "gap": gap,
            "method": method,
            "status": self.status.replace("_", " "),
        }
        cells = "".join(
            f"<tr><th style='text-align: left'>{html.escape(name)}</th>"
            f"<td style='text-align: left'>{html.escape(text)}</td></tr>"
            for name, text in rows.items()
        )
        return f"<table>{cells}</table>"

    def __reduce__(self) -> Any:
        raise TypeError("a Certified is not pickled: it holds the problem; save(folder) it, or take out what is wanted")


@dataclass(frozen=True)
class Verified:
    """What a certificate proves, found out anew."""

    samples: int
    features: int
    outputs: int
    gamma: float
    lower_bound: float
    grade: str
    failure_probability: float
    blocks: int
    upper_bound: float | None
    network_width: int | None
    gap: float | None
    claimed_lower_bound: float | None
    claimed_upper_bound: float | None
    claimed_gap: float | None
