"""Conversations of several turns: what is remembered, what a record says, and what a failed turn leaves behind."""

import json

import numpy as np
import pytest

from agent.events import Asked, Event, Replied
from agent.outcome import judge
from agent.session import REMEMBERED_TURNS, Session, system_prompt
from instructedit_models.errors import (
    AmbiguousError,
    BadInstructionError,
    BadParameterError,
    CancelledError,
    InstructEditError,
    NothingFoundError,
    UnknownWordError,
)
from tests.agent.fake_openai import text, tool_call, tool_calls
from tests.agent.records import part
from tests.agent.scripted import edit, segment, talk
from tests.tools.tiny_models import COLOURS, TinyModels
from tools.context import ToolFailure, TurnLog

BLUE_TO_GREEN = [segment("blue box"), edit("blue box", "blue", "green", "mask_2")]


def test_a_turn_leaves_a_whole_record():
    describe = tool_call("describe_image", {"image_id": "image_1", "reason": "'it' names nothing"})
    with talk([describe, *BLUE_TO_GREEN, text("The box is green now.")]) as it:
        record = it.session.turn("make it green")
        mask, region = it.session.masks(record)
    assert (record.kind, record.reply, record.error) == ("edit", "The box is green now.", None)
    assert (record.start_image_id, record.image_id, record.image_size) == ("image_1", "image_2", (96, 64))
    assert record.described and record.why_described == "'it' names nothing"
    assert record.description == "photo of a red box and a blue box and a red box"
    assert record.unet_evaluations == 75 and record.verified and record.warnings == []
    assert {"total", "llm", "describe", "segment", "edit", "verify", "denoise"} <= set(record.seconds)
    assert record.seconds["total"] >= record.seconds["llm"] > 0
    assert it.kinds() == ["called", "described", "called", "segmented", "called", "planned", "edited", "reply"]
    assert it.events[-1] == Replied(text="The box is green now.", image_id="image_2")
    assert mask.any() and (region & mask).sum() == mask.sum() < region.sum()


def test_progress_comes_while_the_work_goes_on():
    with talk([*BLUE_TO_GREEN, text("Done.")]) as it:
        it.session.turn("make the blue box green")
        steps = [event for event in it.events if event.kind == "progress"]
    denoise = [(event.step, event.total) for event in steps if event.stage == "denoise"]  # type: ignore[attr-defined]
    assert denoise == [(i, 25) for i in range(1, 26)]
    assert [event.stage for event in steps][-1] == "verify"  # type: ignore[attr-defined]


def test_an_edit_that_is_made_again_is_one_edit_that_cost_both():
    again = tool_call("adjust_edit", {"image_id": "image_2", "encoding_ratio": 0.8})
    with talk([*BLUE_TO_GREEN, again, text("Done.")]) as it:
        record = it.session.turn("make the blue box really green")
    assert [(part.image_id, part.encoding_ratio) for part in record.edits] == [("image_3", 0.8)]
    assert record.unet_evaluations == 75 + 40 + 80
    assert record.edits[0].unet_evaluations == 120


def test_feedback_in_the_next_turn_pays_no_inversion():
    warmer = tool_call("adjust_edit", {"image_id": "image_2", "edited_caption": "photo of a yellow box"})
    with talk([*BLUE_TO_GREEN, text("Done."), warmer, text("Yellow now.")]) as it:
        it.session.turn("make the blue box green")
        record = it.session.turn("yellow instead")
    assert (record.kind, record.unet_evaluations, record.start_image_id) == ("edit", 50, "image_2")
    assert record.edits[0].parent_id == "image_1"


def test_the_llm_reads_earlier_turns_but_not_for_ever():
    turns = REMEMBERED_TURNS + 3
    with talk([text(f"answer {i}") for i in range(turns)]) as it:
        for i in range(turns):
            it.session.turn(f"question {i}")
        last = it.fake.calls[-1]["messages"]
    users = [message["content"] for message in last if message["role"] == "user"]
    assert len(users) == REMEMBERED_TURNS + 1
    assert f"question {turns - 1}" in users[-1] and "question 2" in users[0]
    assert last[0]["role"] == "system" and last[0]["content"].startswith(system_prompt())


def test_a_conversation_is_taken_up_again():
    with talk([*BLUE_TO_GREEN, text("Done."), text("You asked for green.")]) as it:
        first = it.session
        first.turn("make the blue box green")
        again = Session(TinyModels(), first._chat_model, first.conversation, llm="openai:scripted")
        record = again.turn("what did I ask for?")
        sent = [message["content"] for message in it.fake.calls[-1]["messages"]]
        kept = first.conversation.turns()
    assert (record.kind, record.image_id) == ("answer", "image_2")
    assert any(content and "make the blue box green" in content for content in sent)
    assert "image_2" in sent[-1] and "what did I ask for?" in sent[-1]
    assert [turn["kind"] for turn in kept] == ["edit", "answer"]
    assert kept[0]["edited_caption"] == "photo of a green box" and kept[0]["image_id"] == "image_2"


def test_turns_stay_small_on_disk():
    with talk([*BLUE_TO_GREEN, text("Done.")]) as it:
        it.session.turn("make the blue box green")
        rows = it.session.conversation.workspace.query("SELECT LENGTH(body) FROM messages")
        records = it.session.conversation.workspace.query("SELECT LENGTH(record) FROM turns")
    assert sum(row[0] for row in rows) < 8000 and records[0][0] < 3000


def test_undo():
    with talk([*BLUE_TO_GREEN, text("Done."), tool_call("undo", {"steps": 1}), text("Back at the original.")]) as it:
        it.session.turn("make the blue box green")
        record = it.session.turn("undo")
        assert it.session.conversation.current_id == "image_1"
    assert (record.kind, record.image_id, record.start_image_id) == ("undo", "image_1", "image_2")
    assert record.edits == ()


def test_undo_and_then_an_edit_in_one_turn():
    replies = [
        tool_call("undo", {"steps": 1}),
        edit("blue box", "blue", "yellow", "mask_2"),
        text("Yellow instead."),
    ]
    with talk([*BLUE_TO_GREEN, text("Done."), *replies]) as it:
        it.session.turn("make the blue box green")
        record = it.session.turn("no, take that back and make it yellow")
    assert (record.kind, record.image_id) == ("edit", "image_3")
    assert [part.image_id for part in record.edits] == ["image_3"]


def test_an_edit_taken_back_in_the_same_turn_is_no_edit():
    with talk([*BLUE_TO_GREEN, tool_call("undo", {}), text("I took it back.")]) as it:
        record = it.session.turn("hm")
    assert (record.kind, record.edits, record.image_id, record.unet_evaluations) == ("undo", (), "image_1", 75)


def test_an_ambiguous_instruction_is_a_question():
    with talk([segment("red box"), text("Which red box, the left or the right one?")]) as it:
        record = it.session.turn("make the red box green")
    assert record.kind == "question" and record.reply == "Which red box, the left or the right one?"
    assert isinstance(record.error, AmbiguousError) and record.error.candidates == ("r1", "r2")
    sentence = "'red box' fits 2 things equally well: r1 (red box, left), r2 (red box, right); say which"
    assert str(record.error).startswith(sentence)
    asked = it.events[-1]
    assert isinstance(asked, Asked) and (asked.text, asked.candidates) == (record.reply, ("r1", "r2"))
    assert asked.image_id == "image_1" and [region.id for region in asked.regions] == ["r1", "r2"]
    assert all(region.mask_id for region in asked.regions)


def test_with_yes_the_best_is_taken_and_the_record_says_so():
    with talk([segment("red box"), edit("red box", "red", "green", "mask_3"), text("Done.")], yes=True) as it:
        record = it.session.turn("make the red box green")
    assert record.kind == "edit"
    assert record.warnings == ["'red box' fits 2 things equally well; r1, the best, was taken."]
    assert [region.chosen for region in record.edits[0].regions] == [True, False]


def test_a_question_about_the_picture_is_answered():
    ask = tool_call("ask_image", {"image_id": "image_1", "question": "how many boxes are there?"})
    with talk([ask, text("There are 3.")]) as it:
        record = it.session.turn("how many boxes are there?")
    assert (record.kind, record.reply, record.described) == ("answer", "There are 3.", False)


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        ([segment("star"), text("There is none.")], NothingFoundError),
        ([segment("zebra"), text("What is a zebra?")], UnknownWordError),
        ([*BLUE_TO_GREEN[:1], edit("blue box", "blue", "zebra", "mask_2"), text("No.")], UnknownWordError),
        ([edit("blue box", "blue", "green", "mask_4"), text("I give up.")], BadParameterError),
    ],
)
def test_a_turn_that_edits_nothing_keeps_the_tools_own_error(replies: list, kind: type[InstructEditError]):
    with talk(replies) as it:
        record = it.session.turn("do it")
    assert record.kind == "error" and type(record.error) is kind
    assert record.image_id == "image_1" and it.kinds()[-1] == "error"


def test_some_of_several_edits_fail():
    with talk([segment("star"), *BLUE_TO_GREEN, text("The blue one is done, there is no star.")]) as it:
        record = it.session.turn("make the star red and the blue box green")
    assert record.kind == "edit" and len(record.edits) == 1 and record.error is None
    assert len(record.warnings) == 1 and "'star'" in record.warnings[0]


def test_one_of_several_edits_is_ambiguous():
    with talk([segment("red box"), segment("blue box"), edit("", "blue", "green", "mask_4"), text("Half.")]) as it:
        record = it.session.turn("make the red box blue and the blue box green")
    assert record.kind == "edit"
    assert record.warnings[0].startswith("Not done: 'red box' fits 2 things equally well")


@pytest.mark.parametrize(
    "settled",
    [
        [edit("red box", "red", "green", "mask_2")],
        [segment("red box on the right"), edit("red box on the right", "red", "green", "mask_5")],
    ],
)
def test_an_agent_that_decides_by_itself_is_reported(settled: list):
    with talk([segment("red box"), *settled, text("I took the right one.")]) as it:
        record = it.session.turn("make the red box green")
    assert record.kind == "edit"
    assert len(record.warnings) == 1 and record.warnings[0].endswith("r2 (red box, right); the agent took r2.")


def test_all_of_several_edits_fail():
    both = tool_calls(
        ("segment", {"image_id": "image_1", "segmentation_prompt": "star"}),
        ("segment", {"image_id": "image_1", "segmentation_prompt": "zebra"}),
    )
    with talk([both, text("Neither.")]) as it:
        error = it.session.turn("make the star and the zebra red").error
    assert isinstance(error, NothingFoundError)
    assert "star" in str(error) and "zebra" in str(error)


def test_an_edit_that_fails_its_check_is_reported():
    with talk([segment("blue box"), edit("blue box", "blue", "big", "mask_2"), text("Done.")]) as it:
        record = it.session.turn("make the blue box big")
    assert record.kind == "edit" and not record.verified
    assert record.warnings == [f"The edit of 'blue box' could not be verified: {record.edits[0].check}"]


def test_several_edits_are_united():
    replies = [
        segment("blue box"),
        edit("blue box", "blue", "green", "mask_2"),
        segment("red box on the left", "image_2"),
        edit("red box on the left", "red", "yellow", "mask_5", "image_2"),
        text("Both done."),
    ]
    with talk(replies) as it:
        conversation = it.session.conversation
        before = np.asarray(conversation.image("image_1"))
        record = it.session.turn("make the blue box green and the left red one yellow")
        after = np.asarray(conversation.image(record.image_id))
        mask, region = it.session.masks(record)
        assert np.array_equal(mask, conversation.mask("mask_2") | conversation.mask("mask_5"))
    assert np.array_equal(before[~region], after[~region])
    assert (after == COLOURS["green"]).all(axis=2).any() and (after == COLOURS["yellow"]).all(axis=2).any()
    assert record.unet_evaluations == 150


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [("", "empty"), (" \n\t", "empty"), ("make it blue " * 10_000, "characters")],
)
def test_instructions_that_cannot_be_read_reach_no_llm(instruction: str, reason: str):
    with talk([]) as it:
        record = it.session.turn(instruction)
        kept = json.dumps(it.session.conversation.turns())
    assert isinstance(record.error, BadInstructionError) and reason in str(record.error)
    assert len(kept) < 5000


def test_cancelling_ends_the_turn_and_the_next_one_works():
    with talk([*BLUE_TO_GREEN, *BLUE_TO_GREEN, text("Done.")]) as it:

        def stop(event: Event) -> None:
            if event.kind == "progress" and getattr(event, "stage", "") == "denoise":
                raise CancelledError("Stopped; nothing was written.")

        emit, it.session.context.emit = it.session.context.emit, stop
        record = it.session.turn("make the blue box green")
        assert isinstance(record.error, CancelledError) and record.image_id == "image_1"
        it.session.context.emit = emit
        assert it.session.turn("make the blue box green").kind == "edit"
        users = [m for m in it.fake.calls[-1]["messages"] if m["role"] == "user"]
    assert len(users) == 1, "a turn that was cut off is not told to the LLM"


def test_an_interrupt_leaves_the_conversation_consistent():
    with talk([*BLUE_TO_GREEN]) as it:

        def interrupt(event: Event) -> None:
            if event.kind == "edited":
                raise KeyboardInterrupt

        it.session.context.emit = interrupt
        with pytest.raises(KeyboardInterrupt):
            it.session.turn("make the blue box green")
        assert it.session.conversation.current_id == "image_1"


# --- judging, without any LLM


@pytest.mark.parametrize(
    ("reply", "claimed", "llm", "kind", "error"),
    [
        ("Here you are.", None, "openai:x", "answer", None),
        ("Which one?", None, "openai:x", "question", None),
        ("What colour", "question", "offline", "question", None),
        ("Three.", "answer", "offline", "answer", None),
        ("I do not understand 'frob'.", "cannot_parse", "offline", "error", BadInstructionError),
        ("I do not understand 'frob'.", None, "offline", "error", BadInstructionError),
    ],
)
def test_what_only_words_amount_to(reply: str, claimed: str | None, llm: str, kind: str, error: type | None):
    outcome = judge(TurnLog(), [], reply, claimed, llm)
    assert outcome.kind == kind and outcome.reply == reply
    assert (type(outcome.error) if outcome.error else None) is error


def test_what_the_offline_llm_could_not_do_was_not_done():
    log = TurnLog()
    log.failures.append(ToolFailure("segment", {}, NothingFoundError("No star.")))
    assert judge(log, [part(1)], "Half.", "edit", "offline").warnings == ("Not done: No star.",)
    assert judge(log, [part(1)], "Half.", None, "openai:x").warnings == ("No star.",)


def test_the_llms_slips_hide_no_real_error():
    log = TurnLog()
    log.failures.append(ToolFailure("segment", {}, NothingFoundError("No star.")))
    log.failures.append(ToolFailure("edit_image", {}, BadParameterError("There is no mask 'mask_1'.")))
    assert str(judge(log, [], "Sorry.", None, "openai:x").error) == "No star."
