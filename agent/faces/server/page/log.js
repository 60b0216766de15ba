// The conversation in words: what was said, the steps of the turn in progress, its answer, questions with choices.

import { $, announce, el, show } from "./dom.js";
import { readable } from "./model.js";
import { candidate, waiting, worded } from "./words.js";

/** One turn of the agent as it happens. */
class Turn {
  constructor(log) {
    this.log = log;
    this.count = 0;
    this.steps = el("ol");
    this.summary = el("summary", { textContent: "Steps" });
    this.details = el("details", { class: "steps", open: true, hidden: true }, this.summary, this.steps);
    this.words = el("span", { textContent: "Sending" });
    this.bar = el("progress", { "aria-label": "Progress of this step" });
    this.working = el("div", { class: "working" }, this.words, this.bar);
    this.item = el("li", { class: "them" }, this.details, this.working);
    log.append(this.item);
  }

  /** What is being done now; without a total the bar only shows that something is. */
  doing(words, step = 0, total = 0) {
    const counted = total > 1 ? `${words}, ${step} of ${total}` : words;
    if (this.words.textContent.split(",")[0] !== words) announce(words);
    this.words.textContent = counted;
    if (total > 0) {
      this.bar.max = total;
      this.bar.value = step;
    } else this.bar.removeAttribute("value");
    this.log.follow();
  }

  /** Takes an event of the agent in; says nothing of the closing ones. */
  event(event) {
    if (event.kind === "progress") return this.doing(event.words, event.step, event.total);
    if (event.kind === "called") return this.doing(event.words);
    if (event.kind === "queued") return this.doing(waiting(event));
    if (event.kind === "started") return this.doing("Thinking");
    const line = worded(event);
    if (line === null) return;
    this.count += 1;
    const parts = line.map((part) => part.quoted === undefined ? part : el("q", { textContent: part.quoted }));
    this.steps.append(el("li", event.kind === "warning" ? { class: "warned" } : {}, ...parts));
    this.summary.textContent = this.count === 1 ? "1 step" : `${this.count} steps`;
    show(this.details, true);
    this.log.follow();
  }

  /** Ends the turn with words. */
  close(text, { bad = false } = {}) {
    this.working.remove();
    this.details.open = false;
    this.item.classList.toggle("bad", bad);
    this.item.append(el("p", { class: "said", textContent: readable(text) }));
    announce(readable(text));
    this.log.follow(true);
  }
}

export class Log {
  constructor() {
    this.list = $("log");
  }

  clear() {
    this.list.replaceChildren();
  }

  append(item) {
    this.list.append(item);
    this.follow(true);
  }

  /** What the person said. */
  mine(text) {
    this.append(el("li", { class: "me", textContent: text }));
  }

  /** What the agent said, whole. */
  theirs(text, bad = false) {
    const words = el("p", { class: "said", textContent: readable(text) });
    this.append(el("li", { class: bad ? "them bad" : "them" }, words));
  }

  /** The candidates of a question as buttons under the newest words; `size` is the picture's. */
  choices(candidates, size, pick) {
    const buttons = candidates.map((region) => {
      const button = el("button", { type: "button", textContent: candidate(region, size) });
      button.addEventListener("click", () => pick(region));
      return button;
    });
    const group = el("div", { class: "choices", role: "group", "aria-label": "Candidates" }, ...buttons);
    this.list.lastElementChild.append(group);
    this.follow(true);
  }

  /** Suggestions to begin with; `pick(text)` is called for one that is chosen. */
  hints(texts, pick) {
    const buttons = texts.map((text) => {
      const button = el("button", { type: "button", textContent: text });
      button.addEventListener("click", () => pick(text));
      return button;
    });
    const group = el("div", { class: "hints", role: "group", "aria-label": "Suggestions" }, ...buttons);
    this.append(el("li", { class: "them" }, group));
  }

  unhint() {
    this.list.querySelector(".hints")?.closest("li").remove();
  }

  turn() {
    return new Turn(this);
  }

  /** Takes the choices of an answered question away. */
  answered() {
    for (const choices of this.list.querySelectorAll(".choices")) choices.remove();
  }

  /** Keeps the newest words in sight, unless the person has scrolled back to read. */
  follow(always = false) {
    const list = this.list;
    if (getComputedStyle(list).overflowY === "visible") {
      const newest = list.lastElementChild; // on a phone the page itself scrolls
      const near = newest && newest.getBoundingClientRect().bottom < innerHeight + 160;
      if (always || near) newest?.scrollIntoView({ block: "end" });
      return;
    }
    const gap = list.scrollHeight - list.scrollTop - list.clientHeight;
    if (always || gap < 160) list.scrollTop = list.scrollHeight;
  }
}
