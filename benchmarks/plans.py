"""A language processor on the phrasings that were written down before the offline one's grammar was.

A section of `main_job`, and a benchmark of its own for any LLM: `python -m benchmarks.plans --llm smollm2`.
`tests/data/phrasings.jsonl` allows several wordings of each prompt and caption.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.language_models import BaseChatModel

from agent.grammar import understand
from agent.language_processor import plan
from agent.llm import OFFLINE, build_chat_model
from agent.plans import EditPlan, Plan
from benchmarks.figures import Bar, Row, Section, rate, table
from benchmarks.record import begun, write_record
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


class _Planner:
    """Plans each pair of instruction and description once.

    Attributes:
        seconds: of each plan that was made.
    """

    def __init__(self, chat_model: BaseChatModel) -> None:
        self.seconds: list[float] = []
        self._chat_model = chat_model
        self._made: dict[tuple[str, str | None], tuple[Plan, str]] = {}

    def __call__(self, instruction: str, description: str | None) -> tuple[Plan, str]:
        """The plan in two forms; an empty one and the error's sentence where there is none."""
        key = (instruction, description)
        if key not in self._made:
            started = time.perf_counter()
            try:
                made = plan(instruction, description, self._chat_model)
                self._made[key] = made, "; ".join(str(edit) for edit in made.edits)
            except InstructEditError as error:
                self._made[key] = Plan(), str(error)
            self.seconds.append(time.perf_counter() - started)
        return self._made[key]


def plans_section(chat_model: BaseChatModel, llm: str = OFFLINE, limit: int | None = None) -> Section:
    """Plans all phrasings.

    Args:
        chat_model: who plans.
        llm: its spec; the offline model is held against its bar and asked for its kinds as well.
        limit: at most so many phrasings of each set, evenly spread over it; None for all.
    """
    section, planner = Section(), _Planner(chat_model)
    what = f"{llm} plan right (segmentation prompt and both captions)"
    bar = Bar(">=", 0.90) if llm == OFFLINE else None
    section.rows.append(rate(what, _tried(PHRASINGS, planner, section, limit), bar))
    if MORE.is_file():
        name = f"on those of {MORE.name}"
        section.rows.append(rate(name, _tried(MORE, planner, section, limit), indent=True))
    files = [file for file in (PHRASINGS, MORE) if file.is_file()]
    asking = [
        row
        for file in files
        for row in _spread([row for row in read_phrasings(file) if row["edits"] or llm == OFFLINE], limit)
        if row["needs_description"] is not None
    ]
    decided = [_asks(row["instruction"], planner, llm) == row["needs_description"] for row in tracked(asking, "asks")]
    section.rows.append(rate("rightly asks for a description, or does without", decided, indent=True))
    if llm == OFFLINE:
        other = [row for file in files for row in read_phrasings(file) if not row["edits"]]
        kinds = [understand(row["instruction"]).kind == row["kind"] for row in other]
        section.rows.append(rate("knows questions, feedback, undo and nonsense as such", kinds, indent=True))
    median = round(float(np.median(planner.seconds)), 4) if planner.seconds else None
    section.rows.append(Row("seconds per plan, median", median, None, len(planner.seconds), None, indent=True))
    return section


def _asks(instruction: str, planner: _Planner, llm: str) -> bool:
    """Whether the LLM wants the picture described before it plans."""
    if llm == OFFLINE:
        return understand(instruction).needs_description
    return planner(instruction, None)[0].needs_description


def _tried(file: Path, planner: _Planner, section: Section, limit: int | None) -> list[bool]:
    results = []
    chosen = _spread([row for row in read_phrasings(file) if row["edits"]], limit)
    for row in tracked(chosen, f"plans of {file.stem}"):
        found, said = planner(row["instruction"], row["description"])
        results.append(plan_right(found.edits, row["edits"]))
        if not results[-1]:
            section.cases.append({"instruction": row["instruction"], "expected": row["edits"], "found": said})
    return results


def _spread(rows: Sequence[Phrasing], limit: int | None) -> list[Phrasing]:
    if limit is None or limit >= len(rows):
        return list(rows)
    return [rows[round(at * len(rows) / limit)] for at in range(limit)]


def _several(allowed: str | list[str]) -> list[str]:
    return [allowed] if isinstance(allowed, str) else allowed


def _plain(text: str) -> str:
    return " ".join(text.casefold().strip(" .").split())


def main() -> int:
    """Measures one LLM, prints its figures and writes a record; exits 1 where a bar is missed."""
    from agent.config import load_settings
    from instructedit_models.model_sets import load_model_set

    parser = argparse.ArgumentParser(prog="python -m benchmarks.plans", description=__doc__)
    parser.add_argument("--llm", default=OFFLINE, metavar="SPEC", help="offline, smollm2 or openai:MODEL")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N phrasings of each set, evenly spread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the record (default: runs/plans/LLM.json)")
    args = parser.parse_args()
    path = args.json or Path("runs/plans") / f"{args.llm.replace(':', '_').replace('/', '_')}.json"
    section = plans_section(build_chat_model(args.llm, load_settings()), args.llm, args.limit)
    record = begun({"llm": args.llm, "limit": args.limit}, load_model_set("miniature"))
    record |= {"benchmark": "plans", "command": ["python", "-m", "benchmarks.plans", *sys.argv[1:]]}
    write_record(path, record, {"plan": section})
    print(f"{table(section.rows)}\n\nrecord: {path}")
    return 1 if any(row.passed is False for row in section.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
