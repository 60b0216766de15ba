// What the page works out from a conversation as the server gives it.

/** The number that people see: 2 of "image_2". */
export const number = (id) => Number(id.split("_")[1]);

/** What a version is called: "Original", "Green cup", "Green cup, 0.70". */
export function label(version) {
  if (version.original) return "Original";
  const words = version.removal ? version.what : version.edited_caption.replace(/^.*?\bof (an? |the )?/i, "");
  const name = words.charAt(0).toUpperCase() + words.slice(1);
  return version.adjusts && version.encoding_ratio ? `${name}, ${version.encoding_ratio.toFixed(2)}` : name;
}

export const versionOf = (conversation, id) => conversation.versions.find((version) => version.id === id);
export const current = (conversation) => versionOf(conversation, conversation.current);
export const original = (conversation) => conversation.versions.find((version) => version.original);

/** Words of the agent for people: versions by their number, candidates without ids. */
export const readable = (text) => text.replace(/\bimage_(\d+)\b/g, "version $1").replace(/ \(r\d+\)/g, "");

/** A mask as an RGBA layer of the picture's size. */
export const layer = (maskUrl) => `${maskUrl}?as=layer`;

/** The instruction that an edit goes back to: not "stronger", and not the answer to a question. */
export function instruction(conversation, version) {
  let edit = version;
  while (edit?.adjusts) edit = versionOf(conversation, edit.adjusts);
  if (!edit) return "";
  const { messages } = conversation;
  let at = messages.findIndex((message) => message.made.includes(edit.id));
  if (at < 0) return edit.instruction ?? "";
  while (at > 0 && messages[at - 1].kind === "question") at -= 1;
  return messages[at].text;
}
