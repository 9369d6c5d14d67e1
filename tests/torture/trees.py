"""Folders as values: taken, laid, compared byte by byte, and compared as results, in which times do not count."""
import csv
import io
import json
import os
import re
import shutil
import stat

TEMPORARY = re.compile(r"\.tmp(-[0-9a-f]+)*(/|$)")
EVENTS = re.compile(r"events\.out\.tfevents\.\S*$")
LOCK = ".vise-lock"
# What differs from run to run and says nothing about the result: times, where it went on from, and the recipe, whose
# options are resolved when a run goes on; warnings are told on standard error too.
VOLATILE = {"seconds", "resumed_from_step", "launches", "metrics_bytes", "recipe", "warnings"}
TIMES = {"mean_fit_time", "std_fit_time"}


def take(root):
    """{path below root: entry} of all that is there; an entry is (kind, mode, bytes or target)."""
    tree = {}

    def walk(folder, prefix):
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                info = entry.stat(follow_symlinks=False)
                mode = stat.S_IMODE(info.st_mode)
                if entry.is_symlink():
                    tree[name] = ("link", 0, os.readlink(entry.path))
                elif entry.is_dir():
                    tree[name] = ("folder", mode, None)
                    if mode & 0o500 == 0o500 or os.geteuid() == 0:
                        walk(entry.path, name + "/")
                elif entry.is_file():
                    with open(entry.path, "rb") as file:
                        tree[name] = ("file", mode, file.read())
                else:
                    tree[name] = ("special", mode, stat.S_IFMT(info.st_mode))

    walk(root, "")
    return tree


def lay(root, tree):
    """Makes root hold the tree and nothing else."""
    if os.path.lexists(root):
        make_writable(root)
        shutil.rmtree(root)
    os.makedirs(root)
    lay_in(root, tree)


def lay_in(root, tree):
    """Adds the tree to what root holds."""
    for name, (kind, mode, content) in sorted(tree.items()):
        path = os.path.join(root, name)
        if kind == "folder":
            os.mkdir(path)
        elif kind == "link":
            os.symlink(content, path)
        elif kind == "file":
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, mode)
        else:
            os.mkfifo(path, mode)


def make_writable(root):
    for folder, _, _ in os.walk(root):
        if not os.access(folder, os.W_OK | os.X_OK):
            os.chmod(folder, 0o755)


def differences(before, after):
    """What changed, a line each: nothing is left out, neither locks nor temporary files."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        what = "appeared" if old is None else "vanished" if new is None else "changed"
        lines.append(f"{name} {what}")
    return lines


def below(tree, folder):
    """The part of a tree in one of its folders, which itself is not in it."""
    return {name[len(folder) + 1:]: entry for name, entry in tree.items() if name.startswith(folder + "/")}


def bytes_of(tree, name):
    entry = tree.get(name)
    return entry[2] if entry is not None and entry[0] == "file" else None


def leftovers(tree):
    """Names of temporary files and of locks."""
    return [name for name in tree if TEMPORARY.search(name) or name.endswith(LOCK)]


# ---- results --------------------------------------------------------------------------------------------------------

def steady(value):
    """A JSON value without what differs from run to run."""
    if isinstance(value, dict):
        return {key: steady(os.path.basename(item) if key == "name" and isinstance(item, str) else item)
                for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [steady(item) for item in value]
    return value


def json_lines(content):
    return [steady(json.loads(line)) for line in content.decode().splitlines()]


def without_times(content):
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def page(content):
    """A page is compared by its frame: times and drawings made of them differ."""
    text = content.decode()
    frame = re.sub(r"-?[\d.:,]+(e[-+]?\d+)?", "0", re.sub(r"<svg.*?</svg>", "", text, flags=re.S))
    return ("page", text.rstrip().endswith("</html>"), frame)


def state(content):
    """A checkpoint's state.json; its hash covers times."""
    value = json.loads(content)
    value.pop("xxh64", None)
    return steady(value)


def settled(name, content):
    """What must be equal of a file of a result."""
    base = name.rsplit("/", 1)[-1]
    try:
        if base == "metrics.jsonl":
            return json_lines(content)
        if base == "fits.jsonl":
            lines = json_lines(content)
            return sorted(lines, key=lambda fit: (fit["config"], fit["repeat"], fit["fold"]))
        if base == "results.csv":
            return without_times(content)
        if base == "state.json":
            return state(content)
        if base in ("config.json", "sweep.json"):
            return steady(json.loads(content))
        if base.endswith(".html"):
            return page(content)
    except (ValueError, KeyError, UnicodeDecodeError, TypeError) as error:
        return ("broken", str(error), content)
    return content


def result(tree):
    """A tree as a result: {name: what must be equal}. Event files are named after their time and process, there may be
    several, and it counts that there are some."""
    got = {}
    for name, entry in tree.items():
        if EVENTS.search(name):
            got[EVENTS.sub("events", name)] = "events"
        else:
            got[name] = settled(name, entry[2]) if entry[0] == "file" else entry[0]
    return got


def result_differences(expected, got):
    """How two results differ, a line each."""
    lines = []
    for name in sorted(expected.keys() | got.keys()):
        if name not in got:
            lines.append(f"{name} lacks")
        elif name not in expected:
            lines.append(f"{name} is too much")
        elif expected[name] != got[name]:
            lines.append(f"{name} differs")
    return lines
