"""What ten turns do to a picture: the background after each, by one conversation of ours and by chained edits.

`instructedit bench decay`; each turn gives one object of a scene another colour. The methods that keep no versions get
their own last picture, as a person would hand it on. The background is what no turn so far was to change. `made` counts
the turns that changed the picture at all: a method that finds nothing leaves a perfect background.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from agent.api import chat_model_for
from agent.session import Session
from benchmarks.harness import Finding, add_shared, figure, grid, main_of, models_of, names, scenes_of, start
from benchmarks.intervals import mean_of
from benchmarks.methods import OURS, Method, Planner, make_method
from benchmarks.scenes import Drawn, tracked
from benchmarks.variants import targets
from instructedit_models.errors import InstructEditError, ModelUnavailableError
from instructedit_models.metrics.background import background_psnr, background_ssim
from instructedit_models.miniature.seeds import words_of
from instructedit_models.model_sets import ModelSet
from tools.context import ToolSettings
from tools.workspace import Workspace

__all__ = ["TURNS", "chained", "configure", "run", "turns_of"]

TURNS = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_shared(parser, "decay", 10, 9_870_000)
    parser.add_argument("--methods", type=names, default=(OURS, "instructedit_plain", "diffedit"), metavar="A,B")
    parser.add_argument("--turns", type=int, default=TURNS, metavar="N", help=f"turns (default: {TURNS})")


def run(args: argparse.Namespace) -> Finding:
    """Runs every conversation by every method."""
    models = models_of(args)
    planner = Planner(models)
    keeper = start(args, "decay", models)
    missing: dict[str, str] = {}
    talks = [(drawn, said) for drawn in scenes_of(args, 5 * args.limit) if (said := turns_of(drawn, args.turns))]
    for drawn, said in tracked(talks[: args.limit], "conversations"):
        for name in args.methods:
            if name in missing:
                continue
            try:
                if name == OURS:
                    pictures = conversed(drawn.image, [words for words, _ in said], models)
                else:
                    pictures = chained(drawn.image, [words for words, _ in said], make_method(name, models, planner))
                keeper.cases += list(_judged(drawn, name, said, pictures))
            except ModelUnavailableError as error:
                missing[name] = str(error)
        keeper.save()
    rows = _rows(keeper.cases, args.methods)
    keeper.save(rows=rows, missing=missing)
    if not rows:
        raise ModelUnavailableError("; ".join(missing.values()) or "There is no conversation in these scenes.")
    head = ("what", "turn", "n", "made", "background_psnr", "background_ssim")
    text = grid(head, [[figure(row[name]) for name in head] for row in rows]) + f"\n\nrecord: {args.record}"
    return Finding({"rows": rows, "missing": missing, "record": str(args.record)}, text)


def turns_of(drawn: Drawn, count: int) -> list[tuple[str, np.ndarray]]:
    """What is said in each turn, and (H, W) bool, what it may change; [] where a scene has fewer than two things.

    A phrase goes by place, never by a colour that an earlier turn took away.
    """
    found = [one for one in targets(drawn, ("position", "size"), 91) if not one.says]
    objects = list(dict.fromkeys(one.objects for one in found))
    if len(objects) < 2:
        return []
    colours = list(dict.fromkeys(words_of(drawn.seed).colours))
    said = []
    for turn in range(count):
        meant = objects[turn % len(objects)]
        phrase = next(one.phrase for one in found if one.objects == meant)
        colour = colours[(turn * 3 + drawn.seed) % len(colours)]
        said.append((f"make {phrase} {colour}", drawn.picture.masks[meant[0]]))
    return said


def conversed(image: Image.Image, said: Sequence[str], models: ModelSet) -> Iterator[Image.Image]:
    """The picture after each turn of one conversation; a turn that fails leaves it as it was."""
    chat_model, spec, limits = chat_model_for("offline")
    with Workspace.temporary() as workspace:
        conversation = workspace.start(image)
        settings = ToolSettings(assume_yes=True)
        session = Session(models, chat_model, conversation, llm=spec, settings=settings, limits=limits)
        for words in said:
            session.turn(words)
            yield conversation.image(conversation.current_id).copy()


def chained(image: Image.Image, said: Sequence[str], method: Method) -> Iterator[Image.Image]:
    """The picture after each turn, each made from the one before."""
    for words in said:
        try:
            image = method(image, words).image
        except ModelUnavailableError:
            raise
        except InstructEditError:
            pass
        yield image


def _judged(
    drawn: Drawn, name: str, said: Sequence[tuple[str, np.ndarray]], pictures: Iterator[Image.Image]
) -> Iterator[dict[str, Any]]:
    before, touched = drawn.picture.image, np.zeros(drawn.picture.image.shape[:2], bool)
    last = before
    for turn, ((words, mask), image) in enumerate(zip(said, pictures, strict=True), start=1):
        touched = touched | mask
        after = np.asarray(image)
        yield {
            "case": str(drawn.seed),
            "group": drawn.seed,
            "type": f"turn {turn}",
            "turn": turn,
            "method": name,
            "instruction": words,
            "metrics": {
                "made": float(not np.array_equal(after, last)),
                "background_psnr": background_psnr(before, after, touched),
                "background_ssim": background_ssim(before, after, touched),
            },
        }
        last = after


def _rows(cases: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for name in methods:
        for turn in sorted({case["turn"] for case in cases if case["method"] == name}):
            those = [case["metrics"] for case in cases if case["method"] == name and case["turn"] == turn]
            psnr, ssim = (mean_of([one[key] for one in those]) for key in ("background_psnr", "background_ssim"))
            made = int(sum(one["made"] for one in those))
            row: dict[str, Any] = {"what": name, "turn": turn, "n": psnr.n, "made": made}
            row |= {"background_psnr": psnr.mean, "background_ssim": ssim.mean, "intervals": {}}
            for key, found in (("background_psnr", psnr), ("background_ssim", ssim)):
                if found.interval:
                    row["intervals"][key] = list(found.interval)
            rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main_of("decay", __doc__, configure, run))
