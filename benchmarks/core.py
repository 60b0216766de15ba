"""The editing core: UNet evaluations spent, bytes left alone, and our loop against the transcription of the paper.

A section of `main_job`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from agent.api import EditOverrides, edit_image
from benchmarks.edits import changed_outside
from benchmarks.figures import Bar, Row, Section
from benchmarks.scenes import Drawn, tracked
from benchmarks.transcription import Given, edited_latent, predictor, relative_error
from instructedit_models.crop import editable_cells, plan_crop
from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import InstructEditError, ModelUnavailableError
from instructedit_models.lexicon import with_article
from instructedit_models.miniature.language import referring
from instructedit_models.miniature.seeds import words_of
from instructedit_models.model_sets import ModelSet
from instructedit_models.types import EditOptions

__all__ = ["Parts", "evaluations_section", "loop_error", "loop_section", "load_parts"]

PAPER = EditOverrides(encoding_ratio=0.5, steps=50)
PAIRS = 6
LOOPS = 3


@dataclass(frozen=True)
class Parts:
    """What `MaskedDDIMEditor` is made of."""

    vae: Any
    text_encoder: Any
    tokenizer: Any
    unet: Any
    scheduler_config: Mapping[str, Any]


def evaluations_section(scenes: Sequence[Drawn], models: ModelSet, pairs: int = PAIRS) -> Section:
    """Edits pictures twice, at 50 steps and r = 0.5; the scenes must be ones that nothing has edited yet."""
    section = Section()
    for drawn in tracked(scenes, "pairs of edits", total=min(pairs, len(scenes))):
        if len(section.cases) == pairs:
            break
        if (pair := _pair(drawn, models)) is not None:
            section.cases.append(pair)
    for number, (name, bar) in enumerate((("first", 75), ("second", 50))):
        spent = [pair["unet_evaluations"][number] for pair in section.cases]
        section.rows.append(
            Row(
                f"UNet sample-evaluations at 50 steps, r = 0.5: {name} edit of a picture, the most",
                max(spent) if spent else None,
                Bar("<=", bar),
                len(spent),
                note=f"least {min(spent)}" if spent else "no edit was made",
            )
        )
    outside = [pair["bytes_changed_outside"] for pair in section.cases]
    total = sum(outside) if outside else None
    section.rows.append(Row("these edits: bytes changed outside their regions", total, Bar("=", 0), 2 * len(outside)))
    return section


def _pair(drawn: Drawn, models: ModelSet) -> dict[str, Any] | None:
    """Two recolours of one object; None where the scene has none that can be edited."""
    options = [
        one
        for one in referring(drawn.scene, drawn.picture, drawn.rng(41), 6, 0.0)
        if one.kind in ("attribute", "position")
    ]
    if not options:
        return None
    target, before = options[0], drawn.picture.image
    free = [colour for colour in words_of(drawn.seed).colours if colour != drawn.scene.items[target.objects[0]].colour]
    spent, outside = [], 0
    for colour in free[:2]:
        try:
            outcome = edit_image(
                drawn.image, f"make {target.phrase} {colour}", models=models, llm="offline", options=PAPER, yes=True
            )
        except ModelUnavailableError:
            raise
        except InstructEditError:
            return None
        spent.append(outcome.record["unet_evaluations"])
        outside += changed_outside(before, np.asarray(outcome.image), outcome)[0]
    phrase = target.phrase
    return {"seed": drawn.seed, "phrase": phrase, "unet_evaluations": spent, "bytes_changed_outside": outside}


def loop_section(scenes: Sequence[Drawn], models: ModelSet, cases: int = LOOPS) -> Section:
    """Our loop, float32 and through the editor's front door, against the transcription, on the set's own UNet."""
    parts = load_parts(models)
    errors = []
    for drawn in tracked(scenes[:cases], "float64 transcriptions"):
        item, mask = drawn.scene.items[-1], drawn.picture.masks[-1]
        wanted = "blue" if item.colour != "blue" else "red"
        now, then = (f"photo of {with_article(f'{colour} {item.noun}')}" for colour in (item.colour, wanted))
        options = EditOptions(encoding_ratio=0.5, steps=50, guidance_scale=models.defaults("appearance").guidance_scale)
        errors.append(loop_error(parts, drawn.image, mask, (now, then), options))
    what = "our loop against the float64 transcription: relative error, the largest"
    return Section([Row(what, max(errors), Bar("<=", 1e-4), len(errors), note=f"least {min(errors):.1e}")])


def load_parts(models: ModelSet) -> Parts:
    """The editor's components of a set that lies in folders. Raises ModelUnavailableError where some are missing."""
    missing = {status.role for status in models.status() if not status.present}
    where = {role: component.path for role, component in models.recipe.components.items()}
    wanted = ("vae", "text_encoder", "tokenizer", "unet", "scheduler")
    absent = [role for role in wanted if role in missing or where[role] is None]
    if absent:
        raise ModelUnavailableError(f"The loop cannot be checked without local weights: {', '.join(absent)}.")
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    return Parts(
        AutoencoderKL.from_pretrained(where["vae"], torch_dtype=torch.float32),
        CLIPTextModel.from_pretrained(where["text_encoder"], dtype=torch.float32),
        AutoTokenizer.from_pretrained(where["tokenizer"]),
        UNet2DConditionModel.from_pretrained(where["unet"], torch_dtype=torch.float32),
        json.loads((where["scheduler"] / "scheduler_config.json").read_text()),  # type: ignore[operator]
    )


def loop_error(
    parts: Parts, image: Image.Image, mask: np.ndarray, captions: tuple[str, str], options: EditOptions
) -> float:
    """The relative error of the final latent of an edit.

    The editor is run as it is; only its VAE is listened to, for the latent that goes in and the one that comes out.

    Args:
        parts: the components.
        image: PIL RGB.
        mask: (H, W) bool.
        captions: input and edited caption.
        options: of the edit.
    """
    heard: dict[str, torch.Tensor] = {}
    encode, decode = parts.vae.encode, parts.vae.decode

    def listen_in(pixels: torch.Tensor) -> Any:
        encoded = encode(pixels)
        heard["in"] = encoded.latent_dist.mode().clone()
        return encoded

    def listen_out(latents: torch.Tensor) -> Any:
        heard["out"] = latents.clone()
        return decode(latents)

    parts.vae.encode, parts.vae.decode = listen_in, listen_out
    try:
        editor = MaskedDDIMEditor(parts.vae, parts.text_encoder, parts.tokenizer, parts.unet, parts.scheduler_config)
        editor.edit(image, mask, *captions, options)
    finally:
        del parts.vae.encode, parts.vae.decode
    scale, shift = float(parts.vae.config.scaling_factor), float(parts.vae.config.shift_factor or 0.0)
    clean, ours = ((heard[name].double().numpy() - shift) * scale for name in ("in", "out"))
    plan = plan_crop(mask, editor.native_size, options.context, options.feather)
    cells = editable_cells(mask, plan, clean.shape[-1])
    given = Given(clean, cells, options.steps, options.encoding_ratio, options.guidance_scale)
    before, after, empty = (predictor(parts.unet, _states(parts, caption)) for caption in (*captions, ""))
    return relative_error(ours, edited_latent(given, parts.scheduler_config, before, after, empty))


@torch.no_grad()
def _states(parts: Parts, caption: str) -> torch.Tensor:
    length = parts.text_encoder.config.max_position_embeddings
    ids = parts.tokenizer(caption, padding="max_length", max_length=length, return_tensors="pt").input_ids
    return parts.text_encoder(ids).last_hidden_state
