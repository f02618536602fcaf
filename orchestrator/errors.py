"""What can stop orch, as exceptions; each knows its exit code.

OrchError
├── BadInput          2  the user's input is wrong
├── Failed            1  the work could not be done
├── LimitReached      3  a budget or a provider's limit stopped it; resumable
├── EvidenceMissing   4  the evidence does not support the paper
└── Interrupted     130  the user stopped it; resumable
"""

from __future__ import annotations


class OrchError(Exception):
    """An error told to the user in one or two lines: what, where, how to mend."""

    exit_code = 1


class BadInput(OrchError):
    exit_code = 2


class Failed(OrchError):
    exit_code = 1


class LimitReached(OrchError):
    exit_code = 3


class EvidenceMissing(OrchError):
    exit_code = 4


class Interrupted(OrchError):
    exit_code = 130
