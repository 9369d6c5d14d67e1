"""What the pages show and no test runs is sound all the same: every block says what it is, a block of sh that is not run
says why, and its commands exist - programs and options of ./dev, vise, cmake and ctest, presets, files, packages - as do
those in spans of code. `--self-test` checks that each kind of fault is caught. Takes VISE from the environment; without
it, the options of vise are not looked at."""
import ast
import functools
import json
import os
import re
import shlex
import subprocess
import sys

from pages import NOT_RUN, blocks_and_spans
from sources import paths

MARKS = {"sh", "text", "json", "python", "c"}
TOPS = ("docs", "examples", "bench", "kernels", "tests", "cmake")
PRESETS = json.load(open("CMakePresets.json", encoding="utf-8"))
OPTION = re.compile(r"--[a-z][\w-]*")
# Commands of the system, of which nothing can be wrong but their arguments.
PLAIN = {"cd", "export", "git", "man", "rm", "mkdir", "xargs", "pip", "sbatch", "source"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@functools.cache
def printed(*command):
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else ""


# ---- one command ------------------------------------------------------------------------------------------------


def options_of(words):
    """Options of a command, without their values."""
    return [word.split("=")[0] for word in words if OPTION.match(word)]


def dev_faults(words):
    """./dev COMMAND [OPTION...], as the usage of ./dev has it."""
    lines = printed("./dev", "help").splitlines()
    begins = {line.split()[0]: i for i, line in enumerate(lines) if re.match(r"  [a-z]", line)}
    if not words or words[0] not in begins:
        return [f"./dev has no command {words[:1]}"]
    if words[0] == "emulate":
        return vise_faults(words[1:])
    start = begins[words[0]]
    end = min([i for i in begins.values() if i > start], default=len(lines))
    known = OPTION.findall(" ".join(lines[start:end]))
    if words[0] == "bench":  # it hands other options on
        known += OPTION.findall(read("bench/peers/compare.py"))
    return [f"./dev {words[0]} has no option {option}" for option in options_of(words[1:]) if option not in known]


def vise_faults(words):
    vise = os.environ.get("VISE")
    if not vise or not words or words[0] in ("--version", "--help"):
        return []
    if words[0] == "help":
        text = printed(vise, *words)
        return [] if text or words[1:] in (["COMMAND"], ["OPTION"]) else [f"vise has no help about {words[1:]}"]
    text = printed(vise, words[0], "--help-all")
    if words[0] == "info" and "--plan" in words:  # of a training, whose options it takes
        text += printed(vise, "check", "--help-all")
    if not text:
        return [f"vise has no command {words[0]}"]
    known = {"--help", "--help-all", "--version", *OPTION.findall(text)}
    return [f"vise {words[0]} has no option {option}" for option in options_of(words[1:]) if option not in known]


def preset_faults(words, kind):
    """cmake and ctest: presets of this kind, and options of the build."""
    names = [preset["name"] for preset in PRESETS[kind]]
    for i, word in enumerate(words):
        if word == "--preset" and words[i + 1] not in names:
            yield f"there is no preset {words[i + 1]} among the {kind}"
        option = re.match(r"-D(VISE_\w+)=", word)
        if option and option.group(1) not in read("CMakeLists.txt"):
            yield f"there is no option {option.group(1)} of the build"


def package_faults(words):
    needs = read("dev")
    return [f"./dev needs no package {word}" for word in words if not word.startswith("-") and f"={word}" not in needs]


def file_faults(words):
    """Files of the repository that are named."""
    return [f"there is no {word}" for word in words
            if re.match(r"(?:bench|docs|examples|tests)/.*\.\w+$", word) and "/results/" not in word
            and not os.path.exists(word)]


def command_faults(words):
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if words[:1] == ["sudo"]:
        words = words[1:]
    if not words:
        return []
    name, rest = words[0], words[1:]
    if name == "./dev":
        return dev_faults(rest)
    if name in ("vise", "build/bin/vise"):
        return vise_faults(rest) + file_faults(rest)
    if name == "cmake":
        return list(preset_faults(rest, "buildPresets" if "--build" in rest else "configurePresets"))
    if name == "ctest":
        return list(preset_faults(rest, "testPresets"))
    if name == "apt-get":
        return package_faults(rest[1:])
    if name in ("cc", "sh", "python3", "clang", *PLAIN):
        return file_faults(rest)
    # What the block itself has built, or the build of Vise.
    return [] if re.match(r"\./\w|build(?:-\w+)?/bin/\w", name) else [f"nothing here knows the command {name}"]


def commands(text):
    """The words of each simple command; a $(...) counts as a word. None where quotes do not match."""
    text = re.sub(r"\\\n", " ", re.sub(r"\$\([^()]*\)", "X", text))
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split = True
        words = []
        for word in lexer:
            if word in (";", "&&", "||", "|", "&"):
                yield words
                words = []
            else:
                words.append(word)
        yield words


# ---- pages ------------------------------------------------------------------------------------------------------


def is_run(page):
    """Whether documented_commands.py runs the blocks of this page."""
    return page == "README.md" or (page.startswith("docs/") and page.count("/") == 1)


def block_faults(block):
    if NOT_RUN.fullmatch(block.mark):
        done = subprocess.run(["sh", "-n"], input=block.text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            return [done.stderr.strip()]
        return [fault for words in commands(block.text) for fault in command_faults(words)]
    if block.mark not in MARKS:
        return [f"the block is marked '{block.mark}': one of {', '.join(sorted(MARKS))}, or sh (not run: WHY)"]
    if block.mark == "sh" and not is_run(block.page):
        return ["no test runs the commands of this page: sh (not run: WHY)"]
    if block.mark == "python":
        try:
            ast.parse(block.text)
        except SyntaxError as error:
            return [f"Python: {error}"]
    if block.mark == "c" and not re.match(r"/\* \w+\.c\b", block.text):
        return ["C without the name of a file, /* NAME.c */, in its first line is built by no test"]
    return []


def span_faults(text):
    """A span that begins with ./dev, or with vise and an option; ... and capitals stand for whatever the reader has."""
    if not re.match(r"\./dev [a-z]|(?:build/bin/)?vise [a-z-]+ .*--", text):
        return []
    return [fault for words in commands(text.replace("...", "")) for fault in command_faults(words)]


def page_faults(page, source):
    blocks, spans = blocks_and_spans(page, source)
    for block in blocks:
        yield from (f"{block.place}: {fault}" for fault in block_faults(block))
    for line, text in spans:
        try:
            yield from (f"{page}:{line}: {fault}" for fault in span_faults(text))
        except ValueError as error:
            yield f"{page}:{line}: `{text}`: {error}"


SEEDED = [
    ("```\nls\n```", "the block is marked ''"),
    ("```bash\nls\n```", "the block is marked 'bash'"),
    ("```sh (not run)\nls\n```", "the block is marked 'sh (not run)'"),
    ("```sh (not run: a reason)\nif\n```", "sh: "),
    ("```sh (not run: a reason)\n./dev nonsense\n```", "./dev has no command"),
    ("```sh (not run: a reason)\n./dev bench --none\n```", "./dev bench has no option --none"),
    ("```sh (not run: a reason)\ncmake --preset none\n```", "no preset none among the configurePresets"),
    ("```sh (not run: a reason)\ncmake --build --preset none\n```", "no preset none among the buildPresets"),
    ("```sh (not run: a reason)\nctest --preset fuzz\n```", "no preset fuzz among the testPresets"),
    ("```sh (not run: a reason)\ncmake --preset default -DVISE_NONE=ON\n```", "no option VISE_NONE"),
    ("```sh (not run: a reason)\nsudo apt-get install gcc-none\n```", "needs no package gcc-none"),
    ("```sh (not run: a reason)\npython3 bench/none.py\n```", "there is no bench/none.py"),
    ("```sh (not run: a reason)\nnone --help\n```", "nothing here knows the command none"),
    ("```python\nif\n```", "Python: "),
    ("```c\nint x;\n```", "is built by no test"),
    ("`./dev nonsense`", "./dev has no command"),
    ("`./dev test --none`", "./dev test has no option --none"),
]
SEEDED_VISE = [
    ("```sh (not run: a reason)\nvise train --train F --none 3 && vise info\n```", "vise train has no option --none"),
    ("```sh (not run: a reason)\nX=1 build/bin/vise none\n```", "vise has no command none"),
    ("`vise predict --none`", "vise predict has no option --none"),
    ("`vise info --plan --parts 8` and `vise info --parts 8`", "vise info has no option --parts"),
]
CLEAN = ["```sh (not run: a reason)\nexport A=\"b\"\ncc examples/fit.c -o fit $(pkg-config --libs vise) && ./fit\n```",
         "```text\nanything\n```", "`vise train --lr 0.1 --no-bias ...` and `./dev gpu --out DIR`", "```sh\nls\n```"]


def self_test():
    wrong = 0
    for source, expected in SEEDED + (SEEDED_VISE if os.environ.get("VISE") else []):
        found = list(page_faults("README.md", source))
        if len(found) != 1 or expected not in found[0]:
            print(f"expected one fault, {expected!r}, in {source!r}, and found {found}")
            wrong += 1
    for source in CLEAN:
        found = list(page_faults("README.md", source))
        if found:
            print(f"found {found} in {source!r}")
            wrong += 1
    if not list(page_faults("bench/README.md", CLEAN[-1])):
        print("a block of sh on a page that no test runs is not found")
        wrong += 1
    return wrong


def main():
    if "--self-test" in sys.argv:
        return 1 if self_test() else 0
    pages = ["README.md", *(path for path in paths(".", TOPS, (".md",)))]
    found = [fault for page in pages for fault in page_faults(page, read(page))]
    print("\n".join([*found, f"{len(pages)} pages, {len(found)} faults"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
