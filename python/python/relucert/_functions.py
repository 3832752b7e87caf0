"""The functions of the package."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import timedelta
from os import PathLike
from typing import Any, Literal

from . import _arrays, _relucert, _settings, _torch
from ._executor import Futures
from ._results import Certificate, Certified, Network, Progress, Verified

Method = Literal["auto", "branch", "relaxation", "low-rank", "interior-point"]
Effort = Literal["low", "normal", "high"]


def certify(
    X: Any,
    Y: Any,
    gamma: float,
    *,
    bias: bool = False,
    tolerance: float = 1e-3,
    method: Method = "auto",
    cuts: Literal["none", "auto"] | int = "none",
    blocks: Literal["auto"] | int = "auto",
    prices: Literal["none", "auto"] | int = "none",
    effort: Effort = "normal",
    time_limit: float | timedelta | None = None,
    seed: int = 0,
    threads: int | None = None,
    failure_probability: float = 1e-9,
    memory_limit: int | None = None,
    checkpoint: str | PathLike[str] | None = None,
    callback: Callable[[Progress], object] | None = None,
    executor: Executor | Callable[[], Executor] | None = None,
) -> Certified:
    """Trains a network and proves a lower bound on the objective of every network, of any width.

    The objective is ``½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²)``: sums over the samples, not means.

    Parameters
    ----------
    X : array, data frame or scipy.sparse array, n × d
        One row for each sample. Copied once into the solver's columns, straight from numpy's memory in double or single
        precision, C or Fortran order; sparse rows stay sparse.
    Y : array, n or n × c
        Targets; of a classification one column of zeros and ones for each class.
    gamma : float
        Weight decay γ > 0.
    bias : bool
        Whether to append a feature that is 1 for every sample; its weights are regularised as all others.
    tolerance : float
        Good enough: the relative gap between network and bound, or between relaxation and bound.
    method, cuts, blocks, prices, effort, failure_probability
        As on the command line (``relucert certify --help``).
    time_limit : float or timedelta, optional
        Seconds after which to end with the best bound so far. Ctrl-C does the same; twice leaves at once.
    seed : int
        Of every random choice: the same seed gives the same bits, whatever the number of threads.
    threads : int, optional
        Threads; one for each core if not given.
    memory_limit : int, optional
        Bytes that may be taken; what needs more is refused before it starts.
    checkpoint : path, optional
        A file that keeps what is done, to go on from.
    callback : callable, optional
        Called with a :class:`Progress` from time to time. What it raises ends the run.
    executor : concurrent.futures.Executor, or a function that makes one, optional
        Where the blocks are solved when the samples are divided: other processes or machines, with ``threads`` threads
        each (one if not given). The bits are those of a run without, and nothing that comes back is believed. A
        function is called again where the executor breaks; without one the rest is solved in this process.

    Returns
    -------
    Certified

    Raises
    ------
    ValueError
        With one sentence: what is wrong, where, and how to mend it.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 20)
    >>> found = certify(x[:, None], np.abs(x), gamma=0.1, bias=True)
    >>> found.grade, found.converged
    ('verified', True)
    >>> found.network.predict(x[:, None]).shape
    (20, 1)
    """
    options = _settings.options(
        tolerance=tolerance,
        method=method,
        cuts=cuts,
        blocks=blocks,
        prices=prices,
        effort=effort,
        seed=seed,
        failure_probability=failure_probability,
        memory_limit=memory_limit,
        checkpoint=checkpoint,
    )
    return _run(X, Y, gamma, bias, None, options, time_limit, threads, callback, executor)


def certify_network(
    X: Any,
    Y: Any,
    gamma: float,
    U: Any,
    V: Any = None,
    *,
    bias: bool = False,
    tolerance: float = 1e-3,
    method: Method = "auto",
    cuts: Literal["none", "auto"] | int = "none",
    blocks: Literal["auto"] | int = "auto",
    prices: Literal["none", "auto"] | int = "none",
    effort: Effort = "normal",
    time_limit: float | timedelta | None = None,
    seed: int = 0,
    threads: int | None = None,
    failure_probability: float = 1e-9,
    memory_limit: int | None = None,
    checkpoint: str | PathLike[str] | None = None,
    callback: Callable[[Progress], object] | None = None,
    executor: Executor | Callable[[], Executor] | None = None,
) -> Certified:
    """Proves how far a network that comes from elsewhere is from optimal.

    The upper bound is that network's objective, rounded upwards; the network is returned as it came.

    Parameters
    ----------
    U : array, d × m, or a network
        Hidden weights; or a :class:`Network`; or a ``torch.nn.Sequential(Linear, ReLU, Linear)``, of which a bias of
        the hidden layer becomes a feature that is 1 (``bias`` is then set), and one of the output layer a neuron on
        it. Both count in the weight decay.
    V : array, c × m
        Output weights; left out where U is a network.

    The other parameters, and what is returned and raised, are those of :func:`certify`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> absolute = np.array([[1.0, -1.0]]), np.array([[1.0, 1.0]])  # |x| = (x)₊ + (−x)₊
    >>> found = certify_network(x, np.abs(x), 0.1, *absolute)
    >>> found.lower_bound <= found.upper_bound < 0.2001
    True
    """
    options = _settings.options(
        tolerance=tolerance,
        method=method,
        cuts=cuts,
        blocks=blocks,
        prices=prices,
        effort=effort,
        seed=seed,
        failure_probability=failure_probability,
        memory_limit=memory_limit,
        checkpoint=checkpoint,
    )
    network = _network(U, V, bias)
    return _run(X, Y, gamma, network.bias, network, options, time_limit, threads, callback, executor)


def train(
    X: Any,
    Y: Any,
    gamma: float,
    *,
    bias: bool = False,
    effort: Effort = "normal",
    width: int = 0,
    starts: int = 1,
    time_limit: float | timedelta | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Network:
    """Trains a network and proves nothing: the first step of :func:`certify`, whose parameters these are.

    ``width`` is the number of neurons of a random start (0: one that suits the problem), ``starts`` that of independent
    starts, of which the best is improved further.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> network = train(x, np.abs(x), 0.1)
    >>> network.width
    2
    """
    U, V = _relucert.train(
        _arrays.features(X),
        _arrays.targets(Y),
        _settings.number(gamma, "gamma"),
        bias,
        effort,
        _settings.whole(width, "width"),
        _settings.whole(starts, "starts"),
        _settings.whole(seed, "seed"),
        _settings.seconds(time_limit),
        _settings.threads(threads),
    )
    return Network(U, V, bias)


def verify(
    folder: str | PathLike[str] | None = None,
    *,
    X: Any = None,
    Y: Any = None,
    gamma: float | None = None,
    certificate: Mapping[str, Any] | None = None,
    network: Any = None,
    bias: bool = False,
    failure_probability: float = 1e-9,
    max_cells: int = 1_000_000_000,
    seed: int | None = None,
    threads: int | None = None,
) -> Verified:
    """Proves a certificate again, trusting nothing that the solver said.

    Either of a saved folder, whose ``report.json`` may then claim no more than is proved, or of arrays: the problem X,
    Y, gamma (with ``bias`` as it was solved), a :class:`Certificate` or any mapping with its arrays, such as
    ``numpy.load`` gives of ``certificate.npz``, and if there is one the network, as :func:`certify_network` takes it in
    place of U.

    Raises
    ------
    ValueError
        Where it is not proved, or not all that the report claims, with the reason; and for input that cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> found = certify(x, np.abs(x), 0.1)
    >>> verify(X=x, Y=np.abs(x), gamma=0.1, certificate=found.certificate).lower_bound == found.lower_bound
    True
    >>> forged = dict(found.certificate, W=1.01 * found.certificate.W)
    >>> verify(X=x, Y=np.abs(x), gamma=0.1, certificate=forged)
    Traceback (most recent call last):
    ValueError: certificate refused: ...
    """
    proving = (
        _settings.number(failure_probability, "failure_probability"),
        _settings.whole(max_cells, "max_cells"),
        None if seed is None else _settings.whole(seed, "seed"),
        _settings.threads(threads),
    )
    arrays = (X, Y, gamma, certificate)
    if folder is not None and all(array is None for array in (*arrays, network)):
        verdict, objection = _relucert.verify_folder(folder, *proving)
    elif folder is None and all(array is not None for array in arrays):
        assert gamma is not None
        assert certificate is not None
        given = None if network is None else _network(network, None, bias)
        verdict, objection = _relucert.verify_arrays(
            _arrays.features(X),
            _arrays.targets(Y),
            _settings.number(gamma, "gamma"),
            bias if given is None else given.bias,
            Certificate(certificate)._archive(),
            None if given is None else (given.U, given.V),
            *proving,
        )
    else:
        raise ValueError("verify: pass a folder alone, or X, Y, gamma and certificate")
    if objection is not None:
        raise ValueError(objection)
    figures = json.loads(verdict)
    del figures["proved"]
    return Verified(**figures)


def _run(
    X: Any,
    Y: Any,
    gamma: float,
    bias: bool,
    network: Network | None,
    options: dict[str, Any],
    time_limit: float | timedelta | None,
    threads: int | None,
    callback: Callable[[Progress], object] | None,
    executor: Executor | Callable[[], Executor] | None,
) -> Certified:
    if executor is not None and not (hasattr(executor, "submit") or callable(executor)):
        raise TypeError(f"executor: expected a concurrent.futures.Executor, got {type(executor).__name__}")
    x, y = _arrays.features(X), _arrays.targets(Y)
    own_threads = _settings.threads(threads)
    futures = None if executor is None else Futures(executor, own_threads)
    try:
        outcome = _relucert.certify(
            x,
            y,
            _settings.number(gamma, "gamma"),
            bias,
            None if network is None else (network.U, network.V),
            options,
            _settings.seconds(time_limit),
            own_threads,
            None if callback is None else lambda told: callback(Progress(**told)),
            futures,
        )
    finally:
        if futures is not None:
            futures.close()
    return Certified(outcome, bias, options["tolerance"])


def _network(U: Any, V: Any, bias: bool) -> Network:
    if V is not None:
        return Network(_arrays.matrix(U, "U"), _arrays.matrix(V, "V"), bias)
    if isinstance(U, Network):
        return U
    if _torch.is_module(U):
        return _torch.fold(U)
    raise ValueError("network: pass U and V, a relucert.Network, or a torch.nn.Sequential(Linear, ReLU, Linear)")
