"""The workspace benchmark sees what it is there to see: changed bytes, lost versions, growth."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.workspace import _after, _checked, growth_section, kill_section
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import boxes
from tools.graph import NewEdit
from tools.workspace import Workspace


def test_bytes_outside_the_regions_are_counted(tmp_path: Path) -> None:
    with Workspace(tmp_path, durable=False) as workspace:
        conversation = workspace.start(boxes("red", size=(96, 64)))
        mask = np.zeros((64, 96), bool)
        mask[:4, :5] = True
        mask_id = conversation.add_mask(mask, "image_1", "given", "corner")
        honest = np.array(conversation.image("image_1"))
        honest[mask] = 0
        add_edit(conversation, "image_1")
        node = conversation.version("image_2").edit
        assert node is not None
        outside, wrong, cases = _checked(conversation)
        assert outside > 0 and wrong == 1 and not cases[1]["as_its_layers"]  # that helper's edit changes everything
        other = workspace.start(boxes("red", size=(96, 64)))
        other.add_mask(mask, "image_1", "given", "corner")
        values = {field.name: getattr(node, field.name) for field in dataclasses.fields(NewEdit)}
        other.add_edit(Image.fromarray(honest), mask, NewEdit(**{**values, "mask_id": mask_id}))
        assert _checked(other)[:2] == (0, 0)


def test_what_was_lost_is_named(tmp_path: Path) -> None:
    with Workspace(tmp_path, durable=False) as workspace:
        conversation = workspace.start(boxes("red"))
        add_edit(conversation, "image_1")
        sha256 = conversation.version("image_2").sha256
        conversation.add_turn("edit", {}, [])
        path = workspace.objects.path(sha256)
    kept = [(conversation.id, "image_2", sha256), (conversation.id, "turn", 1)]
    assert _after(tmp_path, kept, thorough=True) == ([], True)
    gone, sound = _after(tmp_path, [*kept, (conversation.id, "image_3", sha256), ("other", "turn", 1)], thorough=False)
    assert gone == [f"image_3 {sha256}", "conversation other"] and sound
    path.unlink()
    assert _after(tmp_path, kept, thorough=False)[1] is False
    (tmp_path / "workspace.sqlite").write_bytes(b"no database" * 1000)
    assert _after(tmp_path, kept, thorough=False)[1] is False


def test_a_few_kills(tmp_path: Path) -> None:
    section = kill_section(4, 0)
    figures = {row.what: row.figure for row in section.rows}
    assert list(figures.values())[:2] == [0, 0]
    assert [case["kills"] for case in section.cases] == [2, 4]


@pytest.mark.slow
def test_a_short_conversation_grows_by_little() -> None:
    rows = growth_section(10).rows
    assert rows[0].passed and rows[0].figure and rows[0].figure > 100
