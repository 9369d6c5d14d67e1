"""Exceptions. Each is a vise.Error and the built-in exception that fits, with the library's own text."""
from __future__ import annotations


class Error(Exception):
    """An error of the Vise library; `code` is its symbol, such as "VISE_ERR_SHAPE"."""

    code = "VISE_ERR_INTERNAL"


class UsageError(Error, ValueError):
    """An option or argument is wrong, or contradicts another."""

    code = "VISE_ERR_USAGE"


class ShapeError(Error, ValueError):
    """Shapes or sizes do not fit together."""

    code = "VISE_ERR_SHAPE"


class DataError(Error, ValueError):
    """A value in the data or the weights is out of range or not finite."""

    code = "VISE_ERR_VALUE"


class FormatError(Error, ValueError):
    """A file or a block of bytes is malformed."""

    code = "VISE_ERR_FORMAT"


class FileError(Error, OSError):
    """A file or folder cannot be opened, read or written."""

    code = "VISE_ERR_IO"


class OutOfMemoryError(Error, MemoryError):
    """Out of memory, or a size that does not fit in memory."""

    code = "VISE_ERR_MEMORY"


class UnsupportedError(Error, NotImplementedError):
    """Not available in this build, in this backend or on this machine."""

    code = "VISE_ERR_UNSUPPORTED"


class NonFiniteError(Error, FloatingPointError):
    """Training produced numbers that are not finite, and was told to stop then."""

    code = "VISE_ERR_NONFINITE"


class DeviceError(Error, RuntimeError):
    """The GPU failed; the trainer cannot be used any more."""

    code = "VISE_ERR_DEVICE"


class StateError(Error, RuntimeError):
    """The object is not in a state in which the call is allowed."""

    code = "VISE_ERR_STATE"


class InternalError(Error, RuntimeError):
    """A fault in Vise itself."""

    code = "VISE_ERR_INTERNAL"


# By vise_status.
BY_STATUS = {1: UsageError, 2: ShapeError, 3: DataError, 4: FormatError, 5: FileError, 6: OutOfMemoryError,
             7: UnsupportedError, 8: NonFiniteError, 9: DeviceError, 10: StateError, 11: InternalError}
