"""What `vise export` writes as C, on a million inputs: on this machine it gives what `vise predict` gives, also under sanitizers and
with checks of all sums; compiled for Arm and RISC-V and run by qemu it gives the bits that this machine gives. It compiles for a
Cortex-M0 without anything beside it, and Frama-C proves of a small net that nothing in it overflows or is read beyond its end.
`./dev hardware` installs what it takes and runs it. Takes WORK and VISE (the tool) from the environment."""
import array
import os
import random
import re
import shutil
import subprocess
import time

from scene import expect, play

VISE = os.environ["VISE"]
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2")
# Compiler and what runs its programs. int and pointers of 32 bits and no floating point, and of 64 bits.
TARGETS = (("arm-linux-gnueabi-gcc", ("-march=armv5te", "-mfloat-abi=soft"), "qemu-arm"),
           ("riscv64-linux-gnu-gcc", (), "qemu-riscv64"))
N_ROWS = 1000000
DRIVER = """#include <stdio.h>
#include "net.h"
int main(void) {
  uint8_t x[NET_INPUTS];
  int32_t y[NET_OUTPUTS];
  while (fread(x, 1, NET_INPUTS, stdin) == NET_INPUTS) {
    net_run(x, y);
    if (fwrite(y, sizeof y, 1, stdout) != 1) return 1;
  }
  return 0;
}
"""
# Rows of floats.
REALS = """#include <stdio.h>
#include "net.h"
int main(void) {
  float v[NET_INPUTS];
  uint8_t x[NET_INPUTS];
  int32_t y[NET_OUTPUTS];
  while (fread(v, sizeof v, 1, stdin) == 1) {
    for (int i = 0; i < NET_INPUTS; i++) x[i] = net_quantize(i, v[i]);
    net_run(x, y);
    if (fwrite(y, sizeof y, 1, stdout) != 1) return 1;
  }
  return 0;
}
"""
# Any inputs whatever, which Frama-C takes for all of them at once.
ANY_INPUTS = """#include "net.h"
#include "__fc_builtin.h"
int main(void) {
  uint8_t x[NET_INPUTS];
  int32_t y[NET_OUTPUTS];
  for (int i = 0; i < NET_INPUTS; i++) x[i] = (uint8_t)Frama_C_interval(0, %d);
  net_run(x, y);
  return net_class(y);
}
"""


def run(*command, cwd=None, rows=None, binary=False):
    environment = {**os.environ, "PWD": os.path.abspath(cwd or ".")}  # where Frama-C looks
    done = subprocess.run(command, cwd=cwd, input=rows, capture_output=True, check=False, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout if binary else done.stdout.decode()


def make_nets():
    random.seed(3)
    with open("table.csv", "w", encoding="utf-8") as file:
        file.write("a,b,c,d,class\n")
        for i in range(400):
            file.write(",".join(f"{random.gauss((i + j) % 3, 1):.4f}" for j in range(4)) + f",{'xyz'[i % 3]}\n")
    for name, layers, activation in (("relu", "auto-24-12-auto", "relu"), ("tanh", "auto-16-auto", "tanh"),
                                     ("leaky", "auto-16-auto", "leaky-relu"), ("wide", "auto-24-12-auto", "relu"),
                                     ("small", "auto-4-auto", "relu")):
        run(VISE, "train", "--train", "table.csv", "--layers", layers, "--activation", activation, "--epochs", "5", "--quiet",
            "--out", f"run-{name}", "--backend", "cpu")
    for name, bits, most in (("relu", "int8,acc16", 255), ("tanh", "int8,acc24", 255), ("leaky", "int8,acc12,act4,in4", 15),
                             ("wide", "int16,acc32", 255), ("small", "int8,acc16", 255)):
        run(VISE, "export", "--model", f"run-{name}", "--format", "c", "--as", bits, "--data", "table.csv", "--out", name)
        run(VISE, "export", "--model", f"run-{name}", "--format", "h", "--data", "table.csv", "--out", f"float-{name}")
        with open(f"{name}/driver.c", "w", encoding="utf-8") as file:
            file.write(DRIVER)
        with open(f"{name}/any.c", "w", encoding="utf-8") as file:
            file.write(ANY_INPUTS % most)
        yield name, most


def write_npy(path, kind, shape, values):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode())
        values.tofile(file)


def rows_of(most):
    """Rows of 4 inputs up to most; of every eighth each is 0 or most."""
    random_bytes = random.Random(1)
    rows = bytearray(b % (most + 1) for b in random_bytes.randbytes(4 * N_ROWS))
    for i in range(0, 4 * N_ROWS, 32):
        rows[i:i + 4] = [most * (b & 1) for b in random_bytes.randbytes(4)]
    return bytes(rows)


def check_here(name, most):
    """Without a report of the sanitizers, and with every partial sum held against the accumulator: the same outputs."""
    rows = rows_of(most)
    wanted = None
    for options in ((), ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"), ("-ftrapv",), ("-DNET_CHECK_SUMS",)):
        run("gcc", *STRICT, *options, "net.c", "driver.c", "-o", "here", cwd=name)
        outputs = run("./here", cwd=name, rows=rows, binary=True)
        wanted = wanted or outputs
        expect(outputs == wanted and len(outputs) == 3 * 4 * N_ROWS, f"{name}, {options}: other outputs")
    print(f"{name}, here: {N_ROWS} rows alike, with sanitizers and checks of the sums too", flush=True)


def check_predict():
    """What predict gives in integers, of a net that was trained so, and of one that is rounded with the ranges of few rows."""
    chance = random.Random(5)
    values = array.array("f", (chance.gauss(i % 3, 1) for i in range(4 * N_ROWS)))
    write_npy("x.npy", "<f4", (N_ROWS, 4), values)
    write_npy("few.npy", "<f4", (500, 4), values[:2000])
    write_npy("y.npy", "<i4", (500,), array.array("i", [i % 3 for i in range(500)]))
    bits = ("--as", "int8,acc16")
    for name, training, export, ranges in (("trained", ("--quantize", "int8,acc16"), (), ()),
                                           ("rounded", (), (*bits, "--data", "few.npy"), ("--ranges", "few.npy"))):
        run(VISE, "train", "--train", "few.npy", "--train-labels", "y.npy", "--layers", "4-16-3", "--epochs", "5", "--quiet",
            "--backend", "cpu", "--out", f"run-{name}", *training)
        run(VISE, "export", "--model", f"run-{name}", "--format", "c", "--out", name, *export)
        run(VISE, "predict", "--model", f"run-{name}", "--data", "x.npy", "--output", "raw", "--out", "p.npy", *bits, *ranges)
        with open(f"{name}/reals.c", "w", encoding="utf-8") as file:
            file.write(REALS)
        run("gcc", *STRICT, "net.c", "reals.c", "-o", "reals", cwd=name)
        got = array.array("i", run("./reals", cwd=name, rows=values.tobytes(), binary=True))
        with open(f"{name}/net.h", encoding="utf-8") as file:
            unit = float(re.search(r"OUTPUT_UNIT (\S+)f", file.read()).group(1))
        with open("p.npy", "rb") as file:
            want = array.array("d", file.read()[-8 * len(got):])
        wrong = sum(abs(a - b / unit) > 0.01 for a, b in zip(got, want))
        expect(len(got) == len(want) == 3 * N_ROWS and wrong == 0, f"{name}: {wrong} outputs of {len(got)} are not those of predict")
        print(f"{name}: {N_ROWS} rows as predict has them", flush=True)


def check_target(name, most, target):
    """The outputs of all rows, as they lie in memory, which is alike: both are little-endian, as this machine is."""
    compiler, options, emulator = target
    rows = rows_of(most)
    run("gcc", *STRICT, "net.c", "driver.c", "-o", "here", cwd=name)
    run(compiler, *STRICT, *options, "-static", "net.c", "driver.c", "-o", "there", cwd=name)
    here = run("./here", cwd=name, rows=rows, binary=True)
    begun = time.monotonic()
    there = run(emulator, "./there", cwd=name, rows=rows, binary=True)
    seconds = time.monotonic() - begun
    expect(here == there and len(here) == 3 * 4 * N_ROWS, f"{name} by {compiler}: other outputs")
    run(compiler, *STRICT, *options, "-static", "net.c", "net_test.c", "-o", "there", cwd=name)
    print(f"{name}, {compiler}: {N_ROWS} rows alike in {seconds:.0f} s, {run(emulator, './there', cwd=name).strip()}", flush=True)
    run(compiler, *STRICT, *options, "-static", "net_test.c", "-o", "there", "-lm", cwd=f"float-{name}")
    print(f"{name}, {compiler}, float32: {run(emulator, './there', cwd=f'float-{name}').strip()}")


def check_microcontroller(name):
    """For a Cortex-M0: no operation of the compiler's own library but those that its instructions lack."""
    run("arm-linux-gnueabi-gcc", *STRICT, "-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft", "-ffreestanding", "-fno-pie", "-DNET_NO_FLOAT",
        "-c", "net.c", "-o", "m0.o", cwd=name)
    undefined = [word for word in run("arm-linux-gnueabi-nm", "-u", "m0.o", cwd=name).split() if word != "U"]
    expect(all(word.startswith("__aeabi_l") or word == "__aeabi_uldivmod" for word in undefined), f"{name} needs {undefined}")
    size = run("arm-linux-gnueabi-size", "m0.o", cwd=name).splitlines()[1].split()
    expect(size[1] == size[2] == "0", f"{name} has variables")
    print(f"{name}, Cortex-M0: {size[0]} bytes of code and tables, calls {undefined or 'nothing'}")


def check_proof(name):
    """All inputs at once; a cast that loses bits is an alarm too, so that the casts to the accumulator are proven."""
    options = ("frama-c", "-eva", "-eva-slevel", "100000", "-warn-signed-downcast", "-warn-unsigned-downcast",
               "-warn-signed-overflow", "-cpp-extra-args=-DNET_NO_FLOAT", "any.c")
    printed = run(*options, "net.c", cwd=name)
    expect("0 alarms generated by the analysis" in printed, printed)
    print(f"{name}, Frama-C: no alarm")

    with open(f"{name}/net.c", encoding="utf-8") as file:
        rows = re.sub(r"NET_PROVE\(net_.*", "", file.read())
    with open(f"{name}/wrong.c", "w", encoding="utf-8") as file:
        file.write(re.sub(r"(?<=NET_ROW_0_2\(X\) \\\n).*", "  X(127) X(127) X(127) X(127)", rows))
    printed = run(*options, "wrong.c", cwd=name)
    expect("0 alarms generated by the analysis" not in printed, "Frama-C sees no overflow where there is one")


def main():
    tools = ["frama-c"] + [tool for target in TARGETS for tool in (target[0], target[2])]
    lacking = [tool for tool in tools if not shutil.which(tool)]
    expect(not lacking, f"there is no {', '.join(lacking)}: ./dev hardware installs them")
    nets = list(make_nets())
    check_predict()
    for name, most in nets:
        check_here(name, most)
        for target in TARGETS:
            check_target(name, most, target)
        check_microcontroller(name)
    check_proof("small")


if __name__ == "__main__":
    play("export_cross", main)
