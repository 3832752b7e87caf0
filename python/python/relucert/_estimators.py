"""Estimators with scikit-learn's conventions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ._functions import Effort, Method, certify
from ._results import Certificate, Network

# What X may be, in the terms of scikit-learn.
_FEATURES = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}

_SHARED = """

    Parameters
    ----------
    alpha : float, default 0.1
        Weight decay per sample: the objective is ``½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²)``, a sum over the samples, with
        γ = alpha · n. So alpha means the same for any number of samples, as in the folds of a cross-validation.
    gamma : float, optional
        γ itself, as on the command line; where it is given alpha is not looked at.
    fit_intercept : bool, default True
        Whether to append a feature that is 1, whose weights are regularised as all others.
    method : str, default "relaxation"
        As in :func:`relucert.certify`, but for the default: ``auto`` also tries branch and bound, which in up to about
        eight dimensions closes the gap that the relaxation leaves, and takes longer.
    tolerance, cuts, blocks, prices, effort, time_limit, threads, executor
        As in :func:`relucert.certify`.
    random_state : int, RandomState instance or None, default 0
        Seed of every random choice; the same integer gives the same bits.

    Attributes
    ----------
    lower_bound_ : float
        No network of any width has a smaller objective on the training data: proved.
    upper_bound_ : float
        The objective of the fitted network, rounded upwards.
    gap_ : float
        (upper − lower)/upper, rounded upwards.
    hidden_weights_ : array, features × neurons
        U; with an intercept its last row is that of the ones.
    output_weights_ : array, outputs × neurons
        V.
    gamma_ : float
        The weight decay γ that was used.
    report_ : dict
        The figures of the run.
    certificate_ : Certificate
        What proves the lower bound.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.
"""


class _ReLUEstimator(BaseEstimator):  # type: ignore[misc]
    def __init__(
        self,
        alpha: float = 0.1,
        *,
        gamma: float | None = None,
        fit_intercept: bool = True,
        tolerance: float = 1e-3,
        method: Method = "relaxation",
        cuts: Literal["none", "auto"] | int = "none",
        blocks: Literal["auto"] | int = "auto",
        prices: Literal["none", "auto"] | int = "none",
        effort: Effort = "normal",
        time_limit: float | timedelta | None = None,
        threads: int | None = None,
        executor: Executor | Callable[[], Executor] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.alpha = alpha
        self.gamma = gamma
        self.fit_intercept = fit_intercept
        self.tolerance = tolerance
        self.method = method
        self.cuts = cuts
        self.blocks = blocks
        self.prices = prices
        self.effort = effort
        self.time_limit = time_limit
        self.threads = threads
        self.executor = executor
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _certify(self, X: Any, targets: NDArray[Any]) -> None:
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31)
        self.gamma_ = self.alpha * X.shape[0] if self.gamma is None else self.gamma
        found = certify(
            X,
            targets,
            self.gamma_,
            bias=self.fit_intercept,
            tolerance=self.tolerance,
            method=self.method,
            cuts=self.cuts,
            blocks=self.blocks,
            prices=self.prices,
            effort=self.effort,
            time_limit=self.time_limit,
            seed=seed,
            threads=self.threads,
            executor=self.executor,
        )
        self.lower_bound_, self.upper_bound_, self.gap_ = found.lower_bound, found.upper_bound, found.gap
        self.hidden_weights_, self.output_weights_ = found.network.U, found.network.V
        self.report_, self.certificate_ = found.report, found.certificate

    def _output(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self)
        network = Network(self.hidden_weights_, self.output_weights_, self.fit_intercept)
        return network.predict(validate_data(self, X, reset=False, **_FEATURES))

    # What fit sets.
    gamma_: float
    lower_bound_: float
    upper_bound_: float
    gap_: float
    hidden_weights_: NDArray[np.float64]
    output_weights_: NDArray[np.float64]
    report_: dict[str, Any]
    certificate_: Certificate


class ReLURegressor(MultiOutputMixin, RegressorMixin, _ReLUEstimator):  # type: ignore[misc]
    __doc__ = (
        """Least squares by a two-layer ReLU network, with a proof of how far from globally optimal it is."""
        + _SHARED
        + """
    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> model = ReLURegressor(alpha=1e-3).fit(x, np.abs(x[:, 0]))
    >>> model.lower_bound_ <= model.upper_bound_
    True
    >>> bool(model.score(x, np.abs(x[:, 0])) > 0.99)
    True
    """
    )

    def fit(self, X: Any, y: Any) -> ReLURegressor:
        """Trains the network and proves the bound. X is n × d, dense or sparse; y is n, or n × c."""
        X, y = validate_data(self, X, y, **_FEATURES, multi_output=True, y_numeric=True, ensure_min_samples=2)
        self._is_row = y.ndim == 1
        self._certify(X, y)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predictions, in the shape of the y that was fitted."""
        output = self._output(X)
        return output[:, 0] if self._is_row else output


class ReLUClassifier(ClassifierMixin, _ReLUEstimator):  # type: ignore[misc]
    __doc__ = (
        """Classes by a two-layer ReLU network on one-hot targets, with a proof of how far from globally optimal it is.

    Every class is an output, its target 1 or 0, and the loss is that of least squares; the largest output decides. With
    two classes there are two outputs, as on the command line."""
        + _SHARED
        + """
    classes_ : array
        The labels, sorted.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> model = ReLUClassifier(alpha=1e-3).fit(x, np.where(np.abs(x[:, 0]) < 0.5, "inside", "outside"))
    >>> model.predict([[0.0], [0.9]]).tolist()
    ['inside', 'outside']
    """
    )

    classes_: NDArray[Any]

    def fit(self, X: Any, y: Any) -> ReLUClassifier:
        """Trains the network and proves the bound. X is n × d, dense or sparse; y has a label for each sample."""
        X, y = validate_data(self, X, y, **_FEATURES, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: one class only ({self.classes_[0]}); at least two classes are needed")
        self._certify(X, (labels[:, np.newaxis] == np.arange(len(self.classes_))).astype(np.float64))
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The outputs, n × classes; with two classes the second minus the first, n."""
        output = self._output(X)
        return output[:, 1] - output[:, 0] if len(self.classes_) == 2 else output

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of the largest output, the first of several."""
        largest = np.argmax(self._output(X), axis=1)
        return np.asarray(self.classes_[largest])
