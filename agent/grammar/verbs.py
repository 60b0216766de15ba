"""Verbs that ask for an edit, by the frame that they take; their forms, and their misspellings."""

from agent.grammar.tokens import Tokens, is_typo

_FRAMES: dict[str, str] = {
    "change": "change turn transform convert morph switch alter transmute mutate shift modify set render reimagine "
    "redesign translate edit evolve restyle rework update remake make-over adapt",
    "make": "make get have let",
    "paint": "paint colour color recolour recolor dye tint stain spray spray-paint repaint shade colorize colourise "
    "recolorize tie-dye fill-in",
    "replace": "replace substitute exchange swap trade supplant",
    "give": "give grant lend",
    "put": "put place stick hang lay stand seat position mount move bring sit",
    "add": "add attach insert include append tie glue draw sketch pin fasten fix",
    "remove": "remove delete erase eliminate hide drop vanish kill",
    "cover": "cover coat wrap fill decorate dress drape top sprinkle surround clothe adorn plate",
    "use": "use show",
    "darken": "darken lighten brighten whiten blacken redden enlarge enlargen shrink gild yellow age flatten",
    "imagine": "imagine picture visualise visualize pretend suppose depict envision portray",
}  # fmt: skip
FRAME: dict[str, str] = {verb: frame for frame, verbs in _FRAMES.items() for verb in verbs.split()}
"""Verb -> frame."""

LOOK_VERBS = {
    "darken": "dark", "lighten": "light", "brighten": "bright", "whiten": "white", "blacken": "black", "redden": "red",
    "enlarge": "big", "enlargen": "big", "shrink": "small", "gild": "golden", "yellow": "yellow", "age": "old",
    "flatten": "flat",
}  # fmt: skip
"""Verbs that are an adjective of their own."""

UNSUPPORTED = frozenset(
    "move crop rotate resize zoom flip mirror blur sharpen enhance upscale denoise improve fix straighten filter "
    "retouch translate compress save open upload download print send share export import generate create".split()
)
"""Verbs of other image programs."""

_COMMON = (
    "change", "turn", "transform", "convert", "make", "paint", "colour", "color", "recolour", "recolor", "replace",
    "substitute", "exchange", "swap", "switch", "give", "remove", "delete", "cover", "morph", "repaint", "modify",
    "decorate",
)  # fmt: skip
_TOLD_APART = frozenset(
    "chance charge range orange point pint pant pain train burn torn tune tuna mask mark mate male mare mane maze mike "
    "take cake lake fake wake place relace palace swamp swan swat lice live hover cover lover rover color colon collar "
    "course court count mover move witch stitch pitch mouth north month horse dive five hive gave gives man may main "
    "mach mache morphe convierte transforme remplace changer cambia forma pin panda".split()
)

MODALS = frozenset("should must could can may might would will shall ought".split())
HAVING = frozenset("has have had wears wear gets get wore wearing".split())


def _gerund(verb: str) -> str:
    if verb in {"swap", "put", "get", "set", "drop", "wrap", "top", "let", "pin", "sit"}:
        return f"{verb}{verb[-1]}ing"
    if verb == "tie":
        return "tying"
    return (verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb) + "ing"


def _participle(verb: str) -> str:
    irregular = {
        "make": "made", "give": "given", "get": "got", "let": "let", "put": "put", "set": "set", "have": "had",
        "swap": "swapped", "wrap": "wrapped", "drop": "dropped", "top": "topped", "hide": "hidden", "draw": "drawn",
        "show": "shown", "stick": "stuck", "hang": "hung", "lay": "laid", "substitute": "substituted", "pin": "pinned",
        "shrink": "shrunk", "bring": "brought", "stand": "stood", "sit": "sat",
    }  # fmt: skip
    if verb in irregular:
        return irregular[verb]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + ("d" if verb.endswith("e") else "ed")


GERUNDS = {_gerund(verb): verb for verb in FRAME}
PARTICIPLES = {_participle(verb): verb for verb in FRAME}


_PHRASAL: dict[Tokens, str] = {
    ("get", "rid", "of"): "remove",
    ("take", "away"): "remove",
    ("take", "out"): "remove",
    ("take", "off"): "remove",
    ("cut", "out"): "remove",
    ("wipe", "out"): "remove",
    ("throw", "away"): "remove",
    ("throw", "out"): "remove",
    ("do", "away", "with"): "remove",
    ("turn", "back"): "change",
}


def verb_at(tokens: Tokens) -> tuple[str, Tokens] | None:
    """The edit verb at the beginning, in its base form, and what follows it."""
    for words, verb in _PHRASAL.items():
        if tokens[: len(words)] == words:
            return verb, tokens[len(words) :]
    if tokens[:1] == ("take",) and tokens[-1:] and tokens[-1] in {"away", "out", "off"}:
        return "remove", tokens[1:-1]
    if tokens[:1] == ("take",) and "off" in tokens:
        at = tokens.index("off")
        return "remove", (*tokens[1:at], "from", *tokens[at + (2 if tokens[at + 1 : at + 2] == ("of",) else 1) :])
    base = base_form(tokens[0]) if tokens else None
    return (base, tokens[1:]) if base else None


def base_form(word: str, gerund: bool = False) -> str | None:
    """The edit verb that a word at a verb's place is, misspelt or not; None where it is none."""
    if word in FRAME:
        return word
    if word in GERUNDS:
        return GERUNDS[word] if gerund or word not in {"painting", "drawing"} else None
    if len(word) < 3 or word in _TOLD_APART or word in PARTICIPLES:
        return None
    near = [verb for verb in _COMMON if is_typo(word, verb)]
    return near[0] if near else None


WEAK = frozenset("have let get show use picture imagine suppose pretend".split())
"""Edit verbs that begin many a sentence that asks for no edit."""
