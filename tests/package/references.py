"""That what texts point at is there: pages of docs/, steps of docs/step.md, links of the pages, files that they name."""
import os
import re

from sources import CODE, paths, read

TOPS = ("include", "host", "kernels", "examples", "tests", "bench", "docs", "cmake")
ENDINGS = CODE + (".md", ".py", ".sh", ".cmake", "CMakeLists.txt")
STEP_PAGE = "docs/step.md"
PAGE = re.compile(r"\bdocs/[\w/-]+\.md")
# "docs/step.md, 3", "docs/step.md, 3 to 6", "docs/step.md, 8 and 9", also over the end of a line.
STEPS = re.compile(r"\bdocs/step\.md,[\s*]+(\d+)(?:[\s*]+(?:to|and)[\s*]+(\d+))?")
STEP = re.compile(r"^(\d+)\. ", re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED_FILE = re.compile(r"`((?:include|host|kernels|examples|tests|bench|docs|cmake)/[\w./-]+)`")
HEADING = re.compile(r"^#+ (.*)$", re.M)


def is_there(root, path):
    return os.path.exists(os.path.join(root, path))


def line_of(source, match):
    return source.count("\n", 0, match.start()) + 1


def anchors(source):
    """What a link to a heading of a page may be."""
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in HEADING.findall(source)}


def step_faults(path, source, steps):
    for match in STEPS.finditer(source):
        for number in filter(None, match.groups()):
            if number not in steps:
                yield f"{path}:{line_of(source, match)}: {STEP_PAGE} has no step {number}"


def link_faults(root, path, source):
    for match in LINK.finditer(source):
        target, _, anchor = match.group(1).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not is_there(root, file):
            yield f"{path}:{line_of(source, match)}: links to {file}, which is not there"
        elif anchor and anchor not in anchors(read(root, file)):
            yield f"{path}:{line_of(source, match)}: {file} has no heading #{anchor}"


def faults(root):
    steps = STEP.findall(read(root, STEP_PAGE)) if is_there(root, STEP_PAGE) else []
    top_pages = [name for name in sorted(os.listdir(root)) if name.endswith(".md")]
    for path in [*top_pages, *paths(root, TOPS, ENDINGS)]:
        if path == "tests/package/references.py":
            continue
        source = read(root, path)
        yield from step_faults(path, source, steps)
        named = [*PAGE.finditer(source), *(NAMED_FILE.finditer(source) if path.endswith(".md") else ())]
        for file, line in sorted({(match.group().strip("`"), line_of(source, match)) for match in named}):
            if not is_there(root, file) and not is_there(root, os.path.join(os.path.dirname(path), file)):
                yield f"{path}:{line}: names {file}, which is not there"
        if path.endswith(".md"):
            yield from link_faults(root, path, source)


PAGES = {STEP_PAGE: "# Step\n\n1. Read.\n2. Write.\n\n## In `short`\n"}
SEEDED = [
    ({**PAGES, "host/a.c": "\n/* docs/step.md, 3 */\n"}, "host/a.c:2: docs/step.md has no step 3"),
    ({**PAGES, "host/a.h": "/* docs/step.md, 1\n * to 9. */\n"}, "docs/step.md has no step 9"),
    ({"host/a.c": "/* see docs/none.md */\n"}, "host/a.c:1: names docs/none.md, which is not there"),
    ({"README.md": "\n[the page](docs/none.txt)\n"}, "README.md:2: links to docs/none.txt, which is not there"),
    ({**PAGES, "README.md": "[short](docs/step.md#long)\n"}, "docs/step.md has no heading #long"),
    ({"README.md": "`host/none.c` and `build/none.c`\n"}, "README.md:1: names host/none.c, which is not there"),
]
CLEAN = [
    {**PAGES, "host/a.c": "/* docs/step.md, 1 and 2; docs/step.md. */\n"},
    {**PAGES, "README.md": "[a](docs/step.md#in-short) [b](#title) [c](https://example.org/none)\n# Title\n"},
]
