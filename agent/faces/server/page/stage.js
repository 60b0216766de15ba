// The picture: before and after, the mask over it, candidates to click.

import { $, el, press, show } from "./dom.js";
import { label, layer, original, versionOf } from "./model.js";
import { candidate } from "./words.js";

export class Stage {
  constructor() {
    this.conversation = null;
    this.version = null;
    this.comparing = false;
    this.masked = false;
    $("compare").addEventListener("click", () => this.compare(!this.comparing));
    $("show-mask").addEventListener("click", () => this.mask(!this.masked));
    $("against").addEventListener("change", () => this.#before());
    $("cut").addEventListener("input", () => this.#cut());
  }

  /** Shows a version of the conversation. */
  show(conversation, version) {
    const changed = this.version?.image_url !== version.image_url;
    Object.assign(this, { conversation, version });
    $("frame").style.setProperty("--ratio", version.size[0] / version.size[1]);
    show($("compare"), !version.original);
    show($("show-mask"), Boolean(version.mask_url));
    if (!changed) return;
    this.mask(false);
    $("shown").src = version.image_url;
    $("shown").alt = version.original ? "The picture as it was given" : `The picture, now: ${label(version)}`;
    this.#before();
    if (version.original) this.compare(false);
  }

  clear() {
    this.version = null;
    this.conversation = null;
    this.compare(false);
    this.overlay(null);
    this.preview(null);
    this.unask();
    for (const id of ["shown", "before"]) $(id).removeAttribute("src");
  }

  /** The before/after slider, on or off. */
  compare(on) {
    this.comparing = on && Boolean(this.version) && !this.version.original;
    press($("compare"), this.comparing);
    for (const id of ["before", "divider", "cut"]) show($(id), this.comparing);
    show($("against-part"), this.comparing && this.version.parent_id !== original(this.conversation).id);
    if (this.comparing) this.#cut();
  }

  /** Where the version was edited, over the picture. */
  mask(on) {
    this.masked = on && Boolean(this.version?.mask_url);
    press($("show-mask"), this.masked);
    this.overlay(this.masked ? layer(this.version.mask_url) : null);
  }

  /** Nothing over the picture. */
  plain() {
    this.compare(false);
    this.mask(false);
  }

  busy(on) {
    $("picture").classList.toggle("busy", on);
    $("picture").setAttribute("aria-busy", String(on));
  }

  /** Tints the picture where a layer (a URL) is opaque; null takes the tint away. */
  overlay(url) {
    show($("overlay"), Boolean(url));
    $("overlay").style.maskImage = url ? `url("${url}")` : "";
  }

  /** How the edit looks so far, where it is made: `{image, box}` of an event; null takes it away. */
  preview(event) {
    const element = $("preview");
    show(element, Boolean(event));
    if (!event) return element.removeAttribute("src");
    this.overlay(null);
    this.compare(false);
    element.src = `data:image/jpeg;base64,${event.image}`;
    this.#place(element, event.box);
  }

  /** Numbers the candidates of a question on the picture; `pick(candidate)` is called for the one that is clicked. */
  ask(candidates, pick) {
    const size = this.version.size;
    this.compare(false);
    this.mask(false);
    $("candidates").replaceChildren(
      ...candidates.map((region) => {
        const name = candidate(region, size);
        const button = el("button", { type: "button", "aria-label": name }, el("span", { textContent: region.number }));
        this.#place(button, region.box);
        // A small one inside a larger one lies on top.
        button.style.zIndex = candidates.filter((other) => other.area > region.area).length;
        const mask = region.mask_url ? layer(region.mask_url) : null;
        for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => this.overlay(mask));
        for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => this.overlay(null));
        button.addEventListener("click", () => pick(region));
        return button;
      }),
    );
  }

  unask() {
    $("candidates").replaceChildren();
  }

  /** Puts an element over a box of the picture. */
  #place(element, [x0, y0, x1, y1]) {
    const [width, height] = this.version.size;
    const percent = (value, extent) => `${(100 * value) / extent}%`;
    element.style.left = percent(x0, width);
    element.style.top = percent(y0, height);
    element.style.width = percent(x1 - x0, width);
    element.style.height = percent(y1 - y0, height);
  }

  #before() {
    const { conversation, version } = this;
    if (version.original) return $("before").removeAttribute("src");
    const first = $("against").value === "original";
    const before = first ? original(conversation) : versionOf(conversation, version.parent_id);
    $("before").src = before.image_url;
    $("before").alt = first ? "The picture as it was given" : "The picture before this edit";
  }

  #cut() {
    const value = Number($("cut").value);
    $("picture").style.setProperty("--cut", `${value}%`);
    $("cut").setAttribute("aria-valuetext", `${value} % before, ${100 - value} % after`);
  }
}
