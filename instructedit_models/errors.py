"""Every error of the project, drawn once.

    InstructEditError             one clear sentence and a kind, for the person
    ├── UserError                 the person can mend it: exit code 2, HTTP 4xx
    │   ├── BadImageError         not an image, truncated, too large …
    │   ├── BadMaskError          a mask of the wrong size or kind
    │   ├── BadInstructionError   empty, too long, not understood
    │   ├── UnknownWordError      words that the text encoder does not know
    │   ├── NothingFoundError     the segmentation prompt matches nothing in the picture
    │   ├── AmbiguousError        several candidates tie and nobody may be asked
    │   ├── BadParameterError     a number out of range, an unknown name
    │   ├── BadOutputError        the output cannot be written
    │   ├── RefusedError          the operator's rules do not allow it
    │   └── WorkspaceError        the workspace is damaged, full, locked or too new
    ├── ModelUnavailableError     weights, package or device missing: exit code 1
    ├── LLMError                  the language model failed: 401, 429, 500, hang, nonsense
    └── CancelledError            stopped between two steps, nothing was written

Raised by every package; the faces turn them into one sentence and an exit code.
"""

__all__ = [
    "AmbiguousError",
    "BadImageError",
    "BadInstructionError",
    "BadMaskError",
    "BadOutputError",
    "BadParameterError",
    "CancelledError",
    "InstructEditError",
    "LLMError",
    "ModelUnavailableError",
    "NothingFoundError",
    "RefusedError",
    "UnknownWordError",
    "UserError",
    "WorkspaceError",
]


class InstructEditError(Exception):
    """Base of all errors that a person is shown; `str(error)` is the sentence.

    Attributes:
        kind: snake_case name for machines, the `error.kind` of the JSON contract.
        exit_code: what a command exits with.
        retryable: whether an agent that called a tool should try again with other arguments.
    """

    kind = "internal"
    exit_code = 1
    retryable = False


class UserError(InstructEditError):
    """What the person can mend."""

    kind = "bad_input"
    exit_code = 2
    retryable = True


class BadImageError(UserError):
    """The file is not an image that can be edited."""

    kind = "bad_image"
    retryable = False


class BadMaskError(UserError):
    """A mask does not fit its picture."""

    kind = "bad_mask"


class BadInstructionError(UserError):
    """The instruction is empty, too long or not understood."""

    kind = "bad_instruction"
    retryable = False


class UnknownWordError(UserError):
    """The text encoder does not know one or more words.

    Attributes:
        words: the unknown words, in the order given.
    """

    kind = "unknown_word"

    def __init__(self, message: str, words: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.words = words


class NothingFoundError(UserError):
    """The segmentation prompt matches nothing in the picture."""

    kind = "nothing_found"


class AmbiguousError(UserError):
    """Several candidates fit equally well.

    Attributes:
        candidates: ids of the regions that tie.
    """

    kind = "ambiguous"

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


class BadParameterError(UserError):
    """A parameter is out of range or names nothing."""

    kind = "bad_parameter"


class BadOutputError(UserError):
    """The output cannot be written where it was asked for."""

    kind = "bad_output"
    retryable = False


class RefusedError(UserError):
    """The operator's rules do not allow the picture, the result or the instruction."""

    kind = "refused"
    retryable = False


class WorkspaceError(UserError):
    """The workspace cannot be read or written: missing, damaged, full, locked or too new."""

    kind = "workspace"
    retryable = False


class ModelUnavailableError(InstructEditError):
    """Weights, a package or a device that a model needs are missing."""

    kind = "model_unavailable"


class LLMError(InstructEditError):
    """The language model could not be reached or did not answer sensibly."""

    kind = "llm_failed"


class CancelledError(InstructEditError):
    """The person stopped the work; nothing was written."""

    kind = "cancelled"
    exit_code = 130
