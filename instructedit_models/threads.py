"""How many CPU threads the models use; the bytes of an edit may depend on it, so runs fix it and bundles record it."""

__all__ = ["threads_used", "use_threads"]


def use_threads(count: int) -> None:
    """Lets the models of this process use `count` CPU threads, 1 or more."""
    import torch

    torch.set_num_threads(count)


def threads_used() -> int:
    """CPU threads that the models of this process use."""
    import torch

    return int(torch.get_num_threads())
