"""The slash commands of a chat: what needs no language model, from `/undo` to `/why`.

`chat` runs them by name; each is a function of the desk, which holds the conversation, the view and the last turn.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.faces.chat_pictures import Gallery
from agent.faces.chat_view import View
from instructedit_models.errors import BadParameterError

if TYPE_CHECKING:
    from agent.record import TurnRecord
    from tools.conversation import Conversation
    from tools.graph import Version

__all__ = ["COMMANDS", "Command", "Desk", "run_command"]


@dataclass
class Desk:
    """What the commands work on.

    Attributes:
        conversation: pictures, masks and edits.
        view: what the person sees.
        gallery: makes and shows pictures.
        last: the record of the last turn in this sitting, as data.
        open: the chat goes on.
        records: the records of all turns of this sitting.
    """

    conversation: "Conversation"
    view: View
    gallery: Gallery
    last: dict | None = None
    open: bool = True
    records: list["TurnRecord"] = field(default_factory=list)


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        usage: its arguments, for the help.
        summary: what it does.
        run: does it, given the words behind its name.
        takes_version: whether its arguments are versions, for completion.
        most: how many words it takes at most.
    """

    usage: str
    summary: str
    run: Callable[[Desk, Sequence[str]], None]
    takes_version: bool = False
    most: int = 1


def run_command(line: str, desk: Desk) -> None:
    """Runs a line that begins with "/"; the name may be cut short where it stays clear.

    Raises:
        BadParameterError: there is no such command, or its arguments cannot be used.
    """
    name, _, rest = line[1:].strip().partition(" ")
    begun = [one for one in COMMANDS if name and one.startswith(name.lower())]
    command = COMMANDS.get(begun[0] if len(begun) == 1 else name.lower())
    if command is None:
        near = difflib.get_close_matches(name.lower(), COMMANDS, n=1)
        hint = f"did you mean /{near[0]}?" if near else "/help lists them."
        raise BadParameterError(f'There is no command "/{name[:40]}"; {hint}')
    words = rest.split()
    if len(words) > command.most:
        raise BadParameterError(f"/{name} takes {command.usage or 'nothing'} and no more.")
    command.run(desk, words)


def _undo(desk: Desk, words: Sequence[str]) -> None:
    _moved(desk, desk.conversation.undo(_count(words, "undo")))


def _redo(desk: Desk, words: Sequence[str]) -> None:
    _moved(desk, desk.conversation.redo(_count(words, "redo")))


def _go(desk: Desk, words: Sequence[str]) -> None:
    if not words:
        raise BadParameterError(
            '/go takes a version: a number, an id or what it was, as in "/go 2" or "/go the tiger".'
        )
    version = _version(desk, " ".join(words))
    desk.conversation.go_to(version.id)
    _moved(desk, version.id)


def _moved(desk: Desk, image_id: str) -> None:
    desk.view.say(f"Now at {_titled(desk.conversation.version(image_id))}.")
    desk.gallery.show(image_id)


def _versions(desk: Desk, words: Sequence[str]) -> None:
    from tools.finding import what_it_was

    current = desk.conversation.current_id
    rows = [("", "version", "from", "r", "check", "what")]
    for version in desk.conversation.versions():
        mark = "*" if version.id == current else " "
        if version.edit is None:
            rows.append((mark, version.id, "", "", "", f"the original, {version.size[0]} x {version.size[1]} pixels"))
            continue
        edit = version.edit
        origin = edit.adjusts or edit.parent_id
        check = "verified" if edit.verified else "not verified"
        rows.append((mark, version.id, origin, f"{edit.options.encoding_ratio:g}", check, what_it_was(version)))
    desk.view.table(rows)


def _show(desk: Desk, words: Sequence[str]) -> None:
    version = _version(desk, " ".join(words))
    desk.view.say(f"{_titled(version)[:1].upper()}{_titled(version)[1:]}.")
    desk.gallery.show(version.id)


def _mask(desk: Desk, words: Sequence[str]) -> None:
    version = _version(desk, " ".join(words))
    if version.edit is None:
        raise BadParameterError(f"{version.id} is the original: nothing was masked in it yet.")
    entry = desk.conversation.mask_entry(version.edit.mask_id)
    chosen = ", ".join(region.id for region in entry.regions if region.chosen)
    share = float(desk.conversation.mask(entry.id).mean()) * 100
    found = f" ({chosen} of {len(entry.regions)} found)" if chosen else ""
    desk.view.say(
        f'The mask of {version.id}: "{version.edit.segmentation_prompt}"{found}, {share:.1f}% of the picture.'
    )
    if entry.note:
        desk.view.note(entry.note)
    desk.gallery.show_mask(version)


def _compare(desk: Desk, words: Sequence[str]) -> None:
    after = _version(desk, words[-1] if words else "")
    if len(words) == 2:
        before = _version(desk, words[0])
    else:
        before = desk.conversation.version(after.edit.parent_id if after.edit else after.id)
    if before.id == after.id:
        raise BadParameterError(f"There is nothing to compare {after.id} with; name two versions, as in /compare 1 2.")
    desk.view.say(f"{before.id} beside {after.id}.")
    desk.gallery.show_comparison(before, after)


def _save(desk: Desk, words: Sequence[str]) -> None:
    if not words:
        raise BadParameterError(
            '/save takes a file and, if you like, a version, as in "/save out.png" or "/save a.png 2".'
        )
    version = _version(desk, words[1] if len(words) > 1 else "")
    target = Path(words[0]).expanduser()
    for note in desk.gallery.save(version, target):
        desk.view.note(f"Note: {note}")
    desk.view.say(f"Wrote {version.id} to {target}.")


def _why(desk: Desk, words: Sequence[str]) -> None:
    from agent.faces.chat_why import explanation

    turns = [desk.last] if desk.last is not None else desk.conversation.turns()[-1:]
    if not turns:
        desk.view.say("Nothing was done yet.")
        return
    desk.view.say(explanation(turns[0]))


def _help(desk: Desk, words: Sequence[str]) -> None:
    desk.view.say("Say what to change, in your own words, or ask about the picture. Besides:")
    desk.view.table([(f"  /{name} {one.usage}".rstrip(), one.summary) for name, one in COMMANDS.items()])
    desk.view.say(
        "A version is a number (2), an id (image_2) or what it was; without one the current version is meant."
    )


def _quit(desk: Desk, words: Sequence[str]) -> None:
    desk.open = False


def _count(words: Sequence[str], name: str) -> int:
    if not words:
        return 1
    if not (words[0].isdecimal() and len(words[0]) < 5 and int(words[0]) > 0):
        raise BadParameterError(f'/{name} takes a number of edits, as in "/{name} 2", not {words[0][:40]!r}.')
    return int(words[0])


def _version(desk: Desk, words: str) -> "Version":
    from tools.finding import find_version

    if not words:
        return desk.conversation.version(desk.conversation.current_id)
    return find_version(desk.conversation, words)


def _titled(version: "Version") -> str:
    from tools.finding import what_it_was

    return f"{version.id} (the original)" if version.edit is None else f"{version.id} ({what_it_was(version)})"


_MANY = 20

COMMANDS = {
    "undo": Command("[N]", "take back the last edit, or the last N", _undo),
    "redo": Command("[N]", "make the last undone edit current again", _redo),
    "go": Command("VERSION", "make any version current; the next edit begins there", _go, True, _MANY),
    "versions": Command("", "list all versions", _versions, most=0),
    "show": Command("[VERSION]", "show a version", _show, True, _MANY),
    "mask": Command("[VERSION]", "show where a version was edited", _mask, True, _MANY),
    "compare": Command("[[VERSION] VERSION]", "show two versions side by side", _compare, True, 2),
    "save": Command("FILE [VERSION]", "write a version, with the original's metadata", _save, True, 2),
    "why": Command("", "say what the agent did in the last turn, and why", _why, most=0),
    "help": Command("", "this list", _help, most=0),
    "quit": Command("", "leave; the conversation is kept", _quit, most=0),
}
"""All commands by name, in the order of the help."""
