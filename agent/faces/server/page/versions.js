// The strip of versions: thumbnails, the current one, where branches begin, undo and redo.

import { $, el } from "./dom.js";
import { label, number } from "./model.js";

export class Versions {
  /** `go(id)` is called for a version that is chosen. */
  constructor(go) {
    this.go = go;
    this.items = new Map();
  }

  /** Shows the versions; while `busy` nothing can be chosen. */
  update(conversation, busy) {
    $("undo").disabled = busy || !conversation.can_undo;
    $("redo").disabled = busy || !conversation.can_redo;
    conversation.versions.forEach((version, index) => {
      if (!this.items.has(version.id)) this.#add(version, conversation.versions[index - 1]);
      const button = this.items.get(version.id).firstElementChild;
      const shown = version.id === conversation.current;
      if (shown) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.setAttribute("aria-disabled", String(busy));
    });
    const item = this.items.get(conversation.current);
    const strip = $("versions");
    strip.scrollTo({ left: item.offsetLeft - strip.offsetLeft - (strip.clientWidth - item.clientWidth) / 2 });
  }

  clear() {
    this.items.clear();
    $("versions").replaceChildren();
  }

  #add(version, previous) {
    const branches = version.parent_id && version.parent_id !== previous?.id;
    const from = branches ? `from ${number(version.parent_id)}` : "";
    const name = label(version);
    const button = el(
      "button",
      { type: "button", title: name },
      el("img", { alt: "", src: version.thumbnail_url, loading: "lazy", width: 96, height: 64 }),
      branches ? el("span", { class: "branch", textContent: from }) : null,
      el("span", { textContent: `${number(version.id)}. ${name}` }),
    );
    button.setAttribute("aria-label", `Version ${number(version.id)}: ${name}${branches ? `, made ${from}` : ""}`);
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "false") this.go(version.id);
    });
    const item = el("li", {}, button);
    this.items.set(version.id, item);
    $("versions").append(item);
  }
}
