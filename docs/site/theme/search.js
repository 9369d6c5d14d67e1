/* The search: over search_index.js, which is loaded at the first key. Nothing is asked of a server, so that it works
   for pages opened from a disk too. */
(function () {
  "use strict";
  const base = document.currentScript.dataset.base;
  const form = document.getElementById("search");
  const query = document.getElementById("query");
  const found = document.getElementById("found");
  const MOST = 12, AROUND = 70;

  function load(then) {
    if (window.viseIndex) return then();
    const script = document.createElement("script");
    script.src = base + "/search_index.js";
    script.onload = then;
    document.head.append(script);
  }

  /* How well a section fits all words; 0 if it lacks one. A word of a title counts more, and a whole one more again. */
  function score(section, words) {
    const title = section.title.toLowerCase(), page = section.page.toLowerCase(), text = section.text.toLowerCase();
    let sum = 0;
    for (const word of words) {
      const inTitle = title.includes(word), inText = text.includes(word), inPage = page.includes(word);
      if (!inTitle && !inText && !inPage) return 0;
      const times = inText ? text.split(word).length - 1 : 0;
      sum += (inTitle ? 20 : 0) + (title.split(/\W+/).includes(word) ? 10 : 0) + (inPage ? 5 : 0) + Math.min(times, 5);
    }
    return sum + (text.includes(words.join(" ")) ? 3 : 0);
  }

  function around(text, words) {
    const small = text.toLowerCase();
    const places = words.map(word => small.indexOf(word)).filter(place => place >= 0);
    const place = places.length ? Math.min(...places) : 0;
    const begin = Math.max(0, place - AROUND), end = place + 2 * AROUND;
    return (begin > 0 ? "\u2026" : "") + text.slice(begin, end) + (end < text.length ? "\u2026" : "");
  }

  function item(section, words) {
    const link = document.createElement("a"), title = document.createElement("b"), part = document.createElement("small");
    link.href = base + "/" + section.location;
    title.textContent = section.page === section.title ? section.page : section.page + ": " + section.title;
    part.textContent = around(section.text, words);
    link.append(title, part);
    return link;
  }

  function show() {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = words.length === 0 ? [] : window.viseIndex.map(section => ({section, score: score(section, words)}))
      .filter(hit => hit.score > 0).sort((a, b) => b.score - a.score).slice(0, MOST);
    found.replaceChildren(...hits.map(hit => item(hit.section, words)));
    if (words.length > 0 && hits.length === 0) {
      const none = document.createElement("p");
      none.textContent = "No section has all of these words.";
      found.append(none);
    }
    found.hidden = words.length === 0;
  }

  form.hidden = false;
  query.addEventListener("input", () => load(show));
  form.addEventListener("submit", event => {
    event.preventDefault();
    const first = found.querySelector("a");
    if (first) first.click();
  });
  form.addEventListener("keydown", event => {
    const links = [...found.querySelectorAll("a")], at = links.indexOf(document.activeElement);
    if (event.key === "Escape") {
      query.value = "";
      found.hidden = true;
      query.focus();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && links.length > 0) {
      event.preventDefault();
      const to = at + (event.key === "ArrowDown" ? 1 : -1);
      (links[to] || query).focus();
    }
  });
  document.addEventListener("click", event => {
    if (!form.contains(event.target) || event.target.closest("#found a")) found.hidden = true;
  });
  document.addEventListener("keydown", event => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      query.focus();
    }
  });
})();
