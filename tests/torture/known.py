"""Failures that are known and wait to be mended. Each is reported as known and does not fail the torture; whoever mends
one takes its line out, and the aim is an empty table. A finding is known if its part, command and kind match whole, and
its text somewhere (regular expressions)."""
import re

OVERWRITE = "--overwrite takes the earlier run or sweep away before the new one can stand for it"
JSON_IO = "jansson takes an error while it reads for the end of the text"
JSON_MEMORY = "jansson takes a failed allocation for bad syntax, and a failed assertion of its lexer ends the process"
REFIT = "the refit of a sweep is a training, which says that nothing was done where the sweep had been"
IS_THERE = "access is asked whether something is there, and any error is a no"

# (part, command, kind, text, why)
KNOWN = [
    (".*", "train-overwrite|sweep-overwrite", "exit 2, but files changed|the earlier one is lost", ".", OVERWRITE),
    (".*", "sweep-overwrite", "exit 0, wrong result|resumed, it differs|begun again, it differs", ".", OVERWRITE),
    ("calls(/.*)?", ".*", "no reason|wrong reason", "holds something else|the folder .* cannot be written|exists already|"
     "is not a folder|another sweep|neither a sweep", IS_THERE),
    (".*", "train.*|sweep.*", "leftovers of a failure|leftovers after the next start", "step-", "a checkpoint that is being removed "
     "or written stays under its temporary name when that fails"),
    (".*", "train.*", "resumed, it differs|exit 0, wrong result", r"^(\S+/step-\d+(/\S+)? is too much(, )?)+",
     "old checkpoints are removed after a save alone, and not when one of them cannot be read"),
    ("calls(/.*)?|kills|allocations|limits|device", "sweep.*", "exit 2, but files changed", ".", REFIT),
    ("attacks(/.*)?", "sweep.*|out-sweep", "exit 2, but files changed", ".", REFIT),
    ("calls(/.*)?", ".*", "wrong reason", r"\.json:\d+", JSON_IO),
    ("calls(/.*)?", ".*", "wrong reason|no reason", "File exists", "a folder that cannot be examined is told as one that exists"),
    ("calls(/.*)?", ".*", "wrong reason", "expected a regular file|does not exist|there is no|No such", IS_THERE),
    ("calls(/.*)?", "report.*|info.*|sweep.*", "exit 0, wrong result|exit 0, wrong output|begun again, it differs|"
     "resumed, it differs", ".", IS_THERE),
    ("calls(/.*)?", ".*", "interrupted", "Interrupted system call|json:|standard output", "calls that a signal interrupts are not made again"),
    ("calls(/.*)?", ".*", "no reason", "could not be written to standard output", "the reason is not told"),
    ("calls(/.*)?", "train.*|sweep.*", "exit 2, but files changed", "vise-lock|metrics.jsonl appeared|sw appeared|config.json.tmp",
     "what was begun is not taken away where a lock or a first file fails"),
    ("calls(/.*)?", "train.*|sweep.*", "exit 0, wrong result", "vise-lock is too much", "a lock file that stays harms nobody"),
    ("calls(/.*)?", ".*", "a failed sync is silent", ".", "the tool's own saving ignores it when the folder cannot be synced"),
    ("calls(/.*)?", "train.*", "an old checkpoint that stays fails the run", ".", "it is to be a warning"),
    ("calls(/.*)?|kills", "predict.*|prune|report.*", "leftovers.*", ".", "temporary files of killed commands are not looked for"),
    ("allocations", ".*", "another message than out of memory|crash", ".", JSON_MEMORY),
    ("allocations", ".*", "exit 0, wrong result|exit 0, wrong output|resumed, it differs|begun again, it differs", ".",
     "objects are made without a look at whether they were"),
    ("allocations", "sweep.*", "exit 2, but files changed", ".", REFIT),
    ("damage(/.*)?", ".*", "damage is not told", ".", "tables, logs, settings and models carry no hash"),
    ("pairs", "sweep", "torn", "resume", "--resume reads what the sweep is before it has the lock"),
    ("pairs", "train", "refusal without a reason", "was made with", "--resume reads what the run is before it has the lock"),
    ("attacks(/.*)?", ".*", "written through a link|hangs|no message", r"victim|nothing|step-|hangs|warning|^$",
     "temporary files of fixed names are opened through links and pipes; --resume follows a link to checkpoints"),
    ("attacks(/.*)?", "sweep-overwrite|train-overwrite", "what was planted is gone", ".", OVERWRITE),
    ("attacks(/.*)?", "names", "control characters on the terminal", ".", "file names are printed as they are"),
    ("limits", "sweep.*", "wrong reason", "does not start thread", "lack of memory is told as the system tells it"),
]


def is_known(part, command, kind, text):
    """The number of the entry; None: it is new."""
    for i, (of_part, of_command, of_kind, of_text, _) in enumerate(KNOWN):
        patterns = ((of_part, part), (of_command, command), (of_kind, kind))
        if all(re.fullmatch(pattern, value) for pattern, value in patterns) and re.search(of_text, text, re.S):
            return i
    return None
