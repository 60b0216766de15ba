"""`instructedit mcp`: a server of the Model Context Protocol, over stdio or streamable HTTP."""

import argparse
import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.request import door_of, workspace_of
from instructedit_models.errors import BadParameterError, ModelUnavailableError

if TYPE_CHECKING:
    from agent.faces.door import Door
    from agent.session import Session
    from tools.conversation import Conversation

_HTTP_ONLY = ("host", "port", "token_file", "allow_host")
_PORT = 8765
_PIXELS_OF_STRANGERS = 25_000_000
_EXAMPLES = """\
examples:
  instructedit mcp                                  # stdio: for the configuration of Claude Desktop and others
  instructedit mcp --root ~/Pictures                # may also read pictures there, and write new ones
  instructedit mcp --transport http --port 8765     # http://127.0.0.1:8765/mcp
"""


def configure(commands: Commands) -> None:
    """Adds `mcp`."""
    parser = commands.add_parser(
        "mcp",
        help="serve the tools to other assistants (Model Context Protocol)",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--transport", choices=("stdio", "http"), default="stdio", help="default: stdio")
    parser.add_argument("--root", metavar="DIR", help="stdio only: a folder whose pictures may be read and saved to")
    options.add_door(parser.add_argument_group("with --transport http"), _PORT)
    parser.add_argument(
        "--workspace", metavar="DIR", help="where conversations are kept (default: ~/.instructedit/workspace)"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="take the best candidate where several tie")
    options.add_retries(parser)
    options.add_models(parser)
    options.add_llm(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> None:
    """Serves until the client goes, or until Ctrl-C."""
    _check(args)
    if importlib.util.find_spec("mcp") is None:
        raise ModelUnavailableError("`instructedit mcp` needs a package; run `pip install 'instructedit[mcp]'`.")
    door = door_of(args, _PORT) if args.transport == "http" else None
    from agent.faces.mcp.desk import Desk
    from agent.faces.mcp.jobs import Jobs
    from agent.faces.mcp.pictures import Intake
    from agent.faces.mcp.server import build_server
    from tools.workspace import Workspace

    root = None if args.root is None else _folder(args.root)
    intake = Intake(root) if door is None else Intake(max_pixels=_PIXELS_OF_STRANGERS)
    jobs = Jobs()
    new_session = _sessions(args)
    output.quiet_libraries()
    with Workspace(workspace_of(args)) as workspace, warnings.catch_warnings():
        if not output.debug:
            warnings.simplefilter("ignore")
        server = build_server(Desk(workspace, new_session, intake), jobs, listing=door is None)
        try:
            if door is None:
                import anyio

                from agent.faces.mcp.serving import serve_stdio

                anyio.run(serve_stdio, server)
            else:
                _serve(server, door, intake, output)
        finally:
            jobs.close()


def _check(args: argparse.Namespace) -> None:
    if args.transport == "stdio":
        given = [name for name in _HTTP_ONLY if getattr(args, name) is not None]
        if given:
            raise BadParameterError(f"--{given[0].replace('_', '-')} is for --transport http.")
        if args.json:
            raise BadParameterError("With stdio, stdout belongs to the protocol; leave --json out.")
    elif args.root is not None:
        raise BadParameterError("--root is for stdio: over HTTP no path is ever opened.")


def _serve(server: Any, door: "Door", intake: Any, output: Output) -> None:
    from agent.faces.door import listen
    from agent.faces.mcp.serving import PATH, http_app, serve_http

    with listen(door) as listening:
        host = f"[{door.host}]" if ":" in door.host else door.host
        url = f"http://{host}:{listening.getsockname()[1]}{PATH}"
        output.note(f"Serving MCP on {url}; Ctrl-C stops it.")
        if output.as_json:
            output.result({"url": url}, "")
        serve_http(http_app(server, door, intake.max_bytes), listening)


def _sessions(args: argparse.Namespace) -> "Callable[[Conversation], Session]":
    """What makes a session of a conversation; models and language model are made with the first one."""
    from functools import cache

    @cache
    def parts() -> tuple[Any, ...]:
        from agent.api import settings_for
        from agent.faces.request import model_set_of, settings_of
        from agent.guard import LoopLimits
        from agent.llm import build_chat_model, default_llm_spec
        from tools.context import EditOverrides

        settings = settings_of(args)
        spec = default_llm_spec(settings)
        models = model_set_of(args)
        limits = LoopLimits(tool_calls=settings.max_tool_calls, model_calls=settings.max_model_calls)
        fixed = settings_for(EditOverrides(retries=args.retries), args.yes, models)
        return models, build_chat_model(spec, settings), spec, fixed, limits

    def new_session(conversation: "Conversation") -> "Session":
        from agent.session import Session

        models, chat_model, spec, fixed, limits = parts()
        return Session(models, chat_model, conversation, llm=spec, settings=fixed, limits=limits)

    return new_session


def _folder(path: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise BadParameterError(f"--root {path} is not a folder.")
    return folder.resolve()
