"""The paper's language processor (Section 3.1): an instruction, and a description where there is one, become a plan.

`instructedit plan` and the benchmarks call it; within a conversation the agent plans by itself.
"""

import json
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

import prompts
from agent.llm import explain_llm_error
from agent.plans import Plan, check_instruction, check_plan
from agent.policy import raise_if_refused, with_policy
from instructedit_models.errors import LLMError

ATTEMPTS = 2
"""The first answer and one repaired one."""


def plan(instruction: str, description: str | None, chat_model: BaseChatModel) -> Plan:
    """The edits that the instruction asks for.

    Args:
        instruction: what the person wrote.
        description: what BLIP-2 says of the picture, or None.
        chat_model: any chat model that can call tools; its answer is validated, and asked for once more if invalid.

    Raises:
        BadInstructionError: the instruction is empty or too long, or asks for no edit.
        RefusedError: it breaks a rule of the operator's.
        LLMError: the model cannot be reached, or gave no valid plan twice.
    """
    messages: list[BaseMessage] = [
        SystemMessage(with_policy(prompts.render("task.md", examples=prompts.worded_examples()))),
        HumanMessage(
            prompts.render(
                "task_turn.md", instruction=check_instruction(instruction), description=description or "none"
            )
        ),
    ]
    problem = ""
    for _ in range(ATTEMPTS):
        try:
            structured = chat_model.with_structured_output(Plan, method="function_calling", include_raw=True)
            answer: Any = structured.invoke(messages)
        except Exception as error:
            raise explain_llm_error(error) from error
        found, problem = _judged(answer)
        if found is not None:
            raise_if_refused(found.why)
            return check_plan(found, described=description is not None)
        repair = prompts.render("repair.md", problem=problem, tool=Plan.__name__)
        messages = [*messages, AIMessage(_said(answer["raw"])), HumanMessage(repair)]
    raise LLMError(f"The LLM gave no usable plan in {ATTEMPTS} attempts: {problem}")


def _judged(answer: Any) -> tuple[Plan | None, str]:
    """The plan, or why the answer is none."""
    found, error = answer["parsed"], answer["parsing_error"]
    if isinstance(found, Plan):
        if not found.edits and not found.needs_description and not found.why:
            return None, "it holds no edits and does not say why."
        return found, ""
    if error is not None:
        return None, " ".join(str(error).split())[:400]
    return None, f"it does not call {Plan.__name__}."


def _said(raw: AIMessage) -> str:
    """The answer as text: tool calls may not be repeated to the LLM without their results."""
    calls = [{"name": call["name"], "args": call["args"]} for call in (*raw.tool_calls, *raw.invalid_tool_calls)]
    return str(raw.text) or json.dumps(calls) if calls or raw.text else "(nothing)"
