"""What the offline chat model reads in a conversation: the instruction, what the tools answered, what came before."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from pydantic import ValidationError

from agent.plans import EditPlan

_IMAGE = re.compile(r"\bimage_\d+\b")
_RATIO = re.compile(r"encoding ratio (\d*\.?\d+)")
_VERSION = re.compile(r"^(image_\d+)( \(current\))?: from (image_\d+),", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A tool call that was answered.

    Attributes:
        name: the tool.
        arguments: what it was called with.
        text: its answer.
        ok: it did not fail.
    """

    name: str
    arguments: dict[str, Any]
    text: str
    ok: bool

    @property
    def cause(self) -> str:
        """The sentence of a failure, without the hints that are meant for the LLM."""
        line = next((line.strip() for line in self.text.splitlines() if line.strip()), "the tool gave no answer")
        return line.removeprefix("Error: ")

    def identifier(self, kind: str) -> str | None:
        """The first "image_3" or "mask_2" that the answer names."""
        match = re.search(rf"\b{kind}_\d+\b", self.text)
        return match.group() if match else None

    def encoding_ratio(self, image_id: str) -> float | None:
        """The ratio that the answer gives for a picture, in a line that begins with its id."""
        for line in self.text.splitlines():
            if re.match(rf"{image_id}\b", line) and (match := _RATIO.search(line)):
                return float(match.group(1))
        return None

    def depth(self, image_id: str) -> int:
        """How many edits lead to a picture, by the list of versions."""
        parents = {child: parent for child, _, parent in _VERSION.findall(self.text)}
        edits = 0
        while image_id in parents and edits <= len(parents):
            image_id, edits = parents[image_id], edits + 1
        return edits


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
    """

    instruction: str
    image_id: str = "image_1"
    description: str | None = None
    medium: str | None = None
    steps: tuple[Step, ...] = ()
    edited_before: EditPlan | None = None
    encoding_ratio: float | None = None

    def last(self, name: str) -> Step | None:
        """This turn's last answered call of a tool."""
        return next((step for step in reversed(self.steps) if step.name == name), None)

    def step(self, name: str, arguments: dict[str, Any]) -> Step | None:
        """This turn's first answered call with these arguments."""
        return next((step for step in self.steps if step.name == name and step.arguments == arguments), None)


def read(messages: Sequence[BaseMessage]) -> Reading:
    """What the messages say; the last one of the person that holds an instruction begins the turn."""
    start = max((i for i, message in enumerate(messages) if _asks(message)), default=None)
    if start is None:
        last = next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)
        return Reading(str(last.text) if last else "")
    asked = str(messages[start].text)
    found = _IMAGE.search(asked.split("<instruction>")[0])
    image_id = found.group() if found else "image_1"
    earlier, now = _steps(messages[:start]), _steps(messages[start:])
    given = _tagged(asked, "description")
    made = next(
        (
            s
            for s in reversed(earlier)
            if s.ok and s.name in {"edit_image", "adjust_edit"} and s.text.startswith(f"{image_id} ")
        ),
        None,
    )
    descriptions = [step for step in (*earlier, *now) if step.ok and step.name == "describe_image"]
    here = next((s.text for s in reversed(descriptions) if s.arguments.get("image_id") == image_id), None)
    description = (given if given not in {"", "none"} else None) or here
    return Reading(
        instruction=_tagged(asked, "instruction") or "",
        image_id=image_id,
        description=description,
        medium=_medium(descriptions[-1].text) if descriptions else None,
        steps=tuple(now),
        edited_before=_plan(made, earlier) if made else None,
        encoding_ratio=made.encoding_ratio(image_id) if made else None,
    )


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


def _plan(made: Step, steps: Sequence[Step]) -> EditPlan | None:
    """The plan of an edit; that of the edit that it adjusts, where it adjusts one."""
    if made.name == "adjust_edit":
        image_id = str(made.arguments.get("image_id"))
        before = next(
            (s for s in reversed(steps) if s.ok and s is not made and s.name in {"edit_image", "adjust_edit"}
             and s.text.startswith(f"{image_id} ")),
            None,
        )  # fmt: skip
        return _plan(before, steps[: steps.index(before)] if before in steps else ()) if before else None
    try:
        return EditPlan.model_validate({name: made.arguments.get(name) for name in EditPlan.model_fields})
    except ValidationError:
        return None


def _medium(description: str) -> str | None:
    return description.split(" of ", 1)[0] if " of " in description else None
