"""Files of a run or a sweep that are damaged (5): each damage is told, or does no harm; and checkpoints that are made up,
with the right hashes, neither crash nor are taken for good."""
import json
import math
import random
import re
import struct

import hashes
import judge
import trees

# name: (state, line, the files that it reads)
TARGETS = {
    "train-resume": ("killed", "train --resume run", "run"),
    "train-ended": ("run", "train --resume run", "run"),
    "sweep-resume": ("sweep-killed", "sweep --resume sw", "sw"),
    "eval": ("run", "eval --model run --data d.csv --json", "run/model.safetensors"),
    "predict": ("run", "predict --model run --data d.csv --out -", "run/model.safetensors"),
    "prune": ("run", "prune --model run --op prune --fraction 0.25 --out q.safetensors", "run/model.safetensors"),
    "mask": ("pruned", "prune --model run --mask m.safetensors --op prune --fraction 0.25 --out q.safetensors",
             "m.safetensors"),
    "info": ("run", "info run --json", "run"),
    "report": ("run", "report run", "run"),
    "report-sweep": ("sweep", "report sw", "sw"),
}
NUMBERS = [-1, 0, 1, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, -2**63, 1e308, -0.0, 0.5, 1e-320]
OTHERS = ["", "x", "ffffffffffffffff", "7ff0000000000000", "fff0000000000000", "7ff8000000000000", "0" * 17,
          "a" * 5000, None, True, [], {}, [[]]]
# Text that people may read and edit: what is well formed is taken as it stands.
TEXTS = ("config.json", "metrics.jsonl", "results.csv")
TOLD = re.compile(r"damaged|passed over|warning|lines are missing", re.I)


def damages(content, name):
    """(name, bytes) of one file in many states of damage."""
    n = len(content)
    chance = random.Random(name)
    for _ in range(48):
        at = chance.randrange(n)
        yield f"bit-{at}", content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1:]
    for cut in sorted({0, 1, 8, n // 2, n - 1, *(chance.randrange(n) for _ in range(6))}):
        yield f"cut-{cut}", content[:cut]
    for at in range(0, n, max(512, n // 4)):
        yield f"zeros-{at}", content[:at] + bytes(min(512, n - at)) + content[at + 512:]
    yield "all-zeros", bytes(n)
    yield "one-more", content + b"\0"
    yield "twice", content + content
    yield "line-more", content + b"x\n"


class Part:
    name = "damage"
    about = "bits, cuts, zeros, swaps in each file; made-up checkpoints with the right hashes"

    def __init__(self, rig, setting, court):
        self.rig, self.setting, self.court = rig, setting, court
        self.expected = {}

    def commands(self):
        return [*TARGETS, "made-up"]

    def undisturbed(self, target):
        if target not in self.expected:
            state, line, _ = TARGETS[target]
            self.rig.lay(self.setting.state(state))
            outcome = self.rig.run(line.split())
            if outcome.code != 0:
                raise RuntimeError(f"undisturbed, {line}: {outcome.err}")
            self.expected[target] = trees.result(self.rig.tree()), outcome
        return self.expected[target]

    def cases(self, target):
        if target == "made-up":
            yield from self.made_up()
            return
        state, _, below = TARGETS[target]
        tree = self.setting.state(state)
        files = [name for name in tree if (name == below or name.startswith(below + "/")) and tree[name][0] == "file"
                 and not name.endswith(".vise-lock") and tree[name][2]]
        for name in files:
            changed = [(kind, {**tree, name: ("file", 0o644, content)}) for kind, content in damages(tree[name][2], name)]
            changed += [(f"is-{other.replace('/', ':')}", {**tree, name: tree[other]}) for other in files if other != name]
            changed.append(("gone", {key: entry for key, entry in tree.items() if key != name}))
            for kind, damaged in changed:
                if kind != "gone" or not target.startswith(("report", "info")):  # they tell what there is
                    yield f"{name}:{kind}", lambda name=name, damaged=damaged: self.damage(target, name, damaged)

    def damage(self, target, name, damaged):
        _, line, _ = TARGETS[target]
        expected, undisturbed = self.undisturbed(target)
        self.rig.lay(damaged)
        outcome = self.rig.run(line.split())
        tree = self.rig.tree()
        found = judge.ended(outcome)
        if outcome.code == 2:
            found += judge.unchanged(damaged, tree)
        if outcome.code in (1, 2):
            if not judge.last_message(outcome.err):
                found.append(("no message", outcome.err))
            return found
        if name.endswith(TEXTS) and (target in ("info", "report", "report-sweep") or "metrics" in name):
            return found
        told = outcome.err != undisturbed.err and TOLD.search(outcome.err)
        lines = trees.result_differences(expected, trees.result(tree))
        # What is only kept, or set aside, is not made worse.
        lines = [line for line in lines if ".damaged" not in line and not self.is_kept(line, name, damaged, tree)]
        if lines and not told:
            found.append(("damage is not told", ", ".join(lines)))
        elif outcome.out != undisturbed.out and not told and self.reads_only(target):
            found.append(("damage is not told", "the output differs"))
        return found

    def is_kept(self, line, name, damaged, tree):
        """The damaged file as it was, or its checkpoint, which is not removed as one that is whole."""
        place = name.rsplit("/", 1)[0] if "/step-" in name else name
        return line.startswith(place) and damaged.get(name) == tree.get(name)

    def reads_only(self, target):
        return target in ("eval", "predict", "info")

    # ---- made up ----------------------------------------------------------------------------------------------------

    def made_up(self):
        for name, change in [*self.states(), *self.tables(), *self.tensors()]:
            yield name, lambda change=change: self.resume_made_up(change)

    def states(self):
        """Each value of the state replaced by each of many, or gone."""
        tree = self.setting.state("killed")
        state = json.loads(tree[newest(tree) + "/state.json"][2])

        def places(value, path=()):
            for key, item in value.items():
                yield (*path, key)
                if isinstance(item, dict):
                    yield from places(item, (*path, key))

        for place in places({"version": state["version"], "state": state["state"]}):
            for i, value in enumerate([*NUMBERS, *OTHERS, "GONE"]):
                yield f"state:{'.'.join(place)[:60]}:{i}", lambda place=place, value=value: replaced(tree, place, value)

    def tables(self):
        tree = self.setting.state("killed")
        file = "tensors.safetensors"
        entry = json.loads(tree[newest(tree) + "/state.json"][2])["files"][file]
        tables = [{}, {file: 1}, {file: {}}, {file: {**entry, "bytes": -1}}, {file: {**entry, "bytes": 2**62}},
                  {file: {**entry, "bytes": 0.5}}, {file: {**entry, "xxh64": "0"}}, {file: {**entry, "xxh64": 3}},
                  {file: entry, "../../config.json": entry}, {"/etc/passwd": entry}, {file: entry, "": entry},
                  {file: entry, "state.json": entry}, {file: entry, "none.safetensors": entry},
                  {file: entry, "x" * 5000: entry}, [], None, 3]
        for i, table in enumerate(tables):
            yield f"files:{i}", lambda table=table: replaced(tree, ("files",), table)

    def tensors(self):
        """The header of the tensors, their numbers, and their sizes; hashes are made again."""
        tree = self.setting.state("killed")
        checkpoint = newest(tree)
        content = hashes.unhashed(tree[checkpoint + "/tensors.safetensors"][2])
        size = struct.unpack_from("<Q", content)[0]
        header, data = json.loads(content[8:8 + size]), content[8 + size:]

        def with_header(change):
            new = json.loads(json.dumps(header))
            change(new)
            text = json.dumps(new).encode()
            return struct.pack("<Q", len(text)) + text + data

        def put(key, value):
            return lambda new, name: new[name].__setitem__(key, value)

        changes = [put("shape", [0]), put("shape", [2**62, 4]), put("shape", [-1]), put("shape", []), put("shape", "x"),
                   put("dtype", "F64"), put("dtype", "U8"), put("dtype", "Q7"), put("data_offsets", [0, 2**63 - 1]),
                   put("data_offsets", [8, 4]), put("data_offsets", [-4, 4]), put("data_offsets", [0]),
                   lambda new, name: new.pop(name), lambda new, name: new.update({name + "x": new.pop(name)}),
                   lambda new, name: new.update({name + "x": new[name]})]
        for name in header:
            if name == "__metadata__":
                continue
            for i, change in enumerate(changes):
                yield (f"tensor:{name}:{i}",
                       lambda name=name, change=change: with_tensors(tree, with_header(lambda new: change(new, name))))
            begin, end = header[name]["data_offsets"]
            for label, number in (("inf", math.inf), ("nan", math.nan), ("huge", 3e38), ("negative", -1.0)):
                filled = data[:begin] + struct.pack("<f", number) * ((end - begin) // 4) + data[end:]
                yield f"tensor:{name}:{label}", lambda filled=filled: with_tensors(tree, content[:8 + size] + filled)
        for i, raw in enumerate([b"", content[:8], struct.pack("<Q", 2**63) + content[8:], content[:-1], content + b"\0",
                                 struct.pack("<Q", 0) + data, b"\0" * 100, content[:8] + b"[" + content[9:]]):
            yield f"tensors:{i}", lambda raw=raw: with_tensors(tree, raw)

    def resume_made_up(self, change):
        tree = change()
        self.rig.lay(tree)
        outcome = self.rig.run(["train", "--resume", "run"])
        found = judge.ended(outcome)
        after = self.rig.tree()
        if outcome.code == 2:
            found += judge.unchanged(tree, after)
        model = trees.bytes_of(after, "run/model.safetensors")
        if outcome.code == 0 and (model is None or not is_finite(model)):
            found.append(("exit 0 without a finite model", outcome.err[-300:]))
        if outcome.code in (1, 2) and not judge.last_message(outcome.err):
            found.append(("no message", outcome.err))
        return found


def newest(tree):
    return max(name for name in tree if re.fullmatch(r"run/checkpoints/step-\d+", name))


def replaced(tree, place, value):
    name = newest(tree) + "/state.json"
    state = json.loads(tree[name][2])
    *path, last = place
    inner = state
    for key in path:
        inner = inner[key]
    if value == "GONE":
        del inner[last]
    else:
        inner[last] = value
    return {**tree, name: ("file", 0o644, hashes.sealed(state))}


def with_tensors(tree, content):
    checkpoint = newest(tree)
    return hashes.resealed({**tree, checkpoint + "/tensors.safetensors": ("file", 0o644, content)}, checkpoint)


def is_finite(model):
    """Whether the numbers of a file of float32 are all finite."""
    size = struct.unpack_from("<Q", model)[0]
    data = model[8 + size:]
    return all(math.isfinite(x) for (x,) in struct.iter_unpack("<f", data[:len(data) // 4 * 4]))
