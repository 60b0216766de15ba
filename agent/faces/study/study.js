"use strict";

const part = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("button[data-choice]")];
const keys = { 1: "left", 2: "right", 0: "none" };
let shown = null;
let busy = true;

function ready(is) {
  busy = !is;
  for (const button of buttons) button.disabled = busy;
}

async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, options || {});
  if (!answer.ok) throw new Error(`The study did not answer (${answer.status}). Load the page again.`);
  return answer.json();
}

function loaded(image, source) {
  return new Promise((done, failed) => {
    image.onload = done;
    image.onerror = () => failed(new Error("A picture could not be loaded. Load the page again."));
    image.src = source;
  });
}

async function next() {
  ready(false);
  const answer = await ask("/api/next");
  shown = answer.triplet;
  if (shown === null) {
    part("trial").hidden = true;
    part("progress").textContent = `Done: ${answer.done} of ${answer.total}. Thank you!`;
    return;
  }
  part("asked").textContent = shown.instruction;
  part("trial").hidden = false;
  await Promise.all(["input", "left", "right"].map((name) => loaded(part(name), shown[name])));
  part("progress").textContent = `${answer.done + 1} of ${answer.total}`;
  ready(true);
}

async function choose(choice) {
  if (busy || shown === null) return;
  ready(false);
  await ask("/api/vote", { triplet: shown.id, choice });
  await next();
}

function safely(work) {
  part("message").textContent = "";
  work.catch((error) => {
    part("message").textContent = error.message;
    ready(shown !== null);
  });
}

for (const button of buttons) button.addEventListener("click", () => safely(choose(button.dataset.choice)));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const choice = keys[event.key];
  if (choice) safely(choose(choice));
});
safely(next());
