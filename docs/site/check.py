"""Looks at a built site: that every link and anchor in it leads somewhere within it, that nothing is fetched from
elsewhere, that every page is in the navigation, and that no Markdown was left as text."""
import html.parser
import os
import re
import sys
import urllib.parse

LOADS = {"script": ("src",), "link": ("href",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset"),
         "object": ("data",), "embed": ("src",), "video": ("src", "poster"), "audio": ("src",), "input": ("src",),
         "image": ("href", "xlink:href"), "use": ("href", "xlink:href"), "track": ("src",)}
ELSEWHERE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//|^\s*(?:https?|ftp|file):", re.I)
IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", re.I)
# In a script, an address in quotes; names of XML and of a licence are no addresses.
IN_SCRIPT = re.compile(r"""['"`](?:https?:)?//(?!www\.w3\.org/)[\w.-]+\.\w+""")
COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.S | re.M)
LEFT_OVER = re.compile(r"```|\]\([\w./#-]+\)|^\s*(?:[-*]|\d+\.) |^\||\\\|", re.M)
# Doxygen's manual makes its navigation and its search by scripts, and is no page of Markdown.
MANUAL = "html" + os.sep


class Reader(html.parser.HTMLParser):
    """What a page has: ids, links, what it loads, and the text of its paragraphs."""

    def __init__(self, source):
        super().__init__()
        self.ids, self.links, self.loads, self.texts, self.inside = set(), [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = {name: value or "" for name, value in attributes}
        self.ids.update(attributes[name] for name in ("id", "name") if name in attributes)
        if tag in ("a", "area") and "href" in attributes:
            self.links.append(attributes["href"])
        for name in LOADS.get(tag, ()):
            for part in attributes.get(name, "").split(",") if name == "srcset" else [attributes.get(name, "")]:
                self.loads += part.split()[:1]
        self.loads += style_loads(attributes.get("style", ""))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while tag in self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if self.inside and self.inside[-1] == "style":
            self.loads += style_loads(data)
        elif self.inside and self.inside[-1] in ("p", "li", "td"):
            self.texts.append(data)


def style_loads(source):
    found = [first or second for first, second in IN_STYLE.findall(source)]
    return [target for target in found if not target.startswith("data:")]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def files(folder):
    for place, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            yield os.path.relpath(os.path.join(place, name), folder)


def target_faults(folder, name, target, readers):
    """What is wrong with a link, or with a file that is loaded, of the page `name`."""
    parts = urllib.parse.urlsplit(target)
    path = urllib.parse.unquote(parts.path)
    file = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
    if path.startswith("/") or file.startswith("..") or not os.path.isfile(os.path.join(folder, file)):
        yield f"{name}: links to {target}, which is not there"
    elif parts.fragment and file in readers and urllib.parse.unquote(parts.fragment) not in readers[file].ids:
        yield f"{name}: links to {target}, which has no such anchor"


def page_faults(folder, name, readers):
    page = readers[name]
    for target in page.loads:
        if ELSEWHERE.match(target):
            yield f"{name}: fetches {target}"
        elif not target.startswith(("data:", "javascript:")):
            yield from target_faults(folder, name, target, readers)
    for target in page.links:
        if not re.match(r"(?:https?|mailto|javascript):", target):
            yield from target_faults(folder, name, target, readers)
    if not name.startswith(MANUAL):
        for text in page.texts:
            left = LEFT_OVER.search(text)
            if left:
                yield f"{name}: Markdown left as text: {text[max(0, left.start() - 20):left.end() + 30]!r}"


def navigation_faults(readers):
    """Pages of docs/ that the front page does not link to."""
    linked = {os.path.normpath(link.split("#")[0]) for link in readers["index.html"].links}
    for name in readers:
        if name.startswith("docs" + os.sep) and name not in linked and not name.endswith((".c.html", ".py.html")):
            yield f"{name}: is not in the navigation (docs/site/mkdocs.yml)"


def faults(folder):
    """What is wrong with the site in a folder, as a list of texts."""
    names = list(files(folder))
    readers = {name: Reader(read(os.path.join(folder, name))) for name in names if name.endswith(".html")}
    found = list(navigation_faults(readers))
    for name in names:
        if name in readers:
            found += page_faults(folder, name, readers)
        elif name.endswith(".css"):
            for target in style_loads(read(os.path.join(folder, name))):
                if ELSEWHERE.match(target):
                    found.append(f"{name}: fetches {target}")
                else:
                    found += target_faults(folder, name, target, readers)
        elif name.endswith(".js") and name != "search_index.js":
            code = COMMENT.sub("", read(os.path.join(folder, name)))
            found += [f"{name}: has the address {match.group()}" for match in IN_SCRIPT.finditer(code)]
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    said = faults(sys.argv[1])
    print("\n".join(said) or "nothing wrong")
    sys.exit(1 if said else 0)
