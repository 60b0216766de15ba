"""The command line's grammar, without anything heavy: shared options and checked values.

`cli` and the command modules build on it. Usage errors become `BadParameterError`, so that they are shown like every
other error.
"""

import argparse
import math
import re
from typing import Any, NoReturn

from instructedit_models.errors import BadParameterError
from instructedit_models.limits import MAX_GUIDANCE_SCALE, MAX_RETRIES, MAX_RING, MAX_SEED, MAX_STEPS

__all__ = [
    "Commands",
    "Parser",
    "add_common",
    "add_door",
    "add_llm",
    "add_masking",
    "add_models",
    "add_retries",
    "encoding_ratio",
    "guidance_scale",
    "port",
    "retries",
    "seed",
    "steps",
    "worker_count",
]


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises BadParameterError with one sentence instead of printing usage and exiting."""

    def __init__(self, **settings: Any) -> None:
        # An abbreviation that works today means something else once a longer option comes.
        super().__init__(**({"allow_abbrev": False} | settings))

    def error(self, message: str) -> NoReturn:
        """Raises BadParameterError: what was wrong, and where the right usage stands."""
        message = re.sub(r"^argument (\S+): ", r"\1: ", message.rstrip("."))
        raise BadParameterError(f"{message[:1].upper()}{message[1:]}; see `{self.prog} --help`.")


Commands = argparse._SubParsersAction
"""What `configure` of a command module adds its parser to."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options of every command."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress bar and no words on success")
    group.add_argument("--debug", action="store_true", help="show library messages and tracebacks on stderr")


def add_models(parser: argparse.ArgumentParser) -> None:
    """Options of the commands that run models."""
    group = parser.add_argument_group("models")
    group.add_argument(
        "--models",
        metavar="SET",
        default=None,
        help="a model set by name, or a TOML file that describes one (default: miniature)",
    )
    group.add_argument("--device", metavar="NAME", default=None, help="auto, cpu, cuda, cuda:1 or mps (default: auto)")
    group.add_argument("--dtype", metavar="NAME", default=None, help="auto, float32, float16 or bfloat16")
    group.add_argument(
        "--offload",
        metavar="HOW",
        default=None,
        help="for less memory: model (one model on the device at a time) or sequential (one layer at a time, slow)",
    )
    group.add_argument("--attention-slicing", action="store_true", default=None, help="for less memory")
    group.add_argument("--compile", action="store_true", default=None, help="compile the UNet (slow to begin with)")
    group.add_argument("--solver", metavar="NAME", default=None, help="ddim, dpm++ or lcm (default: the set's, ddim)")


def add_llm(parser: argparse.ArgumentParser) -> None:
    """The choice of language model."""
    parser.add_argument(
        "--llm",
        metavar="SPEC",
        default=None,
        help="offline, smollm2, or openai:MODEL "
        "(default: openai where OPENAI_API_KEY or OPENAI_BASE_URL is set, else offline)",
    )


def add_retries(parser: argparse._ActionsContainer) -> None:
    """How hard to try where the check of an edit fails."""
    parser.add_argument(
        "--retries",
        type=retries,
        metavar="N",
        help="where an edit fails its check, up to N sweeps over other strengths and masks; 0 = none (default: 2, "
        "or 0 with --encoding-ratio)",
    )


def add_masking(parser: argparse.ArgumentParser) -> None:
    """A mask of the person's own, and what is done to the mask that is edited in."""
    group = parser.add_argument_group("the mask (invert, fill, keep, shrink, grow: in this order)")
    group.add_argument(
        "--mask",
        metavar="FILE",
        help="your own mask: white may be edited; a picture of the input's size, or the name of a saved mask",
    )
    group.add_argument(
        "--mask-mode",
        choices=["replace", "add", "subtract", "intersect"],
        default=None,
        help="how --mask meets what is found (default: replace)",
    )
    group.add_argument("--invert-mask", action="store_true", help="edit everything but the mask")
    group.add_argument("--fill-holes", action="store_true", help="add what the mask encloses")
    group.add_argument("--keep-largest", action="store_true", help="drop all but the mask's largest part")
    group.add_argument("--mask-shrink", type=pixels, metavar="N", default=0, help="take N pixels off its rim")
    group.add_argument("--mask-grow", type=pixels, metavar="N", default=0, help="add N pixels around it")
    group.add_argument("--mask-feather", type=pixels, metavar="N", help="blend over N pixels around it")


def add_door(parser: argparse._ActionsContainer, default_port: int) -> None:
    """Where a server listens, and whom it lets in; what is not given is None, see `request.door_of`."""
    parser.add_argument("--host", metavar="ADDRESS", help="default: 127.0.0.1; another one needs --token-file")
    parser.add_argument("--port", type=port, metavar="N", help=f"default: {default_port}; 0 takes one that is free")
    parser.add_argument(
        "--token-file", metavar="FILE", help="bearer tokens, one a line, each with a time (ISO 8601) if it ends"
    )
    parser.add_argument(
        "--allow-host", metavar="NAME", action="append", help="a name by which clients reach the server; repeatable"
    )


def port(text: str) -> int:
    """A port to listen on; 0 takes one that is free."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, not {_short(text)!r}")
    return int(text)


def pixels(text: str) -> int:
    """A number of pixels by which a mask is changed."""
    return _whole(text, 0, MAX_RING)


def seed(text: str) -> int:
    """A seed, from 0 up to the largest that torch takes."""
    return _whole(text, 0, MAX_SEED)


def steps(text: str) -> int:
    """A number of DDIM steps."""
    return _whole(text, 1, MAX_STEPS)


def encoding_ratio(text: str) -> float:
    """An encoding ratio r in (0, 1]."""
    value = _number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1, not {text!r}")
    return value


def guidance_scale(text: str) -> float:
    """A classifier-free guidance scale; 1 turns guidance off."""
    value = _number(text)
    if not 1 <= value <= MAX_GUIDANCE_SCALE:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MAX_GUIDANCE_SCALE}, not {text!r}")
    return value


def retries(text: str) -> int:
    """How often an edit that fails its check is swept over other parameters."""
    return _whole(text, 0, MAX_RETRIES)


def count(text: str) -> int:
    """A number of scenes, at least 1."""
    return _whole(text, 1, 1_000_000)


def worker_count(text: str) -> int:
    """A number of workers or threads."""
    return _whole(text, 1, 256)


def sheet_count(text: str) -> int:
    """A number of scenes that fits on one sheet."""
    return _whole(text, 1, 600)


def _whole(text: str, low: int, high: int) -> int:
    # int() itself refuses strings of thousands of digits, with a message about an interpreter setting.
    if not re.fullmatch(r"[+-]?\d{1,20}", text) or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, not {_short(text)!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, not {_short(text)!r}")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
