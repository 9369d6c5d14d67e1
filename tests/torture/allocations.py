"""Each allocation fails, once or for good (3)."""
import functools
import subprocess

import judge
from commands import COMMANDS


@functools.lru_cache
def functions_of(path):
    """[(address, name)] of a program's functions, in order."""
    listed = subprocess.run(["nm", "--defined-only", path], capture_output=True, text=True, check=False).stdout
    found = [line.split() for line in listed.splitlines()]
    return sorted((int(words[0], 16), words[2]) for words in found if len(words) == 3 and words[1] in "tT")


def place(words, tool):
    """The tool's functions in a report's frames, innermost first: where the allocation was."""
    names = []
    functions = functions_of(tool)
    for frame in words[3:]:
        name, _, offset = frame.partition("+")
        if not tool.endswith("/" + name) or not functions:
            continue
        address = int(offset, 16) - 1
        below = [function for start, function in functions if start <= address]
        if below:
            names.append(below[-1])
    return " < ".join(names[:4])


def fail_one(rig, setting, court, command, number, stays):
    rig.lay(setting.state(command.state))
    outcome = rig.run(command.argv, "allocations", [("ALLOCATION", number), ("STAY", int(stays))])
    faults = outcome.lines("fault")
    if not faults:
        return []  # the last ones may not be made again
    where = place(faults[0], rig.tool)
    found = court.all(command, outcome, stays)  # without any memory nothing can be taken away
    if outcome.code in (1, 2) and not judge.MEMORY.search(outcome.err):
        found.append(("another message than out of memory", outcome.err[-300:]))
    return [(kind, f"{text} [{where}]") for kind, text in found]


class Part:
    name = "allocations"
    about = "each allocation fails, alone or with all after it"

    def __init__(self, rig, setting, court):
        self.rig, self.setting, self.court = rig, setting, court

    def commands(self):
        return COMMANDS

    def count(self, command):
        self.rig.lay(self.setting.state(command.state))
        outcome = self.rig.run(command.argv, "allocations", [("COUNT", 1)])
        return int(outcome.lines("count")[0][1])

    def cases(self, command):
        self.setting.prepare(command)
        for allocation in range(1, self.count(command) + 1):
            for stays in (False, True):
                yield (f"{allocation}:{'stay' if stays else 'once'}",
                       lambda n=allocation, s=stays: fail_one(self.rig, self.setting, self.court, command, n, s))
