"""Finds the version that words mean: its number, its id, its place in the history, or what it was ("the tiger").

The tool `go_back` and the faces use it.
"""

import re
from collections.abc import Sequence

from instructedit_models.errors import BadParameterError
from instructedit_models.numerals import NTH, nth
from tools.conversation import Conversation
from tools.graph import Version

__all__ = ["find_version", "matching_versions", "what_it_was"]

_NUMBER = re.compile(r"(?:image|version|number|picture|turn|no\.?|#)?[ _#]*(\d{1,9})")
_NTH = re.compile(rf"({NTH})(?: (?:version|picture|image|one))?")
_ORIGINAL = {"original", "source", "start", "beginning", "unedited", "untouched", "where we started"}
_LATEST = {"latest", "newest", "last", "most recent", "end"}
_PREVIOUS = {"previous", "back", "where we were", "where i was", "one before", "before", "that"}
_FILLER = set(
    (
        "the a an of to with in on at and or it its is was were be that this version versions picture pictures image "
        "images photo painting drawing one where when had has have i we you back go made make turned into edit edited"
    ).split()
)
_LISTED = 8


def find_version(conversation: Conversation, words: str) -> Version:
    """The version that the words mean.

    Of several that fit equally well, it is the newest that leads to the current one, or else the newest.

    Args:
        conversation: where to look.
        words: "2", "image_2", "the second version", "original", "previous", "latest", "the tiger", "before the tiger".

    Raises:
        BadParameterError: no version fits.
    """
    return matching_versions(conversation, words)[0]


def matching_versions(conversation: Conversation, words: str) -> list[Version]:
    """All versions that fit the words equally well, best first, at least one; errors as in `find_version`."""
    versions = conversation.versions()
    text = " ".join(re.sub(r"[^\w#.' -]", " ", words.lower()).split()).strip(" .'")
    text = re.sub(r"^(?:(?:go )?back to |to )", "", text)
    plain = re.sub(r"^(?:the )?(?:very )?", "", text)
    plain = re.sub(r"^(?:version|picture|image|one|way it was) (?=before )", "", plain)
    plain = re.sub(r"^(.+?) before (?:it|they) (?:was|were|became|turned|got) (.+)$", r"before \2 \1", plain)
    if not plain:
        raise BadParameterError("No version was named; give its number, its id or what it was.")
    if (number := _named_number(plain)) is not None:
        return [_numbered(versions, number, words)]
    ended = re.sub(r" (?:version|picture|image|photo|one)$", "", plain)
    if ended in _ORIGINAL:
        path = conversation.path(conversation.current_id)
        return [_by_id(versions, path[0].parent_id if path else conversation.current_id)]
    if ended in _LATEST:
        return [versions[-1]]
    if ended in _PREVIOUS:
        return [_by_id(versions, _previous(conversation))]
    if match := re.match(r"before (.+)", plain):
        after = _described(conversation, versions, match.group(1), words)
        parents = [_by_id(versions, version.edit.parent_id) for version in after if version.edit]
        return list({version.id: version for version in parents}.values())
    return _described(conversation, versions, plain, words)


def what_it_was(version: Version) -> str:
    """A version in a few words: what was edited to what."""
    if version.edit is None:
        return "the original"
    if version.edit.removal:
        return f"without the edit of '{version.edit.segmentation_prompt}'"
    return f"'{version.edit.segmentation_prompt}' to '{version.edit.edited_caption}'"


def _named_number(text: str) -> int | None:
    if match := _NUMBER.fullmatch(text):
        return int(match.group(1))
    match = _NTH.fullmatch(text)
    return nth(match.group(1)) if match else None


def _numbered(versions: Sequence[Version], number: int, words: str) -> Version:
    if not 1 <= number <= len(versions):
        have = f"they are numbered 1 to {len(versions)}" if len(versions) > 1 else "there is only the original"
        raise BadParameterError(f"There is no version '{_short(words)}': {have}.")
    return versions[number - 1]


def _by_id(versions: Sequence[Version], image_id: str) -> Version:
    return next(version for version in versions if version.id == image_id)


def _previous(conversation: Conversation) -> str:
    """The version that was current before the last move that went anywhere."""
    current = conversation.current_id
    for move in reversed(conversation.moves()):
        if move.from_id and move.from_id != current:
            return move.from_id
    raise BadParameterError(f"There is no version before this one: {current} is the only one so far.")


def _described(conversation: Conversation, versions: Sequence[Version], text: str, words: str) -> list[Version]:
    """The versions whose edit fits the words best: all of them in what it was edited to, or else anywhere in it."""
    wanted = _content(text)
    scored = [(_fit(wanted, version), version) for version in versions if version.edit is not None]
    best = max((score for score, _ in scored), default=0)
    if not wanted or best == 0:
        listed = [f"{version.id} ({what_it_was(version)})" for version in versions[-_LISTED:]]
        older = f"{len(versions) - _LISTED} older ones, " if len(versions) > _LISTED else ""
        raise BadParameterError(f"No version is '{_short(words)}'; there are {older}{', '.join(listed)}.")
    current = conversation.current_id
    found = [version for score, version in scored if score == best]
    if best <= 2:  # the words are in what was edited away, so the picture before that edit is meant
        parents = {version.edit.parent_id for version in found if version.edit}
        found = [version for version in versions if version.id in parents]
    behind = {current, *(edit.parent_id for edit in conversation.path(current))}
    return sorted(
        found, key=lambda version: (version.id == current, version.id not in behind, -versions.index(version))
    )


def _fit(wanted: set[str], version: Version) -> int:
    """How well words fit a version.

    4 where its edit brought them in, 3 where they are in what it made, 2 where it turned them into something else, 1
    where they are in what was before, 0 where they are nowhere.
    """
    edit = version.edit
    if edit is None or not wanted:
        return 0
    after, before = _content(edit.edited_caption), _content(edit.input_caption) | _content(edit.segmentation_prompt)
    if wanted <= after:
        return 4 if wanted & (after - before) else 3
    if edit.change == "shape" and wanted <= _content(edit.input_caption):
        return 2
    return 1 if wanted <= before else 0


def _content(text: str) -> set[str]:
    """The words that say something, in the singular."""
    return {_singular(word) for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in _FILLER}


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("xes", "shes", "ches", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
