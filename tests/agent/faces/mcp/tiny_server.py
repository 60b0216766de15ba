"""`instructedit mcp` as a process, with the tiny models in place of a model set: `python -m …tiny_server [OPTIONS]`."""

import sys
import time
from types import SimpleNamespace
from typing import Any

from agent import config
from agent.faces.cli import main
from tests.tools.tiny_models import Painter, TinyModels


class SlowPainter(Painter):
    """Takes a second for an edit, and prints where no library should."""

    def edit(self, image: Any, mask: Any, *rest: Any) -> Any:
        print("a library speaks on stdout")
        *captions, options, progress = rest

        def slowed(step: Any) -> None:
            time.sleep(0.04)
            if progress:
                progress(step)

        return super().edit(image, mask, *captions, options, slowed)


def tiny(*_: object, **__: object) -> TinyModels:
    models = TinyModels(editor=SlowPainter())
    models.recipe = SimpleNamespace(components={})  # type: ignore[attr-defined]
    return models


if __name__ == "__main__":
    config.load_models = tiny  # type: ignore[assignment]
    sys.exit(main(["mcp", *sys.argv[1:]]))
