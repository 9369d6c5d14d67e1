"""Checks that the shared library exports what the public headers declare, and nothing else, and that neither library has
mutable globals. Takes PREFIX and CC from the environment."""
import os
import re
import subprocess
import sys

PREFIX, CC = os.environ["PREFIX"], os.environ["CC"]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def declared():
    """The names of all functions marked VISE_API."""
    source = output(CC, "-E", "-P", "-DVISE_BUILDING_LIBRARY", "-I", f"{PREFIX}/include", "-x", "c",
                    f"{PREFIX}/include/vise/vise.h")
    marked = source.split('visibility("default")))')[1:]
    return {re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\(\(.*?\)\)", "", text)).group(1) for text in marked}


def exported():
    lines = output("nm", "-D", "--defined-only", f"{PREFIX}/lib/libvise.so").splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


# What nvcc adds to each kernel's object to register it with the CUDA runtime.
OF_NVCC = re.compile(r"_ZL20__cudaFatCubinHandle$|_ZL\d+__cuda_fatbin_\w+$|_Z(GV)?Z\d+__device_stub__")


def mutable_globals():
    for line in output("objdump", "-t", f"{PREFIX}/lib/libvise.a").splitlines():
        match = re.search(r"\s\.(data|bss)(?:\.(?!rel\.ro)\S+)?\s+([0-9a-f]+)\s+(\S+)$", line)
        if match and int(match.group(2), 16) > 0 and not match.group(3).startswith(".") \
                and not OF_NVCC.match(match.group(3)):
            yield match.group(3)


def main():
    want, have = declared(), exported()
    faults = [f"declared but not exported: {name}" for name in sorted(want - have)]
    faults += [f"exported but not declared in a public header: {name}" for name in sorted(have - want)]
    faults += [f"exported without the prefix vise_, or private: {name}" for name in sorted(have)
               if not name.startswith("vise_") or name.startswith("vise_i_")]
    faults += [f"mutable global: {name}" for name in mutable_globals()]
    if len(want) < 50:
        faults.append(f"only {len(want)} functions found in the public headers")
    print("\n".join(faults) or f"{len(have)} functions, declared and exported")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
