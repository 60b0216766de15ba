"""`instructedit world`: scenes of the miniature picture world, with their truth, and a contact sheet."""

import argparse
from pathlib import Path

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import working

FIRST_TEST_SEED = 9_000_000


def configure(commands: Commands) -> None:
    """Adds `world` and its two subcommands."""
    parser = commands.add_parser("world", help="sample scenes of the miniature picture world")
    kinds = parser.add_subparsers(dest="world_command", metavar="COMMAND", required=True)

    sample = kinds.add_parser(
        "sample",
        help="write pictures with masks, captions, referring expressions and true edits",
        epilog="Seeds 0-7,999,999 are for training, 8,000,000-8,999,999 for validation, from 9,000,000 on for tests.",
    )
    sample.add_argument(
        "--seed", type=options.seed, default=FIRST_TEST_SEED, help="the first seed (default: %(default)s)"
    )
    sample.add_argument("--n", type=options.count, default=1, metavar="N", help="how many scenes (default: 1)")
    sample.add_argument("-o", "--output", required=True, metavar="DIR", help="scene i goes to DIR/<seed + i>/")
    options.add_common(sample)
    sample.set_defaults(run=run_sample)

    sheet = kinds.add_parser("sheet", help="draw many scenes on one sheet")
    sheet.add_argument(
        "--seed", type=options.seed, default=FIRST_TEST_SEED, help="the first seed (default: %(default)s)"
    )
    sheet.add_argument("--n", type=options.sheet_count, default=24, metavar="N", help="how many scenes (default: 24)")
    sheet.add_argument("-o", "--output", required=True, metavar="FILE", help="the picture to write")
    options.add_common(sheet)
    sheet.set_defaults(run=run_sheet)


def run_sample(args: argparse.Namespace, output: Output) -> None:
    """Exports `--n` scenes from `--seed` on."""
    with working(output) as work:
        from instructedit_models.miniature.world import export

        folders = export(args.seed, args.n, args.output, work.step)
    payload = {"output": args.output, "seed": args.seed, "n": args.n, "scenes": [str(folder) for folder in folders]}
    scenes = "1 scene" if args.n == 1 else f"{args.n} scenes"
    output.result(payload, f"Wrote {scenes} to {args.output}.")


def run_sheet(args: argparse.Namespace, output: Output) -> None:
    """Draws `--n` scenes from `--seed` on onto one sheet."""
    with working(output) as work:
        from PIL import Image

        from agent.faces.contact_sheet import contact_sheet
        from instructedit_models.imaging import check_writable, save_image
        from instructedit_models.miniature.rendering import render
        from instructedit_models.miniature.world import sample_scene
        from instructedit_models.types import Progress

        target = Path(args.output)
        check_writable(target)
        pictures = []
        for number in range(args.n):
            pictures.append(Image.fromarray(render(sample_scene(args.seed + number)).image))
            work.step(Progress("export", number + 1, args.n))
        sheet = contact_sheet(pictures)
        with work.writing():
            save_image(sheet, target, None)
    payload = {"output": args.output, "seed": args.seed, "n": args.n, "image_size": list(sheet.size)}
    output.result(payload, f"Drew {args.n} scenes on {args.output}.")
