"""Regions as data: what the record, the events and the workspace keep of a candidate, without its pixels."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from instructedit_models.types import Box, Region

__all__ = ["RegionRecord", "place", "region_line", "region_records"]


class RegionRecord(BaseModel):
    """One candidate of a segmentation.

    Attributes:
        id: "r1", "r2" … left to right, unique within one segmentation.
        phrase: the phrase it answers.
        score: the detector's confidence, 0 to 1.
        box: x0, y0, x1, y1 in pixels of the picture, x1 and y1 exclusive.
        area: the mask's share of the picture, 0 to 1.
        chosen: whether the mask in question holds this region.
        mask_id: the mask that holds this region alone.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    phrase: str
    score: float
    box: Box
    area: float
    chosen: bool
    mask_id: str | None = None


def region_records(regions: Sequence[Region], mask_ids: Sequence[str | None]) -> tuple[RegionRecord, ...]:
    """Records of regions, rounded for reading: boxes to 0.1 pixels, scores and areas to 4 digits."""
    return tuple(
        RegionRecord(
            id=region.id,
            phrase=region.phrase,
            score=round(float(region.score), 4),
            box=_rounded(region.box),
            area=round(region.area, 4),
            chosen=region.chosen,
            mask_id=mask_id,
        )
        for region, mask_id in zip(regions, mask_ids, strict=True)
    )


def place(box: Sequence[float], size: tuple[int, int]) -> str:
    """Where a box lies in a picture of (width, height) pixels, in words: "top left", "centre", "right"."""
    column = ("left", "", "right")[_third((box[0] + box[2]) / 2, size[0])]
    row = ("top", "", "bottom")[_third((box[1] + box[3]) / 2, size[1])]
    return f"{row} {column}".strip() or "centre"


def region_line(region: RegionRecord, size: tuple[int, int]) -> str:
    """One candidate as the LLM reads it."""
    x0, y0, x1, y1 = (round(side) for side in region.box)
    mask = f" = {region.mask_id}" if region.mask_id else ""
    return (
        f"{region.id}{mask} {region.phrase} {region.score:.2f} box ({x0}, {y0}, {x1}, {y1}) "
        f"area {region.area * 100:.0f}% {place(region.box, size)}"
    )


def _rounded(box: Box) -> Box:
    x0, y0, x1, y1 = (round(float(side), 1) for side in box)
    return x0, y0, x1, y1


def _third(position: float, extent: int) -> int:
    return min(2, max(0, int(3 * position / extent)))
