"""The examples in the help of every command work as they stand, typed one after another by somebody who has data of
these names. Takes VISE and WORK from the environment."""
import array
import json
import os
import re
import shutil
import struct
import subprocess
import sys

# Options that only make an example of a benchmark shorter.
SHORTER = {"vise bench": " --seconds 0.01 --total-seconds 5"}
# What the examples leave behind, and how long a file has to be at least.
LEFT = {"run/model.safetensors": 500, "boxed/config.json": 500, "strengths/results.csv": 500,
        "strengths/best/model.safetensors": 500, "drawn/fits.jsonl": 1000, "answers.csv": 500, "a.npy": 500,
        "pruned.safetensors": 500, "clipped.safetensors": 500, "strengths/report.html": 5000, "run/report.html": 5000,
        "compared.html": 5000, "certificate.json": 500,
        "for-onnx/net.onnx": 500, "for-c/net.h": 1000,
        "integers/net.c": 1000}


def npy(path, kind, code, n_columns, values):
    shape = f"({len(values) // n_columns}, {n_columns})" if n_columns > 1 else f"({len(values)},)"
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        array.array(code, values).tofile(file)


def make_data(folder):
    """Two numbers and which side of a line they are on, as tables and as arrays."""
    state, rows = 1, []
    for _ in range(400):
        point = []
        for _ in range(2):
            state = state * 16807 % 2147483647
            point.append(2 * state / 2147483647 - 1)
        rows.append((point[0], point[1], int(point[0] + point[1] > 0.1)))
    names = ("low", "high")
    for name, part in (("data", rows[:300]), ("test", rows[300:])):
        with open(os.path.join(folder, f"{name}.csv"), "w", encoding="utf-8") as file:
            file.write("a,b,label\n" + "".join(f"{a:.6f},{b:.6f},{names[side]}\n" for a, b, side in part))
    with open(os.path.join(folder, "new.csv"), "w", encoding="utf-8") as file:
        file.write("a,b\n" + "".join(f"{a:.6f},{b:.6f}\n" for a, b, _ in rows[300:]))
    npy(os.path.join(folder, "x.npy"), "<f8", "d", 2, [value for a, b, _ in rows for value in (a, b)])
    npy(os.path.join(folder, "y.npy"), "<i4", "i", 1, [side for _, _, side in rows])


def is_json(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def names_of_commands(text):
    """The commands that the help of the tool lists."""
    return re.findall(r"^(?:[A-Z]\w+ +| {12})([a-z]+) {2,}\w", text, re.M)


def examples_of(text):
    """Those of a help: indented lines between the usage and the options, joined where they go on."""
    block = text.replace("\\\n", " ").split("\n\n")[1]
    return [re.sub(" +", " ", line.strip()) for line in block.splitlines()]


class Shell:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(os.path.join(folder, "bin"))
        os.symlink(os.environ["VISE"], os.path.join(folder, "bin", "vise"))
        self.environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}

    def run(self, line):
        return subprocess.run(["sh", "-c", line], cwd=self.folder, env=self.environment, text=True, capture_output=True,
                              check=False, timeout=120)


def main():
    folder = os.path.join(os.environ["WORK"], "help_examples")
    shutil.rmtree(folder, ignore_errors=True)
    shell, faults, n_run = Shell(folder), [], 0
    make_data(folder)
    overview = shell.run("vise help").stdout
    commands = names_of_commands(overview)
    typed = []
    for command in commands:
        text = shell.run(f"vise help {command}").stdout
        faults += [f"wider than a terminal: {line}" for line in text.splitlines() if len(line) > 80]
        for example in examples_of(text):
            shorter = next((more for start, more in SHORTER.items() if example.startswith(start)), "")
            done = shell.run(example + shorter)
            typed.append(example)
            if not example.startswith(f"vise {command}"):
                faults.append(f"the help of {command} has the example '{example}'")
            if done.returncode != 0:
                faults.append(f"'{example}' ends with {done.returncode}: {done.stderr}")
            if "--json" in example.split() and not is_json(done.stdout):
                faults.append(f"'{example}' prints '{done.stdout}'")
    # Those of the overview are examples of commands.
    faults += [f"'{example}' is in the overview alone" for example in re.findall(r"^  (vise .*)", overview, re.M)
               if example not in typed]
    for name, least in LEFT.items():
        path = os.path.join(folder, name)
        if not os.path.exists(path) or os.path.getsize(path) < least:
            faults.append(f"{name} is not there, or too short")
    if len(commands) < 9 or len(typed) < 20:
        faults.append(f"only {len(typed)} examples of {commands}")
    print("\n".join([*faults, f"{len(typed)} examples of {len(commands)} commands, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
