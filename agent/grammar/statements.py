"""Requests that are no imperatives: "the car should be red", "I want the dog to be a cat", "cat -> tiger"."""

from agent.grammar import lexicon
from agent.grammar.bearing import additions, gone, scene
from agent.grammar.drafts import Draft
from agent.grammar.frames import described_anew, imperative
from agent.grammar.instead import instead_of
from agent.grammar.looks import look_of, parse_look
from agent.grammar.nouns import parse, parse_all
from agent.grammar.phrases import NounPhrase
from agent.grammar.results import INDEFINITE, Result, drafts_for, is_quality, parse_result, resultative
from agent.grammar.tokens import ARROW, Tokens
from agent.grammar.verbs import HAVING, MODALS, PARTICIPLES, base_form
from agent.grammar.wordclasses import FUNCTION_WORDS

_MODAL_PHRASES: tuple[Tokens, ...] = (
    ("needs", "to"), ("need", "to"), ("has", "to"), ("have", "to"), ("ought", "to"), ("is", "to"), ("are", "to"),
    ("is", "supposed", "to"), ("are", "supposed", "to"), ("had", "better"), ("is", "going", "to"), ("wants", "to"),
    ("deserves", "to"), ("are", "going", "to"), ("would", "like", "to"), ("is", "meant", "to"),
)  # fmt: skip
_ADVERBS = frozenset("now instead really rather also probably maybe perhaps definitely all both then".split())
_BECOMING = frozenset("becomes become turns turn transforms transform morphs changes change".split())
_BEING = frozenset("is are was were be".split())
_BETTER = frozenset(
    "better good great nice nicer cool cooler best awesome amazing fantastic lovely fun funny funnier prettier".split()
)
_GONE = frozenset("gone removed deleted erased away out invisible".split())
_WANT = frozenset("want need like prefer love wish".split())
_NEVER_SUBJECTS = frozenset("i you we there who what".split())


def statement(tokens: Tokens, assumed: bool) -> list[Draft] | None:
    """What a clause without an imperative asks for; None where it asks for nothing.

    Args:
        tokens: the clause.
        assumed: it stands after "what if" and the like, so that "is" means "should be".
    """
    return (
        instead_of(tokens)
        or _how_would(tokens)
        or _wish(tokens)
        or _narrated(tokens)
        or _modal(tokens)
        or _copula(tokens, assumed)
        or (_wanted(tokens) if assumed else None)
        or _bare(tokens)
        or _unwanted(tokens)
    )


def mention(tokens: Tokens) -> list[Draft] | None:
    """A thing that is only spoken of, which the next clause may call "it": "I don't like the ball"."""
    for lead in _MENTIONS:
        if tokens[: len(lead)] == lead:
            phrase = parse(tokens[len(lead) :])
            if phrase and phrase.named:
                return [Draft("mention", phrase)]
    for i, token in enumerate(tokens):
        if i and token in {"is", "are", "looks", "look", "seems", "seem"} and tokens[0] not in _NEVER_SUBJECTS:
            phrase = parse(tokens[:i])
            if phrase and phrase.named and phrase.definite and i + 1 < len(tokens):
                return [Draft("mention", phrase)]
    phrase = parse(tokens)
    return [Draft("mention", phrase)] if phrase and phrase.named and phrase.definite else None


_MENTIONS: tuple[Tokens, ...] = tuple(
    tuple(lead.split())
    for lead in (
        "i do not like", "i do not love", "i do not want", "i hate", "i dislike", "i like", "i love", "i see",
        "you see",
        "do you see", "see", "look at", "there is", "there are", "i have", "here is", "this is", "that is", "take",
        "about", "regarding", "as for", "consider", "you know", "with", "for", "i am tired of", "i can see", "find",
        "select", "pick", "locate", "identify", "grab", "focus on", "concerning", "i am bored of", "choose", "segment",
        "i am not happy with", "i am not a fan of", "spot", "detect", "notice", "in this picture there is", "work on",
        "can you see", "can you find", "i do not need", "remember",
    )
)  # fmt: skip


def _unwanted(tokens: Tokens) -> list[Draft] | None:
    """As in "I don't want the tree any more", "no tree", "there should be no tree"."""
    for lead in (("i", "do", "not", "want"), ("i", "do", "not", "need"), ("there", "should", "be"), ("i", "want")):
        if tokens[: len(lead)] == lead:
            rest = tokens[len(lead) :]
            end = 2 if rest[-2:] == ("any", "more") else 1 if rest[-1:] in {("anymore",), ("there",)} else 0
            if end and "not" in lead:
                return [Draft("remove", thing) for thing in parse_all(rest[:-end]) if thing.named] or None
            return gone(rest) if "not" not in lead else None
    return gone(tokens) if tokens[0] in {"no", "without"} else None


def _how_would(tokens: Tokens) -> list[Draft] | None:
    """As in "how would the car look in red", "what the car would look like as a bus"."""
    if tokens[:1] not in {("how",), ("what",)} or not {"look", "looks"} & set(tokens):
        return None
    words = tuple(word for word in tokens[1:] if word not in {"would", "look", "looks", "like"})
    for i in range(1, len(words)):
        subjects = parse_all(words[:i])
        rest = words[i:]
        if not subjects:
            continue
        if rest[0] == "if" and len(rest) > 3:
            inner = rest[2:] if rest[1] in {"it", "they", "he", "she"} else rest[1:]
            result = parse_result(inner[1:]) if inner[0] in _BEING else None
        elif rest[0] in {"in", "as", "with", "if"}:
            result = parse_result(rest[1:] if rest[0] in {"as", "if"} else rest)
            if result is None and rest[0] == "with":
                things = parse_all(rest[1:])
                return additions(subjects, things) if things else None
        else:
            continue
        if result:
            return drafts_for(subjects, result)
    return None


def _wish(tokens: Tokens) -> list[Draft] | None:
    """As in "I want …", "I'd like …", "I'd rather have …", "we need …", "give me …"."""
    if tokens[:1] not in {("i",), ("we",)}:
        if tokens[:2] in {("give", "me"), ("show", "me"), ("get", "me"), ("can", "i"), ("could", "i"), ("may", "i"),
                          ("let", "me"), ("can", "we"), ("could", "we")}:  # fmt: skip
            inner = tokens[2:]
            while inner[:1] and inner[0] in {"have", "get", "see", "please"}:
                inner = inner[1:]
            return _wanted(inner)
        if tokens[:1] in {("prefer",), ("want",), ("need",), ("wanted",)}:
            return _wanted(tokens[1:])
        return None
    for i in range(1, min(6, len(tokens))):
        if tokens[i] == "not":
            return None
        if tokens[i] in _WANT or tokens[i : i + 2] in {("rather", "have"), ("rather", "see")}:
            inner = tokens[i + (2 if tokens[i] == "rather" else 1) :]
            while inner[:1] and inner[0] in {"that", "it", "to", "see", "have", "get", "if"}:
                if inner[0] in {"it", "that"} and inner[1:2] not in {("if",), ("that",), ("the",), ("it",), ("this",)}:
                    break
                inner = inner[1:]
            return _wanted(inner)
    return None


def _wanted(inner: Tokens) -> list[Draft] | None:
    while inner[:1] and inner[0] in {"to", "see", "have", "get"}:
        inner = inner[1:]
    if not inner:
        return None
    return (
        instead_of(inner)
        or _how_would(inner)
        or _passive(inner)
        or _to_have(inner)
        or gone(inner)
        or _modal(inner)
        or _copula(inner, True)
        or _on_background(inner)
        or resultative(inner, guess=False)
        or _for_bearer(inner)
        or described_anew(inner)
    )


def _passive(tokens: Tokens) -> list[Draft] | None:
    """As in "the house painted yellow", "the dog to be replaced with a cat"."""
    for i, token in enumerate(tokens):
        if i and token in PARTICIPLES and PARTICIPLES[token] not in {"have", "get", "let"}:
            subject = tokens[:i]
            for tail in (("to", "be"), ("being",), ("be",), ("get",), ("to", "get")):
                if subject[-len(tail) :] == tail:
                    subject = subject[: -len(tail)]
            drafts = imperative(PARTICIPLES[token], (*subject, *tokens[i + 1 :])) if parse_all(subject) else None
            if drafts:
                return drafts
    return None


def _to_have(tokens: Tokens) -> list[Draft] | None:
    for i in range(1, len(tokens) - 2):
        if tokens[i] == "to" and tokens[i + 1] in HAVING:
            return _bears(tokens[:i], tokens[i + 2 :])
    return None


def _bears(subject: Tokens, things: Tokens) -> list[Draft] | None:
    bearers, given = parse_all(subject), parse_all(things)
    if things[:1] and things[0] in FUNCTION_WORDS - INDEFINITE:
        return None
    if bearers and given and all(thing.named for thing in given):
        if is_quality(given[0], bearers[0]):
            look = parse_look(things)
            return drafts_for(bearers, Result(look)) if look else None
        return additions(bearers, given)
    return None


def _on_background(tokens: Tokens) -> list[Draft] | None:
    """As in "snow in the background", "a beach background", "the dog on a beach"."""
    for i in range(1, len(tokens)):
        if tokens[i:] in {("in", "the", "background"), ("as", "the", "background"), ("as", "a", "background"),
                          ("as", "background"), ("for", "the", "background"), ("behind", "it"), ("in", "background"),
                          ("behind", "everything"), ("in", "the", "back")}:  # fmt: skip
            ground = parse(tokens[:i])
            return scene(ground) if ground and ground.named else None
    whole = parse(tokens)
    if whole and whole.named and whole.head in lexicon.BACKGROUND_ITSELF and whole.adjectives:
        look = look_of(whole)
        if look.adjectives:
            background = parse(("the", "background"))
            return drafts_for((background,), Result(look)) if background else None
        return scene(NounPhrase(whole.adjectives, core=whole.adjectives))
    for i, token in enumerate(tokens):
        if token in {"on", "in", "at"} and i:
            things, ground = parse_all(tokens[:i]), parse(tokens[i + 1 :])
            if things and things[0].definite and ground and ground.named and ground.head in lexicon.BACKGROUNDS:
                return scene(ground)
    return None


def _for_bearer(tokens: Tokens) -> list[Draft] | None:
    """As in "a blue roof for the house", "a hat on the cat"."""
    for i, token in enumerate(tokens):
        if token in {"for", "on"} and i:
            things, bearers = parse_all(tokens[:i]), parse_all(tokens[i + 1 :])
            if things and bearers and not things[0].definite and bearers[0].definite:
                return additions(bearers, things)
    return None


def _narrated(tokens: Tokens) -> list[Draft] | None:
    """As in "we painted the house red", "you turn the dog into a cat", "it were to become"."""
    if tokens[:1] in {("we",), ("you",), ("i",), ("someone",), ("somebody",)} and len(tokens) > 2:
        verb = PARTICIPLES.get(tokens[1]) or base_form(tokens[1])
        return imperative(verb, tokens[2:]) if verb else None
    return None


def _modal(tokens: Tokens) -> list[Draft] | None:
    for i, token in enumerate(tokens):
        phrase = next((words for words in _MODAL_PHRASES if tokens[i : i + len(words)] == words), None)
        if phrase is None and token not in MODALS:
            continue
        after = tokens[i + (len(phrase) if phrase else 1) :]
        if i == 0:
            return _inverted(after)
        if after[:1] == ("not",):
            return None
        found = _predicate(tokens[:i], after)
        if found:
            return found
    return None


def _inverted(after: Tokens) -> list[Draft] | None:
    """As in "can the house be pink"."""
    for i in range(1, len(after)):
        if after[i] in {"be", "become", "look", "have", "get", "wear", "turn"} and parse_all(after[:i]):
            return _predicate(after[:i], after[i:])
    return None


def _predicate(subject: Tokens, after: Tokens) -> list[Draft] | None:
    """What follows a modal verb: "be red", "look better in blue", "have red ears", "be replaced by a cat"."""
    while after[:1] and after[0] in _ADVERBS:
        after = after[1:]
    subjects = parse_all(subject)
    if not subjects or not after or subject[0] in _NEVER_SUBJECTS:
        return None
    if after[0] in HAVING:
        return _bears(subject, after[1:])
    if after[0] == "be" and after[1:2] in {("wearing",), ("holding",), ("given",)}:
        return _bears(subject, after[2:])
    if len(after) == 1 and after[0] in {"go", "disappear", "vanish"}:
        return [Draft("remove", thing) for thing in subjects]
    better = _better(subjects, after)
    if better:
        return better
    if after[0] == "be" and after[1:2] and after[1] in PARTICIPLES and not parse_look(after[1:]):
        passive = _passive((*subject, *after))
        if passive:
            return passive
    if after[0] == "be":
        while after[1:2] and after[1] in _ADVERBS:
            after = (after[0], *after[2:])
        if after[1:2] and after[1] in _GONE:
            return [Draft("remove", thing) for thing in subjects]
        if after[1:3] and after[1] in {"on", "in", "at", "under"}:
            placed = _on_background((*subject, *after[1:]))
            if placed:
                return placed
    if after[0] in {"be", "become", "look", "turn", "appear", "resemble", "seem", "go", "transform", "morph", "change"}:
        if after[0] in {"transform", "morph", "change"} and after[1:2] in {("into",), ("to",)}:
            after = ("become", *after[2:])
        result = parse_result(
            ("become", *after[1:]) if after[0] == "turn" and after[1:2] != ("into",) else after, guess=True
        )
        if result:
            return drafts_for(subjects, result)
        if after[0] == "be":
            return _passive((*subject, "be", *after[1:]))
    return None


def _better(subjects: tuple[NounPhrase, ...], after: Tokens) -> list[Draft] | None:
    """As in "look better in purple", "be nicer as a cat"."""
    if after[0] not in {"look", "be", "looks"} or len(after) < 3:
        return None
    rest = after[1:]
    while rest and rest[0] in {"much", "so", "way", "a", "lot", "even", "really", "very", "far"}:
        rest = rest[1:]
    if not rest or rest[0] not in _BETTER:
        return None
    rest = rest[1:]
    if rest[:1] == ("if",):
        rest = rest[2:] if rest[1:2] and rest[1] in {"it", "they", "he", "she"} else rest[1:]
        rest = rest[1:] if rest[:1] and rest[0] in _BEING else rest
    if rest[:1] == ("with",):
        things = parse_all(rest[1:])
        look = parse_look(rest)
        if look is None and things:
            return additions(subjects, things)
    result = parse_result(rest[1:] if rest[:1] in {("as",), ("being",)} else rest) if rest else None
    return drafts_for(subjects, result) if result else None


def _copula(tokens: Tokens, assumed: bool) -> list[Draft] | None:
    for i, token in enumerate(tokens):
        if i == 0 or tokens[0] in _NEVER_SUBJECTS:
            continue
        now = assumed or "now" in tokens[i:]
        after = tuple(word for word in tokens[i + 1 :] if word not in {"now", "instead"})
        subject = tuple(word for word in tokens[:i] if word != "now")
        subjects = parse_all(subject)
        if not subjects or not after:
            continue
        if token in {"looks", "look"}:
            better = _better(subjects, ("look", *after))
            if better:
                return better
        if token in _BECOMING and not (
            token in {"turns", "turn", "change", "changes"} and after[0] not in {"into", "to"}
        ):
            result = parse_result(after[1:] if after[0] in {"into", "to"} else after, guess=True)
            if result:
                return drafts_for(subjects, result)
        if not now:
            continue
        if token in HAVING or (token in _BEING and after[0] in {"wearing", "holding"}):
            found = _bears(subject, after[1:] if token in _BEING else after)
        elif token in _BEING and after[0] in _GONE:
            found = [Draft("remove", thing) for thing in subjects]
        elif token in _BEING or token in {"looks", "look", "turns", "'s", "looked"}:
            rest = after[2:] if after[:2] in {("to", "be"), ("to", "become")} else after
            result = parse_result(("look", *rest) if token == "looks" else rest, guess=True)
            found = (
                drafts_for(subjects, result)
                if result
                else (_on_background((*subject, *rest)) or _passive((*subject, "be", *rest)))
            )
        else:
            found = None
        if found:
            return found
    return None


def _bare(tokens: Tokens) -> list[Draft] | None:
    """As in "dog to cat", "cat on the left -> tiger", "the car in red", "roof: red"."""
    for i, token in enumerate(tokens):
        if not i or token not in {ARROW, ":", "to", "into", "in", "as", "becomes"} or len(tokens) > 16:
            continue
        before = tokens[:i]
        while before[-1:] and before[-1] in {",", "but", "just", "only"}:
            before = before[:-1]
        sources = parse_all(before)
        result = parse_result(tokens[i + 1 :]) if sources else None
        if (
            sources
            and result
            and all(source.named or source.core or source.selectors or source.behind for source in sources)
        ):
            if token == "in" and not result.look:
                continue
            return drafts_for(sources, result)
    drafts = resultative(tokens, guess=False)
    return drafts if drafts and all(draft.action == "look" for draft in drafts) else None
