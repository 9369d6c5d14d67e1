"""Arrays, DataFrames and sparse matrices as tables of the library, and what it makes of them."""
from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_size_t
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from . import _library as _l
from ._library import Array, Handle, call, lib, made

_DTYPES = {np.dtype(np.uint8): _l.U8, np.dtype(np.int32): _l.I32, np.dtype(np.int64): _l.I64,
           np.dtype(np.float32): _l.F32, np.dtype(np.float64): _l.F64}


def address_of(values: np.ndarray) -> int:
    """Where its elements begin; several times as fast as values.ctypes.data."""
    return int(values.__array_interface__["data"][0])


def array_of(values: np.ndarray) -> Array:
    """A view of a matrix or of a column, which keeps its memory."""
    dtype = _DTYPES.get(values.dtype)
    if dtype is None:
        raise TypeError(f"numbers of type {values.dtype}")
    size, shape, strides = values.itemsize, values.shape, values.strides
    if len(shape) == 1:
        shape, strides = (shape[0], 1), (strides[0], 0)
    by_row, by_column = strides
    if by_row % size or by_column % size or by_row < 0 or by_column < 0:
        raise ValueError("an array whose strides are no multiples of its elements")
    view = Array(address_of(values), dtype, *shape, by_row // size, by_column // size)
    view.values = values
    return view


def _has_whole_strides(values: np.ndarray) -> bool:
    """Whether elements lie at multiples of their size, forwards."""
    size = values.itemsize
    for stride in values.strides:
        if stride <= 0 or stride % size:
            return False
    return True


def numbers_of(values: Any) -> np.ndarray:
    """The same numbers in a type that the library takes, copied only where they must be."""
    values = np.asarray(values)
    dtype = values.dtype
    if dtype in _DTYPES and dtype.isnative and (values.size == 0 or _has_whole_strides(values)):
        return values
    if values.dtype.kind == "c":
        raise ValueError("Complex data not supported")
    if values.dtype.kind in "bui" and values.dtype.itemsize < 8:
        return values.astype(np.int64)
    return np.ascontiguousarray(values, dtype=np.float64)


def is_frame(x: Any) -> bool:
    """Whether x has columns with names and types, as pandas and what follows its interface."""
    if isinstance(x, np.ndarray):
        return False
    return hasattr(x, "columns") and hasattr(x, "dtypes") and hasattr(x, "iloc")


def names_of(x: Any) -> Optional[List[str]]:
    """Names of the columns; None without, or where they are not texts."""
    if not is_frame(x):
        return None
    names = list(x.columns)
    texts = [isinstance(name, str) for name in names]
    if any(texts) and not all(texts):
        raise TypeError("Feature names are only supported if all input features have string names, but your input has "
                        f"{sorted({type(name).__name__ for name in names})} as feature name / column name types. Rename "
                        "them, as in X.columns = X.columns.astype(str)")
    return names if all(texts) and names else None


def dense(x: Any) -> Any:
    """A sparse matrix as an array; other inputs as they are."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "toarray") and hasattr(x, "nnz"):
        return np.asarray(x.toarray())
    return x


def is_gap(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _text(value: Any) -> Optional[bytes]:
    if is_gap(value):
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer() and abs(float(value)) < 2 ** 53:
        return str(int(value)).encode()
    return str(value).encode()


def texts_of(values: Sequence[Any]) -> List[Optional[bytes]]:
    """A column of objects as texts, gaps as None."""
    return [_text(value) for value in values]


class Table:
    """A vise_table that is being filled."""

    def __init__(self, n_rows: int, name: str = "X") -> None:
        self.handle = Handle(made(lib.vise_table_create, name.encode(), n_rows), lib.vise_table_free)
        self.n_rows = n_rows

    @property
    def pointer(self) -> Optional[int]:
        return self.handle.pointer

    def add_numbers(self, values: np.ndarray, names: Optional[Sequence[str]]) -> None:
        values = numbers_of(values)
        n = 1 if values.ndim == 1 else values.shape[1]
        texts = (c_char_p * n)(*[name.encode() for name in names]) if names is not None else None
        call(lib.vise_table_add_numbers, self.pointer, texts, byref(array_of(values)))

    def add_texts(self, values: Sequence[Optional[bytes]], name: Optional[str], judge: bool = False) -> None:
        """A column of texts; judge: with the words for gaps, and the dates, of a file's column."""
        texts = (c_char_p * len(values))(*values)
        function = lib.vise_table_add_fields if judge else lib.vise_table_add_text
        call(function, self.pointer, name.encode() if name is not None else None, texts)

    def add(self, values: Any, name: Optional[str]) -> None:
        """A column of any type: numbers, dates as ISO texts, all else as text."""
        dtype = getattr(values, "dtype", None)
        kind = getattr(dtype, "kind", "O")
        names = None if name is None else [name]
        if kind == "M":
            self.add_texts(_dates(values), name, judge=True)
        elif str(dtype) == "category" or kind == "b" or str(dtype) == "boolean":
            self.add_texts(texts_of(list(values)), name)
        elif kind in "OUS" or str(dtype).startswith("str"):
            column = list(values)
            if _are_numbers(column):
                gaps = [np.nan if is_gap(v) else v for v in column]
                self.add_numbers(np.array(gaps, dtype=np.float64), names)
            else:
                self.add_texts(texts_of(column), name, judge=True)
        elif hasattr(values, "to_numpy"):
            self.add_numbers(values.to_numpy(dtype=np.float64, na_value=np.nan), names)
        else:
            self.add_numbers(np.asarray(values), names)

    def add_all(self, x: Any, names: Optional[Sequence[str]]) -> None:
        """The columns of a DataFrame or a matrix."""
        if is_frame(x):
            for i, (_, column) in enumerate(x.items()):
                self.add(column, names[i] if names is not None else None)
        elif x.dtype.kind in "OUS":
            for i in range(x.shape[1]):
                self.add(x[:, i], names[i] if names is not None else None)
        else:
            self.add_numbers(x, names)


def _are_numbers(column: Sequence[Any]) -> bool:
    """Whether objects are numbers and gaps."""
    return all(is_gap(v) or (isinstance(v, (int, float, np.number)) and not isinstance(v, bool)) for v in column)


def _dates(values: Any) -> List[Optional[bytes]]:
    moments = np.asarray(values, dtype="datetime64[s]")
    whole = bool(np.all((moments.astype("datetime64[D]") == moments) | np.isnat(moments)))
    texts = np.datetime_as_string(moments.astype("datetime64[D]") if whole else moments)
    return [None if text == "NaT" else text.encode() for text in texts.tolist()]


def column_name(wanted: str, taken: Optional[Sequence[str]]) -> str:
    """A name for one more column."""
    name, i = wanted, 1
    while taken is not None and name in taken:
        name, i = f"{wanted}.{i}", i + 1
    return name


def rows_pointer(rows: Optional[np.ndarray]) -> Any:
    """Rows as size_t[n]; None: all."""
    if rows is None:
        return None, 0
    rows = np.ascontiguousarray(rows, dtype=np.uintp)
    return (c_size_t * len(rows)).from_buffer_copy(rows.tobytes()) if len(rows) else (c_size_t * 1)(), len(rows)


def dataset_of(transformed: Handle, weights: Optional[np.ndarray]) -> Handle:
    """A dataset of what a preprocessor made, which it takes over."""
    pointer, transformed.pointer = transformed.pointer, None
    view = byref(array_of(weights)) if weights is not None else None
    return Handle(made(lib.vise_dataset_from_transformed, pointer, None, view), lib.vise_dataset_free)


def prepared(table: Table, how: Any, rows: Optional[np.ndarray], dtype: int, weights: Optional[np.ndarray],
             known: Optional[Handle]) -> Tuple[Handle, Handle]:
    """Rows of a table (None: all) as a dataset, and the preprocessor that made it: `known`, or a new one fitted to them."""
    options, (pointer, n) = _l.sized(_l.TransformOptions, lib.vise_transform_options_init_sized), rows_pointer(rows)
    options.dtype, options.n_rows = dtype, n
    if pointer is not None:
        options.rows = ctypes.cast(pointer, ctypes.POINTER(c_size_t))
    if weights is not None:
        options.row_weights = ctypes.pointer(array_of(weights))
    preprocessor = ctypes.c_void_p(known.pointer if known is not None else None)
    dataset = made(lib.vise_dataset_prepare, table.pointer, byref(how), byref(options), byref(preprocessor))
    if known is None:
        known = Handle(preprocessor.value or 0, lib.vise_preprocessor_free)
    return Handle(dataset, lib.vise_dataset_free), known


def transform(preprocessor: Handle, table: Table, rows: Optional[np.ndarray], dtype: int, targets: bool,
              every_row: bool = False) -> Handle:
    """vise_preprocessor_transform"""
    how = _l.sized(_l.TransformOptions, lib.vise_transform_options_init_sized)
    pointer, n = rows_pointer(rows)
    how.dtype, how.targets, how.keep_all_rows, how.n_rows = dtype, targets, every_row, n
    if pointer is not None:
        how.rows = ctypes.cast(pointer, ctypes.POINTER(c_size_t))
    out = made(lib.vise_preprocessor_transform, preprocessor.pointer, table.pointer, byref(how))
    return Handle(out, lib.vise_transformed_free)


def title_of(y: Any, otherwise: str, i: int = 0) -> str:
    """The name of a Series, or of column i of a DataFrame."""
    columns = getattr(y, "columns", None)
    name = columns[i] if columns is not None else getattr(y, "name", None)
    return name if isinstance(name, str) and name and "," not in name else otherwise


def _places(columns: Any, names: Optional[List[str]], n: int, parameter: str) -> List[int]:
    """Columns by name or place as places."""
    if columns is None:
        return []
    listed = [columns] if isinstance(columns, (str, int, np.integer)) else list(columns)
    places = []
    for column in listed:
        if names is not None and isinstance(column, str) and column in names:
            places.append(names.index(column))
        elif isinstance(column, (int, np.integer)) and -n <= column < n:
            places.append(int(column) % n)
        else:
            raise ValueError(f"`{parameter}`: X has no column {column!r}")
    return places


def retyped(x: Any, names: Optional[List[str]], categorical: Any, numeric: Any) -> Any:
    """X with the columns of `categorical` as texts and those of `numeric` as numbers."""
    as_text = _places(categorical, names, x.shape[1], "categorical")
    as_number = _places(numeric, names, x.shape[1], "numeric")
    if set(as_text) & set(as_number):
        raise ValueError("`categorical` and `numeric` name the same column")
    if not as_text and not as_number:
        return x
    frame = _Columns(x)
    for place in as_text:
        texts = texts_of(list(frame.columns_[place]))
        frame.columns_[place] = np.array([None if text is None else text.decode() for text in texts], dtype=object)
    for place in as_number:
        column = frame.columns_[place]
        try:
            frame.columns_[place] = np.asarray(column, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"`numeric`: column {names[place] if names else place} has what is no number: {error}"
                             ) from None
    return frame


class _Columns:
    """Columns of any types, as much of a DataFrame as a table needs."""

    dtypes = iloc = None

    def __init__(self, x: Any) -> None:
        self.columns_ = [column for _, column in x.items()] if hasattr(x, "items") else [*x.T]
        self.columns = range(x.shape[1])
        self.shape = x.shape

    def items(self) -> Any:
        return enumerate(self.columns_)
