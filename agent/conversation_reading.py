"""What the offline chat model reads in a conversation: the instruction, what the tools answered, what came before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from pydantic import ValidationError

from agent.conversation_steps import IMAGE, MADE, Candidate, Step
from agent.grammar.answers import declines
from agent.grammar.naming import Named, by_its_thing
from agent.grammar.references import edited_thing
from agent.plans import EditPlan

__all__ = ["Candidate", "Made", "PastTurn", "Pending", "Reading", "Step", "read"]

_MOVING = frozenset({"undo", "redo", "go_back", "remove_edit"})


@dataclass(frozen=True)
class Made:
    """The edit behind a picture.

    Attributes:
        image_id: the picture.
        parent_id: what it was made of.
        mask_id: where, as far as the messages tell.
        plan: what was asked for; None where it cannot be read any more.
        encoding_ratio: how strongly.
        guidance_scale: what it was set to, where it was.
    """

    image_id: str
    parent_id: str
    mask_id: str | None
    plan: EditPlan | None
    encoding_ratio: float | None
    guidance_scale: float | None = None


@dataclass(frozen=True)
class PastTurn:
    """An earlier turn.

    Attributes:
        instruction: what the person said.
        start_id: the picture that was current then, or to which the turn went back before it edited.
        base_id: the picture that its edits stand on: another one than `start_id` where an edit was made again.
        end_id: the picture that was current afterwards.
        edits: edits it made that led there, one after the other from `start_id` on; 0 where it made none, or began
            elsewhere.
        edited: whether it made the picture at its end.
        asked: whether the picture was asked about.
    """

    instruction: str
    start_id: str
    base_id: str
    end_id: str
    edits: int
    edited: bool
    asked: bool = False


@dataclass(frozen=True)
class Pending:
    """A question that the last turn ended with.

    Attributes:
        asked: the reading of that turn, from which its edits can be planned again.
        prompt: the segmentation prompt that several things fit.
        image_id: the picture that was segmented.
        candidates: those things, as they were numbered.
    """

    asked: "Reading"
    prompt: str
    image_id: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Reading:
    """A conversation, read.

    Attributes:
        instruction: what the person said last.
        image_id: the picture that was current then.
        description: what is known of that picture from describe_image, or was given with the instruction.
        medium: the picture's medium where any description of the conversation tells it.
        steps: this turn's answered tool calls, in order.
        edited_before: the plan of the edit that made the current picture, None for an original.
        encoding_ratio: the ratio of that edit.
        made: every edit of the conversation that the messages tell of, by picture.
        past: the earlier turns that the messages tell of, in order.
        pending: what the last turn asked.
        failed: the last turn, where it looked for something that is not there and edited nothing.
        question: what the person asked about the picture in the last turn, None where that was no question.
        last_plan: the plan of the newest edit of the conversation, whether its picture is current or not.
        names: the names that were given to places of the picture, the newest first.
    """

    instruction: str
    image_id: str = "image_1"
    description: str | None = None
    medium: str | None = None
    steps: tuple[Step, ...] = ()
    edited_before: EditPlan | None = None
    encoding_ratio: float | None = None
    made: tuple[Made, ...] = ()
    past: tuple[PastTurn, ...] = ()
    pending: Pending | None = None
    last_plan: EditPlan | None = None
    question: str | None = None
    failed: "Reading | None" = None
    names: tuple[Named, ...] = ()

    def last(self, name: str) -> Step | None:
        """This turn's last answered call of a tool."""
        return next((step for step in reversed(self.steps) if step.name == name), None)

    def step(self, name: str, arguments: dict[str, Any]) -> Step | None:
        """This turn's first answered call with these arguments."""
        return next((step for step in self.steps if step.name == name and step.arguments == arguments), None)

    def edit_of(self, image_id: str) -> Made | None:
        """The edit that made a picture."""
        return next((each for each in reversed(self.made) if each.image_id == image_id), None)


def read(messages: Sequence[BaseMessage]) -> Reading:
    """What the messages say; the last one of the person that holds an instruction begins the turn."""
    starts = [i for i, message in enumerate(messages) if _asks(message)]
    if not starts:
        last = next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)
        return Reading(str(last.text) if last else "")
    ends = [*starts[1:], len(messages)]
    turns = [messages[start:end] for start, end in zip(starts, ends, strict=True)]
    reading: Reading | None = None
    earlier: list[Step] = _steps(messages[: starts[0]])
    past: list[PastTurn] = []
    made: list[Made] = []
    for number, turn in enumerate(turns):
        steps = _steps(turn)
        pending = _pending(reading) if reading is not None else None
        failed = reading if reading is not None and pending is None and _failed(reading) else None
        reading = _read_turn(str(turn[0].text), earlier, steps, (tuple(past), tuple(made)), pending)
        reading = replace(reading, failed=failed)
        if number == len(turns) - 1:
            break
        made += _made(steps, made)
        past.append(_past(reading))
        earlier += steps
    assert reading is not None
    return reading


def _read_turn(
    asked: str,
    earlier: Sequence[Step],
    now: Sequence[Step],
    known: tuple[tuple[PastTurn, ...], tuple[Made, ...]],
    pending: Pending | None,
) -> Reading:
    found = IMAGE.search(asked.split("<instruction>")[0])
    image_id = found.group() if found else "image_1"
    given = _tagged(asked, "description")
    past, made = known
    here = next((each for each in reversed(made) if each.image_id == image_id), None)
    descriptions = [step for step in (*earlier, *now) if step.ok and step.name == "describe_image"]
    seen = next((s.text for s in reversed(descriptions) if s.arguments.get("image_id") == image_id), None)
    return Reading(
        instruction=_tagged(asked, "instruction") or "",
        image_id=image_id,
        description=(given if given not in {"", "none"} else None) or seen,
        medium=_medium(descriptions[-1].text) if descriptions else None,
        steps=tuple(now),
        edited_before=here.plan if here else None,
        encoding_ratio=here.encoding_ratio if here else None,
        made=made,
        past=past,
        pending=pending,
        question=past[-1].instruction if past and past[-1].asked else None,
        last_plan=next((each.plan for each in reversed(made) if each.plan), None),
        names=_names(earlier, made, image_id),
    )


def _names(steps: Sequence[Step], made: Sequence[Made], image_id: str) -> tuple[Named, ...]:
    """The names that were given, each with what is there in a picture: what it was, or what an edit made of it."""
    leading = _leading(made, image_id)
    found: dict[str, Named] = {}
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        name = " ".join(str(step.arguments.get("label", "")).split()).casefold()
        if step.name != "name_mask" or not step.ok or not name or name in found:
            continue
        mask_id = str(step.arguments.get("mask_id"))
        edits = [
            one for one in leading if one.plan and (one.plan.segmentation_prompt == name or one.mask_id == mask_id)
        ]
        looked = (each.masked_as(mask_id) for each in reversed(steps[:number]))
        became = edited_thing(by_its_thing(edits[0].plan, [Named(name, "")])) if edits and edits[0].plan else None
        thing = became.said if became is not None else next(filter(None, looked), None)
        if thing:
            found[name] = Named(name, thing)
    return tuple(found.values())


def _leading(made: Sequence[Made], image_id: str) -> list[Made]:
    """The edits that led to a picture, the newest first."""
    by_id = {each.image_id: each for each in made}
    found: list[Made] = []
    while image_id in by_id and len(found) <= len(made):
        found.append(by_id[image_id])
        image_id = by_id[image_id].parent_id
    return found


def _asks(message: BaseMessage) -> bool:
    return isinstance(message, HumanMessage) and "<instruction>" in str(message.text)


def _tagged(text: str, tag: str) -> str | None:
    """What stands between the first opening and the last closing tag, which the instruction itself may contain."""
    start, end = text.find(f"<{tag}>"), text.rfind(f"</{tag}>")
    if tag == "description" and start >= 0:
        end = text.find(f"</{tag}>", start)
    return text[start + len(tag) + 2 : end].strip() if 0 <= start < end else None


def _steps(messages: Sequence[BaseMessage]) -> list[Step]:
    calls: dict[str, tuple[str, dict[str, Any]]] = {}
    steps: list[Step] = []
    for message in messages:
        if isinstance(message, AIMessage):
            calls |= {call["id"] or "": (call["name"], call["args"]) for call in message.tool_calls}
        elif isinstance(message, ToolMessage) and message.tool_call_id in calls:
            name, arguments = calls.pop(message.tool_call_id)
            steps.append(Step(name, arguments, str(message.text), message.status != "error"))
    return steps


def _made(steps: Sequence[Step], before: Sequence[Made]) -> list[Made]:
    """The edits of a turn; one that makes another again has that one's plan and mask."""
    found: list[Made] = []
    for step in steps:
        for image_id in step.made():
            again = next(
                (m for m in (*found[::-1], *before[::-1]) if m.image_id == step.arguments.get("image_id")), None
            )
            match = MADE.match(step.text)
            mask_id: str | None
            if step.name == "edit_image":
                plan, mask_id = _plan(step.arguments), str(step.arguments.get("mask_id"))
            else:
                plan, mask_id = again.plan if again else None, again.mask_id if again else None
                caption = step.arguments.get("edited_caption")
                plan = plan.model_copy(update={"edited_caption": caption}) if plan and caption else plan
            parent = match.group(2) if match else again.parent_id if again else image_id
            ratio = step.encoding_ratio(image_id) or (again.encoding_ratio if again else None)
            guidance = step.arguments.get("guidance_scale") or (again.guidance_scale if again else None)
            found.append(Made(image_id, parent, mask_id, plan, ratio, guidance))
    return found


def _plan(arguments: dict[str, Any]) -> EditPlan | None:
    try:
        return EditPlan.model_validate({name: arguments.get(name) for name in EditPlan.model_fields})
    except ValidationError:
        return None


def _past(reading: Reading) -> PastTurn:
    """What a finished turn did to the current picture."""
    start = base = end = reading.image_id
    edits, edited = 0, False
    for step in reading.steps:
        made = step.made()
        if made:
            match = MADE.match(step.text)
            if not edited and match and step.name != "edit_image":
                base = match.group(2)  # an edit made again stands on what the first attempt stood on
            elif not edited:
                base = str(step.arguments.get("image_id"))
            straight = edits >= 0 and step.arguments.get("image_id") == end
            edits, end, edited = (edits + 1 if straight else -1), made[-1], True
        elif step.ok and step.name in _MOVING and (moved := step.identifier("image")):
            start = end = moved
    asked = any(step.ok and step.name == "ask_image" for step in reading.steps)
    return PastTurn(reading.instruction, start, base, end, max(edits, 0), edited, asked)


def _failed(reading: Reading) -> bool:
    looked = any(step.name == "segment" and not step.ok for step in reading.steps)
    return looked and not any(step.made() for step in reading.steps)


def _pending(reading: Reading) -> Pending | None:
    """The last thing that a turn had to ask: a segmentation that no edit of the turn took up.

    A question stays open while the person only asks back or says something that is not understood.
    """
    made = [step for step in reading.steps if step.name == "edit_image" and step.ok]
    used = {step.arguments.get("segmentation_prompt") for step in made}
    for step in reversed(reading.steps):
        prompt = step.arguments.get("segmentation_prompt")
        candidates = step.candidates() if step.ambiguous and prompt not in used else ()
        if len(candidates) > 1:
            return Pending(reading, str(prompt), str(step.arguments["image_id"]), candidates)
    aside = all(step.name in {"ask_image", "list_versions"} for step in reading.steps)
    return reading.pending if aside and not declines(reading.instruction) else None


def _medium(description: str) -> str | None:
    return description.split(" of ", 1)[0] if " of " in description else None
