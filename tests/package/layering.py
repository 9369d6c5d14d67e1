"""Checks the rules that the sources keep: which part may include which, how long a file and a function may be, and that
nothing but the command line prints or exits. `--self-test` checks that each kind of violation is caught."""
import os
import re
import sys
import tempfile

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 100

# Part -> the parts whose headers it may include. The folder of a file decides its part.
PUBLIC = "include/vise"
ALLOWED = {
    PUBLIC: {PUBLIC},
    "host/base": {PUBLIC, "host/base"},
    "host/table": {PUBLIC, "host/base", "host/table"},
    "host/data": {PUBLIC, "host/base", "host/data"},
    "host/model": {PUBLIC, "host/base", "host/model"},
    "host/plan": {PUBLIC, "host/base", "host/plan", "kernels"},  # of kernels, headers without CUDA
    "host/backend": {PUBLIC, "host/base", "host/plan", "host/backend", "kernels"},
    "host/train": {PUBLIC, "host/base", "host/data", "host/model", "host/backend", "host/train"},
    "host/cli": {PUBLIC, "host/cli"},
    "kernels": {"host/base", "kernels"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(\S.*?)\s*$')
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
PRINTS = re.compile(r'\b(?:(?:v?printf|puts|putchar|perror|exit|_exit|_Exit|quick_exit|abort)\s*\(|stdout\b|stderr\b)')


def part_of(path):
    return next((part for part in ALLOWED if path.startswith(part + "/")), None)


def without_comments_and_texts(source):
    """The source with comments and string contents blanked, line numbers kept."""
    return TOKEN.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)


def include_faults(path, part, source):
    for number, line in enumerate(source.split("\n"), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match.group(1)
        target = re.match(r'["<]([^">]+)[">]', name)
        if not target:
            yield f"{path}:{number}: include of {name}: name the file"
            continue
        file = target.group(1)
        if file.startswith("vise/"):
            target_part = PUBLIC
        elif name.startswith('"') or file.startswith(("host/", "kernels/", "tests/", "include/")):
            target_part = part_of(file)
        else:
            continue  # a header of the system
        if target_part is None or (target_part == PUBLIC and not file.startswith("vise/")):
            yield f'{path}:{number}: include of {name}: write "vise/...", "host/PART/..." or "kernels/..."'
        elif target_part not in ALLOWED[part]:
            yield f"{path}:{number}: {part} must not include {target_part} ({name})"


# Includes CUDA's headers for nvcc and C++ alone.
PLAIN_FOR_C = {"kernels/device.cuh"}


def cuda_faults(root, path, source, seen):
    """Headers of CUDA that path includes, directly or through headers of the project."""
    for name in re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', source, re.M):
        if re.match(r"(cuda|cublas|cooperative_groups|driver_types|vector_types)", name):
            yield f"includes {name}"
        elif name not in seen and os.path.isfile(os.path.join(root, name)):
            seen.add(name)
            with open(os.path.join(root, name), encoding="utf-8") as file:
                yield from (f"{fault}, by {name}" for fault in cuda_faults(root, name, file.read(), seen))


def length_faults(path, source):
    lines = source.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{path}: {lines} lines, at most {MAX_FILE_LINES}"
    start = None
    for number, line in enumerate(source.split("\n"), 1):
        if start is None and re.match(r"[A-Za-z_}]?.*\)\s*\{$", line) and not line.startswith("#"):
            if not line.startswith("}"):
                start = number
        elif line.startswith("}"):
            if start is not None and number - start + 1 > MAX_FUNCTION_LINES:
                yield f"{path}:{start}: a function of {number - start + 1} lines, at most {MAX_FUNCTION_LINES}"
            start = None


def print_faults(path, source):
    for number, line in enumerate(without_comments_and_texts(source).split("\n"), 1):
        match = PRINTS.search(line)
        if match:
            yield f"{path}:{number}: only host/cli prints or exits ({match.group().strip(' (')})"


def faults(root):
    n_files = 0
    for top in ("include", "host", "kernels", "tests", "bench"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
                if not path.endswith((".c", ".h", ".cpp", ".cu", ".cuh", ".py", ".sh")):
                    continue
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    source = file.read()
                n_files += 1
                part = part_of(path)
                if part is None and top in ("include", "host"):
                    yield f"{path}: no part of the project has this folder"
                if part is not None:
                    yield from include_faults(path, part, source)
                    if part == "host/plan":
                        yield from (f"{path}: host/plan must not see CUDA: {fault}"
                                    for fault in cuda_faults(root, path, source, set(PLAIN_FOR_C)))
                    if part != "host/cli":
                        yield from print_faults(path, source)
                yield from length_faults(path, source)
    if n_files == 0:
        yield f"{root}: no source files"


SEEDED = [
    ("host/base/a.c", '#include "host/data/dataset.h"\n', "host/base must not include host/data"),
    ("host/data/a.c", '#include "host/model/model.h"\n', "host/data must not include host/model"),
    ("host/model/a.h", '#  include "host/train/config.h"\n', "host/model must not include host/train"),
    ("host/backend/cpu/a.c", '#include "host/data/dataset.h"\n', "host/backend must not include host/data"),
    ("host/plan/a.c", '#include "host/backend/backend.h"\n', "host/plan must not include host/backend"),
    ("host/plan/a.c", "#include <cuda_runtime_api.h>\n", "host/plan must not see CUDA: includes cuda_runtime_api.h"),
    ("host/plan/a.c", '#include "kernels/step.h"\n',
     "includes cuda_runtime_api.h, by kernels/exchange.h, by kernels/step.h",
     {"kernels/step.h": '#include "kernels/exchange.h"\n', "kernels/exchange.h": "#include <cuda_runtime_api.h>\n"}),
    ("host/cli/a.c", '#include "host/base/error.h"\n', "host/cli must not include host/base"),
    ("host/cli/b.c", '#include <host/base/error.h>\n', "host/cli must not include host/base"),
    ("include/vise/a.h", '#include "host/base/error.h"\n', "include/vise must not include host/base"),
    ("host/train/a.c", '#include "../cli/parse.h"\n', "write"),
    ("host/train/b.c", "#include HEADER\n", "name the file"),
    ("host/extra/a.c", "\n", "no part of the project"),
    ("host/train/c.c", 'void f(void) { /* exit() */ g("abort()"); printf("x"); }\n', "only host/cli prints or exits"),
    ("host/data/b.c", "int f(void) {\n  exit(1);\n}\n", "host/data/b.c:2: only host/cli prints or exits"),
    ("kernels/a.cu", "fputs(text, stderr);\n", "only host/cli prints or exits"),
    ("tests/a.c", "\n" * 601, "601 lines"),
    ("host/model/b.c", "int f(void) {\n" + "  g();\n" * 99 + "}\n", "a function of 101 lines"),
]
CLEAN = [
    ("host/cli/a.c", '#include <stdio.h>\n#include "vise/vise.h"\n#include "host/cli/parse.h"\nvoid f(void) { exit(1); }\n'),
    ("host/plan/a.c", '#include "kernels/canonical.h"\n#include "host/base/net.h"\n'),
    ("host/train/a.c", '#include <math.h>\n#include "host/backend/backend.h"\n/* printf("no"); */\nchar *s = "exit(1)";\n'),
    ("host/backend/a.c", '#include "host/plan/plan.h"\n#include "kernels/step.h"\n#include "vise/train.h"\n'),
    ("host/base/a.c", "int f(void) {\n" + "  snprintf(t, n, x);\n" * 98 + "}\n"),
]


def faults_of(path, source, others=None):
    with tempfile.TemporaryDirectory() as root:
        for name, text in {path: source, **(others or {})}.items():
            os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(text)
        return list(faults(root))


def self_test():
    for path, source, expected, *others in SEEDED:
        found = faults_of(path, source, *others)
        if len(found) != 1 or expected not in found[0]:
            yield f"seeded violation in {path}: expected one fault with '{expected}', found {found}"
    for path, source in CLEAN:
        found = faults_of(path, source)
        if found:
            yield f"clean {path}: found {found}"


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = list(self_test() if "--self-test" in sys.argv[1:] else faults(root))
    print("\n".join(found) or "no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
