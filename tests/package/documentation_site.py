"""The site of the documentation builds (docs/site/build.py), holds what it should, and does not build with a fault in
it: each kind of fault is put into a copy of the pages, or of the site. Skipped without mkdocs or doxygen."""
import json
import os
import shutil
import subprocess
import sys

SITE = os.path.join("docs", "site")
sys.path.insert(0, SITE)
import check  # noqa: E402
import pages  # noqa: E402

# What links and the build need of the repository.
TOPS = ("README.md", "Doxyfile", "docs", "include", "examples", "bench/README.md", "kernels/README.md",
        "tests/emulation/README.md", "tests/ptx/README.md", "tests/torture/README.md", "tests/package")
TEXTS = {"index.html": "hold after", "docs/options.html": "<code>--clip-value X|LO:HI</code>",
         "docs/step.html": 'id="weight-operations"', "docs/api.html": 'href="../html/fit_8h.html"',
         "docs/hardware.html": "static int net(const int x[2])", "examples/fit.c.html": "vise_dataset_from_arrays",
         "kernels/index.html": "<h1", "html/index.html": "Vise", "search_index.js": "--clamp-layer"}
# (what to add to which page, what the build says then); before mkdocs, by mkdocs, and after it.
PAGE_FAULTS = [
    ("docs/gpu.md", "\n[none](none.md)\n", "links to none.md, which is not there"),
    ("docs/gpu.md", "\n1. one\n   - two\n", "an item of a list within a list needs 4 spaces before it"),
    ("README.md", "\n[none](../outside.md)\n", "links to ../outside.md, which is not there"),
]
NEW = os.path.join("docs", "new.md")
BUILD_FAULTS = [
    ("docs/gpu.md", "\n[none](data.md#none) <img src='https://example.org/a.png'>\n",
     ["docs/gpu.html: links to data.html#none, which has no such anchor",
      "docs/gpu.html: fetches https://example.org/a.png"]),
    (NEW, "# New\n", ["docs/new.html: is not in the navigation"]),
]
# What to add to which file of the built site.
SITE_FAULTS = [
    ("index.html", '<script src="https://example.org/a.js"></script>', "index.html: fetches https://example.org/a.js"),
    ("index.html", '<link rel="stylesheet" href="//example.org/a.css">', "fetches //example.org/a.css"),
    ("index.html", '<p style="background: url(http://example.org/a.png)">', "fetches http://example.org/a.png"),
    ("index.html", "<style>@import 'https://example.org/a.css';</style>", "fetches https://example.org/a.css"),
    ("index.html", '<img srcset="a.png 2x">', "index.html: links to a.png, which is not there"),
    ("index.html", '<a href="docs/none.html">', "index.html: links to docs/none.html, which is not there"),
    ("index.html", '<a href="#none">', "index.html: links to #none, which has no such anchor"),
    ("index.html", "<p>text:\n- one\n- two</p>", "left as text: 'text:"),
    ("index.html", "<p>```</p>", "left as text: '```'"),
    ("style.css", "@font-face { src: url('https://example.org/a.woff2'); }", "style.css: fetches https://example.org"),
    ("style.css", "p { background: url(none.png); }", "style.css: links to none.png, which is not there"),
    ("search.js", 'fetch("https://example.org/a.json");', "search.js: has the address"),
]


def add(path, text):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def build(folder, root="."):
    return subprocess.run([sys.executable, os.path.join(SITE, "build.py"), folder, root], text=True,
                          capture_output=True, check=False)


def site_faults(folder):
    """What the site lacks."""
    for name, text in TEXTS.items():
        if not os.path.exists(os.path.join(folder, name)) or text not in read(os.path.join(folder, name)):
            yield f"{name} does not hold {text}"
    for page in os.listdir("docs"):
        name = page.replace("README.md", "index.md").replace(".md", ".html")
        if page.endswith(".md") and not os.path.exists(os.path.join(folder, "docs", name)):
            yield f"{page} is not in the site"
    sections = json.loads(read(os.path.join(folder, "search_index.js")).removeprefix("window.viseIndex = ").rstrip(";\n"))
    if len(sections) < 100 or any(not section["title"] or "#" not in section["location"] for section in sections):
        yield f"the search knows {len(sections)} sections"


def copy_of_repository(folder):
    for top in TOPS:
        os.makedirs(os.path.dirname(os.path.join(folder, top)), exist_ok=True)
        if os.path.isdir(top):
            shutil.copytree(top, os.path.join(folder, top))
        else:
            shutil.copy(top, os.path.join(folder, top))


def seeded_faults(work, site):
    """Faults that are not found."""
    root = os.path.join(work, "copy")
    copy_of_repository(root)
    for page, text, expected in PAGE_FAULTS:
        before = read(os.path.join(root, page))
        add(os.path.join(root, page), text)
        found = pages.stage(root, os.path.join(work, "staged"))
        if len(found) != 1 or expected not in found[0]:
            yield f"with {text!r} in {page}, staging says {found}, not {expected}"
        with open(os.path.join(root, page), "w", encoding="utf-8") as file:
            file.write(before)

    for page, text, _ in BUILD_FAULTS:
        add(os.path.join(root, page), text)
    done = build(os.path.join(work, "bad"), root)
    for page, text, expected in BUILD_FAULTS:
        if done.returncode == 0 or any(line not in done.stderr for line in expected):
            yield f"with {text!r} in {page}, the build ends with {done.returncode}: {done.stderr}"
    if os.path.exists(os.path.join(work, "bad")):
        yield "a site that is not sound is left there"

    # A page that mkdocs warns of.
    os.remove(os.path.join(root, NEW))
    settings = os.path.join(root, SITE, "mkdocs.yml")
    add(settings, "  - None: none.md\n")
    done = subprocess.run([sys.executable, os.path.join(root, SITE, "build.py"), os.path.join(work, "bad")], text=True,
                          capture_output=True, check=False)
    if done.returncode == 0 or "none.md" not in done.stderr:
        yield f"with a page in the navigation that is not there, the build ends with {done.returncode}: {done.stderr}"

    for name, text, _ in SITE_FAULTS:
        add(os.path.join(site, name), text)
    found = check.faults(site)
    if len(found) != len(SITE_FAULTS):
        yield f"of {len(SITE_FAULTS)} faults in the site the check says {found}"
    for name, text, expected in SITE_FAULTS:
        if sum(expected in fault for fault in found) != 1:
            yield f"with {text} in {name} the check says {found}, not {expected}"


def main():
    for program in ("mkdocs", "doxygen"):
        if shutil.which(program) is None:
            print(f"skipped: there is no {program}")
            return 77
    work = os.path.join(os.environ["WORK"], "documentation_site")
    shutil.rmtree(work, ignore_errors=True)
    site = os.path.join(work, "site")
    done = build(site)
    if done.returncode != 0:
        print(done.stdout, done.stderr)
        return 1
    found = [*site_faults(site), *seeded_faults(work, site)]
    print("\n".join([*found, f"{len(found)} faults"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
