"""`instructedit models`: the model sets, what each holds, what is here, and whether this machine can run them."""

import argparse
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import working
from instructedit_models.errors import BadParameterError, InstructEditError

if TYPE_CHECKING:
    from instructedit_models.model_sets import ComponentStatus, ModelSet

_EXAMPLES = """\
examples:
  instructedit models                      every set: roles, sizes, licences, what is here
  instructedit models check paper          does it fit this machine, and what is missing
  instructedit models pull paper           download what is missing; a second call goes on where the first broke off
"""


def configure(commands: Commands) -> None:
    """Adds `models`."""
    parser = commands.add_parser(
        "models",
        help="list, download and check the model sets: sizes, licences, what is here, what fits",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", nargs="?", choices=["list", "pull", "check"], default="list", help="default: list")
    parser.add_argument(
        "set", nargs="?", metavar="SET", help="a set by name, or a TOML file (default: all, or --models)"
    )
    parser.add_argument("--verify", action="store_true", help="check: compare checksums of what is here (reads it all)")
    options.add_models(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> int:
    """Lists, downloads or checks; `check` exits 1 where a set does not fit or a checksum is wrong."""
    if args.set is not None and args.models is not None and args.set != args.models:
        raise BadParameterError("The set was named twice, differently; leave --models out.")
    if args.set is not None:
        args.models = args.set
    return {"list": _list, "pull": _pull, "check": _check}[args.action](args, output)


def _list(args: argparse.Namespace, output: Output) -> int:
    """Every set that comes with the package, and the one that is set in the environment; or the one that is named."""
    with working(output):
        sets = [_described(name, models.status(), default) for name, models, default in _sets(args)]
    output.result({"sets": sets}, "\n\n".join(_text(one) for one in sets))
    return 0


def _pull(args: argparse.Namespace, output: Output) -> int:
    with working(output) as work:
        from agent.faces.request import model_set_of

        models = model_set_of(args)
        _require_room(models)
        pulled = [_component(one) for one in models.pull(work.step)]
        described = _described(models.name, models.status(), False)
    size = sum(one["bytes"] for one in pulled)
    text = f"{models.name}: downloaded {len(pulled)} of {len(described['components'])}, {_size(size)}; all is here."
    output.result({"set": described, "pulled": pulled}, text if pulled else f"{models.name}: all was here already.")
    return 0


def _check(args: argparse.Namespace, output: Output) -> int:
    with working(output):
        sets = [_checked(name, models, default, args.verify) for name, models, default in _sets(args)]
    output.result({"sets": sets}, "\n\n".join(_check_text(one) for one in sets))
    named = args.models is not None
    bad = [one for one in sets if one["wrong_checksums"] or ((named or one["default"]) and not one["fits"])]
    return 1 if bad else 0


def _sets(args: argparse.Namespace) -> "list[tuple[str, ModelSet, bool]]":
    from agent.faces.request import settings_of
    from instructedit_models.model_sets import load_model_set, model_set_names

    settings = settings_of(args)
    given = dict(settings.model_options)
    if args.models is not None:
        return [(args.models, load_model_set(args.models, **given), False)]
    if given["solver"] == "lcm":
        given["solver"] = "auto"  # not every set has weights for it
    names = dict.fromkeys([*model_set_names(), settings.models])
    return [(name, load_model_set(name, **given), name == settings.models) for name in names]


def _require_room(models: "ModelSet") -> None:
    from pathlib import Path

    from huggingface_hub import constants

    from instructedit_models.downloads import room_for

    missing = sum(one.bytes for one in models.status() if not one.present)
    if not room_for(missing, Path(constants.HF_HUB_CACHE)):
        raise InstructEditError(
            f"The disk of {constants.HF_HUB_CACHE} has no room for {_size(missing)}; free some, or set HF_HOME to a "
            "folder on a larger one."
        )


def _component(one: "ComponentStatus") -> dict[str, Any]:
    return {
        "role": one.role,
        "class": one.class_name,
        "where": str(one.where),
        "bytes": one.bytes,
        "present": one.present,
        "licence": one.licence,
    }


def _described(name: str, components: "list[ComponentStatus]", default: bool) -> dict[str, Any]:
    return {
        "name": name,
        "default": default,
        "present": all(component.present for component in components),
        "bytes": sum(component.bytes for component in components if component.present),
        "download_bytes": sum(component.bytes for component in components if not component.present),
        "components": [_component(component) for component in components],
    }


def _checked(name: str, models: "ModelSet", default: bool, verify: bool) -> dict[str, Any]:
    """A set as `list` has it, with its fit and, where asked for, its checksums."""
    described, fit = _described(name, models.status(), default), models.fit()
    return described | {
        "fits": fit.fits,
        "device": fit.plan.device,
        "dtype": fit.plan.dtype,
        "offload": fit.plan.offload,
        "memory": {"needed": fit.needed, "free": fit.free, "total": fit.total, "weights": dict(fit.roles)},
        "advice": fit.advice,
        "wrong_checksums": _wrong(models) if verify else [],
    }


def _wrong(models: "ModelSet") -> list[str]:
    from instructedit_models.downloads import checksum
    from instructedit_models.model_files import components_of, fetched

    wrong = []
    for component in components_of(models.recipe.components):
        place = fetched(component)
        if component.sha256 and place is not None and place.is_file():
            if not checksum(place).startswith(component.sha256):
                wrong.append(component.role)
    return wrong


def _text(described: dict[str, Any]) -> str:
    title = described["name"] + (" (default)" if described["default"] else "")
    state = f"all here, {_size(described['bytes'])}"
    if not described["present"]:
        state = f"{_size(described['bytes'])} here, {_size(described['download_bytes'])} to download on first use"
    lines = [f"{title}: {state}"]
    width = max(len(one["role"]) for one in described["components"])
    for one in described["components"]:
        mark = "here" if one["present"] else "missing"
        size = _size(one["bytes"]) if one["bytes"] else "-"
        lines.append(
            f"  {one['role']:<{width}} {mark:<8} {size:>9}  {one['class']}  {one['where']}  [{one['licence']}]"
        )
    return "\n".join(lines)


def _check_text(checked: dict[str, Any]) -> str:
    from instructedit_models.hardware import gib

    memory = checked["memory"]
    free = f"{gib(memory['free'])} of {gib(memory['total'])} free" if memory["total"] else "free memory unknown"
    how = f"{checked['dtype']}, offload {checked['offload']}"
    verdict = "fits" if checked["fits"] else "does not fit"
    lines = [f"{checked['name']}: {verdict} {checked['device']} ({how}): needs {gib(memory['needed'])}, {free}"]
    if checked["advice"]:
        lines.append(f"  {checked['advice']}")
    missing = [one["role"] for one in checked["components"] if not one["present"]]
    if missing:
        lines.append(
            f"  missing: {', '.join(missing)} ({_size(checked['download_bytes'])}); run `instructedit models pull"
        )
        lines[-1] += f" {checked['name']}`"
    if checked["wrong_checksums"]:
        lines.append(f"  wrong checksums: {', '.join(checked['wrong_checksums'])}; delete these files and pull again")
    return "\n".join(lines)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
