"""What is best where there is more than one thing to want."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, ...]]) -> list[int]:
    """The places of the points that no other beats: is nowhere larger than, and somewhere smaller. Less is better in
    every coordinate; equal points beat none of each other."""

    def beaten(one: tuple[float, ...]) -> bool:
        return any(other != one and all(map(float.__le__, other, one)) for other in points)

    return [i for i, one in enumerate(points) if not beaten(one)]
