"""Faults in copies of the PTX, each of which the test of bits must notice; the copy without one it must pass."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

KERNEL = "step_plain_f32.ptx"  # of the steps of the test's net
BESIDE = "step_small_f32.ptx"  # of its other calls


def swap_operands(text):
    """A wrong constraint: value and epoch of the exchange's slots change places."""
    return re.sub(r"mov\.b128 v, \{(%\w+), (%\w+)\}", r"mov.b128 v, {\2, \1}", text)


def contract(text):
    """What -fmad=true makes of a product that is added in the same block. In float32 these are all products by powers of
    two, which stay as they are; in float64 statistics change."""
    lines, products = text.split("\n"), {}
    for k, line in enumerate(lines):
        words = re.findall(r"[%\w.$-]+", line)
        if line.startswith(("$", "}")):
            products = {}
        elif re.match(r"\tmul\.rn\.f(32|64)", line):
            products[words[1]] = words[2:4]
        elif re.match(r"\tadd\.rn\.f(32|64)", line):
            for product, other in ((words[2], words[3]), (words[3], words[2])):
                if product in products:
                    factors = ", ".join(products[product])
                    lines[k] = f"\tfma{words[0][3:]} \t{words[1]}, {factors}, {other};"
                    break
    return "\n".join(lines)


def part_fused(text):
    """The reverse: products and sums that are rounded apart."""
    return re.sub(r"\tfma\.rn\.f32 \t(%f\d+), ([^,;]*), ([^,;]*), ([^,;]*);",
                  lambda m: "\t{ .reg .f32 t; mul.rn.f32 t, %s, %s;\n\tadd.rn.f32 %s, t, %s; }"
                  % (m[2], m[3], m[1], m[4]), text)


def leave_contraction_open(text):
    """Without a rounding ptxas may contract."""
    return text.replace("add.rn.f32", "add.f32", 1)


def flush_subnormals(text):
    return text.replace("mul.rn.f32", "mul.rn.ftz.f32", 1)


def do_not_wait_for_copies(text):
    return re.sub(r"cp\.async\.wait_group \d+;", "", text)


def shuffle_by_another_lane(text):
    """Wherever 16 is moved to a register, as it is for butterflies."""
    return re.sub(r"mov\.u32 \t(%r\d+), 16;", r"mov.u32 \t\1, 8;", text)


def leave_out_barriers(text):
    """Those of the phase by rows."""
    begin = text.index("vise_rows_phaseEv()\n{")
    end = text.index("\n}\n", begin)
    return text[:begin] + re.sub(r"bar\.sync[^;]*;", "", text[begin:end]) + text[end:]


def misalign(text):
    return re.sub(r"(ld\.shared\.v4\.f32 \t\{[^}]*\}, \[%r\d+)\+(\d+)\]", r"\1+\2+4]", text)


def overrun(text):
    """Stores to the stages go far beyond the shared memory."""
    return re.sub(r"(st\.shared\.f32 \t\[%r\d+)(\+\d+)?\]", r"\1+300000]", text)


# Fault -> what the output must say beside failing, or None.
FAULTS = {
    swap_operands: "endless spin",
    contract: "one net: ",
    part_fused: "one net: ",
    leave_contraction_open: "add.f32 is outside the subset",
    flush_subnormals: "mul.rn.ftz.f32 is outside the subset",
    do_not_wait_for_copies: None,
    shuffle_by_another_lane: None,
    leave_out_barriers: None,
    misalign: "misaligned",
    overrun: "outside the shared memory",
}


def run(program, folder):
    environment = dict(os.environ, VISE_EMU_PTX=folder, VISE_EMU_PTX_ONLY="1", VISE_EMU_SMS="4",
                       VISE_EMU_SCHEDULE="random:1", VISE_EMU_TIMEOUT="20")
    done = subprocess.run([program, "--filter", "ptx/one_net"], env=environment, text=True, capture_output=True)
    return done.returncode, done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", required=True)
    arguments = parser.parse_args()
    with open(os.path.join(arguments.folder, KERNEL), encoding="utf-8") as file:
        text = file.read()

    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, KERNEL)
        shutil.copy(os.path.join(arguments.folder, KERNEL), copy)
        shutil.copy(os.path.join(arguments.folder, BESIDE), folder)
        code, output = run(arguments.program, folder)
        if code != 0:
            wrong.append("without a fault: " + output)

        for fault, says in FAULTS.items():
            faulty = fault(text)
            if faulty == text:
                wrong.append(f"{fault.__name__}: finds nothing to change")
                continue
            with open(copy, "w", encoding="utf-8") as file:
                file.write(faulty)
            code, output = run(arguments.program, folder)
            if code == 0 or (says and says not in output):
                wrong.append(f"{fault.__name__}: not noticed (exit {code}): {output[-800:]}")
            else:
                print(f"{fault.__name__}: noticed")

    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
