"""Runs the commands of README.md and docs/*.md as a reader would: the blocks marked sh, page by page, each page in a
folder of its own with circle.csv, which README.md makes. A block marked text after one of them is what it prints on
standard output, numbers apart: some lines of it, in a row. A block of python or c whose first line is a comment with the
name of a file is that file. Blocks that are not run are documented_forms.py's.

Takes BUILD, WORK, PREFIX and CC from the environment; C is built against the installed package."""
import csv
import glob
import json
import os
import re
import shutil
import subprocess
import sys

from pages import NOT_RUN, blocks_and_spans

FILE_NAME = re.compile(r"(?:# |/\* )([\w.]+\.(?:py|c))\b")
NUMBER = re.compile(r"\d+(?:[.:]\d+)*(?:e-?\d+)?")


def shape(text):
    """Lines with # for each number, so that times and losses may differ."""
    return [re.sub(" +", " ", NUMBER.sub("#", line)).rstrip() for line in text.splitlines()]


def is_within(some, lines):
    return any(lines[i:i + len(some)] == some for i in range(len(lines) - len(some) + 1))


def stand_in(path, command):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n{command}\n")
    os.chmod(path, 0o755)


class Reader:
    """Somebody who types the commands of pages."""

    def __init__(self, work):
        self.work = work
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(os.path.join(work, "bin"))
        prefix = os.environ["PREFIX"]
        stand_in(os.path.join(work, "bin", "cc"), f'exec {shutil.which(os.environ["CC"])} -std=c11 -Wall -Wextra -Werror "$@"')
        self.environment = {**os.environ, "PATH": f"{work}/bin:{os.environ['PATH']}",
                            "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig", "LD_LIBRARY_PATH": f"{prefix}/lib"}
        self.faults, self.n_run, self.n_compared = [], 0, 0

    def folder(self, page):
        return os.path.join(self.work, os.path.splitext(os.path.basename(page))[0])

    def start(self, page):
        folder = self.folder(page)
        os.mkdir(folder)
        os.symlink(os.environ["BUILD"], os.path.join(folder, "build"))
        circle = os.path.join(self.folder("README.md"), "circle.csv")
        if os.path.exists(circle):
            shutil.copy(circle, folder)

    def type(self, block):
        """Runs a block and returns what it prints."""
        done = subprocess.run(["sh", "-eu"], input=block.text, text=True, cwd=self.folder(block.page),
                              env=self.environment, capture_output=True, check=False, timeout=120)
        self.n_run += 1
        if done.returncode != 0:
            self.faults.append(f"{block.place}: ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def compare(self, block, printed):
        self.n_compared += 1
        if not is_within(shape(block.text), shape(printed)):
            self.faults.append(f"{block.place}: is not what is printed:\n{printed}")

    def keep(self, block):
        name = FILE_NAME.match(block.text)
        if name:
            with open(os.path.join(self.folder(block.page), name.group(1)), "w", encoding="utf-8") as file:
                file.write(block.text)

    def read(self, page):
        """Does what a page says, and returns (block, what it printed) of each block of sh."""
        with open(page, encoding="utf-8") as file:
            blocks, _ = blocks_and_spans(page, file.read())
        if all(block.mark != "sh" for block in blocks):
            return []
        self.start(page)
        typed, printed = [], None
        for block in blocks:
            if block.mark == "sh":
                printed = self.type(block)
                typed.append((block, printed))
            elif NOT_RUN.fullmatch(block.mark):
                printed = None
            elif block.mark == "text" and printed is not None:
                self.compare(block, printed)
            elif block.mark in ("python", "c"):
                self.keep(block)
        return typed


# ---- what the pages claim besides -------------------------------------------------------------------------------


def rows(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return list(csv.DictReader(file))


def json_lines(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def readme_claims(folder, printed):
    pairs = list(zip(rows(folder, "circle.csv"), rows(folder, "answers.csv"), strict=True))
    right = sum(row["where"] == answer["class"] for row, answer in pairs)
    if len(pairs) != 1000 or right <= 900:
        yield f"{right} of {len(pairs)} points are on the right side of the circle"


def data_claims(folder, printed):
    if [float(row["1"]) > 0.5 for row in rows(folder, "answers.csv")] != [True, False]:
        yield "the hot, old bearing that shakes must fail, the other one must not"


def first_table_claims(folder, printed):
    if [float(row["yes"]) > 0.5 for row in rows(folder, "answers.csv")] != [True, False, False]:
        yield "of the new customers, the first one alone should leave"


def sweep_claims(folder, printed):
    scores = [fit["score"] for fit in json_lines(folder, "strengths", "fits.jsonl")
              if fit["params"] == {"l2": "1e-3", "clamp": "1"} and fit["fold"] == 3]
    alone = json_lines(folder, "fit", "metrics.jsonl")[-1]["val_loss"]
    if scores != [alone]:
        yield f"the fit that is trained alone has {alone}, in the sweep {scores}"


def report_claims(folder, printed):
    for name in ("strengths.html", "strengths/report.html", "strengths/best/report.html"):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            if "</html>" not in file.read():
                yield f"{name} is not whole"


def hardware_claims(folder, printed):
    alike = int(re.search(r"^(\d+) of 1000 rows alike$", printed, re.M).group(1))
    before, after = (float(text) for text in re.findall(r"accuracy ([\d.]+) %  \(cross-entropy\)", printed)[:2])
    if alike < 970:
        yield f"whole numbers give the class of the model in {alike} of 1000 rows"
    if before - after > 1:
        yield f"rounding costs {before - after} points"


CLAIMS = {"README.md": readme_claims, "docs/data.md": data_claims, "docs/first-table.md": first_table_claims,
          "docs/sweep.md": sweep_claims, "docs/reports.md": report_claims, "docs/hardware.md": hardware_claims}


def demo(reader):
    """./dev demo with what is built already: cmake and apt-get are stand-ins. README.md's last block marked text is what
    it prints."""
    folder = os.path.join(reader.work, "demo")
    os.makedirs(os.path.join(folder, "bin"))
    shutil.copy("dev", folder)
    os.symlink(os.path.abspath("bench"), os.path.join(folder, "bench"))
    os.symlink(os.environ["BUILD"], os.path.join(folder, "build"))
    for name in ("sudo", "apt-get", "cmake"):
        stand_in(os.path.join(folder, "bin", name), "exit 0")
    done = subprocess.run(["./dev", "demo"], cwd=folder, env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"},
                          text=True, capture_output=True, check=True)
    with open("README.md", encoding="utf-8") as file:
        blocks, _ = blocks_and_spans("README.md", file.read())
    places = [i for i, block in enumerate(blocks) if "./dev demo" in block.text and NOT_RUN.fullmatch(block.mark)]
    reader.compare(blocks[places[0] + 1], done.stdout)


def main():
    reader = Reader(os.path.join(os.environ["WORK"], "documented_commands"))
    # README.md comes first: the others take its circle.csv.
    for page in ["README.md", *sorted(glob.glob("docs/*.md"))]:
        typed = reader.read(page)
        if page in CLAIMS and not reader.faults:
            printed = "".join(text for _, text in typed)
            reader.faults += [f"{page}: {fault}" for fault in CLAIMS[page](reader.folder(page), printed)]
    demo(reader)
    for fault in reader.faults:
        print(fault)
    print(f"{reader.n_run} blocks of commands ran, {reader.n_compared} blocks of output were compared")
    # A test that finds no page any more must not pass.
    return 1 if reader.faults or reader.n_run < 15 or reader.n_compared < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
