"""What a turn leaves on record: the JSON contract of `instructedit edit --json` and of scripted runs.

`agent.session` fills it in; faces print it. Fields are only ever added.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from instructedit_models.errors import InstructEditError
from instructedit_models.types import Change
from tools.graph import EditNode, MaskEntry
from tools.regions import RegionRecord

__all__ = ["SCHEMA", "EditPart", "Kind", "TurnRecord", "error_json"]

SCHEMA = 1
"""The version of the record; it grows when a field changes its meaning."""

Kind = Literal["edit", "undo", "answer", "question", "error"]


class EditPart(BaseModel):
    """One edit of a turn.

    Attributes:
        image_id, parent_id, mask_id: what was made of what, and where.
        segmentation_prompt, input_caption, edited_caption, change: the plan.
        regions: all candidates of the segmentation.
        encoding_ratio, steps, guidance_scale, seed: parameters of the edit.
        unet_evaluations: UNet sample-evaluations spent on it.
        verified: whether the result was checked and passed.
        check: what the check said, one sentence; None where it was not made.
        checks: by name ("caption", "target", "source", "colour", "outside") whether each passed; None where it could
            not be made or does not apply.
        attempts: the tries, where the first one failed its check: parameters, `passed`, `score`, and which was `kept`;
            of several things, which `thing` it was.
        kept_parts: parts of the thing that were left as they were: its wheels, where a car became red.
    """

    model_config = ConfigDict(frozen=True)

    image_id: str
    parent_id: str
    mask_id: str
    segmentation_prompt: str
    input_caption: str
    edited_caption: str
    change: Change
    regions: tuple[RegionRecord, ...]
    encoding_ratio: float
    steps: int
    guidance_scale: float
    seed: int
    unet_evaluations: int
    verified: bool
    check: str | None
    checks: dict[str, bool | None] = Field(default_factory=dict)
    attempts: tuple[dict[str, Any], ...] = ()
    kept_parts: tuple[str, ...] = ()

    @classmethod
    def of(cls, edit: EditNode, mask: MaskEntry) -> "EditPart":
        """The part of the record that an edit in the graph makes."""
        return cls(
            image_id=edit.image_id,
            parent_id=edit.parent_id,
            mask_id=edit.mask_id,
            segmentation_prompt=edit.segmentation_prompt,
            input_caption=edit.input_caption,
            edited_caption=edit.edited_caption,
            change=edit.change,
            regions=mask.regions,
            encoding_ratio=edit.options.encoding_ratio,
            steps=edit.options.steps,
            guidance_scale=edit.options.guidance_scale,
            seed=edit.options.seed,
            unet_evaluations=edit.unet_evaluations,
            verified=edit.verified,
            check=(edit.verification or {}).get("note"),
            checks=(edit.verification or {}).get("checks", {}),
            attempts=tuple((edit.verification or {}).get("attempts", ())),
            kept_parts=edit.kept_parts,
        )

    def to_json(self, ids: bool) -> dict[str, Any]:
        """As data; without ids where the workspace does not outlive the command."""
        hidden: Any = set() if ids else {"image_id": True, "parent_id": True, "mask_id": True}
        data = self.model_dump(mode="json", exclude=hidden)
        if not ids:
            for region in data["regions"]:
                region.pop("mask_id")
        return data


class TurnRecord(BaseModel):
    """One turn of a conversation.

    Attributes:
        kind: what came of it.
        reply: the agent's closing words.
        instruction: what the person said.
        start_image_id: the picture that was current before.
        image_id: the picture that is current now.
        image_size: (width, height) in pixels.
        edits: the edits that led to it, in order; without those that were made again or taken back.
        described: whether the agent looked at the picture (BLIP-2) before it planned.
        description, why_described: what it saw, and why it looked.
        unet_evaluations: all UNet sample-evaluations of the turn, also of edits that were made again.
        models: the model set's name.
        llm: the language model's spec.
        seconds: wall seconds by stage, and "total".
        warnings: what the person should know, one sentence each.
        error: why the turn failed, or what the agent would have to be told to go on.
        method: how the picture was edited: this project's own way, or one of the baselines.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    kind: Kind
    reply: str
    instruction: str
    start_image_id: str
    image_id: str
    image_size: tuple[int, int]
    edits: tuple[EditPart, ...] = ()
    described: bool = False
    description: str | None = None
    why_described: str | None = None
    unet_evaluations: int = 0
    models: str
    llm: str
    seconds: dict[str, float] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    error: InstructEditError | None = Field(default=None, exclude=True)
    method: str = "instructedit"

    @property
    def verified(self) -> bool:
        """Whether there are edits and every one passed its check."""
        return bool(self.edits) and all(edit.verified for edit in self.edits)

    def to_json(self, output: str | None = None, mask: str | None = None) -> dict[str, Any]:
        """The object that `edit --json` prints.

        The fields of the first edit stand at the top, for one edit is the rule; all of them are listed under `edits`
        where there are several. `unet_evaluations` and `verified` at the top are of the whole turn.

        Args:
            output: where the picture was written.
            mask: where the mask was written.
        """
        return self._data(output, mask, ids=False)

    def to_turn_json(self, output: str | None = None, mask: str | None = None) -> dict[str, Any]:
        """The same, with ids, `kind`, `reply` and, where the turn failed, `error`: one element of `record.json`."""
        data = self._data(output, mask, ids=True)
        data |= {"kind": self.kind, "reply": self.reply, "image_id": self.image_id}
        data["start_image_id"] = self.start_image_id
        if self.error is not None:
            data["error"] = {"kind": self.error.kind, "message": str(self.error)}
        return data

    def _data(self, output: str | None, mask: str | None, ids: bool) -> dict[str, Any]:
        parts = [edit.to_json(ids) for edit in self.edits]
        first = parts[0] if parts else dict.fromkeys(_PLAN)
        data: dict[str, Any] = {
            "schema": SCHEMA,
            "output": output,
            "mask": mask,
            "image_size": list(self.image_size),
            "instruction": self.instruction,
            **{name: first[name] for name in ("segmentation_prompt", "input_caption", "edited_caption", "change")},
            "described": self.described,
            "description": self.description,
            "why_described": self.why_described,
            "regions": first["regions"] or [],
            **{name: first[name] for name in ("encoding_ratio", "steps", "guidance_scale", "seed")},
            "unet_evaluations": self.unet_evaluations,
            "verified": self.verified,
            **{name: first[name] for name in ("check", "checks", "attempts", "kept_parts")},
            "method": self.method,
            "models": self.models,
            "llm": self.llm,
            "seconds": self.seconds,
            "warnings": list(self.warnings),
        }
        if len(parts) > 1:
            data["edits"] = parts
        return data


_PLAN = tuple(name for name in EditPart.model_fields)


def error_json(error: InstructEditError) -> dict[str, Any]:
    """The object that a command prints when it fails."""
    return {"schema": SCHEMA, "error": {"kind": error.kind, "message": str(error)}}
