"""Arguments, settings, tables, models and folders that are mutated at random, by seed (9)."""
import json
import random
import struct

import hashes
import judge
import trees
from commands import SWEEPING, TRAINING

ROUNDS = 400  # of each kind
TOKENS = [b"", b"0", b"-1", b"1e999", b"-1e-999", b"nan", b"inf", b"NaN", b"18446744073709551616", b"9" * 400, b"\xff\xfe",
          b"\x00", b'"', b"'", b",", b"\n", b"\r\n", b"\r", b"{", b"}", b"[" * 300, b"\\u0000", b"\\ud800", b"null", b"true",
          b"e", b"\xef\xbb\xbf", b":", b";", b"\t", b" ", b"1-1-1-1", b"0x10", b"1,5", b"auto", b"../", b"%n%s", b"=", b"--"]
WORDS = ["", "-1", "0", "1e999", "nan", "auto", "99999999999999999999", "x", "1:2", "2:1", "-5:", ",", "run", "d.csv", "--",
         "off", "yes", "1-2-3", "0-0", "é", "\udcff", "a" * 3000, "1e-320", "0.5", "epoch", "every", "none", "p.csv"]
OPTIONS = ["--target", "--layers", "--clamp", "--clip-norm", "--clip-value", "--clamp-layer", "--weight-op", "--weight-op-at",
           "--batch", "--seed", "--test-fraction", "--val-fraction", "--fold", "--group", "--features", "--drop", "--categorical",
           "--missing", "--na", "--delimiter", "--header", "--skip-lines", "--comment", "--scale", "--loss", "--optimizer",
           "--lr", "--lr-schedule", "--l2", "--max-norm", "--checkpoint-every", "--log-every", "--threads", "--precision",
           "--backend", "--config", "--resume", "--init", "--mask", "--class-weights", "--row-weights", "--json", "--quiet",
           "--stratify", "--patience", "--dropout", "--residual", "--label-smoothing", "--no-shuffle", "--vary", "--search",
           "--halving", "--configs", "--repeats", "--folds", "--select", "--score", "--plan", "--stop-loss", "--decimal"]
LINES = {
    "arguments": [("run", f"train {TRAINING} --seed 1 --out new"), ("sweep", f"sweep {SWEEPING} --seed 1 --out new"),
                  ("run", "eval --model run --data d.csv"), ("pruned", "prune --model run --op prune --fraction 0.5 --out q"),
                  ("run", "predict --model run --data d.csv --out q.csv"), ("run", "info run"), ("run", "report run")],
    "config": [("run", "train --config c.json --out new --threads 1 --steps 5")],
    "table": [("run", "predict --model run --data d.csv --out q.csv"), ("run", "eval --model run --data d.csv"),
              ("data", "train --train d.csv --layers auto-3-auto --steps 5 --threads 1 --out new")],
    "model": [("run", "eval --model run/model.safetensors --data d.csv"), ("run", "info run/model.safetensors"),
              ("run", "predict --model run --data d.csv --out q.csv"),
              ("run", "prune --model run/model.safetensors --op prune --fraction 0.5 --out q")],
    "metrics": [("run", "report run"), ("run", "info run --json"), ("killed", "train --resume run")],
    "fits": [("sweep", "report sw"), ("sweep-killed", "sweep --resume sw")],
    "sweep-json": [("sweep", "report sw"), ("sweep-killed", "sweep --resume sw")],
    "state": [("killed", "train --resume run"), ("run", f"train {TRAINING} --seed 2 --overwrite --out run")],
    "tensors": [("killed", "train --resume run")],
}


def mutated(chance, content):
    """Bytes with some changes."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0 and data:
            data[at % len(data)] = chance.randrange(256)
        elif kind == 1:
            data[at:at] = chance.choice(TOKENS)
        elif kind == 2:
            del data[at:at + chance.choice((1, 2, 8, 64, 500))]
        elif kind == 3:
            end = at + chance.choice((4, 16, 100))
            data[at:at] = data[at:end] * chance.choice((1, 2, 30))
        elif kind == 4:
            end = at + chance.choice((1, 3, 8))
            data[at:end] = chance.choice(TOKENS)
        elif kind == 5 and data:
            other = chance.randrange(len(data))
            n = chance.choice((1, 8, 40))
            data[at:at + n] = data[other:other + n]
    return bytes(data)


def mutated_header(chance, content):
    """A safetensors file whose header, or one of whose numbers, is another, its length being right again or not."""
    if chance.random() < 0.7:
        content = hashes.unhashed(content)
    size = struct.unpack_from("<Q", content)[0]
    header, data = content[8:8 + size], content[8 + size:]
    if chance.random() < 0.3:
        data = mutated(chance, data)
    else:
        header = mutated(chance, header)
    n = len(header) if chance.random() < 0.9 else chance.choice((0, 1, 2**31, 2**63, len(header) + 1))
    return struct.pack("<Q", n) + header + data


def mutated_words(chance, words):
    words = list(words)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(1, len(words) + 1)
        kind = chance.randrange(4)
        if kind == 0 and at < len(words):
            words[at] = chance.choice(WORDS)
        elif kind == 1:
            words[at:at] = [chance.choice(OPTIONS), chance.choice(WORDS)]
        elif kind == 2 and at < len(words):
            del words[at]
        elif kind == 3 and at < len(words):
            words[at] = mutated(chance, words[at].encode(errors="surrogateescape")).replace(b"\0", b"").decode(
                errors="surrogateescape")
    return words


class Part:
    name = "mutations"
    about = "mutated arguments, settings, tables, models, logs, checkpoints"

    def __init__(self, rig, setting, court):
        self.rig, self.setting = rig, setting

    def commands(self):
        return list(LINES)

    def cases(self, kind):
        for seed in range(1, ROUNDS + 1):
            yield str(seed), lambda seed=seed: self.mutate(kind, seed)

    def mutate(self, kind, seed):
        chance = random.Random(f"{kind} {seed}")
        state, line = LINES[kind][seed % len(LINES[kind])]
        tree, words = dict(self.setting.state(state)), line.split()
        if kind == "arguments":
            words = mutated_words(chance, words)
        elif kind == "config":
            tree["c.json"] = ("file", 0o644, mutated(chance, tree["run/config.json"][2]))
        else:
            tree = self.change(kind, chance, tree)
        self.rig.lay(tree)
        outcome = self.rig.run(words)
        after = self.rig.tree()
        found = judge.ended(outcome)
        if outcome.code == 2:
            found += judge.unchanged(tree, after)
        if outcome.code in (1, 2) and not outcome.err.strip():
            found.append(("no message", ""))
        if words[0] in ("eval", "info") and trees.differences(tree, after):
            found.append(("a command that only reads changed files", ", ".join(trees.differences(tree, after))))
        return [(name, f"{text} [{' '.join(words)!a}]") for name, text in found]

    def change(self, kind, chance, tree):
        def put(name, content):
            return {**tree, name: ("file", 0o644, content)}

        if kind in ("table", "metrics", "fits", "sweep-json"):
            name = {"table": "d.csv", "metrics": "run/metrics.jsonl", "fits": "sw/fits.jsonl", "sweep-json": "sw/sweep.json"}[kind]
            return put(name, mutated(chance, tree[name][2]))
        if kind == "model":
            return put("run/model.safetensors", mutated_header(chance, tree["run/model.safetensors"][2]))

        checkpoint = max(name for name in tree if name.startswith("run/checkpoints/step-") and name.count("/") == 2)
        if kind == "tensors":
            name = checkpoint + "/tensors.safetensors"
            return hashes.resealed(put(name, mutated_header(chance, tree[name][2])), checkpoint)
        name = checkpoint + "/state.json"
        value = json.loads(tree[name][2])
        value.pop("xxh64")
        text = mutated(chance, json.dumps(value, indent=1).encode())
        return put(name, hashes.sealed_text(text.decode(errors="surrogateescape")))
