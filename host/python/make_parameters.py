"""Writes vise/_parameters.py, the estimators' parameters, from the library's table of options:

    VISE_LIBRARY=build/lib/libvise.so.0 python3 host/python/make_parameters.py [--check]

--check only says whether the file is what it would write (exit 1 if not)."""
import os
import re
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "vise", "_parameters.py")
sys.path.insert(0, HERE)

from vise import _options  # noqa: E402

# Options that make no sense in an estimator: its data come from memory, its files are its user's, and it is one process.
LEFT_OUT = {"stop_after_epoch", "out", "overwrite", "checkpoint_every", "log_every", "sync_every", "own_data"}

TYPES = {_options.FLAG: ("bool", "Optional[bool]"), _options.YES_NO: ("bool", "Optional[bool]"),
         _options.REAL: ("float", "Optional[float]"), _options.COUNT: ("int", "Optional[int]"),
         _options.INT: ("int", "Optional[int]"), _options.BYTES: ("int or str", "Union[int, str, None]"),
         _options.NAME: ("str", "Optional[str]"), _options.TEXT: ("str", "Optional[str]"),
         _options.MOMENT: ("str", "Optional[str]"), _options.PATH: ("path", "Any"),
         _options.SWITCHED_REAL: ("float", "Optional[float]"),
         _options.INTERVAL: ("float or (float, float)", "Union[float, Tuple[float, float], str, None]"),
         _options.WIDTHS: ("str or list of int or None", "Union[str, Sequence[Optional[int]], None]"),
         _options.REALS: ("list of float", "Optional[Sequence[float]]"),
         _options.SIZES: ("list of int", "Optional[Sequence[int]]"),
         _options.LAYER_REALS: ("dict of int to float", "Optional[Mapping[int, float]]"),
         _options.LAYERS: ("dict of int to (float, float)", "Optional[Mapping[int, Any]]")}

# Parameters of the estimators alone: name, type, annotation, default, text.
OWN = [
    ("recipe", "str", "str", '"table"', "'table': what is not given is chosen by the number of rows and columns; 'none': "
     "each option has its own default"),
    ("val_fraction", "float", "Optional[float]", "None", "share of the rows to validate on after each epoch; None: a tenth "
     "from 1000 rows on, by the recipe"),
    ("stratify", "bool", "Optional[bool]", "None", "whether every class has its share of them; None: yes"),
    ("init_scheme", "str", "Optional[str]", "None", "how initial weights are drawn: linear, he, glorot, zeros"),
    ("missing", "str", "Optional[str]", "None", "what becomes of gaps: auto (the mean, and an input that says so), error, "
     "drop-rows"),
    ("max_categories", "int", "Optional[int]", "None", "inputs for the values of a column of text; rarer ones share one"),
    ("categorical", "list of str or int", "Any", "None", "columns to take for text, whatever they hold"),
    ("numeric", "list of str or int", "Any", "None", "columns to take for numbers"),
    ("drop", "list of str or int", "Any", "None", "columns to leave out"),
    ("monotone", "dict, list of int or str", "Any", "None", "outputs that never fall (1, '+') or never rise (-1, '-') where "
     "these features rise: a dict by name or place, a number for each feature, or 'age=+,dose=-'; weights after the first "
     "layer are not negative then"),
    ("sign", "path or dict", "Any", "None", "weights that stay on one side of 0: a .safetensors file, or a dict of tensors' "
     "names to 1 (not negative), -1 (not positive) and 0 (free)"),
    ("class_weight", "dict or 'balanced'", "Any", "None", "a weight for each class, by class (classifiers)"),
    ("random_state", "int, RandomState or Generator", "Any", "None", "the seed, in scikit-learn's words"),
    ("warm_start", "bool", "bool", "False", "whether fit goes on where the fit before it ended, optimizer "
     "and all; the learning rate is constant then unless lr_schedule is given"),
    ("verbose", "bool, int or 'tqdm'", "Any", "False", "True: a line each epoch; 'tqdm': a bar"),
]


def spoken(text):
    """Names in backquotes as parameters."""
    return re.sub(r"`([a-z0-9-]+)`", lambda m: f"`{_options.parameter_of(m[1])}`", text)


def parameters():
    """(name, type, annotation, default, text) of all."""
    for row in _options.rows():
        name = _options.parameter_of(row.name.decode())
        if name in LEFT_OUT:
            continue
        kind, annotation = TYPES[row.type]
        default = row.default.decode() if row.default is not None else None
        text = spoken(row.help.decode())
        if row.name.startswith(b"no-"):
            text, default = text.replace("without", "with"), "yes"
        yield name, kind, annotation, "None", text + (f" [{default}]" if default is not None else "")
    yield from OWN


def document(rows):
    lines = ["", "    Parameters", "    ----------"]
    for name, kind, _, default, text in rows:
        lines.append(f"    {name} : {kind}, default {default}")
        lines += textwrap.wrap(text, 112, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return "\n".join(lines) + "\n"


def content():
    rows = list(parameters())
    signature = ",\n".join(f"        {name}: {annotation} = {default}" for name, _, annotation, default, _ in rows)
    body = "\n".join(f"        self.{name} = {name}" for name, *_ in rows)
    return f'''"""The estimators' parameters. Made by host/python/make_parameters.py from the library's table of options."""
from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Tuple, Union


class Parameters:
    """The constructor."""

    def __init__(
        self,
        *,
{signature},
    ) -> None:
{body}


PARAMETERS = """{document(rows)}"""
'''


def main():
    wanted = content()
    if "--check" in sys.argv:
        with open(PATH, encoding="utf-8") as file:
            if file.read() != wanted:
                sys.exit("host/python/vise/_parameters.py is not what the table of options says: run "
                         "host/python/make_parameters.py")
        return
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(wanted)


main()
