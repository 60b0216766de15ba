"""From a parsed command line to settings and a model set; the commands that run models share it."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.config import Settings
    from instructedit_models.model_sets import ModelSet

__all__ = ["model_set_of", "settings_of"]


def settings_of(args: argparse.Namespace) -> "Settings":
    """The environment's settings with what the command line says put before them.

    Raises:
        BadParameterError: a variable of the environment cannot be used.
    """
    from agent.config import load_settings

    given = {name: getattr(args, name, None) for name in ("models", "llm", "device")}
    return load_settings(**given)


def model_set_of(args: argparse.Namespace) -> "ModelSet":
    """The model set that the command line names; its models are loaded when they are first used.

    Raises:
        BadParameterError: there is no such set or device.
        ModelUnavailableError: the device is missing on this machine.
    """
    from instructedit_models.model_sets import load_model_set

    settings = settings_of(args)
    return load_model_set(settings.models, device=settings.device, dtype=settings.dtype)
