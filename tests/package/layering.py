"""Checks the rules that the sources keep: here, which part may include which, that files do not need each other in a
circle, and that nothing but the command line prints or exits; in shape.py, how long files and functions may be; in
references.py, that what texts point at is there. `--self-test` checks that each kind of violation is caught."""
import os
import re
import sys

import references
import shape
from sources import CODE, TOPS, circles, paths, read, self_test, without_comments_and_texts

# Part -> the parts whose headers it may include; its own it always may. The longest folder that fits decides.
PUBLIC = "include/vise"
LIBRARY = {"host/base", "host/claims", "host/json", "host/ranks", "host/proto", "host/data", "host/table", "host/rule", "host/options", "host/net", "host/product", "host/ops",
           "host/model", "host/certify", "host/integer", "host/export", "host/plan", "host/backend", "host/train", "host/sweep", "host/bench"}
ALLOWED = {
    PUBLIC: set(),
    "host/base": {PUBLIC},
    "host/json": {PUBLIC, "host/base"},
    "host/claims": set(),
    "host/proto": set(),
    "host/ranks": {PUBLIC, "host/base"},
    "host/data": {PUBLIC, "host/base"},
    "host/table": {PUBLIC, "host/base", "host/json", "host/ranks"},
    "host/rule": {PUBLIC, "host/base"},
    "host/options": {PUBLIC, "host/base", "host/rule"},
    "host/net": {PUBLIC, "host/base", "host/rule"},
    "host/product": {"host/base"},
    "host/ops": {PUBLIC, "host/base", "host/rule", "host/net", "host/product"},
    "host/model": {PUBLIC, "host/base", "host/json", "host/rule", "host/options", "host/net"},
    "host/integer": {PUBLIC, "host/base", "host/json", "host/net", "host/product", "host/ops", "host/model"},
    "host/certify": {PUBLIC, "host/base", "host/json", "host/rule", "host/net", "host/product", "host/ops",
                     "host/model", "host/integer"},
    "host/export": {PUBLIC, "host/base", "host/json", "host/proto", "host/rule", "host/net", "host/model", "host/certify",
                    "host/integer"},
    "kernels": {PUBLIC, "host/base", "host/rule"},
    "host/plan": {PUBLIC, "host/base", "host/rule", "host/net", "kernels"},  # of kernels, headers without CUDA
    "host/backend": {PUBLIC, "host/base", "host/ranks", "host/rule", "host/net", "host/product", "host/ops", "host/plan", "kernels"},
    "host/train": {PUBLIC, "host/base", "host/claims", "host/json", "host/ranks", "host/rule", "host/options", "host/data", "host/table", "host/net",
                   "host/model", "host/integer", "host/product", "host/ops", "host/backend"},
    "host/bench": {PUBLIC, "host/base", "host/ranks", "host/rule", "host/net", "host/product", "host/model", "host/backend",
                   "host/train"},
    "host/sweep": {PUBLIC, "host/base", "host/rule", "host/options", "host/net", "host/model", "host/data",
                   "host/backend", "host/train"},
    "host/cli": {PUBLIC, "host/claims", "host/json", "host/proto"},  # a program of its own: how files are encoded is not of the API
    "examples": {PUBLIC},
    "bench": {PUBLIC, "host/base", "host/rule", "host/net", "host/product", "host/backend", "host/bench"},
    "tests/support": {PUBLIC, "kernels", *LIBRARY},
    "tests/unit": {PUBLIC, "kernels", *LIBRARY, "tests/support"},
    "tests/unit/cli": {PUBLIC, "tests/support"},
    "tests/cpu": {PUBLIC, "kernels", *LIBRARY, "tests/support"},
    "tests/gpu": {PUBLIC, "kernels", *LIBRARY, "tests/support", "tests/unit", "tests/cpu", "tests/emulation"},
    "tests/emulation": {PUBLIC, "kernels", "host/base", "host/rule", "tests/support"},
    "tests/ptx": {PUBLIC, "kernels", *LIBRARY, "tests/support", "tests/emulation"},
    "tests/fuzz": {PUBLIC, *LIBRARY},
    "tests/torture": set(),
    "tests/kernels_check": {"kernels"},
    "tests/package": {PUBLIC},
}
PRINTERS = ("host/cli", "examples", "bench", "tests")
# jansson's reader and writer do not survive lack of memory, and what its setters return is easily lost: host/json does it.
JSON = re.compile(r"\bjson_(?:load|dump|object_(?:set|update)|array_(?:set|append|insert|extend))\w*(?=\s*\()")
INCLUDE = re.compile(r'^\s*#\s*include\s+(\S.*?)\s*$')
PRINTS = re.compile(r'\b(?:(?:v?printf|puts|putchar|perror|exit|_exit|_Exit|quick_exit|abort)\s*\(|stdout\b|stderr\b)')
# Includes CUDA's headers for nvcc and C++ alone.
PLAIN_FOR_C = {"kernels/device.cuh"}
# The first files of circles of calls that are still to be opened; no new ones.
CIRCLES_LEFT = {"host/train/run.c"}
# Public functions and those of a layer; static ones cannot be called from elsewhere.
DEFINED = re.compile(r"^(?!static\b|typedef\b)[A-Za-z_][\w *]*?\b(vise_\w+)\([^;{}]*\)\s*\{", re.M)


def part_of(path):
    fitting = [part for part in ALLOWED if path.startswith(part + "/")]
    return max(fitting, key=len) if fitting else None


# ---- includes ----

def targets(root, path, source):
    """(line number, text, file of the project or None, whether it is a header of the system) of each include."""
    folder = os.path.dirname(path)
    for number, line in enumerate(source.split("\n"), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match.group(1)
        file = re.match(r'["<]([^">]+)[">]', name)
        file = file.group(1) if file else ""
        beside = os.path.join(folder, file)
        if file.startswith("vise/"):
            yield number, name, "include/" + file, False
        elif file.startswith(("host/", "kernels/", "tests/", "bench/", "examples/")):
            yield number, name, file, False
        elif path.startswith("tests/") and name.startswith('"') and os.path.isfile(os.path.join(root, beside)):
            yield number, name, os.path.normpath(beside), False
        else:
            yield number, name, None, name.startswith("<")


def include_faults(root, path, part, source):
    for number, name, file, is_system in targets(root, path, source):
        target_part = part_of(file) if file else None
        if name[0] not in '"<':
            yield f"{path}:{number}: include of {name}: name the file"
        elif target_part is None and not is_system and not path.startswith("tests/emulation/"):
            yield f'{path}:{number}: include of {name}: write "vise/...", "host/PART/..." or "kernels/..."'
        elif target_part is not None and target_part != part and target_part not in ALLOWED[part]:
            yield f"{path}:{number}: {part} must not include {target_part} ({name})"


def cuda_faults(root, path, source, seen):
    """Headers of CUDA that path includes, directly or through headers of the project."""
    for name in re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', source, re.M):
        if re.match(r"(cuda|cublas|cooperative_groups|driver_types|vector_types)", name):
            yield f"includes {name}"
        elif name not in seen and os.path.isfile(os.path.join(root, name)):
            seen.add(name)
            yield from (f"{fault}, by {name}" for fault in cuda_faults(root, name, read(root, name), seen))


def print_faults(path, source):
    for number, line in enumerate(without_comments_and_texts(source).split("\n"), 1):
        match = PRINTS.search(line)
        if match:
            yield f"{path}:{number}: only host/cli prints or exits ({match.group().strip(' (')})"


def json_faults(path, source):
    for number, line in enumerate(without_comments_and_texts(source).split("\n"), 1):
        match = JSON.search(line)
        if match:
            yield f"{path}:{number}: {match.group()}: JSON is read, made and written by what host/json has"


# ---- circles ----

def header_circles(root, sources):
    edges = {path: {file for _, _, file, _ in targets(root, path, source) if file} for path, source in sources.items()}
    for circle in circles(edges):
        yield f"{' and '.join(circle)} include each other in a circle"


def call_circles(sources):
    """Sources of one part whose functions call each other in a circle: which of them is the lower one?"""
    homes, edges = {}, {}
    plain = {path: without_comments_and_texts(source) for path, source in sources.items()
             if path.startswith("host/") and path.endswith(".c")}
    for path, source in plain.items():
        for name in DEFINED.findall(source):
            homes.setdefault(name, set()).add(path)
    for path, source in plain.items():
        for name in set(re.findall(r"\bvise_\w+", source)):
            if len(homes.get(name, ())) == 1:  # a second one stands in where a build lacks the first
                edges.setdefault(path, set()).update(homes[name] - {path})
    for circle in circles(edges):
        if circle[0] not in CIRCLES_LEFT:
            yield f"{' and '.join(circle)} call each other in a circle"


# ---- all of it ----

def faults(root):
    sources = {path: read(root, path) for path in paths(root, TOPS, CODE)}
    for path, source in sources.items():
        part = part_of(path)
        if part is None:
            yield f"{path}: no part of the project has this folder"
            continue
        yield from include_faults(root, path, part, source)
        if part == "host/plan":
            yield from (f"{path}: host/plan must not see CUDA: {fault}"
                        for fault in cuda_faults(root, path, source, set(PLAIN_FOR_C)))
        if path.startswith("host/") and part != "host/json":
            yield from json_faults(path, source)
        if not path.startswith(PRINTERS):
            yield from print_faults(path, source)
    yield from header_circles(root, sources)
    yield from call_circles(sources)
    if not sources:
        yield f"{root}: no source files"


SEEDED = [
    ({"host/base/a.c": '#include "host/data/dataset.h"\n'}, "host/base must not include host/data"),
    ({"host/data/a.c": '#include "host/model/model.h"\n'}, "host/data must not include host/model"),
    ({"host/model/a.h": '#  include "host/train/config.h"\n'}, "host/model must not include host/train"),
    ({"host/rule/a.h": '#include "host/backend/backend.h"\n'}, "host/rule must not include host/backend"),
    ({"host/options/a.c": '#include "host/train/trainer.h"\n'}, "host/options must not include host/train"),
    ({"host/table/a.c": '#include "host/data/csv.h"\n'}, "host/table must not include host/data"),
    ({"host/backend/cpu/a.c": '#include "host/data/dataset.h"\n'}, "host/backend must not include host/data"),
    ({"host/train/a.c": '#include "host/bench/bench.h"\n'}, "host/train must not include host/bench"),
    ({"host/train/b.c": '#include "host/sweep/space.h"\n'}, "host/train must not include host/sweep"),
    ({"host/plan/a.c": '#include "host/backend/backend.h"\n'}, "host/plan must not include host/backend"),
    ({"host/plan/a.c": "#include <cuda_runtime_api.h>\n"}, "host/plan must not see CUDA: includes cuda_runtime_api.h"),
    ({"host/plan/a.c": '#include "kernels/step.h"\n', "kernels/step.h": '#include "kernels/exchange.h"\n',
      "kernels/exchange.h": "#include <cuda_runtime_api.h>\n"},
     "includes cuda_runtime_api.h, by kernels/exchange.h, by kernels/step.h"),
    ({"kernels/a.cu": '#include "host/backend/backend.h"\n'}, "kernels must not include host/backend"),
    ({"host/cli/a.c": '#include "host/base/error.h"\n'}, "host/cli must not include host/base"),
    ({"host/cli/b.c": '#include <host/base/error.h>\n'}, "host/cli must not include host/base"),
    ({"examples/a.c": '#include "host/base/error.h"\n'}, "examples must not include host/base"),
    ({"include/vise/a.h": '#include "host/base/error.h"\n'}, "include/vise must not include host/base"),
    ({"host/train/a.c": '#include "tests/support/rig.h"\n'}, "host/train must not include tests/support"),
    ({"tests/support/a.c": '#include "tests/cpu/case.h"\n'}, "tests/support must not include tests/cpu"),
    ({"tests/unit/cli/a.c": '#include "host/train/run.h"\n'}, "tests/unit/cli must not include host/train"),
    ({"host/train/a.c": '#include "../cli/parse.h"\n'}, "write"),
    ({"host/train/b.c": "#include HEADER\n"}, "name the file"),
    ({"host/extra/a.c": "\n"}, "no part of the project"),
    ({"host/train/c.c": 'void f(void) { /* exit() */ g("abort()"); printf("x"); }\n'}, "only host/cli prints or exits"),
    ({"host/data/b.c": "int f(void) {\n  exit(1);\n}\n"}, "host/data/b.c:2: only host/cli prints or exits"),
    ({"kernels/a.cu": "fputs(text, stderr);\n"}, "only host/cli prints or exits"),
    ({"host/cli/a.c": "json_t *f(void) {\n  return json_loads(text, 0, NULL);\n}\n"}, "host/cli/a.c:2: json_loads: JSON is"),
    ({"host/train/a.c": "void f(void) {\n  (void)json_object_set_new(o, \"a\", v);\n}\n"}, "json_object_set_new: JSON is"),
    ({"host/base/a.h": '#include "host/base/b.h"\n', "host/base/b.h": '#include "host/base/c.h"\n',
      "host/base/c.h": '#include "host/base/a.h"\n'}, "host/base/a.h and host/base/b.h and host/base/c.h include each"),
    ({"host/data/a.c": "int vise_i_a(void) {\n  return vise_i_b();\n}\n",
      "host/data/b.c": "int vise_i_b(void) {\n  return vise_i_a();\n}\n"}, "host/data/a.c and host/data/b.c call each"),
]
CLEAN = [
    {"host/cli/a.c": '#include <stdio.h>\n#include "vise/vise.h"\n#include "host/cli/p.h"\nvoid f(void) { exit(1); }\n'},
    {"host/plan/a.c": '#include "kernels/canonical.h"\n#include "host/net/net.h"\n'},
    {"host/json/a.c": "void f(void) { json_dumpb(v, t, n, 0); }\n", "tests/unit/a.c": "void f(void) { json_loads(t); }\n"},
    {"host/train/a.c": '#include <math.h>\n#include "host/backend/b.h"\n/* printf("no"); */\nchar *s = "exit(1)";\n'},
    {"host/backend/a.c": '#include "host/plan/plan.h"\n#include "kernels/step.h"\n#include "vise/train.h"\n'},
    {"tests/gpu/a.c": '#include "rig.h"\n#include "tests/support/cpu_case.h"\n', "tests/gpu/rig.h": "\n"},
    {"host/base/a.c": "int vise_i_a(void) {\n  return vise_i_b();\n}\n",
     "host/base/b.c": "int vise_i_b(void) {\n  return 0; /* not vise_i_a() */\n}\n"},
]


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = []
    for check in (sys.modules[__name__], shape, references):
        if "--self-test" in sys.argv[1:]:
            found.extend(self_test(check.faults, check.SEEDED, check.CLEAN))
        else:
            found.extend(check.faults(root))
    print("\n".join(found) or "no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
