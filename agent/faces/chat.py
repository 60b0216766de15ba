"""A conversation in the terminal: reads what the person says, runs it as a command or a turn, shows what came of it.

`instructedit chat` builds one; what it shows and where its lines come from are given to it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agent.faces.chat_commands import COMMANDS, Desk, run_command
from agent.faces.chat_input import Reader, completions
from agent.faces.chat_turn import Decision, TurnRunner
from agent.faces.output import Output, one_sentence
from instructedit_models.errors import CancelledError, InstructEditError

if TYPE_CHECKING:
    from agent.events import Planned
    from agent.record import TurnRecord
    from agent.session import Session
    from tools.conversation import Conversation

__all__ = ["Chat", "versions_of"]

_APPROVE = "Edit so? yes, no, or what to do instead: "
_YES = {"y", "yes", "ok", "okay", "yep", "sure", "go", "approve", "do it", ""}
_NO = {"n", "no", "nope", "stop", "refuse", "cancel"}


class Chat:
    """One sitting of a conversation.

    Attributes:
        desk: conversation, view, gallery and the records of this sitting.
    """

    def __init__(self, desk: Desk, reader: Reader, output: Output, *, approve: bool = False) -> None:
        """Prepares a sitting; `session` must be set before `run`.

        Args:
            desk: what the commands work on.
            reader: where lines come from.
            output: keeps what libraries print away while a turn runs.
            approve: show the plan and the mask before each edit, and ask.
        """
        self.desk = desk
        self.session: Session | None = None
        self._reader = reader
        self._output = output
        self._runner = TurnRunner(desk.view, self._approved if approve else None)

    @property
    def on_event(self) -> Callable:
        """What the session is given as `on_event`."""
        return self._runner.on_event

    def run(self) -> int:
        """Talks until the person leaves.

        Returns:
            0 after the end of input or `/quit`, 130 after two Ctrl-C in a row.
        """
        interrupted = False
        while self.desk.open:
            try:
                line = self._reader.read(status=self._status()).strip()
            except EOFError:
                break
            except KeyboardInterrupt:
                if interrupted:
                    return CancelledError.exit_code
                interrupted = True
                self.desk.view.note("Ctrl-C once more leaves, and so do Ctrl-D and /quit.")
                continue
            interrupted = False
            if line:
                self._do(line)
        return 0

    def _do(self, line: str) -> None:
        try:
            if line.startswith("/"):
                run_command(line, self.desk)
                return
            words: str | None = line
            while words:
                record = self._turn(words)
                words = self._runner.instead
                self._told(record)
        except InstructEditError as error:
            self.desk.view.error(one_sentence(str(error)))

    def _turn(self, words: str) -> "TurnRecord":
        session = self.session
        if session is None:
            raise RuntimeError("the chat has no session yet")
        with self._output.silenced():
            record = self._runner.run(lambda: session.turn(words))
        self.desk.last = record.to_turn_json()
        self.desk.records.append(record)
        return record

    def _told(self, record: "TurnRecord") -> None:
        """Shows what came of a turn: the reply, the picture or the candidates, what is to be known."""
        view = self.desk.view
        if record.kind == "error":
            view.error(record.reply or str(record.error))
            return
        view.say(record.reply, "bold")
        if record.kind == "question":
            self._offer(record.reply)
        elif record.image_id != record.start_image_id:
            self.desk.gallery.show(record.image_id)
        for warning in record.warnings:
            view.say(f"Note: {warning}", "yellow")

    def _offer(self, reply: str) -> None:
        """Shows the candidates of a question under their numbers, and lists them where the reply does not."""
        from tools.regions import place

        asked = self._runner.asked
        if asked is None or asked.image_id is None or not asked.regions:
            return
        size = self.desk.conversation.version(asked.image_id).size
        if not all(f"({region.id})" in reply for region in asked.regions):
            for number, region in enumerate(asked.regions, start=1):
                self.desk.view.say(f"  {number}: {region.phrase}, {place(region.box, size)} ({region.id})")
        self.desk.gallery.show_candidates(asked.image_id, asked.regions)
        self.desk.view.note("Answer with a number or in words.")

    def _approved(self, plan: "Planned") -> Decision:
        view = self.desk.view
        view.say(f'Select: "{plan.segmentation_prompt}" in {plan.image_id} ({plan.mask_id})')
        view.say(f"Before: {plan.input_caption}")
        view.say(f"After:  {plan.edited_caption} ({plan.change}, encoding ratio {plan.encoding_ratio:g})")
        self.desk.gallery.show_mask_on(plan.image_id, plan.mask_id)
        said = self._reader.read(_APPROVE).strip()
        if said.lower().rstrip(".!") in _YES:
            return Decision(True)
        return Decision(False, None if said.lower().rstrip(".!") in _NO else said)

    def _status(self) -> str:
        conversation = self.desk.conversation
        return f"{conversation.current_id} · /help"


def versions_of(conversation: "Conversation") -> list[tuple[str, str]]:
    """Number and description of every version, for completion."""
    from tools.finding import what_it_was

    return [(version.id.rpartition("_")[2], what_it_was(version)) for version in conversation.versions()]


def words_for(conversation: "Conversation") -> Callable[[str], Sequence[tuple[str, str]]]:
    """What completes a line of a chat about a conversation."""
    return lambda text: completions(text, COMMANDS, versions_of(conversation) if " " in text else ())
