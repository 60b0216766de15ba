"""The offline language processor on the phrasings that were written down before its grammar was.

A section of `main_job`; `tests/data/phrasings.jsonl` allows several wordings of each prompt and caption.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel

from agent.grammar import understand
from agent.language_processor import plan
from agent.plans import EditPlan, Plan
from benchmarks.figures import Bar, Section, rate
from benchmarks.scenes import tracked
from instructedit_models.errors import InstructEditError

__all__ = ["PHRASINGS", "plan_right", "plans_section", "read_phrasings"]

DATA = Path(__file__).parents[1] / "tests" / "data"
PHRASINGS = DATA / "phrasings.jsonl"
MORE = DATA / "phrasings_more.jsonl"

Phrasing = Mapping[str, Any]


def read_phrasings(file: Path) -> list[Phrasing]:
    """The phrasings of a file, one JSON object per line."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def plan_right(found: Sequence[EditPlan], expected: Sequence[Mapping[str, Any]]) -> bool:
    """Whether plans hold the expected edits in order: segmentation prompt and both captions, capitals apart."""
    fields = ("segmentation_prompt", "input_caption", "edited_caption")
    return len(found) == len(expected) and all(
        _plain(getattr(one, name)) in {_plain(allowed) for allowed in _several(edit[name])}
        for one, edit in zip(found, expected, strict=True)
        for name in fields
    )


def plans_section(chat_model: BaseChatModel) -> Section:
    """Plans all phrasings."""
    section = Section()
    what = "offline plan right (segmentation prompt and both captions)"
    section.rows.append(rate(what, _tried(PHRASINGS, chat_model, section), Bar(">=", 0.90)))
    if MORE.is_file():
        name = f"on those of {MORE.name}"
        section.rows.append(rate(name, _tried(MORE, chat_model, section), indent=True))
    everything = [row for file in (PHRASINGS, MORE) if file.is_file() for row in read_phrasings(file)]
    asking = [row for row in everything if row["needs_description"] is not None]
    decided = [understand(row["instruction"]).needs_description == row["needs_description"] for row in asking]
    section.rows.append(rate("rightly asks for a description, or does without", decided, indent=True))
    other = [row for row in everything if not row["edits"]]
    kinds = [understand(row["instruction"]).kind == row["kind"] for row in other]
    section.rows.append(rate("knows questions, feedback, undo and nonsense as such", kinds, indent=True))
    return section


def _tried(file: Path, chat_model: BaseChatModel, section: Section) -> list[bool]:
    results = []
    for row in tracked([row for row in read_phrasings(file) if row["edits"]], f"plans of {file.stem}"):
        try:
            found = plan(row["instruction"], row["description"], chat_model)
        except InstructEditError as error:
            found, said = Plan(), str(error)
        else:
            said = "; ".join(str(edit) for edit in found.edits)
        results.append(plan_right(found.edits, row["edits"]))
        if not results[-1]:
            section.cases.append({"instruction": row["instruction"], "expected": row["edits"], "found": said})
    return results


def _several(allowed: str | list[str]) -> list[str]:
    return [allowed] if isinstance(allowed, str) else allowed


def _plain(text: str) -> str:
    return " ".join(text.casefold().strip(" .").split())
