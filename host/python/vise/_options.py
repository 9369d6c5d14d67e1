"""Options of a training: Python values to the texts that the library parses, and the configs made of them."""
from __future__ import annotations

import ctypes
import math
import numbers
import struct
from functools import lru_cache
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ._library import GIVEN_CALL, Config, RecipeFacts, RunConfig, call, lib, sized, spoken_names

OF_TRAIN, OF_NET, OF_RUN = range(3)  # vise_option_struct
_SETTERS = (lib.vise_train_config_set, lib.vise_net_config_set, lib.vise_run_config_set)
_GETTERS = (lib.vise_train_config_get, lib.vise_net_config_get)
# vise_option_type
(FLAG, YES_NO, REAL, COUNT, INT, BYTES, NAME, TEXT, PATH, SWITCHED_REAL, INTERVAL, WIDTHS, REALS, SIZES, LAYERS,
 MOMENT, CADENCE, LAYER_REALS) = range(18)


class OptionRow(ctypes.Structure):
    """The beginning of vise_option."""

    _fields_ = [("name", ctypes.c_char_p), ("field", ctypes.c_char_p), ("of", ctypes.c_int),
                ("offsets", ctypes.c_size_t * 3), ("argument", ctypes.c_char_p), ("default", ctypes.c_char_p),
                ("help", ctypes.c_char_p), ("type", ctypes.c_int), ("topic", ctypes.c_int)]


def rows() -> Iterator[OptionRow]:
    """The table of the library, in the order of its help."""
    i = 0
    while True:
        pointer = lib.vise_option_at(i)
        if not pointer:
            return
        yield ctypes.cast(pointer, ctypes.POINTER(OptionRow)).contents
        i += 1


def parameter_of(name: str) -> str:
    """The name of an option as a parameter: no-bias is bias."""
    return name[3:] if name.startswith("no-") else name.replace("-", "_")


class _Row(NamedTuple):
    """What is known of an option; offsets: of its fields in the struct."""

    name: bytes
    of: int
    kind: int
    inverted: bool
    offsets: Tuple[int, ...]
    number: Optional[struct.Struct]  # how a field of one number lies in memory


_NUMBERS = {kind: struct.Struct(format_) for kind, format_ in
            ((FLAG, "?"), (YES_NO, "?"), (COUNT, "Q"), (INT, "i"), (NAME, "i"), (REAL, "d"))}
_ROWS: Dict[str, _Row] = {parameter_of(row.name.decode()): _Row(
    row.name, row.of, row.type, row.name.startswith(b"no-"), tuple(row.offsets), _NUMBERS.get(row.type)) for row in rows()}


spoken_names.update({field: parameter_of(row.name.decode()) for row in rows() for field in
                     (row.field or b"").decode().split(",")}, validation="val_fraction")


def option_of(parameter: str) -> str:
    """The option's own name: clip-norm for clip_norm."""
    return _ROWS[parameter].name.decode()


def _number(value: Any) -> str:
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    return repr(float(value))


def _wrong(parameter: str, value: Any, right: str) -> TypeError:
    return TypeError(f"`{parameter}` is {value!r}, of type {type(value).__name__}; it takes {right}")


def _texts(parameter: str, kind: int, value: Any) -> List[str]:
    """The texts to set one after the other."""
    is_number = isinstance(value, numbers.Real) or type(value).__name__ == "bool_"
    if isinstance(value, str):
        return [value]
    if kind in (FLAG, YES_NO):
        if is_number and value in (0, 1):
            return ["yes" if value else "no"]
        raise _wrong(parameter, value, "True or False")
    if value is False or (kind == COUNT and is_number and value == math.inf):  # no end, no limit
        return ["off"]
    if kind == PATH and hasattr(value, "__fspath__"):
        return [value.__fspath__()]
    if is_number:
        return [_number(value)]

    if kind == LAYER_REALS and isinstance(value, Mapping):
        return [f"{layer}={_number(bound)}" for layer, bound in value.items()]
    if kind == LAYERS and isinstance(value, Mapping):
        return [f"{layer}={_texts(parameter, INTERVAL, box)[0]}" for layer, box in value.items()]
    if isinstance(value, Mapping) or not hasattr(value, "__iter__"):
        raise _wrong(parameter, value, "a number, a text, or what its documentation says")
    items = list(value)
    if kind == INTERVAL and len(items) == 2:
        return [":".join(_number(item) for item in items)]
    if kind == WIDTHS:
        return ["-".join("auto" if item is None else str(item) for item in items)]
    if kind in (REALS, SIZES):
        return [",".join(_number(item) for item in items)]
    if kind in (LAYERS, LAYER_REALS):
        return [str(item) for item in items]
    raise _wrong(parameter, value, "one value")


# Options whose values lie in the struct itself, so that a copy of it owns nothing.
_IN_THE_STRUCT = frozenset((FLAG, YES_NO, REAL, COUNT, INT, BYTES, NAME, SWITCHED_REAL, INTERVAL, WIDTHS))
MOST_KNOWN = 256


class Configs:
    """The three configs of a training, with the texts in them."""

    _known: Dict[Any, Configs] = {}  # by options and recipe

    def __init__(self, like: Optional[Configs] = None) -> None:
        """All defaults, or a copy of one that owns nothing."""
        if like is None:
            self.train = sized(Config, lib.vise_train_config_init_sized)
            self.net = sized(Config, lib.vise_net_config_init_sized)
            self.run = sized(RunConfig, lib.vise_run_config_init_sized)
        else:
            self.train, self.net = Config.from_buffer_copy(like.train), Config.from_buffer_copy(like.net)
            self.run = RunConfig.from_buffer_copy(like.run)
        self._structs = (self.train, self.net, self.run)
        self._owns = False  # whether there is something to free
        self._is_shared = False

    def __del__(self) -> None:
        if self._owns:
            lib.vise_train_config_clear(ctypes.byref(self.train))
            lib.vise_run_config_clear(ctypes.byref(self.run))

    @classmethod
    def to_read(cls, options: Mapping[str, Any], recipe: str = "") -> Configs:
        """Those with these options, and with what vise_recipe_for_table says, which nobody changes. They are remembered: to
        set options by name takes longer than a step of a small net."""
        key: Any = (recipe, *[(name, value.__class__, tuple(value) if value.__class__ is list else value)
                              for name, value in options.items()])
        try:
            known = cls._known.get(key)
        except TypeError:  # some value is no key
            key, known = None, None
        if known is not None:
            return known

        configs = cls()
        for parameter, value in options.items():
            configs.set(parameter, value)
        configs.set_recipe(recipe)
        if key is not None and not configs._owns:
            if len(cls._known) >= MOST_KNOWN:
                cls._known.clear()
            configs._is_shared = True
            cls._known[key] = configs
        return configs

    @classmethod
    def of(cls, options: Mapping[str, Any], recipe: str = "") -> Configs:
        """The same, for one fit alone."""
        configs = cls.to_read(options, recipe)
        return cls(configs) if configs._is_shared else configs

    def _set_text(self, row: _Row, text: str) -> None:
        self._owns = self._owns or row.kind not in _IN_THE_STRUCT
        call(_SETTERS[row.of], ctypes.byref(self._structs[row.of]), row.name, text.encode())

    def set(self, parameter: str, value: Any) -> None:
        """One option by its parameter's name. ValueError, TypeError."""
        row = _ROWS.get(parameter)
        if row is None:
            raise TypeError(f"there is no option `{parameter}`")
        if row.inverted:
            if value not in (0, 1, True, False):
                raise _wrong(parameter, value, "True or False")
            value = not value
        for text in _texts(parameter, row.kind, value):
            self._set_text(row, text)

    def set_recipe(self, text: str) -> None:
        """What vise_recipe_for_table says."""
        for pair in text.split():
            name, value = pair.split("=")
            self._set_text(_ROWS[parameter_of(name)], value)

    def get(self, parameter: str) -> str:
        """An option's value as text."""
        row = _ROWS[parameter]
        buffer = ctypes.create_string_buffer(4096)
        call(_GETTERS[row.of], ctypes.byref(self._structs[row.of]), row.name, buffer, len(buffer))
        return buffer.value.decode()

    def number(self, parameter: str) -> Any:
        """A flag, a count, the value of an enumeration or a real number, straight from its field; 0: off, full."""
        row = _ROWS[parameter]
        return row.number.unpack_from(self._structs[row.of], row.offsets[0])[0]  # type: ignore[union-attr]

    def put(self, parameter: str, number: Any) -> None:
        """Sets such a field to what the library itself said."""
        row = _ROWS[parameter]
        row.number.pack_into(self._structs[row.of], row.offsets[0], number)  # type: ignore[union-attr]

    def widths(self) -> List[int]:
        """The sizes in `layers`, 0 for auto; none: []."""
        row = _ROWS["layers"]
        n = struct.unpack_from("N", self.net, row.offsets[0])[0]
        return list(struct.unpack_from(f"{n + 1}N", self.net, row.offsets[1])) if n > 0 else []

    def put_widths(self, widths: Sequence[int]) -> None:
        """Sets `layers` to what `widths` gave, with some of the zeros replaced."""
        row = _ROWS["layers"]
        struct.pack_into("N", self.net, row.offsets[0], len(widths) - 1)
        struct.pack_into(f"{len(widths)}N", self.net, row.offsets[1], *widths)

    def texts(self) -> Dict[str, str]:
        """Every option of training and net as text."""
        made = {parameter: self.get(parameter) for parameter, row in _ROWS.items() if row.of != OF_RUN}
        return {parameter: text for parameter, text in made.items() if text != ""}

    @classmethod
    def of_texts(cls, texts: Mapping[str, str]) -> Configs:
        """What `texts` gave."""
        configs = cls()
        for parameter, text in texts.items():
            configs._set_text(_ROWS[parameter], text)
        return configs


def batch_of(configs: Configs) -> float:
    """Rows of a batch; infinity: all rows."""
    return configs.number("batch") or math.inf


def first_batch(settings: Mapping[str, Any], n_rows: int) -> float:
    """The same of the parameters of an estimator, before its data are known."""
    given = {"batch": settings["batch"]} if "batch" in settings else {}
    recipe = recipe_text(n_rows, n_rows, 1, False, given) if settings["recipe"] == "table" else ""
    return batch_of(Configs.to_read(given, recipe))


# What a table's rows and columns are made into depends on these, and on no other option.
_OF_DATA = frozenset(("scale", "loss", "class_weights", "batch", "shuffle", "seed", "backend"))


def leaves_data(parameter: str) -> bool:
    """Whether fits that differ in this parameter may share their data."""
    return parameter in _ROWS and parameter not in _OF_DATA


def given_options(parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """Those that are options and are set."""
    return {name: value for name, value in parameters.items() if value is not None and name in _ROWS}


def recipe_text(n_table_rows: int, n_rows: int, n_features: int, has_validation: bool, given: Iterable[str]) -> str:
    """The recipe for tables, without what is given."""
    return _recipe_text(n_table_rows, n_rows, n_features, has_validation, frozenset(given))


@lru_cache(maxsize=256)
def _recipe_text(n_table_rows: int, n_rows: int, n_features: int, has_validation: bool, given: FrozenSet[str]) -> str:
    names = {_ROWS[parameter].name for parameter in given}
    facts = sized(RecipeFacts, lib.vise_recipe_facts_init_sized)
    facts.n_table_rows, facts.n_rows, facts.n_features = n_table_rows, n_rows, n_features
    facts.has_validation = has_validation
    facts.given = GIVEN_CALL(lambda user, name: name in names)
    buffer = ctypes.create_string_buffer(1024)
    lib.vise_recipe_for_table(ctypes.byref(facts), buffer, len(buffer))
    return buffer.value.decode()
