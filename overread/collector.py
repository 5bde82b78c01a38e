"""When Python looks for garbage: seldom while a process loads what stays, as usual when it serves, never at its end.

Nearly all that a process makes in its first seconds are modules and classes. To go through them again and again makes a
question in a new process a second slower, and to take them apart at its end another.
"""

import gc

USUAL = (700, 10, 10)
LOADING = (20_000, 10, 10)
"""New objects before the youngest are looked at, and how often that before the older ones are."""


def loading() -> None:
    """To be called when a command begins."""
    gc.set_threshold(*LOADING)


def loaded() -> None:
    """To be called when a server is ready: what is there now stays, and is not gone through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*USUAL)


def ending() -> None:
    """To be called right before a process ends: what is left goes with it."""
    gc.freeze()
