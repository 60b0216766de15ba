"""Measures conversations on test scenes: `python -m benchmarks.conversations --steps 4 [--oracle-grounding]`.

The scripted conversations (tests/data/conversations*.jsonl) and the single instructions of which some need a question
(tests/data/clarify*.jsonl) were written before the code that is measured. Everything runs through `agent.session` with
the offline language model; the truth of the scenes serves for scoring alone, unless an oracle is asked for.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agent.events import Asked, Event
from agent.session import Session
from benchmarks.command import exit_code_of
from benchmarks.figures import Bar, Row, Section, iou, rate, table
from benchmarks.oracle import OracleModels
from benchmarks.record import begun, write_record
from benchmarks.scenes import Drawn, tracked
from instructedit_models.model_sets import load_model_set
from tools.context import EditOverrides, Models, ToolSettings
from tools.conversation import Conversation
from tools.layers import live
from tools.workspace import Workspace

__all__ = ["Judged", "Script", "clarify_section", "conversations_section", "main"]

DATA = Path(__file__).parents[1] / "tests" / "data"
SETS = {"seen": "", "held_out": "_held_out"}
"""Which data files: those that were looked at while the code was written, and those that were not."""
MODEL_STAGES = ("describe", "segment", "medium", "look", "edit", "retry", "verify")
"""Stages of a turn that run models; the rest of its time is ours."""
LEAST_IOU = 0.5


@dataclass
class Judged:
    """A turn of a conversation beside what was expected of it.

    Attributes:
        say, expected, got: what was said, the kind of turn expected, and the record's kind.
        objects, version: whether the right things were edited, and the right version is current and stands on what it
            should.
        becomes: whether the words that should be in the edited captions are; None where none are expected.
        why: what was wrong.
        evaluations, seconds, ours: UNet evaluations, wall seconds, and wall seconds outside the models.
    """

    say: str
    expected: str
    got: str
    objects: bool = True
    version: bool = True
    becomes: bool | None = None
    why: list[str] = field(default_factory=list)
    evaluations: int = 0
    seconds: float = 0.0
    ours: float = 0.0

    @property
    def right(self) -> bool:
        """Whether the intended objects and the intended version are right."""
        return self.objects and self.version


class Script:
    """One scripted conversation, run turn by turn and judged."""

    def __init__(self, drawn: Drawn, models: Models, settings: ToolSettings, workspace: Workspace) -> None:
        from agent.offline_llm import OfflineChatModel

        self.drawn = drawn
        self.conversation: Conversation = workspace.start(drawn.image)
        if isinstance(models, OracleModels):
            models.conversation = self.conversation
        self.events: list[Event] = []
        self.session = Session(
            models, OfflineChatModel(), self.conversation, settings=settings, on_event=self.events.append
        )
        self.made_in: dict[str, int] = {}
        self.current: dict[int, frozenset[str]] = {0: frozenset({self.conversation.current_id})}

    def turn(self, number: int, expected: dict[str, Any]) -> Judged:
        """Says what is said in a turn and judges what comes of it."""
        known = {version.id for version in self.conversation.versions()}
        start = self.conversation.current_id
        self.events.clear()
        record = self.session.turn(expected["say"])
        new = {version.id for version in self.conversation.versions()} - known
        self.made_in |= dict.fromkeys(new, number)
        judged = Judged(expected["say"], expected["kind"], record.kind)
        judged.evaluations, judged.seconds = record.unet_evaluations, record.seconds["total"]
        judged.ours = judged.seconds - sum(record.seconds.get(stage, 0.0) for stage in MODEL_STAGES)
        now = self.conversation.current_id
        kind = expected["kind"]
        if kind in ("edit", "adjust", "variations"):
            self._judge_edit(judged, expected, now, record.edits)
            if kind == "variations" and len(new) != expected["count"]:
                judged.version = False
                judged.why.append(f"{len(new)} variations, not {expected['count']}")
        elif kind in ("undo", "redo", "go_back"):
            wanted = frozenset().union(*(self.current.get(label, frozenset()) for label in expected["to"]))
            judged.version = now in wanted
        else:
            judged.version = now == start and record.kind == kind
            if kind == "question":
                judged.objects = self._asks_among(expected["among"])
        if not judged.right:
            judged.why.append(record.reply[:160])
        self.current[number] = frozenset({now, *(new if kind == "variations" else ())})
        return judged

    def _judge_edit(self, judged: Judged, expected: dict[str, Any], now: str, parts: Sequence[Any]) -> None:
        layers = [edit.image_id for edit in live(self.conversation.path(now))]
        shown = {self.made_in.get(image_id, -1) for image_id in layers}
        holds, optional = set(expected["holds"]), set(expected.get("may_drop", ()))
        judged.version = judged.got == "edit" and holds - optional <= shown <= holds
        if not judged.version:
            judged.why.append(f"shows the edits of turns {sorted(shown)}, expected {sorted(holds)}")
        masks = [self.conversation.mask(part.mask_id) for part in parts]
        wanted = [self._truth(edit) for edit in expected["edits"]]
        judged.objects = bool(masks) and _same_places(masks, wanted)
        words = [word for edit in expected["edits"] for word in edit["becomes"]]
        if words:
            said = " ".join(part.edited_caption.lower() for part in parts)
            judged.becomes = all(word in said for word in words)

    def _truth(self, edit: dict[str, Any]) -> np.ndarray:
        picture = self.drawn.picture
        if edit.get("background"):
            return ~np.logical_or.reduce(picture.masks)
        if edit["part"]:
            return np.logical_or.reduce([picture.part_mask(index, edit["part"]) for index in edit["objects"]])
        union = np.logical_or.reduce([picture.masks[index] for index in edit["objects"]])
        return ~union if edit.get("all_but") else union

    def _asks_among(self, objects: Sequence[int]) -> bool:
        """Whether the question was about just these objects, or parts of them."""
        asked = next((event for event in self.events if isinstance(event, Asked)), None)
        if asked is None or len(asked.regions) != len(objects):
            return False
        masks = [self.conversation.mask(region.mask_id) for region in asked.regions if region.mask_id]
        return all(any(_inside(mask, self.drawn.picture.masks[index]) for mask in masks) for index in objects)


def _same_places(masks: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> bool:
    """Whether the masks together are the things that were meant, and none of those is missing."""
    union, truth = np.logical_or.reduce(list(masks)), np.logical_or.reduce(list(wanted))
    missing = any(np.count_nonzero(union & each) < LEAST_IOU * np.count_nonzero(each) for each in wanted)
    return iou(union, truth) >= LEAST_IOU and not missing


def _inside(mask: np.ndarray, thing: np.ndarray) -> bool:
    return int(np.count_nonzero(mask & thing)) >= LEAST_IOU * max(1, int(np.count_nonzero(mask)))


def conversations_section(scripts: Iterable[dict[str, Any]], models: Models, args: argparse.Namespace) -> Section:
    """Runs all conversations of a set."""
    section = Section()
    turns: list[Judged] = []
    groups: list[int] = []
    cheaper: list[float] = []
    faster: list[float] = []
    for script in tracked(list(scripts), "conversations"):
        drawn = Drawn(script["seed"])
        judged = _run(script, drawn, models, args)
        turns += judged
        groups += [script["seed"]] * len(judged)
        first = next((turn for turn in judged if turn.expected == "edit" and turn.evaluations), None)
        for turn in judged:
            if first is not None and turn.expected == "adjust" and turn.got == "edit" and turn.evaluations:
                cheaper.append(turn.evaluations / first.evaluations)
                faster.append(turn.seconds / first.seconds)
        section.cases.append({"id": script["id"], "seed": script["seed"], "turns": [vars(turn) for turn in judged]})
    right = [float(turn.right) for turn in turns]
    section.rows.append(rate("turns with the intended objects and version", right, Bar(">=", 0.9), groups))
    for kind in dict.fromkeys(turn.expected for turn in turns):
        section.rows.append(rate(kind, [float(t.right) for t in turns if t.expected == kind], indent=True))
    section.rows.append(rate("objects", [float(turn.objects) for turn in turns], indent=True))
    section.rows.append(rate("version", [float(turn.version) for turn in turns], indent=True))
    words = [float(turn.becomes) for turn in turns if turn.becomes is not None]
    section.rows.append(rate("edited captions say what was asked for", words, indent=True))
    times: list[float] = [turn.ours for turn in turns]
    ours = 1000 * statistics.median(times)
    section.rows.append(Row("time outside the models per turn, median ms", round(ours, 1), Bar("<=", 60), len(turns)))
    for what, ratios, bar in (("UNet evaluations", cheaper, 0.67), ("wall time", faster, 0.75)):
        figure = round(statistics.median(ratios), 3) if ratios else None
        section.rows.append(
            Row(f"feedback turn against first edit, {what}, median", figure, Bar("<=", bar), len(ratios))
        )
    return section


def _run(script: dict[str, Any], drawn: Drawn, models: Models, args: argparse.Namespace) -> list[Judged]:
    with Workspace.temporary() as workspace:
        used: Models = OracleModels(models, drawn) if args.oracle_grounding else models
        settings = ToolSettings(EditOverrides(steps=args.steps), retries=args.retries)
        run = Script(drawn, used, settings, workspace)
        return [run.turn(number, expected) for number, expected in enumerate(script["turns"], start=1)]


def clarify_section(cases: Iterable[dict[str, Any]], models: Models, args: argparse.Namespace) -> Section:
    """Says each instruction to a fresh session, and counts the questions."""
    section = Section()
    right: dict[bool, list[float]] = {True: [], False: []}
    for case in tracked(list(cases), "single instructions"):
        expected = {"say": case["say"], "kind": "question", "among": [], "to": [0]}
        judged = _run({"turns": [expected]}, Drawn(case["seed"]), models, args)[0]
        asked = judged.got == "question"
        right[case["ask"]].append(float(asked == case["ask"]))
        if asked != case["ask"]:
            section.cases.append({**case, "got": judged.got, "reply": judged.why})
    section.rows.append(rate("a question where one is needed", right[True], Bar(">=", 0.9)))
    section.rows.append(rate("no question where none is needed", right[False], Bar(">=", 0.9)))
    return section


def rows_of(name: str) -> list[dict[str, Any]]:
    """The lines of a data file, by name."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def main(argv: list[str] | None = None) -> int:
    """Runs the sets that are asked for; returns 1 where a figure is below its bar."""
    args = _parser().parse_args(argv)
    return exit_code_of(lambda: _measure(args))


def _measure(args: argparse.Namespace) -> int:
    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    models = load_model_set(args.models)
    settings = {name: value for name, value in vars(args).items() if not isinstance(value, Path)}
    record = begun(settings, models) | {"benchmark": "conversations"}
    record["command"] = ["python", "-m", "benchmarks.conversations", *sys.argv[1:]]
    done: dict[str, Section] = {}
    for chosen in args.sets:
        for what, run in (("conversations", conversations_section), ("clarify", clarify_section)):
            if what not in args.only:
                continue
            started = time.perf_counter()
            cases = rows_of(f"{what}{SETS[chosen]}")[: args.limit]
            done[f"{what}, {chosen}"] = run(cases, models, args)
            print(f"{what}, {chosen}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
            write_record(args.json, record, done)
    rows = []
    for name, section in done.items():
        rows += [Row(f"[{name}]", None), *section.rows]
    grounding = "oracle grounding" if args.oracle_grounding else "the models' own grounding"
    print(
        f"commit {str(record['commit'])[:10]}, {grounding}, {args.steps} steps\n\n{table(rows)}\n\nrecord: {args.json}"
    )
    return 1 if any(row.passed is False for row in rows) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conversations", description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=tuple(SETS), help="seen and held_out")
    parser.add_argument("--only", nargs="+", choices=("conversations", "clarify"), default=("conversations", "clarify"))
    parser.add_argument("--limit", type=int, metavar="N", help="at most N conversations and instructions of each set")
    parser.add_argument("--steps", type=int, default=50, help="DDIM steps; few will do where only objects are judged")
    parser.add_argument("--retries", type=int, default=0, help="sweeps after a failed check (default: 0)")
    parser.add_argument(
        "--oracle-grounding", action="store_true", help="detector, segmenter and describer answer from the truth"
    )
    parser.add_argument("--models", default="miniature", help="the model set (default: miniature)")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--json", type=Path, default=Path("runs/conversations.json"), metavar="FILE", help="the record")
    return parser


if __name__ == "__main__":
    sys.exit(main())
