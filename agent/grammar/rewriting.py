"""Makes whole instructions of what is only understood beside the last edit: "the other one too", "no, the left one".

`dialogue` hands the result to `understand`, as if the person had said it in full.
"""

import re
from dataclasses import dataclass

from agent.grammar import lexicon
from agent.grammar.answers import numbered
from agent.grammar.changes import part_of, same_change
from agent.grammar.history import plain
from agent.grammar.looks import parse_look
from agent.grammar.nouns import parse, parse_all
from agent.grammar.number import plural, singular
from agent.grammar.phrases import NounPhrase
from agent.grammar.references import edited_thing
from agent.grammar.tokens import tokenize
from agent.grammar.verbs import verb_at
from agent.grammar.wordclasses import EXCLUDING, is_look
from agent.plans import EditPlan
from instructedit_models.lexicon import ORDINALS, OWNED, SIDE_ADJECTIVES, SIZES
from instructedit_models.numerals import CARDINALS, ORDINAL_WORDS

__all__ = ["Rewritten", "corrected_inside", "other_result", "rewritten"]

_SOFT = (
    r"(?:(?:and|now|then|also|ok|okay|great|good|nice|please|so|well|hm+|oh|maybe|perhaps|next|finally|"
    r"could you|can you)\b[ ,]*)*"
)
_NO = (
    r"no|nope|nah|not that(?: one)?|not (?:this|it)|wrong(?: one)?|oops|sorry|my mistake|"
    r"(?:that is|that's|it's|it is) (?:the )?wrong(?: one| thing| colou?r| material)?|"
    r"i (?:only |just )?(?:meant|mean|said)|or rather|i was (?:only )?(?:talking|speaking|thinking) (?:about|of)"
)
_CORRECTION = re.compile(
    rf"^(?:(?:oh|ah|hm+|um+|well)\b[ ,]*)*(?:{_NO})\b[ ,.!:;]*"
    rf"(?:(?:{_NO}|actually|but|it is|it was|to)\b[ ,.:;]*)*(?P<rest>.+)$"
)
_SECOND_THOUGHT = re.compile(r"^(?:actually|wait|hang on|on second thought)\b[ ,.!]*(?:no\b[ ,]*)?(?P<rest>.+)$")
_NOT_BUT = re.compile(r"^not (?P<old>(?:the|an?) .+?),? but (?P<new>.+)$|^not (?P<other>the .+?), (?P<instead>the .+)$")
_ONLY = re.compile(
    rf"^{_SOFT}(?:(?:only|just)(?: do| change)?|(?:i|we) (?:only|just) (?:wanted|want|asked for|needed|intended)|"
    r"it should(?: have)? only (?:be|been)) (?P<np>.+)$"
)
_SAME = re.compile(
    rf"^{_SOFT}(?:do |make |apply )?(?:the |exactly the )?same(?: thing| change| edit| again| colou?r| look| material)?"
    r"(?: (?:for|with|to|on|goes for))? (?P<np>.+)$"
    rf"|^{_SOFT}do (?:it|that|this|so|likewise)(?: again)? (?:for|with|to|on) (?P<np2>.+)$"
    rf"|^{_SOFT}do (?P<np3>(?:the|both|all|its) .+)$"
    r"|^(?:but |and |oh )*you(?: have|'ve)? (?:also )?(?:missed|forgot(?:ten)?|left out|overlooked|skipped)"
    r" (?P<np4>.+)$"
    rf"|^{_SOFT}(?:what|how) about (?P<np5>[^?.]+)$"
)
_TOO = re.compile(r"(?:[ ,]+(?:too|as well|also|likewise|again|please))+$")
_ONE = re.compile(
    r"\b(?P<det>the|this|that|both|all|each|every|these|those|its?)\s+(?P<mid>(?:[a-z-]+\s+){0,3}?)"
    r"(?P<one>ones?)\b(?! of\b)"
)
_LEFT_OUT = re.compile(
    r"\b(?!(?:everything|all|anything|them|those|these|both)\b)[a-z]+,? "
    rf"(?:{'|'.join(EXCLUDING)}|save)(?: for)? $"
)
"""Before "the red one": the noun that it stands for was said in the same breath, "all the trees except"."""
_REST = re.compile(r"\b(?:all )?(?:of )?the (?:rest|others|remaining ones|remainder)\b(?: of (?:them|those))?")
_LEFT_OVER = re.compile(r"\b(?:(?:one|ones) that (?:is|are) left|(?:last )?(?:remaining|leftover) (?=ones?\b))")
_NUMBERED = re.compile(rf"^(?:the )?(?:number|no\.?|nr\.?|#) ?(?P<number>\d|{'|'.join(CARDINALS)})$")
_BESIDE_IT = re.compile(
    r"\b(next to|beside|behind|above|below|under|near|in front of|on top of|"
    r"(?:to the )?(?:left|right) of) (?:it|that)\b"
)
_ALL_OF_THEM = re.compile(r"\b(?P<all>both|all) of (?:them|those|these)\b|\bthem (?P<all2>both|all)\b")
_WRONG = re.compile(
    r"^(?:(?:oh|oops|no|sorry|hm+|that is|that's|it is|it was|that was)\b[ ,.!]*)*(?:the )?wrong (?P<noun>[a-z]+)$"
)
_NOT_LOOK = re.compile(r"^(?:no,? )?(?:make it )?not (?P<old>[a-z-]+),? (?:but |make it )?(?P<new>[a-z-]+)$")
_BODY = re.compile(r"\b(?:the|its) body(?: of it)?\b")
_TRY = re.compile(
    rf"^{_SOFT}(?:try|go with|use|maybe|let us try|let's try|how about|what about|better|rather)\s+"
    r"(?:(?:it|that|this) in )?(?P<look>.+?)(?: (?:for|on) (?:it|that|this))?(?: instead)?$"
)
_PRONOUN = re.compile(r"\b(?:it|that|this|them|those|these)\b")
_INSTEAD = re.compile(r"[ ,]+instead$")
_INSIDE = re.compile(
    r"^(?P<first>.+?)[ ,.]+(?:no|sorry|wait|oops)[ ,]+(?:no |i mean |i meant |rather |make that )*"
    r"(?P<rest>(?:the|both|all) .+)$"
)
_IT = r"(?:it|that|this|them|those|these)(?: ones?)?"
_REQUEST_FOR_IT = re.compile(
    r"^(?:(?:make|paint|colou?r|turn|change|do|have|try|go with|use|let) )?"
    rf"(?:{_IT}(?: (?:should|must|was supposed to|were supposed to|was to) be)?)?\s*(?:to be |to |into |in |be )?"
)
"""What stands before the result in "make it green", "that one should be black"."""
_COLON = re.compile(r"^(?P<np>(?:the|both|all|my) [a-z -]+): (?P<rest>.*\b(?:it|them|that)\b.*)$")


@dataclass(frozen=True)
class Rewritten:
    """An instruction in full.

    Attributes:
        text: what to understand.
        replaces: whether it is to be done in place of the last edit rather than on top of it.
        same_place: whether it changes just what the last edit changed.
    """

    text: str
    replaces: bool = False
    same_place: bool = False


def rewritten(
    text: str, last: EditPlan | None, current: bool, whole: EditPlan | None = None, topic: str | None = None
) -> Rewritten | None:
    """The instruction in full, or None where the text needs no help from what came before.

    Args:
        text: what the person said.
        last: the newest edit.
        current: whether that edit made the current picture, so that it can be corrected.
        whole: the newest edit of a thing that is no part.
        topic: what the person just asked about, "the fish", which "it" then means.
    """
    said = plain(text)
    if match := _COLON.match(said):
        return Rewritten(_PRONOUN.sub(match["np"], match["rest"], count=1))
    if topic and re.search(r"\b(?:it|its|that)\b", said):
        named = re.sub(r"\b(?:it|that)\b(?: one\b)?", topic, said, count=1)
        return Rewritten(re.sub(r"\bits\b", f"{topic}'s", named, count=1))
    if last is None:
        pointed = re.sub(r"\b(?:this|that) one\b", "it", said)
        return Rewritten(pointed) if pointed != said else None
    before = _Before(last, current, whole)
    if current and (fixed := _corrected(said, before)):
        return fixed
    tried = _look_alone(said, before) if _TRY.match(said) else None
    found = tried or _same(said, before) or _look_alone(said, before)
    if found is not None:
        return found
    full = before.named(said)
    return Rewritten(_TOO.sub("", full)) if full != said else None


class _Before:
    """What the words of a turn may lean on: the thing of the last edit, as it was and as it is."""

    def __init__(self, last: EditPlan, current: bool, whole: EditPlan | None = None) -> None:
        self.last = last
        self.bearer = whole
        self.current = current
        self.prompt = last.segmentation_prompt
        self.phrase: NounPhrase | None = parse(tokenize(self.prompt))
        self.part = part_of(self.prompt)
        owner = self.phrase.owner if self.phrase is not None else None
        self.owner = owner if self.part and owner is not None and owner.named else None
        now = edited_thing(last) if current else self.phrase
        self.now = now.said if now is not None else self.prompt

    @property
    def noun(self) -> str:
        """The noun that "one" stands for."""
        holder = self.owner or self.phrase
        return singular(holder.head) if holder is not None and holder.head else singular(self.prompt.split()[-1])

    @property
    def kind(self) -> str:
        """What "one" stands for: the noun, with its adjectives where several of that look were told apart by number."""
        holder = self.owner or self.phrase
        if holder is None or not holder.head or not set(holder.selectors) & set(ORDINALS):
            return self.noun
        return " ".join((*holder.core[:-1], singular(holder.head)))

    def whole(self, replaces: bool) -> str:
        """The thing whose parts are spoken of, with its article."""
        if self.owner is not None:
            said = self.owner.said
        elif self.bearer is not None and self.phrase is not None and self.phrase.head in lexicon.PARTS:
            now = edited_thing(self.bearer)
            said = now.said if now is not None else self.bearer.segmentation_prompt
        else:
            said = self.prompt if replaces else self.now
        return said if said.split()[0] in {"both", "all", "every", "each", "the"} else f"the {said}"

    def named(self, words: str, replaces: bool = False) -> str:
        """The words with "one", "the rest", "its roof" named."""
        words = _BODY.sub(self.whole(replaces), words)
        words = _BESIDE_IT.sub(lambda match: f"{match[1]} the {self.now}", words)
        words = _ALL_OF_THEM.sub(self._all_of_them, words)
        words = _LEFT_OVER.sub(
            lambda match: f"other {match[0].split()[0]}" if " that " in match[0] else "other ", words
        )
        words = _REST.sub(self._many("the other"), words)
        words = _ONE.sub(self._one, words)
        if self.part:
            names = "|".join(re.escape(name) for name in (self.part, singular(self.part)))
            own = rf"\b(?:its|the|that|this) (?:{names})(?: of it)?\b(?! of\b)"
            words = re.sub(own, "it", words)
        return words

    def _all_of_them(self, match: re.Match[str]) -> str:
        if self.phrase is not None and self.phrase.plural:
            return match[0]
        return f"{match['all'] or match['all2']} {plural(self.noun)}"

    def _many(self, opening: str) -> str:
        """Several of the noun, with an "all" where its plural does not show."""
        head, space, noun = self.kind.rpartition(" ")
        several = f"{head}{space}{plural(noun)}"
        every = "all " if plural(noun) == noun and not re.match(r"(?:all|both)\b", opening) else ""
        return f"{every}{opening} {several}"

    def _one(self, match: re.Match[str]) -> str:
        middle = match["mid"].strip()
        if _LEFT_OUT.search(match.string[: match.start()]):
            return match.group()
        if not middle and match["one"] == "one" and match["det"] in {"this", "that"}:
            return "it"
        if match["one"] == "ones":
            return self._many(f"{match['det']} {middle}".strip())
        noun = self.kind if "other" in middle.split() else self.noun
        if match["det"] in {"all", "both"} and not middle:
            return f"{match['det']} {plural(self.noun)}"
        return " ".join(word for word in (match["det"], middle, noun) if word)

    def target(self, words: str, replaces: bool) -> str | None:
        """A noun phrase in full; None where the words are none."""
        said = _TOO.sub("", words.strip(" ,.?"))
        if (
            said in {"both", "all", "both of them", "all of them", "them all", "them both", "everything"}
            and said != "everything"
        ):
            return f"{'both' if 'both' in said else 'all'} {plural(self.noun)}"
        if (match := _NUMBERED.match(said)) and self.phrase is not None and set(self.phrase.selectors) & set(ORDINALS):
            number = CARDINALS.get(match["number"]) or int(match["number"])
            if not 1 <= number <= len(ORDINAL_WORDS):
                return None
            return f"the {numbered(self.kind, number - 1)}"
        said = self.named(said, replaces)
        tokens = tokenize(said)
        if not tokens or verb_at(tokens) and verb_at(tokens)[1]:  # type: ignore[index]
            return None
        fruit = tokens[-1] == "orange" and len(tokens) > 1 and tokens[-2] in {"the", "an"}
        if not fruit and _selects(tokens[-1]) and all(_selects(word) or word in {"the", "other"} for word in tokens):
            said, tokens = f"{said} {self.noun}", (*tokens, self.noun)
        phrase = parse(tokens)
        if phrase is None:
            several = parse_all(tokens)
            return said if len(several) > 1 and all(each.named and each.definite for each in several) else None
        if phrase.pronoun:
            return None
        return self._with_owner(phrase, said, replaces)

    def _with_owner(self, phrase: NounPhrase, said: str, replaces: bool) -> str:
        """Says whose part it is: "windows" after "door of the blue house"."""
        head = singular(phrase.head)
        if phrase.owner is not None and phrase.owner.named or phrase.head not in lexicon.PARTS:
            return said
        known = OWNED.get(head, ())
        if self.owner is None and self.noun not in known and (phrase.definite and phrase.determiner != "its"):
            return said
        words = " ".join((*phrase.selectors, *phrase.core))
        if (
            "other" in phrase.selectors
            and self.owner is not None
            and not phrase.plural
            and head not in lexicon.IN_PAIRS
        ):
            return f"the {words.replace('other ', '')} of the other {self.noun}"
        if phrase.determiner in {"a", "an", "one"}:
            words = plural(words)  # "you missed a wheel"
        return f"the {words} of {self.whole(replaces)}"


def _selects(word: str) -> bool:
    return word in ORDINALS or word in SIZES or word in SIDE_ADJECTIVES or is_look(word)


def _corrected(said: str, before: _Before) -> Rewritten | None:
    """The last edit done otherwise; None where the text corrects nothing."""
    match = _WRONG.match(said)
    if match and match["noun"] in {"one", before.noun}:
        return Rewritten(same_change(before.last, f"the other {before.noun}"), replaces=True)
    match = _NOT_LOOK.match(said)
    if match and parse_look((match["new"],)) is not None and parse_look((match["old"],)) is not None:
        return _other_result(match["new"], before)
    match = _NOT_BUT.match(said)
    if match:
        rest, firm = match["new"] or match["instead"], True
    elif match := _CORRECTION.match(said):
        rest, firm = match["rest"], True
    elif match := _SECOND_THOUGHT.match(said):
        rest, firm = match["rest"], False
    elif match := _ONLY.match(said):
        target = before.target(match["np"], replaces=True)
        return Rewritten(same_change(before.last, target), replaces=True) if target and _kin(target, before) else None
    elif _INSTEAD.search(said):
        rest, firm = said, False
    else:
        return None
    rest = _TOO.sub("", _INSTEAD.sub("", rest).strip(" ,.;")) or rest
    rest = re.sub(r"^(?:only|just) ", "", rest)
    other = _other_result(rest, before)
    if other is not None:
        return other
    target = before.target(rest, replaces=True)
    if target is not None:
        return Rewritten(same_change(before.last, target), replaces=True)
    if not firm:
        return None
    full = before.named(rest, replaces=True)
    return Rewritten(full, replaces=True) if full else None


def _other_result(rest: str, before: _Before) -> Rewritten | None:
    """Another colour or another thing for the same place: "green", "make it green", "a cat", "that one black"."""
    bare = _REQUEST_FOR_IT.sub("", rest, count=1)
    if not bare:
        return None
    tokens = tokenize(bare)
    target = before.prompt if before.prompt.split()[0] in {"both", "all", "every"} else f"the {before.prompt}"
    if parse_look(tokens) is not None and not (set(tokens) & {"left", "right"}):
        if before.last.change == "shape" and not before.part:
            return Rewritten(f"make it {bare}", same_place=True)
        return Rewritten(f"make {target} {bare}", replaces=True, same_place=True)
    if re.match(r"^(?:an?|two|some) ", bare) and parse(tokens) is not None:
        if before.last.change == "background":
            return Rewritten(f"change the background to {bare}", replaces=True, same_place=True)
        return Rewritten(f"turn {target} into {bare}", replaces=True, same_place=True)
    return None


def _kin(target: str, before: _Before) -> bool:
    """Whether a target is one of the things that the last edit changed, or a part of them."""
    phrase = parse(tokenize(target))
    if phrase is None:
        return False
    return singular(phrase.head) == before.noun or (
        phrase.owner is not None and singular(phrase.owner.head) == before.noun
    )


def _same(said: str, before: _Before) -> Rewritten | None:
    """The change of the last edit for something else."""
    match = _SAME.match(said)
    if match:
        words = next(group for group in match.groups() if group)
        if parse_look(tokenize(words)) is not None and not words.startswith("the "):
            return None  # "how about green?"
    else:
        words = re.sub(rf"^{_SOFT}", "", said)
        opened, closed = words != said, bool(re.search(r"[ ,]+(?:too|as well|also|likewise)$", said))
        if not (opened or closed) and not re.fullmatch(r"(?:the |both|all|its ).*", said):
            return None
    if before.part and (given := _part_given(words)):
        return Rewritten(f"give {before.whole(False)} {given}")
    target = before.target(words, replaces=False)
    if target is None or (not match and (_says_a_look(target) or re.match(r"an? ", target))):
        return None
    return Rewritten(same_change(before.last, target))


def _part_given(words: str) -> str | None:
    """The part with its look of "a black hull", said after another part: the same thing is to have it."""
    match = re.fullmatch(r"(?:an? )?(?P<look>[a-z-]+) (?P<part>[a-z]+)", words)
    if match is None or singular(match["part"]) not in OWNED or parse_look((match["look"],)) is None:
        return None
    return words


def _says_a_look(target: str) -> bool:
    """Whether the last word is what the thing should look like, as in "the other one yellow"."""
    tokens = tokenize(target)
    return len(tokens) > 2 and is_look(tokens[-1]) and tokens[-1] != "orange"


def _look_alone(said: str, before: _Before) -> Rewritten | None:
    """As in "try green", "go with red for it", "green"."""
    match = _TRY.match(said)
    words = match["look"] if match else re.sub(rf"^{_SOFT}", "", said)
    tokens = tokenize(words)
    if not tokens or parse_look(tokens) is None or set(tokens) & {"left", "right", "it", "stronger", "weaker", "more"}:
        return None
    if len(tokens) > 4:
        return None
    return Rewritten(f"make it {words}", same_place=True)


def other_result(words: str, last: EditPlan) -> Rewritten | None:
    """Another colour or another thing for the place of the last edit; None where the words name none."""
    return _other_result(words, _Before(last, current=True))


def corrected_inside(text: str) -> tuple[str, str] | None:
    """The halves of "make the ball red, no, the star": the instruction, and what it should have been about."""
    match = _INSIDE.match(plain(text))
    return (match["first"], match["rest"]) if match else None
