"""`instructedit chat`: a conversation about a picture, many turns, kept and resumable."""

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from instructedit_models.errors import BadParameterError

if TYPE_CHECKING:
    from agent.faces.chat import Chat
    from agent.faces.chat_view import View
    from tools.conversation import Conversation
    from tools.workspace import Workspace

_LAST = "last"
_PREVIEWS = ("auto", "kitty", "iterm2", "sixel", "none")
_EXAMPLES = """\
examples:
  instructedit chat photo.jpg
  instructedit chat --resume last
  printf 'make the car red\\na bit stronger\\n/save red.png\\n' | instructedit chat photo.jpg
"""


def configure(commands: Commands) -> None:
    """Adds `chat`."""
    parser = commands.add_parser(
        "chat",
        help="talk about a picture: edit, refine, undo, compare, save",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", nargs="?", help="the picture to begin with")
    parser.add_argument("--resume", metavar="ID", help='go on with a kept conversation; "last" is the one used last')
    parser.add_argument(
        "--workspace", metavar="DIR", help="where conversations are kept (default: ~/.instructedit/workspace)"
    )
    parser.add_argument("--approve", action="store_true", help="show plan and mask before each edit, and ask")
    parser.add_argument("-y", "--yes", action="store_true", help="take the best candidate where several tie")
    parser.add_argument("--seed", type=options.seed, help="for repeatable edits (default: 0)")
    options.add_retries(parser)
    parser.add_argument("--preview", choices=_PREVIEWS, default="auto", help="how pictures are drawn in the terminal")
    options.add_models(parser)
    options.add_llm(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> int:
    """Talks until the person leaves; under `--json` prints all turns as one object at the end."""
    if (args.image is None) == (args.resume is None):
        raise BadParameterError("Give a picture to begin with, or --resume ID to go on with a conversation.")
    from agent.faces.request import workspace_of
    from tools.workspace import Workspace

    with Workspace(workspace_of(args), create=args.resume is None) as workspace:
        conversation, notes = _conversation(args, workspace)
        chat = _chat(args, output, workspace, conversation)
        _greet(chat, args, notes)
        code = chat.run()
        chat.desk.view.note(f"Kept as {conversation.id}; go on with: {_resuming(args, conversation)}")
        payload = {
            "conversation": conversation.id,
            "workspace": str(workspace.directory),
            "image_id": conversation.current_id,
            "turns": [record.to_turn_json() for record in chat.desk.records],
        }
    if output.as_json:
        output.result(payload, "")
    return code


def _conversation(args: argparse.Namespace, workspace: "Workspace") -> tuple["Conversation", list[str]]:
    """The conversation to go on with, or a new one about the picture, and what reading it warned of."""
    if args.resume is None:
        from instructedit_models.imaging import load_image

        loaded = load_image(args.image)
        return workspace.start(loaded.image, str(Path(args.image).resolve())), loaded.warnings
    if args.resume != _LAST:
        return workspace.conversation(args.resume), []
    kept = workspace.overview()
    if not kept:
        raise BadParameterError(f"The workspace {workspace.directory} holds no conversation yet.")
    return workspace.conversation(max(kept, key=lambda one: one.updated).id), []


def _chat(args: argparse.Namespace, output: Output, workspace: "Workspace", conversation: "Conversation") -> "Chat":
    from agent.faces.chat import Chat, words_for
    from agent.faces.chat_commands import Desk
    from agent.faces.chat_input import PipeReader, Reader, TerminalReader, at_a_terminal
    from agent.faces.chat_pictures import Gallery
    from tools.maintenance import SHOWN

    typed = at_a_terminal() and not output.as_json
    view = _view(args, output, typed)
    reader: Reader = (
        TerminalReader(view, workspace.directory / "chat_history", words_for(conversation))
        if typed
        else PipeReader(sys.stdin, view)
    )
    gallery = Gallery(conversation, view, workspace.directory / SHOWN / conversation.id)
    chat = Chat(Desk(conversation, view, gallery), reader, output, approve=args.approve)
    chat.session = _session(args, conversation, chat)
    return chat


def _view(args: argparse.Namespace, output: Output, typed: bool) -> "View":
    from agent.faces.chat_preview import ask_terminal
    from agent.faces.chat_view import View, terminal_stream

    stream = terminal_stream()
    protocol: Any = None if args.preview in ("auto", "none") else args.preview
    if args.preview == "auto" and typed:
        protocol = ask_terminal(sys.stdin, stream)
    if protocol == "sixel" and importlib.util.find_spec("textual_image") is None:
        if args.preview == "sixel":
            raise BadParameterError("--preview sixel needs a package; run `pip install 'instructedit[sixel]'`.")
        protocol = None
    return View(stream, protocol, silent=output.as_json or output.quiet)


def _session(args: argparse.Namespace, conversation: "Conversation", chat: "Chat") -> Any:
    from agent.api import settings_for
    from agent.faces.request import model_set_of, settings_of
    from agent.guard import LoopLimits
    from agent.llm import build_chat_model, default_llm_spec
    from agent.session import Session
    from tools.context import EditOverrides

    settings = settings_of(args)
    spec = default_llm_spec(settings)
    models = model_set_of(args)
    return Session(
        models,
        build_chat_model(spec, settings),
        conversation,
        llm=spec,
        settings=settings_for(EditOverrides(seed=args.seed, retries=args.retries), args.yes, models),
        limits=LoopLimits(tool_calls=settings.max_tool_calls, model_calls=settings.max_model_calls),
        on_event=chat.on_event,
    )


def _greet(chat: "Chat", args: argparse.Namespace, notes: list[str]) -> None:
    conversation, view = chat.desk.conversation, chat.desk.view
    version = conversation.version(conversation.current_id)
    turns = len(conversation.turns())
    before = f", after {turns} turn{'s' if turns != 1 else ''}" if turns else ""
    view.say(
        f"Conversation {conversation.id} about {version.id}, {version.size[0]} x {version.size[1]} pixels{before}."
    )
    for note in notes:
        view.say(f"Note: {note}", "yellow")
    if view.rich or args.resume is not None:
        chat.desk.gallery.show(version.id)
    if view.rich:
        view.note("Say what to change. /help lists the commands, Ctrl-C stops a turn.")


def _resuming(args: argparse.Namespace, conversation: "Conversation") -> str:
    where = f" --workspace {args.workspace}" if args.workspace else ""
    return f"instructedit chat --resume {conversation.id}{where}"
