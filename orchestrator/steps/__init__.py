"""The mechanics of the protocol's steps. `loop.py` says in which order they happen and why."""
