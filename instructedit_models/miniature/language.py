"""Everything the picture world says about a scene, by one name: captions and referring expressions.

Training and the tests import from here; the work is done in `captions` and `referring`.
"""

from instructedit_models.miniature.captions import (
    Detail,
    background_caption,
    caption,
    crop_caption,
    full_description,
    full_listing,
    noun_phrase,
    part_caption,
    scene_captions,
)
from instructedit_models.miniature.referring import Referring, referring

__all__ = [
    "Detail",
    "Referring",
    "background_caption",
    "caption",
    "crop_caption",
    "full_description",
    "full_listing",
    "noun_phrase",
    "part_caption",
    "referring",
    "scene_captions",
]
