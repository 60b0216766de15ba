"""What a thing may have already: "give the hat a pink ribbon" recolours the ribbon that it has, or else adds one.

The words alone cannot tell, so the policy looks for the part first and asks here what is to be done to it.
"""

import re
from dataclasses import replace

from agent.grammar import lexicon
from agent.grammar.captions import caption, source_name
from agent.grammar.looks import look_of
from agent.grammar.nouns import parse, parse_all
from agent.grammar.number import singular
from agent.grammar.tokens import tokenize
from agent.plans import EditPlan
from instructedit_models.lexicon import OWNED

__all__ = ["part_it_may_have", "that_were_asked_about"]

_ADDED = re.compile(r"^(?P<before>(?P<medium>.+?) of .+?) (?:with|in|wearing) (?P<part>.+)$")


def part_it_may_have(plan: EditPlan) -> EditPlan | None:
    """The edit of the part that an addition may come to; None for other edits.

    Args:
        plan: from "Photo of a hat" to "Photo of a hat with a pink ribbon", of "hat on the left".

    Returns:
        From "Photo of a ribbon" to "Photo of a pink ribbon", of "ribbon of the hat on the left". None where the plan
        adds more than one thing, one without a look, one more of several ("a candle"), or what such a thing seldom has.
    """
    match = _ADDED.match(plan.edited_caption)
    if match is None or match["before"] != plan.input_caption:
        return None
    prompt = tokenize(plan.segmentation_prompt)
    parts, owner = parse_all(tokenize(match["part"])), parse(prompt) or parse(("the", *prompt))
    if len(parts) != 1 or owner is None or not owner.named:
        return None
    part = parts[0]
    noun = singular(part.head)
    if singular(owner.head) not in OWNED.get(noun, ()) or part.behind or part.count:
        return None
    if noun in lexicon.IN_PAIRS and not part.plural:
        return None
    look = look_of(part)
    if not look.adjectives:
        return None
    now = source_name(replace(part, core=part.core[-1:]))
    whose = plan.segmentation_prompt if owner.quantifier else f"the {plan.segmentation_prompt}"
    return EditPlan(
        segmentation_prompt=f"{part.head} of {whose}",
        input_caption=caption(match["medium"], now.text),
        edited_caption=caption(match["medium"], now.looking(look).text),
        change="appearance",
    )


def that_were_asked_about(plans: tuple[EditPlan, ...], prompt: str) -> tuple[EditPlan, ...]:
    """The plans of an instruction, as the parts' where the segmentation prompt of a question is a part's."""
    parts = (part_it_may_have(plan) for plan in plans)
    return tuple(
        part if part is not None and part.segmentation_prompt == prompt else plan
        for plan, part in zip(plans, parts, strict=True)
    )
