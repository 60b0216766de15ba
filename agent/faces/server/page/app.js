// The page: which of its two views is shown, the token, the colours, and what happens when the server is gone.

import { Api } from "./api.js";
import { Desk } from "./desk.js";
import { $, announce, press, show } from "./dom.js";
import { recents, Start } from "./start.js";

const AGAIN = 3000; // milliseconds between looks for a server that is gone
let limits = null;
let looking = null;

const api = new Api(askToken);
const desk = new Desk(api, { fail, lost, leave: () => home() });
const start = new Start(api, { take, example, resume });

/** Says something at the top of the page; nothing takes it away. */
function banner(text) {
  $("banner").textContent = text;
  show($("banner"), Boolean(text));
}

/** The server is out of reach, or back. */
function lost(on) {
  if (!on) {
    clearTimeout(looking);
    looking = null;
    return banner("");
  }
  banner("The server does not answer. This page tries again by itself.");
  looking ??= setTimeout(look, AGAIN);
}

async function look() {
  const answer = await fetch("/healthz").catch(() => null);
  if (!answer?.ok) {
    looking = setTimeout(look, AGAIN);
    return;
  }
  lost(false);
  announce("The server is back.");
  if (desk.conversation) desk.refresh().catch(fail);
  else begin();
}

/** What an error means for the page as a whole; its sentence is shown by who met it. */
function fail(error) {
  if (!error.kind) console.error(error);
  if (error.kind === "gone" || error.kind === "stopping") lost(true);
  else if (error.kind === "not_found" && desk.conversation) gone(desk.conversation.id);
  else if ($("desk").hidden) banner(error.message);
}

/** The conversation may have been deleted elsewhere. */
async function gone(id) {
  const there = await api.conversation(id).then(() => true, (error) => error.kind !== "not_found");
  if (there) return;
  recents.drop(id);
  home();
  banner("That conversation is no longer on the server.");
}

function open(conversation, suggestions) {
  banner("");
  recents.open(conversation.id);
  for (const id of ["desk", "fresh"]) show($(id), true);
  show($("start"), false);
  desk.open(conversation, suggestions);
  if (matchMedia("(pointer: fine)").matches) $("say").focus({ preventScroll: true });
}

/** The first view, where pictures are chosen. */
function home() {
  desk.close();
  recents.close();
  for (const id of ["desk", "fresh"]) show($(id), false);
  show($("start"), true);
  banner("");
  start.open().catch(fail);
}

async function attempt(words, task, suggestions) {
  start.waiting(words);
  try {
    open(await task(), suggestions);
  } catch (error) {
    if (!$("desk").hidden) home();
    banner(error.message);
    fail(error);
  } finally {
    start.waiting("");
  }
}

function take(file) {
  if (limits && file.size > limits.picture_bytes) {
    const [has, most] = [file.size, limits.picture_bytes].map((bytes) => (bytes / 1e6).toFixed(1));
    return banner(`The picture has ${has} MB; this server takes up to ${most} MB.`);
  }
  return attempt("Sending the picture …", () => api.upload(file));
}

function example(one) {
  return attempt("Opening …", () => api.begin(one.name), one.suggestions);
}

async function resume(id) {
  start.waiting("Opening …");
  try {
    open(await api.conversation(id));
  } catch (error) {
    if (error.kind === "not_found") recents.drop(id);
    home();
    banner(error.kind === "not_found" ? "That conversation is no longer on the server." : error.message);
    fail(error);
  }
}

let asking = null;

/** Asks for the token until the server takes one; several requests wait for the same answer. */
function askToken() {
  asking ??= new Promise((resolve) => {
    const dialog = $("token-dialog");
    $("token-why").textContent = "Whoever runs it can give you one.";
    $("token-form").onsubmit = async (event) => {
      event.preventDefault();
      try {
        await api.login($("token").value.trim());
      } catch (error) {
        $("token-why").textContent = error.message;
        $("token").select();
        return;
      }
      $("token").value = "";
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.oncancel = (event) => event.preventDefault();
    dialog.showModal();
  });
  return asking;
}

async function begin() {
  try {
    const server = await api.server();
    limits = server.limits;
    $("say").maxLength = limits.instruction_characters;
    for (const button of document.querySelectorAll("[data-clicks]")) show(button, server.can.clicks);
    const id = recents.opened();
    if (id) await resume(id);
    else home();
  } catch (error) {
    home();
    banner(error.message);
    fail(error);
  }
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  press($("theme"), name === "dark");
}

$("theme").addEventListener("click", () => {
  const name = $("theme").getAttribute("aria-pressed") === "true" ? "light" : "dark";
  theme(name);
  localStorage.setItem("instructedit.theme", name);
});
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
theme(localStorage.getItem("instructedit.theme") ?? (dark ? "dark" : "light"));

for (const id of ["home", "fresh"]) $(id).addEventListener("click", home);
for (const what of ["picture", "jpeg", "mask", "bundle"]) {
  $(`save-${what}`).addEventListener("click", () => {
    $("save").open = false;
    desk.save(what);
  });
}
$("delete").addEventListener("click", () => {
  $("save").open = false;
  $("delete-dialog").showModal();
});
$("delete-dialog").addEventListener("close", () => {
  if ($("delete-dialog").returnValue === "yes") desk.remove();
  $("delete-dialog").returnValue = "";
});
document.addEventListener("click", (event) => {
  if (!$("save").contains(event.target)) $("save").open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && $("save").open) {
    $("save").open = false;
    $("save").firstElementChild.focus();
  }
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) desk.refresh().catch(fail);
});
begin();
