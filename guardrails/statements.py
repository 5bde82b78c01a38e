"""What a sentence asserts, taken apart: one statement for each finding it names.

A statement is a finding with its stance, the words that qualify it (side, site, severity, time, certainty) and the
evidence ids that follow it. Clauses are cut first, so that a denial reaches no further than its own (after NegEx and
ConText: Chapman et al., 2001; Harkema et al., 2009).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from guardrails.findings import Stance, mentions_in, turned
from guardrails.ledger import CITATION, cited_ids
from guardrails.rules import rule

MARK = "¦"
"""Stands for a group of evidence ids in a sentence without them."""
TERM = "◆"
"""Stands for a finding's name while clauses are cut."""


@dataclass(frozen=True)
class Statement:
    """One finding in a sentence.

    ``form`` is the name as written and ``term`` its first name on the list; ``span`` is where it stands in the bare
    sentence. ``near`` is the text that qualifies it, ``clause`` its whole clause, both in lower case. ``ids`` is the
    group of evidence that follows it.
    """

    form: str
    term: str
    span: tuple[int, int]
    stance: Stance | None
    near: str
    clause: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A stretch of a sentence up to the evidence it cites."""

    text: str
    ids: tuple[str, ...]


def bare(text: str) -> tuple[str, list[tuple[str, ...]]]:
    """A sentence with ``¦`` for each group of ids, and the groups in order."""
    groups = [cited_ids(match[0]) for match in CITATION.finditer(text)]
    return CITATION.sub(f" {MARK} ", text), groups


def parts(text: str) -> list[Part]:
    """The stretches of a sentence, each with the ids it cites. What follows the last ids belongs to them."""
    said, groups = bare(text)
    pieces = said.split(MARK)
    if not groups:
        return [Part(said, ())]
    if not re.search(r"\w", pieces[0]) and len(pieces) > 1:
        pieces[:2] = [f"{pieces[0]} {pieces[1]}"]
    else:
        pieces[len(groups) - 1 :] = [" ".join(pieces[len(groups) - 1 :])]
    return [Part(piece, ids) for piece, ids in zip(pieces, groups, strict=False)]


def statements(text: str, labels: Iterable[str] = (), masked: Sequence[str] = ()) -> list[Statement]:
    """The statements of a sentence. ``labels`` are names to look for beside the list's; ``masked`` are names of
    models and measurements, which are no findings.
    """
    said, groups = bare(text)
    said = said.lower()
    for name in sorted(masked, key=len, reverse=True):
        said = re.sub(rf"\b{re.escape(name.lower())}\b", lambda match: "_" * len(match[0]), said)
    found = mentions_in(said, labels)
    clauses = _clauses(said, [(start, end) for start, end, _ in found])
    denied = rule("denial").search(said)
    cues = said
    for start, end, _ in found:
        if said[start - 1 : start] in ('"', "“"):  # a quoted name, such as "no tumour", denies nothing
            cues = cues[:start] + TERM * (end - start) + cues[end:]
    out = []
    for number, (start, end, term) in enumerate(found):
        left, right = next((a, b) for a, b in clauses if a <= start < b)
        others = [(a, b) for a, b, _ in found if left <= a < right and a != start]
        before, after = cues[left:start].replace(MARK, " "), cues[end:right]
        stance = _stance(before, _after_list(after, [(a - end, b - end) for a, b in others if a > end]))
        if denied and denied.end() <= start:
            stance = turned(stance)
        group = min(said[:start].count(MARK), len(groups) - 1)
        out.append(
            Statement(
                form=said[start:end],
                term=term,
                span=(start, end),
                stance=stance,
                near=_near(said, left, right, number, found),
                clause=said[left:right].replace(MARK, " "),
                ids=groups[group] if groups else (),
            )
        )
    return _with_contrasts(out)


def _with_contrasts(made: list[Statement]) -> list[Statement]:
    """The statements, where "in contrast to pneumonia, effusion is absent" says that there is pneumonia."""
    for place, one in enumerate(made[:-1]):
        before, after = (
            one.clause[: one.clause.rfind(one.form)],
            one.clause[one.clause.rfind(one.form) + len(one.form) :],
        )
        if rule("contrast").search(f"{before}{TERM}{after.strip()},"):
            following = made[place + 1].stance
            made[place] = replace(one, stance=turned(following) if following != "undecided" else None)
    return made


def loose_stance(text: str) -> Stance | None:
    """What a sentence that names no finding says of the one it cites: "It is absent", "The image is positive"."""
    said = bare(text)[0].lower().replace(MARK, " ").strip()
    if rule("hedge").search(said) or rule("hedge_more").search(said):
        return "undecided"
    if rule("denies").search(said):
        return "absent"
    return "present" if rule("exists").search(said) else None


def _clauses(said: str, terms: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches of a sentence in which a denial or a doubt holds."""
    shown = said
    for start, end in terms:
        shown = shown[:start] + TERM + "\0" * (end - start - 1) + shown[end:]
    squeezed, places = _squeeze(shown.replace(MARK, " "))
    cuts = {match.start() for match in rule("clause_end").finditer(squeezed)}
    for match in rule("new_clause").finditer(squeezed):
        begin = max((cut for cut in cuts if cut <= match.start()), default=0)
        if rule("verb").search(squeezed[begin : match.start()]):
            cuts.add(match.start())
    cuts |= {match.end() - 1 for match in rule("contrast").finditer(squeezed)}
    edges = [0, *sorted(places[cut] for cut in cuts), len(said)]
    return [(a, b) for a, b in pairwise(edges) if a < b] or [(0, len(said))]


def _squeeze(text: str) -> tuple[str, list[int]]:
    """The text without fill characters and doubled spaces, and where each character stood."""
    places = [i for i, char in enumerate(text) if char != "\0" and not (char == " " and text[i - 1 : i] == " ")]
    return "".join(text[i] for i in places), [*places, len(text)]


def _stance(before: str, after: str) -> Stance | None:
    whole = re.sub(r"\s+", " ", f"{before} {TERM} {after}")
    if rule("hedge").search(whole) or rule("hedge_more").search(whole):
        return "undecided"
    cues = rule("no_negation").sub(" ", rule("no_negation_more").sub(" ", before))
    if rule("not_absent").search(after):
        return "present"
    if any(rule(name).search(cues) for name in ("negation", "negation_more")):
        return "absent"
    if any(rule(name).search(after) for name in ("negation_after", "negation_after_more")):
        return "absent"
    if rule("compared_with").search(before) or (rule("scores").search(before) and rule("scored").search(after)):
        return None
    if rule("score_behind").search(after) and not rule("assertion").search(before):
        return None
    neutral = rule("neutral").search(before[-60:]) is not None
    if neutral and rule("low_after").search(after):
        return "absent"
    if neutral and (rule("high_before").search(before) or rule("high_after").search(after)):
        return "present"
    if neutral and not re.search(r"\b(?:is|are) (?:present|there|seen)\b", after):
        return None
    return "present"


def _after_list(after: str, others: list[tuple[int, int]]) -> str:
    """What is said behind a finding: past the rest of the list it is in, and up to the next finding."""
    text = after
    for start, end in others:
        text = text[:start] + TERM + "\0" * (end - start - 1) + text[end:]
    text = re.sub(r"\s+", " ", text.replace("\0", ""))
    listed = re.match(
        rf"(?:\s*{MARK}?\s*(?:,|and|or|nor|, and|, or)\s+(?:(?:for|of|an?|the|any|no|left|right)\s+)*{TERM})+", text
    )
    text = text[listed.end() :] if listed else text
    behind, following, _ = text.partition(TERM)
    return rule("next_term").sub("", behind) if following else behind


def _near(said: str, left: int, right: int, number: int, found: list[tuple[int, int, str]]) -> str:
    """The words around a finding that qualify it: up to its neighbours in the clause, or the joint between them."""
    start, end, _ = found[number]
    joint = rf"[,{MARK}]|\b(?:and|or|nor|with|without|but|while|than)\b"
    before, after = said[left:start], said[end:right]
    if number and found[number - 1][0] >= left:
        before = re.split(joint, said[found[number - 1][1] : start])[-1]
    if number + 1 < len(found) and found[number + 1][0] < right:
        after = re.split(joint, said[end : found[number + 1][0]])[0]
    return re.sub(r"\s+", " ", f"{before} {said[start:end]} {after}").strip()
