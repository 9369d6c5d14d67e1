"""Tortures the tool from outside: faults in every system call and allocation, kills, damage, races, attacks, limits,
mutations. See README.md beside this file.

    torture.py --build build                      everything; goes on where an earlier call was interrupted
    torture.py --build build --short              a sample of everything, a minute of one core
    torture.py --build build --case calls:train:42:EIO     one case, told in full
    torture.py --build build --self-test          that it sees the faults of a stand-in for the tool
"""
import argparse
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import allocations
import attacks
import calls
import damage
import device
import journal
import limits
import mutations
import pairs
import random_kills
import trees
from commands import Setting
from judge import Judge
from rig import Rig, place

PARTS = [calls.Part, calls.Killer, allocations.Part, random_kills.Part, damage.Part, pairs.Part, attacks.Part, limits.Part,
         mutations.Part, device.Part]
# With --short: every so manieth case of a command, and so many at least.
SHORT = {"calls": (47, 5), "kills": (47, 4), "allocations": (499, 5), "random-kills": (40, 1), "damage": (37, 3),
         "pairs": (31, 1), "attacks": (17, 3), "limits": (19, 3), "mutations": (23, 5), "device": (40, 3)}
# What a tool with sanitizers goes through as well, every so manieth case.
SANITIZED = {"damage": 1, "mutations": 1, "attacks": 2, "calls": 5}
SKIPPED = 77


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="the build's folder (build)")
    parser.add_argument("--tool", help="the tool, if it is not bin/vise of the build")
    parser.add_argument("--sanitized", action="append", default=[], metavar="TOOL",
                        help="also this tool, which was built with sanitizers")
    parser.add_argument("--emulated", metavar="TOOL", help="also this one, which has the emulated CUDA device")
    parser.add_argument("--out", default="build/torture", help="the folder for results (build/torture)")
    parser.add_argument("--part", action="append", choices=[part.name for part in PARTS], help="only these parts")
    parser.add_argument("--command", action="append", help="only these commands of theirs")
    parser.add_argument("--short", action="store_true", help="a sample")
    parser.add_argument("--stride", type=int, default=1, help="every so manieth case")
    parser.add_argument("--jobs", type=int, default=1, help="processes that work")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier call did")
    parser.add_argument("--case", help="PART:COMMAND:CASE alone, told in full")
    parser.add_argument("--only-emulated", action="store_true", help="nothing but that")
    parser.add_argument("--self-test", action="store_true")
    return parser.parse_args(argv)


def sample(cases, stride, least):
    """Every stride-th of the cases, and as many at least, from everywhere among them."""
    cases = list(cases)
    stride = max(1, min(stride, len(cases) // least))
    return cases[stride // 2::stride]


class Torture:
    """One tool, and a place to torture it in."""

    def __init__(self, options, tool, worker):
        libraries = os.path.join(options.build, "tests", "torture")
        self.rig = Rig(tool, libraries, place(options.out, worker))
        self.setting = Setting(self.rig)
        self.court = Judge(self.rig, self.setting)

    def part(self, kind):
        return kind(self.rig, self.setting, self.court)


def stride_of(options, kind, sanitized):
    if options.short:
        return SHORT[kind.name]
    return options.stride * (SANITIZED[kind.name] if sanitized else 1), 1


def work(options, worker, end):
    """One of the processes."""
    try:
        do_all(options, worker, end)
    except KeyboardInterrupt:
        pass
    finally:
        shutil.rmtree(place(options.out, worker), ignore_errors=True)


def do_all(options, worker, end):
    """Every so manieth case."""
    book = journal.Journal(options.out, False)
    place_of = itertools.count()
    for tool, sanitized, parts in tools(options):
        torture, mark = Torture(options, tool, worker), journal.print_of(tool)
        for kind in parts:
            if options.part and kind.name not in options.part:
                continue
            part = torture.part(kind)
            for command in part.commands():
                name = getattr(command, "name", command)
                if options.command and name not in options.command:
                    continue
                for case, check in sample(part.cases(command), *stride_of(options, kind, sanitized)):
                    if next(place_of) % options.jobs != worker:
                        continue
                    if end is not None and time.monotonic() > end:
                        return
                    book.do(mark, kind.name + ("/sanitized" if sanitized else ""), name, case, check)


def tools(options):
    """(path, whether it has sanitizers, what it goes through)."""
    emulated = [(options.emulated, False, [device.Part])] if options.emulated else []
    if options.only_emulated:
        return emulated
    host = [kind for kind in PARTS if kind is not device.Part]
    sanitized = [kind for kind in host if kind.name in SANITIZED]
    return [(tool_of(options), False, host), *[(tool, True, sanitized) for tool in options.sanitized], *emulated]


def tool_of(options):
    return options.tool or os.path.join(options.build, "bin", "vise")


def everything(options):
    journal.Journal(options.out, options.fresh)
    end = time.monotonic() + options.seconds if options.seconds else None
    workers = [multiprocessing.Process(target=work, args=(options, i, end)) for i in range(options.jobs)]
    interrupted = False
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    except KeyboardInterrupt:
        interrupted = True
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for worker in workers:
            worker.join()
    marks = {journal.print_of(tool) for tool, _, _ in tools(options)}
    entries = [entry for entry in journal.Journal(options.out, False).read() if entry["tool"] in marks]
    n_failed = journal.report(entries, options.out, repeat_of(options), is_whole(options) and not interrupted)
    broken = [worker for worker in workers if worker.exitcode != 0]
    print(f"{len(entries) - n_failed} passed, {n_failed + len(broken)} failed")
    if interrupted:
        print("interrupted: the same command goes on from here")
        return 128 + signal.SIGINT
    return 1 if n_failed or broken or not entries else 0


def repeat_of(options):
    """How one case is told in full."""
    words = ["python3", os.path.relpath(__file__), "--build", options.build]
    for tool in options.sanitized:
        words += ["--sanitized", tool]
    return " ".join(words + (["--emulated", options.emulated] if options.emulated else []))


def is_whole(options):
    return not (options.short or options.part or options.command or options.seconds or options.stride > 1)


def one(options):
    """One case, told in full."""
    part_name, command_name, case = options.case.split(":", 2)
    part_name, _, sanitized = part_name.partition("/")
    tool = options.sanitized[0] if sanitized else options.emulated if part_name == "device" else tool_of(options)
    torture = Torture(options, tool, 0)
    part = torture.part(next(kind for kind in PARTS if kind.name == part_name))
    command = next(command for command in part.commands() if getattr(command, "name", command) == command_name)
    check = next((check for name, check in part.cases(command) if name == case), None)
    if check is None:
        sys.exit(f"there is no case {case}")
    tell(torture.rig)
    found = check()
    print(f"what is left is in {torture.rig.box}")
    print("findings:", *[f"{kind}: {text}" for kind, text in found], sep="\n  ")
    return 1 if found else 0


def tell(rig):
    """From now on each run of the tool is printed: how it began, what it said, and what it changed."""
    run = rig.run

    def told(argv, preload=None, settings=(), **more):
        before = rig.tree()
        outcome = run(argv, preload, settings, **more)
        print(f"$ vise {' '.join(argv)!s}   {dict(settings)}\nexit {outcome.code}\n{outcome.err}")
        print("\n".join(outcome.report[-3:]))
        for line in trees.differences(before, rig.tree()):
            print("  ", line)
        return outcome

    rig.run = told


def main(argv):
    options = parse(argv)
    if not os.path.exists(os.path.join(options.build, "tests", "torture", "libtorture_calls.so")):
        print("the libraries of the torture are made for Linux on x86-64 alone")
        return SKIPPED
    if options.self_test:
        import self_test
        return self_test.main(options.build, place(options.out, 0))
    return one(options) if options.case else everything(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
