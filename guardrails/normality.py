"""Whether a sentence calls something normal, and whether a tool that looked carries that.

"The heart is not enlarged" needs cardiomegaly to be absent. "The study is normal" needs a tool whose label says
just that: a few findings that are absent do not make an image normal.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from guardrails.findings import same_finding
from guardrails.judgement import Judgement, contradicted, unsupported
from guardrails.rules import claim_rules, rule
from overread.records import Finding, label_words


def without_normality(said: str, findings: Sequence[Finding]) -> tuple[str, Judgement | None]:
    """The sentence without what it rightly calls normal, and what is wrong where it calls something so wrongly."""
    for pattern, needed in _patterns():
        match = pattern.search(said)
        if match is None:
            continue
        if "*" in needed:
            named = [one for one in findings if rule("normal_labels").search(label_words(one.label))]
        else:
            named = [one for one in findings if any(same_finding(need, one.label) for need in needed)]
            if len({need for need in needed for one in named if same_finding(need, one.label)}) < len(needed):
                return said, unsupported("coverage")
        good = "present" if "*" in needed else "absent"
        if not named:
            return said, unsupported("coverage")
        if any(one.decision != good for one in named):
            return said, contradicted("coverage")
        said = said[: match.start()] + " " + said[match.end() :]
    return said, None


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    return tuple((re.compile(text, re.IGNORECASE), tuple(needed)) for text, needed in claim_rules()["normality"])
