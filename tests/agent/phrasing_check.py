"""Whether a plan is one of the answers that a row of tests/data/phrasings*.jsonl accepts."""

import json
from pathlib import Path
from typing import Any

from agent.grammar import understand
from agent.plans import EditPlan

DATA = Path(__file__).parents[1] / "data"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def faults(row: dict[str, Any]) -> list[str]:
    """What is wrong with what the grammar makes of a row; [] when all of it is right.

    Wanted are lists of acceptable answers, compared without regard to case; `needs_description` null is not compared.
    """
    instruction, description = row["instruction"], row["description"]
    got = understand(instruction, description)
    kind = row.get("kind", "edit")
    wrong = [] if got.kind == kind else [f"kind {got.kind}, not {kind}"]
    if kind in {"question", "cannot_parse"} and got.edits:
        wrong.append("edits where none are wanted")
    needs = row["needs_description"]
    if needs is not None:
        first = understand(instruction).needs_description
        wrong += [] if first == needs == got.needs_description else [f"needs_description {first}, not {needs}"]
    if len(got.edits) != len(row["edits"]):
        return [*wrong, f"{len(got.edits)} edits, not {len(row['edits'])}"]
    for edit, wanted in zip(got.edits, row["edits"], strict=True):
        wrong += _faults(edit, wanted)
    return wrong


def _faults(edit: EditPlan, wanted: dict[str, Any]) -> list[str]:
    wrong = []
    for field, answers in wanted.items():
        accepted = [answers] if isinstance(answers, str) else answers
        value = getattr(edit, field)
        if value.lower() not in [answer.lower() for answer in accepted]:
            wrong.append(f"{field} {value!r}, not {' or '.join(map(repr, accepted))}")
    return wrong


def report(name: str) -> tuple[float, str]:
    """The share of rows that are right, and a line for each that is not."""
    all_rows = rows(name)
    wrong = {row["instruction"]: found for row in all_rows if (found := faults(row))}
    lines = [f"{instruction!r}: {'; '.join(found)}" for instruction, found in wrong.items()]
    return 1 - len(wrong) / len(all_rows), "\n".join(lines)
