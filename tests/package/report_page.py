"""Checks a report as one file: that its HTML is well formed, that the hash in its policy is that of its script, that it
names nothing outside of itself, and that its colours can be read in both themes."""
import base64
import hashlib
import html.parser
import os
import re
import subprocess
import sys

VOID = {"meta", "br", "link", "hr", "input"}
READ_ON = {"ink": ("bg", "card", "zebra", "win", "note"), "soft": ("bg", "card", "zebra"), "mark": ("bg", "card"),
           "accent": ("bg", "card")}
LEAST_CONTRAST = 4.5


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.faults, self.texts, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        if self.open:
            self.faults.append(f"not closed: {self.open}")

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += [(tag, name, value) for name, value in attributes]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if self.open:
            self.texts.append((self.open[-1], data))

    def of(self, tag):
        return "".join(text for name, text in self.texts if name == tag)


def luminance(color):
    digits = color.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def color_faults(style):
    """Of the themes: the first block is light, the one of the media query dark."""
    for theme in re.findall(r":root\{([^}]*--ink[^}]*)\}", style):
        colors = dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})", theme))
        pairs = [(text, back) for text, backs in READ_ON.items() for back in backs]
        pairs += [(f"k{i}", f"q{i}") for i in range(7)]
        for text, back in pairs:
            if contrast(colors[text], colors[back]) < LEAST_CONTRAST:
                yield f"{text} on {back}: {contrast(colors[text], colors[back]):.2f}"


def faults(text):
    page = Page(text)
    yield from page.faults
    policy = next(value for tag, name, value in page.attributes if name == "content" and "default-src" in value)
    digest = base64.b64encode(hashlib.sha256(page.of("script").encode()).digest()).decode()
    if f"script-src 'sha256-{digest}'" not in policy:
        yield f"the policy has not the script's hash, which is {digest}"
    if "default-src 'none'" not in policy:
        yield "the policy allows to fetch"
    for tag, name, value in page.attributes:
        if name in ("src", "href", "srcset", "data", "action", "background", "xlink:href") or name.startswith("on"):
            yield f"<{tag} {name}={value}>"
        if name == "style" and "url(" in value:
            yield f"{tag} with a style that fetches: {value}"
    style = page.of("style")
    if re.search(r"url\(|@import|expression", style):
        yield "the style fetches"
    yield from color_faults(style)
    ids = [value for _, name, value in page.attributes if name == "id"]
    if len(ids) != len(set(ids)):
        yield "an id is there twice"


def run(vise, folder, *arguments):
    subprocess.run([vise, *arguments], cwd=folder, check=True, capture_output=True, timeout=120)


def make_pages(vise, folder):
    """Pages of sweeps and runs, one of them of names as an enemy would have them."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "table.csv"), "w", encoding="utf-8") as file:
        file.write('<img src=x onerror=alert(1)>,"</script><script>alert(2)</script>",z,y\n')
        for i in range(120):
            kind = "</style>" if i * 37 % 101 < 50 else "b&lt;"
            file.write(f"{i * 37 % 101 / 50},{i * 53 % 97 / 40},{i % 7},{kind}\n")
    fits = ["--train", "table.csv", "--folds", "3", "--overwrite", "--quiet"]
    run(vise, folder, "sweep", *fits, "--epochs", "9", "--vary", "l2=off,1e-3,1e-2,0.1", "--vary", "clamp=0.1,0.3,1",
        "--out", "grid")
    run(vise, folder, "sweep", *fits, "--epochs", "9", "--halving", "3", "--search", "random", "--configs", "40",
        "--score", "accuracy", "--vary", "lr=1e-4..1e-1:log", "--vary", "dropout=0..0.5", "--vary",
        "drop=<img src=x onerror=alert(1)>;</script><script>alert(2)</script>", "--out", "random")
    run(vise, folder, "sweep", *fits, "--epochs", "3", "--recipe", "none", "--l2", "1", "--clip-norm", "off", "--max-skips",
        "1", "--vary", "lr=0.1,1e6,1e30", "--refit", "no", "--out", "wild")
    run(vise, folder, "train", "--train", "table.csv", "--val-fraction", "0.2", "--layers", "auto-16-auto",
        "--clamp", "0.3", "--epochs", "1000", "--log-every", "10", "--quiet", "--overwrite", "--out", "run")
    run(vise, folder, "report", "run")
    run(vise, folder, "report", "run", "grid/best", "--out", "both.html")
    run(vise, folder, "train", "--train", "table.csv", "--target", "z", "--drop", "y", "--test-fraction", "0.3", "--layers",
        "auto-8-8-auto", "--clip-norm", "1e-3", "--clip-value", "0.1", "--max-norm", "0.2", "--lr-schedule", "cosine",
        "--epochs", "90", "--quiet", "--overwrite", "--out", "numbers")
    run(vise, folder, "report", "numbers")
    return [os.path.join(folder, name) for name in
            ("grid/report.html", "random/report.html", "wild/report.html", "run/report.html", "both.html",
             "numbers/report.html")]


def main():
    found = 0
    for path in make_pages(os.environ["VISE"], os.path.join(os.environ["WORK"], "report_page")):
        with open(path, encoding="utf-8") as file:
            for fault in faults(file.read()):
                print(f"{path}: {fault}")
                found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
