// The HTTP interface under /v1; every failure is an ApiError whose message is one sentence for the person.

const RETRIES = 2;
const KINDS = [
  ...["queued", "started", "called", "described", "segmented", "planned", "progress", "preview", "edited", "moved"],
  ...["warning", "question", "reply", "error", "done"],
];

export class ApiError extends Error {
  /** `kind` as the server names it, or "gone" where no server answered. */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const key = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-");

/** What a failed answer means, in one sentence. */
async function failure(response) {
  const body = await response.json().catch(() => null);
  const wait = Number(response.headers.get("Retry-After")) || 0;
  const said = body?.error?.message ?? `The server answered with ${response.status}.`;
  const kind = body?.error?.kind ?? "internal";
  const when = response.status === 429 && wait && !/\d s\b|second/.test(said) ? ` Try again in ${wait} s.` : "";
  return new ApiError(kind, said + when);
}

export class Api {
  /** `ask()` is called when the server wants a token; it resolves when one was accepted. */
  constructor(ask) {
    this.ask = ask;
  }

  server = () => this.#json("GET", "/v1/server");
  examples = async () => (await this.#json("GET", "/v1/examples")).examples;
  conversation = (id) => this.#json("GET", `/v1/conversations/${encodeURIComponent(id)}`);
  begin = (example) => this.#json("POST", "/v1/conversations", { example });
  remove = (id) => this.request("DELETE", `/v1/conversations/${id}`);
  send = (id, message) => this.#json("POST", `/v1/conversations/${id}/messages`, { previews: true, ...message });
  adjust = (id, change) => this.#json("POST", `/v1/conversations/${id}/adjust`, { previews: true, ...change });
  move = (id, where, body = {}) => this.#json("POST", `/v1/conversations/${id}/${where}`, body);
  cancel = (job) => this.#json("DELETE", job.url);
  login = (token) => this.request("POST", "/v1/login", JSON.stringify({ token }), "application/json", { ask: false });
  blob = async (url) => (await this.request("GET", url)).blob();

  /** Begins a conversation with a picture file. */
  async upload(file) {
    const headers = { "X-Filename": encodeURIComponent(file.name || "picture.png") };
    const type = file.type || "application/octet-stream";
    return (await this.request("POST", "/v1/conversations", file, type, { headers })).json();
  }

  /** Keeps a painted mask, a PNG of the picture's size; answers with the mask. */
  async mask(id, image, png) {
    const response = await this.request("POST", `/v1/conversations/${id}/masks?image_id=${image}`, png, "image/png");
    return response.json();
  }

  /** The mask that clicks mean: `{image_id, mask_id?, clicks}`. */
  async refine(id, wanted) {
    let job = await this.#json("POST", `/v1/conversations/${id}/masks/refine?wait=20`, wanted);
    while (job.state === "queued" || job.state === "running") job = await this.#json("GET", `${job.url}?wait=20`);
    if (job.state === "done") return job.result.mask;
    throw new ApiError(job.error?.kind ?? "cancelled", job.error?.message ?? "Finding the mask was stopped.");
  }

  /** A file to keep: its bytes and the name that the server gave it. */
  async download(url, name) {
    const response = await this.request("GET", url);
    const given = /filename="([^"\\/]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
    return { blob: await response.blob(), name: given?.[1] ?? name };
  }

  /**
   * Tells of a job as it goes on: `heard(event)` with {kind, …data}; resolves with the ended job.
   * A lost connection is taken up again where it broke off; `lost(bool)` says when that begins and ends.
   */
  follow(job, heard, lost) {
    return new Promise((resolve, reject) => {
      let last = 0;
      let source = null;
      const listen = () => {
        source = new EventSource(`${job.events_url}${last ? `?after=${last}` : ""}`);
        source.onopen = () => lost(false);
        source.onerror = (event) => {
          if (event.data !== undefined) return;
          lost(true);
          if (source.readyState === EventSource.CLOSED) again();
        };
        for (const kind of KINDS) {
          source.addEventListener(kind, (event) => {
            if (event.data === undefined) return;
            const data = JSON.parse(event.data);
            last = event.lastEventId || last;
            if (kind === "done") {
              source.close();
              resolve(data);
            } else heard({ ...data, kind });
          });
        }
      };
      // The browser gave up: ask why in a way that has an answer, and listen anew if the job is still there.
      const again = async () => {
        source.close();
        await pause(1.5);
        try {
          const now = await this.#json("GET", job.url);
          lost(false);
          if (["done", "failed", "cancelled"].includes(now.state)) resolve(now);
          else listen();
        } catch (error) {
          if (error.kind === "gone" || error.kind === "stopping") again();
          else reject(error);
        }
      };
      listen();
    });
  }

  async #json(method, url, body) {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    return (await this.request(method, url, sent, sent === undefined ? undefined : "application/json")).json();
  }

  /** One request; a broken connection is tried again under the same idempotency key. Raises ApiError. */
  async request(method, url, body, type, { ask = true, headers: more = {} } = {}) {
    const headers = { ...more };
    if (type) headers["Content-Type"] = type;
    if (method === "POST") headers["Idempotency-Key"] = key();
    for (let tried = 0; ; tried += 1) {
      let response;
      try {
        response = await fetch(url, { method, headers, body, credentials: "same-origin" });
      } catch {
        if (tried < RETRIES) {
          await pause(0.4 * (tried + 1));
          continue;
        }
        throw new ApiError("gone", "The server does not answer. This page tries again by itself.");
      }
      if (response.ok) return response;
      const error = await failure(response);
      if (response.status !== 401 || !ask) throw error;
      await this.ask();
      tried = -1;
    }
  }
}
