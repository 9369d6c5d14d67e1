"""What must hold after a command, whatever was done to it. Each function returns findings: (kind, what was seen)."""
import errno
import os
import re

import trees
from commands import output

DAMAGE = re.compile(r"damaged|corrupt|\bcut\b|header|expected a|not a checkpoint|is missing|does not exist|there is no |"
                    r"not of |no such|byte \d|:-?\d+: |is empty|too short|not JSON|unexpected|another sweep|not whole",
                    re.I)
REPLACED = ".vise-replaced"  # where an earlier run is until the new one can stand for it
MEMORY = re.compile(r"out of memory|cannot allocate memory|not enough memory", re.I)
NO_ESTIMATE = re.compile(r"cannot be estimated: out of memory", re.I)
ADVICE = re.compile(r"overwrite", re.I)
TEMPORARY_PART = re.compile(r"\.tmp(-[0-9a-f]+)*$")


def words_of(number):
    return MEMORY if number == errno.ENOMEM else re.compile(re.escape(os.strerror(number)), re.I)


def names_of(path):
    """What a message may call a file: its name or that of its folder, as they are in the end."""
    if path == "<stdout>":
        return ["standard output", "stdout"]
    parts = [TEMPORARY_PART.sub("", part).lstrip(".") for part in path.split("/")]
    if parts[-1] in ("", "box"):
        return [""]  # the current folder
    if parts[-1].endswith("vise-lock") or any(part.endswith("vise-replaced") for part in parts):
        return parts[-4:]
    return [part for part in parts[-2:] if part]


def last_message(err):
    """What the tool says of its failure, without warnings and progress."""
    lines = [line for line in err.splitlines() if line.startswith("vise") or ": " in line]
    return "\n".join(line for line in lines if not line.startswith("warning:"))


def message(outcome, number, path=None):
    """The message of a failure by this errno."""
    if outcome.code not in (1, 2):
        return []
    text = last_message(outcome.err)
    if not text:
        return [("no message", f"exit {outcome.code} and standard error says: {outcome.err!r}")]
    found = []
    if not words_of(number).search(text):
        kind = "wrong reason" if DAMAGE.search(text) else "no reason"
        found.append((kind, f"{os.strerror(number)}: {text}"))
    if path is not None and not any(name in text for name in names_of(path)):
        found.append(("no file named", f"{path}: {text}"))
    if ADVICE.search(text):
        found.append(("advises to overwrite", text))
    return found


def ended(outcome):
    crash = outcome.crash()
    return [(crash.split(":")[0], crash + " " + outcome.err[-300:])] if crash else []


def complete(command, outcome, tree, dead=False):
    """After exit 0: the undisturbed result, on the disk and on standard output. A lock file that cannot be removed harms
    nobody: the lock is the kernel's."""
    found = []
    lines = differences(command, tree)
    if NO_ESTIMATE.search(outcome.err):  # told, and not what was asked for
        return found
    if outcome.err != command.expected_err:  # what cannot be taken away, or drawn, is told, and no failure
        told = re.compile(r"(checkpoints/step-\d+(/\S+)?|\.tmp\S*) is too much|/tensorboard(/events)? lacks")
        lines = [line for line in lines if not told.search(line)]
    if dead:
        lines = [line for line in lines if not line.endswith(trees.LOCK + " is too much")]
    if lines:
        found.append(("exit 0, wrong result", ", ".join(lines)))
    if output(outcome.out) != command.expected_out:
        found.append(("exit 0, wrong output", outcome.out[-300:]))
    return found


def differences(command, tree):
    return trees.result_differences(trees.result(command.expected_tree), trees.result(tree))


def unchanged(before, tree, dead=False):
    """Nothing, but that what a killed process left may be gone. A disk that answers no more keeps what was begun."""
    lines = [line for line in trees.differences(before, tree) if not is_leftover_gone(line)]
    if dead:
        lines = [line for line in lines if not is_begun(line)]
    return [("exit 2, but files changed", ", ".join(lines))] if lines else []


def is_leftover_gone(line):
    name, what = line.rsplit(" ", 1)
    return what == "vanished" and bool(trees.leftovers([name]))


def is_begun(line):
    """Something new, a lock or a temporary file; nothing that was there."""
    name, what = line.rsplit(" ", 1)
    return what == "appeared" or bool(trees.leftovers([name]))


class Judge:
    """Looks at what a disturbed command left, and goes on as its user would."""

    def __init__(self, rig, setting):
        self.rig, self.setting = rig, setting

    def all(self, command, outcome, dead=False):
        """All that holds after any fault but a kill; the message apart."""
        found = ended(outcome)
        tree = self.rig.tree()
        before = self.setting.state(command.state)
        if outcome.code == 0:
            found += complete(command, outcome, tree, dead)
        elif outcome.code == 2:
            found += unchanged(before, tree, dead)
        if command.kind == "read":
            lines = trees.differences(before, tree)
            if lines and outcome.code != 2:
                found.append(("a command that only reads changed files", ", ".join(lines)))
        elif outcome.code != 0:
            if outcome.code != 2 or trees.differences(before, tree):
                left = [name for name in trees.leftovers(tree) if REPLACED not in name]  # that is brought back later
                if outcome.code == 1 and left and not dead:
                    found.append(("leftovers of a failure", ", ".join(left)))
                found += self.recovers(command, tree)
        return found

    def recovers(self, command, tree, killed=False):
        """Nothing is lost: going on, or the command again, gives the undisturbed result."""
        if command.kind in ("train", "sweep"):
            found = self.goes_on(command, tree)
        elif command.kind == "write":
            found = self.whole_or_old(command, tree) + self.again(command)
        else:
            found = self.again(command)
        left = trees.leftovers(self.rig.tree())
        if left and not found and (killed or command.kind in ("train", "sweep")):
            found.append(("leftovers after the next start", ", ".join(left)))
        return found

    def whole_or_old(self, command, tree):
        """Each file that is written is what it was, not there, or what it was to be."""
        before, after = trees.result(self.setting.state(command.state)), trees.result(command.expected_tree)
        got = trees.result({name: entry for name, entry in tree.items() if not trees.TEMPORARY.search(name)})
        torn = [name for name in got if got[name] not in (before.get(name), after.get(name))]
        return [("torn", ", ".join(torn))] if torn else []

    def again(self, command):
        outcome = self.rig.run(command.argv)
        if outcome.code != 0:
            return [("cannot be repeated", f"exit {outcome.code}: {outcome.err[-300:]}")]
        tree = {name: entry for name, entry in self.rig.tree().items() if not trees.TEMPORARY.search(name)}
        lines = differences(command, tree)
        return [("the repeated command leaves something else", ", ".join(lines))] if lines else []

    def goes_on(self, command, tree):
        """Of training and sweeps: --resume where there is something, else the command itself."""
        is_there = any(name.startswith(command.folder + "/") for name in tree)
        resumed = self.rig.run(command.resume) if is_there else None
        if resumed is not None and resumed.crash():
            return [("after it, --resume: " + kind, text) for kind, text in ended(resumed)]
        if resumed is not None and resumed.code == 0:
            return self.is_old_or_new(command)
        if resumed is not None and "overwrite" in resumed.err:
            return [("--resume advises to overwrite", resumed.err)]
        if command.before:
            lost = self.lost(command, tree)
            if lost:
                return [("the earlier one is lost", f"{lost}; --resume: {resumed.err if resumed else 'no folder'}")]
        again = self.rig.run(command.argv)
        if again.code != 0:
            return [("stuck", f"--resume: {resumed.err[-500:] if resumed else 'no folder'} again: {again.err[-200:]}")]
        lines = differences(command, self.rig.tree())
        return [("begun again, it differs", ", ".join(lines))] if lines else []

    def is_old_or_new(self, command):
        """After --resume: the result of this command, or of the one that it was to replace."""
        tree = self.rig.tree()
        lines = differences(command, tree)
        if lines and command.before:
            earlier = self.setting.state(command.before)
            if not trees.result_differences(trees.result(earlier), trees.result(tree)):
                return self.again(command)
        return [("resumed, it differs", ", ".join(lines))] if lines else []

    def lost(self, command, tree):
        """What of the earlier run is gone, none of the new one being there to go on with."""
        earlier = trees.result(trees.below(self.setting.state(command.before), command.folder))
        got = trees.result(trees.below(tree, command.folder))
        return ", ".join(name for name in earlier if got.get(name) != earlier[name])
