"""The command line: `instructedit edit photo.jpg "Change the cat to a tiger" -o out.png` and its sisters.

`main` is the console script. Each command lives in its own file under `agent.faces.commands`; here stand the program's
name, its help and what becomes of an error.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from agent.faces import __version__
from agent.faces.commands import (
    bench,
    chat,
    describe,
    doctor,
    edit,
    inspect,
    mcp,
    models,
    plan,
    replay,
    run,
    segment,
    serve,
    study,
    workspace,
    world,
)
from agent.faces.output import Output
from agent.faces.parser import Parser
from instructedit_models.errors import BadParameterError, CancelledError, InstructEditError

__all__ = ["build_parser", "main"]

_DESCRIPTION = "Say what to change in a picture; an agent finds it, masks it, and edits exactly that."
_EPILOG = """\
a first edit:
  instructedit world sample -o scenes
  instructedit edit scenes/9000000/image.png "Make the box green" -o out.png --comparison side_by_side.png

exit codes:
  0 done, 1 a model or the machine failed, 2 something in the request can be mended, 130 stopped
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; importing nothing heavy, it takes milliseconds."""
    parser = Parser(
        prog="instructedit",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in (
        edit,
        chat,
        segment,
        describe,
        plan,
        inspect,
        run,
        replay,
        world,
        workspace,
        models,
        doctor,
        bench,
        serve,
        mcp,
        study,
    ):
        command.configure(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the arguments after the program's name; those of the process by default.

    Returns:
        0 when done, 2 for what the person can mend, 1 for what they cannot, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    output = Output(as_json="--json" in options, debug="--debug" in options)
    try:
        return _run(arguments, output)
    except InstructEditError as error:
        return _failed(error, output)
    except KeyboardInterrupt:
        return _failed(CancelledError("Stopped; nothing was written."), output)
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell, and the interpreter must not try either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        hint = "" if output.debug else "; --debug shows where"
        return _failed(InstructEditError(f"Something broke inside instructedit ({words}){hint}."), output)


def _run(arguments: list[str], output: Output) -> int:
    parser = build_parser()
    if not arguments:
        parser.print_help()
        return 0
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse leaves so after --help
        return int(stop.code or 0)
    if args.version:
        output.result({"version": __version__}, f"instructedit {__version__}")
        return 0
    if args.command is None:
        raise BadParameterError("No command was given; `instructedit --help` lists them.")
    output.quiet = args.quiet
    return int(args.run(args, output) or 0)


def _failed(error: InstructEditError, output: Output) -> int:
    if output.debug:
        traceback.print_exc()
    output.error(error)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
