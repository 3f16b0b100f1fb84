"use strict";
// The machine in one state, as cards: one for each element whose state there is.  `hot`: the locations of an entry's story.
function machineOf({ slots, values, owners }, hot = new Set()) {
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const groups = new Map();
  for (const owner of owners) groups.set(owner, []);
  slots.forEach((slot, number) => {
    if (slot.kind !== "ghost" && slot.what !== "local") groups.get(slot.of).push(number);
  });
  // A name may break behind `.` and `[`, one of more than 24 characters behind `_` as well, and nowhere else: as in page.py.
  const parts = (piece) => (/\w{25}/.test(piece) ? piece.split(/(?<=_)/) : [piece]);
  const breakable = (name) => name.split(/(?<=[.[])/).flatMap(parts).flatMap((part) => [part, element("wbr")]).slice(0, -1);

  function marks(number, news, gone = false) {
    return [news.has(number) && "changed", hot.has(number) && "hot", gone && "gone"].filter(Boolean).join(" ");
  }

  function entryOf(number, value) {
    const slot = slots[number];
    const held = slot.held || (values[value] === "True" ? "" : values[value]);
    const parts = slot.tag ? [element("span", { class: "tag" }, slot.tag)] : [];
    if (held) parts.push((parts.length ? " → " : "") + held);
    if (slot.by) parts.push((parts.length ? ", by " : "by ") + slot.by);
    return parts.length ? parts : ["entry"];
  }

  function listed(numbers, state, news, shown) {
    const list = element("ul");
    for (const number of numbers) {
      const slot = slots[number], value = state[number];
      if (value !== slot.empty) {
        const note = news.has(number) ? [element("span", { class: "name" }, " (new)")] : [];
        list.append(element("li", { class: marks(number, news) }, ...shown(number, value), ...note));
      } else if (news.has(number)) {
        const note = element("span", { class: "name" }, " (gone)");
        list.append(element("li", { class: marks(number, news, true) }, ...shown(number, news.get(number)), note));
      }
    }
    if (!list.children.length) list.append(element("li", { class: "none" }, "empty"));
    return list;
  }

  function card(name, numbers, state, news, acting, waits) {
    const made = element("section", { class: name && acting === name ? "card acting" : "card" }, element("h3", {}, name || "memory and kernel"));
    const titled = new Map();
    const plain = element("dl");
    for (const number of numbers) {
      const slot = slots[number];
      if (slot.what === "cache" || slot.what === "pending") {
        const key = slot.what + slot.title;
        if (!titled.has(key)) titled.set(key, []);
        titled.get(key).push(number);
      } else {
        const named = slot.what === "at" ? `next in ${slot.title}` : slot.what === "context" ? slot.title : slot.name;
        plain.append(element("div", { class: marks(number, news) }, element("dt", {}, ...breakable(named)), element("dd", {}, values[state[number]])));
        if (number in waits) plain.append(element("div", { class: "wait" }, element("dt", {}, "waits"), element("dd", {}, values[waits[number]])));
      }
    }
    if (plain.children.length) made.append(plain);
    for (const found of titled.values()) {
      const { what, title } = slots[found[0]];
      const busy = found.some((number) => state[number] !== slots[number].empty || news.has(number));
      if (what === "pending" && !busy) continue;
      made.append(element("h4", {}, what === "pending" ? `${title} to be performed` : title));
      made.append(listed(found, state, news, what === "cache" ? entryOf : (number) => [slots[number].held || title]));
    }
    return made;
  }

  // state: the value of each location; news: the values before the step, of those that it changed; acting: who took it; waits: until what those
  // processes wait that cannot go on (a value, by their program counters).
  function cards(state, news, acting, waits = {}) {
    return [...groups].filter(([, found]) => found.length).map(([name, found]) => card(name, found, state, news, acting, waits));
  }

  return { element, marks, cards, entryOf };
}
