"""What an instruction comes to: plans of edits, as the LLM fills them in and the grammar makes them.

Imported by the grammar, the language processor and the tools; pydantic only, so that it costs nothing.
"""

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.policy import check_policy
from instructedit_models.errors import BadInstructionError
from instructedit_models.types import Change

MAX_INSTRUCTION = 2000
"""The longest instruction that is read, in characters."""

_ARTICLE = re.compile(r"^(?:the|an?)\s+", re.IGNORECASE)


class EditPlan(BaseModel):
    """One edit: what to select, and what it is called before and after (Section 3.1 of the paper)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    segmentation_prompt: str = Field(
        min_length=1, max_length=200, description='What to select, no leading article: "cat on the right".'
    )
    input_caption: str = Field(
        min_length=1, max_length=300, description='The selected thing as it is now: "Photo of a cat".'
    )
    edited_caption: str = Field(
        min_length=1, max_length=300, description='The same caption after the edit: "Photo of a tiger".'
    )
    change: Change = Field(description="shape: becomes another thing; appearance: colour, material; or background.")

    @field_validator("segmentation_prompt", "input_caption", "edited_caption", mode="before")
    @classmethod
    def _tidy(cls, value: object) -> object:
        """Takes off the quotation marks, full stops and white space that LLMs put around a caption."""
        return " ".join(value.strip(" \t\n\"'`.“”‘’").split()) if isinstance(value, str) else value

    @field_validator("segmentation_prompt")
    @classmethod
    def _without_article(cls, value: str) -> str:
        return _ARTICLE.sub("", value) or value


class Plan(BaseModel):
    """All edits of one instruction, in the order said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    edits: list[EditPlan] = Field(default_factory=list, description="The edits, in the order said; none if none.")
    needs_description: bool = Field(
        default=False, description="Whether the instruction cannot be understood without seeing the picture."
    )
    why: str | None = Field(default=None, description="Why a description is needed, or why there is nothing to edit.")


def check_plan(plan: Plan, described: bool) -> Plan:
    """The plan itself.

    Args:
        plan: what an instruction came to.
        described: whether the picture was described, so that nothing more can be learnt of it.

    Raises:
        BadInstructionError: it holds no edit, and none can be hoped for.
    """
    if not plan.edits and (described or not plan.needs_description):
        raise BadInstructionError(plan.why or "The instruction does not say what to change.")
    return plan


def check_instruction(text: str) -> str:
    """The instruction without surrounding white space.

    Raises:
        BadInstructionError: it is empty, or longer than `MAX_INSTRUCTION` characters.
        RefusedError: the operator's rules do not allow it.
    """
    stripped = text.strip()
    if not stripped:
        raise BadInstructionError(
            'The instruction is empty; say what to change, for example "turn the dog into a cat".'
        )
    if len(stripped) > MAX_INSTRUCTION:
        raise BadInstructionError(
            f"The instruction has {len(stripped):,} characters, at most {MAX_INSTRUCTION:,} are read; say it shorter."
        )
    check_policy(stripped)
    return stripped
