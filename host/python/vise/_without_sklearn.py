"""What the estimators need of scikit-learn, for where it is not installed."""
from __future__ import annotations

import inspect
from typing import Any, Callable, Dict

import numpy as np


class NotFittedError(ValueError, AttributeError):
    """The estimator is used before it was fitted."""


class BaseEstimator:
    """Parameters by name, as get_params gives them."""

    def get_params(self, deep: bool = True) -> Dict[str, Any]:
        """Those of the constructor."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> BaseEstimator:
        """Sets parameters by name; returns self."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for {type(self).__name__}. Valid ones: {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = {name: value for name, value in self.get_params().items()
                 if value is not inspect.signature(type(self).__init__).parameters[name].default}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


class ClassifierMixin:
    """score of a classifier."""

    predict: Callable[[Any], np.ndarray]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows that are right, with all their labels."""
        right = self.predict(X) == np.asarray(y)
        return float(np.average(right if right.ndim == 1 else right.all(axis=1), weights=sample_weight))


class RegressorMixin:
    """score of a regressor."""

    predict: Callable[[Any], np.ndarray]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2: 1 - residual over total sum of squares, averaged over targets."""
        y, weights = np.asarray(y, dtype=np.float64), sample_weight
        residual = np.average((y - self.predict(X)) ** 2, axis=0, weights=weights)
        total = np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
        return float(np.mean(1 - residual / total))
