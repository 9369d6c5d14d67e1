"""How long files and functions may be, that long functions have paragraphs, and how many parameters they take."""
import re

from sources import CODE, TOPS, function_bodies, paths, read, without_comments_and_texts

MAX_FILE_LINES = 600
MAX_BODY_LINES = 100
MAX_PRODUCT_BODY_LINES = 60
MAX_LINES_WITHOUT_BLANK = 20
MAX_PARAMETERS = 6
# Functions with more parameters than that. A change may lower the number.
MOST_WITH_MORE_PARAMETERS = 14
PRODUCT = ("include", "host", "kernels")
# A definition in the first column, and its parameters.
DEFINITION = re.compile(r"^(?:[A-Za-z_][\w *]*?)\b(\w+)\(([^(){};]*)\)\s*\{", re.M)


def is_one_statement(lines):
    """A switch or an expression alone, and perhaps what is returned after it."""
    return sum(re.match(r"  [^ })]", line) is not None for line in lines) <= 2


def body_faults(path, source):
    most = MAX_PRODUCT_BODY_LINES if path.startswith(PRODUCT) else MAX_BODY_LINES
    for start, lines in function_bodies(source):
        if len(lines) > most:
            yield f"{path}:{start}: a function of {len(lines)} lines, at most {most}"
        elif len(lines) > MAX_LINES_WITHOUT_BLANK and all(map(str.strip, lines)) and not is_one_statement(lines):
            yield (f"{path}:{start}: {len(lines)} lines in one block; empty lines part a function of more than "
                   f"{MAX_LINES_WITHOUT_BLANK} into its steps")


def with_many_parameters(path, source):
    plain = without_comments_and_texts(source)
    for match in DEFINITION.finditer(plain):
        n = match.group(2).count(",") + 1
        if n > MAX_PARAMETERS:
            yield f"{path}:{plain.count(chr(10), 0, match.start()) + 1}: {match.group(1)}, {n} parameters"


def faults(root):
    many = []
    for path in paths(root, TOPS, CODE + (".py", ".sh")):
        source = read(root, path)
        lines = source.count("\n")
        if lines > MAX_FILE_LINES:
            yield f"{path}: {lines} lines, at most {MAX_FILE_LINES}"
        if path.endswith(CODE):
            yield from body_faults(path, source)
            if path.startswith(PRODUCT):
                many.extend(with_many_parameters(path, source))
    if len(many) > MOST_WITH_MORE_PARAMETERS:
        yield (f"{len(many)} functions have more than {MAX_PARAMETERS} parameters, at most {MOST_WITH_MORE_PARAMETERS} "
               "may (tests/package/shape.py):\n  " + "\n  ".join(many))


def function(n_before, n_after=0, parameters="void"):
    """A function of so many lines, an empty one, and so many more; or of one block."""
    return f"int f({parameters}) {{\n" + "  g();\n" * n_before + ("\n" + "  g();\n" * n_after) * (n_after > 0) + "}\n"


SEVEN = ", ".join(f"int {letter}" for letter in "abcdefg")
SEEDED = [
    ({"tests/a.c": "\n" * 601}, "601 lines"),
    ({"tests/package/a.py": "\n" * 601}, "601 lines"),
    ({"host/model/a.c": function(30, 30)}, "host/model/a.c:2: a function of 61 lines, at most 60"),
    ({"kernels/a.cuh": "static\n" + function(30, 30)}, "kernels/a.cuh:3: a function of 61 lines, at most 60"),
    ({"tests/unit/a.c": function(50, 50)}, "a function of 101 lines, at most 100"),
    ({"host/model/a.c": function(21)}, "21 lines in one block"),
    ({"tests/gpu/a.c": "Test(suite,\n     name) {\n" + "  g();\n" * 21 + "}\n"}, "tests/gpu/a.c:3: 21 lines in one"),
    ({"host/a.c": function(1, 0, SEVEN) * (MOST_WITH_MORE_PARAMETERS + 1)}, "host/a.c:1: f, 7 parameters"),
]
CLEAN = [
    {"host/model/a.c": function(30, 29) + function(20), "tests/a.c": function(50, 49)},
    {"host/a.c": function(1, 0, SEVEN) * MOST_WITH_MORE_PARAMETERS + function(1, 0, SEVEN[7:])},
    {"host/a.c": "int f(int a) {\n  switch (a) {\n" + "    case 1:\n" * 20 + "      return 1;\n  }\n  return 0;\n}\n"},
    {"host/a.c": "static const int table[] = {\n" + "  1,\n" * 70 + "};\nstruct s {\n" + "  int a;\n" * 70 + "};\n"},
]
