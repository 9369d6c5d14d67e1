"""The emulated CUDA device: each of its allocations finds no memory, each launch is refused, and it fails for good at each
kernel (10). The tool is vise-emulated."""
import re

import judge
from commands import Command

TRAINING = ("--train d.csv --layers auto-4-auto --val-fraction 0.2 --epochs 3 --batch 16 --quiet --checkpoint-every 3 "
            "--backend cuda --optimizer sgd --lr 0.05")
COMMANDS = [
    Command("train", "data", f"train {TRAINING} --seed 1 --out run", "train", "run"),
    Command("train-unfused", "data", f"train {TRAINING} --seed 1 --step unfused --out run", "train", "run"),
    Command("train-resume", "device-killed", "train --resume run", "train", "run", same_as="train"),
    Command("train-overwrite", "device-run", f"train {TRAINING} --seed 2 --overwrite --out run", "train", "run", "device-run"),
    Command("sweep", "data", "sweep --train d.csv --layers auto-3-auto --epochs 2 --folds 2 --vary clamp=0.1,0.5 --quiet "
            "--backend cuda --seed 1 --out sw", "sweep", "sw"),
    Command("eval", "device-run", "eval --model run --data d.csv --backend cuda --json", "read"),
    Command("predict", "device-run", "predict --model run --data d.csv --backend cuda --out p.csv --json", "write"),
]
FAULTS = {"ALLOCATION": re.compile(r"memory|bytes free", re.I), "LAUNCH": re.compile(r"CUDA|cuBLAS|GPU", re.I),
          "KERNEL": re.compile(r"CUDA|cuBLAS|GPU", re.I)}
MOST = 100000  # of one kind; the end is found before
STREAK = 24  # after so many that are alike only every 16th


def fired(outcome, kind):
    return f"VISE_EMU_FAIL_{kind}" in outcome.err


def told(err):
    """What the tool says; what the emulation does is not its."""
    return "\n".join(line for line in err.splitlines() if not line.startswith("emulated CUDA:"))


class Part:
    name = "device"
    about = "allocations, launches and kernels of the emulated CUDA device fail"

    def __init__(self, rig, setting, court):
        self.rig, self.setting, self.court = rig, setting, court
        by_name = {command.name: command for command in COMMANDS}
        if "device-run" not in setting.states:
            setting.states["device-run"] = setting.do("data", by_name["train"].line)
            setting.states["device-killed"] = setting.kill_at("data", by_name["train"].line, "rename", "checkpoints", 2)
        setting.commands = COMMANDS

    def commands(self):
        return COMMANDS

    def count(self, command, kind):
        """How many there are: the first that does not come."""
        low, high = 0, 1
        while high < MOST and self.comes(command, kind, high):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.comes(command, kind, middle) else (low, middle)
        return low

    def comes(self, command, kind, number):
        return fired(self.run(command, kind, number), kind)

    def run(self, command, kind, number):
        self.rig.lay(self.setting.state(command.state))
        return self.rig.run(command.argv, settings={f"VISE_EMU_FAIL_{kind}": str(number)}, timeout=120)

    def cases(self, command):
        self.setting.prepare(command)
        for kind in FAULTS:
            n = self.count(command, kind)
            for number in range(1, n + 1):
                if number <= STREAK or number > n - 4 or number % 16 == 0:
                    yield f"{kind}:{number}", lambda kind=kind, number=number: self.fail(command, kind, number)

    def fail(self, command, kind, number):
        outcome = self.run(command, kind, number)
        if not fired(outcome, kind):
            return []
        outcome.err = told(outcome.err)
        found = self.court.all(command, outcome)
        text = judge.last_message(outcome.err)
        if outcome.code in (1, 2) and not FAULTS[kind].search(text):
            found.append(("no reason", text))
        elif outcome.code in (1, 2) and judge.DAMAGE.search(text):
            found.append(("wrong reason", text))
        if outcome.code == 0 and kind == "KERNEL":
            found.append(("a device that failed is silent", outcome.err))
        return found
