// A mask painted over the picture: brush, eraser, clicks, undo; by pointer, finger or keyboard.

const LONGEST = 1024; // working size in pixels; masks are scaled to the picture's size when they are sent
const REMEMBERED = 30;
const TINT = "rgb(255 92 60 / 0.55)";

/**
 * The mask lives in a canvas of its own, opaque where the picture may change; what is seen is drawn from it.
 *
 * `onChange()` is called after each change, `onPoint(x, y, inside)` for a click of the tools "add" and "cut", with
 * x and y in pixels of the picture, and `onMove(words)` says where the keyboard's cursor is.
 */
export class Painter {
  constructor(canvas, { onChange, onPoint, onMove }) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.onPoint = onPoint;
    this.onMove = onMove;
    this.tool = "brush";
    this.mask = document.createElement("canvas");
    this.past = [];
    this.cursor = null;
    this.last = null;
    this.open(1, 1);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.#up());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#point(null));
  }

  /** Begins an empty mask for a picture of this size. */
  open(width, height) {
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    this.full = { width, height };
    for (const canvas of [this.canvas, this.mask]) {
      canvas.width = Math.max(1, Math.round(width * scale));
      canvas.height = Math.max(1, Math.round(height * scale));
    }
    this.past = [];
    this.tag = null;
    this.size = 30;
    this.cursor = null;
    this.#draw();
  }

  /** The brush's size, 1 to 100: its radius is up to a quarter of the picture's shorter side. */
  set size(percent) {
    this.percent = Math.min(100, Math.max(1, percent));
    this.radius = Math.max(0.5, (Math.min(this.mask.width, this.mask.height) / 4) * (this.percent / 100) ** 1.5);
    this.#draw();
  }

  get size() {
    return this.percent;
  }

  get undoable() {
    return this.past.length > 0;
  }

  undo() {
    const before = this.past.pop();
    if (!before) return;
    this.tag = before.tag;
    this.#put(before.canvas);
  }

  clear() {
    if (this.share() === 0) return;
    this.#remember();
    this.#put(null);
  }

  /** Takes a mask over: a picture whose white pixels may change. `tag` is kept with it until it is painted over. */
  async load(blob, tag = null) {
    const bitmap = await createImageBitmap(blob);
    const canvas = this.#blank();
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < pixels.data.length; i += 4) pixels.data[i + 3] = pixels.data[i] > 127 ? 255 : 0;
    context.putImageData(pixels, 0, 0);
    this.#remember();
    this.tag = tag;
    this.#put(canvas);
  }

  /** The share of the picture that is painted, 0 to 1. */
  share() {
    const { width, height } = this.mask;
    const { data } = this.mask.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height);
    let painted = 0;
    for (let i = 3; i < data.length; i += 4) painted += data[i] > 127;
    return painted / (width * height);
  }

  /** A PNG of the picture's size, white where it may change and black elsewhere. */
  toBlob() {
    const canvas = document.createElement("canvas");
    canvas.width = this.full.width;
    canvas.height = this.full.height;
    const context = canvas.getContext("2d");
    context.drawImage(this.mask, 0, 0, canvas.width, canvas.height);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      pixels.data.fill(pixels.data[i + 3] > 127 ? 255 : 0, i, i + 3);
      pixels.data[i + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  #blank() {
    const canvas = document.createElement("canvas");
    canvas.width = this.mask.width;
    canvas.height = this.mask.height;
    return canvas;
  }

  #remember() {
    const copy = this.#blank();
    copy.getContext("2d").drawImage(this.mask, 0, 0);
    this.past = [...this.past.slice(1 - REMEMBERED), { canvas: copy, tag: this.tag }];
    this.tag = null;
  }

  #put(canvas) {
    const context = this.mask.getContext("2d", { willReadFrequently: true });
    context.clearRect(0, 0, this.mask.width, this.mask.height);
    if (canvas) context.drawImage(canvas, 0, 0);
    this.#draw();
    this.onChange();
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.canvas.width,
      y: ((event.clientY - box.top) / box.height) * this.canvas.height,
    };
  }

  #down(event) {
    if (event.button !== 0 || this.canvas.hidden) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    const at = this.#at(event);
    if (this.#picks()) return this.#pick(at);
    this.canvas.setPointerCapture(event.pointerId);
    this.#remember();
    this.last = at;
    this.#stroke(at);
  }

  #move(event) {
    const at = this.#at(event);
    if (this.last) for (const each of event.getCoalescedEvents?.() ?? [event]) this.#stroke(this.#at(each));
    if (this.last) this.#stroke(at);
    this.#point(event.pointerType === "touch" && !this.last ? null : at);
  }

  #up() {
    if (!this.last) return;
    this.last = null;
    this.onChange();
  }

  #picks() {
    return this.tool === "add" || this.tool === "cut";
  }

  #pick({ x, y }) {
    const scale = this.full.width / this.canvas.width;
    const inside = (value, extent) => Math.min(extent - 1, Math.max(0, Math.floor(value * scale)));
    this.onPoint(inside(x, this.full.width), inside(y, this.full.height), this.tool === "add");
  }

  #stroke(at) {
    const context = this.mask.getContext("2d", { willReadFrequently: true });
    context.globalCompositeOperation = this.tool === "eraser" ? "destination-out" : "source-over";
    context.strokeStyle = "#fff";
    context.lineCap = "round";
    context.lineJoin = "round";
    context.lineWidth = this.radius * 2;
    context.beginPath();
    context.moveTo(this.last.x, this.last.y);
    context.lineTo(at.x + 0.01, at.y);
    context.stroke();
    context.globalCompositeOperation = "source-over";
    this.last = at;
    this.#draw();
  }

  #key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { width, height } = this.canvas;
    const at = this.cursor ?? { x: width / 2, y: height / 2 };
    if (event.key in arrows) {
      const step = (Math.max(width, height) / 100) * (event.shiftKey ? 10 : 2);
      const [dx, dy] = arrows[event.key];
      const moved = {
        x: Math.min(width - 1, Math.max(0, at.x + dx * step)),
        y: Math.min(height - 1, Math.max(0, at.y + dy * step)),
      };
      this.#point(moved);
      const percent = (value, extent) => Math.round((100 * value) / extent);
      this.onMove(`${percent(moved.x, width)} % across, ${percent(moved.y, height)} % down`);
    } else if (event.key === " " || event.key === "Enter") {
      this.#point(at);
      if (this.#picks()) this.#pick(at);
      else {
        this.#remember();
        this.last = at;
        this.#stroke(at);
        this.#up();
      }
    } else if (event.key === "[" || event.key === "]") {
      this.size += event.key === "]" ? 5 : -5;
      this.onChange();
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else return;
    event.preventDefault();
  }

  #point(at) {
    this.cursor = at;
    this.#draw();
  }

  #draw() {
    const context = this.canvas.getContext("2d");
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.mask, 0, 0);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = TINT;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.globalCompositeOperation = "source-over";
    if (!this.cursor) return;
    const thin = Math.max(1, this.canvas.width / 400);
    const radius = this.#picks() ? thin * 5 : this.radius;
    for (const [colour, width] of [["rgb(0 0 0 / 0.7)", thin * 2.5], ["#fff", thin]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(this.cursor.x, this.cursor.y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}
