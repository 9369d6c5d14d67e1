"""Too little of something (8): memory, open files, bytes a file may have, room on the disk."""
import os
import re
import resource
import subprocess

import judge
import trees
from commands import COMMANDS

MIB = 1 << 20
LOADER = re.compile(r"error while loading shared libraries|cannot allocate memory in static TLS|failed to map", re.I)
MEMORY = [*range(20, 60, 2), *range(60, 401, 20)]
FILES = range(3, 16)
BYTES = (0, 1, 64, 256, 512, 1024, 1500, 2048, 2500, 3000, 4096, 5000, 8192)
ROOM = (16, 24, 32, 40, 48, 64, 80, 96, 128)  # KiB
REASONS = {
    "memory": re.compile(r"memory", re.I), "files": re.compile(r"Too many open files|memory", re.I),
    "bytes": re.compile(r"File too large|standard output", re.I), "room": re.compile(r"No space left|standard output", re.I),
}


def limiter(kind, value, tool):
    """What the child does to itself before it becomes the tool. Memory counts beside the tool's own file: with less than
    that the system ends it before it begins."""
    number = {"memory": resource.RLIMIT_AS, "files": resource.RLIMIT_NOFILE, "bytes": resource.RLIMIT_FSIZE}[kind]
    size = value * MIB + os.path.getsize(tool) if kind == "memory" else value

    def limit():
        resource.setrlimit(number, (size, size))

    return limit


class Part:
    name = "limits"
    about = "little memory, few open files, short files, a small disk"

    def __init__(self, rig, setting, court):
        self.rig, self.setting, self.court = rig, setting, court

    def commands(self):
        return COMMANDS

    def cases(self, command):
        self.setting.prepare(command)
        values = [("memory", value) for value in MEMORY] + [("files", value) for value in FILES]
        values += [("bytes", value) for value in BYTES] + [("room", value) for value in ROOM if can_mount()]
        for kind, value in values:
            yield f"{kind}:{value}", lambda kind=kind, value=value: self.limit(command, kind, value)

    def limit(self, command, kind, value):
        state = self.setting.state(command.state)
        if kind != "room":
            self.rig.lay(state)
            outcome = self.rig.run(command.argv, preexec_fn=limiter(kind, value, self.rig.tool))
            return self.look(command, kind, outcome)
        size = value * 1024 + sum(4096 + len(entry[2] or b"") + 4095 & ~4095 for entry in state.values()
                                  if entry[0] in ("file", "folder"))
        self.rig.clear()
        os.makedirs(self.rig.box)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "torture", self.rig.box], check=True)
        try:
            trees.lay_in(self.rig.box, state)
            outcome = self.rig.run(command.argv)
            tree = self.rig.tree()
        finally:
            subprocess.run(["umount", "-l", self.rig.box], check=True)
        self.rig.lay(tree)
        return self.look(command, kind, outcome)

    def look(self, command, kind, outcome):
        if outcome.code == 127 or LOADER.search(outcome.err):
            return []  # it never began
        found = self.court.all(command, outcome)
        if outcome.code in (1, 2) and not REASONS[kind].search(judge.last_message(outcome.err)):
            found.append(("wrong reason", outcome.err[-300:]))
        return found


def can_mount():
    return os.geteuid() == 0 and mounts()


def mounts(answer=[]):
    """Whether this machine lets us mount; asked once."""
    if not answer:
        place = "/tmp"
        tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "torture", place], capture_output=True, check=False)
        answer.append(tried.returncode == 0)
    return answer[0]
