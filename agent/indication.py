"""What a request says of why the image was made: the indication of a report, in the request's own words."""

import re

from agent.question import pattern, understand

MOST = 3
"""Stretches of a request that are quoted."""
LONGEST = 240
"""Characters of one stretch; a longer one ends behind a word."""


def indication_in(request: str) -> tuple[str, ...]:
    """The stretches of a request that say more than "write a report", verbatim but for quotation marks.

    ``request`` has no identity in it, and no orders. "Write a report of a child with a cough." gives "a child with a
    cough"; a question such as "is there a pneumonia?" is an indication too, and keeps its mark.
    """
    from guardrails.sentences import split_sentences

    found = []
    for part in split_sentences(request):
        if understand(part).knowledge and not pattern("about_image").search(part):
            continue  # a question of the textbook
        rest = pattern("report_request").sub(" ", part, count=1)
        rest = re.sub(r"^[\s,.;:!?-]*(?:and|but|then|also|please)?\b[\s,.;:-]*", "", rest)
        lead = pattern("indication_lead").match(rest)
        rest = rest[lead.end() :] if lead else rest
        rest = _one_sentence(pattern("report_form").sub(" ", rest)) + ("?" if rest.rstrip().endswith("?") else "")
        if len(re.findall(r"[^\W\d_]{2,}", rest)) >= 1:
            found.append(rest)
    return tuple(found[:MOST])


def _one_sentence(text: str) -> str:
    """The text with nothing in it that ends a sentence or a quotation."""
    text = re.sub(r"[.!?\u2026]+(?=\s)", ",", re.sub(r'["\u201c\u201d\[\]]', " ", text))
    text = re.sub(r"\s+", " ", text).strip(" ,;:-").rstrip(".!?\u2026 ")
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0]
