"""That the torture sees what it is there to see: a stand-in for the tool (stand_in.c) that does all right is clean, and
each fault that it can have is found by the part that looks for it."""
import os
import re
import shutil

import allocations
import attacks
import calls
import damage
import pairs
from commands import Command, Setting
from judge import Judge
from rig import Rig

COPY = Command("copy", "data", "copy --out o.csv", "write")
TRAIN = Command("train", "data", "train --seed 1 --out run", "train", "run")
# The parts with lines of their own get these in their place.
ATTACKED = {"copy": ("data", "copy --out o.csv", "", ["o.csv", "o.csv.tmp"])}
DAMAGED = {"train-resume": ("run", "train --resume run", "run/config.json")}
RACING = {"train": {name: f"train --seed {seed} --out run{' --overwrite' if 'over' in name else ''}" for seed, name in
                    enumerate(("fresh", "other", "overwrite", "overwrite-other"))}}
RACING["train"]["resume"] = "train --resume run"
# fault: (part, command, the kind of finding that shows it, a regular expression)
FAULTS = {
    "tears": (calls.Killer, COPY, "torn"),
    "writes-once": (calls.Part, COPY, "exit 0, wrong result"),
    "reads-once": (calls.Part, COPY, "exit 0, wrong result"),
    "gives-up": (calls.Part, COPY, "interrupted"),
    "syncs-not": (calls.Part, COPY, "a failed sync is silent"),
    "blames": (calls.Part, COPY, "wrong reason"),
    "mute": (calls.Part, COPY, "no message"),
    "advises": (calls.Part, COPY, "advises to overwrite"),
    "belittles": (calls.Part, COPY, "exit 2, but files changed"),
    "leaves": (calls.Part, COPY, "leftovers of a failure"),
    "hangs": (calls.Part, COPY, "hangs"),
    "forgets": (calls.Killer, TRAIN, "resumed, it differs"),
    "crashes": (allocations.Part, COPY, "crash"),
    "shrugs": (allocations.Part, COPY, "exit 0, wrong result"),
    "follows": (attacks.Part, "copy", "written through a link"),
    "believes": (damage.Part, "train-resume", "damage is not told"),
    "locks-not": (pairs.Part, "train", "torn|exit 1"),
}


def findings(kind, command, build, work, fault):
    """What the part finds in a stand-in with this fault; it stops at the first of the kind wanted, if any is."""
    rig = Rig(os.path.join(build, "tests", "torture", "torture_stand_in"), os.path.join(build, "tests", "torture"), work)
    rig.environment["STAND_IN"] = fault
    rig.timeout = 2
    setting = Setting(rig)
    setting.states["run"] = setting.do("data", TRAIN.line)
    part = kind(rig, setting, Judge(rig, setting))
    wanted = FAULTS[fault][2] if fault else "-"
    found = []
    for case, check in part.cases(command):
        found += [(name, f"{case}: {text}") for name, text in check()]
        if any(re.fullmatch(wanted, name) for name, _ in found):
            break
    return found


def main(build, work):
    attacks.TARGETS, damage.TARGETS = ATTACKED, DAMAGED
    pairs.LINES, pairs.STATES, pairs.SEEDS = RACING, {"train": ("data", "run")}, 3
    n_failed = 0
    right = list(dict.fromkeys((kind, command) for kind, command, _ in FAULTS.values()))
    for kind, command in right:
        found = findings(kind, command, build, work, "")
        n_failed += bool(found)
        print(f"{'clean' if not found else 'NOT CLEAN':12} {kind.name} of the stand-in without a fault", *found[:5], sep="\n  ")
    for fault, (kind, command, wanted) in FAULTS.items():
        found = findings(kind, command, build, work, fault)
        seen = any(re.fullmatch(wanted, name) for name, _ in found)
        n_failed += not seen
        print(f"{'seen' if seen else 'NOT SEEN':12} {fault}: {wanted}", *([] if seen else found[:5]), sep="\n  ")
    shutil.rmtree(work, ignore_errors=True)
    n = len(FAULTS) + len(right)
    print(f"{n - n_failed} passed, {n_failed} failed")
    return 1 if n_failed else 0
