"""The kind of a mistake that was caught, after Med-HallMark (Chen et al., 2024).

``catastrophic``: the whole image misjudged, or an illness made up in an image in which no tool found any, or the wrong
organ. ``critical``: a finding denied, made up beside others, or a source misreported. ``attribute``: side, place,
size, number, severity, time or sureness. ``prompt-induced``: going along with a premise that was never given, such as
an earlier image. ``minor``: the kind of image and how it was made, or nothing clinical at all.
"""

from typing import Literal

from guardrails.findings import core, mentions_in
from guardrails.ledger import Ledger, cited_ids, without_citations
from guardrails.rules import rule, rule_list
from guardrails.statements import statements

Kind = Literal["catastrophic", "critical", "attribute", "prompt-induced", "minor"]

_MISREPORTED = frozenset({"passage", "verbatim", "order", "measured_change", "earlier", "case_label", "case_only"})
_ATTRIBUTES = frozenset({"laterality", "site", "severity", "time", "number", "certainty", "direction", "case_count"})


def kind_of(text: str, check: str, ledger: Ledger) -> Kind:
    """The kind of a sentence's mistake, given the check that it failed."""
    if check == "no_prior":
        return "prompt-induced"
    if check == "coverage":
        return "catastrophic"
    if check in _ATTRIBUTES:
        return "attribute"
    said = without_citations(text).lower()
    if rule("normal_labels").search(said) or any(pattern.search(said) for pattern in rule_list("well")):
        return "catastrophic"
    made = statements(text, [core(finding.label) for finding in ledger.findings.values()])
    if check == "polarity" and not _about_image(text, ledger):
        return "critical" if made else "minor"
    if made and any(one.stance != "absent" for one in made):
        found = any(finding.decision == "present" for finding in ledger.findings.values())
        return "critical" if found or not _about_image(text, ledger) else "catastrophic"
    if made or mentions_in(said):
        return "critical"
    return "critical" if check in _MISREPORTED else "minor"


def _about_image(text: str, ledger: Ledger) -> bool:
    """Whether a sentence speaks of the image: it cites a tool, or it cites nothing."""
    ids = cited_ids(text)
    return not ids or any(ledger.is_image(one) for one in ids)
