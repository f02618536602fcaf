"""Putting together a reply that was cut off and came in parts."""

from __future__ import annotations

import re

CONTINUE = (
    "Your reply was cut off. Continue exactly where it stopped, beginning with the very next character: "
    "repeat nothing, add no remark, open no new code fence."
)
LEAST_OVERLAP = 16
"""Characters that must agree before an overlap counts as a repetition, not as chance."""
MOST_OVERLAP = 4000
_FENCE = re.compile(r"^```", re.MULTILINE)
_OPENING = re.compile(r"\A\s*```[\w+-]+[ \t]*\n")


def join(first: str, second: str) -> str:
    """`first` continued by `second`, without what `second` repeats of it."""
    if len(_FENCE.findall(first)) % 2 == 1:
        second = _OPENING.sub("", second)
    return first + second[_overlap(first, second) :]


def _overlap(first: str, second: str) -> int:
    """Length of the longest end of `first` that `second` begins with; 0 where it is too short to mean anything."""
    for length in range(min(len(first), len(second), MOST_OVERLAP), LEAST_OVERLAP - 1, -1):
        if first.endswith(second[:length]) and len(second[:length].strip()) >= LEAST_OVERLAP:
            return length
    return 0
