"""Types into a bash on a terminal of its own, with the completion of vise loaded, and looks at what Tab makes of it.
Takes BUILD from the environment; ends with 77 where there is no bash."""
import os
import pty
import re
import select
import shutil
import sys
import tempfile
import time

CASES = [
    ("vise tra", "vise train "),
    ("vise train --los", "vise train --loss "),
    ("vise train --loss hub", "vise train --loss huber "),
    ("vise train --loss=hub", "vise train --loss=huber "),
    ("vise train --clip-norm-to", "vise train --clip-norm-torch-eps "),
    ("vise train --no-nest", "vise train --no-nesterov "),
    ("vise train --shuffle y", "vise train --shuffle yes "),
    ("vise train --train dat", "vise train --train data.csv "),
    ("vise predict --output cl", "vise predict --output class "),
    ("vise predict --clip-no", "vise predict --clip-no"),  # an option of train
    ("vise help pru", "vise help prune "),
    ("vise cer", "vise certify "),
    ("vise export --format on", "vise export --format onnx "),
    ("vise certify --keep", "vise certify --keep-model "),
    ("vise wat", "vise watch "),
    ("vise sweep --progress js", "vise sweep --progress json "),
    ("vise watch --progress ba", "vise watch --progress bar "),
]


class Bash:
    def __init__(self, folder):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(PS1="", TERM="dumb", INPUTRC="/dev/null", HISTFILE="")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, pattern):
        text, end = "", time.monotonic() + 20
        while time.monotonic() < end:
            if select.select([self.terminal], [], [], 0.1)[0]:
                text += os.read(self.terminal, 65536).decode(errors="replace").replace("\x07", "")
                match = re.search(pattern, text)
                if match:
                    return match
        raise TimeoutError(f"bash never said {pattern}: {text!r}")


def main():
    if shutil.which("bash") is None:
        print("skipped: there is no bash")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        open(os.path.join(folder, "data.csv"), "w").close()
        bash = Bash(folder)
        bash.type(f"source {os.environ['BUILD']}/reference/vise.bash; echo re''ady\n")
        bash.read_until("ready\r?\n")
        faults = 0
        for line, expected in CASES:
            # Tab, then the whole line becomes the argument of echo.
            bash.type(f"{line}\t\x01echo \"<\x05>\"\n")
            got = bash.read_until("\n<(.*)>\r?\n").group(1)
            if got != expected:
                print(f"{line!r} became {got!r}, expected {expected!r}")
                faults += 1
        bash.type("exit\n")
        os.waitpid(bash.pid, 0)
    print(f"{len(CASES)} lines typed, {faults} completed wrongly")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
