// Events of the agent in words that a person reads.

const counted = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;

/** One line for a step of the agent, as a list of strings and {quoted}; null for what is no step of its own. */
export function worded(event) {
  switch (event.kind) {
    case "described":
      return event.question
        ? ["Asked BLIP-2 ", { quoted: event.question }, " and read ", { quoted: event.text }]
        : ["Asked BLIP-2 what the picture shows: ", { quoted: event.text }];
    case "segmented": {
      const chosen = event.regions.filter((region) => region.chosen).length;
      const found = event.regions.length === 0 ? "took the mask" : `found ${event.regions.length}`;
      const some = chosen > 0 && chosen < event.regions.length;
      const took = event.ambiguous.length ? ", which tie" : some ? `, took ${chosen}` : "";
      return ["Looked for ", { quoted: event.prompt }, `: ${found}${took}`];
    }
    case "planned": {
      const strength = `, strength ${event.encoding_ratio.toFixed(2)}`;
      return ["From ", { quoted: event.input_caption }, " to ", { quoted: event.edited_caption }, strength];
    }
    case "edited":
      return [event.verified ? "Checked the result: it is there" : "Made a result that did not pass every check"];
    case "warning":
      return [event.text];
    default:
      return null;
  }
}

/** What is said of a job that waits. */
export function waiting({ ahead, seconds }) {
  if (!ahead) return "Starting";
  const about = seconds ? `, about ${Math.ceil(seconds)} s` : "";
  return `${counted(ahead, "job")} before yours${about}`;
}

/** "2: red box, on the right" of a candidate, where it lies in a picture of this [width, height]. */
export function candidate(region, [width, height]) {
  const [x0, y0, x1, y1] = region.box;
  const third = (value, extent) => Math.min(2, Math.max(0, Math.floor((3 * value) / extent)));
  const row = ["top", "", "bottom"][third((y0 + y1) / 2, height)];
  const column = ["left", "", "right"][third((x0 + x1) / 2, width)];
  return `${region.number}: ${region.phrase}, ${`${row} ${column}`.trim() || "centre"}`;
}

/** "5 minutes ago", of milliseconds since 1970. */
export function ago(time) {
  const minutes = Math.round((Date.now() - time) / 60_000);
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (minutes < 1) return "just now";
  if (minutes < 60) return format.format(-minutes, "minute");
  if (minutes < 36 * 60) return format.format(-Math.round(minutes / 60), "hour");
  return format.format(-Math.round(minutes / 1440), "day");
}
