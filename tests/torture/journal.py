"""What came out of each case: a line of a journal, so that an interrupted torture goes on, and the tables at its end."""
import collections
import glob
import hashlib
import json
import os
import sys
import time

import known


def print_of(tool):
    """Which tool and which machinery: cases that others did are done again."""
    info = os.stat(tool)
    hash_of = hashlib.sha256(f"{info.st_size} {info.st_mtime_ns}".encode())
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "*.py"))):
        if os.path.basename(path) != "known.py":
            with open(path, "rb") as file:
                hash_of.update(file.read())
    return hash_of.hexdigest()[:16]


class Journal:
    def __init__(self, out, fresh):
        os.makedirs(out, exist_ok=True)
        self.path = os.path.join(out, "journal.jsonl")
        if fresh and os.path.exists(self.path):
            os.unlink(self.path)
        self.done = {self.key(entry) for entry in self.read()}
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    @staticmethod
    def key(entry):
        return entry["tool"], entry["part"], entry["command"], entry["case"]

    def read(self):
        if not os.path.exists(self.path):
            return
        with open(self.path, encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue  # cut by a kill

    def do(self, tool, part, command, case, check):
        entry = {"tool": tool, "part": part, "command": command, "case": case}
        if self.key(entry) in self.done:
            return
        began = time.monotonic()
        entry["findings"] = check()
        entry["seconds"] = round(time.monotonic() - began, 3)
        # One call: several processes write lines here.
        os.write(self.file, (json.dumps(entry) + "\n").encode())


def verdict(entry):
    """clean, known or new; and the numbers of the known failures."""
    numbers = [known.is_known(entry["part"], entry["command"], kind, text) for kind, text in entry["findings"]]
    if not numbers:
        return "clean", []
    return ("new" if None in numbers else "known"), [number for number in numbers if number is not None]


def report(entries, out, repeat, is_whole):
    """Prints the tables, and writes every finding to findings.txt; returns how many cases failed in a way not known."""
    groups, kinds, used = collections.defaultdict(collections.Counter), collections.defaultdict(list), set()
    for entry in entries:
        what, numbers = verdict(entry)
        used.update(numbers)
        group = groups[entry["part"], entry["command"]]
        group[what] += 1
        group["cases"] += 1
        group["seconds"] += entry["seconds"]
        if what == "new":
            for kind, text in entry["findings"]:
                if known.is_known(entry["part"], entry["command"], kind, text) is None:
                    kinds[entry["part"], kind].append((entry, text))

    print(f"{'part':16} {'command':18} {'cases':>7} {'clean':>7} {'known':>6} {'failed':>7} {'seconds':>8}")
    total = collections.Counter()
    for (part, command), group in groups.items():
        print(row(part, command, group))
        total.update(group)
    print(row("all", "", total))
    write_findings(kinds, os.path.join(out, "findings.txt"))

    for (part, kind), found in kinds.items():
        entry, text = found[0]
        print(f"\n{part}: {kind}: {len(found)}, as in\n  {repeat} --case '{part}:{entry['command']}:{entry['case']}'\n"
              f"  {text[:300]}")
    for number in sorted(used):
        part, command, kind, _, why = known.KNOWN[number]
        print(f"known: {part} {command}: {kind}: {why}")
    if is_whole:
        for number in sorted(set(range(len(known.KNOWN))) - used):
            print(f"known, but not seen any more; take it out of known.py: {known.KNOWN[number]}")
    if kinds:
        print(f"\nAll of it is in {out}/findings.txt.")
    sys.stdout.flush()
    return total["new"]


def row(part, command, group):
    return (f"{part:16} {command:18} {group['cases']:7} {group['clean']:7} {group['known']:6} {group['new']:7} "
            f"{group['seconds']:8.1f}")


def write_findings(kinds, path):
    with open(path, "w", encoding="utf-8", errors="replace") as file:
        for (part, kind), found in kinds.items():
            file.write(f"## {part}: {kind} ({len(found)})\n")
            for entry, text in found:
                file.write(f"{part}:{entry['command']}:{entry['case']} {' '.join(text.split())}\n")
