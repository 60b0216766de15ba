"""`instructedit segment`: the mask of what a phrase means, and every candidate that was considered."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import working
from instructedit_models.errors import AmbiguousError, BadParameterError

if TYPE_CHECKING:
    from instructedit_models.grounding import Grounding

_OUTPUT, _OVERLAY = "--output", "--overlay"
_LONGEST_PHRASE = 500


def configure(commands: Commands) -> None:
    """Adds `segment`."""
    parser = commands.add_parser(
        "segment",
        help="write the mask of what a phrase means",
        epilog='example:\n  instructedit segment photo.jpg "the bigger red car" -o mask.png --overlay candidates.png',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", help="the picture")
    parser.add_argument("phrase", metavar="PHRASE", help="what to find, e.g. 'cat on the right', 'roof of the house'")
    parser.add_argument("-o", _OUTPUT, required=True, metavar="MASK", help="where to write the mask, a 1-bit PNG")
    parser.add_argument(_OVERLAY, metavar="FILE", help="the picture with all candidates, numbered")
    parser.add_argument("-y", "--yes", action="store_true", help="take the best candidate where several tie")
    options.add_models(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> None:
    """Finds, writes the mask, and lists the candidates."""
    phrase = args.phrase.strip()
    if not phrase or len(phrase) > _LONGEST_PHRASE:
        raise BadParameterError(f"The phrase must have 1 to {_LONGEST_PHRASE} characters, not {len(phrase):,}.")
    with working(output) as work:
        from agent.faces.overlay import overlay
        from agent.faces.request import model_set_of
        from agent.faces.targets import Target, checked_targets
        from instructedit_models.imaging import load_image, save_image, save_mask
        from instructedit_models.types import Progress
        from tools.regions import region_records

        targets = checked_targets(
            [Target(_OUTPUT, args.output, mask=True), Target(_OVERLAY, args.overlay)], source=Path(args.image)
        )
        loaded = load_image(args.image)
        models = model_set_of(args)
        work.step(Progress("load", 0, 0))
        grounded = models.grounded
        work.step(Progress("segment", 0, 0))
        grounding = grounded.segment(loaded.image, phrase)
        tied = tuple(grounding.ambiguous)
        if tied and not args.yes:
            raise AmbiguousError(
                f"'{phrase}' fits {len(tied)} things equally well ({_places(grounding, tied)}); "
                "say which one is meant, or pass --yes to take the best.",
                tied,
            )
        with work.writing():
            if _OVERLAY in targets:
                save_image(overlay(loaded.image, grounding.regions), targets[_OVERLAY], None)
            save_mask(grounding.mask, targets[_OUTPUT])
        records = region_records(grounding.regions, [None] * len(grounding.regions))
    warnings = list(loaded.warnings)
    if tied:
        warnings.append(f"'{phrase}' fits {len(tied)} things equally well; the best was taken.")
    payload: dict[str, Any] = {
        "mask": args.output,
        "overlay": args.overlay,
        "image_size": list(loaded.image.size),
        "phrase": phrase,
        "regions": [record.model_dump(mode="json", exclude={"mask_id"}) for record in records],
        "area": round(float(grounding.mask.mean()), 4),
        "note": grounding.note,
        "ambiguous": list(tied),
        "models": models.name,
        "warnings": warnings,
    }
    output.result(payload, _text(payload))
    for warning in warnings:
        output.note(f"Note: {warning}")


def _places(grounding: "Grounding", ids: tuple[str, ...]) -> str:
    from tools.regions import place

    size = (grounding.mask.shape[1], grounding.mask.shape[0])
    return ", ".join(f"{region.id} {place(region.box, size)}" for region in grounding.regions if region.id in ids)


def _text(payload: dict[str, Any]) -> str:
    lines = []
    for region in payload["regions"]:
        mark = "*" if region["chosen"] else " "
        box = ", ".join(f"{side:g}" for side in region["box"])
        lines.append(f"{mark} {region['id']:<3} {region['phrase']}  {region['score']:.2f}  box ({box})")
    if payload["note"]:
        lines.append(payload["note"])
    lines.append(f"Wrote {payload['mask']} ({payload['area']:.1%} of the picture).")
    return "\n".join(lines)
