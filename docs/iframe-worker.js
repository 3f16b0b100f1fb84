"use strict";
// The search of the site runs in a worker, and a browser makes no worker of a file on the disk: there, a hidden frame is one.
if (location.protocol === "file:") window.Worker = class extends EventTarget {
  constructor(url) {
    super();
    this.waiting = [];
    const frame = Object.assign(document.createElement("iframe"), { hidden: true, srcdoc: "<!doctype html><title>search</title>" });
    frame.addEventListener("load", () => {
      const inside = frame.contentWindow;
      const load = (address) => new Promise((done) => {
        inside.document.head.append(Object.assign(inside.document.createElement("script"), { src: address, onload: done, onerror: done }));
      });
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.importScripts = async (...addresses) => { for (const address of addresses) await load(address); };
      load(url).then(() => {
        this.inside = inside;
        for (const data of this.waiting.splice(0)) this.postMessage(data);
      });
    }, { once: true });
    document.body.append(frame);
  }

  postMessage(data) {
    if (this.inside) this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data }));
    else this.waiting.push(data);
  }
};
