"""What the composer says of similar cases: how many there are and which labels they carry, and no more."""

from collections import Counter
from collections.abc import Iterator, Sequence

from agent.engines.phrases import count, listed, say
from agent.state import SeenFinding
from guardrails.neighbours import UNLABELLED
from overread.records import Case


def sentences(cases: Sequence[Case], findings: Sequence[SeenFinding], asked: bool) -> Iterator[str]:
    """Nothing, unless the question asks for similar cases, or most of them carry the label of a finding."""
    if not cases or not (asked or _supports(cases, findings)):
        return
    ids = ", ".join(case.id for case in cases)
    labels = Counter(case.label for case in cases).most_common()
    if len(cases) == 1:
        yield say("case_alone", label=_labelled(cases[0].label), ids=ids)
    else:
        groups = [
            f"{'all' if number == len(cases) else count(number)} {'is' if number == 1 else 'are'} {_labelled(label)}"
            for label, number in labels
        ]
        yield say("cases", n=count(len(cases)), groups=listed(groups, "and"), ids=ids)
    if any(label != UNLABELLED for label, _ in labels):
        yield say("alike")


def _labelled(label: str) -> str:
    return label if label == UNLABELLED else f'labelled "{label}"'


def _supports(cases: Sequence[Case], findings: Sequence[SeenFinding]) -> bool:
    """Whether more than half of the cases carry the label of a finding that is present."""
    present = [seen.finding.label.replace("_", " ").lower() for seen in findings if seen.finding.decision == "present"]
    words = [f" {case.label.lower()} " for case in cases if not case.label.lower().startswith(("no ", "not "))]
    return any(2 * sum(f" {label} " in word for word in words) > len(cases) for label in present)
