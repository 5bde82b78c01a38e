"""Whether a sentence that compares with an earlier image says what was measured, and the right way round."""

import re

from guardrails.ledger import Ledger
from guardrails.numbers import number_is_of
from guardrails.rules import rule
from overread.records import Change

_THEN = re.compile(r"\bwas\s+(?P<said>[^,;]*?)(?=\s+(?:in|on|at|then|before|and)\b|[,;]|\.(?!\d)|$)", re.IGNORECASE)
_NOW = re.compile(
    r"\bis\s+(?:now\s+)?(?P<said>(?:less than |more than )?\d[^,;]*?)(?=\s+(?:in|on|now|today)\b|[,;:]|$)", re.I
)


def wrong_about_change(said: str, ids: tuple[str, ...], ledger: Ledger) -> str | None:
    """The check that a comparison fails, or ``None``. ``said`` is the sentence without its evidence ids.

    ``no_prior``: nothing was measured in an earlier image. ``measured_change``: it does not cite both values of
    a change, or it judges ("improved") where only numbers were measured. ``direction``: it says that
    something grew which shrank, or the like; or it gives the one value for the other.
    """
    if not ledger.changes:
        return "no_prior"
    changes = compared(ids, ledger)
    both = {one for change in changes for one in (change.before, change.now)}
    loose = [one for one in ids if one not in both and (one in ledger.findings or one in ledger.measurements)]
    if not changes or loose or rule("change_judged").search(said):
        return "measured_change"
    directions = {change.direction for change in changes}
    if not _directions(said) <= directions:
        return "direction"
    if len(changes) == 1 and not _in_order(said, changes[0], ledger):
        return "direction"
    return None


def compared(ids: tuple[str, ...], ledger: Ledger) -> list[Change]:
    """The measured changes of which both values are cited."""
    return [change for change in ledger.changes if change.before in ids and change.now in ids]


def _directions(said: str) -> set[str]:
    """The directions a sentence tells: what is denied to have grown or shrunk counts as the same."""
    found = {"same"} if rule("change_same").search(said) else set()
    rest = rule("change_same").sub(" ", said)
    if rule("change_higher").search(rest):
        found.add("higher")
    if rule("change_lower").search(rest):
        found.add("lower")
    return found


def _in_order(said: str, change: Change, ledger: Ledger) -> bool:
    """Whether the value that "was" is the earlier one, and the value that "is" this one's."""
    for pattern, one in ((_THEN, change.before), (_NOW, change.now)):
        match = pattern.search(said)
        if match is not None and not number_is_of(match["said"], one, ledger):
            return False
    return True
