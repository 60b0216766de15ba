"""`instructedit models`: the model sets, what each component is, and whether its weights are here."""

import argparse
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import working

if TYPE_CHECKING:
    from instructedit_models.model_sets import ComponentStatus


def configure(commands: Commands) -> None:
    """Adds `models`."""
    parser = commands.add_parser("models", help="list the model sets: roles, sizes, licences, what is here")
    parser.add_argument("action", nargs="?", choices=["list"], default="list", metavar="list", help="the default")
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> None:
    """Lists every set that comes with the package, and the one that is set in the environment."""
    with working(output):
        from agent.faces.request import settings_of
        from instructedit_models.model_sets import load_model_set, model_set_names

        default = settings_of(args).models
        names = list(dict.fromkeys([*model_set_names(), default]))
        sets = [_described(name, load_model_set(name).status(), name == default) for name in names]
    output.result({"sets": sets}, "\n\n".join(_text(one) for one in sets))


def _described(name: str, components: "list[ComponentStatus]", default: bool) -> dict[str, Any]:
    return {
        "name": name,
        "default": default,
        "present": all(component.present for component in components),
        "bytes": sum(component.bytes for component in components if component.present),
        "download_bytes": sum(component.bytes for component in components if not component.present),
        "components": [
            {
                "role": component.role,
                "class": component.class_name,
                "where": str(component.where),
                "bytes": component.bytes,
                "present": component.present,
                "licence": component.licence,
            }
            for component in components
        ],
    }


def _text(described: dict[str, Any]) -> str:
    title = described["name"] + (" (default)" if described["default"] else "")
    state = f"all here, {_size(described['bytes'])}"
    if not described["present"]:
        state = f"{_size(described['bytes'])} here, {_size(described['download_bytes'])} to download on first use"
    lines = [f"{title}: {state}"]
    for one in described["components"]:
        mark = "here" if one["present"] else "missing"
        size = _size(one["bytes"]) if one["bytes"] else "-"
        lines.append(f"  {one['role']:<12} {mark:<8} {size:>9}  {one['class']}  {one['where']}  [{one['licence']}]")
    return "\n".join(lines)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
