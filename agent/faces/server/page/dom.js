// Small helpers for the page's elements.

export const $ = (id) => document.getElementById(id);

/** An element with properties, attributes and children; text is never read as HTML. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key in made && !key.includes("-")) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function show(element, shown) {
  element.hidden = !shown;
}

/** Sets a toggle button. */
export function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

/** Says something to screen readers, without moving anything on the page. */
export function announce(text) {
  const status = $("status");
  status.textContent = status.textContent === text ? `${text} ` : text;
}

/** Saves bytes under a name. */
export function saveAs(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Where two decimals are enough: "0.50". */
export const decimal = (number) => Number(number).toFixed(2);
