"""What the tests of `vise certify` and `vise export` have in common: an empty folder to work in, arrays to train on, commands that
must end as they should. Takes WORK from the environment."""
import os
import shutil
import subprocess
import sys


def expect(condition, message):
    if not condition:
        raise RuntimeError(message)


def finished(*command, code=0, **more):
    """A command that has ended with that code."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    expect(done.returncode == code, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def make_arrays():
    """Rows of three classes: x.npy, y.npy, bits.npy (the first class or not), and rows of bytes without a sense, bytes.npy.
    Returns the rows and their classes."""
    import numpy as np  # which the other tests do without

    rng = np.random.default_rng(7)
    labels = np.arange(300) % 3
    x = (rng.normal(size=(300, 6)) + 1.5 * np.eye(3, 6)[labels]).astype(np.float32)
    np.save("x.npy", x)
    np.save("y.npy", labels.astype(np.int64))
    np.save("bits.npy", (labels == 0).astype(np.int64))
    np.save("bytes.npy", rng.integers(0, 256, (300, 6)).astype(np.uint8))
    return x, labels


def play(name, test):
    """Runs test in the empty folder WORK/name; ends with 1 and the reason if it does not hold."""
    folder = os.path.join(os.environ["WORK"], name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.chdir(folder)
    try:
        test()
    except RuntimeError as error:
        print(error)
        sys.exit(1)
