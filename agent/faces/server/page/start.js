// The first page: choose, drop or paste a picture, the examples, the conversations of this browser.

import { $, announce, el, show } from "./dom.js";
import { ago } from "./words.js";

const KEPT = 8;
const NAMES = { list: "instructedit.conversations", open: "instructedit.open" };

/** The conversations that this browser began: [{id, title, time}], newest first. */
export const recents = {
  all() {
    try {
      const kept = JSON.parse(localStorage.getItem(NAMES.list) ?? "[]");
      return Array.isArray(kept) ? kept.filter((one) => typeof one?.id === "string") : [];
    } catch {
      return [];
    }
  },
  keep(id, title) {
    const others = this.all().filter((one) => one.id !== id);
    const old = this.all().find((one) => one.id === id);
    write([{ id, title: title ?? old?.title ?? "A picture", time: Date.now() }, ...others].slice(0, KEPT));
  },
  drop(id) {
    write(this.all().filter((one) => one.id !== id));
    if (this.opened() === id) this.close();
  },
  /** The conversation to go on with after a reload: this tab's, else the one that the browser showed last. */
  opened() {
    return sessionStorage.getItem(NAMES.open) ?? localStorage.getItem(NAMES.open) ?? "";
  },
  open(id) {
    sessionStorage.setItem(NAMES.open, id);
    localStorage.setItem(NAMES.open, id);
  },
  close() {
    this.open("");
  },
};

function write(list) {
  localStorage.setItem(NAMES.list, JSON.stringify(list));
}

/** `take(file)`, `example(example)` and `resume(id)` begin or go on with a conversation. */
export class Start {
  constructor(api, { take, example, resume }) {
    Object.assign(this, { api, take, example, resume });
    const file = $("file");
    file.addEventListener("change", () => {
      if (file.files.length) this.take(file.files[0]);
      file.value = "";
    });
    const drop = $("drop");
    let depth = 0;
    const over = (change) => {
      depth = Math.max(0, depth + change);
      document.body.classList.toggle("over", depth > 0);
    };
    addEventListener("dragenter", () => over(1));
    addEventListener("dragleave", () => over(-1));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      over(-Infinity);
      const dropped = event.dataTransfer.files[0];
      if (dropped) this.take(dropped);
      else if (!$("start").hidden) announce("Drop a picture file, not a link.");
    });
    addEventListener("paste", (event) => {
      const pasted = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
      if (!pasted) return;
      event.preventDefault();
      this.take(pasted);
    });
    drop.addEventListener("dragover", () => drop.classList.add("over"));
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  }

  /** Draws the examples and what can be gone on with. */
  async open() {
    this.#recent();
    this.waiting("");
    if ($("examples").childElementCount) return;
    const examples = await this.api.examples();
    $("examples").replaceChildren(
      ...examples.map((example) => {
        const image = el("img", { alt: "", src: example.image_url, width: 192, height: 192 });
        const button = el("button", { type: "button" }, image, el("span", { textContent: example.title }));
        button.addEventListener("click", () => this.example(example));
        return el("li", {}, button);
      }),
    );
    show($("examples-part"), examples.length > 0);
  }

  waiting(text) {
    $("uploading").textContent = text;
  }

  #recent() {
    const kept = recents.all();
    show($("recent-part"), kept.length > 0);
    $("recent").replaceChildren(
      ...kept.map((one) => {
        const when = el("span", { class: "quiet", textContent: ago(one.time) });
        const button = el("button", { type: "button" }, el("span", { textContent: one.title }), when);
        button.addEventListener("click", () => this.resume(one.id));
        return el("li", {}, button);
      }),
    );
  }
}
