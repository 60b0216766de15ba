"""Whoever listens hears of a model that is being loaded, once, also in a thread that takes the context along."""

import contextvars
from concurrent.futures import ThreadPoolExecutor

from instructedit_models.loading import loading_told
from instructedit_models.model_sets import load_model_set
from instructedit_models.types import Progress


def test_a_listener_hears_of_each_model_once() -> None:
    import instructedit_models.loaders  # noqa: F401  # otherwise that is told of as well

    models, told = load_model_set("miniature", device="cpu"), []
    with loading_told(told.append), ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            pool.submit(contextvars.copy_context().run, lambda: models.scorer).result()
    assert told == [Progress("load", 0, 0)]
    models.release("scorer")
    assert models.scorer and len(told) == 1
