"""What a check says of a sentence."""

from dataclasses import dataclass

from overread.records import Verdict


@dataclass(frozen=True)
class Judgement:
    """A verdict and the check that gave it, or with ``supported`` all the checks that held."""

    verdict: Verdict
    checks: tuple[str, ...]


def contradicted(check: str) -> Judgement:
    """The evidence says otherwise."""
    return Judgement("contradicted", (check,))


def unsupported(check: str) -> Judgement:
    """The evidence does not say so."""
    return Judgement("unsupported", (check,))
