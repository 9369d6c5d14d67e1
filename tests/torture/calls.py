"""Each system call on a file of the user fails, is cut short, or is the last one (1 and 2)."""
import errno

import judge
import trees
from commands import COMMANDS

SPACE = ("ENOSPC", "EDQUOT")
# What a call may fail with on some file system; ENOENT and the like are states of a folder, not faults.
PLAUSIBLE = {
    "open": ("EIO", "EACCES", "EMFILE", "ENOMEM", "EINTR"),
    "read": ("EIO", "EINTR", "ENOMEM", "SHORT"),
    "pread": ("EIO", "EINTR", "SHORT"),
    "write": ("EIO", "EINTR", "SHORT", "EFBIG", *SPACE),
    "pwrite": ("EIO", "EINTR", "SHORT", "EFBIG", *SPACE),
    "readv": ("EIO",), "writev": ("EIO", *SPACE), "preadv": ("EIO",), "pwritev": ("EIO", *SPACE),
    "close": ("EIO", "EINTR", *SPACE),
    "stat": ("EIO", "EACCES", "ENOMEM"), "fstat": ("EIO", "ENOMEM"), "access": ("EIO", "EACCES", "ENOMEM"),
    "readlink": ("EIO", "EACCES", "ENOMEM"),
    "lseek": ("EIO",), "dup": ("EMFILE",), "fcntl": ("EMFILE",),
    "flock": ("EIO", "ENOLCK", "EINTR"),
    "fsync": ("EIO", "EINTR", *SPACE),
    "truncate": ("EIO", "EACCES"), "ftruncate": ("EIO", "EINTR", "ENOSPC"), "fallocate": ("EIO", *SPACE),
    "getdents": ("EIO", "ENOMEM"),
    "rename": ("EIO", "EACCES", "EBUSY", *SPACE),
    "link": ("EIO", *SPACE), "unlink": ("EIO", "EACCES", "EBUSY"), "rmdir": ("EIO", "EACCES", "EBUSY"),
    "mkdir": ("EIO", "EACCES", *SPACE),
    "chmod": ("EIO", "EPERM"), "fchmod": ("EIO", "EPERM"), "statfs": ("EIO",), "fstatfs": ("EIO",),
    "mmap": ("ENOMEM",), "utimensat": ("EIO",),
}
# A call that is made again as it stands has no reason to fail the command.
REPEATED = ("read", "pread", "write", "pwrite", "open", "fsync", "ftruncate", "flock")
QUICK = {"SHORT", "EIO", "ENOSPC", "ENOMEM", "EINTR"}


class Call:
    def __init__(self, words):
        self.number, self.name, self.takes_room = int(words[1]), words[2], words[3] == "1"
        self.path = " ".join(words[4:])


def list_calls(rig, setting, command):
    rig.lay(setting.state(command.state))
    outcome = rig.run(command.argv, "calls", [("LIST", 1)])
    if any(line.startswith("unavailable") for line in outcome.report):
        raise RuntimeError("seccomp filters cannot be used here")
    return thinned([Call(words) for words in outcome.lines("call")])


def thinned(calls):
    """Of a long streak of one call on one file, its ends and every 32nd."""
    kept, streak = [], []
    for call in [*calls, None]:
        if streak and (call is None or (call.name, call.path) != (streak[0].name, streak[0].path)):
            kept += [one for i, one in enumerate(streak) if i < 6 or i >= len(streak) - 4 or i % 32 == 0]
            streak = []
        streak.append(call)
    return kept


def faults_of(call):
    """The names of what may happen at this call."""
    names = list(PLAUSIBLE.get(call.name, ("EIO",)))
    if call.name == "open" and call.takes_room:
        names += ["ENOSPC", "EROFS"]
    if call.takes_room:
        names.append("FULL")  # the disk is full from here on
    names.append("DEAD")  # the disk answers nothing from here on
    return names


def settings_of(call, fault):
    if fault == "SHORT":
        return [("CALL", call.number), ("SHORT", 1)]
    if fault == "FULL":
        return [("CALL", call.number), ("ERRNO", errno.ENOSPC), ("STAY", 2)]
    if fault == "DEAD":
        return [("CALL", call.number), ("ERRNO", errno.EIO), ("STAY", 1)]
    return [("CALL", call.number), ("ERRNO", getattr(errno, fault))]


def is_lasting_sync(call, fault):
    """A sync that failed means that data may be gone: silence is a lie. Folders of some systems cannot be synced."""
    return call.name == "fsync" and fault in ("EIO", *SPACE)


def fail_one(rig, setting, court, command, call, fault):
    rig.lay(setting.state(command.state))
    outcome = rig.run(command.argv, "calls", settings_of(call, fault))
    if not outcome.lines("fault"):
        return []  # a read of one byte cannot be short
    call = Call(outcome.lines("fault")[0])
    found = court.all(command, outcome, fault == "DEAD" or call.name in ("unlink", "rmdir"))
    if fault == "SHORT" or (fault == "EINTR" and call.name in REPEATED):
        if outcome.code != 0:
            found.append(("interrupted" if fault == "EINTR" else "short", f"exit {outcome.code}: {outcome.err[-300:]}"))
    elif fault not in ("FULL", "DEAD"):
        found += judge.message(outcome, getattr(errno, fault), call.path)
    else:
        found += judge.message(outcome, errno.ENOSPC if fault == "FULL" else errno.EIO)
    if outcome.code == 0 and is_lasting_sync(call, fault) and outcome.err == command.expected_err:
        found.append(("a failed sync is silent", call.path))
    if outcome.code != 0 and fault != "DEAD" and call.name in ("unlink", "rmdir") and "checkpoints" in call.path and "tmp" not in call.path:
        found.append(("an old checkpoint that stays fails the run", outcome.err[-300:]))
    return found


def kill_one(rig, setting, court, command, call, when):
    before = setting.state(command.state)
    rig.lay(before)
    outcome = rig.run(command.argv, "calls", [("CALL", call.number), ("KILL", 1 if when == "before" else 2)])
    if not outcome.lines("fault"):
        return []  # the last ones need not come again: how often a log is flushed depends on time
    found = []
    tree = rig.tree()
    if command.kind == "read" and trees.differences(before, tree):
        found.append(("a command that only reads changed files", ""))
    return found + court.recovers(command, tree, killed=True)


class Part:
    """Calls that fail: cases are (id, where, function that returns findings)."""

    name = "calls"
    about = "each system call on a file fails with each errno"

    def __init__(self, rig, setting, court):
        self.rig, self.setting, self.court = rig, setting, court

    def commands(self):
        return COMMANDS

    def cases(self, command):
        self.setting.prepare(command)
        for call in list_calls(self.rig, self.setting, command):
            for fault in faults_of(call):
                yield (f"{call.number}:{fault}",
                       lambda call=call, fault=fault: fail_one(self.rig, self.setting, self.court, command, call, fault))


class Killer(Part):
    name = "kills"
    about = "killed before and after each system call on a file"

    def cases(self, command):
        self.setting.prepare(command)
        for call in list_calls(self.rig, self.setting, command):
            for when in ("before", "after"):
                yield (f"{call.number}:{when}",
                       lambda call=call, when=when: kill_one(self.rig, self.setting, self.court, command, call, when))
