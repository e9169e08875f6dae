"""What would not fit is refused before it is made."""

import math
import os

import torch

from ctr.errors import UserError

BYTES = 12  # a weight and the two moments that Adam keeps of it; a pair's bucket and its value
MAX_PAIRS = 100_000


def check_weights(num_weights: int, what: str, remedy: str) -> None:
    """Raises UserError where so many weights, trained by Adam, would not fit into this machine's memory. `what` they
    are and its `remedy` go into the message. On the meta device weights take no memory."""
    needed, there = BYTES * num_weights, machine_memory()
    if needed > there and torch.get_default_device().type != "meta":
        raise UserError(
            f"{what}: {num_weights:,} weights take {needed / 1e9:,.1f} GB with Adam's two moments, and this machine "
            f"has {there / 1e9:,.1f} GB; {remedy}"
        )


def check_pairs(num_pairs: int, what: str, remedy: str) -> None:
    """Raises UserError where an example has more pairs than any batch can hold."""
    if num_pairs > MAX_PAIRS:
        raise UserError(
            f"{what}: {num_pairs:,} pairs an example take at least {num_pairs * 4096 * BYTES / 1e9:,.1f} GB in a batch "
            f"of 4,096, and at most {MAX_PAIRS:,} pairs are taken; {remedy}"
        )


def machine_memory() -> float:
    """In bytes; infinite where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf
