// One conversation on the page: sends what the person does, shows what comes of it.

import { $, announce, decimal, saveAs, show } from "./dom.js";
import { Log } from "./log.js";
import { Masking } from "./masking.js";
import { current, instruction, label, layer, number, versionOf } from "./model.js";
import { Stage } from "./stage.js";
import { recents } from "./start.js";
import { Versions } from "./versions.js";

export class Desk {
  /** `fail(error)` shows an error beside the conversation; `lost(bool)` that the server is out of reach. */
  constructor(api, { fail, lost, leave }) {
    Object.assign(this, { api, fail, lost, leave });
    this.conversation = null;
    this.job = null;
    this.stage = new Stage();
    this.log = new Log();
    this.versions = new Versions((id) => this.move("go", { image_id: id }, `Version ${number(id)}`));
    this.masking = new Masking(api, {
      failed: (error) => this.#refused(error),
      again: () => this.#again(),
      opens: () => this.stage.plain(),
    });
    $("undo").addEventListener("click", () => this.move("undo", {}, "Undo"));
    $("redo").addEventListener("click", () => this.move("redo", {}, "Redo"));
    $("weaker").addEventListener("click", () => this.#adjust({ direction: "weaker" }, "Weaker"));
    $("stronger").addEventListener("click", () => this.#adjust({ direction: "stronger" }, "Stronger"));
    $("ratio-apply").addEventListener("click", () => this.#strength());
    $("ratio").addEventListener("input", () => this.#ratio());
    $("stop").addEventListener("click", () => this.#stop());
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.say($("say").value);
    });
    $("say").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.say($("say").value);
    });
  }

  get busy() {
    return this.job !== null;
  }

  /** Shows a conversation from the server, and goes on with what it still works on. */
  open(conversation, suggestions = []) {
    this.close();
    this.conversation = conversation;
    this.log.theirs("Here is your picture. Say what to change, in your own words.");
    for (const warning of conversation.warnings) this.log.theirs(warning);
    for (const message of conversation.messages) {
      this.log.mine(message.text);
      this.log.theirs(message.reply, message.kind === "error");
    }
    if (suggestions.length && !conversation.messages.length) this.log.hints(suggestions, (text) => this.say(text));
    this.update(conversation);
    if (conversation.question) this.#question(conversation.question);
    const waits = conversation.open_jobs.find((job) => job.kind !== "refine");
    if (waits) this.#work(waits.text || "Editing", () => Promise.resolve(waits));
  }

  close() {
    this.conversation = null;
    this.job = null;
    this.log.clear();
    this.stage.clear();
    this.versions.clear();
    this.masking.close();
    this.#working(false);
  }

  update(conversation) {
    this.conversation = conversation;
    const version = current(conversation);
    this.stage.show(conversation, version);
    this.versions.update(conversation, this.busy);
    this.masking.update(conversation);
    show($("strength"), version.encoding_ratio !== null && !version.removal);
    if (version.encoding_ratio !== null) $("ratio").value = version.encoding_ratio;
    this.#ratio();
    $("save-mask").disabled = !version.mask_url;
    const title = conversation.messages.at(-1)?.text ?? conversation.name;
    recents.keep(conversation.id, title);
  }

  /** Sends words; inside the drawn mask where there is one. */
  async say(words, more = {}) {
    const text = words.trim();
    if (!text || this.busy || !this.conversation) return;
    $("say").value = "";
    const { id } = this.conversation;
    const masked = this.masking.ready;
    const sent = await this.#work(text, async () => {
      const mask = masked ? { mask_id: await this.masking.keep() } : {};
      const job = await this.api.send(id, { text, ...mask, ...more });
      this.masking.close();
      return job;
    });
    if (!sent && !$("say").value) $("say").value = text;
  }

  /** Makes another version current: `where` is "undo", "redo" or "go". */
  async move(where, body, words) {
    if (this.busy) return;
    try {
      const moved = await this.api.move(this.conversation.id, where, body);
      const { text, reply } = moved.messages.at(-1);
      this.log.answered();
      this.log.unhint();
      this.stage.unask();
      this.log.mine(text);
      this.log.theirs(reply);
      this.update(moved);
      announce(`${words}. Now at version ${number(moved.current)}, ${label(current(moved))}.`);
    } catch (error) {
      this.#refused(error);
    }
  }

  /** Fetches the conversation again, since another tab may have gone on with it. */
  async refresh() {
    if (!this.conversation || this.busy) return;
    const { id, messages } = this.conversation;
    const now = await this.api.conversation(id);
    if (this.conversation?.id !== id || this.busy) return;
    if (now.messages.length !== messages.length || now.open_jobs.length) this.open(now);
  }

  /** Saves the picture, its mask or the bundle of the run. */
  async save(what) {
    const version = current(this.conversation);
    const name = `version-${number(version.id)}`;
    const sources = {
      picture: [version.download_url, `${name}.png`],
      jpeg: [`${version.download_url}&format=jpeg`, `${name}.jpg`],
      mask: [`${version.mask_url}?download=1`, `${name}-mask.png`],
      bundle: [`/v1/conversations/${this.conversation.id}/bundle`, "bundle.zip"],
    };
    try {
      const file = await this.api.download(...sources[what]);
      saveAs(file.blob, file.name);
      announce(`Saved ${file.name}.`);
    } catch (error) {
      this.#refused(error);
    }
  }

  async remove() {
    const { id } = this.conversation;
    try {
      await this.api.remove(id);
    } catch (error) {
      if (error.kind !== "not_found") return this.#refused(error);
    }
    recents.drop(id);
    this.leave();
  }

  #again() {
    const version = current(this.conversation);
    const words = instruction(this.conversation, version);
    if (words) this.say(words, { image_id: version.parent_id });
  }

  #adjust(change, words) {
    const image = this.conversation.current;
    this.#work(words, () => this.api.adjust(this.conversation.id, { image_id: image, ...change }));
  }

  #strength() {
    const ratio = Number($("ratio").value);
    this.#adjust({ encoding_ratio: ratio }, `Strength ${decimal(ratio)}`);
  }

  #ratio() {
    const value = Number($("ratio").value);
    const now = current(this.conversation).encoding_ratio;
    $("ratio-value").textContent = decimal(value);
    $("ratio-apply").disabled = this.busy || now === null || Math.abs(value - now) < 0.004;
  }

  async #stop() {
    if (!this.job?.url) return;
    $("stop").disabled = true;
    try {
      await this.api.cancel(this.job);
    } catch (error) {
      this.#refused(error);
    }
  }

  /** One job from the first word to the last; true if the server took it. `begin()` resolves with the job. */
  async #work(words, begin) {
    if (this.busy) return false;
    const { id } = this.conversation;
    const here = () => this.conversation?.id === id && this.job === mine;
    const mine = (this.job = { url: null });
    this.log.answered();
    this.log.unhint();
    this.stage.unask();
    this.log.mine(words);
    const turn = this.log.turn();
    this.#working(true);
    let taken = false;
    try {
      const job = await begin();
      taken = true;
      mine.url = job.url;
      const done = await this.api.follow(job, (event) => here() && this.#heard(turn, event), this.lost);
      const now = await this.api.conversation(id);
      if (!here()) return true;
      this.job = null;
      this.#working(false);
      this.update(now);
      this.#closed(turn, done, now);
    } catch (error) {
      if (!here()) {
        if (!error.kind) throw error;
        return taken;
      }
      this.job = null;
      this.#working(false);
      turn.close(error.message, { bad: true });
      this.fail(error);
    } finally {
      if (this.conversation) this.versions.update(this.conversation, this.busy);
    }
    return taken;
  }

  #heard(turn, event) {
    if (event.kind === "preview") return this.stage.preview(event);
    turn.event(event);
    if (event.layer_url && versionOf(this.conversation, event.image_id)) this.stage.overlay(event.layer_url);
    if (event.kind === "edited") {
      this.stage.overlay(null);
      this.stage.preview(null);
    }
  }

  #closed(turn, done, conversation) {
    if (done.state === "cancelled") turn.close("Stopped; the picture is as it was.");
    else if (done.state === "failed") turn.close(done.error?.message ?? "It could not be done.", { bad: true });
    else {
      const { reply, kind } = done.result;
      turn.close(reply, { bad: kind === "error" });
      if (conversation.question) this.#question(conversation.question);
    }
  }

  #question({ candidates }) {
    if (!candidates.length) return;
    const pick = (region) => this.#answer(region);
    this.log.choices(candidates, current(this.conversation).size, pick);
    this.stage.ask(candidates, pick);
  }

  async #answer(region) {
    const { id } = this.conversation;
    await this.#work(String(region.number), () => this.api.send(id, { answer: region.number }));
  }

  #working(on) {
    this.stage.busy(on);
    if (!on) {
      this.stage.overlay(null);
      this.stage.preview(null);
    }
    if (on) this.stage.mask(false);
    show($("stop"), on);
    show($("send"), !on);
    $("stop").disabled = false;
    for (const id of ["weaker", "stronger", "delete", "save-bundle"]) $(id).disabled = on;
    if (!this.conversation) return;
    this.#ratio();
    this.versions.update(this.conversation, on);
    // What was pressed may be hidden now; on a phone the keyboard stays away.
    const focused = document.activeElement;
    const nowhere = focused === document.body || !focused.checkVisibility();
    if (nowhere && matchMedia("(pointer: fine)").matches) $("say").focus({ preventScroll: true });
  }

  #refused(error) {
    this.log.theirs(error.message, true);
    announce(error.message);
    this.fail(error);
  }
}
