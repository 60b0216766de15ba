"""`instructedit describe`: what BLIP-2 says of a picture, or its answer to a question."""

import argparse
from typing import Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import working
from instructedit_models.errors import BadParameterError

_LONGEST_QUESTION = 500


def configure(commands: Commands) -> None:
    """Adds `describe`."""
    parser = commands.add_parser(
        "describe",
        help="say what a picture shows, or answer a question about it",
        epilog='example:\n  instructedit describe photo.jpg --ask "What colour is the car on the left?"',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", help="the picture")
    parser.add_argument("--ask", metavar="QUESTION", help="a question of your own instead of the description")
    options.add_models(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> None:
    """Describes, or answers `--ask`."""
    question = args.ask.strip() if args.ask is not None else None
    if question is not None and not 0 < len(question) <= _LONGEST_QUESTION:
        raise BadParameterError(f"The question must have 1 to {_LONGEST_QUESTION} characters, not {len(question):,}.")
    payload: dict[str, Any] = {"image": args.image}
    with working(output) as work:
        from agent.faces.request import model_set_of
        from instructedit_models.imaging import load_image
        from instructedit_models.types import Progress

        loaded = load_image(args.image)
        models = model_set_of(args)
        work.step(Progress("load", 0, 0))
        describer = models.describer
        work.step(Progress("describe", 0, 0))
        if question is None:
            description = describer.describe(loaded.image)
            payload |= {"medium": description.medium, "description": description.text}
        else:
            payload |= {"question": question, "answer": describer.ask(loaded.image, question)}
        work.check()
    payload |= {"models": models.name, "warnings": list(loaded.warnings)}
    output.result(payload, payload["description"] if question is None else payload["answer"])
    for warning in loaded.warnings:
        output.note(f"Note: {warning}")
