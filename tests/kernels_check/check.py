"""Checks what nvcc made of the kernels: ptxas' report of registers, stack and spills, and the PTX.

  check.py --folder BUILD/kernels --architectures 80 90 --kernels gather reduce    checks a build; --table prints it
  check.py --seeded FOLDER --work FOLDER --nvcc NVCC FLAGS...                        compiles FOLDER/*.cu, each of which
      says in its first line what it must be refused for (`// refused: TEXT`) or that it must pass (`// passes`)
"""
import argparse
import pathlib
import re
import subprocess
import sys

# Kernels that may spill or have a stack frame: name -> why.
EXCEPTIONS = {}

# Sources without a kernel of their own: name -> why.
WITHOUT_KERNELS = {"step": "launches the kernels of step_*.cu", "teams": "launches those of teams_*.cu"}

ENTRY = re.compile(r"Compiling entry function '([^']+)' for 'sm_(\d+)'")
FUNCTION = re.compile(r"Function properties for (\S+)")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
PTX_ENTRY = re.compile(r"\.(?:entry|func)\b[^;{]*?([A-Za-z_$][\w$]*)\s*\(")
MIXED_PRECISION = ("_tf32", "_bf16")


def read_report(text):
    """Faults of one ptxas report, and {(entry, architecture): (registers, shared bytes)}."""
    faults, entries = [], {}
    entry = function = None
    for line in text.split("\n"):
        if match := ENTRY.search(line):
            entry = (match.group(1), int(match.group(2)))
            entries[entry] = None
        elif match := FUNCTION.search(line):
            function = match.group(1)
        elif match := STACK.search(line):
            stack, stores, loads = map(int, match.groups())
            where = f"{function} (sm_{entry[1]})" if entry else str(function)
            if (stores or loads) and function not in EXCEPTIONS:
                faults.append(f"{where}: spills registers, {stores} bytes of stores, {loads} of loads")
            if stack and function not in EXCEPTIONS:
                faults.append(f"{where}: has a stack frame of {stack} bytes")
        elif (match := USED.search(line)) and entry:
            shared = SHARED.search(line)
            entries[entry] = (int(match.group(1)), int(shared.group(1)) if shared else 0)
    faults += [f"{name} (sm_{arch}): ptxas reports no registers" for (name, arch), used in entries.items() if not used]
    return faults, entries


def ptx_faults(path, text):
    """Instructions that a kernel must not have."""
    kernel, in_block_comment = "", False
    for number, line in enumerate(text.split("\n"), 1):
        code, _, comment = line.partition("//")
        if match := PTX_ENTRY.search(code):
            kernel = match.group(1)
        where = f"{path}:{number}: {kernel}"
        if not kernel.endswith(MIXED_PRECISION):
            for unwanted in (".approx", ".ftz"):
                if re.search(re.escape(unwanted) + r"\b", code):
                    yield f"{where}: {unwanted}: {code.strip()}"
        # Only ptx_data_set_* of kernels/ptx.cuh writes this comment.
        if re.search(r"\bld\.global(\.\w+)*\.nc\b", code) and comment.strip() != "data set":
            yield f"{where}: ld.global.nc outside reads of the data set: {code.strip()}"


def check_kernel(report, ptx_files, architectures):
    faults, entries = read_report(report)
    if not entries:
        faults.append("ptxas reports no kernel")
    for name in sorted({name for name, _ in entries}):
        missing = [str(arch) for arch in architectures if (name, arch) not in entries]
        if missing:
            faults.append(f"{name}: not compiled for sm_{', sm_'.join(missing)}")
    if not ptx_files:
        faults.append("no PTX was kept")
    for path in ptx_files:
        text = path.read_text(encoding="utf-8")
        if ".entry" not in text:
            faults.append(f"{path.name}: no kernel in it")
        faults += ptx_faults(path.name, text)
    return faults, entries


def check_build(options):
    faults, table = [], {}
    for kernel in options.kernels:
        report = options.folder / f"{kernel}.ptxas"
        if not report.exists():
            faults.append(f"{report}: missing; build the target vise_kernels")
            continue
        ptx_files = sorted((options.folder / f"{kernel}.keep").glob("*.ptx"))
        if kernel in WITHOUT_KERNELS:
            if "entry function" in report.read_text(encoding="utf-8"):
                faults.append(f"kernels/{kernel}.cu: has a kernel, but is among those without")
            continue
        found, entries = check_kernel(report.read_text(encoding="utf-8"), ptx_files, options.architectures)
        if ptx_files and len(ptx_files) < len(options.architectures):
            found.append(f"PTX of {len(ptx_files)} architectures, expected {len(options.architectures)}")
        faults += [f"kernels/{kernel}.cu: {fault}" for fault in found]
        table.update(entries)
    if not options.kernels:
        faults.append("no kernels given")
    unused = set(EXCEPTIONS) - {name for name, _ in table}
    faults += [f"the exception {name} names no kernel" for name in sorted(unused)]
    print(f"{len({name for name, _ in table})} kernels, {len(options.architectures)} architectures")
    if options.table:
        print("| kernel | " + " | ".join(f"sm_{arch}" for arch in options.architectures) + " | static shared |")
        print("| --- | " + "--- | " * len(options.architectures) + "--- |")
        for name in sorted({name for name, _ in table}):
            used = [table[name, arch] for arch in options.architectures]
            print(f"| `{name}` | " + " | ".join(str(u[0]) for u in used) + f" | {used[0][1]} |")
    return faults


GOOD_REPORT = """ptxas info    : Compiling entry function 'k' for 'sm_80'
ptxas info    : Function properties for k
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 16 bytes smem
"""
SEEDED_REPORTS = [  # report, PTX, what it must be refused for (None: nothing)
    (GOOD_REPORT, ".entry k()", "not compiled for sm_90"),
    (GOOD_REPORT + GOOD_REPORT.replace("80", "90"), ".entry k()", None),
    (GOOD_REPORT + GOOD_REPORT.replace("80", "90"), "", "no kernel in it"),
    (GOOD_REPORT + GOOD_REPORT.replace("80", "90"), None, "no PTX was kept"),
    (GOOD_REPORT + GOOD_REPORT.replace("80", "90").replace("Used", "used"), ".entry k()", "reports no registers"),
    (GOOD_REPORT + GOOD_REPORT.replace("80", "90").replace("k\n    0 bytes", "f\n    8 bytes"), ".entry k()",
     "f (sm_90): has a stack frame of 8 bytes"),
    ("", ".entry k()", "ptxas reports no kernel"),
]


def check_reports(work):
    for report, text, expected in SEEDED_REPORTS:
        ptx = work / "report.ptx"
        ptx.write_text(text or "", encoding="utf-8")
        faults, _ = check_kernel(report, [] if text is None else [ptx], [80, 90])
        if (expected is None and faults) or (expected and not any(expected in fault for fault in faults)):
            yield f"a report that must be refused for '{expected}': {faults}"


def check_seeded(options):
    """Each seeded file must be refused for what its first line says, or pass."""
    yield from check_reports(options.work)
    sources = sorted(options.seeded.glob("*.cu"))
    if not sources:
        yield f"{options.seeded}: no seeded kernels"
    for source in sources:
        first = source.read_text(encoding="utf-8").split("\n")[0]
        ptx = options.work / f"{source.stem}.ptx"
        cubin = options.work / f"{source.stem}.cubin"
        report = ""
        for output in (["-ptx", "-o", ptx], ["-cubin", "-o", cubin]):
            command = [*options.nvcc, "-arch=sm_80", *map(str, output), str(source)]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                yield f"{source.name}: does not compile: {done.stdout.strip()}"
            report += done.stdout
        if not ptx.exists():
            continue
        faults, _ = check_kernel(report, [ptx], [80])
        if first == "// passes":
            for fault in faults:
                yield f"{source.name}: refused: {fault}"
        elif match := re.match(r"// refused: (.+)", first):
            if not any(match.group(1) in fault for fault in faults):
                yield f"{source.name}: not refused for '{match.group(1)}', but: {faults}"
        else:
            yield f"{source.name}: the first line says neither '// passes' nor '// refused: ...'"
    print(f"{len(sources)} seeded kernels")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--architectures", nargs="*", type=int, default=[])
    parser.add_argument("--kernels", nargs="*", default=[])
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--seeded", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--nvcc", nargs=argparse.REMAINDER, default=[])
    options = parser.parse_args()
    faults = list(check_seeded(options)) if options.seeded else check_build(options)
    print("\n".join(faults) or "no faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
