"""The agent against every way in which an LLM can misbehave: told once or twice, then one clear sentence."""

import json
import logging

import pytest

from agent.guard import LoopLimits
from instructedit_models.errors import LLMError, ModelUnavailableError, NothingFoundError
from tests.agent.fake_openai import Reply, Scripted, error, forever, hang, raw, text, tool_call, tool_calls
from tests.agent.scripted import edit, edit_arguments, segment, talk


def test_the_llm_sees_ids_and_never_paths_or_pixels():
    with talk([segment("blue box"), edit("blue box", "blue", "green", "mask_2"), text("Done.")]) as it:
        record = it.session.turn("make the blue box green")
        sent = json.dumps(it.fake.calls)
    assert record.kind == "edit"
    assert "image_1" in sent and "mask_2" in sent
    assert "objects/" not in sent and "sha256" not in sent and "/tmp" not in sent
    assert [tool["function"]["name"] for tool in it.fake.calls[0]["tools"]][:3] == [
        "describe_image",
        "ask_image",
        "segment",
    ]


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (error(401), "401"),
        (error(429), "429"),
        (error(500), "500"),
        (raw(b"<html>gateway</html>"), ""),
        (raw(b"{}"), ""),
        (tool_call("segment", "[1, 2]"), ""),
    ],
)
def test_http_failures_are_one_sentence(reply: Reply, sentence: str):
    with talk([reply]) as it:
        record = it.session.turn("make the blue box green")
    assert isinstance(record.error, LLMError) and record.kind == "error"
    assert sentence in str(record.error) and "\n" not in str(record.error) and len(str(record.error)) < 300
    assert it.kinds() == ["error"]


def test_a_hang_ends():
    with talk([hang(20)], timeout=0.3) as it:
        record = it.session.turn("make the blue box green")
    assert isinstance(record.error, LLMError) and "in time" in str(record.error)
    assert record.seconds["total"] < 10


def test_failing_in_the_middle_leaves_the_picture_as_it_was():
    with talk([segment("blue box"), edit("blue box", "blue", "green", "mask_2"), error(500)]) as it:
        record = it.session.turn("make the blue box green and the red ones yellow")
        assert isinstance(record.error, LLMError)
        assert (record.image_id, record.edits) == ("image_1", ())
        assert it.session.conversation.current_id == "image_1"
        assert it.session.conversation.version("image_2").edit is not None


def test_prose_is_an_answer_and_nothing_is_edited():
    with talk([text("I would love to help you with that!")]) as it:
        record = it.session.turn("make the blue box green")
    assert (record.kind, record.reply, record.image_id) == ("answer", "I would love to help you with that!", "image_1")
    assert record.error is None and not record.edits


@pytest.mark.parametrize("content", ["", "   ", "<think>what now?</think>\n"])
def test_an_empty_answer_is_an_error(content: str):
    with talk([text(content)]) as it:
        assert "empty answer" in str(it.session.turn("make the blue box green").error)


def test_an_unknown_tool_is_told_and_can_be_mended():
    paint = tool_call("paint_image", {"colour": "green"})
    with talk([paint, segment("blue box"), edit("", "blue", "green", "mask_2"), text("Done.")]) as it:
        record = it.session.turn("make the blue box green")
    assert record.kind == "edit" and record.warnings == []
    assert it.told(1).startswith("There is no tool 'paint_image'; the tools are describe_image, ask_image, segment")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (tool_call("segment", {"image_id": "image_1"}), "segmentation_prompt"),
        (tool_call("segment", {"image_id": 5, "segmentation_prompt": ["a"]}), "segmentation_prompt"),
        (tool_call("segment", "{broken json"), "JSON"),
        (tool_call("edit_image", {**edit_arguments("", "a", "b", "mask_1"), "change": "total"}), "change"),
    ],
)
def test_wrong_arguments_are_told_and_can_be_mended(wrong: Reply, told: str):
    with talk([wrong, segment("blue box"), edit("", "blue", "green", "mask_2"), text("Done.")]) as it:
        record = it.session.turn("make the blue box green")
    assert record.kind == "edit"
    assert told in it.told(1)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (tool_call("paint", {}), "no tool 'paint'"),
        (tool_call("segment", {"image_id": "image_1"}), "segment was given wrong arguments"),
        (tool_call("segment", "{broken"), "the arguments of segment are no valid JSON"),
    ],
)
def test_wrong_calls_for_ever_end(wrong: Reply, sentence: str):
    with talk([forever(wrong)]) as it:
        record = it.session.turn("make the blue box green")
    assert isinstance(record.error, LLMError)
    assert len(it.fake.calls) <= 4
    assert sentence in str(record.error) or "again and again" in str(record.error)


@pytest.mark.parametrize(
    "same",
    [
        segment("blue box"),
        segment("star"),
        edit("blue box", "blue", "green", "mask_9"),
        tool_call("list_versions", {}),
        tool_call("undo", {"steps": 1}),
    ],
)
def test_the_same_call_for_ever_ends(same: Reply):
    with talk([forever(same)]) as it:
        record = it.session.turn("make the blue box green")
    assert isinstance(record.error, LLMError) and "again and again" in str(record.error)
    assert len(it.fake.calls) == 3


def test_a_repeated_call_is_answered_from_the_first_and_not_run_again():
    with talk([segment("blue box"), segment("blue box"), text("Sorry.")]) as it:
        it.session.turn("make the blue box green")
    assert it.told(2).startswith("You made this call before; go on from its answer: mask_2 = r1 (chosen).")
    assert it.kinds().count("segmented") == 1


def test_calls_that_differ_for_ever_end():
    counter = iter(range(1000))

    def next_question(request: dict) -> Reply:
        return tool_call("ask_image", {"image_id": "image_1", "question": f"question {next(counter)}?"})

    limits = LoopLimits(tool_calls=5, model_calls=30)
    with talk([next_question] * 6, limits=limits) as it:
        assert "more than 5 tool calls" in str(it.session.turn("hm").error)
    limits = LoopLimits(tool_calls=30, model_calls=5)
    with talk([next_question] * 5, limits=limits) as it:
        assert "within 5 calls" in str(it.session.turn("hm").error)


def test_limits_are_per_turn():
    turn: list[Scripted] = [segment("blue box"), text("There it is.")]
    with talk(turn * 4, limits=LoopLimits(tool_calls=1, model_calls=2)) as it:
        assert [it.session.turn("where is it").kind for _ in range(4)] == ["answer"] * 4


def test_tool_errors_are_told_with_what_helps():
    with talk([segment("star"), segment("red star"), text("There is no star.")]) as it:
        record = it.session.turn("make the star green")
    assert it.told(1).endswith("\nYou may try again with other arguments.")
    assert isinstance(record.error, NothingFoundError) and record.reply == "There is no star."


def test_unknown_ids_are_told_and_can_be_mended():
    replies = [
        edit("blue box", "blue", "green", "mask_1"),
        segment("blue box"),
        edit("blue box", "blue", "green", "mask_2"),
        text("Done."),
    ]
    with talk(replies) as it:
        record = it.session.turn("make the blue box green")
    assert record.kind == "edit" and record.warnings == []
    assert it.told(1).startswith("There is no mask 'mask_1'; segment the picture first")


def test_a_bug_in_a_tool_is_told_briefly_and_goes_on_record(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with talk([segment("blue box"), edit("x", "blue", "green", "mask_2"), text("It failed.")]) as it:

        def broken(*args: object, **kwargs: object) -> None:
            raise RuntimeError("shape mismatch\nat layer 3")

        monkeypatch.setattr(it.session.context.models.editor, "edit", broken)
        with caplog.at_level(logging.ERROR):
            record = it.session.turn("make the blue box green")
    assert record.error is not None and record.error.kind == "internal" and record.error.exit_code == 1
    assert str(record.error) == "The tool edit_image failed unexpectedly: RuntimeError: shape mismatch at layer 3"
    assert it.told(2).endswith("Trying again will not help.")
    assert "layer 3" in caplog.text


def test_a_missing_model_ends_the_turn_at_once(monkeypatch: pytest.MonkeyPatch):
    with talk([segment("blue box")]) as it:

        def missing(*args: object, **kwargs: object) -> None:
            raise ModelUnavailableError("The segmenter's weights are missing.")

        monkeypatch.setattr(it.session.context.models.grounded, "segment", missing)
        record = it.session.turn("make the blue box green")
    assert isinstance(record.error, ModelUnavailableError)


def test_parallel_calls_run_in_order_and_two_edits_of_one_picture_are_chained():
    both = tool_calls(
        ("segment", {"image_id": "image_1", "segmentation_prompt": "blue box"}),
        ("segment", {"image_id": "image_1", "segmentation_prompt": "red box on the left"}),
    )
    edits = tool_calls(
        ("edit_image", edit_arguments("blue box", "blue", "green", "mask_2")),
        ("edit_image", edit_arguments("red box on the left", "red", "yellow", "mask_5")),
    )
    chained = edit("red box on the left", "red", "yellow", "mask_5", "image_2")
    with talk([both, edits, chained, text("Both are done.")]) as it:
        record = it.session.turn("make the blue box green and the left red one yellow")
    answers = [m["content"] for m in it.fake.calls[2]["messages"] if m["role"] == "tool"]
    assert answers[0].startswith("mask_2 = r1") and answers[1].startswith("mask_5 = r1")
    assert answers[3].endswith("call edit_image again with image_id image_2.")
    assert [(part.parent_id, part.image_id) for part in record.edits] == [
        ("image_1", "image_2"),
        ("image_2", "image_3"),
    ]


def test_valid_and_broken_calls_side_by_side():
    mixed = tool_calls(("segment", {"image_id": "image_1", "segmentation_prompt": "blue box"}), ("segment", "{oops"))
    with talk([mixed, edit("blue box", "blue", "green", "mask_2"), text("Done.")]) as it:
        record = it.session.turn("make the blue box green")
        tools_told = [m for m in it.fake.calls[1]["messages"] if m["role"] == "tool"]
    assert record.kind == "edit"
    assert len(tools_told) == 2
