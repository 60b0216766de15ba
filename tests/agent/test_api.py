"""The one-call API: what it takes, what it gives, and the error that each failure is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from agent.api import EditOutcome, EditOverrides, edit_image
from agent.events import Event
from instructedit_models.errors import (
    AmbiguousError,
    BadImageError,
    BadInstructionError,
    BadParameterError,
    CancelledError,
    InstructEditError,
    LLMError,
    NothingFoundError,
    UnknownWordError,
)
from instructedit_models.grounding import GroundedSegmenter
from instructedit_models.imaging import load_image
from instructedit_models.types import Progress
from tests.agent.fake_openai import FakeOpenAI, Scripted, error, text, tool_call
from tests.agent.records import CONTRACT
from tests.agent.scripted import chat_model, edit, segment
from tests.tools.tiny_models import COLOURS, BlobDetector, BoxSegmenter, TinyModels, boxes

BLUE_TO_GREEN = [segment("blue box"), edit("blue box", "blue", "green", "mask_2"), text("Done.")]


def run(replies: list[Scripted], image: object = None, instruction: str = "do it", **more: object) -> EditOutcome:
    with FakeOpenAI(replies) as fake:
        picture = boxes("red", "blue", "red") if image is None else image
        settings = {"models": TinyModels(), "llm": chat_model(fake)}
        return edit_image(picture, instruction, **settings | more)  # type: ignore[arg-type]


def test_a_file_a_picture_and_a_loaded_picture_are_the_same(tmp_path: Path):
    path = tmp_path / "in.png"
    boxes("red", "blue", "red").save(path)
    pictures = [run(BLUE_TO_GREEN, given).image for given in (path, str(path), load_image(path), None)]
    assert len({picture.tobytes() for picture in pictures}) == 1


def test_an_outcome_is_whole_after_the_workspace_is_gone():
    outcome = run(BLUE_TO_GREEN)
    before, after = np.asarray(boxes("red", "blue", "red")), np.asarray(outcome.image)
    assert outcome.mask.dtype == outcome.region.dtype == bool and outcome.mask.shape == (64, 96)
    assert np.array_equal(before[~outcome.region], after[~outcome.region])
    assert (after[outcome.mask] == COLOURS["green"]).all()
    assert set(CONTRACT) <= set(outcome.record)
    assert (outcome.record["output"], outcome.record["models"], outcome.record["llm"]) == (None, "tiny", "scripted")
    assert outcome.record["unet_evaluations"] == 75
    assert outcome.record["seconds"]["total"] > 0


def test_one_model_set_serves_many_edits_and_remembers_inversions():
    models = TinyModels()
    first = run(BLUE_TO_GREEN, models=models)
    second = run([segment("blue box"), edit("", "blue", "yellow", "mask_2"), text("Done.")], models=models)
    assert [outcome.record["unet_evaluations"] for outcome in (first, second)] == [75, 50]


def test_overrides_reach_the_editor_and_the_record():
    models = TinyModels()
    options = EditOverrides(encoding_ratio=0.8, steps=10, guidance_scale=2.5, seed=9)
    record = run(BLUE_TO_GREEN, models=models, options=options).record
    used = models.editor.calls[0]
    assert (used.encoding_ratio, used.steps, used.guidance_scale, used.seed) == (0.8, 10, 2.5, 9)
    assert [record[name] for name in ("encoding_ratio", "steps", "guidance_scale", "seed")] == [0.8, 10, 2.5, 9]


def test_progress_and_events():
    steps: list[Progress] = []
    events: list[Event] = []
    run(BLUE_TO_GREEN, progress=steps.append, on_event=events.append)
    assert Progress("denoise", 25, 25) in steps
    assert {"called", "segmented", "planned", "progress", "edited", "reply"} == {event.kind for event in events}


def test_several_edits_in_one_instruction():
    outcome = run(
        [
            segment("blue box"),
            edit("blue box", "blue", "green", "mask_2"),
            segment("red box on the left", "image_2"),
            edit("red box on the left", "red", "yellow", "mask_5", "image_2"),
            text("Both done."),
        ]
    )
    assert [part["edited_caption"] for part in outcome.record["edits"]] == [
        "photo of a green box",
        "photo of a yellow box",
    ]
    assert outcome.mask[:, 36:60].any() and outcome.mask[:, :25].any() and not outcome.mask[:, 64:].any()


def test_ambiguity_is_an_error_unless_yes():
    with pytest.raises(AmbiguousError, match="fits 2 things equally well.*--yes") as caught:
        run([segment("red box"), text("Which one?")])
    assert caught.value.exit_code == 2
    replies = [segment("red box"), edit("red box", "red", "green", "mask_3"), text("Done.")]
    outcome = run(replies, yes=True)
    assert outcome.record["warnings"] == ["'red box' fits 2 things equally well; r1, the best, was taken."]


def test_it_is_the_largest_thing_where_it_has_to_be_one():
    picture = boxes("red", "blue", "red")
    ImageDraw.Draw(picture).rectangle((64, 4, 94, 60), fill=COLOURS["yellow"])
    models = TinyModels()
    models.grounded = GroundedSegmenter(BlobDetector(), BoxSegmenter(), object_phrases=("box",))
    with pytest.raises(AmbiguousError, match="'object' fits 3 things"):
        edit_image(picture, "make it green", models=models, llm="offline")
    outcome = edit_image(picture, "make it green", models=models, llm="offline", yes=True)
    assert outcome.mask[:, 64:].any() and not outcome.mask[:, :64].any()
    assert (np.asarray(outcome.image)[outcome.mask] == COLOURS["green"]).all()
    assert outcome.record["edited_caption"] == "Photo of a green box"


@pytest.mark.parametrize(
    ("replies", "kind", "exit_code", "sentence"),
    [
        ([segment("star"), text("None.")], NothingFoundError, 2, "star"),
        (
            [segment("blue box"), edit("", "blue", "zebra", "mask_2"), text("No.")],
            UnknownWordError,
            2,
            "do not know the word 'zebra'",
        ),
        ([text("Sure, I would love to!")], LLMError, 1, "only talked and nothing was edited; it said: Sure"),
        ([error(401)], LLMError, 1, "401"),
        ([text("What should it become?")], BadInstructionError, 2, "the agent said: What should it become"),
        (
            [tool_call("ask_image", {"image_id": "image_1", "question": "how many?"}), text("3.")],
            BadInstructionError,
            2,
            "Nothing was edited; the agent said: 3.",
        ),
    ],
)
def test_no_picture_is_an_error(replies: list, kind: type[InstructEditError], exit_code: int, sentence: str):
    with pytest.raises(kind, match=sentence) as caught:
        run(replies)
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize("instruction", ["", "  ", "x" * 100_000])
def test_bad_instructions_load_nothing(instruction: str):
    with pytest.raises(BadInstructionError):
        edit_image("missing.png", instruction, models="no such set")


def test_bad_pictures(tmp_path: Path):
    with pytest.raises(BadImageError):
        edit_image(tmp_path / "missing.png", "make it blue", models=TinyModels())
    with pytest.raises(BadImageError, match="3 x 3"):
        edit_image(Image.new("RGB", (3, 3)), "make it blue", models=TinyModels())


def test_a_bad_llm_spec():
    with pytest.raises(BadParameterError):
        edit_image(boxes("red"), "make it blue", models=TinyModels(), llm="crystal ball")


def test_cancelling():
    def stop(progress: Progress) -> None:
        raise CancelledError("Stopped; nothing was written.")

    with pytest.raises(CancelledError):
        run([segment("blue box")], progress=stop)


def test_warnings_of_the_file_come_first(tmp_path: Path):
    path = tmp_path / "in.gif"
    frames = [boxes("red", "blue", "red").quantize(8), boxes("blue").quantize(8)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    outcome = run([segment("star"), *BLUE_TO_GREEN], load_image(path))
    assert "first" in outcome.record["warnings"][0]
    assert "'star'" in outcome.record["warnings"][-1]
    assert outcome.loaded.format == "GIF"
