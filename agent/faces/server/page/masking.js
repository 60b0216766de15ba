// The tools to draw a mask: brush and eraser, clicks that SAM makes a mask of, taking over an edit's mask.

import { $, announce, press, show } from "./dom.js";
import { current } from "./model.js";
import { Painter } from "./painter.js";

export class Masking {
  /** `failed(error)` shows what went wrong, `again()` makes the edit again in the mask, `opens()` clears the view. */
  constructor(api, { failed, again, opens }) {
    Object.assign(this, { api, failed, opens });
    this.on = false;
    this.asked = 0;
    this.painter = new Painter($("canvas"), {
      onChange: () => this.#changed(),
      onPoint: (x, y, inside) => this.#click({ x, y, inside }),
      onMove: announce,
    });
    $("paint").addEventListener("click", () => (this.on ? this.close() : this.open()));
    $("paint-undo").addEventListener("click", () => this.painter.undo());
    $("paint-clear").addEventListener("click", () => this.painter.clear());
    $("paint-load").addEventListener("click", () => this.#load());
    $("paint-again").addEventListener("click", again);
    $("brush-size").addEventListener("input", () => (this.painter.size = Number($("brush-size").value)));
    this.tools = [...document.querySelectorAll("[data-tool]")];
    for (const button of this.tools) button.addEventListener("click", () => this.#take(button.dataset.tool));
  }

  /** The conversation as it is now; a mask that was begun for another version is given up. */
  update(conversation) {
    if (this.on && this.version?.id !== conversation.current) this.close();
    this.conversation = conversation;
    show($("paint-load"), Boolean(current(conversation).mask_url));
    show($("paint-again"), !current(conversation).original);
  }

  /** Begins an empty mask over the current version. */
  open() {
    this.version = current(this.conversation);
    this.opens();
    this.on = true;
    this.#shown();
    this.painter.open(...this.version.size);
    this.painter.size = Number($("brush-size").value);
    this.#changed();
    $("canvas").focus({ preventScroll: true });
    announce("Draw a mask over the picture. Arrow keys move, Space paints.");
  }

  close() {
    if (!this.on) return;
    this.on = false;
    this.asked += 1;
    this.#shown();
  }

  /** Whether something is painted, so that the next edit stays inside it. */
  get ready() {
    return this.on && this.painted;
  }

  /** Sends the mask; its id on the server. */
  async keep() {
    return (await this.api.mask(this.conversation.id, this.version.id, await this.painter.toBlob())).id;
  }

  #shown() {
    for (const id of ["canvas", "painting"]) show($(id), this.on);
    for (const id of ["compare", "show-mask"]) $(id).disabled = this.on;
    show($("candidates"), !this.on);
    press($("paint"), this.on);
    $("paint").setAttribute("aria-expanded", String(this.on));
    show($("mask-note"), this.ready);
  }

  #take(tool) {
    this.painter.tool = tool;
    for (const button of this.tools) press(button, button.dataset.tool === tool);
    $("brush-size").disabled = tool === "add" || tool === "cut";
  }

  #changed() {
    const share = this.painter.share();
    this.painted = share > 0;
    $("paint-undo").disabled = !this.painter.undoable;
    $("paint-clear").disabled = $("paint-again").disabled = !this.painted;
    $("brush-size").value = this.painter.size;
    $("mask-note").textContent = `Only inside your mask, ${Math.max(1, Math.round(share * 100))} % of the picture.`;
    show($("mask-note"), this.ready);
  }

  async #load() {
    try {
      const blob = await this.api.blob(this.version.mask_url);
      await this.painter.load(blob, { base: this.version.mask_id, clicks: [] });
    } catch (error) {
      this.failed(error);
    }
  }

  /** One more click: SAM reads all clicks since something was last painted, and that painting as a first guess. */
  async #click(click) {
    const turn = ++this.asked;
    const { painter } = this;
    try {
      announce("Finding what you clicked");
      $("picture").setAttribute("aria-busy", "true");
      const tag = painter.tag ?? { base: this.painted ? await this.keep() : null, clicks: [] };
      const clicks = [...tag.clicks, click];
      const wanted = { image_id: this.version.id, clicks, ...(tag.base ? { mask_id: tag.base } : {}) };
      const mask = await this.api.refine(this.conversation.id, wanted);
      const blob = await this.api.blob(mask.mask_url);
      if (turn !== this.asked) return;
      await painter.load(blob, { base: tag.base, clicks });
      announce(`The mask now covers ${Math.round(mask.area * 100)} % of the picture.`);
    } catch (error) {
      this.failed(error);
    } finally {
      if (turn === this.asked) $("picture").setAttribute("aria-busy", "false");
    }
  }
}
