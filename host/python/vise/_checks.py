"""What comes in: X, y and weights, with the messages that scikit-learn's users know."""
from __future__ import annotations

import numbers
import warnings
from typing import Any, List, Optional, Tuple

import numpy as np

from ._tables import dense, is_frame, is_gap, names_of, numbers_of


def _wrong_names(seen: List[str], names: List[str]) -> str:
    lines = ["The feature names should match those that were passed during fit."]
    for title, some in (("Feature names unseen at fit time:", [n for n in names if n not in seen]),
                        ("Feature names seen at fit time, yet now missing:", [n for n in seen if n not in names])):
        if some:
            lines += [title] + [f"- {name}" for name in sorted(some)[:5]] + ["- ..."] * (len(some) > 5)
    if len(lines) == 1:
        lines.append("Feature names must be in the same order as they were in fit.")
    return "\n".join(lines) + "\n"


def features_of(x: Any, estimator: str) -> Any:
    """X as a DataFrame or a two-dimensional array of finite numbers, NaN (gaps), or texts; names are left behind where all
    columns are numbers."""
    if is_frame(x):
        if x.shape[0] == 0 or x.shape[1] == 0:
            raise ValueError(f"Found array with {x.shape[0]} sample(s) and {x.shape[1]} feature(s) "
                             f"(shape={x.shape}) while a minimum of 1 is required by {estimator}.")
        return _frame(x, estimator)

    x = dense(x)
    values = np.asarray(x)
    if values.ndim != 2:
        shown = "a scalar" if values.ndim == 0 else f"{values.ndim}D array"
        raise ValueError(f"Expected 2D array, got {shown} instead. Reshape your data either using array.reshape(-1, 1) "
                         "if your data has a single feature or array.reshape(1, -1) if it contains a single sample.")
    if values.shape[0] == 0 or values.shape[1] == 0:
        what = "sample(s)" if values.shape[0] == 0 else "feature(s)"
        raise ValueError(f"Found array with 0 {what} (shape={values.shape}) while a minimum of 1 is required by "
                         f"{estimator}.")
    if values.dtype.kind in "US":
        return values.astype(object)
    if values.dtype.kind == "O":
        return _objects(values, estimator)
    values = numbers_of(values)
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(f"Input X contains infinity or a value too large for {values.dtype!r}. {estimator} takes NaN as "
                         "a gap, but no infinity.")
    return values


def _frame(x: Any, estimator: str) -> Any:
    """A DataFrame of finite numbers and other things; as an array if all its columns are plain numbers, since to take many
    columns one by one takes longer than a net needs for them."""
    plain = all(isinstance(dtype, np.dtype) and dtype.kind in "fiu" for dtype in x.dtypes)
    if plain:
        numbers_, floats = x.to_numpy(), list(range(x.shape[1]))
    else:
        floats = [i for i, dtype in enumerate(x.dtypes) if getattr(dtype, "kind", "O") == "f"]
        numbers_ = x.iloc[:, floats].to_numpy(dtype=np.float64, na_value=np.nan)
    if numbers_.dtype.kind == "f" and np.isinf(numbers_).any():
        name = x.columns[floats[int(np.isinf(numbers_).any(axis=0).argmax())]]
        raise ValueError(f"Input X contains infinity or a value too large for dtype('float64'), in column {name!r}. "
                         f"{estimator} takes NaN as a gap, but no infinity.")
    return numbers_of(numbers_) if plain else x


def _objects(values: np.ndarray, estimator: str) -> np.ndarray:
    """Objects that are all numbers become numbers; others stay, column by column."""
    if all(isinstance(value, numbers.Number) or value is None for value in values.flat):
        if any(isinstance(value, complex) for value in values.flat):
            raise ValueError("Complex data not supported")
        return features_of(values.astype(np.float64), estimator)
    for value in values.flat:
        if not (value is None or isinstance(value, (str, bytes, numbers.Number, np.generic)) or hasattr(value, "year")):
            raise TypeError(f"argument must be a string or a number, not a {type(value).__name__}, as X has one")
    return values


def check_features(estimator: Any, x: Any) -> Any:
    """X for a fitted estimator: as many columns, and the same names, as at the fit."""
    name = type(estimator).__name__
    names = names_of(x)
    seen = getattr(estimator, "feature_names_in_", None)
    if names is not None and seen is not None and list(seen) != names:
        raise ValueError(_wrong_names(list(seen), names))
    if names is not None and seen is None:
        warnings.warn(f"X has feature names, but {name} was fitted without feature names", UserWarning, stacklevel=3)
    if names is None and seen is not None:
        warnings.warn(f"X does not have valid feature names, but {name} was fitted with feature names", UserWarning,
                      stacklevel=3)
    x = features_of(x, name)
    if x.shape[1] != estimator.n_features_in_:
        raise ValueError(f"X has {x.shape[1]} features, but {name} is expecting {estimator.n_features_in_} features as "
                         "input.")
    return x


def column_of(y: Any, estimator: str) -> np.ndarray:
    """y of one column."""
    if y is None:
        raise ValueError(f"This {estimator} estimator requires y to be passed, but the target y is None.")
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        try:
            from sklearn.exceptions import DataConversionWarning as kind
        except ImportError:
            kind = UserWarning
        warnings.warn("A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
                      "(n_samples,), for example using ravel().", kind, stacklevel=4)
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {values.shape} instead.")
    return values


def labels_of(y: Any, estimator: str) -> np.ndarray:
    """Labels of classes: whole numbers, texts or bools."""
    values = column_of(y, estimator)
    if values.dtype.kind == "c":
        raise ValueError("Complex data not supported")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise ValueError("Input y contains NaN." if np.isnan(values).any() else "Input y contains infinity or a value "
                             f"too large for {values.dtype!r}.")
        if (values != np.floor(values)).any():
            raise ValueError("Unknown label type: continuous. Maybe you are trying to fit a classifier, which expects "
                             "discrete classes on a regression target with continuous values.")
    if values.dtype.kind == "O":
        if any(is_gap(value) for value in values):
            raise ValueError("Input y contains NaN.")
        if len({isinstance(value, str) for value in values}) > 1:
            raise ValueError("Unknown label type: unknown. y has texts and numbers: make it one of the two.")
        if len(values) > 0 and not isinstance(values[0], str):
            return labels_of(np.array(values.tolist()), estimator)
    return values


def distinct(labels: np.ndarray) -> np.ndarray:
    """The different labels of a column, ascending; in less time than np.unique needs for few of them."""
    if labels.dtype.kind not in "bui" or len(labels) == 0:
        return np.unique(labels)
    ordered = np.sort(labels)
    begins = np.empty(len(ordered), dtype=bool)
    begins[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return ordered[begins]


def label_columns(y: Any) -> Optional[np.ndarray]:
    """y of several columns that are 0 or 1 for each label: float64 [n, labels]; None: y has one column."""
    values = dense(y)
    if not isinstance(values, np.ndarray):
        values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] < 2:
        return None
    try:
        numbers_ = values.astype(np.float64)
    except (TypeError, ValueError):
        numbers_ = np.array([np.inf])
    if np.isnan(numbers_).any():
        raise ValueError("Input y contains NaN.")
    if not np.isin(numbers_, (0, 1)).all():
        raise ValueError(f"Unknown label type: y of shape {values.shape} has other values than 0 and 1, which say of each "
                         "label whether it is there. For one class of each row y should be a 1d array.")
    return numbers_


def targets_of(y: Any, estimator: str) -> Tuple[np.ndarray, bool]:
    """Numbers [n, targets], and whether y had one dimension."""
    if y is None:
        raise ValueError(f"This {estimator} estimator requires y to be passed, but the target y is None.")
    values = np.asarray(y)
    if values.dtype.kind == "c":
        raise ValueError("Complex data not supported")
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"y has values that are no numbers: {estimator} predicts numbers") from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_of(y, estimator).astype(np.float64)
    if values.ndim not in (1, 2):
        raise ValueError(f"y should be a 1d or 2d array, got an array of shape {values.shape} instead.")
    if np.isnan(values).any():
        raise ValueError("Input y contains NaN.")
    if np.isinf(values).any():
        raise ValueError("Input y contains infinity or a value too large for dtype('float64').")
    return (values[:, None], True) if values.ndim == 1 else (values, False)


def weights_of(weights: Any, n_rows: int) -> Optional[np.ndarray]:
    """Row weights as float64[n]; None: all 1."""
    if weights is None:
        return None
    values = np.ascontiguousarray(np.asarray(weights), dtype=np.float64)
    if np.asarray(weights).ndim == 0:
        values = np.full(n_rows, float(values[0]))
    if values.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if len(values) != n_rows:
        raise ValueError(f"sample_weight.shape == {values.shape}, expected {(n_rows,)}!")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("sample_weight has values that are negative or not finite")
    if not (values > 0).any():
        raise ValueError("sample_weight is zero for all rows: there is nothing to learn from")
    return values


def same_length(x: Any, y: np.ndarray) -> None:
    """As many rows in X as in y."""
    if x.shape[0] != len(y):
        raise ValueError(f"Found input variables with inconsistent numbers of samples: [{x.shape[0]}, {len(y)}]")


def warn_of_constant(what: str, n_calls: int) -> None:
    """A fit to targets that are all the same is one to nothing, but it is a fit. n_calls: from the user's line to here."""
    warnings.warn(f"{what}, so there is nothing else to learn", RuntimeWarning, stacklevel=n_calls + 1)


def in_one_batch(x: Any, y: np.ndarray, weights: Optional[np.ndarray], batch: float) -> Tuple[Any, np.ndarray, Any]:
    """Few rows of numbers that a batch holds whole, in an order of their own, and as often as weights of whole numbers say:
    only so is the fit the same, bit for bit, for rows in another order, or twice in place of a weight of 2."""
    n = len(y) if weights is None else weights.sum()
    if n > min(batch, 1000) or (weights is not None and (weights != np.floor(weights)).any()):
        return x, y, weights
    if is_frame(x) and all(getattr(dtype, "kind", "O") in "fiu" for dtype in x.dtypes):
        values = x.to_numpy(dtype=np.float64, na_value=np.nan)
    elif isinstance(x, np.ndarray) and x.dtype.kind in "fiu":
        values = x
    else:
        return x, y, weights
    if y.dtype.kind == "O":
        return x, y, weights

    order = np.lexsort([*values.T[::-1], *(y.T if y.ndim == 2 else y[None])[::-1]])
    if weights is not None:
        order = np.repeat(order, weights[order].astype(np.intp))
    return x.iloc[order] if is_frame(x) else np.ascontiguousarray(x[order]), y[order], None


def seed_of(random_state: Any) -> Optional[int]:
    """A seed of scikit-learn's random_state; None: that of the option."""
    if random_state is None:
        return None
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(random_state.integers(2 ** 31) if hasattr(random_state, "integers") else random_state.randint(2 ** 31 - 1))
