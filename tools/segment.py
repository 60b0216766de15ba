"""Tool `segment`: every candidate for a segmentation prompt, each with a mask of its own (Grounding DINO, then SAM)."""

from dataclasses import replace

from pydantic import Field

from instructedit_models.errors import AmbiguousError, BadParameterError
from instructedit_models.types import Progress, Region
from tools import own_masks, telling_apart
from tools.base import Arguments, Tool
from tools.context import Ambiguity, ToolContext, ToolResult
from tools.events import Segmented
from tools.regions import RegionRecord, place, region_line, region_records

__all__ = ["Segment", "SegmentArguments"]


class SegmentArguments(Arguments):
    """Which picture and what to look for."""

    image_id: str = Field(description="The picture, e.g. image_1.")
    segmentation_prompt: str = Field(
        description="A noun phrase with what tells it from others, e.g. 'cat on the right', 'roof of the house'."
    )


class Segment(Tool[SegmentArguments]):
    """Finds and masks what a phrase means."""

    name = "segment"
    description = (
        "Finds what a phrase means in the picture. Returns one mask id for what the phrase means, and all candidates "
        "with a mask id each; begins with 'ambiguous:' where several fit equally well."
    )
    arguments = SegmentArguments

    def run(self, context: ToolContext, arguments: SegmentArguments) -> ToolResult:
        """The candidates.

        Raises:
            BadParameterError: the prompt is empty.
            NothingFoundError: nothing in the picture answers the prompt.
            UnknownWordError: the detector knows none of its words.
            BadMaskError: nothing is left of the mask after the rules that the person fixed.
        """
        image_id, prompt = arguments.image_id, arguments.segmentation_prompt.strip()
        if not prompt:
            raise BadParameterError("The segmentation prompt is empty; name what to look for.")
        if (given := own_masks.stand_in(context, image_id, prompt)) is not None:
            return given
        conversation = context.conversation
        size = conversation.version(image_id).size
        with context.turn.timed("segment"):
            grounding = telling_apart.ground(context, image_id, prompt)
        context.progress(Progress("segment", 1, 1))
        grounding = own_masks.settled(context, grounding)

        tied = tuple(grounding.ambiguous)
        ask = bool(tied) and not context.settings.assume_yes
        masks: list[str | None] = [
            conversation.add_mask(region.mask, image_id, "region", prompt, _alone(region))
            for region in grounding.regions
        ]
        regions = region_records(grounding.regions, masks)
        mask_id = None
        if not ask:
            mask = own_masks.finished(context, grounding.mask)
            mask_id = conversation.add_mask(mask, image_id, "segment", prompt, regions, grounding.note)
        context.emit(
            Segmented(
                image_id=image_id, prompt=prompt, mask_id=mask_id, regions=regions, ambiguous=tied, note=grounding.note
            )
        )

        candidates = "Candidates: " + "; ".join(region_line(region, size) for region in regions) + "."
        if ask:
            sentence = f"'{prompt}' fits {len(tied)} things equally well: {_named(regions, tied, size)}."
            error = AmbiguousError(f"{sentence[:-1]}; say which one is meant, or let the best be taken (--yes).", tied)
            context.turn.ambiguities.append(Ambiguity(error, tuple(r for r in regions if r.id in tied)))
            return ToolResult(f"ambiguous: {sentence} {candidates}", image_id=image_id)
        chosen = ", ".join(region.id for region in regions if region.chosen) or "all of it"
        parts = [f"{mask_id} = {chosen} (chosen).", candidates]
        if tied:
            note = f"'{prompt}' fits {len(tied)} things equally well; {chosen}, the best, was taken."
            context.warn(note)
            parts.append(note)
        if grounding.note:
            parts.append(f"Note: {grounding.note}")
        return ToolResult(" ".join(parts), image_id=image_id, mask_id=mask_id)


def _alone(region: Region) -> tuple[RegionRecord, ...]:
    return region_records([replace(region, chosen=True)], [None])


def _named(regions: tuple[RegionRecord, ...], ids: tuple[str, ...], size: tuple[int, int]) -> str:
    tied = (region for region in regions if region.id in ids)
    return ", ".join(f"{region.id} ({region.phrase}, {place(region.box, size)})" for region in tied)
