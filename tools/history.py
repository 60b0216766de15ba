"""What undo and redo lead to, worked out from the edit graph and the log of moves. `tools.conversation` asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tools.graph import Version

__all__ = ["Move", "earlier", "redoable"]


@dataclass(frozen=True)
class Move:
    """The current pointer went from one version to another.

    Attributes:
        from_id: the version that was current; None for a conversation's first picture.
        to_id: the version that became current.
        reason: "image", "edit", "undo", "redo", "go_to" or "turn failed".
    """

    from_id: str | None
    to_id: str
    reason: str


def earlier(versions: Mapping[str, Version], image_id: str) -> list[str]:
    """The versions that undo leads to from a version, nearest first.

    An edit that was made again is taken back to the first attempt; one that was made again below later edits is taken
    back to the picture with those edits.
    """
    found: list[str] = []
    while (edit := versions[image_id].edit) is not None:
        again = edit.adjusts if edit.adjusts != edit.replaces else None
        image_id = again or edit.parent_id
        found.append(image_id)
    return found


def redoable(versions: Mapping[str, Version], moves: Iterable[Move]) -> list[str]:
    """The versions that redo leads to, nearest first; an edit ends what could be redone."""
    ahead: list[str] = []
    states: list[tuple[str, list[str]]] = []
    for move in moves:
        way = _way_back(versions, move) if move.reason in ("undo", "go_to") else None
        if move.reason == "turn failed":
            ahead = next((list(stack) for image_id, stack in reversed(states) if image_id == move.to_id), [])
        elif way is not None:
            ahead = [*ahead, *way]
        elif move.reason == "redo" and move.to_id in ahead:
            del ahead[_last(ahead, move.to_id) :]
        else:
            ahead = []
        states.append((move.to_id, list(ahead)))
    return ahead[::-1]


def _way_back(versions: Mapping[str, Version], move: Move) -> list[str] | None:
    """The versions that a move back passed, farthest last; None where it did not go back."""
    if move.from_id is None or move.from_id == move.to_id:
        return [] if move.from_id else None
    behind = earlier(versions, move.from_id)
    if move.to_id not in behind:
        return None
    return [move.from_id, *behind[: behind.index(move.to_id)]]


def _last(items: Sequence[str], item: str) -> int:
    return len(items) - 1 - items[::-1].index(item)
