"""Tool `list_versions`: every picture of the conversation and how it was made."""

from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.graph import EditNode, Version

__all__ = ["ListVersions", "ListVersionsArguments"]

LISTED = 40
"""The newest versions that are listed."""
LEADING = 160
"""The older ones that are listed as well, since they lead to the current picture."""


class ListVersionsArguments(Arguments):
    """None are needed."""


class ListVersions(Tool[ListVersionsArguments]):
    """Lists the versions."""

    name = "list_versions"
    description = "Lists the versions of the picture: their ids, what was edited, and which one is current."
    arguments = ListVersionsArguments
    repeatable = True

    def run(self, context: ToolContext, arguments: ListVersionsArguments) -> ToolResult:
        """One line per version, newest last; of very many the newest, and those that lead to the current one."""
        versions, current = context.conversation.versions(), context.conversation.current_id
        older = versions[:-LISTED]
        leading = {edit.image_id for edit in context.conversation.path(current)} | {current}
        leading |= _adjusted(leading, {version.id: version for version in versions})
        shown = [version for version in older if version.id in leading][-LEADING:]
        lines = [_line(version, current) for version in (*shown, *versions[-LISTED:])]
        if len(older) > len(shown):
            lines.insert(0, f"({len(older) - len(shown)} older versions)")
        return ToolResult("\n".join(lines), image_id=current)


def _adjusted(leading: set[str], versions: dict[str, Version]) -> set[str]:
    """What the edits on the way were made again from, first attempts included."""
    found: set[str] = set()
    for image_id in leading:
        edit = versions[image_id].edit
        while edit is not None and edit.adjusts and edit.adjusts not in found:
            found.add(edit.adjusts)
            edit = versions[edit.adjusts].edit
    return found


def _line(version: Version, current: str) -> str:
    mark = " (current)" if version.id == current else ""
    if version.edit is None:
        return f"{version.id}{mark}: original, {version.size[0]} x {version.size[1]} pixels"
    edit = version.edit
    if edit.removal:
        return f"{version.id}{mark}: from {edit.parent_id}, without the edit of {edit.supersedes[0]}"
    origin = f"{edit.adjusts}, made again from {edit.parent_id}" if edit.adjusts else edit.parent_id
    return (
        f"{version.id}{mark}: from {origin}, '{edit.segmentation_prompt}' ({edit.mask_id}): "
        f"'{edit.input_caption}' -> '{edit.edited_caption}', encoding ratio {edit.options.encoding_ratio:g}, "
        f"{'verified' if edit.verified else 'not verified'}{_standing(edit)}"
    )


def _standing(edit: EditNode) -> str:
    """What else the edit stands on or in for."""
    parts = []
    if edit.base == "source":
        parts.append("from the source pixels")
    if edit.replaces:
        parts.append(f"in place of {edit.replaces}")
    elif edit.supersedes:
        parts.append(f"instead of {', '.join(edit.supersedes)}")
    if edit.reapplies:
        parts.append(f"as in {edit.reapplies}")
    return "".join(f", {part}" for part in parts)
