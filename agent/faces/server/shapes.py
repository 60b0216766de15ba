"""What the API is asked and what it answers, as models: they make the OpenAPI document and check requests."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.plans import MAX_INSTRUCTION
from instructedit_models.limits import MAX_GUIDANCE_SCALE, MAX_RETRIES, MAX_RING, MAX_SEED, MAX_STEPS
from instructedit_models.types import Change

__all__ = [
    "Adjust",
    "Candidate",
    "ConversationAnswer",
    "ErrorAnswer",
    "ExamplesAnswer",
    "FromExample",
    "Go",
    "HealthAnswer",
    "ImagesAnswer",
    "JobAnswer",
    "Login",
    "MaskAnswer",
    "Message",
    "MessageAnswer",
    "Question",
    "Refine",
    "ServerAnswer",
    "Steps",
    "VersionAnswer",
]

_MOST_CLICKS = 64
Id = Annotated[str, Field(max_length=64)]
Ratio = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Guidance = Annotated[float, Field(ge=1, le=MAX_GUIDANCE_SCALE, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Ring = Annotated[int, Field(ge=0, le=MAX_RING)]
Box = tuple[float, float, float, float]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Login(_Asked):
    """A token to be kept in a cookie."""

    token: str = Field(min_length=1, max_length=1024)


class FromExample(_Asked):
    """Begin with an example picture."""

    example: str = Field(max_length=64)


class Message(_Asked):
    """What the person says, or the number of the candidate that they mean."""

    text: str | None = Field(default=None, min_length=1, max_length=MAX_INSTRUCTION)
    answer: int | None = Field(default=None, ge=1, le=99)
    image_id: Id | None = None
    mask_id: Id | None = None
    mask_mode: Literal["replace", "add", "subtract", "intersect"] | None = None
    encoding_ratio: Ratio | None = None
    seed: Seed | None = None
    steps: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    guidance_scale: Guidance | None = None
    grow: Ring | None = None
    feather: Ring | None = None
    retries: int | None = Field(default=None, ge=0, le=MAX_RETRIES)
    yes: bool = False
    previews: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> "Message":
        if (self.text is None) == (self.answer is None):
            raise ValueError("give either text, or the number of an answer")
        if self.mask_mode is not None and self.mask_id is None:
            raise ValueError("mask_mode says how mask_id meets what is found; give mask_id too")
        return self


class Adjust(_Asked):
    """Make an edit again with something different."""

    image_id: Id | None = None
    encoding_ratio: Ratio | None = None
    direction: Literal["stronger", "weaker"] | None = None
    edited_caption: str | None = Field(default=None, min_length=1, max_length=500)
    seed: Seed | None = None
    grow: Ring | None = None
    guidance_scale: Guidance | None = None
    previews: bool = False

    @model_validator(mode="after")
    def _something(self) -> "Adjust":
        if self.encoding_ratio is not None and self.direction is not None:
            raise ValueError("give either encoding_ratio or direction")
        if all(value is None for name, value in self if name not in ("image_id", "previews")):
            raise ValueError("say what is to be different")
        return self


class Steps(_Asked):
    """How many edits to undo or redo."""

    steps: int = Field(default=1, ge=1, le=1000)


class Go(_Asked):
    """Which version to make current."""

    image_id: Id


class ClickAt(_Asked):
    """A point in pixels of the picture, and whether it belongs to the mask."""

    x: float = Field(ge=0, le=1_000_000, allow_inf_nan=False)
    y: float = Field(ge=0, le=1_000_000, allow_inf_nan=False)
    inside: bool = True


class Refine(_Asked):
    """Clicks that say what belongs to a mask."""

    clicks: list[ClickAt] = Field(min_length=1, max_length=_MOST_CLICKS)
    image_id: Id | None = None
    mask_id: Id | None = None


class ErrorBody(BaseModel):
    """What was wrong and what to do about it, in one sentence, with names for programs."""

    kind: str
    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(BaseModel):
    """Every error."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")
    error: ErrorBody


class Answer(BaseModel):
    """Base of the answers that stand alone."""

    schema_: Literal[1] = Field(default=1, alias="schema")


class HealthAnswer(BaseModel):
    """Whether work can be taken on."""

    status: Literal["ok", "stopping", "worker_dead"]


class LimitsAnswer(BaseModel):
    """What the server takes on."""

    picture_bytes: int
    picture_pixels: int
    instruction_characters: int
    waiting_jobs: int
    waiting_jobs_each: int
    requests_a_minute: int


class CanAnswer(BaseModel):
    """What this server is able to do."""

    clicks: bool
    preview: bool


class QueueAnswer(BaseModel):
    """How busy it is."""

    waiting: int
    running: bool
    seconds: float


class ServerAnswer(Answer):
    """What a client should know before it begins."""

    version: str
    models: str
    llm: str
    token_needed: bool
    limits: LimitsAnswer
    can: CanAnswer
    queue: QueueAnswer | None = None


class ExampleAnswer(BaseModel):
    """A picture to try with."""

    name: str
    title: str
    image_url: str
    size: tuple[int, int]
    suggestions: list[str]


class ExamplesAnswer(Answer):
    """All examples."""

    examples: list[ExampleAnswer]


class Candidate(BaseModel):
    """One of several things that may be meant, numbered from 1."""

    number: int
    id: str
    phrase: str
    score: float
    box: Box
    area: float
    mask_id: str | None
    mask_url: str | None


class Question(BaseModel):
    """What the agent asks."""

    text: str
    image_id: str | None
    candidates: list[Candidate]
    overlay_url: str | None


class VersionAnswer(BaseModel):
    """One picture of a conversation, and how it was made."""

    id: str
    parent_id: str | None
    created: str
    size: tuple[int, int]
    current: bool
    original: bool
    instruction: str | None
    what: str | None
    adjusts: str | None
    removal: bool
    segmentation_prompt: str | None
    input_caption: str | None
    edited_caption: str | None
    change: Change | None
    encoding_ratio: float | None
    guidance_scale: float | None
    steps: int | None
    seed: int | None
    unet_evaluations: int | None
    verified: bool | None
    check: str | None
    mask_id: str | None
    image_url: str
    thumbnail_url: str
    download_url: str
    mask_url: str | None
    mask_overlay_url: str | None
    comparison_url: str | None


class TurnError(BaseModel):
    """Why a turn or a job failed."""

    kind: str
    message: str


class MessageAnswer(BaseModel):
    """A turn."""

    number: int
    text: str
    kind: Literal["edit", "undo", "answer", "question", "error"]
    reply: str
    image_id: str
    start_image_id: str
    made: list[str]
    verified: bool
    warnings: list[str]
    error: TurnError | None
    job: str | None


class MaskAnswer(BaseModel):
    """A mask of one's own."""

    id: str
    image_id: str
    area: float
    made_by: Literal["painted", "clicks"]
    mask_url: str
    overlay_url: str
    layer_url: str


class ProgressAnswer(BaseModel):
    """The newest step."""

    stage: str
    words: str
    step: int
    total: int


class JobAnswer(Answer):
    """Work that waits, runs or has ended."""

    id: str
    conversation: str | None
    kind: Literal["message", "adjust", "refine", "image_edit"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    text: str | None
    created: str
    started: str | None
    finished: str | None
    ahead: int
    seconds: float
    progress: ProgressAnswer | None
    result: dict[str, Any] | None
    error: TurnError | None
    events_url: str
    url: str


class ConversationAnswer(Answer):
    """A conversation with its versions and turns."""

    id: str
    created: str
    name: str
    size: tuple[int, int]
    warnings: list[str]
    current: str
    can_undo: int
    can_redo: int
    versions: list[VersionAnswer]
    messages: list[MessageAnswer]
    question: Question | None
    open_jobs: list[JobAnswer]


class ImageAnswer(BaseModel):
    """One picture in base64."""

    b64_json: str


class ImagesAnswer(BaseModel):
    """What OpenAI's image edits answer, and a little more."""

    created: int
    data: list[ImageAnswer]
    output_format: str
    size: str
    instructedit: dict[str, Any]
