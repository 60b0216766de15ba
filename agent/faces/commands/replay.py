"""`instructedit replay` and `instructedit diff`: a run made again without any language model, and what differs."""

import argparse
from pathlib import Path

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import working

_EPILOG = """\
example:
  instructedit run jobs.yaml -o runs/first
  instructedit replay runs/first/a -o again/
  instructedit diff runs/first runs/second
"""
_MOST_LINES = 200


def configure(commands: Commands) -> None:
    """Adds `replay` and `diff`."""
    parser = commands.add_parser(
        "replay",
        help="make a run again from its bundle, without any language model, and compare the bytes",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's folder, or the folder of a job of a run")
    parser.add_argument("-o", "--output", metavar="DIR", help="write each turn's picture there")
    options.add_models(parser)
    options.add_common(parser)
    parser.set_defaults(run=run_replay)

    parser = commands.add_parser(
        "diff",
        help="say what differs between two bundles or two runs",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", help="a bundle, a job's folder, or a run's directory")
    parser.add_argument("b", metavar="B", help="another of the same kind")
    options.add_common(parser)
    parser.set_defaults(run=run_diff)


def run_replay(args: argparse.Namespace, output: Output) -> int:
    """Replays; exits with 1 where the bytes differ."""
    with working(output) as work:
        from agent.faces.request import model_options_of, model_set_of
        from agent.replay import replay
        from instructedit_models.errors import BadOutputError

        target = None
        if args.output is not None:
            target = Path(args.output)
            try:
                target.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BadOutputError(f"Cannot make the folder {target}: {error.strerror or error}.") from error
        models = model_set_of(args) if args.models is not None else None
        result = replay(args.bundle, models, target, work.step, model_options_of(args))
    turns = [
        {
            "instruction": turn.instruction,
            "same": turn.same,
            "differences": list(turn.differences),
            "output": turn.output,
        }
        for turn in result.turns
    ]
    lines = []
    for number, turn in enumerate(result.turns, start=1):
        lines.append(f"turn {number}: {'the same bytes' if turn.same else 'differs'}  {turn.instruction}")
        lines += [f"  {sentence}" for sentence in turn.differences]
    lines.append("The replay gave the same bytes." if result.same else "The replay differs.")
    payload = {"bundle": args.bundle, "same": result.same, "turns": turns, "warnings": list(result.warnings)}
    output.result(payload, "\n".join(lines))
    for warning in result.warnings:
        output.note(f"Note: {warning}")
    return 0 if result.same else 1


def run_diff(args: argparse.Namespace, output: Output) -> int:
    """Lists the differences; exits with 0 whether there are any or not, since either is an answer."""
    with output.silenced():
        from agent.difference import difference

        found = difference(args.a, args.b)
    lines = []
    for one in found[:_MOST_LINES]:
        note = f" ({one.note})" if one.note else ""
        lines.append(f"{one.where}: {_shown(one.a)} -> {_shown(one.b)}{note}")
    if len(found) > _MOST_LINES:
        lines.append(f"and {len(found) - _MOST_LINES} more")
    payload = {"a": args.a, "b": args.b, "same": not found, "differences": [one.to_json() for one in found]}
    output.result(payload, "\n".join(lines) or "No difference.")
    return 0


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)
