"""Recipe of the miniature `Blip2ForConditionalGeneration`: questions about whole scenes, and "photo of …" completions.

The vision tower starts from CLIP's. BLIP-2's class has no layer norm before the blocks as CLIP has, so that the
tower cannot be taken over bit by bit: it is trained along, helped by dense labels on its patches. The Q-Former is
helped likewise: each of its queries watches one cell of a grid over the picture and learns what stands in it.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import Blip2Config, Blip2ForConditionalGeneration, CLIPModel

from instructedit_models.blip2_inputs import blip2_inputs, blip2_labels
from instructedit_models.miniature.language import full_listing
from instructedit_models.miniature.questions import MEDIUM_QUESTIONS, sample_questions
from instructedit_models.miniature.scene import Picture, Scene
from instructedit_models.miniature.tokenizers import t5_tokenizer
from instructedit_models.miniature.training.common import (
    WEIGHTS,
    mixed_precision,
    parse_run,
    regridded,
    save_half,
    train,
    warm_start,
    write_card,
)
from instructedit_models.miniature.training.data import (
    TRAINED_SEEDS,
    WHOLE,
    Sample,
    cut,
    training_pool,
    validation_samples,
)
from instructedit_models.miniature.training.dense_labels import PatchHeads, labels, stacked, surprise
from instructedit_models.miniature.training.vae import to_tensor
from instructedit_models.miniature.words import (
    ALL_PARTS,
    BACKGROUNDS,
    COLOURS,
    MATERIALS,
    MEDIA,
    NOUNS,
    PARTS,
    SIZES,
    plural,
)

SIZE = 128
"""Pixels of the pictures that BLIP-2 sees: all of a scene's. At 96 a quarter of the small objects were told wrong."""

PATCH = 8

KEPT = (0.0, 0.3, 0.6)
"""How many of the scenes of no, one and two things are learnt from: those of more are told wrong far more often."""

COLUMNS, ROWS = 6, 4
"""The grid that the queries watch, one query a cell, column by column: in the order of the listings."""

CELL_HEADS = {
    "noun": len(NOUNS) + 1,
    "colour": len(COLOURS),
    "material": len(MATERIALS),
    "size": len(SIZES),
    "parts": len(ALL_PARTS) * len(COLOURS),
}
SCENE_HEADS = {"medium": len(MEDIA), "background": len(BACKGROUNDS)}

Targets = dict[str, torch.Tensor]

Batch = tuple[torch.Tensor, list[str], list[str], Targets, Targets]


def build() -> Blip2ForConditionalGeneration:
    """The untrained model."""
    tokenizer = t5_tokenizer()
    config = Blip2Config(
        vision_config={
            "hidden_size": 128,
            "intermediate_size": 512,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "image_size": SIZE,
            "patch_size": PATCH,
        },
        qformer_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 128,
            "intermediate_size": 512,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "encoder_hidden_size": 128,
            "cross_attention_frequency": 1,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        text_config={
            "model_type": "t5",
            "vocab_size": len(tokenizer),
            "d_model": 128,
            "d_kv": 32,
            "d_ff": 512,
            "num_layers": 2,
            "num_decoder_layers": 2,
            "num_heads": 4,
            "dropout_rate": 0.0,
            "decoder_start_token_id": tokenizer.pad_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        num_query_tokens=COLUMNS * ROWS,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = Blip2ForConditionalGeneration(config)
    # The class begins with all query tokens at 0: equal queries get equal gradients and would stay equal for ever.
    nn.init.normal_(model.query_tokens)
    return model


def take_vision_tower(model: Blip2ForConditionalGeneration) -> None:
    """Copies CLIP's vision tower wherever the two classes hold the same thing."""
    clip = CLIPModel.from_pretrained(WEIGHTS / "clip", dtype=torch.float32).vision_model
    ours = model.vision_model
    with torch.no_grad():
        ours.embeddings.patch_embedding.weight.copy_(clip.embeddings.patch_embedding.weight)
        places = ours.embeddings.position_embedding
        places.copy_(regridded(clip.embeddings.position_embedding.weight, places.shape[1])[None])
        for mine, theirs in zip(ours.encoder.layers, clip.encoder.layers, strict=True):
            attention = theirs.self_attn
            parts = (attention.q_proj, attention.k_proj, attention.v_proj)
            mine.self_attn.qkv.weight.copy_(torch.cat([part.weight for part in parts]))
            if mine.self_attn.qkv.bias is not None:
                mine.self_attn.qkv.bias.copy_(torch.cat([part.bias for part in parts]))
            mine.self_attn.projection.load_state_dict(attention.out_proj.state_dict())
            mine.mlp.load_state_dict(theirs.mlp.state_dict())
            mine.layer_norm1.load_state_dict(theirs.layer_norm1.state_dict())
            mine.layer_norm2.load_state_dict(theirs.layer_norm2.state_dict())


def picture_of(sample: Sample) -> Picture:
    """The sample as `questions` wants it; what is covered counts as half seen at most."""
    masks = [sample.mask(i) for i in range(len(sample.scene.items))]
    pieces: list[list[tuple[str, np.ndarray]]] = [[] for _ in masks]
    for piece in sample.parts():
        pieces[piece.item].append((piece.part, piece.mask))
    return Picture(sample.image, masks, pieces, [1.0] * len(masks))


def asked(sample: Sample, rng: np.random.Generator, n: int) -> list[tuple[str, str]]:
    """`n` questions and answers about a scene: the paper's completion, often its medium question, and others."""
    pairs = [(f"{sample.scene.medium} of", full_listing(sample.scene))]
    if rng.random() < 0.4:
        pairs.append((MEDIUM_QUESTIONS[int(rng.integers(len(MEDIUM_QUESTIONS)))], sample.scene.medium))
    return [*pairs, *sample_questions(sample.scene, picture_of(sample), rng, n)][:n]


def cell_labels(scene: Scene) -> dict[str, np.ndarray]:
    """What the grid's cells hold, int64 by head: (cells,), "parts" (cells, parts), and (1,) for the whole scene.

    An object belongs to the cell of its centre; a noun of 0 is none, any other label of an empty cell is -100.
    """
    cells = COLUMNS * ROWS
    found = {name: np.full(cells, -100) for name in ("colour", "material", "size")}
    found |= {"noun": np.zeros(cells, int), "parts": np.full((cells, len(ALL_PARTS)), -100)}
    colours = list(COLOURS)
    for item in scene.items:
        x, y = (min(max(at / scene.size, 0.0), 0.999) for at in item.centre)
        cell = int(x * COLUMNS) * ROWS + int(y * ROWS)
        found["noun"][cell] = NOUNS.index(item.noun) + 1
        found["colour"][cell] = colours.index(item.colour)
        found["material"][cell] = MATERIALS.index(item.material)
        found["size"][cell] = SIZES.index(item.size)
        found["parts"][cell] = -100
        for part in PARTS.get(item.noun, ()):
            found["parts"][cell, ALL_PARTS.index(part)] = colours.index(item.part_colour(part))
    found["medium"] = np.array([MEDIA.index(scene.medium)])
    found["background"] = np.array([BACKGROUNDS.index(scene.background)])
    return found


def crowded(samples: Iterator[Sample], rng: np.random.Generator) -> Iterator[Sample]:
    """The samples without some of those that show few things."""
    for sample in samples:
        things = len(sample.scene.items)
        if things >= len(KEPT) or rng.random() < KEPT[things]:
            yield sample


def batches(work: Path, batch: int, seed: int, each: int) -> Iterator[Batch]:
    """Endless (images, questions, answers, labels of patches, labels of cells), `each` questions an image."""
    rng = np.random.default_rng([seed, 6])
    draws = crowded(training_pool(work).draws(rng), rng)
    while True:
        images, questions, answers, dense, cells = [], [], [], [], []
        for sample in islice(draws, batch):
            images.append(cut(sample.image, WHOLE, SIZE))
            dense.append(labels(sample, WHOLE, SIZE // PATCH))
            cells.append(cell_labels(sample.scene))
            for question, answer in asked(sample, rng, each) if each else ():
                questions.append(question.lower())
                answers.append(answer)
        yield to_tensor(np.stack(images)), questions, answers, stacked(dense), stacked(cells)


class WithHelpers(nn.Module):
    """BLIP-2 and, while it is trained, linear heads on its vision tower's patches and on its Q-Former's queries."""

    def __init__(self, model: Blip2ForConditionalGeneration) -> None:
        super().__init__()
        self.model = model
        seen, asked_for = model.config.vision_config.hidden_size, model.config.qformer_config.hidden_size
        self.heads = PatchHeads(seen)
        self.cells = nn.ModuleDict({name: nn.Linear(asked_for, size) for name, size in CELL_HEADS.items()})
        self.scene = nn.ModuleDict({name: nn.Linear(asked_for, size) for name, size in SCENE_HEADS.items()})

    def cells_loss(self, found: torch.Tensor, targets: Targets) -> torch.Tensor:
        """Cross-entropy of what each query's cell holds, (B, cells, width), and of the whole scene, by their mean."""
        losses = []
        for name, head in self.cells.items():
            logits = head(found)
            if name == "parts":
                logits = logits.unflatten(-1, (len(ALL_PARTS), len(COLOURS)))
            losses.append(surprise(name, logits.movedim(-1, 1), targets[name]))
        mean = found.mean(dim=1, keepdim=True)
        losses += [surprise(name, head(mean).transpose(1, 2), targets[name]) for name, head in self.scene.items()]
        return torch.stack(losses).sum()


def queried(model: Blip2ForConditionalGeneration, seen: torch.Tensor) -> torch.Tensor:
    """What the Q-Former makes of what the vision tower saw, (B, 1 + patches, width): (B, queries, width)."""
    queries = model.query_tokens.expand(len(seen), -1, -1)
    return model.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state


def language_loss(
    model: Blip2ForConditionalGeneration, found: torch.Tensor, questions: list[str], answers: list[str]
) -> torch.Tensor:
    """The loss of several questions an image; each image was looked at once.

    What `Blip2ForConditionalGeneration.forward` does, but with the Q-Former's outputs repeated per question.
    """
    tokenizer = t5_tokenizer()
    visual = model.language_projection(found).repeat_interleave(len(questions) // len(found), dim=0)
    inputs = blip2_inputs(model, tokenizer, questions)
    embedded = model.get_input_embeddings()(inputs["input_ids"])
    embedded = torch.cat([visual.to(embedded.dtype), embedded[:, visual.shape[1] :]], dim=1)
    return model.language_model(
        inputs_embeds=embedded,
        attention_mask=inputs["attention_mask"],
        labels=blip2_labels(model, tokenizer, answers),
    ).loss


@torch.no_grad()
def finish(model: Blip2ForConditionalGeneration, steps: int) -> None:
    """Measures the medium, the objects named with their colour and all other answers, then writes the weights."""
    tokenizer, rng = t5_tokenizer(), np.random.default_rng(8)
    medium = named = objects = right = asked_for = 0
    for sample in validation_samples(150):
        pixels = to_tensor(cut(sample.image, WHOLE, SIZE)[None])
        pairs = [("is this a photo, a painting or another kind of art?", sample.scene.medium), *asked(sample, rng, 4)]
        inputs = blip2_inputs(model, tokenizer, [question.lower() for question, _ in pairs])
        out = model.generate(pixel_values=pixels.expand(len(pairs), -1, -1, -1), **inputs, max_new_tokens=40)
        texts = [text.strip() for text in tokenizer.batch_decode(out, skip_special_tokens=True)]
        medium += texts[0] == sample.scene.medium
        found, wanted = recall(texts[1], [(item.noun, item.colour) for item in sample.scene.items])
        named, objects = named + found, objects + wanted
        right += sum(text == answer for text, (_, answer) in zip(texts[2:], pairs[2:], strict=True))
        asked_for += len(pairs) - 2
    figures = {
        "medium": round(medium / 150, 3),
        "objects_with_colour_recall": round(named / objects, 3),
        "other_answers_exact": round(right / asked_for, 3),
    }
    folder = WEIGHTS / "blip2"
    save_half(model, folder / "model.safetensors")
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_card(folder, {"recipe": "blip2", "steps": steps, "train_seeds": TRAINED_SEEDS, "validation": figures})
    print("blip2", figures, flush=True)


def recall(text: str, objects: list[tuple[str, str]]) -> tuple[int, int]:
    """How many of the (noun, colour) objects a description names, counts included, and how many there are."""
    counts: dict[tuple[str, str], int] = {}
    number, colour = 1, ""
    singular = {plural(noun): noun for noun in NOUNS} | {noun: noun for noun in NOUNS}
    numbers = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}
    words = text.replace(",", " ").split()
    for i, word in enumerate(words):
        if word in numbers:
            number, colour = numbers[word], ""
        is_noun = word in singular and not (word == "orange" and i + 1 < len(words) and words[i + 1] in singular)
        if is_noun and colour:
            key = (singular[word], colour)
            counts[key] = counts.get(key, 0) + number
            number, colour = 1, ""
        elif word in COLOURS:
            colour = word
    found = 0
    for pair in objects:
        if counts.get(pair, 0) > 0:
            counts[pair] -= 1
            found += 1
    return found, len(objects)


def main(argv: list[str] | None = None) -> None:
    """Trains BLIP-2, or one stage of it: `--stage vision` its vision tower, `queries` that and the Q-Former.

    The original trains its Q-Former before the language model too; the vision tower, which it takes ready-made, is
    here the slowest to learn, and learns twice as fast alone.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    stage = "all"
    if "--stage" in argv:
        place = argv.index("--stage")
        stage = argv[place + 1]
        del argv[place : place + 2]
    if stage not in ("vision", "queries", "all"):
        sys.exit(f"There is no stage {stage!r}; take vision, queries or all.")
    run = parse_run("blip2", batch=32, learning_rate=8e-4, argv=argv)
    torch.manual_seed(0)
    model = build()
    take_vision_tower(model)
    steps = warm_start(run, model, WEIGHTS / "blip2" / "model.safetensors")
    trained = WithHelpers(model)
    if stage == "vision":
        trained.requires_grad_(False)
        nn.ModuleList([model.vision_model, trained.heads]).requires_grad_(True)
    each = 3 if stage == "all" else 0

    def loss_of(batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
        images, questions, answers, dense, cells = batch
        with mixed_precision():
            patches = model.vision_model(pixel_values=images).last_hidden_state
        seen = trained.heads.loss(patches[:, 1:], dense)
        log = {"dense": float(seen.detach())}
        if stage == "vision":
            return seen, log
        with mixed_precision():
            found = queried(model, patches)
            language = language_loss(model, found, questions, answers) if each else torch.zeros(())
        known = trained.cells_loss(found, cells)
        log |= {"language": float(language.detach()), "cells": float(known.detach())}
        return language + 0.3 * seen + 0.5 * known, log

    drawn = batches(run.work, run.batch, run.seed, each)
    train(run, trained, drawn, loss_of, finish=lambda _, steps: finish(model, steps), steps=steps, committed=model)


if __name__ == "__main__":
    main()
