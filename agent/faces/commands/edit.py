"""`instructedit edit`: a picture and a sentence in, the edited picture out."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import Work, working
from instructedit_models.baselines.registry import METHODS, OURS, make_method
from instructedit_models.errors import BadParameterError

if TYPE_CHECKING:
    from agent.api import EditOutcome, EditOverrides
    from agent.events import Event
    from instructedit_models.baselines.work import Method
    from instructedit_models.imaging import LoadedImage, Signer

_OUTPUT, _MASK, _REGION, _COMPARISON = "--output", "--save-mask", "--save-region", "--comparison"
_STAGES = {
    "describe_image": "describe",
    "ask_image": "describe",
    "segment": "segment",
    "edit_image": "encode",
    "adjust_edit": "encode",
}
_EXAMPLES = """\
examples:
  instructedit edit photo.jpg "Change the cat on the right to a tiger" -o out.png
  instructedit edit photo.jpg "Make the roof blue" -o out.png --comparison side_by_side.png --seed 3
  instructedit edit photo.jpg "Turn it into a vase" -o out.png --json --save-mask mask.png
  instructedit edit photo.jpg "Make the roof red" -o out.png --method diffedit --method-option threshold=0.3
  instructedit edit photo.jpg "Make the roof red" -o out.png --mask painted.png --mask-mode intersect --mask-feather 6
"""


def configure(commands: Commands) -> None:
    """Adds `edit`."""
    parser = commands.add_parser(
        "edit",
        help="change what a sentence says and leave every other pixel alone",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", help="the picture: PNG, JPEG, WebP, TIFF, GIF, BMP, AVIF, HEIC")
    parser.add_argument("instruction", metavar="INSTRUCTION", help="what to change, in your own words")
    parser.add_argument(
        "-o",
        _OUTPUT,
        metavar="OUT",
        help="where to write the edited picture (default: beside the input as NAME_edited, in its format where that "
        "keeps every pixel outside the edit, else PNG)",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="take the best candidate where several tie")
    parser.add_argument("--force", action="store_true", help="allow OUT to be the input picture")

    strength = parser.add_argument_group("the edit (what is left out is chosen by the kind of change)")
    strength.add_argument("--seed", type=options.seed, help="for repeatable edits (default: 0)")
    strength.add_argument("--encoding-ratio", type=options.encoding_ratio, metavar="R", help="strength, up to 1")
    strength.add_argument("--steps", type=options.steps, metavar="N", help="DDIM steps of the full schedule")
    strength.add_argument("--guidance-scale", type=options.guidance_scale, metavar="W", help="1 turns guidance off")
    options.add_retries(strength)

    compared = parser.add_argument_group("other ways of editing, to compare with (docs/baselines.md)")
    compared.add_argument(
        "--method", metavar="NAME", default=OURS, help=f"{', '.join((OURS, *METHODS))} (default: {OURS})"
    )
    compared.add_argument(
        "--method-option",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a parameter of the method, e.g. threshold=0.3 for diffedit; may be given several times",
    )

    options.add_masking(parser)
    files = parser.add_argument_group("more files")
    files.add_argument(_MASK, metavar="FILE", help="the mask, a 1-bit PNG")
    files.add_argument(_REGION, metavar="FILE", help="every pixel that may differ (mask and ring), a 1-bit PNG")
    files.add_argument("--bundle", metavar="DIR", help="what `instructedit replay` makes the same bytes from again")
    files.add_argument(_COMPARISON, metavar="FILE", help="input, mask and output side by side")

    options.add_models(parser)
    options.add_llm(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> None:
    """Edits, writes what was asked for, and says what was done."""
    with working(output) as work:
        from agent.api import EditOverrides
        from agent.faces.request import masking_of
        from agent.faces.targets import Target, checked_targets
        from agent.provenance import signer_of
        from instructedit_models.imaging import default_output, load_image

        method = _method_of(args)
        loaded, notes = None, []
        if args.output is None:
            loaded = load_image(args.image)
            path, note = default_output(args.image, loaded)
            args.output = str(path)
            notes += [note] if note else []
        targets = checked_targets(
            [
                Target(_OUTPUT, args.output),
                Target(_MASK, args.save_mask, mask=True),
                Target(_REGION, args.save_region, mask=True),
                Target(_COMPARISON, args.comparison),
            ],
            source=Path(args.image),
            force=args.force,
        )
        if args.bundle is not None and targets[_OUTPUT].resolve() == Path(args.image).resolve():
            raise BadParameterError("--bundle keeps the input picture, so OUT must be another file.")
        signer = signer_of()
        loaded = loaded or load_image(args.image)
        fixed = EditOverrides(
            encoding_ratio=args.encoding_ratio,
            steps=args.steps,
            guidance_scale=args.guidance_scale,
            seed=args.seed,
            retries=args.retries,
            feather=args.mask_feather,
            masking=masking_of(args, loaded.image.size),
        )
        outcome = _edited(args, loaded, fixed, method, work)
        notes += _write(outcome, targets, work, signer)
        if args.bundle is not None and outcome.bundle is not None:
            from agent.bundle import with_input, write_bundle

            bundle, given = with_input(outcome.bundle, Path(args.image), targets[_OUTPUT])
            if signer is not None:  # a signature is made anew each time, so the file's bytes say nothing
                turn = bundle.turns[-1].model_copy(update={"output_sha256": None})
                bundle = bundle.model_copy(update={"turns": (*bundle.turns[:-1], turn)})
            with work.writing():
                write_bundle(Path(args.bundle), bundle, given)
    record = outcome.record | {"output": args.output, "mask": args.save_mask}
    record["warnings"] = [*record["warnings"], *notes]
    if args.save_region is not None:
        record["region"] = args.save_region
    if args.comparison is not None:
        record["comparison"] = args.comparison
    if args.bundle is not None:
        record["bundle"] = args.bundle
    output.result(record, _text(record))
    for warning in record["warnings"]:
        output.note(f"Note: {warning}")


def _method_of(args: argparse.Namespace) -> "Method | None":
    """The baseline that is asked for, or None for this project's own way."""
    own = args.method.strip().lower() == OURS
    if own and args.method_option:
        raise BadParameterError("--method-option belongs to another --method than this project's own.")
    if own:
        return None
    for flag, value in (
        ("--bundle", args.bundle), ("--retries", args.retries), ("--mask-feather", args.mask_feather)
    ):  # fmt: skip
        if value is not None:
            raise BadParameterError(f"{flag} cannot be used with --method {args.method}.")
    parameters = {}
    for option in args.method_option:
        name, equals, value = option.partition("=")
        if not equals:
            raise BadParameterError(f"--method-option takes KEY=VALUE, not {option!r}.")
        parameters[name] = value
    return make_method(args.method, parameters)


def _edited(
    args: argparse.Namespace, loaded: "LoadedImage", fixed: "EditOverrides", method: "Method | None", work: Work
) -> "EditOutcome":
    from agent.faces.request import model_set_of

    models = model_set_of(args)
    if method is None:
        from agent.api import edit_image

        return edit_image(
            loaded,
            args.instruction,
            models=models,
            llm=args.llm,
            options=fixed,
            yes=args.yes,
            progress=work.step,
            on_event=lambda event: _announce(event, work),
        )
    from agent.methods import edit_by_method

    return edit_by_method(loaded, args.instruction, method, models, llm=args.llm, options=fixed, progress=work.step)


def _announce(event: "Event", work: Work) -> None:
    """Names what the agent is about to do, before its first step is done."""
    from agent.events import Called
    from instructedit_models.types import Progress

    if isinstance(event, Called) and event.tool in _STAGES:
        work.step(Progress(_STAGES[event.tool], 0, 0))


def _write(
    outcome: "EditOutcome", targets: dict[str, Path], work: Work, signer: "Signer | None" = None
) -> tuple[str, ...]:
    """Writes each file whole; returns what the output's format could not hold."""
    from agent.faces.comparison import Captions, comparison
    from instructedit_models.imaging import save_image, save_mask

    record = outcome.record
    captions = Captions(
        record["instruction"], *(record[name] for name in ("input_caption", "segmentation_prompt", "edited_caption"))
    )
    with work.writing():
        if _MASK in targets:
            save_mask(outcome.mask, targets[_MASK])
        if _REGION in targets:
            save_mask(outcome.region, targets[_REGION])
        if _COMPARISON in targets:
            picture = comparison(outcome.loaded.image, outcome.mask, outcome.image, captions)
            save_image(picture, targets[_COMPARISON], None)
        return save_image(outcome.image, targets[_OUTPUT], outcome.loaded, outcome.provenance, signer)


def _text(record: dict[str, Any]) -> str:
    """What was done, for people."""
    lines = []
    if record["method"] != OURS:
        lines.append(f"Method:   {record['method']}, without check or retry")
    if record["described"]:
        lines.append(
            f"Looked at the picture ({record['why_described'] or 'the agent wanted to'}): {record['description']}"
        )
    for edit in record.get("edits") or [record]:
        regions = edit["regions"]
        if record["method"] == OURS:
            chosen = ", ".join(region["id"] for region in regions if region["chosen"]) or "all of it"
            lines.append(f"Selected: {edit['segmentation_prompt']} ({chosen} of {len(regions)} found)")
        if edit["edited_caption"]:
            change = f"{edit['input_caption']} -> {edit['edited_caption']}"
            lines.append(f"Edited:   {change} (r = {edit['encoding_ratio']:g})")
        if edit["kept_parts"]:
            lines.append(f"Kept:     {', '.join(edit['kept_parts'])}, of another colour than the rest")
        if edit["attempts"]:
            lines.append(f"Tried:    {len(edit['attempts'])} ways, since the first failed its check; the best was kept")
    check = "verified" if record["verified"] else "not verified"
    lines.append(
        f"Wrote {record['output']} ({check}; {record['unet_evaluations']} UNet evaluations, "
        f"{record['seconds'].get('total', 0.0):.1f} s)."
    )
    return "\n".join(lines)
