"""What came of a turn, judged by what the tools did rather than by what the LLM says of it. `agent.session` asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.record import EditPart, Kind
from instructedit_models.errors import BadInstructionError, BadMaskError, BadParameterError, InstructEditError
from tools.context import TurnLog

__all__ = ["Outcome", "judge"]

_OFFLINE = "offline"
_SLIPS = (BadParameterError, BadMaskError)


@dataclass(frozen=True)
class Outcome:
    """What a turn was.

    Attributes:
        kind: the record's kind.
        reply: what the person reads.
        error: why nothing was edited, where that is an error or a question.
        warnings: sentences to add to those that the tools gave.
    """

    kind: Kind
    reply: str
    error: InstructEditError | None = None
    warnings: tuple[str, ...] = ()


def judge(log: TurnLog, edits: Sequence[EditPart], reply: str, claimed: str | None, llm: str) -> Outcome:
    """Judges a turn that came to its end.

    Args:
        log: what the tools did.
        edits: the turn's edits that led to the current picture.
        reply: the LLM's last words.
        claimed: what the chat model itself says that its answer is, if it does (the offline one).
        llm: its spec.
    """
    failed = _failures(log)
    if edits:
        warnings = [*_unverified(edits), *_missed(failed, llm), *_undecided(log, edits)]
        return Outcome("edit", reply or f"Done: {edits[-1].image_id}.", warnings=tuple(warnings))
    if log.moved:
        return Outcome("undo", reply)
    if log.ambiguities:
        asked = log.ambiguities[-1].error
        return Outcome("question", reply or str(asked), asked)
    if log.failures:
        error = _joined(log, failed)
        return Outcome("error", reply or str(error), error)
    if claimed == "question":
        return Outcome("question", reply)
    if claimed in ("cannot_parse", "error") or (llm == _OFFLINE and claimed is None and not log.tools_used):
        return Outcome("error", reply, BadInstructionError(reply))
    if reply.rstrip().endswith("?"):
        return Outcome("question", reply)
    return Outcome("answer", reply)


def _unverified(edits: Sequence[EditPart]) -> Iterator[str]:
    for edit in edits:
        if edit.check and not edit.verified:
            check = edit.check.removeprefix("Not verified: ")
            yield f"The edit of '{edit.segmentation_prompt}' could not be verified: {check}"


def _missed(failed: Sequence[InstructEditError], llm: str) -> Iterator[str]:
    # The offline LLM never words a prompt anew, so what failed was not done; another one may have found a way round.
    for error in failed:
        yield f"Not done: {error}" if llm == _OFFLINE else str(error)


def _undecided(log: TurnLog, edits: Sequence[EditPart]) -> Iterator[str]:
    """What the agent should have asked, and whether it decided by itself."""
    edited = {region.box for edit in edits for region in edit.regions if region.chosen}
    for ambiguity in log.ambiguities:
        taken = [region.id for region in ambiguity.tied if region.box in edited]
        asked = str(ambiguity.error).split(";")[0]
        yield f"{asked}; the agent took {', '.join(taken)}." if taken else f"Not done: {ambiguity.error}"


def _failures(log: TurnLog) -> list[InstructEditError]:
    """What could not be done, each sentence once; the LLM's own slips (a wrong id) do not count."""
    errors = list({str(failure.error): failure.error for failure in log.failures}.values())
    return [error for error in errors if not isinstance(error, _SLIPS)]


def _joined(log: TurnLog, errors: list[InstructEditError]) -> InstructEditError:
    """The error of a turn in which every edit failed: the first one's kind, every one's sentence."""
    if len(errors) < 2:
        return errors[0] if errors else log.failures[-1].error
    joined = type(errors[0])(" ".join(str(error) for error in errors))
    joined.__cause__ = errors[0]
    return joined
