"use strict";
// Walks through the states of a system: the reader picks the steps.  Several policies take the same steps as long as they can.
(() => {
  const { panels: all, walk: begun } = JSON.parse(document.getElementById("data").textContent);
  const words = new Map(all.flatMap((data) => data.steps.map(({ text, key }) => [key, text])));
  const panels = [...document.querySelectorAll(".panel")].map((root, number) => panel(root, all[number]));
  let walk;

  function panel(root, data) {
    const find = (selector) => root.querySelector(selector);
    const { element, cards, entryOf } = machineOf(data);
    const violated = new Set(Object.keys(data.broken).map(Number));

    // The values of all locations: the changes from the state before, back to an initial one, which has them all.
    function state(number) {
      const chain = [];
      for (let at = number; at >= 0; at = data.parents[at]) chain.unshift(at);
      const found = [];
      for (const at of chain) for (let i = 0; i < data.tree[at].length; i += 2) found[data.tree[at][i]] = data.tree[at][i + 1];
      return found;
    }

    // Where the walk leads: the states passed, and for each of its steps the one that is taken here, or why none is.
    function follow({ start, keys }) {
      const passed = [Math.min(start, data.starts - 1)];
      const moves = keys.map((key) => {
        const edge = data.edges[passed.at(-1)].find(([, step]) => data.steps[step].key === key);
        if (!edge) return { lacking: "is not possible here" };
        if (edge[0] < 0) return { lacking: "leads out of what is in this page" };
        passed.push(edge[0]);
        return data.steps[edge[1]];
      });
      return { passed, moves };
    }

    const can = (name, number) => Boolean(data.may[number] & (1 << data.properties.indexOf(name)));
    const settled = (before, after) => (data.may ? data.properties.filter((name) => can(name, before) && !can(name, after)) : []);

    function differences(before, after) {
      const news = new Map();
      after.forEach((value, slot) => { if (before[slot] !== value) news.set(slot, before[slot]); });
      return news;
    }

    const telling = (slot) => !["at", "local"].includes(data.slots[slot].what) && data.slots[slot].kind !== "ghost";

    // What becomes of a location: of a cache's, whether its entry comes or goes.
    function change(number, before, after) {
      const { what, of, title, name, empty } = data.slots[number];
      if (what !== "cache" || (before !== empty && after !== empty)) return `${name} = ${data.values[after]}`;
      const entry = element("span", {}, ...entryOf(number, after === empty ? before : after)).textContent;
      return `${of} ${title}: ${after === empty ? "−" : "+"} ${entry}`;
    }

    function effect(before, target) {
      const after = state(target);
      const changed = [...differences(before, after).keys()], news = changed.filter(telling);
      const next = changed.filter((slot) => data.slots[slot].what === "at").map((slot) => `next: ${data.values[after[slot]]}`);
      const texts = news.slice(0, 5).map((slot) => change(slot, before[slot], after[slot]));
      const more = news.length > 5 ? [`and ${news.length - 5} more`] : [];
      return [...texts, ...more, ...next].join("; ");
    }

    function choice([target, step], here, before, number) {
      const { who, text, key } = data.steps[step];
      const button = element("button", { type: "button", "data-key": key }, element("b", {}, who), text.slice(who.length).replace(/^:/, ""));
      if (target < 0) {
        button.disabled = true;
        button.append(element("small", {}, "leads out of what is in this page"));
      } else {
        const bad = violated.has(target) ? [element("small", { class: "bad" }, `then ${data.broken[target].map(([name]) => name).join(", ")} is violated`)] : [];
        const safe = settled(here, target).map((name) => element("small", { class: "holds" }, `then ${name} can no longer be violated`));
        button.append(element("small", {}, effect(before, target)), ...bad, ...safe);
        button.addEventListener("click", () => take(key));
      }
      return element("li", { value: number + 1 }, button);
    }

    function status({ passed, moves }, here) {
      const found = data.broken[here] || [];
      const lines = found.map(([name, sentence]) => element("p", { class: "bad" }, element("b", {}, `${name} is violated: `), sentence));
      const last = walk.keys.at(-1), lacking = moves.at(-1)?.lacking;
      if (lacking) lines.unshift(element("p", { class: "unsure" }, `The last step ${lacking}, and is left out: ${words.get(last) ?? last}.`));
      if (data.may) {
        const open = data.properties.filter((name) => can(name, here) && !found.some(([one]) => one === name));
        const closed = settled(passed[0], here), never = data.properties.filter((name) => !can(name, passed[0]));
        if (open.length) lines.push(element("p", {}, `Can still be violated from here: ${open.join(", ")}.`));
        if (closed.length) lines.push(element("p", { class: "holds" }, `Can no longer be violated, whatever happens: ${closed.join(", ")}.`));
        if (never.length) lines.push(element("p", { class: "holds" }, `Cannot be violated from this start on: ${never.join(", ")}.`));
        if (!data.properties.length) lines.push(element("p", { class: "holds" }, "Nothing can be violated in any of these states."));
      } else if (!found.length) {
        lines.push(element("p", {}, "Nothing is violated here."));
      }
      return lines;
    }

    function show() {
      const focused = [".choices", ".path", ".controls"].find((one) => find(one).contains(document.activeElement));
      const way = follow(walk), here = way.passed.at(-1), now = state(here);
      const acting = way.moves.findLast((step) => !step.lacking)?.who;
      const before = way.passed.length > 1 ? state(way.passed.at(-2)) : now;
      find(".status").replaceChildren(...status(way, here));
      find(".cards").replaceChildren(...cards(now, differences(before, now), acting, data.waits[here]));
      const possible = data.edges[here].map((edge, number) => choice(edge, here, now, number));
      find(".choices").replaceChildren(...(possible.length ? possible : [element("li", { class: "none" }, "Nothing.")]));
      find(".path").replaceChildren(...way.moves.map((step, number) => {
        const key = walk.keys[number];
        if (step.lacking) return element("li", { class: "none" }, `${words.get(key) ?? key}: ${step.lacking}`);
        const link = element("button", { type: "button", class: "plain" }, step.text);
        link.addEventListener("click", () => go({ ...walk, keys: walk.keys.slice(0, number + 1) }));
        return element("li", {}, link);
      }));
      find(".undo").disabled = find(".restart").disabled = !walk.keys.length;
      find("select").value = way.passed[0];
      // What was pressed is replaced: who goes by the keyboard goes on where they were.
      const next = focused === ".path" ? find(".path li:last-child button") : focused === ".controls" ? null : find(".choices button:enabled");
      if (focused && !find(focused).contains(document.activeElement)) (next ?? find(".choices button:enabled") ?? find(".undo")).focus();
      draw(way.passed);
    }

    function draw(passed) {
      const canvas = find(".plan"), wide = canvas.clientWidth || 300, high = 260, scale = devicePixelRatio || 1;
      canvas.width = wide * scale;
      canvas.height = high * scale;
      canvas.style.height = `${high}px`;
      const pen = canvas.getContext("2d"), colour = getComputedStyle(document.documentElement);
      pen.scale(scale, scale);
      const xs = data.plan.map(([x]) => x), ys = data.plan.map(([, y]) => y);
      const [left, right, low, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const at = (n) => [8 + (wide - 16) * (data.plan[n][0] - left) / (right - left || 1), 8 + (high - 16) * (data.plan[n][1] - low) / (top - low || 1)];
      const dot = (n, size, name) => { pen.fillStyle = colour.getPropertyValue(name); pen.beginPath(); pen.arc(...at(n), size, 0, 7); pen.fill(); };
      const few = data.plan.length <= 150, size = few ? 4 : 1.6;
      if (few) {
        pen.strokeStyle = colour.getPropertyValue("--line");
        pen.beginPath();
        data.edges.forEach((found, n) => found.forEach(([target]) => { if (target >= 0) { pen.moveTo(...at(n)); pen.lineTo(...at(target)); } }));
        pen.stroke();
      }
      data.plan.forEach((_, n) => dot(n, size, few ? "--soft" : "--line"));
      violated.forEach((n) => dot(n, size + 0.4, "--bad"));
      pen.strokeStyle = colour.getPropertyValue("--accent");
      pen.lineWidth = 2;
      pen.beginPath();
      passed.forEach((n, i) => (i ? pen.lineTo(...at(n)) : pen.moveTo(...at(n))));
      pen.stroke();
      passed.forEach((n, i) => dot(n, i === passed.length - 1 ? size + 3 : size + 1, "--accent"));
    }

    for (let start = 0; start < data.starts; start++) {
      const values = state(start), common = state(0);
      const news = [...differences(common, values).keys()].filter((slot) => data.slots[slot].kind !== "ghost");
      const told = news.map((slot) => `${data.slots[slot].name} = ${data.values[values[slot]]}`).join(", ");
      find("select").append(element("option", { value: String(start) }, start ? `start ${start + 1}: ${told}` : "start 1"));
    }
    find(".starts").hidden = data.starts < 2;
    find("select").addEventListener("change", (event) => go({ start: Number(event.target.value), keys: [] }));
    find(".restart").addEventListener("click", () => go({ ...walk, keys: [] }));
    find(".undo").addEventListener("click", () => go({ ...walk, keys: walk.keys.slice(0, -1) }));
    const brokenHere = () => (data.broken[follow(walk).passed.at(-1)] || []).map(([name]) => name);
    return { show, moves: () => follow(walk).moves, violated: brokenHere };
  }

  // A policy leaves out the steps that it has not got; what none of them has is forgotten.
  function take(key) {
    const taken = panels.map((one) => one.moves());
    go({ ...walk, keys: [...walk.keys.filter((_, number) => taken.some((moves) => !moves[number].lacking)), key] });
  }

  function go(to) {
    walk = to;
    try { history.replaceState(null, "", `#${encodeURIComponent(JSON.stringify([walk.start, ...walk.keys]))}`); } catch { /* no address */ }
    for (const one of panels) one.show();
    tell();
  }

  // A lesson in whose frame this page stands hears how long the walk is, and what is violated where it has come to.
  function tell() {
    const first = panels[0];
    if (parent !== window) parent.postMessage({ walk: first.moves().filter((step) => !step.lacking).length, violated: first.violated() }, "*");
  }

  function asked() {
    const [first, ...steps] = begun ?? [all[0].begin];
    try {
      const [start, ...keys] = JSON.parse(decodeURIComponent(location.hash.slice(1)));
      if (Number.isInteger(start) && keys.every((key) => typeof key === "string")) return { start: Math.max(0, start), keys };
    } catch { /* no walk */ }
    return { start: first, keys: steps };
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
    if (/^[1-9]$/.test(event.key)) document.querySelectorAll(".panel .choices")[0].querySelectorAll("button")[Number(event.key) - 1]?.click();
    else if (event.key === "ArrowLeft") go({ ...walk, keys: walk.keys.slice(0, -1) });
    else if (event.key === "Home") go({ ...walk, keys: [] });
    else return;
    event.preventDefault();
  });
  addEventListener("hashchange", () => { walk = asked(); for (const one of panels) one.show(); });
  addEventListener("resize", () => { for (const one of panels) one.show(); });
  walk = asked();
  for (const one of panels) one.show();
})();
