"""Cores: how many there are to use, and how many torch takes for what one thread computes."""

import os

import torch


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_cores(count: int) -> None:
    """From now on torch takes so many cores for what the calling thread asks of it; 0 takes all."""
    # A thread that has not computed yet would take the number that any other thread asked for last.
    torch.get_num_threads()
    torch.set_num_threads(count or usable_cores())


def use_one_core() -> None:
    """From now on the calling thread computes by itself.

    Small operations gain nothing from a second core, and on busy cores they wait for it.
    """
    use_cores(1)
