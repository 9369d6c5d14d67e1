"""What the checks of the sources share: files, code without comments, functions, and the self-test on seeded faults."""
import os
import re
import tempfile

TOPS = ("include", "host", "kernels", "examples", "tests", "bench")
CODE = (".c", ".h", ".cpp", ".cu", ".cuh")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
# The first line of a block in the first column that is a function's: its name and parameters may fill lines before it.
HEAD = re.compile(r"[A-Za-z_( ].*\{$")
NOT_A_FUNCTION = re.compile(r"(typedef|struct|enum|union|extern|namespace)\b")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def paths(root, tops, endings):
    """The files below these folders, with / between folders, in order."""
    for top in tops:
        for folder, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def without_comments_and_texts(source):
    """The source with comments and string contents blanked, line numbers kept."""
    return TOKEN.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)


def function_bodies(source):
    """(number of its first line, lines) of each function's body."""
    start, lines = None, source.split("\n")
    for number, line in enumerate(lines, 1):
        if start is None:
            is_head = HEAD.match(line) and not NOT_A_FUNCTION.match(line)
            if is_head and "=" not in line.split("(")[0]:
                start = number + 1
        elif line.startswith("}"):
            yield start, lines[start - 1:number - 1]
            start = None


def circles(edges):
    """The nodes of each circle of a graph {node: set of nodes}, as sorted lists."""
    found, number, low, stack = [], {}, {}, []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in number:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == number[node]:
            members = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(members) > 1 or node in edges.get(node, ()):
                found.append(sorted(members))

    for node in sorted(edges):
        if node not in number:
            visit(node)
    return found


def self_test(faults, seeded, clean):
    """seeded: ({path: source}, text of the one fault expected); clean: {path: source}. Yields what is not so."""
    for files, expected in [*seeded, *((files, None) for files in clean)]:
        with tempfile.TemporaryDirectory() as root:
            for path, source in files.items():
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(source)
            found = list(faults(root))
        if expected is None and found:
            yield f"clean {', '.join(files)}: found {found}"
        if expected is not None and (len(found) != 1 or expected not in found[0]):
            yield f"seeded {', '.join(files)}: expected one fault with '{expected}', found {found}"
