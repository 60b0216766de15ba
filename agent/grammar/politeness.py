"""What people say around a request: greetings, "could you please", "I was wondering if you could", "thanks".

`clauses` takes it off before it looks for the request; what remains begins with a verb or a noun phrase.
"""

from dataclasses import dataclass
from functools import cache

from agent.grammar.tokens import Tokens
from agent.grammar.verbs import GERUNDS, base_form, verb_at

# A pattern is a row of words; "a|b" is either, a "?" at the end means that the word may be missing.
_MODAL = "can|could|would|will|may|might|shall|should"
_YOU = "you|we|i|someone|somebody"
_BEFORE_VERB = (
    f"{_MODAL} {_YOU} not? please? maybe? also? possibly? then? now? be? so? kind? and? try? to? like? ,?",
    f"{_YOU} can|could|should|must|may|might|shall please? also? now? then? just?",
    "you|we need|have|are|ought to",
    "i am? would? really? like|love|want|need|prefer|wish|ask|beg|request|hope|going|trying|looking|planning|asking|"
    "expect for? you? guys? now? to please? see? you?",
    "i would? really? appreciate|love|like|be it? happy? glad? grateful? very? much? if you could|can|would|will",
    "it would be|would nice|great|good|lovely|cool|awesome|wonderful|helpful|appreciated|fantastic|best|better if "
    "you|we|i could|can|would|will?",
    "would|is it be? possible|okay|ok|fine|feasible for? you? to",
    "would|is it be? possible that you could|can",
    "is there any|a way|chance|possibility for? you? to|of? you? could? can?",
    "any chance|way you|we could|can",
    "any chance|way of",
    "are|would you be? able|willing to",
    "do you think|suppose|believe you|we could|can",
    "do|would you mind? not? mind?",
    "do you mind",
    "mind",
    "how|what about we? you? if?",
    "why not",
    "why do|could|can not you|we just? please?",
    "let us|me please? just? now? try? and? to?",
    "go ahead and",
    "try and|to?",
    "help me|us please? to? by?",
    "be so|very? kind|good|nice as? and? to? please?",
    "do me|us a favour|favor and|, please?",
    "feel free to",
    "the|my|your|our task|job|goal|idea|plan|request|wish|aim|instruction is to|:",
    "task|request|instruction|edit|edits|todo|goal|prompt :",
    "i am|was? just? wondering|wonder if|whether you|we could|can|might|would please?",
    "i wonder if|whether you|we could|can",
    "may|could|can|might i|we ask|request|get|have? you? for? to please?",
    "may|could|can|might i|we ask|trouble|bother you to",
    "make sure to|you?",
    "do not forget to",
    "remember to",
    "i think|guess|believe|suggest|propose that? you|we should|could|can|must?",
    "i suggest|propose|recommend that? we? you?",
    "you are to|asked? to?",
    "your turn :",
    "please? use? the? tool|tools? to",
)
_FILLERS = (
    "please|kindly|ok|okay|well|alright|thanks|just|maybe|actually|hmm|um|uh|oh|wow|finally|lastly|simply|perhaps|"
    "firstly|secondly|thirdly|also|and|then|but|so|wait|yeah|yep|additionally|furthermore|moreover|afterwards|afterward|"
    "subsequently|meanwhile|plus|umm|er|erm|ah|hm|,",
    "hey|hi|hello|yo|dear|greetings|hiya|ok|okay ,? assistant|bot|ai|robot|friend|buddy|mate|dude|man|there|all? ,?",
    "great|nice|cool|perfect|lovely|awesome|excellent|wonderful|beautiful|amazing|fantastic|good|sure|right|no|sorry|yes|"
    "next|besides|instead|quickly|today|again|like one|work|job|stuff? ,",
    "thank you so|very? much?",
    "thanks a lot",
    "many thanks",
    "good morning|afternoon|evening|day|job|work",
    "well done",
    "looks good|great|nice",
    "by the way",
    "one|another more? last? thing|request :? ,?",
    "after that|this",
    "at the same time",
    "as well as",
    "in addition",
    "on top of that ,",
    "if|when you can|could|may? please? ,?",
    "if possible ,?",
    "if you do not mind ,?",
    "if you would ,?",
    "in this|the|my picture|image|photo ,?",
    "for the next|first|second|last step|edit|one ,",
    "step one|two|three|four :|,?",
    "one|two|three|four|five .|:|)",
    "to start with? ,?",
    "to begin with? ,?",
    "all right ,?",
    "of course ,?",
    "in the end ,?",
    "excuse me ,?",
    "pardon me ,?",
    "my friend ,?",
    "let us see ,?",
)
_SOFT_FILLERS = frozenset(
    "great nice cool perfect lovely awesome excellent wonderful beautiful amazing fantastic good sure right no "
    "sorry yes next quickly again".split()
)
_AFTER_SOFT = frozenset("now please can could would will let i you thanks thank then also and we".split())
_FIRST = ("first|second|third|last of? all? ,?",)
_TRAILING = (
    "please|thanks|thankyou|cheers|instead|now|too|okay|ok|asap|immediately|though|again|lol|haha|pretty-please|,|?|:|"
    "also|today|then|already|however|soon|quickly|carefully",
    ", right|ta|mate|dude|bro|buddy|man|sir|there|yes|yeah|friend|will|would|can|could you?",
    "thank you so|very? much?",
    "thanks a lot",
    "thanks so much",
    "thanks in advance",
    "many thanks",
    "thanks|thank you? so? very? much? for your|the help",
    "for me|us",
    "for me|us please",
    "if|when you can|could|may|like|want|please",
    "if possible",
    "if it is possible",
    "if you do not mind",
    "if you would|will be? so? kind?",
    "if that is|works possible|ok|okay|fine?",
    "as well",
    "right now|away",
    "at once",
    "would|will|could|can you",
    "will you please",
    "could|can you do that|this|it",
    "is|would that|it be? possible|ok|okay|fine",
    "that is all",
    "that would be|would great|nice|lovely|all|cool|awesome",
    "for a change",
    "for once",
    "how|what about that|it",
    "you|i know",
    "i think|guess|suppose|believe",
    "do you think",
    "in your opinion",
    "from now on",
    "and nothing|only else|that?",
    "nothing else",
    "and that is it|all",
    "in the result|output|edit|end",
    "by itself",
    "or so",
    "or something like? that?",
    "if anything",
    "just for fun",
    "for fun",
    "with|of|in your tools|magic",
    "my friend",
    "pretty please",
)
_ANYWHERE = frozenset(
    "please kindly just simply actually basically literally definitely somehow completely entirely totally".split()
)
_PICTURE = frozenset("picture image photo photograph scene shot pic snapshot".split())
_ASSUMING = (
    "what if|about if? that? ,?",
    "how|what about if?",
    "imagine|suppose|pretend|picture|assume|visualize|visualise if? that? for? a? moment? ,?",
    "let us imagine|suppose|pretend|say|assume if? that?",
    "make|be sure|certain that?",
    "ensure that?",
    "see to it that",
    "make it so that?",
    "i wish|hope|think|believe|feel|guess|want|say|suggest|prefer|imagine|thought|demand|insist|reckon that? if?",
    "i would wish|prefer|love|like|suggest|say it? that? if?",
    "i was|am just? thinking|wondering|imagining|hoping if|that?|whether? maybe? perhaps?",
    "it would be|look|would nice|great|good|lovely|cool|awesome|better|fun|funny|best|interesting|nicer|cooler if|that",
    "would not? it not? be|look nice|great|good|lovely|cool|awesome|better|fun|funny|best|possible|ok|okay if|that",
    "could|can|would it be that",
    "is it possible that|for|if?",
    "maybe|perhaps if?",
    "in my opinion ,?",
    "from now on ,?",
    "now",
    "edit|change|modify|alter|adjust|update|make|transform the|this|my picture|image|photo|scene so|such that? ,?",
    "the picture|image|photo should|would|will be|look better|nicer|good|great|cooler if",
    "could you make sure|it so? that?",
    "i am sure",
    "i bet|suspect|know that?",
    "i would say|think that?",
)


@dataclass(frozen=True)
class Request:
    """What is left of a clause.

    Attributes:
        tokens: the request itself.
        assumed: it was said after "what if", "make sure that" and the like, so that "is" means "should be".
        gerund: it was said after "how about", "would you mind", so that "painting" is the verb.
    """

    tokens: Tokens
    assumed: bool = False


def request(tokens: Tokens) -> Request:
    """The clause without what is said around it."""
    assumed = bool(tokens) and tokens[-1] == "now"
    words = without_picture(tuple(word for word in tokens if word not in _ANYWHERE))
    words = _trailing(words)
    while True:
        opened = _opened(words)
        if opened is not None:
            words = opened
            continue
        supposed = _prefixed(words, _ASSUMING)
        if supposed is not None and supposed:
            words, assumed = supposed, True
            continue
        break
    return Request(_trailing(words), assumed)


def without_picture(tokens: Tokens) -> Tokens:
    """The tokens without "in the picture", "of this photo"."""
    for i, token in enumerate(tokens):
        if token in {"in", "of", "from", "within"} and i and _names_picture(tokens[i + 1 : i + 3]):
            return without_picture(tokens[:i] + tokens[i + 3 :])
    return tokens


def _names_picture(words: Tokens) -> bool:
    return len(words) == 2 and words[0] in {"the", "this", "that", "my", "our", "your"} and words[1] in _PICTURE


def _opened(words: Tokens) -> Tokens | None:
    """The words after one more wrapper or filler; None where there is none."""
    for rest in _all_prefixed(words, _BEFORE_VERB):
        if rest and (verb_at(rest) or rest[0] in GERUNDS or _opens_again(rest)):
            return (GERUNDS.get(rest[0], rest[0]), *rest[1:])
    unfilled = _prefixed(words, _FILLERS)
    if unfilled:
        return unfilled
    if len(words) > 1 and words[0] in _SOFT_FILLERS and (words[1] in _AFTER_SOFT or base_form(words[1])):
        return words[1:]
    later = _prefixed(words, _FIRST)
    if later and (base_form(later[0]) or later[0] in {"you", "i", "please", "can", "could", "would", "we", "the"}):
        return later if later[0] != "the" or words[0] == "first" else None
    return None


def _opens_again(rest: Tokens) -> bool:
    return any(found and base_form(found[0]) for found in _all_prefixed(rest, _BEFORE_VERB))


def _prefixed(words: Tokens, patterns: tuple[str, ...]) -> Tokens | None:
    """The words after the longest pattern that begins here."""
    found = _all_prefixed(words, patterns)
    return min(found, key=len) if found else None


def _all_prefixed(words: Tokens, patterns: tuple[str, ...]) -> list[Tokens]:
    found = {end for pattern in patterns for end in _matches(_compiled(pattern), words, 0) if end}
    found = {end for end in found if not (words[end - 1] in {"that", "it", "this"} and words[end : end + 1] in _LINKS)}
    return [words[end:] for end in sorted(found, reverse=True)]


_LINKS = frozenset((word,) for word in "to should must could were was is be in as would look become".split())
"""After these, "that" before them was the thing itself: "I'd like that to be green"."""


def _trailing(words: Tokens) -> Tokens:
    changed = True
    while changed and words:
        changed = False
        for pattern in _TRAILING:
            elements = _compiled(pattern)
            for start in range(max(0, len(words) - len(elements)), len(words)):
                if start and len(words) in _matches(elements, words, start):
                    words, changed = words[:start], True
                    break
    return words


@cache
def _compiled(pattern: str) -> tuple[tuple[frozenset[str], bool], ...]:
    elements = []
    for element in pattern.split():
        optional = element.endswith("?") and element != "?" and not element.endswith("|?")
        words = element[:-1] if optional else element
        elements.append((frozenset(words.split("|")), optional))
    return tuple(elements)


def _matches(elements: tuple[tuple[frozenset[str], bool], ...], words: Tokens, start: int) -> set[int]:
    """All places where the pattern can end when it begins at `start`."""
    ends = {start}
    for alternatives, optional in elements:
        taken = {end + 1 for end in ends if end < len(words) and words[end] in alternatives}
        ends = taken | ends if optional else taken
        if not ends:
            return ends
    return ends
