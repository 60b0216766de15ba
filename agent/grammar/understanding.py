"""From an instruction to its meaning: plans of edits, a question, feedback, undo, or a sentence on why it is none."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from agent.grammar import lexicon
from agent.grammar.classes import by_their_nouns
from agent.grammar.clauses import MAX_WORDS, Clauses, parse_sentence
from agent.grammar.description import NO_SCENE, Scene, parse_description
from agent.grammar.drafts import Draft, VagueRequest
from agent.grammar.frames import described_anew
from agent.grammar.intents import Feedback, history_intent, is_foreign, is_greeting, is_question
from agent.grammar.nouns import parse_all
from agent.grammar.phrases import NounPhrase
from agent.grammar.politeness import request
from agent.grammar.realise import Context, plan_of
from agent.grammar.references import edited_thing, is_open, resolve, settle
from agent.grammar.rephrasing import exchange, plainer
from agent.grammar.tokens import Tokens, join, sentences, tokenize
from agent.grammar.verbs import UNSUPPORTED, WEAK, verb_at
from agent.grammar.wordclasses import is_look
from agent.plans import EditPlan, Plan, check_instruction

Kind = Literal[
    "edit",
    "question",
    "feedback",
    "undo",
    "cannot_parse",
    "redo",
    "go_back",
    "versions",
    "variations",
    "cancelled",
    "take_out",
    "name",
]

CAN_DO = (
    'I can change what is in the picture, for example "turn the dog into a cat", "make the car on the left blue" '
    'or "change the background to snow", and answer questions about it.'
)


@dataclass(frozen=True)
class Understanding:
    """What an instruction means.

    Attributes:
        kind: what is wanted.
        edits: the edits, in the order said; () when a description of the picture is needed first.
        needs_description: whether the picture must be looked at to know what is meant or what lies behind it.
        why: why it must be looked at.
        question: for a question, what to ask about the picture.
        message: for `cannot_parse`, one sentence for the person; for an edit, what of the instruction was left out.
        ambiguous: other things of the description that "it" might mean.
        feedback: for feedback, in which direction.
        steps: for undo and redo, how many instructions to go back or forward, 0 for all; for variations, how many.
        amount: for feedback, by how much the encoding ratio changes.
        grow: for feedback, pixels to grow the mask by; None leaves it.
        version: for go_back, the words for the version; for take_out, those for the thing whose edit is taken out.
        then: for a move, what is asked for after it.
        replaces: whether the edit is done in place of the last one.
        same_place: whether the edit is made just where the last one was.
        choice: places, from 0 on, of the numbered candidates that the person chose.
        name: for name, what is to be called so.
        thing: for name, the segmentation prompt of what gets the name; "" where the last edit was.
        mask_id: where the edit is made, if that was found out before.
    """

    kind: Kind
    edits: tuple[EditPlan, ...] = ()
    needs_description: bool = False
    why: str | None = None
    question: str | None = None
    message: str | None = None
    ambiguous: tuple[str, ...] = ()
    feedback: Feedback | None = None
    steps: int = 1
    amount: float = 0.15
    grow: int | None = None
    version: str | None = None
    then: str | None = None
    replaces: bool = False
    same_place: bool = False
    choice: tuple[int, ...] = ()
    name: str = ""
    thing: str = ""
    mask_id: str | None = None

    @property
    def plan(self) -> Plan:
        """The edits as the language processor returns them; `why` holds the message where there are none."""
        return Plan(
            edits=list(self.edits),
            needs_description=self.needs_description,
            why=self.why or (None if self.edits else self.message),
        )


def understand(
    instruction: str, description: str | None = None, edited_before: EditPlan | None = None, medium: str | None = None
) -> Understanding:
    """What an instruction means, by the grammar alone.

    Args:
        instruction: what the person wrote.
        description: what BLIP-2 says of the picture, "photo of a red car on grass"; None where it was not asked.
        edited_before: the edit that made the picture, which "it" may mean.
        medium: the picture's medium where it is known without a description.

    Raises:
        BadInstructionError: the instruction is empty or too long.
    """
    text = check_instruction(instruction)
    scene = parse_description(description) if description else None
    context = (scene, edited_before, medium)
    meant = exchange(text, description)
    if meant is not None:
        if not meant.text:
            known = meant.why is None
            return _cannot(meant.message or CAN_DO) if known else Understanding("edit", (), True, meant.why)
        return _understood(meant.text, *context)
    found = _understood(text, *context)
    for other in plainer(text) if found.kind in ("cannot_parse", "question") else ():
        again = _understood(other.text, *context) if other.text else found
        if again.kind == "edit" and (again.edits or again.needs_description):
            return replace(again, message=again.message or other.message)
    return found


def _understood(text: str, scene: Scene | None, edited_before: EditPlan | None, medium: str | None) -> Understanding:
    """What a sentence means as it stands."""
    tokens = tokenize(text)
    if not any(token[0].isalnum() for token in tokens):
        return _cannot(f"I cannot read words in that. {CAN_DO}" if not is_foreign(text, tokens) else _FOREIGN_MESSAGE)
    intent = history_intent(tokens)
    if intent is not None:
        return Understanding(intent.kind, steps=intent.steps, feedback=intent.feedback)
    if is_foreign(text, tokens):
        return _cannot(_FOREIGN_MESSAGE)
    try:
        clauses, left_out = _all_clauses(tokens)
        drafts = settle(clauses, edited_thing(edited_before) if edited_before else None)
        if drafts:
            known = scene or (replace(NO_SCENE, medium=medium) if medium else NO_SCENE)
            return _edits(drafts, scene, Context(known, _names(text)), left_out)
    except VagueRequest as reason:
        return _cannot(f"I cannot edit that: {reason}.")
    return _no_edit(text, tokens)


_FOREIGN_MESSAGE = f"I understand English only. {CAN_DO}"


def _all_clauses(tokens: Tokens) -> tuple[Clauses, list[str]]:
    clauses: Clauses = []
    left_out: list[str] = []
    verb: str | None = None
    for sentence in sentences(tokens):
        found = parse_sentence(sentence, verb)
        if found is not None:
            clauses.extend(found)
            verb = "make" if found else verb
        elif _asks_for_something(sentence):
            left_out.append(join(tuple(word for word in sentence if word != "?")))
    if not any(clauses):
        whole = described_anew(request(tokens).tokens)  # "a red car, please"
        clauses, left_out = ([whole], []) if whole else (clauses, left_out)
    return clauses, left_out


def _asks_for_something(sentence: Tokens) -> bool:
    """Whether a sentence that is not understood is more than small talk."""
    said = verb_at(request(sentence).tokens)
    return (said is not None and said[0] not in WEAK and len(said[1]) > 0) or any(map(is_look, sentence))


def _edits(drafts: list[Draft], scene: Scene | None, context: Context, left_out: list[str]) -> Understanding:
    edits: list[EditPlan] = []
    why: str | None = None
    ambiguous: tuple[str, ...] = ()
    unresolved: str | None = None
    for draft in drafts:
        reason = _reason(draft)
        why = why or reason
        for known in _known(draft, scene):
            edits.append(plan_of(known, context))
        if is_open(draft.source):
            if scene is None:
                unresolved = unresolved or (None if _can_do_without(draft.source) else reason)
            else:
                found = resolve(draft.source, scene)
                ambiguous = ambiguous or found.ambiguous
                if not found.phrases:
                    unresolved = f'the description names nothing that "{_said(draft.source)}" could be'
    message = f'I left out "{left_out[0]}", which I did not understand.' if left_out else None
    if unresolved:
        edits = []
        message = f"Please name what to change: {unresolved}." if scene is not None else None
    return Understanding("edit", tuple(edits), why is not None, why, message=message, ambiguous=ambiguous)


def _known(draft: Draft, scene: Scene | None) -> list[Draft]:
    """The draft for each thing that its source means; [] where that is not known."""
    source = draft.source
    if not is_open(source):
        return [draft] if scene is None else by_their_nouns(draft, scene)
    if scene is not None:
        return [replace(draft, source=phrase) for phrase in resolve(source, scene).phrases]
    if source is not None and _can_do_without(source):
        return [replace(draft, source=replace(source, owner=None, text=source.core))]
    return []


def _can_do_without(source: NounPhrase | None) -> bool:
    """Whether it can be looked for without knowing whose it is, as "its wheels" can."""
    return source is not None and source.named


def _reason(draft: Draft) -> str | None:
    """Why the picture must be looked at before this edit; None where it need not."""
    source = draft.source
    if is_open(source):
        if source is None or source.text == ("it",) and draft.action == "add":
            return "the instruction does not name what to change"
        return f'the instruction says "{_said(source)}" and does not name what to change'
    if draft.action == "scene" or (source is not None and source.head in lexicon.BACKGROUND_ITSELF):
        return "the instruction asks for another background and does not name the one that is there"
    if draft.action == "remove" and not (source is not None and source.is_part):
        return "to know what is behind the thing that is taken away"
    return None


def _said(source: NounPhrase | None) -> str:
    if source is None:
        return "it"
    if source.named and source.owner is not None:
        return source.owner.said
    return f"{source.determiner} {source.said}" if source.determiner else source.said


def _no_edit(text: str, tokens: Tokens) -> Understanding:
    if is_question(tokens):
        return Understanding("question", question=" ".join(text.split()))
    if is_greeting(tokens):
        thanks = {"thanks", "thank", "bye", "goodbye"} & set(tokens)
        return _cannot(f"{'You are welcome.' if thanks else 'Hello!'} {CAN_DO}")
    unfinished = _unfinished(tokens)
    if unfinished:
        return _cannot(
            f'It does not say what "{unfinished}" should become; name a colour, a material or another thing.'
        )
    verb = next((word for word in tokens if word in UNSUPPORTED), None)
    if verb:
        return _cannot(f'I cannot "{verb}" pictures. {CAN_DO}')
    if len(tokens) > MAX_WORDS:
        return _cannot("That is too long a sentence for me; please say it in shorter ones.")
    shown = " ".join(text.split())
    shown = shown if len(shown) <= 80 else f"{shown[:79]}…"
    return _cannot(f'I do not understand "{shown}". {CAN_DO}')


def _unfinished(tokens: Tokens) -> str | None:
    """The thing of "paint the house": a verb and a thing, and nothing that it should become."""
    said = verb_at(request(tokens).tokens)
    if said is None or said[0] in WEAK | {"remove", "show", "set", "move"} or not said[1]:
        return None
    things = parse_all(said[1])
    return join(said[1]) if things and all(thing.definite for thing in things) else None


def _cannot(message: str) -> Understanding:
    return Understanding("cannot_parse", message=message)


def _names(text: str) -> frozenset[str]:
    """Words written like names: capitals inside a sentence that is otherwise in lower case."""
    words = re.findall(r"(?<![.!?:\n\"'“‘] )(?<!^)\b[^\W\d_][\w'-]*", text)
    capital = [word for word in words if word[0].isupper() and not word.isupper() and len(word) > 1]
    lower = [word for word in words if word.islower()]
    return frozenset(word.lower() for word in capital) if len(lower) > len(capital) else frozenset()
