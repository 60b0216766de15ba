"""What a clause asks for, before it is known what "it" is: drafts of edits, made by the frames."""

from dataclasses import dataclass
from typing import Literal

from agent.grammar.looks import Look
from agent.grammar.phrases import NounPhrase

Action = Literal["look", "become", "add", "remove", "scene", "mention"]


@dataclass(frozen=True)
class Draft:
    """One edit, or a mention of a thing that a later "it" may mean.

    Attributes:
        action: `look` changes adjectives; `become` makes another thing of it; `add` gives it something; `remove`
            takes it away; `scene` puts another background behind the objects; `mention` does nothing.
        source: what is edited; None where nothing was named.
        look: for `look`.
        things: for `become`, `add` and `scene`: what it becomes or gets.
        was: what it looked like before, in "from red to blue".
        joint: how an addition is joined to its bearer in a caption: "with", "covered with", "in".
        then: what is done to the same thing in the same edit afterwards.
    """

    action: Action
    source: NounPhrase | None
    look: Look | None = None
    things: tuple[NounPhrase, ...] = ()
    was: Look | None = None
    joint: str = "with"
    then: tuple["Draft", ...] = ()


class VagueRequest(Exception):  # noqa: N818 - it is a message to `understand`, not a failure
    """A clause was understood, and what it asks for cannot be drawn; its text says why."""
