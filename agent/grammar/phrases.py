"""The noun phrase as data; `nouns` parses it, everything else reads it."""

from dataclasses import dataclass

from agent.grammar import lexicon
from agent.grammar.tokens import Tokens, join
from agent.grammar.wordclasses import DEFINITE


@dataclass(frozen=True)
class NounPhrase:
    """A noun phrase, taken apart.

    Attributes:
        text: the words without a leading article or "my": what the segmentation prompt says.
        determiner: "the", "a", "my" … or "".
        quantifier: "all", "both", "each", "every", "any" or "".
        count: a number word, "two" … or "".
        selectors: words that pick one of several, "left", "bigger", "second".
        core: adjectives and noun words in order, selectors taken out: ("red", "wine", "glass").
        of: what is measured or contained, with "of": ("of", "books").
        behind: the rest, as said: ("on", "the", "desk").
        owner: whose part this is ("the house" in "roof of the house").
        pronoun: "it", "them", "one", "thing" … where the thing is not named, else "".
        plural: several things.
    """

    text: Tokens
    determiner: str = ""
    quantifier: str = ""
    count: str = ""
    selectors: Tokens = ()
    core: Tokens = ()
    of: Tokens = ()
    behind: Tokens = ()
    owner: "NounPhrase | None" = None
    pronoun: str = ""
    plural: bool = False

    @property
    def head(self) -> str:
        """The noun itself: "glass" in "red wine glass"; "" for a pronoun."""
        return self.core[-1] if self.core and not self.pronoun else ""

    @property
    def adjectives(self) -> Tokens:
        """The core without the head."""
        return self.core[:-1] if not self.pronoun else self.core

    @property
    def definite(self) -> bool:
        """Whether it names a thing that is there: "the cat", "my cat", "all cats", "it"."""
        return self.determiner in DEFINITE or bool(self.quantifier) or bool(self.pronoun and self.pronoun != "one")

    @property
    def named(self) -> bool:
        """Whether it says what the thing is."""
        return not self.pronoun

    @property
    def is_part(self) -> bool:
        """Whether it is a part (or a garment) of an owner that is named."""
        return self.owner is not None and self.head in lexicon.PARTS

    @property
    def said(self) -> str:
        """The segmentation prompt."""
        return join(self.text)


IT = NounPhrase(("it",), pronoun="it")
"""The thing of a request that names none."""
