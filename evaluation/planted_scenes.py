"""Scenes for planted errors: the evidence of one made-up run, and the words that fill a sentence's slots.

Slots: ``p`` a finding that is present, ``a`` and ``b`` absent ones, ``u`` an undecided one, ``n`` one no tool looked
for; ``pi`` … their ids, ``pp``/``pd`` the probability in percent and as a decimal, ``pw``/``pdw`` wrong ones,
``plo``, ``phi``, ``wphi`` an interval's edges and a wrong one. ``si`` cites a finding with a ``side`` (``other`` is the
wrong one), ``vi`` one with a severity ``sev`` (``sevup`` is above it). ``m`` is a measurement: ``mv``, ``mvr``
(rounded), ``mw`` (wrong), ``mu``, ``mx`` (wrong unit); ``li`` cites a length or area that converts to ``mv2`` ``mu2``
(``mx2`` is off by ten). ``k`` is a similar case's label, ``dom`` the kind of image, ``S`` a passage.
"""

import math
import random
import re
from dataclasses import dataclass, field
from typing import Any

from guardrails.ledger import Ledger
from overread.records import Case, Change, Finding, Measurement, Passage, Region

SEVERITIES = ("mild", "moderate", "severe")
CONVERTED = {"mm": ("cm", 10.0), "mm2": ("cm2", 100.0)}
WRONG_UNIT = {"mm": "cm", "mm2": "cm2", "ml": "mm", "px": "mm", "ratio": "mm"}
OTHER_DOMAINS = ("mammogram", "chest X-ray", "MR image of the knee", "histology section", "carotid angiogram")
METHOD = "mask"


@dataclass
class Scene:
    """The evidence of one made-up run, and the words for its slots."""

    ledger: Ledger
    words: dict[str, str] = field(default_factory=dict)


def make_scene(kind: dict[str, Any], slots: set[str], passage: str, prior: bool, rng: random.Random) -> Scene:
    """A scene of one kind that can fill ``slots``. ``prior`` says whether one was given that
    shows the same, so that ``pi`` cites both.
    """
    ledger = Ledger()
    number = iter(rng.sample(range(1, 40), 20))
    words: dict[str, str] = {}

    def add(label: str, decision: Any, probability: float | None, side: str | None = None) -> str:
        one = f"F{next(number)}"
        spread = None if probability is None else (_down(probability), _up(probability))
        region = Region(box=(10, 10, 60, 60)) if side else None
        made = Finding(id=one, label=label, probability=probability, interval=spread, decision=decision, region=region)
        ledger.add_finding(made, kind["title"], side=side)
        return one

    domain_p = round(rng.uniform(0.9, 0.985), 3)
    ledger.add_domain(f"D{next(number)}", kind["domain"], domain_p)
    words.update(di=next(iter(ledger.domains)), dom=kind["domain"], dp=_percent(domain_p), dw=_percent(domain_p - 0.2))
    words["wdom"] = rng.choice([one for one in OTHER_DOMAINS if one != kind["domain"]])
    words.update(title=kind["title"], organ=kind["organ"], foreign=kind["foreign"], method=METHOD)

    names = rng.sample(kind["findings"], len(kind["findings"]))
    side, sev = rng.choice(["left", "right"]), rng.randrange(2)
    p, a, b = names[:3]
    u = names[3] if len(names) > 3 else b
    probability = round(rng.uniform(0.76, 0.92), 3)
    label, on = p, None
    if slots & {"side", "Side", "other", "Other", "si"}:
        label, on = (f"{side} {p}", None) if rng.random() < 0.5 else (p, side)
    if slots & {"sev", "sevup", "vi", "Sevup"}:
        label = f"{SEVERITIES[sev]} {p}"
    words.update(p=p, side=side, other="right" if side == "left" else "left", sev=SEVERITIES[sev])
    words["sevup"] = SEVERITIES[sev + 1]
    pi = add(label, "present", probability, on)
    if prior:
        before = f"F{next(number)}"
        ledger.add_finding(ledger.findings[pi].model_copy(update={"id": before}), kind["title"])
        ledger.add_earlier(before)
        ledger.add_change(Change(name=p, before=before, now=pi, direction="same"))
        pi = f"{before}, {pi}"
    words.update(pi=pi, si=pi, vi=pi, pp=_percent(probability), pd=f"{probability:.2f}")
    words.update(pw=_percent(probability - rng.choice([0.12, 0.25, 0.4])), pdw=f"{probability - 0.21:.2f}")
    words.update(plo=_percent(_down(probability)), phi=_percent(_up(probability)))
    words["wphi"] = _percent(min(_up(probability) + 0.03, 0.995))
    absent = [round(rng.uniform(0.02, 0.2), 3) for _ in range(2)]
    words.update(
        a=a,
        ai=add(a, "absent", absent[0]),
        ap=_percent(absent[0]),
        aw=_percent(absent[0] + 0.17),
        pp2=_percent(absent[0]),
    )
    words["ai2"] = pi
    if not (slots & {"u", "U", "ui", "up"} and u == b):
        words.update(b=b, bi=add(b, "absent", absent[1]))
    if slots & {"u", "U", "ui", "up"}:
        doubt = round(rng.uniform(0.35, 0.6), 3)
        words.update(u=u, ui=add(u, "indeterminate", doubt), up=_percent(doubt))
    words["n"] = rng.choice(kind["unlooked"])
    _measure(kind, slots, ledger, words, next(number), rng)
    like = rng.choice(kind["findings"])
    similarity = round(rng.uniform(0.6, 0.9), 3)
    words.update(ki=f"C{next(number)}", k=like, ks=f"{similarity:.2f}", kw=f"{similarity - 0.2:.2f}")
    words["kwl"] = rng.choice([one for one in kind["findings"] if one != like])
    ledger.add_case(Case(id=words["ki"], label=like, similarity=similarity))
    words["S"] = f"S{next(number)}"
    ledger.add_passage(Passage(id=words["S"], title="t", source="s", text=passage, score=0.9))
    return Scene(
        ledger, {**words, **{name.capitalize(): _capital(text) for name, text in words.items() if name.islower()}}
    )


def _measure(
    kind: dict[str, Any], slots: set[str], ledger: Ledger, words: dict[str, str], number: int, rng: random.Random
) -> None:
    choices = [entry.split("/") for entry in kind["measures"]]
    if slots & {"li", "mv2", "mx2", "mu2"}:
        choices = [one for one in choices if one[1] in CONVERTED] or [["longest diameter", "mm"]]
    name, unit = rng.choice(choices)
    value = round(rng.uniform(0.4, 0.7), 3) if unit == "ratio" else round(rng.uniform(6, 90), 2)
    if unit in ("mm2", "px"):
        value = round(value * rng.uniform(3, 8), 1)
    one = f"M{number}"
    ledger.add_measurement(Measurement(id=one, name=name, value=value, unit=unit, method=METHOD))
    digits = 2 if unit == "ratio" else 1
    shown = {"ratio": "", "mm2": "mm²"}.get(unit, unit)
    words.update(m=name, mi=one, li=one, mv=f"{value:.{digits}f}", mu=shown, mvr=f"{value:.{digits - 1}f}")
    wrong = WRONG_UNIT.get(unit, "mm")
    words["mw"] = f"{value * rng.choice([0.6, 1.3, 2.0]):.{digits}f}"
    words["mx"] = {"cm2": "cm²"}.get(wrong, wrong)
    step = 10.0**-digits
    words.update(mvdown=f"{math.floor(value / step) * step:.{digits}f}", mvup=f"{value * 1.2:.{digits}f}")
    if unit in CONVERTED:
        other, factor = CONVERTED[unit]
        words.update(
            mu2={"cm2": "cm²"}.get(other, other), mv2=f"{value / factor:.2f}", mx2=f"{value / factor * 10:.2f}"
        )


def fill(template: str, words: dict[str, str]) -> str:
    """The sentence that a template gives, with its articles put right."""
    text = re.sub(r"\{(\w+)\}", lambda match: words[match[1]], template)
    text = re.sub(r"\s+([.,;:)\]])", r"\1", re.sub(r"  +", " ", text))
    return re.sub(r"\b([Aa]) (?=[aeiou]|MR |X-)", r"\1n ", text)


def slots_of(template: str) -> set[str]:
    """The names of a template's slots."""
    return set(re.findall(r"\{(\w+)\}", template))


def _percent(probability: float) -> str:
    return f"{probability * 100:.0f} %"


def _down(probability: float) -> float:
    return max(round(probability - 0.06, 3), 0.0)


def _up(probability: float) -> float:
    return min(round(probability + 0.04, 3), 1.0)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
