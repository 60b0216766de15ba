"""What a tool is given besides its arguments: models, conversation, settings and a log of the turn.

`agent.session` builds one `ToolContext` per conversation and a fresh `TurnLog` per turn; tools keep no
state of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from instructedit_models.edit_options import check_options
from instructedit_models.errors import AmbiguousError, BadParameterError, InstructEditError
from instructedit_models.limits import MAX_RETRIES
from instructedit_models.masks import MaskRules
from instructedit_models.medium import Media
from instructedit_models.own_look import Keeping
from instructedit_models.types import Aspect, Change, Describer, EditOptions, Progress, Scorer
from tools.conversation import Conversation
from tools.events import Event, Moved, Progressed, Warned
from tools.graph import EditNode
from tools.regions import RegionRecord

if TYPE_CHECKING:
    from instructedit_models.editor import MaskedDDIMEditor
    from instructedit_models.grounding import GroundedSegmenter
    from instructedit_models.safety import SafetyGuard

__all__ = [
    "DEFAULT_RETRIES",
    "Ambiguity",
    "CallMade",
    "EditOverrides",
    "Models",
    "ToolContext",
    "ToolFailure",
    "ToolResult",
    "ToolSettings",
    "TurnLog",
]


DEFAULT_RETRIES = 2
"""What the faces use where the person says nothing."""


@dataclass(frozen=True)
class CallMade:
    """A tool call that ran, as a bundle keeps it.

    Attributes:
        tool: its name.
        arguments: what the LLM gave.
        ok: whether it ended without an error.
    """

    tool: str
    arguments: dict
    ok: bool


class Models(Protocol):
    """What the tools use of a `ModelSet`; each part is loaded when it is first touched."""

    @property
    def name(self) -> str:
        """The set's name."""
        ...

    @property
    def editor(self) -> MaskedDDIMEditor:
        """The masked DDIM editor."""
        ...

    @property
    def grounded(self) -> GroundedSegmenter:
        """Detector and segmenter together."""
        ...

    @property
    def describer(self) -> Describer:
        """BLIP-2's role."""
        ...

    @property
    def scorer(self) -> Scorer:
        """CLIP's role."""
        ...

    @property
    def media(self) -> Media:
        """What captions may begin with, beside "Photo of"."""
        ...

    @property
    def keeping(self) -> Keeping:
        """What an edit of something else leaves a thing."""
        ...

    def defaults(self, change: Change, aspect: Aspect | None = None) -> EditOptions:
        """The parameters that suit this set for a kind of change (and what of a look is changed)."""
        ...


@dataclass(frozen=True)
class EditOverrides:
    """Parameters of an edit that someone fixed; None leaves one to the model set (or, for the first, to the agent).

    Attributes:
        encoding_ratio: r in (0, 1]; larger = stronger.
        steps: DDIM steps of the full schedule, 1 to 1000.
        guidance_scale: classifier-free guidance, 1 (off) to 100.
        seed: 0 or more.
        grow: pixels by which the mask is dilated, 0 to 128.
        retries: sweeps after an edit that fails its check, at most; no parameter of an edit, but fixed like one.
        feather: width in pixels of the blending ring around the mask, 0 to 128.
        masking: a mask of the person's own and refinements; no parameter either, and no part of what is compared.

    Raises:
        BadParameterError: a value is out of range.
    """

    encoding_ratio: float | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None
    grow: int | None = None
    retries: int | None = None
    feather: int | None = None
    masking: MaskRules | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.retries is not None:
            _check_retries(self.retries)
        check_options(self.applied(EditOptions()))

    @property
    def sweeps(self) -> int:
        """`retries`; where nobody said how many, `DEFAULT_RETRIES`, and 0 where the encoding ratio is fixed.

        Who sets the strength by hand wants that one edit, at its price.
        """
        if self.retries is not None:
            return self.retries
        return DEFAULT_RETRIES if self.encoding_ratio is None else 0

    def applied(self, options: EditOptions) -> EditOptions:
        """The options, with what was fixed put in."""
        names = [each.name for each in fields(self) if each.name not in ("retries", "masking")]
        fixed = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(options, **fixed)


@dataclass(frozen=True)
class ToolSettings:
    """What the person fixed for all edits of a conversation.

    Attributes:
        overrides: parameters of edits.
        assume_yes: take the best candidate where several tie, instead of asking.
        retries: sweeps of other parameters after an edit that fails its check, at most; 0 = none.
        masking: a mask of the person's own, and what is done to every mask that is found.
        guard: what refuses pictures, as the operator set it up; None for no check.

    Raises:
        BadParameterError: `retries` is not 0 to `MAX_RETRIES`.
    """

    overrides: EditOverrides = EditOverrides()
    assume_yes: bool = False
    retries: int = 0
    masking: MaskRules = MaskRules()
    guard: SafetyGuard | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_retries(self.retries)


@dataclass(frozen=True)
class ToolResult:
    """What a tool hands back.

    Attributes:
        text: what the LLM reads.
        image_id: the picture that was made or became current.
        mask_id: the mask that was made.
    """

    text: str
    image_id: str | None = None
    mask_id: str | None = None


@dataclass(frozen=True)
class ToolFailure:
    """An error that a tool raised, told to the LLM and kept for the record."""

    tool: str
    arguments: dict
    error: InstructEditError


@dataclass(frozen=True)
class Ambiguity:
    """A segmentation that the person would have to decide.

    Attributes:
        error: the question, as the sentence of an error.
        tied: the candidates that fit equally well.
    """

    error: AmbiguousError
    tied: tuple[RegionRecord, ...]


@dataclass
class TurnLog:
    """What happened in one turn.

    Attributes:
        description: what BLIP-2 said of the picture, if the agent asked.
        why_described: the agent's reason for asking.
        edits: the edits made, in order.
        failures: the errors of tools, in order.
        ambiguities: what the person would have to be asked, in order.
        warnings: what the person should know.
        moved: whether the agent made another version current.
        tools_used: names of the tools that ran without an error.
        calls: every call of a tool that ran, in order, failed ones too.
        seconds: wall seconds by stage.
    """

    description: str | None = None
    why_described: str | None = None
    edits: list[EditNode] = field(default_factory=list)
    failures: list[ToolFailure] = field(default_factory=list)
    ambiguities: list[Ambiguity] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    moved: bool = False
    tools_used: list[str] = field(default_factory=list)
    calls: list[CallMade] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the time spent inside to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add_seconds(stage, time.perf_counter() - started)

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Adds to a stage's time."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


@dataclass
class ToolContext:
    """Everything a tool may touch.

    Attributes:
        models: the model set.
        conversation: pictures, masks and edits by id.
        settings: what the person fixed.
        emit: receives every event at once, on the thread that works; raising CancelledError in it stops the turn.
        turn: the log of the turn in progress.
    """

    models: Models
    conversation: Conversation
    settings: ToolSettings = field(default_factory=ToolSettings)
    emit: Callable[[Event], None] = lambda event: None
    turn: TurnLog = field(default_factory=TurnLog)

    @cached_property
    def revisions(self) -> dict[str, str]:
        """What the weights are, by role, and the editor's own revision as "editor"; hashed once."""
        from instructedit_models.revisions import revisions_of

        return revisions_of(self.models) | {"editor": self.models.editor.revision}

    def moved_to(self, image_id: str) -> None:
        """Notes and tells that another version is current."""
        self.turn.moved = True
        self.emit(Moved(image_id=image_id))

    def progress(self, progress: Progress) -> None:
        """A progress callback for the models."""
        # What a guard has not looked at is not shown, not even half done.
        preview = progress.preview if self.settings.guard is None else None
        self.emit(Progressed(stage=progress.stage, step=progress.step, total=progress.total, preview=preview))

    def warn(self, text: str) -> None:
        """Tells the person something once."""
        if text not in self.turn.warnings:
            self.turn.warnings.append(text)
            self.emit(Warned(text=text))


def _check_retries(count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MAX_RETRIES:
        raise BadParameterError(f"The number of retries must be 0 to {MAX_RETRIES}; got {count!r}.")
