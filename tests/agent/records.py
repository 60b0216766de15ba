"""The JSON contract as the design has it, and parts of records for the tests."""

from agent.record import EditPart
from tools.regions import RegionRecord

CONTRACT = {
    "schema": int,
    "output": str,
    "mask": str,
    "image_size": list,
    "instruction": str,
    "segmentation_prompt": str,
    "input_caption": str,
    "edited_caption": str,
    "described": bool,
    "description": (str, type(None)),
    "why_described": (str, type(None)),
    "regions": list,
    "encoding_ratio": float,
    "steps": int,
    "guidance_scale": float,
    "seed": int,
    "unet_evaluations": int,
    "verified": bool,
    "models": str,
    "llm": str,
    "seconds": dict,
    "warnings": list,
}


def part(number: int, verified: bool = True) -> EditPart:
    region = RegionRecord(id="r1", phrase="cat", score=0.87, box=(1, 2, 3, 4), area=0.12, chosen=True, mask_id="mask_1")
    return EditPart(
        image_id=f"image_{number + 1}",
        parent_id=f"image_{number}",
        mask_id="mask_2",
        segmentation_prompt=f"cat {number}",
        input_caption="photo of a cat",
        edited_caption="photo of a tiger",
        change="shape",
        regions=(region,),
        encoding_ratio=0.5,
        steps=50,
        guidance_scale=7.5,
        seed=0,
        unet_evaluations=75,
        verified=verified,
        check="It fits.",
    )
