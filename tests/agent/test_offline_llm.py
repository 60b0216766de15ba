"""The offline chat model: which tool it calls next, from the messages alone, and that it always ends."""

import itertools

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

import prompts
from agent.events import Event
from agent.offline_llm import OfflineChatModel
from agent.plans import Plan
from agent.session import Session
from instructedit_models.errors import LLMError
from tests.tools.tiny_models import TinyModels, boxes
from tools.context import ToolSettings
from tools.registry import TOOLS
from tools.workspace import Workspace

DEFINITIONS = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object"}}}
    for name in TOOLS
]


def asked(instruction: str, image_id: str = "image_1") -> HumanMessage:
    return HumanMessage(prompts.render("turn.md", image_id=image_id, instruction=instruction))


def answer(messages: list[BaseMessage]) -> AIMessage:
    message = OfflineChatModel().bind_tools(DEFINITIONS).invoke([SystemMessage("You edit pictures."), *messages])
    assert isinstance(message, AIMessage)
    return message


def play(messages: list[BaseMessage], *results: str | ToolMessage) -> list[AIMessage]:
    """What the model says when its tool calls are answered so; errors are results that begin with "error:"."""
    said = []
    conversation = list(messages)
    for result in itertools.chain(results, [None]):
        message = answer(conversation)
        said.append(message)
        conversation.append(message)
        if result is None:
            break
        assert len(message.tool_calls) == 1, message
        failed = str(result).startswith("error:")
        conversation.append(
            ToolMessage(
                str(result).removeprefix("error:"),
                tool_call_id=message.tool_calls[0]["id"],
                status="error" if failed else "success",
            )
        )
    return said


def calls(said: list[AIMessage]) -> list[tuple[str, dict]]:
    return [(call["name"], call["args"]) for message in said for call in message.tool_calls]


FOUND = "mask_2 = r2 (chosen). Candidates: r1 = mask_1 cat 0.81 box (1, 2, 3, 4) area 12% left; r2 = mask_2 cat."
EDITED = (
    "image_2 made from image_1 inside mask_2 (encoding ratio 0.6, 75 UNet evaluations); it is current. Verified: fine."
)


def test_segments_then_edits_then_says_so():
    said = play([asked("Change the cat on the right to a tiger")], FOUND, EDITED)
    assert calls(said) == [
        ("segment", {"image_id": "image_1", "segmentation_prompt": "cat on the right"}),
        (
            "edit_image",
            {
                "image_id": "image_1",
                "mask_id": "mask_2",
                "segmentation_prompt": "cat on the right",
                "input_caption": "Photo of a cat",
                "edited_caption": "Photo of a tiger",
                "change": "shape",
            },
        ),
    ]
    assert said[-1].text == "The cat on the right: a cat is now a tiger (image_2)."
    assert said[-1].response_metadata["kind"] == "edit"


def test_says_when_the_check_did_not_pass():
    said = play([asked("make the cat blue")], FOUND, EDITED.replace("Verified", "Not verified"))
    assert "could not confirm" in said[-1].text


def test_describes_only_when_it_must_and_gives_the_reason():
    said = play([asked("make it blue")], "painting of a red car on grass", FOUND, EDITED)
    assert calls(said)[0] == (
        "describe_image",
        {"image_id": "image_1", "reason": 'the instruction says "it" and does not name what to change'},
    )
    assert calls(said)[1][1]["segmentation_prompt"] == "red car"
    assert calls(said)[2][1]["edited_caption"] == "Painting of a blue car"
    assert "describe_image" not in dict(calls(play([asked("make the car blue")], FOUND, EDITED)))


ANIMALS = (
    "mask_3 = r1, r2 (chosen). Candidates: r1 = mask_1 cat 0.81 box (1, 2, 3, 4) area 12% left; "
    "r2 = mask_2 dog 0.80 box (5, 2, 9, 4) area 10% right."
)


def test_a_fault_of_the_grammar_is_called_one(monkeypatch):
    monkeypatch.setattr("agent.offline_llm.understand_turn", lambda talk: {}["missing"])
    with pytest.raises(LLMError, match="offline language model failed.*KeyError"):
        answer([asked("make the cat red")])


def test_a_class_of_things_is_worded_with_the_nouns_that_were_found():
    said = play([asked("turn all animals into cars")], ANIMALS, FOUND, EDITED, FOUND, EDITED)
    prompts_used = [arguments["segmentation_prompt"] for _, arguments in calls(said)]
    assert prompts_used == ["all animals", "cat", "cat", "dog", "dog"]
    assert calls(said)[2][1]["input_caption"] == "Photo of a cat"
    assert calls(said)[4][1]["edited_caption"] == "Photo of a car"


def test_an_open_detector_that_finds_an_animal_is_taken_at_its_word():
    found = FOUND.replace("r2 = mask_2 cat.", "r2 = mask_2 animal 0.8 box (1, 2, 3, 4) area 12% right.")
    said = play([asked("make the animal on the right red")], found, EDITED)
    assert [name for name, _ in calls(said)] == ["segment", "edit_image"]
    assert calls(said)[1][1]["edited_caption"] == "Photo of a red animal"


def test_edits_follow_one_another_on_the_newest_picture():
    said = play(
        [asked("make the car red and turn the dog into a cat")],
        FOUND, EDITED, "mask_5 = r1 (chosen).", "image_3 made from image_2 inside mask_5. Verified: fine.",
    )  # fmt: skip
    assert [arguments["image_id"] for _, arguments in calls(said)] == ["image_1", "image_1", "image_2", "image_2"]
    assert calls(said)[3][1]["mask_id"] == "mask_5"
    assert "image_2" in said[-1].text and "image_3" in said[-1].text


def test_an_edit_that_fails_is_told_and_the_others_are_made():
    nothing = "error:There is no car in the picture; it holds a dog.\nYou may try again with other arguments."
    said = play([asked("make the car red and the dog blue")], nothing, FOUND, EDITED)
    assert said[-1].text.startswith("There is no car in the picture; it holds a dog. The dog:")
    assert "try again" not in said[-1].text


@pytest.mark.parametrize(
    "results", [("error:No cat.",), (FOUND, "error:No cat."), ("nonsense",), (FOUND, "nonsense"), ("",)]
)
def test_a_tool_error_ends_the_turn_with_its_cause(results: tuple[str, ...]):
    said = play([asked("make the cat blue")], *results)
    assert not said[-1].tool_calls and said[-1].response_metadata["kind"] == "error"
    assert said[-1].text == (results[-1].removeprefix("error:") or "the tool gave no answer")


def test_several_candidates_are_a_question():
    tied = "ambiguous: 'cat' fits 2 things equally well: r1 (cat, left), r2 (cat, right). Candidates: r1 cat; r2 cat."
    said = play([asked("make the cat blue")], tied)
    assert said[-1].text == "Which cat do you mean? 'cat' fits 2 things equally well: r1 (cat, left), r2 (cat, right)."
    assert said[-1].response_metadata["kind"] == "question"


def test_questions_are_asked_of_the_picture():
    said = play([asked("How many cats are there?", "image_4")], "two")
    assert calls(said) == [("ask_image", {"image_id": "image_4", "question": "How many cats are there?"})]
    assert (said[-1].text, said[-1].response_metadata["kind"]) == ("two", "answer")


def test_undo_and_start_over():
    assert calls(play([asked("undo the last two")], "image_1 is current again.")) == [("undo", {"steps": 2})]
    said = play([asked("start over", "image_3")], "image_1 is current again.")
    assert calls(said) == [("go_back", {"version": "original"})]


def history() -> list[BaseMessage]:
    first = play([asked("turn the cat on the right into a tiger")], FOUND, EDITED)
    turn: list[BaseMessage] = [asked("turn the cat on the right into a tiger")]
    for message, result in zip(first, (FOUND, EDITED, None), strict=True):
        turn.append(message)
        if result:
            turn.append(ToolMessage(result, tool_call_id=message.tool_calls[0]["id"]))
    return turn


def test_feedback_adjusts_the_last_edit():
    stronger = play([*history(), asked("stronger", "image_2")], "image_3 made from image_1. Verified: fine.")
    assert calls(stronger) == [("adjust_edit", {"image_id": "image_2", "encoding_ratio": 0.75})]
    weaker = play([*history(), asked("a bit less", "image_2")], "image_3 made from image_1.")
    assert calls(weaker) == [("adjust_edit", {"image_id": "image_2", "encoding_ratio": 0.5})]
    again = play([*history(), asked("try again", "image_2")], "image_3 made from image_1.")
    assert calls(again) == [("adjust_edit", {"image_id": "image_2", "seed": 2})]
    listed = "image_1: original\nimage_7 (current): from image_1, 'cat', encoding ratio 0.9, verified"
    unknown = play([asked("stronger", "image_7")], listed, "image_8 made from image_1.")
    assert calls(unknown)[1] == ("adjust_edit", {"image_id": "image_7", "encoding_ratio": 1.0})


def test_it_is_what_the_last_turn_made():
    said = play([*history(), asked("now make it white", "image_2")], EDITED.replace("image_2", "image_3"))
    (name, arguments), *others = calls(said)
    assert (name, others) == ("edit_image", [])
    assert (arguments["image_id"], arguments["mask_id"]) == ("image_2", "mask_2")
    assert arguments["segmentation_prompt"] == "tiger on the right"
    assert arguments["edited_caption"] == "Photo of a white tiger"


@pytest.mark.parametrize("instruction", ["hello", "Mach das Auto blau", "???", "paint the house"])
def test_what_it_cannot_parse_it_says_at_once(instruction: str):
    said = play([asked(instruction)])
    assert said[0].response_metadata["kind"] == "cannot_parse" and said[0].text


def test_the_same_messages_give_the_same_answer():
    first, second = (answer([asked("make the car red")]).model_dump(exclude={"id"}) for _ in range(2))
    assert first == second


def test_no_tools_no_calls():
    message = OfflineChatModel().invoke([asked("make the car red")])
    assert not message.tool_calls and "tools" in message.text


def test_structured_output():
    found = OfflineChatModel().with_structured_output(Plan).invoke([asked("make the car red")])
    assert isinstance(found, Plan) and found.edits[0].edited_caption == "Photo of a red car"


@pytest.mark.parametrize(
    "instruction",
    ["make the car red and the dog blue", "make it blue", "how many cats?", "undo", "start over", "stronger", "again"],
)
def test_it_never_loops_whatever_the_tools_answer(instruction: str):
    for result in (
        "",
        "error:",
        "error:no",
        "mask_1",
        "image_2",
        "image_2 mask_2",
        "ambiguous: two",
        "painting of nothing",
    ):
        conversation: list[BaseMessage] = [asked(instruction)]
        for _ in range(12):
            message = answer(conversation)
            if not message.tool_calls:
                break
            conversation += [message, ToolMessage(result, tool_call_id=message.tool_calls[0]["id"])]
        else:
            raise AssertionError((instruction, result))
        assert message.text.strip()


def test_a_whole_conversation_with_real_tools():
    events: list[Event] = []
    with Workspace.temporary() as workspace:
        start = workspace.start(boxes("red", "blue", "red"))
        it = Session(TinyModels(), OfflineChatModel(), start, settings=ToolSettings(), on_event=events.append)
        first = it.turn("make the blue box green")
        assert (first.kind, first.described, first.error) == ("edit", False, None)
        assert [part.edited_caption for part in first.edits] == ["Photo of a green box"]
        again = it.turn("now make it yellow")
        assert again.edits[0].segmentation_prompt == "blue box"  # another colour for the same place: in its place
        assert again.edits[0].parent_id == "image_1"
        assert again.edits[0].edited_caption == "Photo of a yellow box"
        assert it.turn("undo").kind == "undo"
        assert it.conversation.current_id == first.image_id
        tied = it.turn("make the red box purple")
        assert tied.kind == "question" and "Which red box" in tied.reply
        assert it.turn("make both red boxes purple").kind == "edit"
        missing = it.turn("make the star purple")
        assert missing.kind == "error" and missing.error is not None
        assert it.turn("hello").kind == "error"
        assert it.turn("what is this?").kind == "answer"
    assert {event.kind for event in events} >= {"called", "segmented", "edited", "moved", "reply", "question", "error"}


TIED = (
    "ambiguous: 'cat' fits 2 things equally well: r1 (cat, left), r2 (cat, right). Candidates: "
    "r1 = mask_1 cat 0.81 box (1, 2, 3, 4) area 12% left; r2 = mask_2 cat 0.80 box (5, 2, 7, 4) area 12% right."
)


def turn_of(messages: list[BaseMessage], *results: str) -> list[BaseMessage]:
    """The messages, and those that the model and the tools add to them."""
    said = play(messages, *results)
    added: list[BaseMessage] = []
    for message, result in itertools.zip_longest(said, results):
        added.append(message)
        if result is not None:
            status = "error" if result.startswith("error:") else "success"
            text = result.removeprefix("error:")
            added.append(ToolMessage(text, tool_call_id=message.tool_calls[0]["id"], status=status))
    return [*messages, *added]


def test_a_question_numbers_the_candidates_and_takes_a_number_for_an_answer():
    question = turn_of([asked("make the cat blue")], TIED)
    assert question[-1].text == "Which cat do you mean? 1: cat, left (r1); 2: cat, right (r2)."
    said = play([*question, asked("2")], EDITED)
    (name, arguments), *others = calls(said)
    assert (name, others, arguments["mask_id"]) == ("edit_image", [], "mask_2")
    assert arguments["segmentation_prompt"] == "second cat from the left"
    assert arguments["edited_caption"] == "Photo of a blue cat"


def test_several_candidates_are_joined():
    question = turn_of([asked("make the cat blue")], TIED)
    said = play([*question, asked("both")], "mask_3 = mask_1|mask_2", EDITED.replace("mask_2", "mask_3"))
    assert [name for name, _ in calls(said)] == ["combine_masks", "edit_image"]
    assert calls(said)[0][1]["expression"] == "mask_1|mask_2" and calls(said)[1][1]["mask_id"] == "mask_3"


def test_a_question_stays_open_while_the_person_asks_back():
    question = turn_of([asked("make the cat blue")], TIED)
    aside = turn_of([*question, asked("which one is bigger?")], "the left one")
    beyond = turn_of([*aside, asked("5")])
    assert "1 to 2" in beyond[-1].text
    assert calls(play([*beyond, asked("1")], EDITED))[0][1]["mask_id"] == "mask_1"
    gone = turn_of([*question, asked("never mind")])
    assert play([*gone, asked("1")])[0].response_metadata["kind"] == "cannot_parse"


def test_what_is_clear_is_done_before_the_question():
    said = play([asked("make the cat blue and the dog red")], TIED, FOUND, EDITED)
    assert [name for name, _ in calls(said)] == ["segment", "segment", "edit_image"]
    assert said[-1].text.endswith("Which cat do you mean? 1: cat, left (r1); 2: cat, right (r2).")
    assert said[-1].response_metadata["kind"] == "edit"


def test_nothing_named_and_several_things_there_is_a_question():
    things = (
        TIED.replace("'cat'", "'object'").replace("r2 = mask_2 cat", "r2 = mask_2 dog").replace("r2 (cat", "r2 (dog")
    )
    question = turn_of([asked("make it blue")], "photo of a white cat and a red dog on grass", things)
    assert question[-1].text.startswith("What do you mean? 1: cat, left (r1); 2: dog, right")
    arguments = calls(play([*question, asked("the second")], EDITED))[0][1]
    assert (arguments["mask_id"], arguments["edited_caption"]) == ("mask_2", "Photo of a blue dog")


def test_undo_takes_a_whole_instruction_back():
    second = EDITED.replace("image_2 made from image_1", "image_3 made from image_2")
    both = turn_of([asked("make the cat blue and the dog red")], FOUND, EDITED, FOUND, second)
    assert calls(play([*both, asked("undo", "image_3")], "image_1 is current again.")) == [("undo", {"steps": 2})]


def test_a_correction_is_made_on_what_the_wrong_edit_was_made_from():
    said = play([*history(), asked("no, the left one", "image_2")], FOUND, EDITED.replace("image_2", "image_3"))
    assert calls(said)[0] == ("segment", {"image_id": "image_1", "segmentation_prompt": "left cat"})
    assert calls(said)[1][1]["image_id"] == "image_1"
    assert calls(said)[1][1]["edited_caption"] == "Photo of a tiger"


def test_going_back_and_on_in_one_breath():
    move = "image_2 is current again ('cat on the right' to 'Photo of a tiger')."
    said = play([*history(), asked("go back to the tiger and make it white", "image_5")], move, EDITED)
    assert calls(said)[0] == ("go_back", {"version": "the tiger"})
    assert (calls(said)[1][0], calls(said)[1][1]["mask_id"]) == ("edit_image", "mask_2")


def test_what_was_changed_is_told_without_an_edit():
    listed = (
        "image_1: original, 96 x 64 pixels\n"
        "image_2: from image_1, 'cat' (mask_2): 'Photo of a cat' -> 'Photo of a tiger', encoding ratio 0.6, verified\n"
        "image_3 (current): from image_2, made again from image_1, 'cat' (mask_2): 'Photo of a cat' -> "
        "'Photo of a lion', encoding ratio 0.7, verified"
    )
    said = play([*history(), asked("what did we change?", "image_3")], listed)
    assert calls(said) == [("list_versions", {})]
    assert said[-1].text == "So far: image_3: cat, a cat to a lion."


def test_what_was_not_found_may_be_named_anew():
    nothing = "error:No 'dog' was found in the picture; what was found instead: cat (0.80)."
    missed = turn_of([asked("turn the dog into a horse")], nothing)
    assert "what was found instead: cat" in missed[-1].text
    said = play([*missed, asked("sorry, I meant the cat")], FOUND, EDITED)
    assert calls(said)[0] == ("segment", {"image_id": "image_1", "segmentation_prompt": "cat"})
    assert calls(said)[1][1]["edited_caption"] == "Photo of a horse"
