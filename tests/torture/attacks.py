"""Things planted under the names that the tool writes and reads (7): it must neither hang, nor write through a link to
what lies elsewhere, nor lose what it does not own; and what it refuses, it refuses clearly."""
import os
import re
import shutil
import stat
import subprocess

import judge
import trees
from commands import SWEEPING, TRAINING
from rig import NOBODY

HANGS_AFTER = 10
VICTIM = b"a file of somebody else\n"
RUN_NAMES = ["config.json", "metrics.jsonl", "model.safetensors", "mask.safetensors", "checkpoints", ".vise-lock",
             "checkpoints/step-000000012", "checkpoints/step-000000012/state.json",
             "checkpoints/step-000000012/tensors.safetensors", "checkpoints/step-000000009", "report.html",
             "config.json.tmp-4000000-0", "checkpoints/.step-000000012.tmp-4000000-0", "report.html.tmp"]
SWEEP_NAMES = ["sweep.json", "fits.jsonl", "results.csv", "report.html", "states", "best", "sweep.json.tmp",
               "results.csv.tmp", "report.html.tmp", "best/model.safetensors", "best/checkpoints", "best/.vise-lock"]
PLANTS = ["link", "dangling", "folder-link", "fifo", "device", "folder", "unreadable", "empty", "loop", "socket"]
# name: (state, line, folder, names, whether its files are only read)
TARGETS = {
    "train": ("data", f"train {TRAINING} --seed 1 --out run", "run", RUN_NAMES),
    "train-resume": ("killed", "train --resume run", "run", RUN_NAMES),
    "train-overwrite": ("run", f"train {TRAINING} --seed 2 --overwrite --out run", "run", RUN_NAMES),
    "sweep": ("data", f"sweep {SWEEPING} --seed 1 --out sw", "sw", SWEEP_NAMES),
    "sweep-resume": ("sweep-killed", "sweep --resume sw", "sw", SWEEP_NAMES),
    "sweep-overwrite": ("sweep", f"sweep {SWEEPING} --seed 2 --overwrite --out sw", "sw", SWEEP_NAMES),
    "report": ("run", "report run", "run", RUN_NAMES),
    "report-sweep": ("sweep", "report sw", "sw", SWEEP_NAMES),
    "info": ("run", "info run", "run", RUN_NAMES),
    "eval": ("run", "eval --model run --data d.csv", "", ["d.csv", "run", "run/model.safetensors"]),
    "predict": ("predicted", "predict --model run --data d.csv --out p.csv", "", ["p.csv", "run", "d.csv"]),
    "prune": ("pruned", "prune --model run/model.safetensors --op prune --fraction 0.25 --out p.safetensors --mask-out "
              "m.safetensors", "", ["p.safetensors", "m.safetensors", "run/model.safetensors"]),
    "out": ("data", f"train {TRAINING} --seed 1 --out run", "", ["run"]),
    "out-sweep": ("data", f"sweep {SWEEPING} --seed 1 --out sw", "", ["sw"]),
    "inputs": ("data", "train --train x.npy --train-labels y.npy --loss cross-entropy --layers auto-3-auto "
               "--config c.json --out run", "", ["x.npy", "y.npy", "c.json"]),
}
DATA = {"d.csv", "x.npy", "y.npy"}  # they may be pipes, and then wait for who writes


class Part:
    name = "attacks"
    about = "links, pipes, devices and folders where the tool's files are to be"

    def __init__(self, rig, setting, court):
        self.rig, self.setting, self.court = rig, setting, court
        self.outside = os.path.join(rig.work, "outside")

    def commands(self):
        return [*TARGETS, "names", "read-only"]

    def cases(self, target):
        if target == "names":
            yield from self.strange_names()
            return
        if target == "read-only":
            yield from self.read_only()
            return
        state, _, folder, names = TARGETS[target]
        for name in names:
            for plant in PLANTS:
                path = f"{folder}/{name}" if folder else name
                if path in DATA and plant == "fifo":
                    continue
                yield (f"{plant}:{path}", lambda path=path, plant=plant: self.attack(target, path, plant))

    # ---- planting ---------------------------------------------------------------------------------------------------

    def lay_outside(self):
        content = {"victim": ("file", 0o644, VICTIM), "folder": ("folder", 0o755, None),
                   "folder/victim": ("file", 0o644, VICTIM)}
        trees.lay(self.outside, content)
        if os.geteuid() == 0:
            for folder, folders, files in os.walk(self.outside):
                for name in [*folders, *files]:
                    os.chown(os.path.join(folder, name), NOBODY, NOBODY)
            os.chown(self.outside, NOBODY, NOBODY)

    def plant(self, path, what):
        full = os.path.join(self.rig.box, path)
        if os.path.isdir(full) and not os.path.islink(full):
            shutil.rmtree(full)
        elif os.path.lexists(full):
            os.unlink(full)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if what == "link":
            os.symlink(os.path.join(self.outside, "victim"), full)
        elif what == "dangling":
            os.symlink(os.path.join(self.outside, "nothing"), full)
        elif what == "folder-link":
            os.symlink(os.path.join(self.outside, "folder"), full)
        elif what == "loop":
            os.symlink(os.path.basename(full), full)
        elif what == "fifo":
            os.mkfifo(full)
        elif what == "socket":
            os.mknod(full, stat.S_IFSOCK | 0o666)
        elif what == "device":
            os.symlink("/dev/zero", full)
        elif what == "folder":
            os.makedirs(os.path.join(full, "mine"))
        elif what == "unreadable":
            with open(full, "wb") as file:
                file.write(VICTIM)
            os.chmod(full, 0)
        else:
            open(full, "wb").close()

    def give_to_nobody(self):
        """The tool runs as nobody, for whom modes count."""
        if os.geteuid() != 0:
            return {}
        for folder, folders, files in os.walk(self.rig.box):
            for name in [*folders, *files]:
                os.chown(os.path.join(folder, name), NOBODY, NOBODY, follow_symlinks=False)
        os.chown(self.rig.box, NOBODY, NOBODY)
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def attack(self, target, path, plant):
        state, line, _, _ = TARGETS[target]
        self.rig.lay(self.setting.state(state))
        self.lay_outside()
        if target == "inputs":
            with open(os.path.join(self.rig.box, "c.json"), "w", encoding="utf-8") as file:
                file.write('{"epochs": 1, "threads": 1}')
        self.plant(path, plant)
        before, beyond = self.rig.tree(), trees.take(self.outside)
        outcome = self.rig.run(line.split(), timeout=HANGS_AFTER, **self.give_to_nobody())
        return self.look(target, path, plant, outcome, before, beyond)

    def look(self, target, path, plant, outcome, before, beyond):
        found = judge.ended(outcome)
        changed = trees.differences(beyond, trees.take(self.outside))
        is_place = "/" not in path and plant == "folder-link"  # whoever names a link to a folder means the folder
        if changed and not is_place:
            found.append(("written through a link", ", ".join(changed)))
        after = self.rig.tree()
        if outcome.code == 2:
            found += judge.unchanged(before, after)
        if outcome.code != 0 and not judge.last_message(outcome.err):
            found.append(("no message", outcome.err))
        if plant in ("unreadable", "folder") and not self.is_kept(target, before, after, path):
            found.append(("what was planted is gone", f"{path}, exit {outcome.code}: {outcome.err[-200:]}"))
        if outcome.code in (1, 2) and not any(part in outcome.err for part in [*path.split("/"), *judge.names_of(path)]):
            found.append(("no file named", outcome.err[-300:]))
        return found

    def is_kept(self, target, before, after, path):
        """A folder of somebody else stays, if need be set aside; so does, under --overwrite, what cannot be read."""
        if ".tmp" in path or path.endswith((".vise-lock", ".html", ".csv")) or "safetensors" in path and "/" not in path:
            return True
        if before[path][0] == "file" and not target.endswith("overwrite"):
            return True
        kept = {name: entry for name, entry in before.items() if name == path or name.startswith(path + "/")}
        aside = re.sub(r"(step-\d+)", r"\1.damaged", path)
        return all(entry in (after.get(name), after.get(name.replace(path, aside, 1))) for name, entry in kept.items())

    # ---- names and modes ----------------------------------------------------------------------------------------------

    def strange_names(self):
        names = ["a\x1b[31mb", "new\nline", "tab\tname", "\x07bell", "back\\slash", "qu\"ote", "per%s%n%dcent", "-dash",
                 "utf-\u00e9\u4e2d", "\udcff\udcfe", " space ", "a" * 250, "\x7f", "..dots", "`tick`", "$HOME", "*"]
        for name in names:
            for use in ("out", "train", "column", "model", "config"):
                yield (f"{use}:{name!a}", lambda name=name, use=use: self.strange(name, use))

    def strange(self, name, use):
        tree = dict(self.setting.state("run"))
        line = f"train {TRAINING} --seed 1 --out".split()
        if use == "out":
            argv = [*line, "./" + name]
        elif use == "train":
            tree[name + ".csv"] = tree["d.csv"]
            argv = ["./" + name + ".csv" if word == "d.csv" else word for word in line] + ["new"]
        elif use == "column":
            text = f'"{name}"'.replace("\n", " ").encode(errors="surrogateescape")
            tree["d.csv"] = ("file", 0o644, text + tree["d.csv"][2][1:])
            argv = [*line, "new"]
        elif use == "model":
            argv = ["eval", "--model", "./" + name, "--data", "d.csv"]
        else:
            argv = ["train", "--config", "./" + name, "--out", "new"]
        self.rig.lay(tree)
        outcome = self.rig.run(argv)
        found = judge.ended(outcome)
        raw = re.findall(r"[\x00-\x08\x0b-\x1f\x7f]", outcome.out + outcome.err)
        if raw:
            found.append(("control characters on the terminal", repr((outcome.out + outcome.err)[:300])))
        if use == "out" and outcome.code == 0:
            folder = os.path.join(self.rig.box, name)
            again = self.rig.run(["train", "--resume", "./" + name])
            found += judge.ended(again)
            if again.code != 0:
                found.append(("its own folder cannot be resumed", again.err[-300:]))
            if not os.path.isdir(folder):
                found.append(("another folder was made", outcome.err))
        return found

    def read_only(self):
        """Folders that cannot be written."""
        for target, (state, line, folder, _) in TARGETS.items():
            for place in {"", folder} - ({None}):
                yield (f"{target}:{place}", lambda state=state, line=line, place=place: self.forbid(state, line, place))

    def forbid(self, state, line, place):
        self.rig.lay(self.setting.state(state))
        path = os.path.join(self.rig.box, place)
        if not os.path.isdir(path):
            os.mkdir(path)
        who = self.give_to_nobody()
        os.chmod(path, 0o555)
        before = self.rig.tree()
        outcome = self.rig.run(line.split(), **who)
        found = judge.ended(outcome)
        after = self.rig.tree()
        os.chmod(path, 0o755)
        if outcome.code == 2:
            found += judge.unchanged(before, after, dead=True)  # nothing can be taken away again
        if outcome.code != 0 and not re.search(r"Permission denied|cannot be (written|made|opened)", outcome.err):
            found.append(("no reason", outcome.err[-300:]))
        return found
