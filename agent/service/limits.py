"""What a service takes on, and the errors that say that it does not."""

from dataclasses import dataclass

from agent.plans import MAX_INSTRUCTION
from instructedit_models.errors import InstructEditError, UserError

__all__ = ["BusyError", "KeyClashError", "NotThereError", "ServiceLimits", "StoppingError", "TooManyError"]


@dataclass(frozen=True)
class ServiceLimits:
    """Bounds of everything that clients can make grow.

    Attributes:
        picture_bytes: of a picture's file.
        picture_pixels: of a picture.
        instruction_characters: of an instruction.
        waiting_jobs: jobs that may wait, of all clients together.
        waiting_jobs_each: jobs of one client that may wait.
        requests_a_minute: of one client; a burst of a sixth of it is let through at once.
        sessions: conversations that are held ready in memory; others are read from the workspace again.
        kept_seconds: how long ended jobs and idempotency keys are kept.
        own_masks: masks of one's own in a conversation.
        results_each: pictures that one call of the one-shot edit makes at most.
        attempts: how often a job is begun again after the server died while working on it.
    """

    picture_bytes: int = 20_000_000
    picture_pixels: int = 40_000_000
    instruction_characters: int = MAX_INSTRUCTION
    waiting_jobs: int = 64
    waiting_jobs_each: int = 16
    requests_a_minute: int = 600
    sessions: int = 32
    kept_seconds: float = 86_400.0
    own_masks: int = 200
    results_each: int = 4
    attempts: int = 3


class NotThereError(UserError):
    """There is no such conversation, version, mask or job, or it is somebody else's."""

    kind = "not_found"


class BusyError(UserError):
    """Work on the conversation is waiting or running."""

    kind = "busy"


class KeyClashError(UserError):
    """An idempotency key was used for another request."""

    kind = "bad_request"


class TooManyError(UserError):
    """A client asks too much, or too much waits already.

    Attributes:
        seconds: after which it may try again.
    """

    kind = "too_many_requests"

    def __init__(self, message: str, seconds: float, kind: str = "too_many_requests") -> None:
        super().__init__(message)
        self.seconds = seconds
        self.kind = kind


class StoppingError(InstructEditError):
    """The service is going down."""

    kind = "stopping"
