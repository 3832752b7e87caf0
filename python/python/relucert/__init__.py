"""Two-layer ReLU networks with a proof of how far from globally optimal they can be.

Training minimises ``½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²)`` over hidden weights U (d × m) and output weights V (c × m)
of any width m. :func:`certify` returns a network together with a proved lower bound on the objective of every network:

>>> import numpy as np
>>> import relucert
>>> X = np.array([[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])  # one feature and a bias
>>> Y = np.array([1.0, 0.0, 1.0, 2.0])
>>> found = relucert.certify(X, Y, gamma=0.1)
>>> 0.0 < found.lower_bound <= found.upper_bound
True
>>> found.gap < 1e-3
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._functions import certify, certify_network, train, verify
from ._relucert import __version__
from ._results import Certificate, Certified, Network, Progress, Verified

if TYPE_CHECKING:
    from ._estimators import ReLUClassifier, ReLURegressor

__all__ = [
    "Certificate",
    "Certified",
    "Network",
    "Progress",
    "ReLUClassifier",
    "ReLURegressor",
    "Verified",
    "__version__",
    "certify",
    "certify_network",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    """The estimators, for which scikit-learn is imported when they are first asked for."""
    if name in ("ReLUClassifier", "ReLURegressor"):
        from . import _estimators

        return getattr(_estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
