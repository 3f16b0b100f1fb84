"use strict";
// Walks through the states of a system: the reader picks the steps.  Several policies take the same steps as long as they can.
(() => {
  const all = JSON.parse(document.getElementById("data").textContent);
  const words = new Map(all.flatMap((data) => data.steps.map(({ who, text, key }) => [key, `${who}: ${text}`])));
  const panels = [...document.querySelectorAll(".panel")].map((root, number) => panel(root, all[number]));
  let walk = { start: 0, keys: [] };

  function panel(root, data) {
    const find = (selector) => root.querySelector(selector);
    const { element, cards } = machineOf(data);
    const violated = new Set(Object.keys(data.broken).map(Number));

    // The values of all locations: the changes from the state before, back to an initial one, which has them all.
    function state(number) {
      const chain = [];
      for (let at = number; at >= 0; at = data.parents[at]) chain.unshift(at);
      const found = [];
      for (const at of chain) for (let i = 0; i < data.tree[at].length; i += 2) found[data.tree[at][i]] = data.tree[at][i + 1];
      return found;
    }

    // Where the walk leads: the states passed, and the first step that is not possible here.
    function follow({ start, keys }) {
      const passed = [Math.min(start, data.starts - 1)], taken = [];
      for (const key of keys) {
        const edge = data.edges[passed.at(-1)].find(([target, step]) => target >= 0 && data.steps[step].key === key);
        if (!edge) return { passed, taken, stuck: key };
        passed.push(edge[0]);
        taken.push(data.steps[edge[1]]);
      }
      return { passed, taken, stuck: null };
    }

    function differences(before, after) {
      const news = new Map();
      after.forEach((value, slot) => { if (before[slot] !== value) news.set(slot, before[slot]); });
      return news;
    }

    const telling = (slot) => !["at", "local"].includes(data.slots[slot].what) && data.slots[slot].kind !== "ghost";

    function effect(before, target) {
      const after = state(target);
      const changed = [...differences(before, after).keys()], news = changed.filter(telling);
      const next = changed.filter((slot) => data.slots[slot].what === "at").map((slot) => `next: ${data.values[after[slot]]}`);
      const texts = news.slice(0, 5).map((slot) => `${data.slots[slot].name} = ${data.values[after[slot]]}`);
      const more = news.length > 5 ? [`and ${news.length - 5} more`] : [];
      return [...texts, ...more, ...next].join(", ");
    }

    function choice([target, step], before, number) {
      const { who, text, key } = data.steps[step];
      const button = element("button", { type: "button", "data-key": key }, element("b", {}, who), ` ${text}`);
      if (target < 0) {
        button.disabled = true;
        button.append(element("small", {}, "leads out of what is in this page"));
      } else {
        const bad = violated.has(target) ? [element("small", { class: "bad" }, `then ${data.broken[target].map(([name]) => name).join(", ")} is violated`)] : [];
        button.append(element("small", {}, effect(before, target)), ...bad);
        button.addEventListener("click", () => take(key));
      }
      return element("li", { value: number + 1 }, button);
    }

    function status({ stuck }, here) {
      const found = data.broken[here] || [];
      const lines = found.map(([name, sentence]) => element("p", { class: "bad" }, element("b", {}, `${name} is violated: `), sentence));
      if (stuck) lines.unshift(element("p", { class: "unsure" }, `The next step of the walk is not possible here: ${words.get(stuck) ?? stuck}.`));
      if (data.may) {
        const open = data.properties.filter((_, bit) => data.may[here] & (1 << bit) && !found.some(([name]) => name === data.properties[bit]));
        const closed = data.properties.filter((_, bit) => !(data.may[here] & (1 << bit)));
        if (open.length) lines.push(element("p", {}, `Can still be violated from here: ${open.join(", ")}.`));
        if (closed.length) lines.push(element("p", { class: "holds" }, `Can no longer be violated, whatever happens: ${closed.join(", ")}.`));
        if (!data.properties.length) lines.push(element("p", { class: "holds" }, "Nothing can be violated in any of these states."));
      } else if (!found.length) {
        lines.push(element("p", {}, "Nothing is violated here."));
      }
      return lines;
    }

    function show() {
      const way = follow(walk), here = way.passed.at(-1), now = state(here);
      const before = way.passed.length > 1 ? state(way.passed.at(-2)) : now;
      find(".status").replaceChildren(...status(way, here));
      find(".cards").replaceChildren(...cards(now, differences(before, now), way.taken.length ? way.taken.at(-1).who : null));
      const possible = data.edges[here].map((edge, number) => choice(edge, now, number));
      find(".choices").replaceChildren(...(possible.length ? possible : [element("li", { class: "none" }, "Nothing.")]));
      find(".path").replaceChildren(...way.taken.map(({ who, text }, number) => {
        const link = element("button", { type: "button", class: "plain" }, `${who}: ${text}`);
        link.addEventListener("click", () => go({ ...walk, keys: walk.keys.slice(0, number + 1) }));
        return element("li", {}, link);
      }));
      find(".undo").disabled = find(".restart").disabled = !walk.keys.length;
      find("select").value = way.passed[0];
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
      data.plan.forEach((_, n) => dot(n, 1.6, "--line"));
      violated.forEach((n) => dot(n, 2, "--bad"));
      pen.strokeStyle = colour.getPropertyValue("--accent");
      pen.lineWidth = 2;
      pen.beginPath();
      passed.forEach((n, i) => (i ? pen.lineTo(...at(n)) : pen.moveTo(...at(n))));
      pen.stroke();
      passed.forEach((n, i) => dot(n, i === passed.length - 1 ? 5 : 3, "--accent"));
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
    return { show, length: () => follow(walk).taken.length, violated: brokenHere };
  }

  // A step leads on from where the walk is possible everywhere: what was not, is forgotten.
  function take(key) {
    go({ ...walk, keys: [...walk.keys.slice(0, Math.max(...panels.map((one) => one.length()))), key] });
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
    if (parent !== window) parent.postMessage({ walk: first.length(), violated: first.violated() }, "*");
  }

  function asked() {
    try {
      const [start, ...keys] = JSON.parse(decodeURIComponent(location.hash.slice(1)));
      return Number.isInteger(start) && keys.every((key) => typeof key === "string") ? { start: Math.max(0, start), keys } : { start: 0, keys: [] };
    } catch { return { start: 0, keys: [] }; }
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
