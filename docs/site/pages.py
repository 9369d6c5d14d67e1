"""Stages the pages of the site: README.md and docs/*.md, and every file of the repository that they link to, in the
same folders, so that a link means the same in the repository and in the site. Other files than pages are staged as
pages that show them; headers of the API are in the manual that Doxygen makes."""
import collections
import glob
import os
import posixpath
import re

FENCE = re.compile(r"^ *```")
# A code span, or a link, whose text may have code spans in it.
SPAN_OR_LINK = re.compile(r"\[(?:`[^`]*`|[^\]`])*\]\(([^)\s]+)\)|`[^`]*`")
ITEM = re.compile(r"( +)(?:[-*]|\d+\.) ")
HEADER = re.compile(r"include/vise/(\w+)\.h")
SHOWN_AS = {".c": "c", ".h": "c", ".cpp": "cpp", ".py": "python", ".sh": "sh"}


def staged_name(path):
    """Where a file of the repository is staged."""
    header = HEADER.fullmatch(path)
    if header:
        return f"html/{header.group(1).replace('_', '__')}_8h.html"
    return path if path.endswith(".md") else path + ".md"


def file_of(root, page, target):
    """The file that a link of a page means, as a path in the repository, of a folder its README; None where it is not
    there."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
    if os.path.isdir(os.path.join(root, path)):
        path = posixpath.join(path, "README.md")
    return path if not path.startswith("..") and os.path.isfile(os.path.join(root, path)) else None


def without_bars(line):
    r"""In a table of GitHub's, code has \| for |; Python's Markdown takes a | in code as it is."""
    return re.sub(r"`[^`]*`", lambda match: match.group().replace(r"\|", "|"), line)


class Stage:
    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        self.faults, self.queue, self.seen = [], collections.deque(), set()

    def add(self, path):
        if path not in self.seen:
            self.seen.add(path)
            self.queue.append(path)

    def link(self, page, number, match):
        if match.group(1) is None:
            return match.group()
        target, hash_sign, anchor = match.group(1).partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return match.group()
        path = file_of(self.root, page, target)
        if path is None:
            self.faults.append(f"{page}:{number}: links to {target}, which is not there")
            return match.group()
        self.add(path)
        new = posixpath.relpath(staged_name(path), posixpath.dirname(page) or ".") + hash_sign + anchor
        begin, end = match.span(1)
        return match.group()[:begin - match.start()] + new + match.group()[end - match.start():]

    def page(self, path, source):
        """The text of a page for mkdocs."""
        lines, inside = [], False
        for number, line in enumerate(source.split("\n"), 1):
            if FENCE.match(line):
                inside = not inside
                # What comes after the language is for tests and readers of the source.
                line = re.sub(r"^( *```\w*).*", r"\1", line)
            elif not inside:
                item = ITEM.match(line)
                if item and len(item.group(1)) % 4 != 0:
                    self.faults.append(f"{path}:{number}: an item of a list within a list needs 4 spaces before it")
                line = SPAN_OR_LINK.sub(lambda match: self.link(path, number, match), line)
                line = without_bars(line) if line.startswith("|") else line
            lines.append(line)
        return "\n".join(lines)

    def write(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            source = file.read()
        if HEADER.fullmatch(path):
            return
        if path.endswith(".md"):
            text = self.page(path, source)
        else:
            language = SHOWN_AS.get(os.path.splitext(path)[1], "text")
            text = f"# {posixpath.basename(path)}\n\n`{path}`\n\n```{language}\n{source.rstrip()}\n```\n"
        name = os.path.join(self.folder, staged_name(path))
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)


def stage(root, folder):
    """Stages the pages and says what is wrong with their links."""
    staging = Stage(root, folder)
    for path in ["README.md", *sorted(glob.glob("docs/*.md", root_dir=root))]:
        staging.add(path)
    while staging.queue:
        staging.write(staging.queue.popleft())
    return staging.faults
