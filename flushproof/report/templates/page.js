"use strict";
// Steps through a trace: which step is shown, the machine after it, what changed, and the arrows of an entry's story.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { slots, steps, values, links } = data;
  const byId = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("tr[data-step]")];
  const hot = new Set(links.filter((link) => link.part !== "wrote").map((link) => link.slot));
  const state = [...data.initial];
  const { element, marks, cards } = machineOf(data, hot);
  const beside = matchMedia("(min-width: 62.01rem)");
  let now = 0;

  // ------------------------------------------------------------------------------------------------------------- states

  function walk(to) {
    while (now < to) for (const [slot, , after] of steps[now++].changes) state[slot] = after;
    while (now > to) for (const [slot, before] of steps[--now].changes) state[slot] = before;
  }

  // Within a notebook's frame a page has no address of its own to keep the step in.
  function keep(place) {
    try { history.replaceState(null, "", place); } catch { /* the page goes on without */ }
  }

  const changed = () => new Map(now ? steps[now - 1].changes.map(([slot, before]) => [slot, before]) : []);

  // ------------------------------------------------------------------------------------------------------------ showing

  function show(to, from = "") {
    walk(Math.max(0, Math.min(steps.length, to)));
    const news = changed(), step = now ? steps[now - 1] : null;
    for (const row of document.querySelectorAll("tr.now")) { row.classList.remove("now"); row.removeAttribute("aria-current"); }
    const row = rows[now - 1];
    if (row) {
      row.classList.add("now");
      row.setAttribute("aria-current", "step");
      if (from === "link" || (from === "keys" && beside.matches)) row.scrollIntoView({ block: "nearest" });
    }
    byId("when").textContent = now ? `after step ${now} of ${steps.length}` : "at the start";
    byId("slider").value = now;
    byId("slider").setAttribute("aria-valuetext", byId("when").textContent);
    byId("first").disabled = byId("back").disabled = now === 0;
    byId("last").disabled = byId("forth").disabled = now === steps.length;
    const words = row ? row.querySelector(".acts") : null;
    byId("said").replaceChildren(...(words ? [element("b", {}, data.lanes[step.lane] + ": "), said(words), spent(step)] : ["Nothing has happened yet."]));
    const reads = row && !row.classList.contains("event") ? row.querySelector(".possible") : null;
    byId("why").textContent = reads ? `Possible since ${reads.textContent}.` : "";
    byId("cards").replaceChildren(...cards(state, news, step && data.lanes[step.lane], data.waits[now] || {}));
    others();
    if (byId("state").open) table();
    if (from) keep(`#step-${now}`);
  }

  function said(cell) {
    return [...cell.childNodes].filter((node) => !(node.classList && node.classList.contains("who"))).map((node) => node.textContent).join("");
  }

  function spent(step) {
    return step.costs ? ` (costs ${step.costs})` : "";
  }

  function others() {
    const possible = now < steps.length ? steps[now].others : [];
    byId("others").hidden = now === steps.length;
    byId("others").querySelector("summary").textContent = `What else could have happened next: ${possible.length}`;
    byId("others").querySelector("ul").replaceChildren(...possible.map((text) => element("li", {}, text)));
  }

  function table() {
    const wanted = byId("filter").value.trim().toLowerCase(), news = changed();
    const body = document.createDocumentFragment();
    slots.forEach((slot, number) => {
      if (!slot.name.toLowerCase().includes(wanted)) return;
      const note = slot.kind ? ` (${slot.kind})` : "";
      body.append(element("tr", { class: marks(number, news) }, element("td", {}, element("code", {}, slot.name), note), element("td", {}, values[state[number]])));
    });
    byId("state").querySelector("tbody").replaceChildren(body);
  }

  // ------------------------------------------------------------------------------------------------------------- arrows

  function drawn(name, attributes, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  function arrows() {
    const svg = document.querySelector(".arrows");
    const ground = document.querySelector(".steps .table");
    svg.replaceChildren();
    if (!ground || getComputedStyle(svg).display === "none") return;
    const box = ground.getBoundingClientRect();
    svg.setAttribute("width", ground.scrollWidth);
    svg.setAttribute("height", ground.scrollHeight);
    const left = (name) => {
      const head = document.querySelector(`.steps thead th[data-lane="${data.lanes.indexOf(name)}"]`);
      return head ? head.getBoundingClientRect().left - box.left + ground.scrollLeft + 12 : null;
    };
    const height = (number) => {
      const cell = number ? rows[number - 1] : document.querySelector(".steps thead tr");
      const place = cell.getBoundingClientRect();
      return number ? place.top - box.top + 16 : place.bottom - box.top;
    };
    const entries = new Map();
    for (const link of links) if (link.part !== "wrote") entries.set(link.slot, [...(entries.get(link.slot) || []), link]);
    let shift = 0;
    for (const found of entries.values()) {
      const made = found.find((link) => link.part === "made");
      const end = found.find((link) => link.part === "hit" || link.part === "used");
      const owner = made && left(made.lane);
      if (!made || owner === null) continue;
      const x = owner + 8 * shift++;
      const top = height(made.step), bottom = end ? height(end.step) : height(Math.max(...found.map((link) => link.step), made.step));
      svg.append(drawn("circle", { class: "dot", cx: x, cy: top, r: 4.5 }));
      if (bottom > top) svg.append(drawn("path", { d: `M${x} ${top}V${bottom - (end ? 9 : 0)}` }));
      if (end) svg.append(drawn("path", { class: "head", d: `M${x - 6} ${bottom - 10}L${x + 6} ${bottom - 10}L${x} ${bottom}Z` }));
      for (const link of found) {
        if (!["missed", "pending", "early"].includes(link.part) || !link.step) continue;
        const from = left(data.lanes[steps[link.step - 1].lane]), y = height(link.step) - 11;
        if (from !== null && from !== x) svg.append(drawn("path", { class: link.part, d: `M${from} ${y}H${from < x ? x - 9 : x + 9}` }));
        svg.append(drawn("text", { x, y }, "✗"));
      }
    }
  }

  // -------------------------------------------------------------------------------------------------------------- hands

  const go = (change) => () => show(change(now), "keys");
  byId("first").addEventListener("click", go(() => 0));
  byId("back").addEventListener("click", go((at) => at - 1));
  byId("forth").addEventListener("click", go((at) => at + 1));
  byId("last").addEventListener("click", go(() => steps.length));
  byId("slider").addEventListener("input", (event) => show(Number(event.target.value), "keys"));
  byId("filter").addEventListener("input", table);
  byId("state").addEventListener("toggle", table);
  document.querySelector(".steps tbody").addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-step]");
    if (row && !String(getSelection())) show(Number(row.dataset.step), "mouse");
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#step-"]');
    if (link) show(Number(link.getAttribute("href").slice(6)), "link");
  });
  addEventListener("hashchange", () => show(asked(), "link"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=search]")) return;
    const keys = { ArrowLeft: (at) => at - 1, ArrowRight: (at) => at + 1, Home: () => 0, End: () => steps.length };
    if (event.key === "/") {
      byId("state").open = true;
      byId("filter").focus();
    } else if (event.key in keys) {
      show(keys[event.key](now), "keys");
    } else return;
    event.preventDefault();
  });

  function asked() {
    const found = /^#step-(\d+)$/.exec(location.hash);
    return found ? Number(found[1]) : steps.length;
  }

  document.querySelector(".machine").hidden = false;
  document.body.classList.add("walked");
  show(asked());
  arrows();
  new ResizeObserver(arrows).observe(document.querySelector(".steps"));
})();
