"""Looks at the site of the documentation in a headless Chromium, from the disk, at the width of a phone and of a desk,
light and dark: that nothing is fetched from elsewhere, nothing is wrong on the console, nothing overflows, all text can
be read, and the search finds what it should. Skipped where there is no chromium, mkdocs or doxygen.

Takes WORK from the environment."""
import os
import shutil
import subprocess
import sys
import tempfile

from report_browser import BAD_EVENTS, LOOK, SIZES, Browser, show

# What somebody types into the search, and the page that must be among the first three that are found.
QUERIES = {"--clamp-layer": "docs/options.html#", "first table": "docs/first-table.html#", "Max-Norm": "docs/",
           "exit codes": "docs/metrics.html#exit-codes", "vise_model_get_tensor": "docs/hardware.html#"}
# Types into the search, waits for its answer, and says where the first three links lead.
SEARCH = r"""new Promise(done => {
  const query = document.getElementById("query"), found = document.getElementById("found");
  found.hidden = true;
  new MutationObserver((_, watch) => {
    if (found.hidden) return;
    watch.disconnect();
    done([...found.querySelectorAll("a")].slice(0, 3).map(a => a.getAttribute("href")).join(" ") || found.textContent);
  }).observe(found, {attributes: true, childList: true});
  query.value = QUERY;
  query.dispatchEvent(new Event("input"));
})"""


def search(browser, text):
    script = SEARCH.replace("QUERY", repr(text))
    result = browser.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
    return result["result"]["value"]


def event_faults(browser, site):
    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith((f"file://{site}/", "data:")):
                yield f"fetches {url}"
        if method in BAD_EVENTS:
            yield f"{method}: {str(parameters)[:300]}"


def page_faults(browser, site, page):
    browser.open(os.path.join(site, page))
    for size in SIZES:
        for theme in ("light", "dark"):
            show(browser, size, theme)
            yield from (f"at {size[0]}, {theme}: {fault}" for fault in browser.value(LOOK))
    yield from event_faults(browser, site)


def search_faults(browser, site):
    browser.open(os.path.join(site, "docs", "data.html"))
    for text, target in QUERIES.items():
        found = search(browser, text)
        if target not in found:
            yield f"the search for {text} finds {found}"
        show(browser, SIZES[1], "dark")
        yield from browser.value(LOOK)
    found = search(browser, "nothing-has-this-word")
    if "No section" not in found:
        yield f"the search for what is nowhere finds {found}"
    yield from event_faults(browser, site)


def main():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program or shutil.which("mkdocs") is None or shutil.which("doxygen") is None:
        print("skipped: there is no chromium, no mkdocs or no doxygen")
        return 77
    site = os.path.join(os.environ["WORK"], "documentation_browser")
    subprocess.run([sys.executable, os.path.join("docs", "site", "build.py"), site], check=True,
                   stdout=subprocess.DEVNULL)
    own = ["index.html", *(f"docs/{name}" for name in sorted(os.listdir(os.path.join(site, "docs"))))]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(program, folder)
        for page in own:
            found += [f"{page}: {fault}" for fault in page_faults(browser, site, page)]
        found += search_faults(browser, site)
        browser.close()
    print("\n".join([*found, f"{len(own)} pages, {len(found)} faults"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
