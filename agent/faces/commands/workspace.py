"""`instructedit workspace list | show | export | delete | gc | verify`: the kept conversations, and their care."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import working
from instructedit_models.errors import BadParameterError

if TYPE_CHECKING:
    from tools.graph import Version
    from tools.maintenance import Fault
    from tools.workspace import Overview, Workspace

__all__ = ["configure"]


def configure(commands: Commands) -> None:
    """Adds `workspace` and its subcommands."""
    parser = commands.add_parser("workspace", help="list, show, export and look after the conversations that are kept")
    kinds = parser.add_subparsers(dest="workspace_command", metavar="COMMAND", required=True)

    listing = _subcommand(kinds, "list", "list the conversations")
    listing.set_defaults(run=run_list)

    show = _subcommand(kinds, "show", "show one conversation's versions as a tree")
    show.add_argument("conversation", help="its id, or the first digits of it")
    show.set_defaults(run=run_show)

    export = _subcommand(kinds, "export", "write one version as a picture, or a whole conversation as a folder")
    export.add_argument("conversation", help="its id, or the first digits of it")
    export.add_argument(
        "which",
        nargs="?",
        metavar="version",
        help="a number, an id, or what it was ('the tiger'); without it everything is written",
    )
    export.add_argument(
        "-o", "--output", required=True, metavar="PATH", help="a picture file, or a new folder for everything"
    )
    export.set_defaults(run=run_export)

    deleting = _subcommand(kinds, "delete", "delete whole conversations; `gc` then frees their files")
    deleting.add_argument("conversations", nargs="+", metavar="conversation", help="its id, or the first digits of it")
    deleting.add_argument("-y", "--yes", action="store_true", help="do not ask")
    deleting.set_defaults(run=run_delete)

    gc = _subcommand(kinds, "gc", "remove files that nothing names, left by interrupted and deleted work")
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    gc.set_defaults(run=run_gc)

    verify = _subcommand(kinds, "verify", "read every file and name what is missing or altered; exits 1 if anything is")
    verify.set_defaults(run=run_verify)


def run_list(args: argparse.Namespace, output: Output) -> None:
    """Lists the conversations, oldest first."""
    with working(output), _opened(args) as workspace:
        kept = workspace.overview()
        size = sum(path.stat().st_size for _, path in workspace.objects.stored()) + workspace.database.stat().st_size
        where = str(workspace.directory)
    lines = [_line(one) for one in kept]
    lines.append(f"{_count(len(kept), 'conversation')} in {where}, {_size(size)}.")
    payload = {"workspace": where, "bytes": size, "conversations": [_plain(one) for one in kept]}
    output.result(payload, "\n".join(lines))


def run_show(args: argparse.Namespace, output: Output) -> None:
    """Shows one conversation."""
    with working(output), _opened(args) as workspace:
        from tools.export import history

        conversation = workspace.conversation(args.conversation)
        versions, current = conversation.versions(), conversation.current_id
        payload = history(conversation)
    del payload["schema"]
    title = f"{conversation.id}: {_count(len(versions), 'version')}, {_count(len(payload['turns']), 'turn')}"
    output.result(payload, "\n".join([title, *_tree(versions, current)]))


def run_export(args: argparse.Namespace, output: Output) -> None:
    """Writes one version, or everything."""
    target = Path(args.output)
    with working(output) as work, _opened(args) as workspace:
        from agent.saving import save_conversation, save_version
        from tools.finding import find_version

        conversation = workspace.conversation(args.conversation)
        if args.which is None:
            with work.writing():
                files, warnings = save_conversation(conversation, target)
            image_id, text = None, f"Wrote {_count(len(files), 'file')} to {target}."
        else:
            image_id = find_version(conversation, args.which).id
            with work.writing():
                warnings = save_version(conversation, image_id, target)
            files, text = [target.name], f"Wrote {image_id} to {target}."
    payload = {"conversation": conversation.id, "version": image_id, "output": str(target), "files": files}
    output.result({**payload, "warnings": list(warnings)}, text)
    for warning in warnings:
        output.note(warning)


def run_delete(args: argparse.Namespace, output: Output) -> None:
    """Deletes conversations, all that were named or, where one of them is not there, none."""
    with output.silenced(), _opened(args) as workspace:
        ids = list(dict.fromkeys(workspace.conversation(one).id for one in args.conversations))
        kept = {one.id: one for one in workspace.overview()}
    lines = [_line(kept[one]) for one in ids]
    if not args.yes and not _agreed(lines, output):
        output.result({"deleted": [], "files": 0, "bytes": 0}, "Nothing was deleted.")
        return
    with working(output) as work, _opened(args) as workspace:
        from tools.maintenance import delete

        with work.writing():
            gone = [delete(workspace, one) for one in ids]
    files, size = sum(one.files for one in gone), sum(one.bytes for one in gone)
    text = f"Deleted {_count(len(gone), 'conversation')}; `instructedit workspace gc` frees {_count(files, 'file')}, "
    output.result({"deleted": ids, "files": files, "bytes": size}, f"{text}{_size(size)}.")


def _agreed(lines: list[str], output: Output) -> bool:
    """Whether the person at the terminal says yes to deleting what the lines tell of."""
    if output.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadParameterError("Deleting cannot be undone; give --yes where nobody can be asked.")
    output.ask("\n".join([*lines, "Delete for good, with every version and every word? [y/N] "]))
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def run_gc(args: argparse.Namespace, output: Output) -> None:
    """Removes files that nothing names."""
    with working(output) as work, _opened(args) as workspace:
        from tools.maintenance import collect

        with work.writing():
            gone = collect(workspace, args.dry_run)
    verb = "Would remove" if args.dry_run else "Removed"
    payload = {"dry_run": args.dry_run, "files": list(gone.files), "bytes": gone.bytes}
    output.result(payload, f"{verb} {_count(len(gone.files), 'file')}, {_size(gone.bytes)}.")


def run_verify(args: argparse.Namespace, output: Output) -> int:
    """Names what is missing or altered; exits 1 if anything is."""
    with working(output) as work, _opened(args) as workspace:
        from tools.maintenance import verify

        found = verify(workspace, work.step)
    lines = [_fault_line(fault) for fault in found.faults]
    unused = f"; {_count(found.unused, 'unused file')}, which `workspace gc` removes" if found.unused else ""
    if not found.faults:
        lines.append(f"All is well: {_count(found.objects, 'file')} as they should be{unused}.")
    else:
        lines.append(f"{_count(len(found.faults), 'fault')} in {_count(found.objects, 'file')}{unused}.")
    payload = {"ok": not found.faults, "objects": found.objects, "unused": found.unused}
    output.result({**payload, "faults": [dataclasses.asdict(fault) for fault in found.faults]}, "\n".join(lines))
    return 1 if found.faults else 0


def _subcommand(kinds: Commands, name: str, what: str) -> argparse.ArgumentParser:
    parser = kinds.add_parser(name, help=what)
    parser.add_argument(
        "--workspace", metavar="DIR", default=None, help="the folder of the workspace (default: INSTRUCTEDIT_WORKSPACE)"
    )
    options.add_common(parser)
    return parser


def _opened(args: argparse.Namespace) -> "Workspace":
    from agent.config import load_settings
    from tools.workspace import Workspace

    folder = args.workspace or load_settings().workspace
    if folder is None:
        raise BadParameterError("No workspace was named; give --workspace DIR or set INSTRUCTEDIT_WORKSPACE.")
    return Workspace(folder, create=False)


def _tree(versions: "list[Version]", current: str) -> list[str]:
    """One line per version, each after what it was made from, branches indented and with the name of their root."""
    from tools.finding import what_it_was

    children: dict[str | None, list[Version]] = {}
    for version in versions:
        children.setdefault(version.edit.parent_id if version.edit else None, []).append(version)
    lines: list[str] = []
    waiting = [(version, 0) for version in reversed(children.get(None, []))]
    above: str | None = None
    while waiting:
        version, depth = waiting.pop()
        mark = "*" if version.id == current else " "
        parent = version.edit.parent_id if version.edit else None
        branch = f" (from {parent})" if parent != above and parent is not None else ""
        source = f", {version.size[0]} x {version.size[1]}, {version.source or '-'}" if version.edit is None else ""
        lines.append(f"{mark} {'  ' * depth}{version.id}{branch}  {what_it_was(version)}{source}")
        first, *others = children.get(version.id, [None])
        waiting += [(child, depth + 1) for child in reversed(others) if child is not None]
        if first is not None:
            waiting.append((first, depth))
        above = version.id
    return lines


def _line(one: "Overview") -> str:
    """A conversation in a list."""
    return (
        f"{one.id}  {one.updated[:16].replace('T', ' ')}  {_count(one.versions, 'version'):>12}  "
        f"{_count(one.turns, 'turn'):>9}  {one.size[0]} x {one.size[1]}  {one.source or '-'}"
    )


def _fault_line(fault: "Fault") -> str:
    used = f"  used by {', '.join(fault.used_by)}" if fault.used_by else ""
    return f"{fault.kind:<9} {fault.what}{used}"


def _plain(one: Any) -> dict[str, Any]:
    values = dataclasses.asdict(one)
    return {**{name: value for name, value in values.items() if name != "current_id"}, "current": one.current_id}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
