"use strict";
// A lesson: frames as high as what is in them, and puzzles, which are marked by what the tool said of each answer.
(() => {
  const made = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const listed = (title, texts) => made("details", {}, made("summary", {}, title), made("ol", {}, ...texts.map((text) => made("li", {}, text))));
  const marked = (right) => made("b", { class: right ? "mark right" : "mark wrong" }, right ? "RIGHT" : "NOT YET");

  for (const frame of document.querySelectorAll("iframe.try")) {
    const fit = () => {
      const inside = frame.contentDocument && frame.contentDocument.body;
      if (!inside) return;
      new ResizeObserver(() => { frame.style.height = `${Math.ceil(inside.getBoundingClientRect().height) + 4}px`; }).observe(inside);
    };
    if (frame.contentDocument && frame.contentDocument.readyState === "complete" && frame.contentDocument.body.children.length) fit();
    else frame.addEventListener("load", fit, { once: true });
  }

  for (const form of document.querySelectorAll("form.puzzle")) {
    const data = form.querySelector("script");
    if (!data) continue;
    const marks = JSON.parse(data.textContent), output = form.querySelector("output");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const key = [...new FormData(form).values()].join(" ");
      if (!(key in marks)) { output.replaceChildren("Pick an answer first."); return; }
      const { right, text, note, steps, story, picture } = marks[key];
      output.replaceChildren(marked(right), ` ${text} ${note || ""}`);
      if (steps && steps.length) output.append(listed("The steps", steps));
      if (picture) {
        const figure = made("figure", { tabindex: "0", role: "group", "aria-label": "two states" });
        figure.innerHTML = picture;
        output.append(figure);
      }
      if (story && story.length) output.append(listed("How it comes to that", story));
    });
    form.addEventListener("change", () => output.replaceChildren());
  }

  const hunts = new Map([...document.querySelectorAll(".hunt")].map((hunt) => [hunt.querySelector("iframe"), hunt]));
  for (const hunt of hunts.values()) hunt.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("message", (event) => {
    for (const [frame, hunt] of hunts) {
      if (event.source !== frame.contentWindow || typeof event.data !== "object" || !("walk" in event.data)) continue;
      const { walk, violated } = event.data, least = Number(hunt.dataset.least), output = hunt.querySelector("output");
      const found = violated.includes(hunt.dataset.find);
      const short = walk <= least ? "No way is shorter." : `The shortest way takes ${least}.`;
      if (found) output.replaceChildren(marked(true), ` Found, in ${walk} steps. ${short}`);
      else output.replaceChildren(walk ? `${walk} step${walk === 1 ? "" : "s"} so far.` : "You have taken no step yet.");
    }
  });
})();
