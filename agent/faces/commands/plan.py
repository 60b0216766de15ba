"""`instructedit plan`: what an instruction comes to, without a picture: what to select, and both captions."""

import argparse
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import working

if TYPE_CHECKING:
    from agent.config import Settings
    from agent.plans import Plan

_FIELDS = ("segmentation_prompt", "input_caption", "edited_caption", "change")


def configure(commands: Commands) -> None:
    """Adds `plan`."""
    parser = commands.add_parser(
        "plan",
        help="say what an instruction means, without a picture",
        epilog='example:\n  instructedit plan "Turn it into a vase" --description "photo of a red cup on grass"',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("instruction", metavar="INSTRUCTION", help="what to change, in your own words")
    parser.add_argument("--description", metavar="TEXT", help="what the picture shows, for 'it' and the like")
    options.add_llm(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> None:
    """Plans, and prints the plan."""
    with working(output) as work:
        from agent.config import default_llm_spec
        from agent.faces.request import settings_of
        from agent.plans import check_instruction

        instruction = check_instruction(args.instruction)
        settings = settings_of(args)
        spec = default_llm_spec(settings)
        made = _planned(instruction, args.description, spec, settings)
        work.check()
    payload: dict[str, Any] = {
        "instruction": instruction,
        **_first(made),
        "needs_description": made.needs_description,
        "why": made.why,
        "llm": spec,
    }
    if len(made.edits) > 1:
        payload["edits"] = [edit.model_dump(mode="json") for edit in made.edits]
    output.result(payload, _text(made))


def _planned(instruction: str, description: str | None, spec: str, settings: "Settings") -> "Plan":
    """The plan; LangChain is imported only where a language model is asked."""
    if spec == "offline":
        from agent.grammar.planning import plan as plan_offline

        return plan_offline(instruction, description)
    from agent.language_processor import plan
    from agent.llm import build_chat_model

    return plan(instruction, description, build_chat_model(spec, settings))


def _first(plan: "Plan") -> dict[str, Any]:
    """The fields of the first edit, for one edit is the rule; null where the picture has to be seen first."""
    return plan.edits[0].model_dump(mode="json") if plan.edits else dict.fromkeys(_FIELDS)


def _text(plan: "Plan") -> str:
    blocks = [
        f"select: {edit.segmentation_prompt}\nbefore: {edit.input_caption}\nafter:  {edit.edited_caption}\n"
        f"change: {edit.change}"
        for edit in plan.edits
    ]
    if plan.needs_description:
        blocks.append(
            f"The picture has to be described first: {plan.why or 'the instruction does not say what is in it'}"
        )
    return "\n\n".join(blocks)
