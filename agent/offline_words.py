"""What the offline model says at the end of a turn. `agent.offline_policy` decides when."""

import re

from agent.conversation_reading import Step
from agent.grammar.nouns import parse
from agent.grammar.tokens import tokenize
from agent.plans import EditPlan

__all__ = ["changes", "question", "result"]

_LEFT = re.compile(r"Left as they were: its (?P<parts>[\w ]+)\.")
_NO_ARTICLE = frozenset({"everything", "all", "both", "every", "each", "any"})


def result(edit: EditPlan, made: Step, image_id: str) -> str:
    """What an edit changed, what it left of the thing, and whether the check could confirm it."""
    before, after = (caption.split(" of ", 1)[-1] for caption in (edit.input_caption, edit.edited_caption))
    thing = edit.segmentation_prompt
    named = thing if thing.split()[0] in _NO_ARTICLE else f"the {thing}"
    phrase = parse(tokenize(before))
    several = phrase is not None and phrase.plural
    now = "are" if several else "is"
    sentence = f"{named[:1].upper()}{named[1:]}: {before} {now} now {after} ({image_id})."
    if left := _LEFT.search(made.text):
        parts = left["parts"]
        they, them = ("they were", "them") if parts.endswith("s") or " and " in parts else ("it was", "it")
        sentence += f" {'Their' if several else 'Its'} {parts} stayed as {they}"
        sentence += "." if several or phrase is None else f'; say "the whole {phrase.head}" to change {them} too.'
    if "not verified" in made.text.lower():
        sentence += ' The check could not confirm it; say "stronger" to try harder.'
    return sentence


def question(which: str, found: Step) -> str:
    """A question that numbers the candidates."""
    candidates = found.candidates()
    if not candidates:
        fits = found.text.removeprefix("ambiguous:").split("Candidates:")[0].strip().rstrip(".")
        return f"{which} do you mean? {fits}."
    listed = "; ".join(f"{n}: {one.phrase}, {one.place} ({one.id})" for n, one in enumerate(candidates, start=1))
    return f"{which} do you mean? {listed}."


def changes(versions: Step) -> str:
    """What was changed so far: the edits that lead to the current picture."""
    made = versions.changes()
    if not made:
        return "Nothing was changed yet: this is the original picture."
    return f"So far: {'; '.join(made)}."
