"""What the tests of the documentation share: the blocks of code of a page, and its spans of code."""
import re

FENCE = re.compile(r"^ *```(.*)$")
SPAN = re.compile(r"`([^`\n]+)`")
# A block of sh that no test runs says so, and why.
NOT_RUN = re.compile(r"sh \(not run: \S.*\)")


class Block:
    """A fenced block: what stands after the opening fence, its text, and the line of that fence."""

    def __init__(self, page, line, mark):
        self.page, self.line, self.mark, self.lines = page, line, mark, []

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)

    @property
    def place(self):
        return f"{self.page}:{self.line}"


def blocks_and_spans(page, source):
    """The blocks of a page, and (line, text) of its spans of code outside of them."""
    blocks, spans, inside = [], [], None
    for number, line in enumerate(source.split("\n"), 1):
        fence = FENCE.match(line)
        if fence and inside is None:
            inside = Block(page, number, fence.group(1).strip())
            blocks.append(inside)
        elif fence:
            inside = None
        elif inside is not None:
            inside.lines.append(line)
        else:
            spans += [(number, span.group(1).replace(r"\|", "|")) for span in SPAN.finditer(line)]
    return blocks, spans
