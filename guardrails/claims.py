"""Checks one sentence of an answer against the evidence it cites.

The checks read structure, not meaning: which ids are cited, whether they can carry such a sentence, and whether each
statement in it agrees with the records behind them. The names of the checks that decided stand in the claim, and
for a sentence that failed also the kind of its mistake. A sentence without evidence passes only as one of
the connective texts of ``data/claims.yaml``.
"""

import re

from guardrails.attributes import wrong_attribute
from guardrails.comparison import compared, wrong_about_change
from guardrails.disagreement import disagreeing
from guardrails.findings import Stance, core, same_finding, turned
from guardrails.hallucination import kind_of
from guardrails.judgement import Judgement, contradicted, unsupported
from guardrails.ledger import Ledger, cited_ids, joined_citations, without_citations
from guardrails.neighbours import without_labels, wrong_about_cases
from guardrails.normality import without_normality
from guardrails.numbers import Owner, numbers_agree
from guardrails.phi.folding import fold
from guardrails.quotation import is_quoted, wrong_quotation
from guardrails.rules import rule, rule_list
from guardrails.statements import TERM, Statement, bare, loose_stance, parts, statements
from guardrails.study import judge_of_request, without_unknowns, wrong_about_coverage, wrong_about_study
from guardrails.vocabulary import foreign_words
from overread.records import Claim, Finding, says_absence

_FIELD = (
    r"(?i)\s*;(?=\s*(?:status|result|call|decision|verdict|assessment|probability|score|confidence|likelihood)\s*:)"
)
"""What stands between the fields of one line: "Finding: pneumonia; status: absent"."""


def check_claim(claim_id: str, text: str, ledger: Ledger, raw: str | None = None) -> Claim:
    """The claim a sentence makes, judged. ``raw`` is the sentence before redaction, for quotations."""
    ids = cited_ids(text)
    judged = _judge(_plain(text), _plain(raw if raw is not None else text), ids, ledger)
    checks = judged.checks
    if judged.verdict in ("contradicted", "unsupported"):
        checks = (*checks, f"kind:{kind_of(text, judged.checks[0], ledger)}")
    return Claim(claim_id=claim_id, text=text, verdict=judged.verdict, evidence=ids, checks=checks)


def _judge(text: str, raw: str, ids: tuple[str, ...], ledger: Ledger) -> Judgement:
    of_request = None if ids else judge_of_request(raw, ledger)
    if of_request is not None:
        return of_request
    known = all(ledger.knows(one) for one in ids)
    image = tuple(one for one in ids if ledger.is_image(one))
    quoted = bool(ids) and known and not image and is_quoted(raw, ids, ledger)
    general = bool(ids) and not image and not about_image(text) and _is_general(text)
    compares = not quoted and not general and _speaks_of_prior(text)
    if compares and not ledger.changes:
        return unsupported("no_prior")
    if not ids:
        if is_connective(text):
            return wrong_about_coverage(text, ledger) or Judgement("not_checkable", ("connective",))
        return unsupported("evidence_id")
    if not known:
        return unsupported("known_id")
    said = without_citations(text)
    failed = _against_prior(said, compares, ids, ledger)
    if failed is not None:
        return failed
    checks = ["evidence_id", "known_id"]
    if not image:
        if quoted:
            return Judgement("supported", (*checks, "verbatim"))
        if rule("sources_differ").fullmatch(said.rstrip(".")):
            differing = disagreeing([(one, ledger.passages[one].text) for one in ids])
            return Judgement("supported", (*checks, "disagreement")) if differing else unsupported("disagreement")
        if about_image(said):
            return unsupported("image_needs_tool")
        failed = wrong_quotation(said, without_citations(raw), ids, ledger)
        return failed or Judgement("supported", (*checks, "passage"))
    if rule("caution").fullmatch(said.rstrip(".")):
        return Judgement("not_checkable", ("connective",))
    failed = _against_tools(text, ids, ledger) or wrong_about_study(said, ids, ledger)
    return failed or Judgement("supported", (*checks, "tool_evidence"))


def _against_tools(text: str, ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """What is wrong with a sentence that cites a tool, or ``None``."""
    for title in sorted(ledger.titles, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(title)}(?!\w)", "the model", text)
    findings = [ledger.findings[one] for one in ids if one in ledger.findings]
    failed = _against_cases(text, ids, ledger)
    if failed is not None:
        return failed
    names = [ledger.measurements[one].name for one in ids if one in ledger.measurements]
    made = statements(text, _labels(ids, ledger), names)
    of_image = without_labels(text, [ledger.cases[one] for one in ids if one in ledger.cases])
    claimed, failed = without_normality(of_image, findings)
    if failed is not None:
        return failed
    if rule("person_said").search(without_citations(text)):
        return unsupported("words")
    if names and not findings and rule("abnormal").search(text):
        return unsupported("coverage")
    if names and not findings and rule("severity").search(_without(text, names)):
        return unsupported("severity")
    owners = _measured(text, ids, ledger)
    for one in made:
        if one.ids and all(id in ledger.passages for id in one.ids):  # noqa: A001
            continue
        matched = _matched(one, one.ids, ledger) or _matched(one, ids, ledger)
        failed = _wrong(one, matched, ids, ledger)
        if failed is not None:
            return failed
        owners.append(Owner(one.span, tuple(finding.id for finding in matched) or one.ids))
    if made and all(one.stance == "present" for one in made) and _denies(text, made):
        return unsupported("polarity")
    if not made and all(one in ledger.domains for one in ids) and _denies(without_unknowns(text, ids, ledger), made):
        return contradicted("polarity")
    if not made and not findings and rule("denied_value").search(without_citations(text)):
        return contradicted("number")
    if not any(_matched(one, ids, ledger) for one in made):
        failed = _wrong_without_name(text, findings, ledger)
        if failed is not None:
            return failed
    said, groups = bare(text)
    counted = rule("counted").search(_shown(said, made)) and not any(one in ledger.cases for one in ids)
    if counted or not numbers_agree(said, groups, ledger, sorted(owners, key=lambda owner: owner.span)):
        return contradicted("number")
    comparing = bool(compared(ids, ledger))
    return _wrong_words(claimed, comparing, ledger) or (
        None if made or owners or claimed != of_image or comparing or _refers(said) else unsupported("words")
    )


def _against_prior(said: str, compares: bool, ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """What is wrong with how a sentence uses an earlier image, or ``None``."""
    if all(one in ledger.passages for one in ids) and not compares:
        return None
    earlier = [one for one in ids if one in ledger.earlier]
    if ledger.earlier and bool(earlier) != bool(rule("earlier_said").search(said)):
        return unsupported("earlier")
    if compares or (earlier and len(earlier) < len(ids)):
        failed = wrong_about_change(said, ids, ledger)
        if failed is not None:
            return contradicted(failed) if failed == "direction" else unsupported(failed)
    return None


def _against_cases(text: str, ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """What is wrong with what a sentence says of the similar cases it cites, or ``None``."""
    cases = [ledger.cases[one] for one in ids if one in ledger.cases]
    failed = wrong_about_cases(without_citations(text), cases, alone=len(cases) == len(ids)) if cases else None
    if failed is None:
        return None
    return contradicted(failed) if failed == "case_count" else unsupported(failed)


def _wrong(one: Statement, matched: list[Finding], ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """What is wrong with one statement, given the findings it names."""
    if not matched:
        return _wrong_likeness(one, ids, ledger)
    failed = None
    agreed = []
    for finding in _on_its_side(one, matched, ledger):
        stance = _of_label(one, finding.label)
        if stance in ("present", "absent") and finding.decision not in (stance, "indeterminate"):
            failed = failed or contradicted("polarity")
            continue
        wrong = wrong_attribute(one.near if stance != "undecided" else one.clause, stance, finding, ledger)
        agreed += [] if wrong else [finding]
        failed = failed or wrong
    return failed


def _of_label(one: Statement, label: str) -> Stance | None:
    """What a statement says of a label: the opposite, where it speaks of the tumour and the label is "no tumour"."""
    return turned(one.stance) if says_absence(label) != says_absence(one.form) else one.stance


def _wrong_likeness(one: Statement, ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """A finding that no cited tool speaks of may still be a similar case's label, or the kind of image."""
    kinds = [ledger.domains[id][0].lower() for id in ids if id in ledger.domains]  # noqa: A001
    cases = [ledger.cases[id].label for id in ids if id in ledger.cases]  # noqa: A001
    measured = " ".join(ledger.measurements[id].name.lower() for id in ids if id in ledger.measurements)  # noqa: A001
    named = re.search(rf"\b{re.escape(one.form)}\b", measured) is not None
    if (
        named
        and one.clause.count(one.form) == 1
        and re.search(rf"\b{re.escape(one.form)}(?:['’]s|\s+measure[sd]?)\b", one.clause)
    ):
        return None  # "The tumour measures 31 mm" speaks of what is measured, which has that name.
    if one.form in kinds or (rule("case_words").search(one.clause) and any(_names(one, label) for label in cases)):
        return contradicted("polarity") if one.stance == "absent" else None
    return unsupported("finding_match")


def _wrong_without_name(text: str, findings: list[Finding], ledger: Ledger) -> Judgement | None:
    """What is wrong with a sentence that speaks of the findings it cites without naming them."""
    stance = loose_stance(text)
    said = bare(text)[0].lower()
    for finding in findings:
        if {stance, finding.decision} == {"present", "absent"}:
            return contradicted("polarity")
        if says_absence(finding.label) and stance in ("present", "absent"):
            return unsupported("polarity")
        failed = wrong_attribute(said, stance, finding, ledger)
        if failed is not None:
            return failed
    return None


def _wrong_words(text: str, comparing: bool, ledger: Ledger) -> Judgement | None:
    """Whether each part of a sentence keeps to the words of what it cites, and passages say their part."""
    images = [words for words, _ in ledger.domains.values()]
    for part in parts(text):
        if all(one in ledger.passages for one in part.ids):
            failed = wrong_quotation(part.text, part.text, part.ids, ledger)
            if failed is not None:
                return failed
        elif foreign_words(
            rule("slice_counts").sub(" ", part.text),
            ledger.words_of(part.ids),
            images,
            _allowed(part.ids, comparing, ledger),
        ):
            return unsupported("words")
    return None


def _allowed(ids: tuple[str, ...], comparing: bool, ledger: Ledger) -> list[str]:
    """The lists of words whose use another check has looked at: of change, and of how many cases there are."""
    of_cases = all(one in ledger.cases for one in ids)
    return [name for name, fits in (("comparison", comparing), ("counts", of_cases)) if fits]


def _labels(ids: tuple[str, ...], ledger: Ledger) -> list[str]:
    """The names a sentence may mean beside those of the list: every finding's, every case's, the cited images'."""
    return [
        *(core(finding.label) for finding in ledger.findings.values()),
        *(core(case.label) for case in ledger.cases.values()),
        *(ledger.domains[one][0].lower() for one in ids if one in ledger.domains),
    ]


def _matched(one: Statement, ids: tuple[str, ...], ledger: Ledger) -> list[Finding]:
    """The cited findings that a statement names."""
    return [ledger.findings[id] for id in ids if id in ledger.findings and _names(one, ledger.findings[id].label)]  # noqa: A001


def _names(one: Statement, label: str) -> bool:
    return same_finding(one.term, label) or re.search(rf"\b{re.escape(one.form)}\b", core(label)) is not None


def _on_its_side(one: Statement, matched: list[Finding], ledger: Ledger) -> list[Finding]:
    """Of findings of one name on several sides, those on the side that is named; all of them when there is none."""
    named = [
        finding
        for finding in matched
        for side in ("left", "right", "bilateral")
        if side in one.near.split() and side in f"{finding.label} {ledger.sides.get(finding.id, '')}".lower()
    ]
    return named or matched


def _measured(text: str, ids: tuple[str, ...], ledger: Ledger) -> list[Owner]:
    """Where the sentence names the measurements it cites."""
    said = bare(text)[0].lower()
    named: dict[str, tuple[str, ...]] = {}
    for one in ids:
        if one in ledger.measurements:
            name = ledger.measurements[one].name.lower()
            named[name] = (*named.get(name, ()), one)
    places = {name: said.find(name) for name in named}
    return [Owner((at, at + len(name)), named[name]) for name, at in places.items() if at >= 0]


def _denies(text: str, made: list[Statement]) -> bool:
    """Whether a sentence holds a denial, of whatever it is, beside names such as "no tumour"."""
    said = _shown(bare(text)[0].lower(), made)
    if rule("not_absent").search(said) or rule("denial").search(said):
        return False
    return rule("negation").search(rule("no_negation").sub(" ", rule("no_negation_more").sub(" ", said))) is not None


def _shown(said: str, made: list[Statement]) -> str:
    """A bare sentence with ◆ for each letter of a finding's name."""
    for one in made:
        said = said[: one.span[0]] + TERM * len(one.form) + said[one.span[1] :]
    return said


def _without(text: str, names: list[str]) -> str:
    """A text without the names of measurements, which may hold such words as "large"."""
    for name in names:
        text = re.sub(re.escape(name), " ", text, flags=re.IGNORECASE)
    return text


def _refers(said: str) -> bool:
    """Whether a sentence that names no finding at least speaks of the model, the image or a number."""
    return any(rule(name).search(said) for name in ("model_words", "exists", "denies", "refers"))


def _plain(text: str) -> str:
    """The text without marks of lists and of emphasis, with single spaces, each run of citations as one group."""
    bare_text = re.sub(r"^\s*(?:[-*•>#]+|\d{1,2}[.)])\s+|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}", "", text)
    for pattern, instead in ((r"\s+", " "), (_FIELD, ","), (r", as (?:was|were|is|are) ", " and ")):
        bare_text = re.sub(pattern, instead, bare_text)
    return joined_citations(bare_text).strip()


def is_connective(text: str) -> bool:
    """Whether a sentence asserts nothing clinical: the whole of it is one of the known framing texts."""
    bare_text = re.sub(r"^[#>*\s-]+|[\s*:.!]+$", "", fold(text).text)
    return len(bare_text) <= 240 and (
        not bare_text or any(pattern.fullmatch(bare_text) for pattern in rule_list("connective"))
    )


def about_image(text: str) -> bool:
    """Whether a sentence speaks of this image or this patient, and not of such images in general."""
    if not any(pattern.search(text) for pattern in rule_list("about_image")):
        return False
    specific = re.search(r"\b(?:this|your|his|her)\b|\bthe patient\b|^there\b", text, re.IGNORECASE)
    return bool(specific) or not _is_general(text)


def _is_general(text: str) -> bool:
    return any(pattern.search(text) for pattern in rule_list("general"))


def _speaks_of_prior(text: str) -> bool:
    if not any(pattern.search(text) for pattern in rule_list("prior")):
        return False
    said = without_citations(text)
    return not (is_connective(said) and rule("no_prior_said").search(said))
