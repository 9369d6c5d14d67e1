"""What `vise export` writes as C, in float32 and in integers, is C99 without a warning, gives what the net gives, and knows when
it does not. Takes WORK, VISE (the tool) and CC from the environment."""
import array
import os
import random
import re
import shutil
import subprocess

from scene import expect, finished, play

VISE, CC = os.environ["VISE"], os.environ["CC"]
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")
ACTIVATIONS = ("relu", "leaky-relu", "silu", "tanh", "sigmoid", "gelu", "identity", "elu")
# Names that end comments and strings, mean something to the preprocessor, or become alike.
COLUMNS = ('a b', 'a_b', '*/ int x = 1; /*', 'say "hi"\\', 'what??/', 'größe', '9', 'int')
CLASSES = ('no "', 'no_\\', "*/", "ja??/")


def run(*command, code=0):
    done = finished(*command, code=code)
    return done.stdout + done.stderr


def field(text):
    return '"' + text.replace('"', '""') + '"'


def make_data():
    random.seed(3)
    with open("table.csv", "w", encoding="utf-8") as file:
        file.write(",".join(map(field, COLUMNS + ("color", "class"))) + "\n")
        for i in range(240):
            row = [f"{random.gauss(i % 4, 1):.4f}" for _ in COLUMNS] + ["rgb"[i % 3], CLASSES[i % 4]]
            file.write(",".join(map(field, row)) + "\n")
    with open("line.csv", "w", encoding="utf-8") as file:
        file.write("x,z,y\n")
        for _ in range(200):
            x, z = random.gauss(0, 1), random.gauss(50, 9)
            file.write(f"{x},{z},{3 * x - 0.2 * z + 900}\n")


def train(name, data, *options):
    run(VISE, "train", "--train", data, "--epochs", "3", "--quiet", "--seed", "2", "--out", name, "--backend", "cpu", *options)


def compilers():
    return [CC] + [path for path in (shutil.which("clang"),) if path]


def build_and_run(sources, *options):
    for compiler in compilers():
        for more in (("-O0", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-ftrapv"), ("-O2", *options)):
            run(compiler, *STRICT, *more, *sources, "-o", "a_test", "-lm")
            printed = run("./a_test")
            expect("test vectors" in printed, printed)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_net(name, data, *options):
    train(name, data, *options)
    run(VISE, "export", "--model", name, "--format", "h", "--out", f"c-{name}", "--name", f"{name}_net", "--data", data)
    build_and_run([f"c-{name}/{name}_net_test.c"], "-ffast-math")
    header = read(f"c-{name}/{name}_net.h")
    uses = re.findall(r"\b(?:malloc|free|printf|double|\w+f)\(", header)
    expect(all(use in ("tanhf(", "expf(", "erfcf(", "expm1f(") for use in uses), f"{name} calls {uses}")
    expect(("#include <math.h>" in header) == bool(uses), f"{name} includes what it does not need")


def check_integers(name, data, format_text):
    run(VISE, "export", "--model", name, "--format", "c", "--as", format_text, "--data", data, "--out", f"i-{name}", "--name",
        f"{name}_net")
    sources = [f"i-{name}/{name}_net.c", f"i-{name}/{name}_net_test.c"]
    build_and_run(sources)
    build_and_run(sources, f"-D{name.upper()}_NET_CHECK_SUMS")
    run(CC, *STRICT, "-ffreestanding", "-nostdlib", f"-D{name.upper()}_NET_NO_FLOAT", "-c", sources[0], "-o", "free.o")
    expect(not re.search(r"\b(float|double)\b", read(sources[0]).split("---- numbers ----")[0]), f"{name}: floats in the net")
    undefined = run("nm", "-u", "free.o").split()
    expect(not undefined, f"{name} needs {undefined}")

    text = read(sources[1])
    for pattern in (r"(test_outputs\[\d+\]\[\d+\] = \{\n  \{)(-?\d+)", r"(test_integers\[\d+\]\[\d+\] = \{\n  \{)(-?\d+)"):
        wrong = re.sub(pattern, lambda m: m.group(1) + str((int(m.group(2)) + 1) % 256), text, count=1)
        with open(f"i-{name}/wrong_test.c", "w", encoding="utf-8") as file:
            file.write(wrong)
        run(CC, "-std=c99", sources[0], f"i-{name}/wrong_test.c", "-o", "a_test")
        run("./a_test", code=1)


def check_words():
    """--weights and --acc are other words for --as, and for --format h."""
    for as_words, words in ((("c", "--as", "int8,acc16"), ("c", "--weights", "int8", "--acc", "16")),
                            (("c", "--as", "int8,acc14"), ("c", "--acc", "14")),
                            (("c", "--as", "int16,acc24"), ("c", "--weights", "int16", "--acc", "24")),
                            (("h",), ("c", "--weights", "float32")), (("h",), ("h", "--weights", "float32"))):
        for out, given in (("a", as_words), ("b", words)):
            shutil.rmtree(out, ignore_errors=True)
            run(VISE, "export", "--model", "relu", "--data", "table.csv", "--out", out, "--format", *given)
        expect(os.listdir("a") and sorted(os.listdir("a")) == sorted(os.listdir("b")), f"{words} gives other files")
        expect(all(read(f"a/{name}") == read(f"b/{name}") for name in os.listdir("a")), f"{words} is not {as_words}")


def check_real():
    """Integers and back are near the numbers that predict gives."""
    program = '#include <stdio.h>\n#include "numbers_net.h"\nint main(void) {\n  float x, z;\n  while (scanf("%f,%f,%*s", &x, &z) == 2) ' \
              "{\n    const uint8_t in[] = {numbers_net_quantize(0, x), numbers_net_quantize(1, z)};\n    int32_t y;\n" \
              "    numbers_net_run(in, &y);\n    (void)printf(\"%g\\n\", (double)numbers_net_real(0, y));\n  }\n  return 0;\n}\n"
    with open("i-numbers/real.c", "w", encoding="utf-8") as file:
        file.write(program)
    run(CC, *STRICT, "i-numbers/numbers_net.c", "i-numbers/real.c", "-o", "real")
    rows = read("line.csv").split("\n", 1)[1]
    got = [float(y) for y in subprocess.run("./real", input=rows, capture_output=True, text=True, check=True).stdout.split()]
    run(VISE, "predict", "--model", "numbers", "--data", "line.csv", "--out", "p.csv")
    want = [float(y) for y in read("p.csv").split()[1:]]
    off = max(abs(a - b) for a, b in zip(got, want)) / (max(want) - min(want))
    expect(len(got) == len(want) and off < 0.03, f"numbers by integers are {off} of their range off")


def npy(path, kind, code, shape, values):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode())
        array.array(code, values).tofile(file)


def outputs_of_c(folder, data):
    """What the exported net makes of rows of floats, in real numbers."""
    with open(f"{folder}/rows.c", "w", encoding="utf-8") as file:
        file.write('#include <stdio.h>\n#include "net.h"\nint main(void) {\n  float x[NET_INPUTS];\n  while (fread(x, sizeof x, 1, '
                   'stdin) == 1) {\n    uint8_t in[NET_INPUTS];\n    int32_t y[NET_OUTPUTS];\n    for (int i = 0; i < NET_INPUTS; '
                   'i++) in[i] = net_quantize(i, x[i]);\n    net_run(in, y);\n    for (int k = 0; k < NET_OUTPUTS; k++) '
                   '(void)printf("%ld ", (long)y[k]);\n  }\n  return 0;\n}\n')
    run(CC, *STRICT, f"{folder}/net.c", f"{folder}/rows.c", "-o", "rows")
    return [int(y) for y in subprocess.run("./rows", input=data, capture_output=True, check=True).stdout.split()]


def check_as_predicted():
    """The C and predict give the same outputs, row by row: of a net that was trained for integers, and of one that is rounded
    with the ranges of other rows than those at hand."""
    random.seed(9)
    rows = [[random.gauss(i % 3, 1) for _ in range(5)] for i in range(900)]
    npy("x.npy", "<f4", "f", (900, 5), [value for row in rows for value in row])
    npy("y.npy", "<i4", "i", (900,), [i % 3 for i in range(900)])
    npy("few.npy", "<f4", "f", (9, 5), [0.5 * value for row in rows[:9] for value in row])
    data = array.array("f", [value for row in rows for value in row]).tobytes()
    as_other = ("--as", "int8,acc14,act6")
    for name, training, export, ranges in (("trained", ("--quantize", "int8,acc16"), (), ("--as", "int8,acc16")),
                                           ("rounded", (), (*as_other, "--data", "few.npy"), (*as_other, "--ranges", "few.npy"))):
        run(VISE, "train", "--train", "x.npy", "--train-labels", "y.npy", "--layers", "5-20-3", "--scale", "standard", "--epochs", "4",
            "--quiet", "--backend", "cpu", "--out", name, *training)
        run(VISE, "export", "--model", name, "--format", "c", "--out", f"i-{name}", *export)
        build_and_run([f"i-{name}/net.c", f"i-{name}/net_test.c"], "-DNET_CHECK_SUMS")
        run(VISE, "predict", "--model", name, "--data", "x.npy", "--output", "raw", "--out", "p.csv", *ranges)
        got = outputs_of_c(f"i-{name}", data)
        unit = float(re.search(r"OUTPUT_UNIT (\S+)f", read(f"i-{name}/net.h")).group(1))
        want = [float(y) / unit for line in read("p.csv").split()[1:] for y in line.split(",")]
        wrong = sum(abs(a - b) > 0.01 for a, b in zip(got, want))
        expect(len(got) == len(want) == 2700 and wrong == 0, f"{name}: {wrong} outputs of {len(got)} differ from those of predict")

    scored = ("eval", "--model", "rounded", "--data", "x.npy", "--labels", "y.npy")
    here, there = (run(VISE, *scored, *as_other, *ranges) for ranges in ((), ("--ranges", "few.npy")))
    expect("ranges of these rows" in here and "ranges of few.npy" in there, f"{here}{there}")
    expect(here.splitlines()[1] != there.splitlines()[1], "other ranges change nothing")
    for model, ranges, says in (("rounded", (), "--ranges needs --as"), ("rounded", as_other, "none.npy"),
                                ("trained", ("--as", "int8,acc16"), "has ranges of its own")):
        said = run(VISE, "eval", "--model", model, "--data", "x.npy", "--labels", "y.npy", "--ranges",
                   "none.npy" if "none" in says else "few.npy", *ranges, code=2)
        expect(says in said, f"{ranges}: {said}")


def check_names():
    header = read("c-names/names_net.h")
    for identifier in ("INPUT_A_B_0 = 0", "INPUT_A_B_1 = 1", "INPUT_INT = 7", "INPUT_9_6 = 6", "CLASS_NO__"):
        expect(f"NAMES_NET_{identifier}" in header, f"no NAMES_NET_{identifier}")
    program = '#include <stdio.h>\n#include "names_net.h"\nint main(void) {\n  for (int k = 0; k < NAMES_NET_CLASSES; k++) ' \
              "(void)puts(names_net_class_name(k));\n  return 0;\n}\n"
    with open("c-names/classes.c", "w", encoding="utf-8") as file:
        file.write(program)
    run(CC, *STRICT, "c-names/classes.c", "-o", "c-names/classes", "-lm")
    expect(sorted(run("./c-names/classes").splitlines()) == sorted(CLASSES), "the classes have other names")


def check_faults():
    """A changed weight is seen, and a NaN."""
    text = read("c-relu/relu_net.h")
    first = re.search(r"weights_1\[\d+\] = \{\n  (\S+f),", text)
    for other in ("1.5f", "(0.0f / 0.0f)"):
        with open("c-relu/relu_net.h", "w", encoding="utf-8") as file:
            file.write(text[:first.start(1)] + other + text[first.end(1):])
        run(CC, "-std=c99", "c-relu/relu_net_test.c", "-o", "c-relu/test", "-lm")
        run("./c-relu/test", code=1)


def check_refusals():
    before = sorted(os.listdir("."))
    for options, says in (
            (("--out", "c-relu"), "is not empty"), (("--out", "line.csv"), "is there and no folder"), ((), "--out is missing"),
            (("--out", "n", "--name", "9a"), "expected a letter"), (("--out", "n", "--name", "a-b"), "expected a letter"),
            (("--out", "n", "--vectors", "0"), "--vectors"), (("--out", "n", "--inputs", "5:4"), "the smaller one first"),
            (("--out", "n", "--as", "int8,acc16"), "--format h writes float32"), (("--out", "n", "--acc", "9"), "10 to 32"),
            (("--out", "n", "--weights", "int8"), "--format h writes float32"),
            (("--out", "n", "--inputs", "-3e38:3e38"), "beyond float32"), (("--out", "line.csv/n"), "line.csv"),
            (("--out", "n", "--data", "none.csv"), "none.csv")):
        said = run(VISE, "export", "--model", "relu", "--format", "h", *options, code=2)
        expect(says in said, f"{options}: {said}")
    for model, options, says in (
            ("relu", (), "give --as"), ("relu", ("--as", "int8,acc16"), "and --data"),
            ("relu", ("--as", "int8,acc99", "--data", "table.csv"), "--as"),
            ("relu", ("--as", "int16", "--data", "table.csv"), "--as"),
            ("relu", ("--as", "int8,acc16,unconstrained", "--data", "table.csv"), "--as"),
            ("relu", ("--weights", "float32", "--acc", "16"), "sums of floats have no bits to choose"),
            ("relu", ("--weights", "int16", "--data", "table.csv"), "need --acc P"),
            ("relu", ("--weights", "int4"), "it can be auto, int8, int16, float32"),
            ("relu", ("--acc", "33"), "10 to 32"), ("relu", ("--weights", "int16", "--acc", "24"), "and --data"),
            ("relu", ("--as", "int8,acc16", "--weights", "int8"), "--as int8,acc16 is --weights int8 --acc 16"),
            ("relu", ("--as", "int8,acc16", "--acc", "16"), "contradict each other"),
            ("gelu", ("--as", "int8,acc16", "--data", "table.csv"), "train with relu"),
            ("layers", ("--as", "int8,acc16", "--data", "table.csv"), "train without residual")):
        said = run(VISE, "export", "--model", model, "--format", "c", "--out", "n", *options, code=2)
        expect(says in said, f"{options}: {said}")
    expect(sorted(os.listdir(".")) == before, f"left behind: {set(os.listdir('.')) - set(before)}")

    os.mkdir("empty")
    run(VISE, "export", "--model", "relu", "--format", "h", "--out", "empty/", "--data", "table.csv")
    run(VISE, "export", "--model", "relu", "--format", "h", "--out", "new/deep", "--data", "table.csv")
    expect(sorted(os.listdir("empty")) == sorted(os.listdir("new/deep")) == ["net.h", "net_test.c"], "other files")
    expect(read("empty/net.h") == read("new/deep/net.h"), "the same model gives other files")


def main():
    make_data()
    for activation in ACTIVATIONS:
        check_net(activation.replace("-", "_"), "table.csv", "--layers", "auto-12-7-auto", "--activation", activation)
    check_net("layers", "table.csv", "--layers", "auto-9-9-9-auto", "--batch-norm", "--residual", "--dropout", "0.1")
    check_net("numbers", "line.csv", "--scale-target", "--activation", "tanh")
    check_net("linear", "line.csv", "--layers", "auto-auto", "--scale", "none", "--lr", "1e-5")
    check_net("names", "table.csv")
    for name, data, format_text in (("relu", "table.csv", "int8,acc16"), ("leaky_relu", "table.csv", "int8,acc14,act4"),
                                    ("tanh", "table.csv", "int8,acc16"), ("numbers", "line.csv", "int8,acc24"),
                                    ("linear", "line.csv", "int8,acc32"), ("names", "table.csv", "int8,acc12,act4,in4"),
                                    ("sigmoid", "table.csv", "int16,acc24,act6"), ("identity", "table.csv", "int16,acc32")):
        check_integers(name, data, format_text)
    check_words()
    check_real()
    check_as_predicted()
    check_names()
    check_faults()
    check_refusals()


if __name__ == "__main__":
    play("export_c", main)
