"""Recipe of the miniature `GroundingDinoForObjectDetection`: boxes of everything that a phrase names.

transformers' own loss leaves the two-stage proposals untrained (their boxes and features are detached there), so
that a model trained from nothing would never propose a box: here every encoder token is trained densely. The decoder
may answer a box with several queries too (one-to-one matching learns far too slowly here), and the detector drops
the doubles. The queries start at the best tokens, and most of these lie on one large thing: with 16 of them a second
small thing of the same noun often got none, and with 32 a small one beside three large ones. There are 64; their
embeddings are the 16 first trained, four times. (With 96 the right thing was chosen less often: pieces came up.)
The backbone comes from the `backbone` recipe, trained on dense labels (the original's comes from ImageNet), and is
trained along, as the original's is.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F  # noqa: N812
from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection
from transformers.loss.loss_for_object_detection import generalized_box_iou
from transformers.models.grounding_dino.modeling_grounding_dino import build_label_maps, build_text_mask

from instructedit_models.miniature.scene import CANVAS
from instructedit_models.miniature.tokenizers import grounding_dino_tokenizer
from instructedit_models.miniature.training.assignment import STRIDES, assigned_loss, corners, near_middle, overlapping
from instructedit_models.miniature.training.common import (
    WEIGHTS,
    mixed_precision,
    parse_run,
    save_half,
    train,
    warm_start,
    write_card,
)
from instructedit_models.miniature.training.data import TRAINED_SEEDS, Sample, sampled, validation_samples
from instructedit_models.miniature.training.deformable import by_cells
from instructedit_models.miniature.training.dense_labels import DenseHeads, dense_loss, labels, stacked
from instructedit_models.miniature.training.grounding_examples import Example, example
from instructedit_models.miniature.training.vae import to_tensor

TOKENS = 32


def build() -> GroundingDinoForObjectDetection:
    """The untrained model: ResNet features at strides 8, 16 and 32, two encoder and two decoder layers."""
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "resnet",
            "layer_type": "basic",
            "embedding_size": 32,
            "hidden_sizes": [32, 96, 192],
            "depths": [1, 2, 2],
            "out_features": ["stage2", "stage3"],
        },
        text_config={
            "model_type": "bert",
            "vocab_size": 1040,
            "hidden_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 256,
            "max_position_embeddings": 64,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        d_model=96,
        num_queries=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=256,
        decoder_ffn_dim=256,
        num_feature_levels=len(STRIDES),
        max_text_len=TOKENS,
        dropout=0.0,
        fusion_droppath=0.0,
        auxiliary_loss=True,
    )
    model = GroundingDinoForObjectDetection(config)
    # transformers means to leave a ResNet's later stages free, but looks for other names than they have, so that all of
    # it would stay as it is: what the backbone never saw could not be learned.
    return model.requires_grad_(True)


def batches(work: Path, batch: int, seed: int) -> Iterator[tuple[list[Example], dict[str, torch.Tensor]]]:
    """Endless batches of examples, with the dense labels of their views."""

    def labelled(sample: Sample, rng: np.random.Generator) -> tuple[Example, dict[str, np.ndarray]] | None:
        found = example(sample, rng)
        return None if found is None else (found, labels(sample, found.view))

    for chosen in sampled(work, batch, np.random.default_rng([seed, 7]), labelled):
        yield [one for one, _ in chosen], stacked([dense for _, dense in chosen])


def finish(model: GroundingDinoForObjectDetection, steps: int) -> None:
    """Measures recall and precision at IoU 0.5 and a score of 0.3 on validation seeds, then writes the weights."""
    rng, tokenizer = np.random.default_rng(8), grounding_dino_tokenizer()
    hit = wanted = given = 0
    with torch.no_grad():
        for sample in validation_samples(200):
            if not (one := example(sample, rng)):
                continue
            ids = tokenizer(one.prompt, return_tensors="pt")
            out = model(pixel_values=to_tensor(one.image[None]), **_text(ids))
            maps = build_label_maps(out.logits, ids.input_ids)[0].float()
            scores = out.logits[0].sigmoid().nan_to_num(0).clamp(min=1e-6).log() @ maps.T / maps.sum(1)
            best = scores.exp().max(dim=1)
            for phrase in range(len(maps)):
                mine = corners(out.pred_boxes[0])[(best.values > 0.3) & (best.indices == phrase)]
                truth = corners(torch.from_numpy(one.boxes[one.phrases == phrase]))
                given, wanted = given + len(mine), wanted + len(truth)
                if len(mine) and len(truth):
                    hit += int((generalized_box_iou(truth, mine).max(dim=1).values > 0.5).sum())
    figures = {"recall": round(hit / wanted, 3), "boxes_given": given, "boxes_wanted": wanted}
    folder = WEIGHTS / "grounding_dino"
    save_half(model, folder / "model.safetensors")
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor = {
        "image_processor_type": "GroundingDinoImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": CANVAS, "longest_edge": CANVAS},
        "do_normalize": True,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
    write_card(
        folder, {"recipe": "grounding_dino", "steps": steps, "train_seeds": TRAINED_SEEDS, "validation": figures}
    )
    print("grounding_dino", figures, flush=True)


class WithDenseHeads(nn.Module):
    """Grounding DINO and, while it is trained, heads for dense labels on its backbone, and words matched with cells.

    Attributes:
        features: the backbone's maps at strides 8 and 16 in the last forward pass.
        projected: these as the encoder gets them, (B, d, h, w) each.
        words: the text's features as the encoder gets them, (B, L, d).
    """

    def __init__(self, model: GroundingDinoForObjectDetection) -> None:
        super().__init__()
        self.model = model
        backbone = model.model.backbone.conv_encoder.model
        self.heads = DenseHeads(backbone.channels)
        self.bias, self.scale = nn.Parameter(torch.tensor(-2.0)), nn.Parameter(torch.tensor(0.0))
        self.features: tuple[torch.Tensor, ...] = ()
        self.projected: list[torch.Tensor] = [torch.empty(0)] * 2
        self.words = torch.empty(0)
        backbone.register_forward_hook(lambda _module, _given, out: setattr(self, "features", tuple(out.feature_maps)))
        model.model.text_projection.register_forward_hook(lambda _module, _given, out: setattr(self, "words", out))
        for level in range(2):
            model.model.input_proj_vision[level].register_forward_hook(partial(self._keep, level))

    def _keep(self, level: int, _module: nn.Module, _given: object, out: torch.Tensor) -> None:
        self.projected[level] = out

    def words_loss(
        self, cells: list[np.ndarray], label_maps: tuple[torch.Tensor, ...], text_mask: torch.Tensor
    ) -> torch.Tensor:
        """Matches each word with the cells that show what it names, before any fusion: a shortcut to what words mean.

        Args:
            cells: per image (phrases, 16, 16) bool.
            label_maps: per image (phrases, L) of 0 and 1.
            text_mask: (B, L) bool, the words.
        """
        words, length = self.words.float(), self.words.shape[1]
        wanted = torch.stack(
            [
                torch.einsum("phw,pl->lhw", torch.from_numpy(cell).float(), maps[:, :length].float())
                for cell, maps in zip(cells, label_maps, strict=True)
            ]
        )
        losses = []
        for maps in self.projected:
            target = F.adaptive_max_pool2d(wanted, maps.shape[-2:]) if maps.shape[-1] < wanted.shape[-1] else wanted
            logits = torch.einsum("bdhw,bld->blhw", maps.float(), words) / words.shape[-1] ** 0.5
            logits = logits * self.scale.exp() + self.bias
            each = F.binary_cross_entropy_with_logits(logits, target, reduction="none", pos_weight=torch.tensor(4.0))
            losses.append(each[text_mask[:, :length]].mean())
        return torch.stack(losses).sum()


def _text(ids: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        "input_ids": ids["input_ids"],
        "attention_mask": ids["attention_mask"],
        "token_type_ids": torch.zeros_like(ids["input_ids"]),
    }


def main(argv: list[str] | None = None) -> None:
    """Trains Grounding DINO."""
    run = parse_run("grounding_dino", batch=32, learning_rate=6e-4, argv=argv)
    torch.manual_seed(0)
    model, tokenizer = build().train(), grounding_dino_tokenizer()
    backbone = run.work / "backbone.safetensors"
    if backbone.exists():
        model.model.backbone.conv_encoder.model.load_state_dict(load_file(backbone))
    steps = warm_start(run, model, WEIGHTS / "grounding_dino" / "model.safetensors")
    model.loss_function = _decoder_loss
    by_cells(model)
    model.model.backbone.to(memory_format=torch.channels_last)
    trained = WithDenseHeads(model)

    def loss_of(batch: tuple[list[Example], dict[str, torch.Tensor]]) -> tuple[torch.Tensor, dict[str, float]]:
        examples, places = batch
        ids = tokenizer([one.prompt for one in examples], padding=True, return_tensors="pt")
        images = to_tensor(np.stack([one.image for one in examples]))
        boxes = [
            {"boxes": torch.from_numpy(one.boxes), "class_labels": torch.from_numpy(one.phrases)} for one in examples
        ]
        with mixed_precision():
            out = model(pixel_values=images, labels=boxes, **_text(ids))
            seen = trained.heads(*trained.features)
        places_loss, places_log = dense_loss(seen, places)
        maps, mask = build_label_maps(out.logits, ids.input_ids), build_text_mask(out.logits, ids.attention_mask)[:, 0]
        words = trained.words_loss([one.cells for one in examples], maps, mask)
        dense = assigned_loss(
            out.enc_outputs_class.float().nan_to_num(neginf=-50.0),
            out.enc_outputs_coord_logits.float().sigmoid(),
            boxes,
            maps,
            mask,
            near_middle,
        )
        log = {"dense": float(dense.detach()), "words": float(words.detach())} | {
            name: float(x.detach()) for name, x in out.loss_dict.items()
        }
        return dense + out.loss + places_loss + 4.0 * words, log | places_log

    drawn = batches(run.work, run.batch, run.seed)
    train(run, trained, drawn, loss_of, finish=lambda _, steps: finish(model, steps), steps=steps, committed=model)


def _decoder_loss(
    logits: torch.Tensor,
    labels: list[dict[str, torch.Tensor]],
    device: torch.device,
    pred_boxes: torch.Tensor,
    config: GroundingDinoConfig,
    label_maps: tuple[torch.Tensor, ...],
    text_mask: torch.Tensor,
    **layers: torch.Tensor,
) -> tuple[torch.Tensor, dict[str, torch.Tensor], None]:
    """What the model calls for its loss: `assigned_loss` of each decoder layer, in float32."""
    losses = {}
    for index, (words, boxes) in enumerate(zip(layers["outputs_class"], layers["outputs_coord"], strict=True)):
        named = words.float().nan_to_num(neginf=-50.0)
        losses[f"layer_{index}"] = assigned_loss(named, boxes.float(), labels, label_maps, text_mask[:, 0], overlapping)
    return torch.stack(list(losses.values())).sum(), losses, None


if __name__ == "__main__":
    main()
