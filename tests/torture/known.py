"""Failures that are known and wait to be mended. Each is reported as known and does not fail the torture; whoever mends
one takes its line out, and the aim is an empty table. A finding is known if its part, command and kind match whole, and
its text somewhere (regular expressions)."""
import re

IS_THERE = "access and stat are asked whether something is there, and any error is a no"

# (part, command, kind, text, why)
KNOWN = [
    ("calls(/.*)?", "sweep-overwrite", "exit 2, but files changed", "^sw/states appeared$", "a sweep that cannot be replaced "
     "gets an empty folder of states"),
    ("calls(/.*)?", ".*", "no reason|wrong reason", "the folder .* cannot be written|expected a regular file", IS_THERE),
    ("calls(/.*)?", "report.*|info.*|sweep.*", "exit 0, wrong result|exit 0, wrong output",
     r"report\.html differs|page\.html differs|device-memory-limit|at_upper_bound|clipped_values|nonfinite", IS_THERE),
    ("calls(/.*)?", ".*", "interrupted", "Interrupted system call|json:|standard output", "calls that a signal interrupts are "
     "not all made again"),
    ("calls(/.*)?", ".*", "no reason", "could not be written to standard output|Success$", "the reason is not told"),
    ("allocations", ".*", "another message than out of memory", "bytes is NULL", "a page that could not be made is saved"),
    ("allocations", ".*", "exit 0, wrong result|exit 0, wrong output", ".", "config.json, parts of pages and, with --quiet, the "
     "estimate are left out, and nothing is said"),
    ("damage(/.*)?", ".*", "damage is not told",
     r"fits\.jsonl|results\.csv|sweep\.json|q\.safetensors|metrics\.jsonl|config\.json|report\.html|the output differs",
     "fits.jsonl, sweep.json and models carry no hash"),
    ("pairs", "train", "refusal without a reason", "was made with", "--resume reads what the run is before it has the lock"),
]


def is_known(part, command, kind, text):
    """The number of the entry; None: it is new."""
    for i, (of_part, of_command, of_kind, of_text, _) in enumerate(KNOWN):
        patterns = ((of_part, part), (of_command, command), (of_kind, kind))
        if all(re.fullmatch(pattern, value) for pattern, value in patterns) and re.search(of_text, text, re.S):
            return i
    return None
