"""Recipe of the miniature `Sam`: masks of objects and of part instances from boxes, in whole scenes and in crops."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from segment_anything.modeling import Sam
from torch.nn import functional as F  # noqa: N812

from instructedit_models.miniature.scene import CANVAS
from instructedit_models.miniature.seen import mask_box
from instructedit_models.miniature.training.common import (
    WEIGHTS,
    parse_run,
    save_half,
    train,
    warm_start,
    write_card,
)
from instructedit_models.miniature.training.data import (
    WHOLE,
    Sample,
    around,
    cut,
    training_pool,
    validation_samples,
)
from instructedit_models.sam_model import SamConfig, build_sam
from instructedit_models.types import Box

Prompted = tuple[np.ndarray, list[Box], list[np.ndarray]]
"""An image (128, 128, 3) uint8, boxes in its pixels, and the mask (128, 128) bool that each box means."""


def _jittered(box: Box, rng: np.random.Generator, amount: float = 0.06) -> Box:
    width, height = box[2] - box[0], box[3] - box[1]
    scale = np.array([width, height, width, height])
    shifted = np.array(box) + rng.uniform(-amount, amount, 4) * scale + rng.uniform(-0.7, 0.7, 4)
    x0, y0, x1, y1 = np.clip(shifted, 0, CANVAS)
    return float(x0), float(y0), float(x1), float(y1)


def prompted(sample: Sample, rng: np.random.Generator, prompts: int = 3) -> Prompted | None:
    """A view of a scene with boxes to segment: the whole scene, or an enlarged crop around one object."""
    visible = [i for i, box in enumerate(sample.boxes) if box is not None]
    if not visible:
        return None
    pieces = sample.parts()
    if rng.random() < 0.25:
        view, masks = WHOLE, [sample.mask(i) for i in visible]
        chosen_pieces = [piece.mask for piece in pieces if rng.random() < 0.3]
    else:
        with_parts = sorted({piece.item for piece in pieces})
        main = int(rng.choice(with_parts if with_parts and rng.random() < 0.7 else visible))
        view = around(sample.boxes[main] or WHOLE, rng, 1.08, 1.6, least=24.0)
        masks = [sample.mask(main)]
        chosen_pieces = [piece.mask for piece in pieces if piece.item == main]
    options = [*masks, *chosen_pieces]
    rng.shuffle(options)
    boxes: list[Box] = []
    targets: list[np.ndarray] = []
    for mask in options:
        target = mask if view == WHOLE else cut(mask.astype(np.uint8) * 255, view, CANVAS) > 127
        if target.sum() >= 12 and len(boxes) < prompts:
            boxes.append(_jittered(mask_box(target), rng))
            targets.append(target)
    return (cut(sample.image, view, CANVAS), boxes, targets) if boxes else None


def batches(work: Path, batch: int, seed: int) -> Iterator[list[Prompted]]:
    """Endless batches of prompted views."""
    rng = np.random.default_rng([seed, 5])
    draws = training_pool(work).draws(rng)
    while True:
        chosen: list[Prompted] = []
        while len(chosen) < batch:
            if view := prompted(next(draws), rng):
                chosen.append(view)
        yield chosen


def predict(sam: Sam, views: list[Prompted]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, 1, 128, 128) and predicted IoU (N, 1) of all boxes of all views, in order.

    The decoder's masks are enlarged bilinearly, as `Sam.postprocess_masks` does.
    """
    images = torch.from_numpy(np.stack([image for image, _, _ in views])).permute(0, 3, 1, 2).float()
    embeddings = sam.image_encoder(sam.preprocess(images))
    logits, scores = [], []
    for embedding, (_, boxes, _) in zip(embeddings, views, strict=True):
        sparse, dense = sam.prompt_encoder(points=None, boxes=torch.tensor(boxes), masks=None)
        masks, score = sam.mask_decoder(
            image_embeddings=embedding[None],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        logits.append(masks)
        scores.append(score)
    enlarged = F.interpolate(torch.cat(logits).float(), (CANVAS, CANVAS), mode="bilinear", align_corners=False)
    return enlarged, torch.cat(scores).float()


def _iou(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    both = (predicted & target).sum(dim=(1, 2, 3)).float()
    return both / (predicted | target).sum(dim=(1, 2, 3)).clamp(min=1)


def _targets(views: list[Prompted]) -> torch.Tensor:
    return torch.from_numpy(np.stack([mask for _, _, masks in views for mask in masks]))[:, None]


@torch.no_grad()
def finish(sam: Sam, steps: int) -> None:
    """Measures the mean IoU on validation seeds, whole scenes and crops together, and writes the weights."""
    rng = np.random.default_rng(8)
    views = [view for sample in validation_samples(200) if (view := prompted(sample, rng))]
    values = [_iou(predict(sam, [view])[0] > 0, _targets([view])) for view in views]
    figures = {"iou_true_boxes": round(float(torch.cat(values).mean()), 4)}
    folder = WEIGHTS / "sam"
    save_half(sam, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(SamConfig().to_dict(), indent=2) + "\n")
    write_card(folder, {"recipe": "sam", "steps": steps, "train_seeds": [0, 60_000], "validation": figures})
    print("sam", figures, flush=True)


def main(argv: list[str] | None = None) -> None:
    """Trains SAM."""
    run = parse_run("sam", batch=12, learning_rate=8e-4, argv=argv)
    torch.manual_seed(0)
    sam = build_sam(SamConfig()).train()
    steps = warm_start(run, sam, WEIGHTS / "sam" / "model.safetensors")

    def loss_of(views: list[Prompted]) -> tuple[torch.Tensor, dict[str, float]]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, scores = predict(sam, views)
        target = _targets(views)
        truth = target.float()
        probability = logits.sigmoid()
        cross = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        boundary = F.max_pool2d(truth, 5, 1, 2) + F.max_pool2d(-truth, 5, 1, 2)
        cross = (cross * (0.3 + 3 * boundary)).mean()
        overlap = 2 * (probability * truth).sum(dim=(1, 2, 3)) + 1
        dice = (1 - overlap / (probability.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3)) + 1)).mean()
        iou = _iou(logits > 0, target).detach()
        return 2 * cross + dice + 0.1 * F.mse_loss(scores[:, 0], iou), {"iou": float(iou.mean())}

    train(run, sam, batches(run.work, run.batch, run.seed), loss_of, finish=finish, steps=steps)


if __name__ == "__main__":
    main()
