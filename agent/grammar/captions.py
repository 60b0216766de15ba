"""Captions: what a thing is called before and after an edit, in the words that the editor's text encoder expects.

A source loses its position and its number ("both cats on the left" are "cats"), a target keeps what was said of it.
"""

from dataclasses import dataclass, replace

from agent.grammar import lexicon
from agent.grammar.looks import Look, with_look
from agent.grammar.number import article, singular
from agent.grammar.phrases import NounPhrase
from agent.grammar.tokens import Tokens, join

_NAMES = frozenset(
    "batman superman spiderman spider-man pikachu mario luigi shrek yoda elsa godzilla santa batgirl gandalf chewbacca "
    "hulk pokemon minnie mickey garfield snoopy barbie chucky wolverine thor loki frankenstein dracula napoleon "
    "cleopatra sonic bowser hogwarts paris london tokyo einstein lincoln shakespeare totoro groot deadpool".split()
)


@dataclass(frozen=True)
class Named:
    """A thing as a caption calls it.

    Attributes:
        core: adjectives and noun.
        of: "of coffee".
        tail: what stands behind: "with a red roof".
        plural: no article.
        bare: no article, for stuff and names.
        fixed: a determiner or number that stays: "the", "two".
    """

    core: Tokens
    of: Tokens = ()
    tail: Tokens = ()
    plural: bool = False
    bare: bool = False
    fixed: str = ""

    @property
    def text(self) -> str:
        """The name with its article, as in "a house with a red roof", "two dogs", "snow"."""
        words = join((*self.core, *self.of, *self.tail))
        if self.fixed:
            return f"{self.fixed} {words}"
        return words if self.plural or self.bare else f"{article(words)} {words}"

    def looking(self, look: Look) -> "Named":
        """The same thing made to look so."""
        return replace(self, core=with_look(self.core, look), tail=(*self.tail, *look.tail))

    def bearing(self, joint: str, things: "tuple[Named, ...]") -> "Named":
        """The same thing with others: "with a hat and a scarf"."""
        texts = [thing.text for thing in things]
        listed = texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
        if "with" in self.tail and joint == "with":
            joint = "and"
        return replace(self, tail=(*self.tail, *joint.split(), *listed.split()))


def source_name(phrase: NounPhrase) -> Named:
    """What is there now."""
    core = phrase.core
    if phrase.quantifier in {"each", "every"}:
        core = (*core[:-1], singular(core[-1]))
    return Named(core, phrase.of, plural=phrase.plural, bare=_stuff(phrase))


def target_name(phrase: NounPhrase, names: frozenset[str] = frozenset()) -> Named:
    """What is to be there."""
    head = phrase.head
    by_name = not phrase.determiner and (head in _NAMES or (head in names and not phrase.plural))
    stuff = (_stuff(phrase) and phrase.determiner not in {"a", "an"}) or by_name
    fixed = phrase.count if phrase.count not in {"", "one"} else ""
    if not fixed and phrase.determiner == "some":
        stuff = stuff or phrase.plural
    if phrase.determiner == "the" and head in lexicon.DEFINITE_NAMES | {"moon", "sun"}:
        fixed = "the"
    if head == "sea" and not fixed and phrase.determiner != "a":
        fixed = "the"
    behind = tuple(word for word in phrase.behind if word != ",")
    core = tuple(word for word in phrase.core if word not in lexicon.VAGUE) or phrase.core
    tail = behind if phrase.owner is None else (*behind, "of", *phrase.owner.text)
    return Named(core, phrase.of, tail, plural=phrase.plural, bare=stuff, fixed=fixed)


def named(phrase: NounPhrase) -> str:
    """A phrase of a description with its article: "grass", "a beach"."""
    return target_name(replace(phrase, determiner="", count="")).text


def caption(medium: str, thing: str) -> str:
    """The caption, as in "Photo of a cat"."""
    return f"{medium[:1].upper()}{medium[1:]} of {thing}"


def _stuff(phrase: NounPhrase) -> bool:
    return phrase.core[-1:] != () and phrase.core[-1] in lexicon.MASS and not phrase.plural
