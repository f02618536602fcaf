"""Citations: the model says what is missing, a source is asked, orch writes the entry."""

from __future__ import annotations
