"""Runs the tool in a sandbox, with faults, and says what came out."""
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field

import trees

SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|runtime error:|UndefinedBehaviorSanitizer)[^\n]*")
SANITIZED_EXIT = 99
NOBODY = 65534


@dataclass
class Outcome:
    code: int  # negative: minus the signal
    out: str
    err: str
    hung: bool
    seconds: float
    report: list = field(default_factory=list)  # the lines of the preloaded library

    def crash(self):
        """What a tool never does, in words; None: it did not."""
        found = SANITIZER.search(self.err)
        if found:
            return "sanitizer: " + found.group()
        if self.hung:
            return f"hangs: no end after {self.seconds:.0f} s"
        if self.code < 0 and self.code != -signal.SIGKILL:
            return "crash: " + signal.Signals(-self.code).name
        if self.code not in (0, 1, 2, -signal.SIGKILL, 128 + signal.SIGTERM):
            return f"exit code {self.code}"
        return None

    def lines(self, kind):
        return [line.split(" ") for line in self.report if line.startswith(kind + " ")]


def place(out, worker):
    """Where the tool runs: in memory if that can be, since its syncs are many."""
    memory, out = "/dev/shm", os.path.realpath(out)
    return os.path.join(memory if os.access(memory, os.W_OK) else out, f"torture{out.replace('/', '-')}-{worker}")


class Rig:
    """One sandbox at a time: box/ is where the tool runs, and the only place of which it should know."""

    def __init__(self, tool, libraries, work):
        self.tool = os.path.abspath(tool)
        self.libraries = os.path.abspath(libraries)
        self.work = os.path.realpath(work)
        self.box = os.path.join(self.work, "box")
        self.timeout = 20  # seconds, after which the tool hangs
        self.report = os.path.join(self.work, "report")
        os.makedirs(self.work, exist_ok=True)
        self.environment = {
            "PATH": "/usr/bin:/bin", "HOME": self.work, "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "-1", "VISE_EMU_SMS": "2",
            "ASAN_OPTIONS": f"detect_leaks=0:verify_asan_link_order=0:exitcode={SANITIZED_EXIT}:allocator_may_return_null=1",
            "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:exitcode={SANITIZED_EXIT}",
        }

    def library(self, name):
        return os.path.join(self.libraries, f"libtorture_{name}.so")

    def lay(self, tree):
        trees.lay(self.box, tree)

    def tree(self):
        return trees.take(self.box)

    def arguments(self, argv, preload=None, settings=()):
        environment = dict(self.environment)
        if preload:
            environment["LD_PRELOAD"] = self.library(preload)
            environment["TORTURE_REPORT"] = self.report
            environment["TORTURE_ROOT"] = self.box
            environment.update({"TORTURE_" + name: str(value) for name, value in settings})
        else:
            environment.update(dict(settings))
        return [self.tool, *argv], environment

    def start(self, argv, preload=None, settings=(), **more):
        command, environment = self.arguments(argv, preload, settings)
        return subprocess.Popen(command, cwd=self.box, env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **more)

    def run(self, argv, preload=None, settings=(), timeout=None, **more):
        """Runs the tool in the box; settings are for the preloaded library, without TORTURE_."""
        if os.path.exists(self.report):
            os.unlink(self.report)
        return self.finish(self.start(argv, preload, settings, **more), timeout)

    def finish(self, process, timeout=None):
        began = time.monotonic()
        hung = False
        try:
            out, err = process.communicate(timeout=timeout or self.timeout)
        except subprocess.TimeoutExpired:
            hung, out, err = self.end(process)
        except BaseException:  # whoever interrupts the torture leaves no tool behind
            process.kill()
            raise
        lines = []
        if os.path.exists(self.report):
            with open(self.report, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        return Outcome(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), hung,
                       time.monotonic() - began, lines)

    def end(self, process):
        """A long training ends when it is asked to, and did not hang."""
        process.terminate()
        try:
            out, err = process.communicate(timeout=5)
            return process.returncode != 128 + signal.SIGTERM, out, err
        except subprocess.TimeoutExpired:
            process.kill()
            return True, *process.communicate()

    def clear(self):
        """Removes what the tool left."""
        if os.path.exists(self.box):
            trees.make_writable(self.box)
            shutil.rmtree(self.box)
