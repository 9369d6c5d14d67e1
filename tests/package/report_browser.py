"""Looks at reports in a headless Chromium, at the width of a phone and of a desk, light and dark: that nothing is
fetched, nothing is wrong on the console, nothing overflows, no label lies on another, and all text can be read.
Skipped where there is no chromium (Debian: apt install chromium)."""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

import report_page

BAD_EVENTS = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"}
SIZES = ((390, 844), (1280, 900))
SECTIONS = {
    "grid/report.html": "what strengths map table folds repeat",
    "random/report.html": "what strengths map lines table folds rounds repeat",
    "wild/report.html": "what strengths table folds nonfinite repeat",
    "run/report.html": "what rows curves effects time weights net data repeat",
    "both.html": "what curves effects time weights repeat",
    "numbers/report.html": "what rows curves effects time weights net data repeat",
}

# What is wrong with how the page is laid out, as a list of texts.
LOOK = r"""(() => {
  const faults = [], root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push(`is ${root.scrollWidth} wide in ${innerWidth}`);
  const shown = e => e.getClientRects().length > 0;
  const rgb = c => (c.match(/[\d.]+/g) || []).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const back = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0.99) return c;
    }
    return [255, 255, 255];
  };
  const read = (front, behind) => {
    const [low, high] = [light(front), light(behind)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  for (const e of document.querySelectorAll("body *:not(script):not(svg *)")) {
    const says = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!says || !shown(e)) continue;
    const ratio = read(rgb(getComputedStyle(e).color), back(e));
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)} of "${e.textContent.slice(0, 40)}"`);
    if (parseFloat(getComputedStyle(e).fontSize) < 12) faults.push(`small: "${e.textContent.slice(0, 40)}"`);
  }
  for (const svg of document.querySelectorAll("svg")) {
    if (!shown(svg)) continue;
    const frame = svg.getBoundingClientRect(), boxes = [], name = svg.getAttribute("aria-label");
    for (const e of svg.querySelectorAll("text")) {
      const b = e.getBoundingClientRect(), what = e.firstChild ? e.firstChild.data : "";
      if (b.left < frame.left - 1 || b.right > frame.right + 1 || b.top < frame.top - 2 ||
          b.bottom > frame.bottom + 2) {
        faults.push(`"${what}" is cut in "${name}"`);
      }
      if (b.height < 11) faults.push(`"${what}" is ${b.height} high`);
      for (const other of boxes) {
        const x = Math.min(b.right, other.b.right) - Math.max(b.left, other.b.left);
        const y = Math.min(b.bottom, other.b.bottom) - Math.max(b.top, other.b.top);
        if (x > 1 && y > 3) faults.push(`"${what}" lies on "${other.what}" in "${name}"`);
      }
      boxes.push({b, what});
    }
  }
  return faults;
})()"""
SORT = r"""(() => {
  const table = document.querySelector("table.sort");
  if (!table) return "";
  const head = table.tHead.rows[0].cells[1], values = () => [...table.tBodies[0].rows].map(
      r => Number(r.cells[1].dataset.v === "" ? "NaN" : r.cells[1].dataset.v)).filter(v => v === v);
  const sorted = (list, sign) => list.every((v, i) => i === 0 || sign * (v - list[i - 1]) >= 0);
  head.querySelector("button").click();
  if (!sorted(values(), 1) || head.getAttribute("aria-sort") !== "ascending") return "does not sort upwards";
  head.querySelector("button").click();
  return sorted(values(), -1) && head.getAttribute("aria-sort") === "descending" ? "" : "does not sort downwards";
})()"""


class Browser:
    """Chromium by its protocol, over two pipes."""

    def __init__(self, program, folder):
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()

        def place():
            reads, writes = os.dup(to_browser), os.dup(from_browser)  # neither is 3 or 4, which are taken by now
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-extensions",
                 "--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen([program, *flags], preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def receive(self):
        while b"\0" not in self.rest:
            got = os.read(self.into, 1 << 16)
            if not got:
                raise RuntimeError("chromium has ended")
            self.rest += got
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url="file://" + path)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())

    def value(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"]["value"]

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(20)


def event_faults(browser, path):
    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent" and parameters["request"]["url"] != "file://" + path:
            yield f"fetches {parameters['request']['url']}"
        if method in BAD_EVENTS:
            yield f"{method}: {json.dumps(parameters)[:300]}"


def show(browser, size, theme):
    browser.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1,
                 mobile=size[0] < 600)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])


def look(browser, theme):
    yield from browser.value(LOOK)
    is_dark = browser.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 128")
    if is_dark != (theme == "dark"):
        yield f"is not {theme}"


def page_faults(browser, path):
    browser.open(path)
    for size in SIZES:
        for theme in ("light", "dark"):
            show(browser, size, theme)
            yield from (f"at {size[0]}, {theme}: {fault}" for fault in look(browser, theme))
            picture(browser, path, size, theme)

    yield from filter(None, [browser.value(SORT)])
    yield from event_faults(browser, path)
    shown = browser.value("[...document.querySelectorAll('section')].map(s => s.id).join(' ')")
    wanted = next((ids for name, ids in SECTIONS.items() if path.endswith(name)), shown)
    if shown != wanted:
        yield f"has the sections {shown}, not {wanted}"
    if browser.value("document.querySelectorAll('img, iframe, object, embed, form, link').length"):
        yield "has elements that data made"


def picture(browser, path, size, theme):
    """For eyes: with SHOTS=DIR, a picture of each."""
    folder = os.environ.get("SHOTS")
    if not folder:
        return
    height = browser.value("document.documentElement.scrollHeight")
    browser.call("Emulation.setDeviceMetricsOverride", width=size[0], height=height, deviceScaleFactor=1,
                 mobile=size[0] < 600)
    data = browser.call("Page.captureScreenshot", format="png")["data"]
    name = os.path.basename(os.path.dirname(path)) + "-" + os.path.basename(path)[:-5]
    with open(os.path.join(folder, f"{name}-{size[0]}-{theme}.png"), "wb") as file:
        file.write(base64.b64decode(data))


def main():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        print("skipped: there is no chromium")
        sys.exit(77)
    pages = sys.argv[1:]
    if not pages:
        pages = report_page.make_pages(os.environ["VISE"], os.path.join(os.environ["WORK"], "report_browser"))
    found = 0
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(program, folder)
        for path in pages:
            for fault in page_faults(browser, path):
                print(f"{path}: {fault}")
                found += 1
        browser.close()
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
