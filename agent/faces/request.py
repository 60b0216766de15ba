"""From a parsed command line to settings and a model set; the commands that run models share it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from agent.config import Settings
    from agent.faces.door import Door
    from instructedit_models.masks import MaskRules
    from instructedit_models.model_sets import ModelSet

__all__ = ["door_of", "given", "masking_of", "model_options_of", "model_set_of", "settings_of", "workspace_of"]


_MODEL_OPTIONS = ("device", "dtype", "offload", "attention_slicing", "compile", "solver")


def given(args: argparse.Namespace) -> dict[str, Any]:
    """What the command line says of models and language model, by the names of the settings; None for nothing."""
    return {name: getattr(args, name, None) for name in ("models", "llm", *_MODEL_OPTIONS)}


def model_options_of(args: argparse.Namespace) -> dict[str, Any]:
    """What the command line says of how models are run, without what it leaves out."""
    return {name: value for name, value in given(args).items() if name in _MODEL_OPTIONS and value is not None}


def settings_of(args: argparse.Namespace) -> "Settings":
    """The environment's settings with what the command line says put before them.

    Raises:
        BadParameterError: a variable of the environment cannot be used.
    """
    from agent.config import load_settings

    return load_settings(**given(args))


def model_set_of(args: argparse.Namespace) -> "ModelSet":
    """The model set that the command line names; its models are loaded when they are first used.

    Raises:
        BadParameterError: there is no such set or device.
        ModelUnavailableError: the device is missing on this machine.
    """
    from agent.config import load_models

    return load_models(**given(args))


def door_of(args: argparse.Namespace, default_port: int) -> "Door":
    """Where a server listens and whom it lets in, of `parser.add_door`.

    Raises:
        BadParameterError: another address than this machine's own without a token, or a file of tokens that is none.
    """
    from agent.faces.door import Door, read_tokens

    return Door(
        host="127.0.0.1" if args.host is None else args.host,
        port=default_port if args.port is None else args.port,
        tokens=() if args.token_file is None else read_tokens(Path(args.token_file)),
        names=tuple(args.allow_host or ()),
    )


def workspace_of(args: argparse.Namespace) -> Path:
    """Where conversations are kept: `--workspace`, else INSTRUCTEDIT_WORKSPACE, else a folder in the person's home.

    Raises:
        BadParameterError: a variable of the environment cannot be used.
    """
    if getattr(args, "workspace", None):
        return Path(args.workspace).expanduser()
    return settings_of(args).workspace or Path.home() / ".instructedit" / "workspace"


def masking_of(args: argparse.Namespace, size: tuple[int, int]) -> "MaskRules":
    """The rules for masks that the command line names, with the person's own mask read.

    Args:
        args: with the options of `parser.add_masking`.
        size: (width, height) of the picture.

    Raises:
        BadParameterError: --mask-mode without --mask.
        BadImageError, BadMaskError: the mask cannot be read, is empty, or has another size.
    """
    from agent.script_masks import MaskSettings
    from instructedit_models.errors import BadParameterError

    if args.mask is None and args.mask_mode is not None:
        raise BadParameterError("--mask-mode says how --mask meets what is found; give --mask too.")
    own = None if args.mask is None else _own_mask(args, size)
    return MaskSettings(**{name: getattr(args, name) for name in MaskSettings.model_fields}).rules(own)


def _own_mask(args: argparse.Namespace, size: tuple[int, int]) -> "np.ndarray":
    """A file, or where there is none of that name, a mask that was saved in the workspace."""
    from instructedit_models.errors import BadParameterError
    from instructedit_models.imaging import load_mask

    if Path(args.mask).exists() or Path(args.mask).suffix:
        return load_mask(args.mask, size)
    place, names = workspace_of(args), list[str]()
    if (place / "workspace.sqlite").is_file():
        from tools.own_masks import saved_mask_of, saved_names
        from tools.workspace import Workspace

        workspace = Workspace(place, create=False)
        try:
            saved = saved_mask_of(workspace, args.mask, size)
            names = saved_names(workspace)
        finally:
            workspace.close()
        if saved is not None:
            return saved
    known = f"the ones saved there are {', '.join(map(repr, names[:8]))}" if names else "none is saved there"
    raise BadParameterError(
        f"There is no file '{args.mask}', and no mask of that name for a picture of {size[0]} x {size[1]} pixels "
        f"in the workspace {place}; {known}."
    )
