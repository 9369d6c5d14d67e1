"""Two commands on one folder at the same time (6). Each call on a file waits for a while by chance, so that the two
come to every point in every order."""
import re

import judge
import trees
from commands import SWEEPING, TRAINING

SEEDS = 12  # chances for each pair
DELAY = 400  # microseconds at most, before each call
REFUSED = re.compile(r"process (\d+)|is using|another (sweep|run)|not empty|no checkpoint|there is no |holds |No such file", re.I)

LINES = {
    "train": {
        "fresh": f"train {TRAINING} --seed 1 --out run", "other": f"train {TRAINING} --seed 3 --out run",
        "resume": "train --resume run",
        "overwrite": f"train {TRAINING} --seed 2 --overwrite --out run",
        "overwrite-other": f"train {TRAINING} --seed 4 --overwrite --out run",
    },
    "sweep": {
        "fresh": f"sweep {SWEEPING} --seed 1 --out sw", "other": f"sweep {SWEEPING} --seed 3 --out sw",
        "resume": "sweep --resume sw",
        "overwrite": f"sweep {SWEEPING} --seed 2 --overwrite --out sw",
        "overwrite-other": f"sweep {SWEEPING} --seed 4 --overwrite --out sw",
    },
}
PAIRS = [("fresh", "other"), ("fresh", "resume"), ("fresh", "overwrite"), ("resume", "resume"),
         ("resume", "overwrite"), ("overwrite", "overwrite-other")]
STATES = {"train": ("data", "killed", "run"), "sweep": ("data", "sweep-killed", "sweep")}
FOLDERS = {"train": "run", "sweep": "sw"}


class Part:
    name = "pairs"
    about = "two commands on one folder at once"

    def __init__(self, rig, setting, court):
        self.rig, self.setting, self.court = rig, setting, court
        self.results = {}  # what each line leaves alone, by kind

    def commands(self):
        return list(LINES)

    def alone(self, kind):
        """What each of the lines leaves in an empty folder, and the states as they are."""
        if kind not in self.results:
            results = {}
            for name in ("fresh", "other", "overwrite", "overwrite-other"):
                results[name] = trees.result(self.setting.do("data", LINES[kind][name]))
            self.results[kind] = results
        return self.results[kind]

    def cases(self, kind):
        for state in STATES[kind]:
            for first, second in PAIRS:
                for seed in range(1, SEEDS + 1):
                    yield (f"{state}:{first}:{second}:{seed}",
                           lambda state=state, names=(first, second), seed=seed: self.race(kind, state, names, seed))

    def race(self, kind, state, names, seed):
        possible = list(self.alone(kind).values())
        self.rig.lay(self.setting.state(state))
        processes = [self.rig.start(LINES[kind][name].split(), "calls", [("DELAY", DELAY), ("SEED", 2 * seed + i)])
                     for i, name in enumerate(names)]
        outcomes = [self.rig.finish(process) for process in processes]
        found = []
        for name, outcome, other in zip(names, outcomes, reversed(processes)):
            found += [(kind_of, f"{name}: {text}") for kind_of, text in judge.ended(outcome)]
            found += self.refusal(name, outcome, other.pid)
        tree = self.rig.tree()
        got = trees.result(tree)
        unchanged = not judge.unchanged(self.setting.state(state), tree, dead=True)
        if all(outcome.code != 0 for outcome in outcomes) and not unchanged:
            found.append(("neither succeeds", " / ".join(outcome.err[-300:] for outcome in outcomes)))
        elif not unchanged and got not in possible:
            found.append(("torn", self.nearest(possible, got, names, outcomes)))
        if trees.leftovers(tree) and not unchanged:
            found.append(("leftovers", ", ".join(trees.leftovers(tree))))
        return found

    def refusal(self, name, outcome, other):
        """The loser says why: the folder is used, and by whom, or it is not as it must be any more."""
        if outcome.code == 0:
            return []
        text = outcome.err[-400:]
        if outcome.code != 2:
            return [("exit 1", f"{name}: {text}")]
        match = REFUSED.search(outcome.err)
        if not match:
            return [("refusal without a reason", f"{name}: {text}")]
        if match.group(1) is not None and int(match.group(1)) != other:
            return [("another process is named", f"{name}: {text}, not {other}")]
        return []

    def nearest(self, possible, got, names, outcomes):
        codes = [f"{name} exit {outcome.code}" for name, outcome in zip(names, outcomes)]
        lines = min((trees.result_differences(result, got) for result in possible), key=len)
        return f"{', '.join(codes)}: {', '.join(lines)}; " + " / ".join(outcome.err[-200:] for outcome in outcomes)
