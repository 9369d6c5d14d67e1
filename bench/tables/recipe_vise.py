"""The recipe for tables, and its score: by the tool alone, or, with features prepared here, by options given to it."""

import dataclasses
import json
import math
import os
import re
import subprocess
import tempfile

import numpy as np

from recipe_data import prepared
from tables import CLASSES

SCORE = re.compile(r"^test .*(?:accuracy|R\^2) (\S+)(?: %)?", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """n training rows, p columns. With fewer rows than small_rows nothing is held out and small_steps are done."""

    lr: float = 2e-3
    clip_norm: float = 1.0
    decay: float = 8.0  # times sqrt(p / n), within the bounds
    decay_low: float = 0.1
    decay_high: float = 5.0
    small_rows: int = 1000
    small_hidden: str = "64"
    small_batch: int = 32
    small_steps: int = 1000
    hidden: str = "128"
    batch: int = 64
    epochs: int = 100
    val_fraction: float = 0.1
    patience: int = 10
    extra: tuple = ()  # further options of vise train

    def options(self, n_rows, n_columns):
        decay = min(max(self.decay * math.sqrt(n_columns / n_rows), self.decay_low), self.decay_high)
        out = ["--optimizer", "adam", "--lr", f"{self.lr}", "--lr-schedule", "cosine", "--clip-norm",
               f"{self.clip_norm}", "--decoupled-decay", f"{decay:.6g}", *self.extra]
        if n_rows < self.small_rows:
            return out + ["--layers", f"auto-{self.small_hidden}-auto", "--batch", f"{self.small_batch}", "--steps",
                          f"{self.small_steps}"]
        out += ["--layers", f"auto-{self.hidden}-auto", "--batch", f"{self.batch}", "--epochs", f"{self.epochs}"]
        if self.val_fraction > 0:
            out += ["--val-fraction", f"{self.val_fraction}", "--patience", f"{self.patience}"]
        return out


class Failed(Exception):
    """The tool refused or failed; its message."""


def call(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Failed(" ".join((done.stderr.strip() or f"exit {done.returncode}").split()))
    return done.stdout


class Split:
    """Training and test rows of a table, prepared once for any number of trainings. Close it."""

    def __init__(self, table, rows, seed, max_categories):
        self.table, self.seed = table, seed
        self.folder = tempfile.TemporaryDirectory()
        train, test = rows.split(table, seed)
        features = rows.features
        x, x_test, self.n_columns = prepared(features.iloc[train], features.iloc[test], max_categories)
        y = self.encoded(rows.targets)
        self.n_rows = len(train)
        for name, array in (("x", x), ("y", y[train]), ("x-test", x_test), ("y-test", y[test])):
            np.save(self.path(name), array)

    def encoded(self, targets):
        if self.table.task == CLASSES:
            return np.unique(targets.map(str), return_inverse=True)[1].astype(np.int64)
        return targets.to_numpy(np.float64)

    def path(self, name):
        return os.path.join(self.folder.name, name + ".npy")

    def score(self, tool, recipe):
        """Accuracy or R^2 on the test rows."""
        is_class = self.table.task == CLASSES
        command = [tool, "train", "--train", self.path("x"), "--train-labels", self.path("y"), "--test",
                   self.path("x-test"), "--test-labels", self.path("y-test"), "--backend", "cpu", "--threads", "1",
                   "--seed", str(self.seed), "--quiet", "--scale", "none"]
        command += ["--loss", "cross-entropy"] if is_class else ["--loss", "mse", "--scale-target"]
        found = SCORE.search(call(command + recipe.options(self.n_rows, self.n_columns)))
        if found is None:
            raise Failed("vise train printed no score of the test rows")
        return float(found.group(1)) / (100 if is_class else 1)

    def close(self):
        self.folder.cleanup()


def raw_score(tool, table, rows, seed):
    """The same by the tool alone, which is given the training rows as CSV and, where the target is not the last column,
    its name."""
    train, test = rows.split(table, seed)
    with tempfile.TemporaryDirectory() as folder:
        place = lambda name: os.path.join(folder, name)
        rows.write(place("train.csv"), train)
        rows.write(place("test.csv"), test)
        target = [] if rows.target_is_last else ["--target", table.target]
        call([tool, "train", "--train", place("train.csv"), *target, "--seed", str(seed), "--threads", "1",
              "--quiet", "--out", place("run")])
        printed = call([tool, "eval", "--model", place("run/model.safetensors"), "--data", place("test.csv"), *target,
                        "--threads", "1", "--json"])
    metrics, key = json.loads(printed), "accuracy" if table.task == CLASSES else "r2"
    if metrics.get(key) is None:
        raise Failed(f"vise took the target for another task: its metrics lack {key}")
    return metrics[key]
