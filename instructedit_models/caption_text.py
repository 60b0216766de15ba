"""What captions say: their words, the thing they are of, and the same caption of something else.

`verification` and `own_look` read the captions of an edit with it.
"""

import re
from collections.abc import Sequence

from instructedit_models import lexicon

__all__ = ["caption_in_look", "caption_words", "materials_differ", "other_captions", "phrase_of"]

_MEDIUM = re.compile(
    r"^(?:an?\s+)?(?:[\w-]+\s+)?(?:photo|photograph|picture|image|painting|drawing|sketch|illustration|art)\s+of\s+",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_ENDS_WITH_ARTICLE = re.compile(r"\ban?\s+$", re.IGNORECASE)


def caption_words(caption: str) -> set[str]:
    """The words of a caption in lower case, hyphens kept."""
    return set(re.findall(r"[\w-]+", caption.lower()))


def phrase_of(caption: str) -> str:
    """What a caption is of, as a detector is asked: "photo of a red car" -> "red car"."""
    return _ARTICLE.sub("", _MEDIUM.sub("", caption.strip())) or caption


def materials_differ(input_caption: str, edited_caption: str) -> bool:
    """Whether the edited caption names a material that the input caption does not, e.g. "wooden"."""
    return bool((caption_words(edited_caption) - caption_words(input_caption)) & lexicon.MATERIALS)


def other_captions(caption: str, nouns: Sequence[str]) -> list[str]:
    """The caption with its noun exchanged for each other one; none where it has no noun of the list.

    Of several nouns the last counts: "photo of an orange box" is of a box.
    """
    found = [match for noun in nouns for match in re.finditer(rf"\b{re.escape(noun)}\b", caption, re.IGNORECASE)]
    if not found:
        return []
    last = max(found, key=lambda match: match.start())
    own, before, after = last.group().lower(), caption[: last.start()], caption[last.end() :]
    directly = _ENDS_WITH_ARTICLE.search(before)
    return [
        (f"{before[: directly.start()]}{lexicon.with_article(noun)}" if directly else before + noun) + after
        for noun in nouns
        if noun.lower() != own
    ]


def caption_in_look(caption: str, thing: str, look: str) -> str:
    """A caption of the same picture that says nothing of the thing but this look of it.

    "photo of a striped golden house", "house", "wooden" -> "photo of a wooden house".
    """
    medium = _MEDIUM.match(caption.strip())
    rest = caption.strip()[medium.end() :] if medium else caption.strip()
    said = f"{look} {thing}"
    return (medium.group() if medium else "") + (lexicon.with_article(said) if _ARTICLE.match(rest) else said)
