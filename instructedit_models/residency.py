"""Which models lie on the device, and when: all of them, one at a time, or one layer at a time.

A model set makes one `Residency` for all its models, so that those of different roles make room for each other. The
editor asks it by hand; the other roles are wrapped in `OnDevice` by the loaders.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch

from instructedit_models.errors import InstructEditError

__all__ = ["OFFLOADS", "Offload", "OnDevice", "Residency", "memory_told"]

Offload = Literal["none", "model", "sequential"]
OFFLOADS: tuple[Offload, ...] = get_args(Offload)

_CPU_SAYS = ("can't allocate memory", "not enough memory", "out of memory")


class Residency:
    """The places of a set's models; safe to share between threads.

    Attributes:
        device: where models compute.
        offload: "none": every model stays on the device; "model": each is in main memory and on the device only while
            it works, which takes as much of the device as the largest; "sequential": of the diffusion model one layer
            at a time is on the device, which is slow and takes very little of it (other roles as with "model").
    """

    def __init__(self, device: str | torch.device, offload: Offload = "none") -> None:
        self.device = torch.device(device)
        self.offload = offload
        self._on_device: Any = None
        self._lock = threading.RLock()

    def place(self, model: Any, *, by_layer: bool = False) -> Any:
        """Puts a model where it waits for its work.

        Args:
            model: a module.
            by_layer: whether it may be taken apart where the offload is sequential; it must then be called as a whole
                or by its submodules, never asked for its parameters.
        """
        if self.offload == "none":
            return model.to(self.device)
        if self.offload == "sequential" and by_layer:
            from accelerate import cpu_offload

            return cpu_offload(model.to("cpu"), execution_device=self.device, offload_buffers=True)
        return model.to("cpu")

    @contextmanager
    def using(self, model: Any) -> Iterator[None]:
        """While entered, the model is on the device; it stays there until another one needs the room."""
        if self.offload == "none" or hasattr(model, "_hf_hook"):
            yield
            return
        with self._lock:
            if self._on_device is not model:
                if self._on_device is not None:
                    self._on_device.to("cpu")
                self._on_device = model.to(self.device)
            yield

    def forget(self, model: Any = None) -> None:
        """Lets go of a model that is about to be released, or of whichever is on the device."""
        with self._lock:
            if model is None or self._on_device is model:
                self._on_device = None


class OnDevice:
    """A detector, segmenter, describer or scorer whose model is on the device only while a public method runs."""

    def __init__(self, role: Any, model: Any, residency: Residency) -> None:
        """Wraps a role.

        Args:
            role: what does the work; it must find the device by its model, not keep it.
            model: its module.
            residency: of the set.
        """
        self._role, self._model, self._residency = role, model, residency

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._role, name)
        if name.startswith("_") or not callable(value) or isinstance(value, torch.nn.Module):
            return value

        def working(*args: Any, **kwargs: Any) -> Any:
            with self._residency.using(self._model):
                return value(*args, **kwargs)

        return working


@contextmanager
def memory_told() -> Iterator[None]:
    """Turns the many ways of running out of memory into one sentence.

    Raises:
        InstructEditError: the memory did not suffice.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory() from error
    except RuntimeError as error:
        if any(words in str(error) for words in _CPU_SAYS):
            raise _out_of_memory() from error
        raise


def _out_of_memory() -> InstructEditError:
    return InstructEditError(
        "The memory of the device does not suffice; use --offload model, --attention-slicing, --models light or "
        "--device cpu."
    )
