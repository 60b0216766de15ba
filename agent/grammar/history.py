"""Turns about the conversation itself: undo, redo, "go back to the cat", "what did we change?", "stronger".

`dialogue` asks before it looks for an edit.
"""

import re
from dataclasses import dataclass
from typing import Literal

from agent.grammar.intents import Feedback, history_intent
from agent.grammar.tokens import tokenize
from instructedit_models.numerals import CARDINALS, NTH

__all__ = [
    "Adjustment",
    "Move",
    "adjustment",
    "aside",
    "asks_for_history",
    "move",
    "plain",
    "praised",
    "taken_out",
    "variations",
]

_NUMBERS = {
    **CARDINALS, "twice": 2, "thrice": 3, "once": 1, "a couple of": 2, "a few": 3, "several": 4, "some": 4, "more": 4
}  # fmt: skip
_COUNT = rf"(?:{'|'.join(_NUMBERS)}|\d+)"
_SOFT = r"(?:(?:please|ok|okay|now|can you|could you|would you|just|hm+|um+|well|let us|let's|and|so|then|no)[ ,]+)*"
_UNDOING = r"(?:undo|revert|take back|roll back|step back|go back|cancel|discard|reverse)"
_UNDO = re.compile(
    rf"^{_SOFT}{_UNDOING}(?: (?:that|it|this|them|by))?(?: (?:the|my|your|our|these|those))?"
    rf"(?: (?:last|previous|latest))?(?: (?P<count>{_COUNT}))?(?: (?:last|latest))?(?: (?P<again>twice|thrice|once))?"
    r"(?: (?:edits?|changes?|steps?|times?|things?|ones?|turns?))?(?: (?:again|please|back|too|as well))*$"
)
_BACKWARDS = re.compile(
    rf"^{_SOFT}(?:(?:the )?previous (?:version|one|picture|image)|"
    rf"(?:go |take )?(?P<count>{_COUNT}) (?:steps?|versions?) back|"
    rf"go back (?P<versions>{_COUNT}) versions?|"
    r"put (?:it|that) back|as it was before)(?: please)?$"
)
_ALL = re.compile(
    rf"^{_SOFT}(?:start over|start again|begin again|start from scratch|reset|(?:undo|revert|discard|cancel|take back) "
    r"(?:everything|it all|that all|the lot|all|"
    r"all of (?:it|them|that)|all (?:the |my |your |our )?(?:edits|changes)|them all))\b.*$"
)
_REDO = re.compile(
    rf"^{_SOFT}(?:redo|re-do|(?:undo|take back|cancel) the undo)(?: (?:that|it|this))?(?: the)?(?: last)?"
    rf"(?: (?P<count>{_COUNT}))?(?: (?:edits?|changes?|steps?|times?|ones?|undone edits?))?(?: (?:again|please))*$"
)
_BACK_TO = re.compile(
    rf"^{_SOFT}(?:i(?: would|'d) like to |i want to |take (?:me|us|it) |bring (?:me|us|it) )?"
    r"(?:(?:go|get|switch|jump|come|step|roll|change|return|revert|reset)\s+)?"
    r"(?:back\s+(?:again\s+)?(?:to|before)|return\s+to|revert\s+to|reset\s+to|switch\s+to|jump\s+to|restore)\s+"
    r"(?P<version>.+?)(?:[,;]? (?:and(?: then)?|then),? (?P<then>.+))?$"
)
_THING = r"(?:the|my|our|his|her|its) (?P<thing>[\w' -]{2,60}?)"
_TAKE_OUT = (
    re.compile(
        rf"^{_SOFT}(?:undo|revert|take back|cancel|reverse|discard)(?: (?:only|just))?"
        rf"(?: (?:the )?(?:changes?|edits?) (?:to|of|on|at|in))? {_THING}(?: (?:only|alone|again|part|edit|change))*$"
    ),
    re.compile(
        rf"^{_SOFT}(?:put|change|turn|set|bring|make) {_THING} (?:back )?(?:to )?(?:how|what|as|like|the way)"
        r" (?:it|they) (?:was|were|looked)(?: like)?(?: before| at first| originally)?$"
    ),
    re.compile(rf"^{_SOFT}(?:put|change|set) {_THING} back(?: again)?$"),
)
_OF_HISTORY = re.compile(
    r"^(?:whole|last|previous|latest|first|second|third|picture|image|photo|edits?|changes?|steps?|versions?|undo|other)\b"
)
_PREFERRED = re.compile(
    rf"^{_SOFT}(?:i (?:liked?|prefer(?:red)?) |use |take |show(?: me)? |give me |bring(?: back)? |go(?: back)? to |"
    r"let me see |open )?"
    r"(?P<version>(?:the )?(?:original|untouched)(?: picture| image| photo| version| one)?|version #?\w+|"
    rf"the (?:very )?(?:\w+) version|the (?:very )?{NTH} (?:picture|image|photo))"
    r"(?: (?:again|more|better|please|back|was (?:better|nicer|best)))*$"
)
_OPENING = re.compile(r"^(?:version|image|picture) (?P<version>#?\w+)(?:[,;]? (?:and|then)(?: then)? (?P<then>.+))?$")
_VERSION_WORDS = re.compile(r"\b(?:version|picture|image|photo)s?\b")
_ORIGINAL = re.compile(r"\b(?:original|start|beginning|unedited|scratch)\b")
_VARIATIONS = re.compile(
    rf"(?P<count>{_COUNT})?\s*(?:more |other |different |new )*(?:variations?|variants?|alternatives?|options|takes)\b"
    rf"|\b(?:(?P<versions>{_COUNT}) )?(?:more|other|different|new) versions\b"
)
_HISTORY = re.compile(
    r"\b(?:what|which (?:edits|changes|things))\b(?: all)?(?: (?:edits|changes|things))?"
    r" (?:did|have|has|were|was|had)\b(?: (?:we|you|i|been))?(?: \w+)?\b.*\b(?:chang|edit|do|done|did|made)\w*\b"
    r"|\b(?:show|list|give)(?: me)?(?: all)?(?: of)? (?:the |our |my )?(?:versions|history|edits|changes)\b"
    r"|^(?:history|versions|the history)$"
    r"|\bwhat (?:have|did) (?:i|we) (?:asked?|said|say|want|wanted) (?:for|so far|you)\b"
    r"|\b(?:list|tell me|show me|summari[sz]e|say) what (?:(?:has|was|have|had|we|you|i|got)(?: been)? )*"
    r"(?:changed?|edited|did|done)\b"
    r"|\b(?:what|which) (?:are (?:the|our|my|all the)(?: different)? )?(?:versions|edits|changes)"
    r"(?: (?:are there|do we have|do i have|exist|so far))*$"
)
_OTHER_QUESTION = re.compile(r"\b(?:colou?r|where|many|see|picture show)\b")
_KEEP = re.compile(
    r"\b(?:keep|keeping|preserve|retain)\b.*\b(?:shape|outline|form|silhouette|original|structure)\b"
    r"|\b(?:closer|nearer|truer) to the original\b|\bmore like the original\b"
)
_CUT_OFF = re.compile(r"\b(?:cut off|cropped|clipped|needs? more room|more room)\b")
_FLUFF = re.compile(
    r"^(?:(?:hm+|um+|oh|ah|ok|okay|well|nice|good|great|cool|not bad|better|almost|no|that is|it is|that's|it's|still|"
    r"but|and|now|way|a)\b[ ,.!]*)*?(?=(?:a (?:bit|little|touch|tad)|more|less|stronger|weaker|too|not so|even|try|"
    r"again|once|one|do|make|go|show|give|keep|much|softer|slightly))"
)
_TOO = re.compile(r"^too (?:dark|light|bright|pale|blurry|different|wild)\b[ ,.;!]*(?:so |and |but )?")


@dataclass(frozen=True)
class Move:
    """Another version becomes current.

    Attributes:
        kind: undo, redo or go_back.
        steps: for undo and redo.
        version: for go_back, the words for the version.
        then: what is asked for after that, "" if nothing.
    """

    kind: Literal["undo", "redo", "go_back"]
    steps: int = 1
    version: str = ""
    then: str = ""


@dataclass(frozen=True)
class Adjustment:
    """The last edit, made again.

    Attributes:
        feedback: stronger, weaker, or again with another seed.
        amount: by how much the encoding ratio changes.
        grow: pixels to grow the mask by; None leaves it.
    """

    feedback: Feedback
    amount: float = 0.15
    grow: int | None = None


_GOOD = r"(?:good|great|nice|better|perfect|lovely|beautiful)"
_PRAISE = re.compile(
    rf"(?:(?:thanks|thank you(?: very much| so much)?|(?:much )?{_GOOD}|wonderful|excellent|yes|cool|well done|"
    rf"good job|(?:i )?(?:really )?(?:love|like) (?:it|that)|(?:that is|that's) {_GOOD}|"
    rf"(?:it |that |this )?looks (?:really |very |much )?{_GOOD}|"
    r"i(?: am|'m) (?:happy|fine|ok|okay|satisfied|good) with (?:it|that|this)|(?:that|this|it)(?: will|'ll) do|"
    r"keep (?:it|that|this)(?: one)?(?: like (?:this|that))?)[ ,.!]*)+"
)
_BAD = r"(?:worse|bad|ugly|awful|terrible|horrible|wrong|not (?:good|right|what i (?:want|wanted|meant)))"
_BLAME = re.compile(
    r"(?:(?:hm+|oh|ugh|no|sorry)[ ,.!]*)*(?:i (?:do not|don't) like (?:it|that|this)|"
    rf"(?:(?:that|it)(?: is|'s)|(?:it |that )?looks) (?:\w+ )?{_BAD}|not (?:good|what i (?:wanted|meant)))"
)


def plain(text: str) -> str:
    """The text in lower case, one space between words, without marks at its end."""
    return " ".join(text.lower().replace("’", "'").split()).strip(" .!?,;")


def move(text: str) -> Move | None:
    """Which version the whole text asks for; None where it asks for something else."""
    said = plain(text)
    if _ALL.match(said):
        return Move("go_back", version="original")
    if match := _REDO.match(said):
        return Move("redo", steps=_count(match["count"]))
    match = _BACK_TO.match(said) or _OPENING.match(said)
    if match:
        version, then = match["version"], match["then"] or ""
        if _ORIGINAL.search(version):
            return Move("go_back", version="original", then=then)
        if re.match(r"^(?:how|what|the way|as) (?:it|that) (?:was|were)", version) or version in {
            "it",
            "that",
            "before",
        }:
            return Move("undo", then=then)
        if re.fullmatch(r"(?:the )?(?:previous|last)(?: (?:version|one|picture|image|edit|step))?", version):
            return Move("undo", then=then)
        return Move("go_back", version=_version(said, version), then=then)
    if match := _UNDO.match(said):
        return Move("undo", steps=_count(match["again"] or match["count"]))
    if match := _BACKWARDS.match(said):
        return Move("undo", steps=_count(match["count"] or match["versions"]))
    if match := _PREFERRED.match(said):
        version = "original" if _ORIGINAL.search(match["version"]) else _version(said, match["version"])
        return Move("go_back", version=version)
    intent = history_intent(tokenize(text))
    if intent is not None and intent.kind == "undo":
        return Move("undo", steps=intent.steps) if intent.steps else Move("go_back", version="original")
    return None


def praised(said: str) -> int:
    """How many letters of praise a plain text begins with, 0 where it begins with none."""
    match = _PRAISE.match(said)
    return len(match[0].rstrip(" ,.!")) if match else 0


def taken_out(text: str) -> str | None:
    """The thing whose edit alone is to be taken out, "roof" in "undo only the roof"; None for every other text."""
    said = plain(text)
    match = next((found for pattern in _TAKE_OUT if (found := pattern.match(said))), None)
    if match is None or _OF_HISTORY.search(match["thing"]) or _ORIGINAL.search(match["thing"]):
        return None
    return match["thing"]


def _version(said: str, version: str) -> str:
    version = version.replace("very ", "")
    version = re.sub(
        r"^(?:the one |that |where |when )(?:with |of )?|\b(?:only|alone|again|please)$", "", version
    ).strip()
    before = re.search(r"\bback (?:to )?before\b", said) and not version.startswith("before")
    return f"before {version}" if before else version


def _count(word: str | None) -> int:
    if not word:
        return 1
    return _NUMBERS.get(word) or (int(word) if word.isdigit() else 1)


def variations(text: str) -> int | None:
    """How many variations of the last edit are asked for; None where none are."""
    said = plain(text)
    if match := re.fullmatch(rf"(?:give me |show me |make )?(?P<count>{_COUNT}) more(?: of (?:them|those))?", said):
        return max(2, min(8, _count(match["count"])))
    match = _VARIATIONS.search(said)
    if not match or len(said.split()) > 12:
        return None
    count = match["count"] or match["versions"]
    return max(2, min(8, _count(count) if count else 4))


def aside(text: str) -> str | None:
    """What to say to praise, blame and a change of mind, which ask for nothing; None for everything else."""
    said = plain(text)
    if _PRAISE.fullmatch(said):
        return "Good. Say what else to change, if anything."
    if _BLAME.fullmatch(said):
        return 'Say "undo", "try again", "stronger", "a bit less", or what should be different.'
    if re.fullmatch(
        r"(?:stop|nothing|never ?mind|forget (?:it|that)|leave it(?: as it is)?|that is all|that's all)", said
    ):
        return "All right, the picture stays as it is."
    return None


def asks_for_history(text: str) -> bool:
    """Whether it asks what was changed so far."""
    said = plain(text)
    return bool(_HISTORY.search(said)) and not _OTHER_QUESTION.search(said)


def adjustment(text: str) -> Adjustment | None:
    """How the last edit should be made again; None where the text asks for something else."""
    said = plain(text)
    if _KEEP.search(said) and len(said.split()) <= 12 and not re.search(r"\b(?:make|turn|change|paint)\b", said):
        return Adjustment("weaker", 0.15, grow=0)
    if _CUT_OFF.search(said) and len(said.split()) <= 10:
        return Adjustment("again", grow=8)
    core = _TOO.sub("", _FLUFF.sub("", said, count=1), count=1)
    core = re.sub(r"\b(?:a touch|a tad|slightly)\b", "a bit", core)
    core = re.sub(r"\b(?:something|anything) (?:else|different)\b", "another one", core)
    for words in dict.fromkeys((core, said)):
        intent = history_intent(tokenize(words)) if words else None
        if intent is not None and intent.kind == "feedback" and intent.feedback is not None:
            return Adjustment(intent.feedback, _amount(said))
    return None


def _amount(said: str) -> float:
    if re.search(r"\b(?:a (?:bit|little|touch|tad)|slightly|little)\b", said):
        return 0.1
    return 0.25 if re.search(r"\b(?:much|a lot|lot|way|far)\b", said) and "too much" not in said else 0.15
