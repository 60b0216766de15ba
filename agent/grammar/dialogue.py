"""What a turn of a conversation means, with what was said and done before.

The offline chat model asks here; `understand` is for one sentence alone. Order: an answer to a question, the history,
feedback on the last edit, what leans on the last edit, then the sentence itself.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from agent.grammar.answers import answer, counts_too_far, numbered, several
from agent.grammar.changes import new_look, recoloured
from agent.grammar.classes import nouns_of_class
from agent.grammar.history import adjustment, aside, asks_for_history, move, plain, taken_out, variations
from agent.grammar.intents import is_question
from agent.grammar.lexicon import PARTS
from agent.grammar.naming import Named, naming, under_their_names, without_names
from agent.grammar.nouns import parse
from agent.grammar.references import edited_thing
from agent.grammar.restating import restated
from agent.grammar.rewriting import corrected_inside, other_result, rewritten
from agent.grammar.tokens import tokenize
from agent.grammar.understanding import Understanding, understand
from agent.plans import EditPlan, check_instruction

__all__ = ["Asked", "Talk", "is_whole", "understand_turn"]


@dataclass(frozen=True)
class Asked:
    """A question that the agent asked.

    Attributes:
        prompt: the segmentation prompt that several things fit; "object" where nothing was named.
        instruction: what the person had said.
        before: the edit that the picture was made by then.
        ids: the candidates' region ids, as numbered.
        phrases: what each of them was found as.
        plans: the edits of that instruction.
        name: the name that it gave, "" where it was no naming.
    """

    prompt: str
    instruction: str
    ids: tuple[str, ...]
    phrases: tuple[str, ...]
    plans: tuple[EditPlan, ...] = ()
    before: EditPlan | None = None
    name: str = ""


@dataclass(frozen=True)
class Talk:
    """A turn and what it may refer to.

    Attributes:
        instruction: what the person said.
        description: what BLIP-2 says of the picture, or None.
        medium: the picture's medium where it is known.
        before: the edit that made the current picture.
        last: the newest edit of the conversation.
        whole: the newest edit of a thing that is no part of another.
        question: what the person asked about the picture in the last turn.
        asked: what the agent asked in the last turn.
        failed: what was asked for in the last turn and could not be done, for its thing was not found.
        names: the names that were given to places.
    """

    instruction: str
    description: str | None = None
    medium: str | None = None
    before: EditPlan | None = None
    last: EditPlan | None = None
    whole: EditPlan | None = None
    question: str | None = None
    asked: Asked | None = None
    failed: EditPlan | None = None
    names: tuple[Named, ...] = ()


def is_whole(plan: EditPlan) -> bool:
    """Whether an edit was of a thing rather than of a part of one."""
    phrase = parse(tokenize(plan.segmentation_prompt))
    return phrase is None or phrase.head not in PARTS


_NO_QUESTION = re.compile(
    r"(?:and |now |then |also |ok |please )*(?:(?:what|how) about|do (?:the|it|that|this|so|likewise|both|all|its)) "
)
_ELSE = re.compile(
    r"\b(?:everything|all|anything)(?: else| (?:other than|except|but) (?:that|it|this))\b", re.IGNORECASE
)
_WHAT_ELSE = (
    'Nothing was edited yet, so I do not know what "everything else" leaves out; say it, for example '
    '"make everything but the dog black and white".'
)
_SAME_BUT = re.compile(
    r"(?:and )?(?:now )?(?:(?:the|do the) )?same(?: thing| edit)?(?: again)?,? (?:but|only|just)"
    r"(?: make it| in| with)? (?P<look>[a-z-]+)$"
)
_NO_NAMES = "Names are given in a conversation, where later instructions can use them."
_WHERE = re.compile(r"^(?:the|that|this|on|at|in|to) (?:the )?")
_LONGEST_TOPIC = 6
_NO_TOPICS = frozenset("picture image photo background left right middle colour color".split())
_IS_THERE = re.compile(
    r"^(?:(?:is|was) there|(?:do|can|could) you (?:see|find|spot)|does (?:it|the picture|this) (?:have|show|hold)) "
    r"(?:an?|any|one|some) ((?:[a-z-]+ )*?[a-z-]+)(?: (?:in|on|here|there|at)\b.*)?$"
)


def topic(question: str) -> str | None:
    """The one thing that a question about the picture was about: "the fish"."""
    if match := _IS_THERE.match(plain(question)):
        question = f"the {match[1]}"
    words = plain(question).split()
    named: list[str] = []
    begun = 0
    for i, word in enumerate(words):
        if word not in {"the", "that", "this"} or i < begun:
            continue
        lengths = range(min(_LONGEST_TOPIC, len(words) - i), 1, -1)
        phrase = next((" ".join(words[i : i + n]) for n in lengths if _is_thing(words[i : i + n])), None)
        if phrase is not None:
            named.append(phrase)
            begun = i + len(phrase.split())
    return named[0] if len(named) == 1 else None


def _is_thing(words: list[str]) -> bool:
    phrase = parse(tokenize(" ".join(words)))
    return phrase is not None and phrase.named and not phrase.plural and phrase.head not in _NO_TOPICS


@lru_cache(maxsize=512)
def understand_turn(talk: Talk) -> Understanding:
    """What the person wants.

    Raises:
        BadInstructionError: the instruction is empty or too long.
    """
    text = check_instruction(talk.instruction)
    answered = _answered(talk, text) if talk.asked is not None else None
    if answered is not None:
        return answered
    named = naming(text)
    if named is not None:
        return Understanding("name", name=named.name, thing=without_names(named.thing, talk.names), message=_NO_NAMES)
    meant = restated(without_names(text, talk.names), talk.before or talk.last, talk.before is not None)
    found = _about_the_conversation(meant) or _about_the_picture(talk, meant)
    return replace(found, edits=under_their_names(found.edits, text, talk.names)) if found.edits else found


def _about_the_conversation(text: str) -> Understanding | None:
    """History and feedback; None where the text is about the picture."""
    words = aside(text)
    if words is not None:
        return Understanding("cancelled", message=words)
    if asks_for_history(text):
        return Understanding("versions")
    moved = move(text)
    if moved is not None:
        return Understanding(moved.kind, steps=moved.steps, version=moved.version or None, then=moved.then or None)
    thing = taken_out(text)
    if thing is not None:
        return Understanding("take_out", version=thing)
    count = variations(text)
    if count is not None:
        return Understanding("variations", steps=count)
    adjusted = adjustment(text)
    if adjusted is not None:
        return Understanding("feedback", feedback=adjusted.feedback, amount=adjusted.amount, grow=adjusted.grow)
    return None


def _about_the_picture(talk: Talk, text: str) -> Understanding:
    """A question about the picture, or edits, with what leans on the last edit said in full."""
    if _ELSE.search(text) and _alone(talk, text).kind == "cannot_parse":
        edit = talk.before or talk.last
        thing = edited_thing(edit) if edit is not None else None
        if thing is None:
            return Understanding("cannot_parse", message=_WHAT_ELSE)
        return _alone(talk, _ELSE.sub(f"everything except the {thing.said}", text))
    if (again := _SAME_BUT.match(plain(text))) and (talk.before or talk.last) is not None:
        text = f"make it {again['look']}"
    if is_question(tokenize(text)) and not _NO_QUESTION.match(plain(text)):
        asking = _alone(talk, text)
        if asking.kind != "edit":
            return asking
    more = re.fullmatch(r"(?:make it )?(?:a (?:bit|little) |much |even )?more ([a-z-]+)", plain(text))
    if more and talk.before is not None and (other := other_result(more[1], talk.before)) is not None:
        if more[1] in new_look(talk.before).split():
            return Understanding("feedback", feedback="stronger")
        return replace(_alone(talk, other.text), replaces=other.replaces, same_place=True)
    inside = corrected_inside(text)
    first = _alone(talk, inside[0]).edits if inside else ()
    if inside and len(first) == 1:
        meant = rewritten(f"the same for {inside[1]}", first[0], current=True)
        if meant is not None:
            return _alone(talk, meant.text)
    if talk.failed is not None:
        meant = rewritten(text, talk.failed, current=True)
        found = _alone(replace(talk, before=None), meant.text) if meant else None
        if found is not None and found.kind == "edit" and found.edits:
            return found
    about = topic(talk.question) if talk.question else None
    leaning = rewritten(text, talk.before or talk.last, talk.before is not None, talk.whole, about)
    if leaning is not None:
        found = _alone(talk, leaning.text)
        if found.kind == "edit" and (found.edits or found.needs_description):
            same = leaning.same_place or _is_same(talk, leaning.text, found)
            return _recoloured(talk, replace(found, replaces=leaning.replaces, same_place=same))
    found = _alone(talk, text)
    if found.kind == "cannot_parse" and parse(tokenize(text)) is None:
        made = _alone(talk, f"make {plain(text)}")
        found = made if made.kind == "edit" and made.edits else found
    if found.kind != "edit":
        return found
    return _recoloured(talk, replace(found, same_place=_is_same(talk, text, found)))


def _recoloured(talk: Talk, found: Understanding) -> Understanding:
    """The edit in place of the last one where it only gives the same thing another colour."""
    if not found.same_place or found.replaces or talk.before is None or len(found.edits) != 1:
        return found
    text = recoloured(found.edits[0], talk.before)
    anew = _alone(replace(talk, before=None), text) if text else None
    if anew is None or len(anew.edits) != 1:
        return found
    return replace(anew, replaces=True, same_place=True)


def _alone(talk: Talk, text: str) -> Understanding:
    return understand(_mended(text), talk.description, talk.before, talk.medium)


def _mended(text: str) -> str:
    """The instruction without what it takes back: "not a dog but a cat" is "a cat"."""
    text = re.sub(r"\b(?:not|no longer) an? [\w -]+?,? but (?=an? )", "", text)
    text = re.sub(r"\b(turn|change|make|paint) (it|them|that) back (?=(?:in)?to\b)", r"\1 \2 ", text)
    return re.sub(r",? (?:and )?then (?=[\w-]+[.!]?$)", ", then make it ", text)


def _is_same(talk: Talk, text: str, found: Understanding) -> bool:
    """Whether the (only) edit is of just what the last edit changed."""
    if talk.before is None or len(found.edits) != 1 or re.search(r"\b(?:other|another|all|every|both)\b", text.lower()):
        return False
    thing = edited_thing(talk.before)
    return thing is not None and thing.said == found.edits[0].segmentation_prompt


def _answered(talk: Talk, text: str) -> Understanding | None:
    asked = talk.asked
    assert asked is not None
    noun = _noun(asked.prompt)
    said = answer(text, noun, asked.ids)
    if said is None and counts_too_far(text, len(asked.ids)):
        return Understanding("cannot_parse", message=f"I numbered them 1 to {len(asked.ids)}; which one do you mean?")
    if said is None:
        return None
    if not said.chosen and not said.narrowed:
        return Understanding("cancelled", message="All right, I leave the picture as it is.")
    if asked.name:
        thing = _narrowed_prompt(asked.prompt, said.narrowed) if said.narrowed else asked.prompt
        return Understanding("name", name=asked.name, thing=thing, choice=said.chosen) if thing else None
    if said.narrowed:
        return _narrowed(talk, said.narrowed)
    if len(said.chosen) == 1:
        place = said.chosen[0]
        plan = _planned(asked, asked.phrases[place])
        if plan is None:
            return None
        if asked.prompt == "object":
            alike = [i for i, phrase in enumerate(asked.phrases) if phrase == asked.phrases[place]]
            if len(alike) > 1:
                plan = plan.model_copy(
                    update={"segmentation_prompt": numbered(plan.segmentation_prompt, alike.index(place))}
                )
        else:
            plan = plan.model_copy(update={"segmentation_prompt": numbered(asked.prompt, place)})
        return Understanding("edit", (plan,), choice=said.chosen)
    plan = _planned(asked, asked.phrases[said.chosen[0]])
    if plan is None:
        return None
    if len({asked.phrases[i] for i in said.chosen}) == 1:
        prompt = several(plan.segmentation_prompt, len(said.chosen))
        plan = plan.model_copy(update={"segmentation_prompt": prompt})
    return Understanding("edit", (plan,), choice=said.chosen)


def _noun(prompt: str) -> str:
    phrase = parse(tokenize(prompt.partition(" of the ")[2] or prompt))
    return phrase.head if phrase is not None and phrase.head else prompt.split()[-1]


def _planned(asked: Asked, phrase: str) -> EditPlan | None:
    """The edit that was asked about, with its thing named where it was not."""
    if asked.prompt != "object" and not nouns_of_class(asked.prompt, [phrase]):
        return next((plan for plan in asked.plans if plan.segmentation_prompt == asked.prompt), None)
    medium = asked.plans[0].input_caption.split(" of ", 1)[0].lower() if asked.plans else "photo"
    named = understand(_mended(asked.instruction), f"{medium} of a {phrase}", None)
    return named.edits[0] if named.edits else None


def _narrowed(talk: Talk, words: str) -> Understanding | None:
    """The edit, with its prompt narrowed down: "bus" by "the striped one" to "striped bus"."""
    asked = talk.asked
    assert asked is not None
    words = _WHERE.sub("", words)
    named = parse(tokenize(f"the {words}"))
    if asked.prompt == "object" and named is not None and named.head in asked.phrases:
        plan = _planned(asked, named.head)
        return None if plan is None else _with_prompt(plan, words)
    plan, prompt = _planned(asked, "object"), _narrowed_prompt(asked.prompt, words)
    return _with_prompt(plan, prompt) if plan is not None and prompt else None


def _narrowed_prompt(prompt: str, words: str) -> str | None:
    """The prompt with the words that tell its thing from others: "bus", "the striped one" to "striped bus"."""
    part, of, owner = prompt.partition(" of the ")
    thing = owner if of else prompt
    words = _WHERE.sub("", words)
    match = re.fullmatch(rf"(.*?)\s*\b(?:one|{re.escape(_noun(thing))})\b\s*(.*)", words)
    before, after = (match[1], match[2]) if match else (words, "")
    narrowed = " ".join(f"{before} {thing} {after}".split())
    if parse(tokenize(f"the {narrowed}")) is None:
        return None
    return f"{part} of the {narrowed}" if of else narrowed


def _with_prompt(plan: EditPlan, prompt: str) -> Understanding:
    return Understanding("edit", (plan.model_copy(update={"segmentation_prompt": prompt}),))
