"""Whether a sentence says of similar cases only what they carry: how many there are, and how many have which label.

A label is evidence about a case that looks alike, never about the image that was asked about.
"""

import re
from collections.abc import Callable, Sequence

from guardrails.findings import mentioned
from guardrails.rules import rule
from overread.records import Case

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNT = rf"(?:{'|'.join(_WORDS)}|none|all|both|most(?!\s+(?:similar|alike))|\d{{1,2}})"
_OF = rf"(?:\s+(?:out\s+)?of\s+(?:the\s+)?(?:{_COUNT}|them|these|those|(?:similar\s+)?(?:cases|neighbou?rs))\b)?"
_CASES = r"(?:\s+(?:similar\s+)?(?:cases?|neighbou?rs?))?"
_LABEL = r"(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[a-z][^,;.\"]*?))"
_COUNTED = re.compile(
    rf"\b(?P<count>{_COUNT}){_OF}{_CASES}\s+(?:is|are|was|were|carry|carries|has|have|bears?)\s+"
    rf"(?:(?P<none>unlabell?ed|no\s+label)|(?:labell?ed|(?:the|a)\s+labels?)(?:\s+as|\s+of)?\s+{_LABEL})"
    rf"(?=\s*(?:,|;|\.|$|\band\s+{_COUNT}\b|\bwith\b))",
    re.IGNORECASE,
)
_CUE = (
    r"(?:\blabel(?:l?ed|s)?(?:\s*:|\s+(?:as|of|is|reads|was))?|\bcases?\s*[:—–]|\b(?:marked|filed|tagged|catalogued|recorded|stored|entered)\s+(?:as|under)|"
    r"\btagged|\bunder\s+the\s+heading(?:\s+of)?|\b(?:cases?|examples?|instances?|images?)\s+of)"
)
"""What stands before the label of a case."""
_LABEL_FIRST = re.compile(
    r"\b(?:an?|the|prior|previous|earlier|old|past|similar|stored)\s+(?:[\w-]+\s+){1,3}?(?=cases?\b)|"
    r"^(?:[\w-]+\s+){1,3}(?=(?:is|was)\s+(?:the|its|their)\s+label\b)",
    re.IGNORECASE,
)
"""A label before what it belongs to: "a pneumonia case", "Pneumonia is the label on …"."""
_LABELLED = re.compile(
    rf"{_CUE}\s+(?:\"[^\"]*\"|(?:[\w-]+\s+){{0,3}}?[\w-]+(?=\s*(?:[,;.(]|$|"
    r"\b(?:and|with|so|resembles?|resembling|looks?|looking|came|comes?|was|were|is|are|that|which|whose|matched|turned)\b)))",
    re.IGNORECASE,
)
_AMONG = re.compile(
    rf"\b(?:among|of)\s+(?:the\s+)?(?P<count>{_COUNT})\s+(?:(?:most|nearest|closest|similar|alike)\s+)*"
    rf"(?:cases?|neighbou?rs?)\b",
    re.IGNORECASE,
)
_ANY_COUNT = re.compile(r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|none|all|both|most|\d{1,2})\b", re.I)
_NO_COUNT = re.compile(
    r"\bmost\s+(?:similar|alike)\b|\balike\b|\bsimilarity\s+of\s+\d?\.\d+|\d?\.\d+|\bthe\s+one\s+case\b|"
    r"\b(?:this|that|the|another|stored|previous|earlier|similar|across|there(?:'s|\s+is)|was|among\s+them,?)\s+one\b|"
    r"\bone\s+(?=(?:labell?ed|tagged|filed|marked|recorded|that|which|with|whose|carrying|of\s+the)\b)",
    re.I,
)
UNLABELLED = "unlabelled"
"""The label of a case of which nothing is known but what kind of image it is."""


def wrong_about_cases(said: str, cases: Sequence[Case], alone: bool) -> str | None:
    """The check that a sentence fails, or ``None``. ``cases`` are those it cites, ``alone`` whether it cites only them.

    ``case_only``: it does not speak of cases, though these are all it cites. ``case_label``: it names a
    label that none of them carries, or a finding otherwise than as a label. ``case_count``: it counts wrongly, or in
    a way that cannot be checked.
    """
    said = re.sub(r"[“”]", '"', said)
    if alone and not rule("of_cases").search(said):
        return "case_only"
    if alone and (mentioned(_LABEL_FIRST.sub(" ", _LABELLED.sub(" ", said))) or rule("concludes").search(said)):
        return "case_label"
    labels = [case.label.casefold() for case in cases]
    if any(quote.casefold().strip() not in labels for quote in re.findall(r'"([^"]+)"', said)):
        return "case_label"
    for match in _COUNTED.finditer(said):
        named = UNLABELLED if match["none"] else str(match["quoted"] or match["bare"]).casefold().strip()
        exact = bool(match["none"] or match["quoted"])
        having = sum(label == named if exact else _covers(label, named) for label in labels)
        if not _counts(match["count"], len(labels))(having):
            return "case_count"
    for match in _AMONG.finditer(said):
        if not _counts(match["count"], len(labels))(len(labels)):
            return "case_count"
    rest = _NO_COUNT.sub(" ", _AMONG.sub(" ", _COUNTED.sub(" ", said)))
    return "case_count" if alone and _ANY_COUNT.search(rest) else None


def without_labels(said: str, cases: Sequence[Case]) -> str:
    """The sentence without the labels it gives to cases, which say nothing of the image."""
    words = {re.escape(word) for case in cases for word in case.label.casefold().split()} - {"and", "or"}
    if not words:
        return said
    label = rf'["“]?(?:(?:{"|".join(sorted(words, key=len, reverse=True))})(?![\w-])\s?)+["”]?'
    listed = rf"({_CUE})\s+{label}(?:(?:,|,?\s*\b(?:and|or)\b)\s*{label})*"
    return re.sub(listed, r"\1 ", said, flags=re.IGNORECASE)


def _covers(label: str, named: str) -> bool:
    """Whether a label has the words that a sentence names: "bacterial pneumonia" covers "pneumonia"."""
    if re.match(r"(?:no|not)\b", label) and not re.match(r"(?:no|not)\b", named):
        return False
    return re.search(rf"\b{re.escape(named)}\b", label) is not None


def _counts(word: str, total: int) -> Callable[[int], bool]:
    """What a count must be for a word to be true of it, out of ``total``."""
    word = word.lower()
    if word == "all":
        return lambda count: count == total
    if word == "both":
        return lambda count: count == total == 2
    if word == "most":
        return lambda count: 2 * count > total
    exact = 0 if word == "none" else _WORDS.index(word) if word in _WORDS else int(word)
    return lambda count: count == exact
