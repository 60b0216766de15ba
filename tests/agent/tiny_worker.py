"""Workers on the tiny models, for the tests of scripted runs; importable in processes and on a Ray cluster."""

import os
import signal
import time

from agent.batch_worker import JobWorker
from tests.tools.tiny_models import Painter, TinyModels


class Slow(Painter):
    """Takes its time, so that a run can be stopped in the middle."""

    def edit(self, image, mask, input_caption, edited_caption, options, progress=None):  # type: ignore[no-untyped-def]
        for _ in range(100):
            time.sleep(0.02)
            if progress:
                from instructedit_models.types import Progress

                progress(Progress("denoise", 1, 100))
        return super().edit(image, mask, input_caption, edited_caption, options, progress)


class Deadly(Painter):
    """Kills its process."""

    def edit(self, *arguments, **more):  # type: ignore[no-untyped-def]
        os.kill(os.getpid(), signal.SIGKILL)


def load(name: str) -> TinyModels:
    editors = {"miniature": Painter, "slow": Slow, "deadly": Deadly}
    return TinyModels(editor=editors[name]())


def make() -> JobWorker:
    return JobWorker(load)
