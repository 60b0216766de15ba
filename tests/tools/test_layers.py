"""Edits as layers: what a later edit starts from, what it supersedes, and that the original's pixels never suffer."""

import numpy as np
import pytest

from instructedit_models.errors import BadParameterError
from tests.tools.calling import edit, pixels, segment
from tests.tools.tiny_models import COLOURS, boxes
from tools.context import ToolContext
from tools.layers import canvas, composed, live, stand
from tools.registry import call

BLUE, LEFT = (30, 48), (30, 16)
"""A pixel (row, column) inside the blue box, and one inside the left red box."""


def colour_at(context: ToolContext, image_id: str, where: tuple[int, int]) -> str | None:
    found = tuple(int(value) for value in pixels(context, image_id)[where])
    return next((name for name, colour in COLOURS.items() if colour == found), None)


def source_edit(context: ToolContext, prompt: str, to: str, image_id: str) -> str:
    """As `calling.edit`, from the source pixels: the mask comes from the original."""
    mask_id = segment(context, prompt, "image_1")
    return edit_in(context, mask_id, prompt, to, image_id, "source")


def edit_in(context: ToolContext, mask_id: str, prompt: str, to: str, image_id: str, base: str) -> str:
    arguments = {
        "image_id": image_id,
        "mask_id": mask_id,
        "segmentation_prompt": prompt,
        "input_caption": "photo of a blue box",
        "edited_caption": f"photo of a {to} box",
        "change": "appearance",
        "base": base,
    }
    return call(context, "edit_image", **arguments).image_id or ""


def check_all(context: ToolContext) -> None:
    """Every version is its layers over the original, and differs from its parent only inside its region."""
    conversation = context.conversation
    for version in conversation.versions():
        assert np.array_equal(np.asarray(composed(conversation, version.id)), pixels(context, version.id)), version.id
        if version.edit:
            changed = (pixels(context, version.id) != pixels(context, version.edit.parent_id)).any(axis=2)
            assert not (changed & ~conversation.region(version.edit)).any(), version.id


def test_an_edit_builds_on_the_picture_as_it_is(context: ToolContext):
    first = edit(context, "blue box", "green")
    second = edit(context, "green box", "yellow", image_id=first)
    node = context.conversation.version(second).edit
    assert node is not None and (node.base, node.supersedes, node.replaces) == ("current", (), None)
    assert [layer.image_id for layer in live(context.conversation.path(second))] == [first, second]
    check_all(context)


def test_an_edit_from_the_source_supersedes_that_place_and_keeps_the_others(context: ToolContext):
    green = edit(context, "blue box", "green")
    both = edit(context, "red box on the left", "yellow", image_id=green)
    started = canvas(context.conversation, both, context.conversation.mask(segment(context, "blue box")), "source")
    assert tuple(np.asarray(started.image)[BLUE]) == COLOURS["blue"]
    new = source_edit(context, "blue box", "purple", both)
    node = context.conversation.version(new).edit
    assert node is not None and (node.base, node.supersedes, node.parent_id) == ("source", (green,), both)
    assert (colour_at(context, new, BLUE), colour_at(context, new, LEFT)) == ("purple", "yellow")
    check_all(context)


def test_the_second_edit_of_a_place_is_the_same_as_if_it_had_been_the_first(context: ToolContext):
    alone = source_edit(context, "blue box", "purple", "image_1")
    green = edit(context, "blue box", "green")
    after = source_edit(context, "blue box", "purple", green)
    assert np.array_equal(pixels(context, alone), pixels(context, after))


def test_what_was_superseded_stays_gone(context: ToolContext):
    first = edit(context, "blue box", "green")
    second = source_edit(context, "blue box", "purple", first)
    third = source_edit(context, "blue box", "yellow", second)
    assert [layer.image_id for layer in live(context.conversation.path(third))] == [third]
    taken = call(context, "remove_edit", image_id=third).image_id or ""
    assert np.array_equal(pixels(context, taken), pixels(context, "image_1"))
    check_all(context)


def test_a_part_of_an_edited_thing_does_not_supersede_the_whole(context: ToolContext):
    green = edit(context, "blue box", "green")
    conversation = context.conversation
    part = conversation.mask(segment(context, "blue box")).copy()
    part[:, 48:] = False
    part[32:] = False
    mask_id = conversation.add_mask(part, "image_1", "given", "corner")
    new = edit_in(context, mask_id, "corner", "yellow", green, "source")
    node = conversation.version(new).edit
    assert node is not None and node.supersedes == ()
    assert [layer.image_id for layer in live(conversation.path(new))] == [green, new]
    assert colour_at(context, new, (35, 52)) == "green"
    check_all(context)


def test_an_edit_in_the_middle_is_made_again_below_the_later_ones(context: ToolContext):
    green = edit(context, "blue box", "green")
    both = edit(context, "red box on the left", "yellow", image_id=green)
    again = call(context, "adjust_edit", image_id=green, edited_caption="photo of a purple box").image_id or ""
    node = context.conversation.version(again).edit
    assert node is not None
    assert (node.parent_id, node.adjusts, node.replaces, node.supersedes) == (both, green, green, (green,))
    assert node.inversion_cached
    assert (colour_at(context, again, BLUE), colour_at(context, again, LEFT)) == ("purple", "yellow")
    assert [layer.image_id for layer in live(context.conversation.path(again))] == [again, both]
    assert context.conversation.undo() == both
    check_all(context)


def test_a_layer_over_another_stays_over_it(context: ToolContext):
    conversation = context.conversation
    green = edit(context, "blue box", "green")
    corner = conversation.mask(segment(context, "blue box")).copy()
    corner[30:] = False
    mask_id = conversation.add_mask(corner, "image_1", "given", "top")
    top = edit_in(context, mask_id, "top", "yellow", green, "current")
    again = call(context, "adjust_edit", image_id=green, edited_caption="photo of a purple box").image_id or ""
    assert (colour_at(context, again, (24, 48)), colour_at(context, again, (34, 48))) == ("yellow", "purple")
    without_top = call(context, "remove_edit", image_id=top).image_id or ""
    assert (colour_at(context, without_top, (24, 48)), colour_at(context, without_top, (34, 48))) == ("purple",) * 2
    more = call(context, "adjust_edit", image_id=again, edited_caption="photo of a red box").image_id or ""
    assert colour_at(context, more, (34, 48)) == "red"
    check_all(context)


def test_stand_of_the_last_edit_and_of_another_branch(context: ToolContext):
    conversation = context.conversation
    green = edit(context, "blue box", "green")
    first = conversation.version(green).edit
    assert first is not None and stand(conversation, first) == ("image_1", None)
    conversation.go_to("image_1")
    edit(context, "red box on the left", "yellow")
    assert stand(conversation, first) == ("image_1", None)


def test_remove_edit_keeps_the_later_ones_and_can_be_undone(context: ToolContext):
    green = edit(context, "blue box", "green")
    both = edit(context, "red box on the left", "yellow", image_id=green)
    result = call(context, "remove_edit", image_id=green)
    removed = result.image_id or ""
    assert result.text == f"{removed} is {both} without the edit of {green} ('blue box'); it is current."
    assert (colour_at(context, removed, BLUE), colour_at(context, removed, LEFT)) == ("blue", "yellow")
    node = context.conversation.version(removed).edit
    assert node is not None and node.removal and node.unet_evaluations == 0 and not node.verified
    assert f"{removed} (current): from {both}, without the edit of {green}" in call(context, "list_versions").text
    with pytest.raises(BadParameterError, match=f"does not show in {removed}; the edits that do are those of {both}"):
        call(context, "remove_edit", image_id=green)
    assert context.conversation.undo() == both
    assert context.turn.moved
    check_all(context)


def test_removing_where_nothing_was_edited(context: ToolContext):
    with pytest.raises(BadParameterError, match="no edit does"):
        call(context, "remove_edit", image_id="image_1")


def test_reapply_on_another_version(context: ToolContext):
    green = edit(context, "blue box", "green")
    context.conversation.go_to("image_1")
    yellow = edit(context, "red box on the left", "yellow")
    both = call(context, "reapply_edit", image_id=green).image_id or ""
    node, first = context.conversation.version(both).edit, context.conversation.version(green).edit
    assert node is not None and first is not None
    assert (node.parent_id, node.reapplies, node.mask_id, node.options) == (yellow, green, first.mask_id, first.options)
    assert (colour_at(context, both, BLUE), colour_at(context, both, LEFT)) == ("green", "yellow")
    with pytest.raises(BadParameterError, match=f"The edit of {green} shows in {green} already"):
        call(context, "reapply_edit", image_id=green, onto=green)
    with pytest.raises(BadParameterError, match="was not made by an edit"):
        call(context, "reapply_edit", image_id="image_1", onto=green)
    check_all(context)


def test_reapply_at_another_place_and_on_another_picture(context: ToolContext):
    conversation = context.conversation
    green = edit(context, "red box on the left", "green")
    other = call(context, "reapply_edit", image_id=green, segmentation_prompt="red box").image_id or ""
    assert colour_at(context, other, (30, 78)) == "green"
    second = conversation.add_image(boxes("blue", "red", size=(80, 60)))
    there = call(context, "reapply_edit", image_id=green).image_id or ""
    node = conversation.version(there).edit
    assert node is not None and (node.parent_id, node.reapplies) == (second, green)
    conversation.add_image(boxes("red", "red"))
    asked = call(context, "reapply_edit", image_id=green, segmentation_prompt="red box")
    assert asked.text.startswith("ambiguous:") and asked.mask_id is None
    check_all(context)


def test_twenty_edits_leave_everything_outside_their_regions_as_it_was(context: ToolContext):
    conversation = context.conversation
    union = np.zeros((64, 96), bool)
    image_id, colours = "image_1", list(COLOURS)
    generator = np.random.default_rng(0)
    for number in range(20):
        mask = np.zeros((64, 96), bool)
        top, left = generator.integers(0, 40), generator.integers(0, 70)
        mask[top : top + generator.integers(4, 20), left : left + generator.integers(4, 20)] = True
        mask_id = conversation.add_mask(mask, "image_1", "given", f"patch {number}")
        base = "source" if number % 3 == 2 else "current"
        image_id = edit_in(context, mask_id, "patch", colours[number % 5], image_id, base)
        node = conversation.version(image_id).edit
        assert node is not None
        union |= conversation.region(node)
    assert not (pixels(context, image_id) != pixels(context, "image_1"))[~union].any()
    assert (pixels(context, image_id) != pixels(context, "image_1"))[union].any()
    check_all(context)
