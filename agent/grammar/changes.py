"""What an edit changed, in words: to say it again of something else, or to tell a new colour from a new thing.

`rewriting` and `dialogue` ask.
"""

import re

from agent.grammar.looks import slot
from agent.grammar.nouns import parse
from agent.grammar.number import article, plural, singular
from agent.grammar.tokens import tokenize
from agent.grammar.wordclasses import ARTICLES
from agent.plans import EditPlan

__all__ = ["new_look", "part_of", "recoloured", "same_change"]


def same_change(plan: EditPlan, target: str) -> str:
    """The instruction that does to `target` what the plan does to its own thing."""
    part = part_of(plan.segmentation_prompt)
    was, now = (thing_of(caption) for caption in (plan.input_caption, plan.edited_caption))
    if part and (plan.change == "appearance" or " with " in now):
        return f"make {target} {new_look(plan)}"
    if part:
        return f"remove {target}"
    if plan.change == "appearance":
        return f"make {target} {_new_words(was, now)}"
    if now in {"a background", "background"}:
        return f"remove {target}"
    bare = re.sub(r"^(?:an?|the|two|three|four|both|all) ", "", now)
    if _many(target):
        head, space, noun = bare.rpartition(" ")
        return f"turn {target} into {head}{space}{plural(noun)}"
    head, space, noun = bare.rpartition(" ")
    one = f"{head}{space}{singular(noun)}"
    return f"turn {target} into {article(one)} {one}"


def thing_of(caption: str) -> str:
    return caption.split(" of ", 1)[-1]


def _new_words(was: str, now: str) -> str:
    """The words that an appearance edit brought: "blue" of "a red car" and "a blue car"."""
    old = set(was.split())
    fresh = [word for word in now.split() if word not in old and word not in ARTICLES]
    return " ".join(fresh) or now


def part_of(prompt: str) -> str | None:
    """The part that a prompt such as "roof of the house" names."""
    phrase = parse(tokenize(prompt))
    return phrase.head if phrase is not None and phrase.is_part else None


def _many(target: str) -> bool:
    phrase = parse(tokenize(target))
    return phrase is not None and (phrase.plural or phrase.quantifier in {"both", "all"})


def recoloured(found: EditPlan, last: EditPlan) -> str | None:
    """The instruction that gives the last edit's thing another colour from its source pixels; None for other edits."""
    if found.change != "appearance" or last.change != "appearance" or last.segmentation_prompt.startswith("everything"):
        return None
    looks = [new_look(plan) for plan in (last, found)]
    if not all(look and all(slot(word) == "colour" for word in look.split()) for look in looks):
        return None
    prompt = last.segmentation_prompt
    return f"make {prompt if prompt.split()[0] in {'both', 'all', 'every'} else f'the {prompt}'} {looks[1]}"


def new_look(plan: EditPlan) -> str:
    """The words that an edit brought to its thing, or to the part that it is of."""
    was, now = thing_of(plan.input_caption), thing_of(plan.edited_caption)
    part = part_of(plan.segmentation_prompt)
    if part is None:
        return _new_words(was, now)
    fresh = _new_words(
        was.rpartition(" with ")[2] if " with " in was or " with " in now else was, now.rpartition(" with ")[2]
    )
    return " ".join(word for word in fresh.split() if word not in {part, singular(part), plural(part)})
