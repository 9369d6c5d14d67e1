"""The commands that are tortured, the folders they begin with, and what they leave when nobody disturbs them."""
import gzip
import json
import random
import struct
from dataclasses import dataclass

import trees

TRAINING = ("--train d.csv --layers auto-4-auto --val-fraction 0.2 --epochs 4 --batch 16 --threads 1 --quiet "
            "--checkpoint-every 3 --log-every 2")
SWEEPING = ("--train d.csv --layers auto-3-auto --epochs 2 --folds 2 --vary clamp=0.1,0.5 --jobs 1 "
            "--quiet")


@dataclass(eq=False)
class Command:
    name: str
    state: str  # the folder that it begins with
    line: str
    kind: str  # train, sweep: they own a folder; write: one or more files; read: nothing
    folder: str = ""
    before: str = ""  # overwrite: the folder's state before it
    same_as: str = ""  # the command whose result this one must leave
    expected_tree: dict = None
    expected_out: object = None
    expected_err: str = ""

    @property
    def argv(self):
        return self.line.split()

    @property
    def resume(self):
        """How a user goes on after this failed."""
        return [self.kind, "--resume", self.folder]


COMMANDS = [
    Command("train", "data", f"train {TRAINING} --seed 1 --out run", "train", "run"),
    Command("train-resume", "killed", "train --resume run", "train", "run", same_as="train"),
    Command("train-overwrite", "run", f"train {TRAINING} --seed 2 --overwrite --out run", "train", "run", "run"),
    Command("train-estimate", "data", "train --train d.csv --layers auto-3-auto --epochs 1 --threads 1 --out run "
            "--json", "train", "run"),
    Command("train-events", "data", f"train {TRAINING} --seed 1 --tensorboard --out run", "train", "run"),
    Command("train-mask", "pruned", f"train {TRAINING} --init p.safetensors --mask m.safetensors --out masked",
            "train", "masked"),
    Command("train-config", "run", "train --config run/config.json --out again", "train", "again"),
    Command("train-gzip", "data", "train --train z.csv.gz --test d.csv --layers auto-3-auto --epochs 1 --threads 1 "
            "--val d.csv --quiet --out run", "train", "run"),
    Command("train-npy", "data", "train --train x.npy --train-labels y.npy --layers auto-3-auto --epochs 1 --threads 1 "
            "--loss cross-entropy --out run --quiet", "train", "run"),
    Command("train-idx", "data", "train --train x-idx3-ubyte.gz --train-labels y-idx1-ubyte --layers auto-3-auto --epochs 1 "
            "--threads 1 --out run --quiet", "train", "run"),
    Command("train-libsvm", "data", "train --train d.svm --layers auto-3-auto --epochs 1 --threads 1 --out run --quiet",
            "train", "run"),
    Command("sweep", "data", f"sweep {SWEEPING} --seed 1 --out sw", "sweep", "sw"),
    Command("sweep-resume", "sweep-killed", "sweep --resume sw", "sweep", "sw", same_as="sweep"),
    Command("sweep-join", "sweep-killed", "sweep --join sw", "sweep", "sw", same_as="sweep"),
    Command("sweep-overwrite", "sweep", f"sweep {SWEEPING} --seed 2 --overwrite --out sw", "sweep", "sw", "sweep"),
    Command("eval", "run", "eval --model run --data d.csv --json", "read"),
    Command("eval-npy", "npy-run", "eval --model run --data x.npy --labels y.npy --json", "read"),
    Command("predict-csv", "predicted", "predict --model run --data d.csv --out p.csv --json", "write"),
    Command("predict-npy", "run", "predict --model run/model.safetensors --data d.csv --out p.npy", "write"),
    Command("predict-out", "run", "predict --model run --data d.csv --output class --out -", "read"),
    Command("prune", "pruned", "prune --model run/model.safetensors --op prune --fraction 0.25 --out p.safetensors "
            "--mask-out m.safetensors --json", "write"),
    Command("report", "run", "report run", "write"),
    Command("report-sweep", "sweep", "report sw --out page.html", "write"),
    Command("info", "run", "info run --json", "read"),
    Command("info-plan", "data", "info --plan --train d.csv --layers auto-3-auto --json", "read"),
]


def npy(code, shape, content):
    header = f"{{'descr': '{code}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


def make_data():
    """A table with numbers and text, the same packed, and numbers as NPY, IDX and LIBSVM: 60 rows of 3 classes."""
    chance = random.Random(1)
    rows, numbers, labels = ["a,b,c,y"], [], []
    for i in range(60):
        a, b = chance.gauss(i % 3, 1), chance.gauss(-(i % 3), 1)
        rows.append(f"{a:.3f},{b:.3f},{chance.choice('uvw')},{'pqr'[i % 3]}")
        numbers += [a, b]
        labels.append(i % 3)
    table = ("\n".join(rows) + "\n").encode()
    files = {"d.csv": table, "z.csv.gz": gzip.compress(table, mtime=0),
             "x.npy": npy("<f4", "(60, 2)", struct.pack("<120f", *numbers)),
             "x-idx3-ubyte.gz": gzip.compress(struct.pack(">IIII", 0x803, 60, 2, 2) + bytes(i * 7 % 251 for i in range(240)),
                                              mtime=0),
             "y-idx1-ubyte": struct.pack(">II", 0x801, 60) + bytes(labels),
             "d.svm": "".join(f"{label} 1:{numbers[2 * i]:.3f} 2:{numbers[2 * i + 1]:.3f}\n"
                              for i, label in enumerate(labels)).encode(),
             "y.npy": npy("<i8", "(60,)", struct.pack("<60q", *labels))}
    return {name: ("file", 0o644, content) for name, content in files.items()}


class Setting:
    """The folders that commands begin with, and their undisturbed results; each is made when it is first asked for."""

    def __init__(self, rig):
        self.rig = rig
        self.states = {"data": make_data()}
        self.commands = COMMANDS

    def do(self, state, line, **more):
        self.rig.lay(self.state(state))
        outcome = self.rig.run(line.split(), **more)
        if outcome.code != 0 and not more:
            raise RuntimeError(f"undisturbed, 'vise {line}' ended with {outcome.code}: {outcome.err}")
        return self.rig.tree()

    def state(self, name):
        if name in self.states:
            return self.states[name]
        by_name = {command.name: command for command in COMMANDS}
        if name == "run":
            tree = self.do("data", by_name["train"].line)
        elif name == "npy-run":
            tree = self.do("data", by_name["train-npy"].line)
        elif name == "sweep":
            tree = self.do("data", by_name["sweep"].line)
        elif name == "killed":
            tree = self.kill_at("data", by_name["train"].line, "rename", "checkpoints", 2)
        elif name == "sweep-killed":
            tree = self.kill_at("data", by_name["sweep"].line, "write", "fits.jsonl", 2)
        elif name == "pruned":
            tree = self.do("run", "prune --model run --op prune --fraction 0.5 --out p.safetensors --mask-out "
                           "m.safetensors")
        elif name == "predicted":
            tree = self.do("run", "predict --model run --data d.csv --output class --out p.csv")
        else:
            raise KeyError(name)
        self.states[name] = tree
        return tree

    def kill_at(self, state, line, call, path, number):
        """What is left when the tool dies just after a call, the number-th of this name with this in its path."""
        self.rig.lay(self.state(state))
        listed = self.rig.run(line.split(), "calls", [("LIST", 1)]).lines("call")
        places = [int(words[1]) for words in listed if words[2] == call and path in words[4]]
        return self.do(state, line, preload="calls", settings=[("CALL", places[number - 1]), ("KILL", 2)])

    def prepare(self, command):
        """Fills in what the command leaves undisturbed."""
        if command.expected_tree is not None:
            return
        self.rig.lay(self.state(command.state))
        outcome = self.rig.run(command.argv)
        if outcome.code != 0:
            raise RuntimeError(f"undisturbed, 'vise {command.line}' ended with {outcome.code}: {outcome.err}")
        command.expected_tree = self.rig.tree()
        command.expected_out = output(outcome.out)
        command.expected_err = outcome.err
        if command.same_as:
            other = next(of for of in self.commands if of.name == command.same_as)
            self.prepare(other)
            command.expected_tree = other.expected_tree


def output(text):
    """Standard output as a result: an object without times, or lines without numbers that are times."""
    try:
        return trees.steady(json.loads(text))
    except ValueError:
        return [line for line in text.splitlines() if not line.startswith(("time ", "trained "))]
