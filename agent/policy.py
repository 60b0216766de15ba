"""The operator's rules on what is not made: what the LLM is told of them, and a check of the words that needs no LLM.

`agent.plans.check_instruction` asks `check_policy`, so that every face does; `agent.loop` and the language processor
give the LLM `policy_text()`. Only the environment switches it (INSTRUCTEDIT_REFUSALS).
"""

import re
from functools import lru_cache

import prompts
from instructedit_models.errors import RefusedError

__all__ = ["REFUSED", "check_policy", "policy_text", "raise_if_refused", "with_policy"]

REFUSED = "Refused:"
"""What the LLM's answer begins with where it refuses."""


def check_policy(instruction: str) -> None:
    """Refuses an instruction whose words plainly break a rule; what only its meaning breaks is left to the LLM.

    Raises:
        RefusedError: it names the rule.
    """
    text = " ".join(re.sub(r"[’`´]", "'", instruction).casefold().split())
    for rule, refused, allowed in _rules():
        if not any(pattern.search(text) for pattern in refused) or any(pattern.search(text) for pattern in allowed):
            continue
        if _switched_on():
            raise RefusedError(f"The instruction was refused: {rule} are not made here; ask for something else.")


def policy_text() -> str:
    """The rules as the LLM reads them; empty where the operator has switched them off."""
    return prompts.render("policy.md") if _switched_on() else ""


def with_policy(system_prompt: str) -> str:
    """A system prompt with the rules at its end."""
    rules = policy_text()
    return f"{system_prompt}\n\n{rules}" if rules else system_prompt


def raise_if_refused(answer: str | None) -> None:
    """Raises RefusedError where the LLM's answer is a refusal."""
    text = " ".join((answer or "").split())
    if text.startswith(REFUSED):
        reason = text.removeprefix(REFUSED).strip()[:300] or "it breaks a rule of this service"
        raise RefusedError(f"The instruction was refused: {reason if reason.endswith('.') else reason + '.'}")


def _switched_on() -> bool:
    from agent.config import load_settings

    return load_settings().refusals


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[str, tuple[re.Pattern[str], ...], tuple[re.Pattern[str], ...]], ...]:
    return tuple(
        (
            rule["rule"],
            tuple(re.compile(pattern) for pattern in rule["refuse"]),
            tuple(re.compile(pattern) for pattern in rule["allow"]),
        )
        for rule in prompts.examples("refusals.json")
    )
