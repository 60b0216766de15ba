"""Turns said in a roundabout way, in the words that the rest of the grammar reads: "scrap that" is "undo".

`dialogue` asks before it reads a turn. A family of wordings is one pattern; what fits none stays as it was said.
"""

import re

from agent.grammar import lexicon
from agent.grammar.changes import new_look, part_of
from agent.grammar.history import plain, praised
from agent.grammar.looks import parse_look
from agent.grammar.number import singular
from agent.grammar.tokens import tokenize
from agent.grammar.verbs import HAVING, MODALS
from agent.plans import EditPlan
from instructedit_models.lexicon import COLOURS, MATERIALS, OWNED

__all__ = ["restated"]

_HESITATION = re.compile(
    r"^(?:(?:oh|ah|aha|hm+|um+|uh|ugh|well|ok|okay|alright|so(?! should| must)|yeah|wait(?=,? i ))\b[ ,.!;:-]*(?=\w)"
    r"|(?:fine|sure|yes|yep|right|great|good|nice|perfect|cool|lovely|thanks|thank you|next|finally|hold on|hang on)"
    r"[,.!;:-]+ *(?=\w)"
    r"|(?:not quite(?: there| right)?(?: yet)?|almost(?: there)?|nearly(?: there)?|close|getting there|not enough)\b"
    r"[,.!;:-]+ *(?:but |so )?(?=\w))+"
)
_REFUSAL = (
    r"(?:no|nah|nope|never ?mind|oops|wait|actually|sorry|ugh|on second thought|hold on|"
    r"i (?:do not|don't|didn't|did not) (?:really )?(?:like|want|mean) (?:it|that|this|them)(?: one)?(?: at all)?|"
    r"i(?:'ve| have)? changed my mind|i(?: would|'d) rather not|i take (?:it|that) back|not (?:good|that|this)|"
    r"(?:that|it|this)(?: is|'s| was| looks) (?:\w+ )?(?:worse|bad|ugly|awful|terrible|horrible|wrong|a mistake))"
)
_BACKWARDS = (
    r"(?=(?:please |just |let's |let us |can (?:you|we) |could (?:you|we) )*(?:undo|revert|go back|step back|back to|"
    r"take (?:it|that|this|them) back|roll back|restore|reverse|cancel|discard|leave|forget|scratch|scrap|put)\b)"
)
_REFUSED = re.compile(rf"^(?:{_REFUSAL}\b[ ,.!;:-]*(?:(?:and|so|but|please) )*)+{_BACKWARDS}")
_ASKED = re.compile(
    r"^(?:can|could|would|will) (?:you|we|i)(?:(?: please| maybe| also| just| perhaps)* "
    r"(?=(?:try|undo|redo|go|give|take|bring|leave|forget|scrap|scratch|drop|put|revert)\b)"
    r"|(?: please| maybe| perhaps| possibly| kindly)+ (?!(?:see|find|count|tell|say|describe)\b))"
)
_AFTER_PRAISE = re.compile(r"^[ ,.!;:-]+(?:and |but |now |then |so )*(?=\w)|^ (?:and|but|now|then|so) (?=\w)")

_EDITS = r"(?:edits?|changes?|steps?|ones?|things?|turns?|versions?)"
_AWAY = r"(?:scratch|scrap|ditch|drop|delete|remove|lose|get rid of|throw (?:away|out)|forget(?: about)?|toss)"
_NP = r"(?:the|my|our|his|her|its) [\w' -]{2,50}?"
_LOOK = r"[a-z-]+(?: [a-z-]+)?"
_SHADE = rf"(?:(?:light|dark|bright|pale|deep)[ -])?(?:{'|'.join(sorted(COLOURS | MATERIALS))})"
_SAVE = r"(?:except|but|apart from|other than|save)"
_EASED = r"(?:a (?:notch|bit|little|tad|touch|lot)|some|slightly|one notch|(?:even )?further|more|even more)"
_ALREADY = r"(?: please| again| then| now| after all)*"
_NICE = r"(?:fine|ok|okay|good|better|nicer|best|alright|all right|perfect|great|prettier)"
_AS_BEFORE = r"(?:before(?: that| this)?|earlier|originally|at first|(?:as|the way) (?:it|they) (?:was|were))"
_NOT_THE_ONE = (
    r"(?:(?:(?:that|this|it)(?: is|'s| was)(?: not|n't)|not) (?:the (?:right )?(?:one|thing)|that (?:one|thing))"
    r"(?: (?:that )?i (?:meant|mean|wanted|want|asked for))?"
    r"|(?:(?:that|this|it)(?: is|'s| was) |you (?:got|took|picked|chose|edited|changed|did) )?the wrong (?:one|thing))"
)

_TURNS: tuple[tuple[str, str], ...] = (
    # back
    (r"i (?:liked|preferred|loved) (?:it|that|this)(?: \w+)? (?:better|more|best)(?: before| earlier)?", "undo"),
    (r"i (?:liked|preferred|loved) (?:it|the one|what we had|how it was) before", "undo"),
    (r"(?:it|that|this) (?:was|looked) (?:\w+ )?(?:better|nicer|best|fine) (?:before|earlier|without (?:it|that))",
     "undo"),
    (r"(?:before|the (?:previous|last|earlier|old) (?:one|version)) (?:was|looked) (?:\w+ )?(?:better|nicer|best)",
     "undo"),
    (rf"(?:leave|keep) (?:it|that|this|them)(?: one)? (?:alone|as (?:it|they) (?:was|were)(?: before)?|"
     rf"(?:how|the way) (?:it|they) (?:was|were)(?: before)?){_ALREADY}", "undo"),
    (rf"(?:leave|keep) ({_NP}) (?:alone|as (?:it|they) (?:was|were)(?: before)?|"
     rf"(?:how|the way) (?:it|they) (?:was|were)(?: before)?){_ALREADY}", r"undo only \1"),
    (rf"(?:scratch|scrap|ditch) (?:that|it|this){_ALREADY}", "undo"),
    (rf"{_AWAY} (?:that|this|the|my|our|those|these)(?: very)? (?:last|latest|previous|most recent)"
     rf"( \w+)? ?{_EDITS}{_ALREADY}", r"undo the last\1"),
    (rf"(?:forget|skip|scratch|scrap|unedit) (?:about )?({_NP}){_ALREADY}", r"undo only \1"),
    (rf"({_NP}) (?:is|are|was|were|looks?|came out) (?:\w+ )?(?:wrong|bad|ugly|awful|terrible|worse|off)[,.;]* "
     rf"(?:so |please |and )*(?:undo|revert|take back|cancel) (?:that|it|them|this)(?: one| back)?", r"undo only \1"),
    (rf"({_NP}) (?:was|were|looked) (?:\w+ )?{_NICE} {_AS_BEFORE}[,.;]*"
     r"(?: (?:so |please |and )*(?:undo|revert|restore|put|bring|take) (?:that|it|them|this)(?: one| back)?)?",
     r"undo only \1"),
    (rf"(?:i|we) (?:prefer(?:red)?|(?:like|liked|love|loved)(?=.* (?:better|more|best)\b)) "
     rf"(?!the old |.* (?:to|in|as|with|if|being) )({_NP})(?: better| more| best)?(?: before)?", r"go back to \1"),
    (rf"({_NP}) (?:was|looked|is|looks) (?:\w+ )?(?:better|nicer|best|prettier)(?: than (?:this|that|it|the .+))?",
     r"go back to \1"),
    (rf"(?:bring|get) (?:back ({_NP})|({_NP}) back){_ALREADY}", r"go back to \1\2"),
    (rf"(?:i want|i'd like|give me|we need) ({_NP}) back{_ALREADY}", r"go back to \1"),
    (r"(?:let me |let us |let's )?(?:compare|check)(?: it| this| that| the picture)?,? (?:to|with|against) the "
     r"(?:original|first|start|beginning).*", "what did we change?"),
    (rf"i (?:like|liked|prefer|preferred) the (?:old|previous|first|original) ({_LOOK}) (?:more|better)",
     r"undo only the \1"),
    (r"(?:what is|what's|what are) (?:the )?differen(?:t|ces?)(?: (?:to|from|now|so far)\b.*)?", "what did we change?"),
    # strength
    (rf"(?:take|bring|turn|knock) (?:it |that |this )?down(?: {_EASED})?", "a bit less"),
    (rf"(?:dial|tone|scale|pull) (?:it |that |this )?(?:down|back)(?: {_EASED})?", "a bit less"),
    (rf"(?:crank|turn|bump|amp|ramp|kick|dial|step|push) (?:it |that |this )?up(?: {_EASED})?", "stronger"),
    (r"(?:ease|go easy|go easier|hold back|back|let) (?:up|off|on|it)(?: on)?(?: it| that| this| up)?", "a bit less"),
    (r"(?:(?:that|it|this)(?: is|'s| looks)? )?(?:a bit |way |far |much |still |really )*"
     r"(?:overdone|over the top|too (?:harsh|heavy|loud|extreme|aggressive|far))", "too much"),
    (r"(?:(?:that|it|this)(?: is|'s| looks)? )?(?:a bit |way |far |much |still |really )*"
     r"(?:too (?:faint|weak|subtle|timid|washed out)|underdone|washed out|not visible(?: enough)?)", "stronger"),
    (r"(?:go )?(?:even |a lot |much )?(?:bolder|harder|heavier|more of (?:that|it|this))", "stronger"),
    (r"(?:(?:a bit|slightly|a little|a tad|just) )*(more|less|stronger|weaker) than (?:that|this|it|before)",
     r"a bit \1"),
    (r"(?:make|have) (?:the (?:change|edit|effect|difference|result)) (?:a (?:bit|little) )?(more|less) [a-z]+",
     r"a bit \1"),
    # edits
    (rf"{_NOT_THE_ONE}[,.;:-]+ (?:but |please )?(?:i (?:meant|mean|wanted|want) )?(the .+)", r"no, \1"),
    (_NOT_THE_ONE, "no, the other one"),
    (r"not (?:the|that|this) ([a-z]+)[,.;:-]+ (?:but |please )?(?:i (?:meant|mean|wanted|want) )?the other(?: one)?",
     r"no, the other \1"),
    (rf"(?:it|that|this|they) (?:should have been|was supposed to be|were supposed to be|ought to be) ({_LOOK})",
     r"no, make it \1"),
    (rf"i(?: would|'d)? (?:like|prefer|love) ({_NP}) (?:better |more )in ({_LOOK})", r"make \1 \2"),
    (rf"({_NP}),? but with (an? .+)", r"give \1 \2"),
    (rf"({_NP}),? but (?:make it |in |this time )?({_LOOK})", r"make \1 \2"),
    (rf"(?:i(?: would|'d)? (?:want|like|love|prefer)|i need|let) ({_NP}) to (match .+)", r"make \1 \2"),
    (rf"(?:recolou?r|change|edit|repaint|take) ({_NP}),? (?:and )?(make|paint|colou?r|turn|dye) it (.+)", r"\2 \1 \3"),
    (r"(?:i (?:do not|don't|did not|didn't) want|i(?: have|'ve) never asked for) (?:an?|the) [\w -]+?[,.;] *(?:but )?"
     r"((?:make|turn|paint) it .+)", r"no, \1"),
    (r"no,? (not the .+)", r"\1"),
    (r"so (?:should|must|could)(?: be)? (.+)", r"the same for \1"),
    (r"ditto(?: for| with| on)? (.+)", r"the same for \1"),
    (rf"({_NP}),? next", r"the same for \1"),
    (rf"(make|paint|colou?r|turn|dye) (?:(?:everything|all of it) |all (?={_SHADE} {_SAVE}))({_LOOK}) "
     rf"{_SAVE} (?:for )?(.+)", r"\1 everything except \3 \2"),
    (r"(?:put|place|set|move) (?:everything|it all|them all|all of (?:it|them|this)|the whole (?:thing|scene|picture)) "
     r"(on|in|at|into) (.+)", r"put it \1 \2"),
    (rf"(?:.*\b)?(?:a different|another|a new|some other) (?:colou?r|material|look) (?:for|on) ({_NP}),? "
     rf"(?:say|maybe|perhaps|like|how about|for example|something like) ({_LOOK})", r"make \1 \2"),
    (rf"(?:give|let) ({_NP}) (?:have )?(?:a different|another|a new|some other) (?:colou?r|material|look),? "
     rf"(?:say|maybe|perhaps|like|how about|for example|something like) ({_LOOK})", r"make \1 \2"),
    (rf"({_NP}) (?:needs|need|could use|deserves|could do with|should get|wants) "
     r"(an? .+|[a-z-]+ [a-z]+s)", r"give \1 \2"),
    (r"(?:do|change|edit|paint|colou?r|treat|make) (.+?) (?:in )?(?:exactly )?(?:the )?same way", r"the same for \1"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), words) for pattern, words in _TURNS)
_WITH = re.compile(r"(?:(?:and|but|now|then|also|only|this time)\b,? )*with (an? .+|[a-z-]+ [a-z]+s)")
_TRIED = re.compile(
    r"(?:try|use|how about|what about|maybe|perhaps|go with|go for|make it|rather)(?: try)?(?: an?)? "
    r"(?P<ground>[a-z ]+?)(?: (?:instead|then|for it))*"
)
_NOT_SO = re.compile(r"(?P<said>.+?),? (?:and |but )?not (?:an? |the )?(?P<old>[a-z-]+)(?: any ?more)?")
_NOT_THAT = re.compile(
    r"(?P<said>(?:no|nope|sorry|oops|actually|wait|i (?:meant|mean|said))\b.*\bthe .+?),? (?:and )?not (?:the|that) .+"
)
_SAME_LOOK = re.compile(
    r"(?:\b(?:in|of|with|to|into|have|get|has) )?\b(?:the|that|this|exactly the) (?:very |exact )?same "
    r"(?P<what>[a-z-]+)(?! as\b| like\b| of\b)(?= |$)"
)
_ALSO = r"(?:(?:and|also|now|then|but)\b,? )*"
_TOO_LOOK = re.compile(
    r"(?:(?:it|that|this)(?: is|'s| looks)? )?(?:a bit |way |far |much |still )*too (?P<look>[a-z-]+)(?:[,.;] .+)?"
)
_MORE_LOOK = re.compile(r"(?:make it )?(?:even |much |a bit |still |a lot )*(?P<look>[a-z]+)er")
_WITHOUT = re.compile(rf"{_ALSO}(?:without|no|lose|drop) (?:the |those |these |any )?(?P<what>[a-z]{{4,}})")
_WHOM = r"(?P<whom>(?:the|both|all|my|its) [\w' -]{2,40}?)"
_FOR = re.compile(
    rf"{_ALSO}(?:an? )?(?P<look>[a-z-]+)(?: (?P<part>[a-z]+))? for {_WHOM}(?: too| as well| please| then)*"
)
_SAID_OF = re.compile(rf" (?:{'|'.join(sorted(MODALS | HAVING))}|needs?)(?: |$)")
"""A verb in what should be a thing: "the dog should have red ears" is not "the right one a blue crown"."""
_EACH_ITS = re.compile(rf"{_ALSO}{_WHOM} (?:an? )?(?P<look>[a-z-]+) (?P<part>[a-z]+)(?: too| as well| please)*")
_SORTS = frozenset("color colour shade hue tone material pattern look style".split())


def restated(text: str, last: EditPlan | None, current: bool) -> str:
    """The turn in plainer words, or as it was said where it is plain already.

    Args:
        text: what the person said.
        last: the newest edit that it may lean on; None where nothing was edited.
        current: whether that edit made the current picture.
    """
    said = plain(text)
    bare = _opened(said)
    asked = re.sub(r"(?:,? (?:please|thanks|thank you))+$", "", bare)
    for pattern, words in _PATTERNS:
        match = pattern.fullmatch(asked)
        if match:
            return match.expand(words).strip()
    for step in (_other_ground, _without_contrast):
        found = step(bare)
        if found is not None:
            return found
    found = _leaning(bare, last, current) or _given(bare, last)
    if found is not None:
        return found
    return text if bare == said else bare


def _opened(said: str) -> str:
    """The words without hesitation, praise and refusal before a request."""
    while True:
        rest = _REFUSED.sub("", _ASKED.sub("", said, count=1), count=1)
        if (length := praised(rest)) and (match := _AFTER_PRAISE.match(rest[length:])):
            rest = rest[length + match.end() :]
        shorter = _HESITATION.sub("", rest, count=1)
        rest = shorter if len(shorter.split()) > 1 else rest
        if rest == said:
            return said
        said = rest


def _other_ground(said: str) -> str | None:
    """As in "try snow instead"."""
    match = _TRIED.fullmatch(said)
    ground = match["ground"] if match else ""
    return f"change the background to {ground}" if ground in lexicon.BACKGROUNDS else None


def _without_contrast(said: str) -> str | None:
    """As in "make it green, not purple" and "no, the star, not the cup"."""
    if match := _NOT_THAT.fullmatch(said):
        return match["said"]
    match = _NOT_SO.fullmatch(said)
    if match and parse_look((match["old"],)) is not None and any(parse_look((w,)) for w in tokenize(match["said"])):
        return match["said"]
    return None


def _leaning(said: str, last: EditPlan | None, current: bool) -> str | None:
    """What leans on how the last edit's thing looks now: "in the same colour", "with a red roof"."""
    if last is None:
        return None
    match = _SAME_LOOK.search(said)
    if match and last.change == "appearance" and not re.match(r"(?:and |now |also )*(?:the )?same", said):
        look = new_look(last)
        if look and (match["what"] in _SORTS or match["what"] in look.split()):
            return " ".join(f"{said[: match.start()]} {look} {said[match.end() :]}".split())
    if not current:
        return None
    if match := _WITH.fullmatch(said):
        return f"give it {match[1]}"
    looks = new_look(last).split()
    if (match := _TOO_LOOK.fullmatch(said)) and match["look"] in looks:
        return "a bit less"
    if (match := _MORE_LOOK.fullmatch(said)) and {match["look"], f"{match['look']}e"} & {
        word for look in looks for word in (look, f"{look}{look[-1]}")
    }:
        return "stronger"
    if (match := _WITHOUT.fullmatch(said)) and any(look.startswith(match["what"][:3]) for look in looks):
        return "undo"
    return None


def _given(said: str, last: EditPlan | None) -> str | None:
    """As in "red roof for the small house", "and the right one a blue crown", "yellow for the cat"."""
    match = _FOR.fullmatch(said) or _EACH_ITS.fullmatch(said)
    if match is None or _SAID_OF.search(match["whom"]) or parse_look((match["look"],)) is None:
        return None
    part = match["part"]
    if part is None:
        return f"make {match['whom']} {match['look']}"
    if part == "one":
        part = part_of(last.segmentation_prompt) if last is not None else None
    if part is None or (singular(part) not in OWNED):
        return None
    article = "" if part.endswith("s") else "a "
    return f"give {match['whom']} {article}{match['look']} {part}"
