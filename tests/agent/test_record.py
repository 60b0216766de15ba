"""The JSON contract: its fields, their order of magnitude and what is added for several edits."""

import json

from agent.record import EditPart, TurnRecord, error_json
from instructedit_models.errors import AmbiguousError, NothingFoundError
from tests.agent.records import CONTRACT, part


def record(*parts: EditPart, **changes: object) -> TurnRecord:
    values = {
        "kind": "edit",
        "reply": "Done.",
        "instruction": "Change the cat to a tiger",
        "start_image_id": "image_1",
        "image_id": "image_2",
        "image_size": (640, 480),
        "edits": parts,
        "unet_evaluations": 75 * len(parts),
        "models": "miniature",
        "llm": "offline",
        "seconds": {"total": 3.1},
    }
    return TurnRecord(**values | changes)  # type: ignore[arg-type]


def test_one_edit():
    data = record(part(1)).to_json("out.png", "mask.png")
    assert set(CONTRACT) <= set(data) and "edits" not in data
    for name, kind in CONTRACT.items():
        assert isinstance(data[name], kind), name
    assert data["regions"] == [
        {"id": "r1", "phrase": "cat", "score": 0.87, "box": [1.0, 2.0, 3.0, 4.0], "area": 0.12, "chosen": True}
    ]
    assert (data["schema"], data["image_size"], data["output"]) == (1, [640, 480], "out.png")
    assert json.loads(json.dumps(data)) == data


def test_several_edits():
    data = record(part(1), part(2, verified=False)).to_json()
    assert data["segmentation_prompt"] == "cat 1"
    assert [edit["segmentation_prompt"] for edit in data["edits"]] == ["cat 1", "cat 2"]
    assert data["unet_evaluations"] == 150 and data["edits"][1]["unet_evaluations"] == 75
    assert (data["verified"], data["edits"][0]["verified"]) == (False, True)
    shared = {"schema", "output", "mask", "image_size", "instruction", "models", "llm", "seconds", "warnings"}
    assert not shared & set(data["edits"][0])


def test_a_turn_of_a_conversation_has_ids_kind_and_reply():
    data = record(part(1)).to_turn_json()
    assert (data["kind"], data["reply"], data["image_id"], data["start_image_id"]) == (
        "edit",
        "Done.",
        "image_2",
        "image_1",
    )
    asked = record(kind="question", error=AmbiguousError("Two cats."), reply="Which?").to_turn_json()
    assert asked["error"] == {"kind": "ambiguous", "message": "Two cats."}
    assert asked["segmentation_prompt"] is None and asked["regions"] == [] and asked["verified"] is False
    assert json.loads(json.dumps(asked)) == asked


def test_failures():
    assert error_json(NothingFoundError("No star.")) == {
        "schema": 1,
        "error": {"kind": "nothing_found", "message": "No star."},
    }
