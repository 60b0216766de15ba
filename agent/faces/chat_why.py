"""What `/why` tells of a turn: why the picture was looked at, what was found and taken, how it was edited and checked.

It reads the record that every turn leaves (`agent.record`), so it can tell of turns of earlier chats too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["explanation"]


def explanation(record: Mapping[str, Any]) -> str:
    """The turn in lines of words.

    Args:
        record: the turn as `TurnRecord.to_turn_json` gives it.
    """
    return "\n".join(_lines(record))


def _lines(record: Mapping[str, Any]) -> Iterator[str]:
    yield f'You said "{record["instruction"]}"; the LLM {record["llm"]} took it as {_KINDS[record["kind"]]}.'
    if record["described"]:
        why = f" because {record['why_described']}" if record["why_described"] else ""
        yield f'It looked at the picture{why}: "{record["description"]}".'
    for edit in _edits(record):
        yield from _edit_lines(edit)
    if "error" in record:
        yield f"It ended so: {record['error']['message']}"
    for warning in record["warnings"]:
        yield f"Note: {warning}"
    seconds = record["seconds"]
    shares = sorted(((s, name) for name, s in seconds.items() if name != "total" and s >= 0.01), reverse=True)
    parts = ", ".join(f"{name} {s:.2f}" for s, name in shares)
    yield f"It took {seconds.get('total', 0.0):.2f} s{f' ({parts})' if parts else ''}."


_KINDS = {
    "edit": "an edit",
    "undo": "a move in the history",
    "answer": "a question about the picture",
    "question": "something that it had to ask back",
    "error": "something that could not be done",
}


def _edits(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "edits" in record:
        return record["edits"]
    return [record] if record.get("segmentation_prompt") else []


def _edit_lines(edit: Mapping[str, Any]) -> Iterator[str]:
    regions = edit["regions"]
    yield f'It looked for "{edit["segmentation_prompt"]}" and found {len(regions)}:'
    for region in regions:
        x0, y0, x1, y1 = (round(side) for side in region["box"])
        mark = "taken" if region["chosen"] else "left "
        yield (
            f"  {mark} {region['id']} {region['phrase']}, score {region['score']:.2f}, box ({x0}, {y0}, {x1}, {y1}), "
            f"{region['area'] * 100:.1f}% of the picture"
        )
    yield f'It edited "{edit["input_caption"]}" to "{edit["edited_caption"]}" ({edit["change"]}):'
    yield (
        f"  encoding ratio {edit['encoding_ratio']:g}, {edit['steps']} steps, guidance {edit['guidance_scale']:g}, "
        f"seed {edit['seed']}, {edit['unet_evaluations']} UNet evaluations"
    )
    if edit.get("kept_parts"):
        yield f"  left as before, since of another colour than the rest: {', '.join(edit['kept_parts'])}"
    if edit.get("attempts"):
        yield f"  the best of {len(edit['attempts'])} attempts"
    check = edit.get("check")
    yield f"  {'verified' if edit['verified'] else 'not verified'}{f': {check}' if check else ''}"
