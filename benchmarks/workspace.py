"""Measures what the workspace promises: `python -m benchmarks.workspace --kills 200`.

Nothing outside the edits changes, nothing is lost to `kill -9`, and a turn costs a few kilobytes beyond its pictures.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.command import exit_code_of
from benchmarks.victim import work
from instructedit_models.errors import InstructEditError
from tests.tools.tiny_models import TinyModels, boxes
from tools.conversation import Conversation
from tools.layers import composed
from tools.maintenance import collect, verify
from tools.workspace import Workspace

if TYPE_CHECKING:
    from benchmarks.figures import Section

EDITS = 20
TURNS = 500
WINDOW = 50
LONGEST_LIFE = 0.6
"""Seconds between the first words of a process and its end, at most."""
FRESH = 5
"""Every so many rounds the two processes begin a new workspace, and may be killed while they make it."""
SECTIONS = ("chain", "kills", "growth")


def main(argv: list[str] | None = None) -> int:
    """Runs the sections that are asked for; returns 1 where a figure is below its bar or missing."""
    args = _parser().parse_args(argv)
    return exit_code_of(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    # The record brings torch with it, which the killed processes have no use for: they are forked before it is here.
    done: dict[str, Section] = {}
    if "kills" in args.only:
        done["kills"] = kill_section(args.kills, args.seed)
    from benchmarks.figures import table
    from benchmarks.record import begun, write_record
    from instructedit_models.model_sets import load_model_set

    models = load_model_set(args.models)
    settings = {name: value for name, value in vars(args).items() if not isinstance(value, Path)}
    record = {
        **begun(settings, models),
        "benchmark": "workspace",
        "command": ["python", "-m", "benchmarks.workspace", *sys.argv[1:]],
    }
    write_record(args.json, record, done)
    if "chain" in args.only:
        done["chain"] = chain_section(models, args.seed, args.steps)
        write_record(args.json, record, done)
    if "growth" in args.only:
        done["growth"] = growth_section(args.turns)
        write_record(args.json, record, done)
    rows = [row for name in SECTIONS if name in done for row in done[name].rows]
    dirty = " with uncommitted changes" if record["dirty"] else ""
    print(f"commit {str(record['commit'])[:10]}{dirty}\n\n{table(rows)}\n\nrecord: {args.json}")
    return 0 if all(row.passed is not False and row.figure is not None for row in rows) else 1


def chain_section(models: Any, seed: int, steps: int, edits: int = EDITS) -> "Section":
    """Edits of one scene, chained through the tools: on top, from the source, again in the middle, and taken out.

    Args:
        models: a model set.
        seed: the test scene; the masks are random patches, since only what lies outside them is looked at.
        steps: DDIM steps of each edit.
        edits: how many.
    """
    from benchmarks.figures import Bar, Row, Section
    from benchmarks.scenes import scenes_from
    from tools.context import EditOverrides, ToolContext, ToolSettings

    (drawn,) = scenes_from(seed, 1)
    with Workspace.temporary() as workspace:
        conversation = workspace.start(drawn.image)
        context = ToolContext(models, conversation, ToolSettings(EditOverrides(steps=steps)))
        nouns = [thing.noun for thing in drawn.scene.items]
        generator = drawn.rng(33)
        for number in range(edits):
            _chained_edit(context, number, nouns[number % len(nouns)], generator)
            print(f"\rchain: {number + 1} of {edits}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        outside, wrong, cases = _checked(conversation)
    return Section(
        [
            Row(f"bytes changed outside the edits' regions, {edits} chained edits", outside, Bar("=", 0), edits),
            Row(
                "versions that differ from their layers over the original", wrong, Bar("=", 0), len(cases), indent=True
            ),
        ],
        cases,
    )


def _chained_edit(context: Any, number: int, noun: str, generator: np.random.Generator) -> None:
    from tools.registry import call

    conversation = context.conversation
    width, height = conversation.version("image_1").size
    if number % 7 == 5:
        path = conversation.path(conversation.current_id)
        call(context, "adjust_edit", image_id=path[len(path) // 2].image_id, seed=number)
        return
    mask = np.zeros((height, width), bool)
    top, left = generator.integers(0, height - 24), generator.integers(0, width - 24)
    mask[top : top + generator.integers(8, 24), left : left + generator.integers(8, 24)] = True
    colours = ("red", "blue", "green", "yellow", "purple")
    call(
        context,
        "edit_image",
        image_id=conversation.current_id,
        mask_id=conversation.add_mask(mask, "image_1", "given", f"patch {number}"),
        segmentation_prompt="patch",
        input_caption=f"photo of a {colours[number % 5]} {noun}",
        edited_caption=f"photo of a {colours[(number + 1) % 5]} {noun}",
        change=("appearance", "shape")[number % 2],
        base=("current", "current", "source")[number % 3],
    )


def _checked(conversation: Conversation) -> tuple[int, int, list[dict[str, Any]]]:
    """Bytes changed outside the regions that lead to each version, summed; versions that their layers do not make."""
    first = np.asarray(conversation.image("image_1"))
    outside = wrong = 0
    cases: list[dict[str, Any]] = []
    for version in conversation.versions():
        union = np.zeros(first.shape[:2], bool)
        for edit in conversation.path(version.id):
            union |= conversation.region(edit)
        pixels = np.asarray(conversation.image(version.id))
        changed = int((pixels != first)[~union].sum())
        differs = not np.array_equal(np.asarray(composed(conversation, version.id)), pixels)
        outside, wrong = outside + changed, wrong + differs
        cases.append(
            {"version": version.id, "outside": changed, "region": int(union.sum()), "as_its_layers": not differs}
        )
    return outside, wrong, cases


def kill_section(kills: int, seed: int) -> "Section":
    """Kills two processes that edit one conversation, again and again, and looks after each time at what is there."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.victim"])
    generator = np.random.default_rng(seed)
    lost = unreadable = promised = 0
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, first in enumerate(range(0, kills, 2), start=1):
            count, fresh = min(2, kills - first), number % FRESH == 1
            directory = Path(folder) / f"workspace_{number // FRESH if fresh else (number - 1) // FRESH}"
            told = _lives_and_deaths(context, directory, fresh, generator, count)
            gone, sound = _after(directory, told, thorough=number % FRESH == 0 or first + count == kills)
            promised, lost, unreadable = promised + len(told), lost + len(gone), unreadable + (not sound)
            cases.append({"kills": first + count, "promised": len(told), "lost": gone, "readable": sound})
            print(
                f"\rkills: {first + count} of {kills}, {promised} things promised", end="", file=sys.stderr, flush=True
            )
    print(file=sys.stderr)
    from benchmarks.figures import Bar, Row, Section

    return Section(
        [
            Row("versions and turns lost to kill -9 after they were told of", lost, Bar("=", 0), kills),
            Row("workspaces unreadable after kill -9", unreadable, Bar("=", 0), kills),
            Row("versions and turns that were told of", promised, None, kills, indent=True),
        ],
        cases,
    )


def _lives_and_deaths(
    context: Any, directory: Path, fresh: bool, generator: np.random.Generator, count: int
) -> list[tuple[str, str, Any]]:
    """Starts processes, kills each at a random moment, and returns what they told, each with its conversation.

    In a fresh workspace each begins a conversation of its own and may be killed before it has said anything; otherwise
    they share the newest one.
    """
    conversation_id = ""
    if not fresh:
        with Workspace(directory) as workspace:
            ids = workspace.conversation_ids()
            conversation_id = ids[-1] if ids else workspace.start(boxes("red", "blue", "red")).id
    victims = []
    for _ in range(count):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(str(directory), conversation_id, there), daemon=True)
        process.start()
        there.close()
        victims.append((process, here))
    if not fresh:
        for _, here in victims:
            here.poll(60)
    told: list[tuple[str, str, Any]] = []
    for process, here in victims:
        time.sleep(float(generator.uniform(0, LONGEST_LIFE / count)))
        process.kill()
        process.join()
        heard = _received(here)
        if heard:
            told += [(str(heard[0][1]), *one) for one in heard[1:]]
        here.close()
        process.close()
    return told


def _received(here: Connection) -> list[tuple[str, Any]]:
    """What was told before the end; a message that the kill cut short was no promise."""
    told = []
    try:
        while here.poll():
            told.append(here.recv())
    except (EOFError, OSError):
        pass
    return told


def _after(directory: Path, told: Sequence[tuple[str, str, Any]], thorough: bool) -> tuple[list[str], bool]:
    """What was promised and is not there, and whether the workspace and everything in its conversations can be read."""
    gone: list[str] = []
    try:
        with Workspace(directory) as workspace:
            for conversation_id in workspace.conversation_ids():
                conversation = workspace.conversation(conversation_id)
                gone += _missing(conversation, [(name, value) for id_, name, value in told if id_ == conversation_id])
            known = set(workspace.conversation_ids())
            gone += [f"conversation {one}" for one in {id_ for id_, _, _ in told} - known]
            if thorough:
                collect(workspace)
                return gone, not verify(workspace).faults
            return gone, workspace.query("PRAGMA quick_check")[0][0] == "ok"
    except InstructEditError as error:
        return [*gone, str(error)], False


def _missing(conversation: Conversation, told: Sequence[tuple[str, Any]]) -> list[str]:
    """What was promised of one conversation and is not there; reads every version of it, past any cache."""
    objects = conversation.workspace.objects
    kept = {version.id: version for version in conversation.versions()}
    turns = len(conversation.turns())
    for version in kept.values():
        objects.check(version.sha256)
        if version.edit is not None:
            conversation.mask(version.edit.mask_id)
            conversation.region(version.edit)
    conversation.image(conversation.current_id)
    return [
        f"{name} {value}"
        for name, value in told
        if not (turns >= value if name == "turn" else name in kept and kept[name].sha256 == value)
    ]


def growth_section(turns: int) -> "Section":
    """A long conversation through a real session on the tests' tiny models: what the workspace grows by, PNGs aside."""
    from agent.config import load_settings
    from agent.llm import build_chat_model
    from agent.session import Session
    from benchmarks.figures import Bar, Row, Section

    colours = ("green", "yellow", "purple", "blue")
    window = min(WINDOW, turns)
    cases: list[dict[str, Any]] = []
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Workspace(folder) as workspace:
        conversation = workspace.start(boxes("red", "blue", "red"))
        session = Session(TinyModels(), build_chat_model("offline", load_settings()), conversation)
        before, log, colour = _beyond_pictures(workspace), 0, "blue"
        for number in range(turns):
            undo = number % 10 == 9
            will = colours[(colours.index(colour) + 1) % 4]
            started = time.process_time()
            record = session.turn("undo" if undo else f"make the {colour} box {will}")
            seconds.append(time.process_time() - started)
            if record.kind != ("undo" if undo else "edit"):
                raise InstructEditError(f"Turn {number + 1} of the long conversation failed: {record.reply}")
            colour = colours[(colours.index(colour) - 1) % 4] if undo else will
            log = max(log, _log(workspace))
            if (number + 1) % window == 0:
                size = _beyond_pictures(workspace)
                cases.append({"turn": number + 1, "bytes_per_turn": (size - before) / window})
                before = size
                print(f"\rgrowth: {number + 1} of {turns} turns", end="", file=sys.stderr, flush=True)
        pictures = sum(path.stat().st_size for _, path in workspace.objects.stored()) / turns
    print(file=sys.stderr)
    worst = max(case["bytes_per_turn"] for case in cases)
    first, last = cases[0]["bytes_per_turn"], cases[-1]["bytes_per_turn"]
    tenth = max(1, turns // 10)
    slower = float(np.median(seconds[-tenth:]) / np.median(seconds[:tenth]))
    return Section(
        [
            Row(
                "workspace bytes per turn beyond the PNGs, worst window",
                worst,
                Bar("<=", 20_000),
                turns,
                note=f"{first:.0f} in the first {window} turns, {last:.0f} in the last",
            ),
            Row("growth of a turn, last window over first", last / first, Bar("<=", 1.25), turns, indent=True),
            Row("write-ahead log, most bytes", log, None, turns, indent=True),
            Row("PNG bytes per turn", pictures, None, turns, indent=True),
            Row("CPU seconds of a turn, median, tiny models", float(np.median(seconds)), None, turns, indent=True),
            Row("CPU seconds of a turn, last tenth over first", slower, None, turns, indent=True),
        ],
        cases,
    )


def _beyond_pictures(workspace: Workspace) -> int:
    """Bytes of everything in the folder but the PNGs, once the log has been folded into the database."""
    workspace.query("PRAGMA wal_checkpoint(TRUNCATE)")
    files = (path for path in workspace.directory.rglob("*") if path.is_file() and path.suffix != ".png")
    return sum(path.stat().st_size for path in files)


def _log(workspace: Workspace) -> int:
    log = workspace.database.with_name(f"{workspace.database.name}-wal")
    return log.stat().st_size if log.exists() else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workspace", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="the sections to run")
    parser.add_argument("--models", default="miniature", help="the model set of the chained edits")
    parser.add_argument("--steps", type=int, default=10, help="DDIM steps of each chained edit")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--seed", type=int, default=9_000_000, help="the test scene, and the moments of the kills")
    parser.add_argument("--json", type=Path, default=Path("runs/workspace/record.json"), help="where the record goes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
