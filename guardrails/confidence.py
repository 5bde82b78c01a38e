"""How sure an answer is: the probability that every claim shown about the image is right.

Each finding shown as present is right with its calibrated probability p, each shown as absent with 1 - p, and
each domain shown with the domain's probability. Taken as independent, they multiply. A finding shown as
undecided asserts nothing that could be wrong. Textbook sentences are quotations and are not counted.
"""

import math
from collections.abc import Iterable

from overread.records import Finding


def answer_confidence(findings: Iterable[Finding], domains: Iterable[float] = ()) -> float | None:
    """The product over what was asserted, in [0, 1], or ``None`` when nothing calibrated was asserted.

    ``findings`` are those that the shown claims cite, ``domains`` the calibrated probabilities of the
    domains they cite. A finding that is shown as decided without a calibrated probability makes it ``None``.
    """
    factors = list(domains)
    for finding in findings:
        if finding.decision == "indeterminate":
            continue
        if finding.probability is None:
            return None
        factors.append(finding.probability if finding.decision == "present" else 1 - finding.probability)
    return math.prod(factors) if factors else None
