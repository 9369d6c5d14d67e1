"""Training and sweeps that are killed again and again, at any moment, end with what they leave undisturbed (4)."""
import os
import random
import time

import judge
import trees
from commands import TRAINING

CHANCES = 40
KILLS = 30  # after so many it is left alone
LINES = {
    "train": (f"train {TRAINING} --seed 1 --out run".replace("--epochs 4", "--epochs 40"), "run"),
    "train-epoch": (f"train {TRAINING} --seed 1 --optimizer adam --dropout 0.2 --batch-norm --patience 30 --out run"
                    .replace("--epochs 4", "--epochs 30").replace("--checkpoint-every 3", "--checkpoint-every epoch"),
                    "run"),
    "sweep": ("sweep --train d.csv --layers auto-8-auto --epochs 20 --folds 3 --vary clamp=0.1,0.5 --vary l2=off,1e-3 "
              "--jobs 1 --quiet --seed 1 --out sw", "sw"),
    "sweep-halving": ("sweep --train d.csv --layers auto-8-auto --epochs 16 --folds 2 --search random --configs 8 "
                      "--vary clamp=0.05..1:log --halving 2 --jobs 2 --quiet --seed 1 --out sw", "sw"),
}


class Part:
    name = "random-kills"
    about = "killed again and again at random, and resumed"

    def __init__(self, rig, setting, court):
        self.rig, self.setting = rig, setting
        self.expected = {}  # (result, seconds) by line

    def commands(self):
        return list(LINES)

    def cases(self, name):
        for chance in range(1, CHANCES + 1):
            yield (str(chance), lambda chance=chance: self.kill_again_and_again(name, chance))

    def undisturbed(self, name):
        if name not in self.expected:
            began = time.monotonic()
            tree = self.setting.do("data", LINES[name][0])
            self.expected[name] = trees.result(tree), time.monotonic() - began
        return self.expected[name]

    def kill_again_and_again(self, name, seed):
        expected, seconds = self.undisturbed(name)
        line, folder = LINES[name]
        chance = random.Random(seed)
        self.rig.lay(self.setting.state("data"))
        known = os.path.join(self.rig.box, folder, "config.json" if line.startswith("train") else "sweep.json")
        for kill in range(KILLS + 1):
            argv = [line.split()[0], "--resume", folder] if os.path.exists(known) else line.split()
            process = self.rig.start(argv)
            if kill < KILLS:
                time.sleep(chance.uniform(0, seconds / 2))
                process.kill()
            outcome = self.rig.finish(process)
            found = judge.ended(outcome)
            if outcome.code in (1, 2):
                found.append(("cannot go on", f"after {kill} kills, exit {outcome.code}: {outcome.err[-300:]}"))
            if found:
                return found
            if outcome.code == 0:
                break
        tree = self.rig.tree()
        found = [("resumed, it differs", line) for line in trees.result_differences(expected, trees.result(tree))]
        return found + [("leftovers", name) for name in trees.leftovers(tree)]
