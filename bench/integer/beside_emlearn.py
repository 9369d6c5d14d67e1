"""One net as C by Vise and by emlearn, of the same rows (scikit-learn's digits, 64-32-10, the first 1200 rows to train on):

    env -u OPENBLAS_CORETYPE python bench/integer/beside_emlearn.py

accuracy of the C on the other 597 rows, bytes of the object file for a Cortex-M0 (arm-linux-gnueabi-gcc -Os, what it calls
is not counted), multiplications and their kind. emlearn takes an MLPClassifier of scikit-learn; it has no integers for nets.
Needs the packages vise, emlearn and scikit-learn, cc and arm-linux-gnueabi-gcc."""
import contextlib
import os
import subprocess
import tempfile
import warnings

import emlearn
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import vise

ARM = ["arm-linux-gnueabi-gcc", "-std=c99", "-Os", "-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft", "-c"]
N_TRAIN, EPOCHS = 1200, 100


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def size(folder, source, *flags):
    """Bytes of code and tables, and of variables."""
    run(*ARM, *flags, source, "-o", "net.o", cwd=folder)
    text, data, bss = map(int, run("size", "net.o", cwd=folder).splitlines()[1].split()[:3])
    return text + data, bss


def said(folder, program, rows, *flags):
    """What a program that reads rows of numbers says of each."""
    with open(os.path.join(folder, "main.c"), "w", encoding="utf-8") as file:
        file.write("#include <stdio.h>\n" + program)
    run("cc", "-O2", *flags, "main.c", "-o", "main", "-lm", cwd=folder)
    text = "\n".join(" ".join(repr(float(v)) for v in row) for row in rows)
    return np.array(run("./main", cwd=folder, input=text).split(), dtype=int)


LOOP = """int main(void) {
  float v[64];
  for (;;) {
    for (int i = 0; i < 64; i++) if (scanf("%f", &v[i]) != 1) return 0;
    SAY
  }
}
"""


def report(name, right, sizes, arithmetic):
    print(f"{name:34} {100 * right:6.2f} %   {sizes[0]:6} bytes, {sizes[1]:5} of variables   {arithmetic}")


def main():
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")  # emlearn makes an underflow an error
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    train, test = slice(0, N_TRAIN), slice(N_TRAIN, None)
    n = 64 * 32 + 32 * 10
    options = dict(recipe="none", layers="auto-32-auto", optimizer="adam", lr=3e-3, lr_schedule="cosine", batch=32,
                   epochs=EPOCHS)

    with tempfile.TemporaryDirectory() as folder:
        theirs = MLPClassifier((32,), max_iter=EPOCHS, n_iter_no_change=EPOCHS, learning_rate_init=3e-3, batch_size=32,
                               random_state=0).fit(x[train], y[train])
        with contextlib.chdir(folder):  # where it leaves a folder of its own
            emlearn.convert(theirs, method="inline").save(file="em.h", name="em")
        with open(os.path.join(folder, "em.c"), "w", encoding="utf-8") as file:
            file.write('#include "em.h"\n')
        include = f"-I{emlearn.includedir}"
        keep = ["-Dstatic=", include]  # without a caller all of it would go
        right = said(folder, '#include "em.h"\n' + LOOP.replace("SAY", 'printf("%d\\n", (int)em_predict(v, 64));'), x[test],
                     include)
        report("emlearn", (right == y[test]).mean(), size(folder, "em.c", *keep), f"{n} of float32, expf")

    for integers in ("int8,acc16", "int8,acc12,act4,in4"):
        with tempfile.TemporaryDirectory() as folder:
            where = os.path.join(folder, "net")
            vise.Classifier(quantize=integers, **options).fit(x[train], y[train]).export(where, "c")
            say = ('uint8_t q[NET_INPUTS]; int32_t out[NET_OUTPUTS];\n'
                   '    for (int i = 0; i < NET_INPUTS; i++) q[i] = net_quantize(i, v[net_column[i]]);\n'
                   '    net_run(q, out); printf("%s\\n", net_class_name(net_class(out)));')
            kept = [int(name.split()[-1]) for name in vise.Classifier(**options).fit(x[train], y[train]).input_names_]
            columns = "static const int net_column[] = {" + ", ".join(map(str, kept)) + "};\n"
            right = said(where, '#include "net.h"\n' + columns + LOOP.replace("SAY", say), x[test], "net.c")
            bits = integers.split(",")[1]
            sizes = size(where, "net.c")
            report(f"vise, {integers}", (right == y[test]).mean(), sizes,
                   f"{len(kept) * 32 + 320} of 8 bits, sums of {bits[3:]}")


main()
