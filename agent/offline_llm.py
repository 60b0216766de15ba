"""A chat model without a network or weights: the grammar behind LangChain's interface.

It reads the conversation as any LLM would, and decides the next tool call from it: describe_image when the
instruction needs it, then segment and edit_image for each edit, then closing words. `agent.llm` builds it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from agent.conversation_reading import Reading, Step, read
from agent.grammar import CAN_DO, Understanding, understand
from agent.plans import EditPlan, Plan
from instructedit_models.errors import BadInstructionError

_STRONGER_BY = 0.15
_RATIOS = (0.1, 1.0)


class OfflineChatModel(BaseChatModel):
    """Deterministic: the same messages give the same answer."""

    @property
    def _llm_type(self) -> str:
        return "offline"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model, allowed to call these tools and no others."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tools = {tool["function"]["name"] for tool in kwargs.get("tools", ())}
        reading = read(messages)
        answer = _plan(reading) if Plan.__name__ in tools else _next(reading, tools, len(messages))
        return ChatResult(generations=[ChatGeneration(message=answer)])


def _plan(reading: Reading) -> AIMessage:
    """The structured answer that the language processor asks for."""
    return _call(Plan.__name__, _understood(reading).plan.model_dump(), len(reading.steps))


def _understood(reading: Reading) -> Understanding:
    try:
        return understand(reading.instruction, reading.description, reading.edited_before, reading.medium)
    except BadInstructionError as error:
        return Understanding("cannot_parse", message=str(error))


def _next(reading: Reading, tools: set[str], at: int) -> AIMessage:
    """The next tool call of this turn, or its last words."""
    understanding = _understood(reading)
    if understanding.kind == "cannot_parse":
        return _say(understanding.message or CAN_DO, "cannot_parse")
    if understanding.kind == "question":
        name, arguments = "ask_image", {"image_id": reading.image_id, "question": understanding.question}
        return _once(reading, tools, at, name, arguments, lambda text: _say(text, "answer"))
    if understanding.kind == "undo":
        return _undo(reading, understanding.steps, tools, at)
    if understanding.kind == "feedback":
        return _adjust(reading, understanding, tools, at)
    if understanding.needs_description and reading.description is None:
        described = reading.last("describe_image")
        if described is None and "describe_image" in tools:
            reason = understanding.why or "the instruction does not name what to change"
            return _call("describe_image", {"image_id": reading.image_id, "reason": reason}, at)
        if not understanding.edits:
            cause = described.cause if described else "I cannot look at the picture"
            return _say(f"Please name what to change: {understanding.why}. ({cause})", "cannot_parse")
    if not understanding.edits:
        return _say(understanding.message or CAN_DO, "cannot_parse")
    return _edit(reading, understanding, tools, at)


def _edit(reading: Reading, understanding: Understanding, tools: set[str], at: int) -> AIMessage:
    """Segment and edit_image for each edit in turn; what failed is passed over and told at the end."""
    image_id = reading.image_id
    told: list[str] = []
    done = 0
    for edit in understanding.edits:
        segment = {"image_id": image_id, "segmentation_prompt": edit.segmentation_prompt}
        found = reading.step("segment", segment)
        if found is None:
            return _call("segment", segment, at) if "segment" in tools else _say(_NO_TOOL, "cannot_parse")
        if found.text.startswith("ambiguous:"):
            return _ask(edit, found, told)
        mask_id = found.identifier("mask")
        if not found.ok or mask_id is None:
            told.append(found.cause)
            continue
        arguments = {"image_id": image_id, "mask_id": mask_id, **edit.model_dump()}
        made = reading.step("edit_image", arguments)
        if made is None:
            return _call("edit_image", arguments, at) if "edit_image" in tools else _say(_NO_TOOL, "cannot_parse")
        new_id = made.identifier("image")
        if not made.ok or new_id is None:
            told.append(made.cause)
            continue
        image_id, done = new_id, done + 1
        told.append(_result(edit, made, new_id))
    if understanding.message:
        told.append(understanding.message)
    return _say(" ".join(dict.fromkeys(told)), "edit" if done else "error")


_NO_TOOL = "I cannot edit pictures here: the tools for it are missing."


def _result(edit: EditPlan, made: Step, image_id: str) -> str:
    before, after = (caption.split(" of ", 1)[-1] for caption in (edit.input_caption, edit.edited_caption))
    where = edit.segmentation_prompt
    sentence = f"The {where}: {before} is now {after} ({image_id})."
    if "not verified" in made.text.lower():
        sentence += ' The check could not confirm it; say "stronger" to try harder.'
    return sentence


def _ask(edit: EditPlan, found: Step, told: list[str]) -> AIMessage:
    """A question that lists the candidates."""
    fits = found.text.removeprefix("ambiguous:").split("Candidates:")[0].strip().rstrip(".")
    question = f"Which {edit.segmentation_prompt} do you mean? {fits}." if fits else found.text
    return _say(" ".join([*told, question]), "question")


def _undo(reading: Reading, steps: int, tools: set[str], at: int) -> AIMessage:
    if steps == 0:
        versions = reading.last("list_versions")
        if versions is None:
            return _call("list_versions", {}, at)
        steps = max(1, versions.depth(reading.image_id))
    return _once(reading, tools, at, "undo", {"steps": steps}, lambda text: _say(text, "undo"))


def _adjust(reading: Reading, understanding: Understanding, tools: set[str], at: int) -> AIMessage:
    """The last edit again: with a larger or smaller encoding ratio, or with another seed."""
    number = int(reading.image_id.rpartition("_")[2] or 0) if reading.image_id[-1:].isdigit() else 0
    arguments: dict[str, Any] = {"image_id": reading.image_id}
    if understanding.feedback == "again":
        arguments["seed"] = number
    else:
        ratio = reading.encoding_ratio
        if ratio is None:
            versions = reading.last("list_versions")
            if versions is None and "list_versions" in tools:
                return _call("list_versions", {}, at)
            ratio = (versions.encoding_ratio(reading.image_id) if versions else None) or 0.5
        by = _STRONGER_BY if understanding.feedback == "stronger" else -_STRONGER_BY
        wanted = round(min(_RATIOS[1], max(_RATIOS[0], ratio + by)), 2)
        if wanted == ratio:
            way = "stronger" if by > 0 else "weaker"
            return _say(f"The edit is already as {way[:-2] if way == 'weaker' else 'strong'} as it can be.", "answer")
        arguments["encoding_ratio"] = wanted
    said = {"stronger": "stronger", "weaker": "weaker", "again": "once more"}[understanding.feedback or "again"]
    return _once(
        reading,
        tools,
        at,
        "adjust_edit",
        arguments,
        lambda text: _say(f"I made the edit again, {said}: {text}", "edit"),
    )


def _once(
    reading: Reading,
    tools: set[str],
    at: int,
    name: str,
    arguments: dict[str, Any],
    closing: Callable[[str], AIMessage],
) -> AIMessage:
    """One tool call, then the closing words on its answer, or the cause of its failure."""
    step = reading.last(name)
    if step is None:
        return (
            _call(name, arguments, at) if name in tools else _say(f"I cannot do that here: {name} is missing.", "error")
        )
    return closing(step.text) if step.ok and step.text.strip() else _say(step.cause, "error")


def _say(text: str, kind: str) -> AIMessage:
    return AIMessage(text, response_metadata={"kind": kind, "model_name": "offline"})


def _call(name: str, arguments: dict[str, Any], at: int) -> AIMessage:
    """A tool call; its id is unique in the conversation and the same in every run."""
    return AIMessage("", tool_calls=[ToolCall(name=name, args=json.loads(json.dumps(arguments)), id=f"offline_{at}")])
