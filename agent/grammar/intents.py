"""Instructions that are no edits: questions, "undo", "stronger", greetings, other languages."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

from agent.grammar.politeness import request
from agent.grammar.tokens import Tokens
from instructedit_models.numerals import CARDINALS

Feedback = Literal["stronger", "weaker", "again"]

_ASKING = frozenset(
    "what which who whose where when why how is are was were does do did has have can could am will".split()
)
_TELLING = frozenset(
    "describe tell count list explain caption identify name summarize summarise say analyse analyze".split()
)
_UNDO = frozenset("undo revert rollback unde".split())
_UNDO_PHRASES: tuple[Tokens, ...] = tuple(
    tuple(phrase.split())
    for phrase in (
        "go back", "step back", "take it back", "take that back", "roll back", "roll it back", "cancel that",
        "cancel the last", "back to the previous", "back to the last", "restore the previous", "put it back",
        "change it back", "turn it back", "switch it back", "reverse the last", "reverse that", "back to before",
        "discard the last", "discard that", "take back the last", "one step back", "go one step back",
    )
)  # fmt: skip
_UNDO_ALL: tuple[Tokens, ...] = tuple(
    tuple(phrase.split())
    for phrase in (
        "start over", "undo everything", "undo all", "back to the original", "restore the original", "start again from",
        "reset", "revert everything", "revert to the original", "go back to the original", "go back to the start",
        "go back to the first", "undo them all", "begin again", "start from scratch",
    )
)  # fmt: skip
_COUNTS = {word: number for word, number in CARDINALS.items() if number > 1} | {"twice": 2, "both": 2, "thrice": 3}
_UNDO_WORDS = frozenset(CARDINALS) | frozenset(
    "undo revert rollback go back step take it that this the last previous change changes edit edits "
    "twice thrice to version steps of thing my your times and again both roll cancel picture before put "
    "turn switch reverse discard restore rollback unde was way as were how an a".split()
)

_STRONGER = frozenset("stronger more intense harder bolder further bigger-change intensify strengthen".split())
_WEAKER = frozenset("weaker less softer subtler subtle gentler milder lighter-touch weaken soften fainter".split())
_AGAIN = frozenset("again retry redo another".split())
_FEEDBACK_WORDS = frozenset(
    "a bit little much even make it that this be should the edit effect change try once time one version do go "
    "with too not enough strong weak way lot is was more less stronger weaker softer again retry redo another "
    "tone turn dial down up increase decrease reduce strength slightly still so far very somewhat intense subtle "
    "of result looks look needs need to give me different seed variation keep original give it attempt run please "
    "push further intensify harder gentler milder subtler bolder strengthen weaken soften amount intensity ratio "
    "encoding noticeable visible barely hardly can see i see there by step on i'd like want would a".split()
)
_TOO_MUCH: tuple[Tokens, ...] = (
    ("too", "much"), ("too", "strong"), ("too", "far"), ("too", "intense"), ("tone", "it", "down"), ("tone", "down"),
    ("turn", "it", "down"), ("dial", "it", "down"), ("not", "so", "much"), ("not", "so", "strong"), ("reduce",),
    ("decrease",), ("way", "too", "strong"), ("tone", "that", "down"), ("dial", "that", "down"),
)  # fmt: skip
_TOO_LITTLE: tuple[Tokens, ...] = (
    ("not", "enough"), ("too", "weak"), ("too", "subtle"), ("not", "strong", "enough"), ("increase",),
    ("turn", "it", "up"), ("too", "little"), ("barely",), ("hardly",), ("dial", "it", "up"),
)  # fmt: skip

_FOREIGN = frozenset(
    "der das den dem des ein eine einen einem einer und nicht mach mache machen bitte ist auf zu mit für aus le "
    "la les une un du et est pour avec dans en sur fais mets rends transforme remplace change-le voiture chien "
    "chat el los las una uno con para por cambia cambiar haz pon perro gato coche rojo azul verde il lo gli del "
    "della dei cane gatto fai rendi cambia trasforma um uma os ao da mude troque faça carro cachorro de het een "
    "van naar maak verander hond kat zmień psa kota na bil katt hund gör kun ev yap kırmızı сделай och att till "
    "på med auto rot blau grün gelb hund katze in einen couleur rouge bleu vert jaune noir blanc s'il plaît plait "
    "s'il-te-plaît favor vermelho rosso blu verwandle ersetze ändere färbe".split()
) - {"in", "change-le", "auto", "chat", "da", "na", "bil", "ev", "un", "en", "de", "la", "le"}
_FOREIGN_SMALL = frozenset("un en de la le da na l'auto a".split()) - {"a"}
_ENGLISH = frozenset("the a an to of is it with my this that all both every each please make should into".split())
_GREETINGS = frozenset(
    "hello hi hey greetings morning evening afternoon yo hiya howdy sup bye goodbye thanks thank welcome".split()
)


@dataclass(frozen=True)
class Intent:
    """What an instruction wants that is no edit.

    Attributes:
        kind: "undo" or "feedback".
        steps: edits to go back, 0 for all of them.
        feedback: in which direction to adjust the last edit.
    """

    kind: Literal["undo", "feedback"]
    steps: int = 1
    feedback: Feedback | None = None


def history_intent(tokens: Tokens) -> Intent | None:
    """Undo or feedback, where the whole instruction is that and nothing else."""
    words = tuple(word for word in request(tokens).tokens if word not in {",", ".", "?"})
    raw = tuple(word for word in tokens if word not in {",", ".", "?", "please", "thanks", "can", "could", "you"})
    for said in (words, raw):
        if not said:
            continue
        if any(_contains(said, phrase) for phrase in _UNDO_ALL) and len(said) <= 8:
            return Intent("undo", steps=0)
        undo = said[0] in _UNDO or any(_contains(said, phrase) for phrase in _UNDO_PHRASES)
        if undo and set(said) <= _UNDO_WORDS:
            return Intent("undo", steps=next((_COUNTS[word] for word in said if word in _COUNTS), 1))
        if set(said) <= _FEEDBACK_WORDS and (direction := _direction(said)):
            return Intent("feedback", feedback=direction)
    return None


def _direction(words: Tokens) -> Feedback | None:
    if any(_contains(words, phrase) for phrase in _TOO_MUCH):
        return "weaker"
    if any(_contains(words, phrase) for phrase in _TOO_LITTLE):
        return "stronger"
    if any(_contains(words, phrase) for phrase in (("once", "more"), ("one", "more"), ("another", "one"))):
        return "again"
    for direction, signs in (("weaker", _WEAKER), ("stronger", _STRONGER), ("again", _AGAIN)):
        if set(words) & signs:
            return direction  # type: ignore[return-value]
    if words in {("one", "more", "time"), ("try", "a", "different", "seed"), ("different", "seed")}:
        return "again"
    return None


def is_question(tokens: Tokens) -> bool:
    """Whether it asks about the picture instead of asking for an edit."""
    words = request(tokens).tokens or tokens
    content = tuple(word for word in tokens if word not in {"please", ",", "."})
    if not content or content == ("?",) or not any(word not in _GREETINGS | {"?"} for word in content):
        return False
    if content[:2] == ("do", "not"):
        return False
    if content[:2] in {("what", "a"), ("what", "an")} and content[-1] != "?":
        return False
    for first in (content[0], words[0] if words else ""):
        if first in _ASKING and len(content) > 2 - (content[-1] != "?"):
            return True
        if first in _TELLING:
            return True
    if content[:2] in {("can", "you"), ("could", "you"), ("do", "you")} and content[-1] == "?":
        return True
    return content[-1] == "?" and len(content) > 2 and bool(set(content) & (_ASKING | _ENGLISH))


def is_foreign(text: str, tokens: Tokens) -> bool:
    """Whether it is in another language than English, by script and by small words."""
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum("LATIN" in unicodedata.name(letter, "") for letter in letters)
    if letters and latin < 0.7 * len(letters):
        return True
    words = set(tokens)
    strange = len(words & _FOREIGN) * 2 + len(words & _FOREIGN_SMALL)
    return strange >= 2 and not words & (_ENGLISH - {"a"})


def is_greeting(tokens: Tokens) -> bool:
    """Whether it only says hello or thanks."""
    words = [word for word in tokens if word not in {",", ".", "?"}]
    return bool(words) and len(words) <= 5 and bool(set(words) & _GREETINGS)


def _contains(words: Tokens, phrase: Tokens) -> bool:
    return any(words[i : i + len(phrase)] == phrase for i in range(len(words) - len(phrase) + 1))
