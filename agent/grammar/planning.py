"""The language processor's step by the grammar alone, so that planning offline needs no LangChain."""

from agent.grammar.dialogue import Talk, understand_turn
from agent.plans import Plan, check_instruction, check_plan

__all__ = ["plan"]


def plan(instruction: str, description: str | None = None) -> Plan:
    """The edits that the instruction asks for.

    Args:
        instruction: what the person wrote.
        description: what BLIP-2 says of the picture, or None.

    Raises:
        BadInstructionError: the instruction is empty or too long, or asks for no edit.
    """
    understood = understand_turn(Talk(check_instruction(instruction), description))
    return check_plan(understood.plan, described=description is not None)
