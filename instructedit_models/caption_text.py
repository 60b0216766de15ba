"""What captions say: their words, the thing they are of, and the same caption of something else.

`verification` and `own_look` read the captions of an edit with it.
"""

import re
from collections.abc import Iterator, Sequence

from instructedit_models import lexicon

__all__ = ["caption_words", "captions_in_other_looks", "materials_differ", "other_captions", "phrase_of"]

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
    found = [match for noun in nouns for match in _said(caption, noun)]
    return _exchanged(caption, max(found, key=lambda match: match.start()), nouns) if found else []


def captions_in_other_looks(caption: str, look: str, looks: Sequence[str]) -> list[str]:
    """The caption with its look, the first that it names so, exchanged for each other one; none where it has not.

    "photo of a wooden cat" -> "photo of a striped cat", "photo of a plain cat".
    """
    found = next(_said(caption, look), None)
    return _exchanged(caption, found, looks) if found else []


def _said(caption: str, word: str) -> Iterator[re.Match[str]]:
    return re.finditer(rf"\b{re.escape(word)}\b", caption, re.IGNORECASE)


def _exchanged(caption: str, said: re.Match[str], words: Sequence[str]) -> list[str]:
    """The caption with each other word in the place of what was said, after the article that it takes."""
    own, before, after = said.group().lower(), caption[: said.start()], caption[said.end() :]
    directly = _ENDS_WITH_ARTICLE.search(before)
    return [
        (f"{before[: directly.start()]}{lexicon.with_article(word)}" if directly else before + word) + after
        for word in words
        if word.lower() != own
    ]
