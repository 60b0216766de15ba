"""Recipe of the miniature `Sam`: masks of objects and of part instances, in whole scenes and in crops.

It is asked by boxes, by clicks, and by rough masks with the clicks that correct them, as the product asks it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from segment_anything.modeling import Sam
from torch.nn import functional as F  # noqa: N812

from instructedit_models.miniature.scene import CANVAS
from instructedit_models.miniature.seen import mask_box
from instructedit_models.miniature.training.clicks import Asked, Clicks, as_logits, clicked, corrected, roughened
from instructedit_models.miniature.training.common import (
    WEIGHTS,
    mixed_precision,
    parse_run,
    save_half,
    train,
    warm_start,
    write_card,
)
from instructedit_models.miniature.training.data import (
    TRAINED_SEEDS,
    WHOLE,
    Sample,
    around,
    cut,
    sampled,
    validation_samples,
)
from instructedit_models.sam_model import SamConfig, build_sam
from instructedit_models.types import Box

SHARES: dict[Asked, float] = {"box": 0.6, "clicks": 0.2, "correction": 0.2}
"""How often each way of asking is trained."""

MOST_CLICKS = 3
_ROUGH_SIDE = 4 * SamConfig().image_size // SamConfig().patch_size


@dataclass(frozen=True)
class Prompted:
    """A view of a scene and what is asked of it.

    Attributes:
        image: (128, 128, 3) uint8.
        targets: the masks that are meant, (128, 128) bool each.
        boxes: theirs, in pixels; empty where it is asked in another way.
        clicks: for each mask; equally many.
        rough: for each mask, (1, 64, 64) float32 logits.
    """

    image: np.ndarray
    targets: list[np.ndarray]
    boxes: list[Box] = field(default_factory=list)
    clicks: list[Clicks] = field(default_factory=list)
    rough: list[np.ndarray] = field(default_factory=list)

    @property
    def several(self) -> bool:
        """Whether SAM proposes three masks for each: one click alone may mean the whole or a part."""
        return bool(self.clicks) and not self.rough and len(self.clicks[0].inside) == 1


def _jittered(box: Box, rng: np.random.Generator, amount: float = 0.06) -> Box:
    width, height = box[2] - box[0], box[3] - box[1]
    scale = np.array([width, height, width, height])
    shifted = np.array(box) + rng.uniform(-amount, amount, 4) * scale + rng.uniform(-0.7, 0.7, 4)
    x0, y0, x1, y1 = np.clip(shifted, 0, CANVAS)
    return float(x0), float(y0), float(x1), float(y1)


def prompted(sample: Sample, rng: np.random.Generator, prompts: int = 3, asked: Asked | None = None) -> Prompted | None:
    """A view of a scene with something to segment: the whole scene, or an enlarged crop around one object.

    Args:
        sample: the scene.
        rng: random draws.
        prompts: masks at most.
        asked: how; at random where it is None.
    """
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
    seen = (mask if view == WHOLE else cut(mask.astype(np.uint8) * 255, view, CANVAS) > 127 for mask in options)
    targets = [target for target in seen if target.sum() >= 12][:prompts]
    if not targets:
        return None
    way = asked or str(rng.choice(list(SHARES), p=list(SHARES.values())))
    return _asked_for(cut(sample.image, view, CANVAS), targets, way, rng)


def _asked_for(image: np.ndarray, targets: list[np.ndarray], way: str, rng: np.random.Generator) -> Prompted:
    if way == "box":
        return Prompted(image, targets, boxes=[_jittered(mask_box(target), rng) for target in targets])
    count = 1 if rng.random() < 0.5 else int(rng.integers(2, MOST_CLICKS + 1))
    if way == "clicks":
        return Prompted(image, targets, clicks=[clicked(target, count, rng) for target in targets])
    others = [*targets[1:], targets[0]] if len(targets) > 1 else [None]
    rough = [roughened(target, other, rng) for target, other in zip(targets, others, strict=True)]
    return Prompted(
        image,
        targets,
        clicks=[corrected(target, mask, count, rng) for target, mask in zip(targets, rough, strict=True)],
        rough=[as_logits(mask, _ROUGH_SIDE, rng) for mask in rough],
    )


def batches(work: Path, batch: int, seed: int) -> Iterator[list[Prompted]]:
    """Endless batches of prompted views."""
    return sampled(work, batch, np.random.default_rng([seed, 5]), prompted)


def predict(sam: Sam, views: list[Prompted]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, 3, 128, 128) and predicted IoU (N, 3) of all masks of all views, in order.

    Where SAM gives one mask it stands there three times. The decoder's masks are enlarged bilinearly, as
    `Sam.postprocess_masks` does.
    """
    images = torch.from_numpy(np.stack([view.image for view in views])).permute(0, 3, 1, 2).float()
    embeddings = sam.image_encoder(sam.preprocess(images))
    logits, scores = [], []
    for embedding, view in zip(embeddings, views, strict=True):
        points = None
        if view.clicks:
            placed = torch.from_numpy(np.stack([clicks.points for clicks in view.clicks]))
            points = placed, torch.from_numpy(np.stack([clicks.inside for clicks in view.clicks]))
        sparse, dense = sam.prompt_encoder(
            points=points,
            boxes=torch.tensor(view.boxes) if view.boxes else None,
            masks=torch.from_numpy(np.stack(view.rough)) if view.rough else None,
        )
        masks, score = sam.mask_decoder(
            image_embeddings=embedding[None],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=view.several,
        )
        logits.append(masks.expand(-1, 3, -1, -1))
        scores.append(score.expand(-1, 3))
    enlarged = F.interpolate(torch.cat(logits).float(), (CANVAS, CANVAS), mode="bilinear", align_corners=False)
    return enlarged, torch.cat(scores).float()


def _iou(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    both = (predicted & target).sum(dim=(2, 3)).float()
    return both / (predicted | target).sum(dim=(2, 3)).clamp(min=1)


def _targets(views: list[Prompted]) -> torch.Tensor:
    return torch.from_numpy(np.stack([mask for view in views for mask in view.targets]))[:, None]


@torch.no_grad()
def validated(sam: Sam, asked: Asked, count: int = 200) -> float:
    """Mean IoU of the masks that SAM itself rates best, on validation seeds, whole scenes and crops together."""
    rng, values = np.random.default_rng(8), []
    for sample in validation_samples(count):
        if view := prompted(sample, rng, asked=asked):
            logits, scores = predict(sam, [view])
            overlap = _iou(logits > 0, _targets([view]))
            values.append(overlap.gather(1, scores.argmax(dim=1, keepdim=True)))
    return round(float(torch.cat(values).mean()), 4)


def finish(sam: Sam, steps: int) -> None:
    """Measures the mean IoU of each way of asking and writes the weights."""
    figures = {
        "iou_true_boxes": validated(sam, "box"),
        "iou_clicks": validated(sam, "clicks"),
        "iou_corrected": validated(sam, "correction"),
    }
    folder = WEIGHTS / "sam"
    save_half(sam, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(SamConfig().to_dict(), indent=2) + "\n")
    write_card(folder, {"recipe": "sam", "steps": steps, "train_seeds": TRAINED_SEEDS, "validation": figures})
    print("sam", figures, flush=True)


def mask_loss(logits: torch.Tensor, scores: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy (borders count for more), dice and the error of the predicted IoU; of three masks the best counts.

    Args:
        logits: (N, 3, H, W).
        scores: predicted IoU, (N, 3).
        target: (N, 1, H, W) bool.

    Returns:
        The loss, and the IoU of the best masks, (N,).
    """
    truth = target.float()
    probability = logits.sigmoid()
    cross = F.binary_cross_entropy_with_logits(logits, truth.expand_as(logits), reduction="none")
    boundary = F.max_pool2d(truth, 5, 1, 2) + F.max_pool2d(-truth, 5, 1, 2)
    cross = (cross * (0.3 + 3 * boundary)).mean(dim=(2, 3))
    overlap = 2 * (probability * truth).sum(dim=(2, 3)) + 1
    dice = 1 - overlap / (probability.sum(dim=(2, 3)) + truth.sum(dim=(2, 3)) + 1)
    iou = _iou(logits > 0, target).detach()
    best = (2 * cross + dice).min(dim=1).values.mean()
    return best + 0.1 * F.mse_loss(scores, iou), iou.max(dim=1).values


def main(argv: list[str] | None = None) -> None:
    """Trains SAM."""
    run = parse_run("sam", batch=12, learning_rate=8e-4, argv=argv)
    torch.manual_seed(0)
    sam = build_sam(SamConfig()).train()
    steps = warm_start(run, sam, WEIGHTS / "sam" / "model.safetensors")

    def loss_of(views: list[Prompted]) -> tuple[torch.Tensor, dict[str, float]]:
        with mixed_precision():
            logits, scores = predict(sam, views)
        loss, iou = mask_loss(logits, scores, _targets(views))
        return loss, {"iou": float(iou.mean())}

    train(run, sam, batches(run.work, run.batch, run.seed), loss_of, finish=finish, steps=steps)


if __name__ == "__main__":
    main()
