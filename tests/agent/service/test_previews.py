"""Previews come seldom enough, small enough, and only to those who asked."""

import base64
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.events import Progressed
from agent.service.previews import Previews
from instructedit_models.errors import InstructEditError
from instructedit_models.types import Preview
from tests.agent.service.test_service import ANN, closed, over
from tests.agent.service.tiny import open_service, opened, picture
from tests.tools.tiny_models import COLOURS


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("steps", [20, 200])
def test_previews_take_at_most_a_twentieth_of_the_time(steps: int) -> None:
    clock, made = Clock(), []
    previews, cost, step_seconds = Previews(clock), 0.03, 0.05

    def preview() -> Preview:
        clock.now += cost
        return Preview(Image.new("RGB", (8, 8)), (0.0, 0.0, 8.0, 8.0))

    def edit() -> None:
        for step in range(1, steps + 1):
            clock.now += step_seconds
            told = previews.of(Progressed(stage="denoise", step=step, total=steps, preview=preview))
            made.extend([told] if told else [])

    edit()  # the first one of all tells what they cost
    made.clear()
    edit()
    spent = len(made) * cost
    assert made and spent / (steps * step_seconds) <= 0.05


def test_a_preview_is_small_whatever_it_shows() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (2000, 3000, 3), dtype=np.uint8))
    previews = Previews(Clock())
    told = previews.of(
        Progressed(stage="denoise", step=2, total=9, preview=lambda: Preview(noise, (5.0, 6.0, 3005.0, 2006.0)))
    )
    assert told and told["box"] == [5.0, 6.0, 3005.0, 2006.0] and (told["step"], told["total"]) == (2, 9)
    data = base64.b64decode(told["image"])
    assert len(told["image"]) <= 10_000 and max(opened(data).size) == 256


def test_a_preview_that_cannot_be_decoded_is_none() -> None:
    def broken() -> Preview:
        raise InstructEditError("The models gave values that are no numbers.")

    assert Previews().of(Progressed(stage="denoise", step=2, total=9, preview=broken)) is None
    assert Previews().of(Progressed(stage="denoise", step=2, total=9)) is None


@pytest.mark.parametrize("wanted", [True, False])
def test_only_who_asks_gets_previews_and_none_is_kept(tmp_path: Path, wanted: bool, monkeypatch) -> None:
    service = open_service(tmp_path)
    told, add_event = [], service.jobs.add_event

    def heard(job_id, kind, data):
        told.extend([data] if kind == "preview" else [])
        add_event(job_id, kind, data)
        assert len([event for event in service.jobs.events(job_id) if event.kind == "preview"]) == bool(told)

    monkeypatch.setattr(service.jobs, "add_event", heard)
    conversation = service.begin(ANN, picture("red", "blue"), "a.png")
    given = {"text": "make the blue box green", **({"previews": True} if wanted else {})}
    job = over(service, service.submit(ANN, "message", given, conversation.id))
    assert job.state == "done" and bool(told) is wanted
    if told:
        shown = opened(base64.b64decode(told[-1]["image"])).convert("RGB").getpixel((68, 32))
        assert np.abs(np.subtract(shown, COLOURS["green"])).max() < 40
    assert all(event.kind != "preview" for event in service.jobs.events(job.id))
    closed(service)
