"""Builds the site of the documentation: docs/site/build.py FOLDER [ROOT], as ./dev docs does.

README.md, docs/*.md and what they link to are staged in FOLDER-pages (pages.py), beside the manual of the C API that
Doxygen makes; mkdocs makes the site from there, and check.py looks at every link of it. Whatever one of these warns of
ends the build, and then FOLDER is not there. Needs mkdocs and doxygen."""
import json
import os
import shutil
import subprocess
import sys

import check
import pages

HERE = os.path.dirname(os.path.abspath(__file__))


def manual(root, folder):
    """The manual of the C API, in folder/html."""
    with open(os.path.join(root, "Doxyfile"), encoding="utf-8") as file:
        settings = file.read() + f'OUTPUT_DIRECTORY = "{folder}"\n'
    subprocess.run(["doxygen", "-"], cwd=root, input=settings, text=True, check=True)


def site(staged, folder):
    settings = os.path.join(HERE, "mkdocs.yml")
    done = subprocess.run(["mkdocs", "build", "--strict", "--clean", "-f", settings, "-d", folder], text=True,
                          env={**os.environ, "VISE_SITE_PAGES": staged}, capture_output=True, check=False)
    # Of a site that it has no warning of, there is nothing to say.
    if done.returncode != 0:
        print(done.stderr, end="", file=sys.stderr)
        done.check_returncode()


def index(folder):
    """The index of the search becomes a script: pages that are opened from a disk may not read other files."""
    with open(os.path.join(folder, "search", "search_index.json"), encoding="utf-8") as file:
        entries = json.load(file)["docs"]
    shutil.rmtree(os.path.join(folder, "search"))
    page_titles = {entry["location"]: entry["title"] for entry in entries if "#" not in entry["location"]}
    sections = [{"page": page_titles[entry["location"].split("#")[0]], **entry}
                for entry in entries if "#" in entry["location"]]
    with open(os.path.join(folder, "search_index.js"), "w", encoding="utf-8") as file:
        file.write("window.viseIndex = " + json.dumps(sections, separators=(",", ":")) + ";\n")


def build(folder, root):
    staged = folder + "-pages"
    for old in (staged, folder):
        shutil.rmtree(old, ignore_errors=True)
    faults = pages.stage(root, staged)
    if not faults:
        manual(root, staged)
        site(staged, folder)
        index(folder)
        # Of no use without an address of the site.
        for name in ("sitemap.xml", "sitemap.xml.gz"):
            os.remove(os.path.join(folder, name))
        faults = check.faults(folder)
    return faults


def main():
    folder = os.path.abspath(sys.argv[1])
    root = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else os.path.dirname(os.path.dirname(HERE))
    try:
        faults = build(folder, root)
    except subprocess.CalledProcessError as error:
        faults = [f"{error.cmd[0]} ended with {error.returncode}"]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
