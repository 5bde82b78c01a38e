"""The run's own identifiers: what the study's header said, matched exactly however it is written.

A value is taken apart into letters and digits, so that case, accents, separators and invisible
characters do not matter: ``Doe^Jane Q``, ``JANE Q. DOE``, ``jane_q_doe`` and ``J. Doe`` are one.
Nothing here is ever serialised.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import permutations
from typing import NoReturn

from guardrails.phi.dates import date_pattern, read_date
from guardrails.phi.folding import fold
from guardrails.phi.spans import Span, merge
from overread.packaged import packaged_text

KINDS = ("name", "id", "uid", "date", "phone", "email", "place", "facility", "account")
"""What kinds of identifiers there are."""
_GAP = 3
"""Most separators between two letters or digits of one value, as in ``Doe,  J``."""
_KEY = 3
_FEWEST_LETTERS = 4
_SURE_LETTERS = 7
_HOSPITAL = re.compile(
    r"hospi|sykehus|sjukhus|sygehus|sairaala|ziekenhuis|krankenhaus|klini[kc]|clini[qck]|universit|szpital|nemocnic|korhaz|bolnic|bolni[ck]"
    r"|sanator|medic|medis|radiolog|patholog|diagnost|center|centre|zentrum|rontgen|senter|legesenter|helse|sundhed|gesundheit"
)
"""Parts of words that mean a hospital, or what is done there, in the languages of Europe."""


class Identity:
    """The exact-match list of one run. Not thread-safe while values are added.

    Single words that medicine or English also uses ("brown", "chest", "test") match only as part
    of a longer value, so that clinical text keeps its words.
    """

    def __init__(self) -> None:
        self._forms: dict[str, tuple[str, bool]] = {}
        self._starts: dict[str, list[str]] = {}
        self._dates: dict[str, re.Pattern[str]] = {}
        self._added: dict[str, int] = {}

    def __repr__(self) -> str:
        counts = ", ".join(f"{kind}: {n}" for kind, n in sorted(self._added.items()))
        return f"Identity({counts})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an identity list is never serialised")

    def __len__(self) -> int:
        return sum(self._added.values())

    @property
    def longest(self) -> int:
        """The most characters a match can take, separators included."""
        return max((len(form) * (1 + _GAP) for form in self._forms), default=0)

    def add(self, value: str, kind: str) -> None:
        """Take a value into the list. ``kind`` is ``name``, ``id``, ``uid``, ``date``, ``phone``, ``email``,
        ``place``, ``facility`` or ``account``. Empty, short and purely clinical values are left out.
        """
        if kind not in KINDS:
            raise ValueError(f"no kind of identifier is called {kind!r}; use one of: {', '.join(KINDS)}")
        before = len(self._forms) + len(self._dates)
        if kind == "date":
            self._add_date(value)
        else:
            for form, cased in _FORMS.get(kind, _id_forms)(value):
                self._add_form(form, kind, cased)
        if len(self._forms) + len(self._dates) > before:
            self._added[kind] = self._added.get(kind, 0) + 1

    def include(self, other: "Identity") -> None:
        """Take in all that another list holds."""
        if other is self:
            return
        for form, (kind, cased) in other._forms.items():
            self._add_form(form, kind, cased)
        self._dates |= other._dates
        for kind, count in other._added.items():
            self._added[kind] = self._added.get(kind, 0) + count

    def find(self, text: str) -> list[Span]:
        """Where any of the values stand in a text, in order and without overlap."""
        if not self._forms and not self._dates:
            return []
        folded = fold(text)
        found = [Span(*folded.span(a, b), kind) for a, b, kind in self._forms_in(folded.text)]
        for pattern in self._dates.values():
            found += [Span(*folded.span(*match.span()), "date") for match in pattern.finditer(folded.text)]
        return merge(found)

    def _add_date(self, value: str) -> None:
        date = read_date(value)
        if date is not None:
            self._dates.setdefault(date.isoformat(), date_pattern(date))
            self._add_form(date.strftime("%Y%m%d"), "date", cased=False)

    def _add_form(self, form: str, kind: str, cased: bool) -> None:
        known = self._forms.get(form)
        if known is None:
            self._starts.setdefault(form[:_KEY], []).append(form)
        if known is None or (known[1] and not cased):
            self._forms[form] = (kind, cased)

    def _forms_in(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Matches over the letters and digits of ``text`` alone, each from the start to the end of a word."""
        at = [i for i, char in enumerate(text) if char.isalnum()]
        squeezed = "".join(text[i] for i in at).lower()
        if len(squeezed) != len(at):
            squeezed = "".join(text[i].lower()[0] for i in at)
        for start in range(len(squeezed) - _KEY + 1):
            forms = self._starts.get(squeezed[start : start + _KEY])
            if not forms or not _edge(text, at[start] - 1, at[start]):
                continue
            for form in forms:
                end = start + len(form)
                if not squeezed.startswith(form, start) or not _edge(text, at[end - 1], at[end - 1] + 1):
                    continue
                if any(b - a > _GAP + 1 for a, b in zip(at[start:end], at[start + 1 : end], strict=False)):
                    continue
                kind, cased = self._forms[form]
                if cased and not text[at[start]].isupper():
                    continue
                yield at[start], at[end - 1] + 1, kind


def _edge(text: str, before: int, after: int) -> bool:
    """Whether a word ends between two neighbouring characters: letter to digit counts, as in ``doe01``."""
    if before < 0 or after >= len(text):
        return True
    left, right = text[before], text[after]
    if not (left.isalnum() and right.isalnum()):
        return True
    return left.isdigit() != right.isdigit() or (left.islower() and right.isupper())


def _words(value: str) -> list[str]:
    return re.findall(r"[^\W_]+", fold(value).text.lower())


def _name_forms(value: str) -> Iterator[tuple[str, bool]]:
    """A person's name: all orders of its parts, with initials, and each part by itself."""
    for person in re.split(r"[=\\;]", value):
        parts = [word for word in _words(person) if word not in _titles()][:5]
        real = [part for part in parts if len(part) > 1]
        if not real or all(part in _common() for part in real):
            if len(real) > 1 and not all(part in _clinical() for part in real):
                yield "".join(real), False
            continue
        for size in range(2, min(len(parts), 4) + 1):
            for order in permutations(parts, size):
                yield from _long("".join(order))
        for whole in real:
            for other in parts:
                if other is not whole and len(whole) >= 3:
                    yield from ((form, True) for form, _ in _long(other[0] + whole))
                    yield from ((form, True) for form, _ in _long(whole + other[0]))
            if len(whole) >= 3 and whole not in _clinical():
                yield whole, whole in _common()


def _id_forms(value: str) -> Iterator[tuple[str, bool]]:
    """A number or code: its letters and digits, and its digits alone where they are many."""
    form = "".join(_words(value))
    if len(form) < 4 or form in _common() or len(set(form)) == 1 or re.fullmatch(r"(?:19|20)\d\d|1000", form):
        return
    if any(char.isdigit() for char in form) or len(form) >= 6:
        yield form, False
    digits = re.sub(r"\D", "", form).lstrip("0")
    if len(digits) >= 6:
        yield digits, False


def _place_forms(value: str) -> Iterator[tuple[str, bool]]:
    """A hospital or an address: the whole, and each of its comma-separated pieces."""
    for piece in (value, *re.split(r"[,\\^;]", value)):
        words = _words(piece)
        form = "".join(words)
        if len(form) >= 4 and not all(word in _common() or word.isdigit() for word in words):
            yield form, False


def _facility_forms(value: str) -> Iterator[tuple[str, bool]]:
    """A hospital: as a place, and each word by itself that tells which one it is ("Sundhagen" of "Sundhagen Sykehus").

    What the names of hospitals share, in several languages, tells nothing. A short word needs its capital letter.
    """
    yield from _place_forms(value)
    for word in _words(value):
        if len(word) >= _FEWEST_LETTERS and word.isalpha() and not is_generic(word):
            yield word, len(word) < _SURE_LETTERS


def is_generic(word: str) -> bool:
    """Whether a word, in lower case, tells of no hospital which one it is."""
    return word in _common() or word in _titles() or word in _facility_words() or _HOSPITAL.search(word) is not None


_FORMS = {"name": _name_forms, "place": _place_forms, "facility": _facility_forms}
"""How values of a kind are taken apart; those of any other kind are numbers and codes."""


def _long(form: str) -> Iterator[tuple[str, bool]]:
    if len(form) >= 4:
        yield form, False


def _word_list(name: str) -> Callable[[], frozenset[str]]:
    @lru_cache(maxsize=1)
    def read() -> frozenset[str]:
        text = packaged_text("guardrails.phi", f"data/{name}.txt")
        return frozenset(_not_comment(text.splitlines()))

    return read


def _not_comment(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("#"):
            yield from line.lower().split()


_titles = _word_list("titles")
_clinical = _word_list("clinical_words")
_english = _word_list("english_words")
_facility_words = _word_list("facility_words")
_nobody_words = _word_list("nobody_words")


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return _clinical() | _english()


def is_nobody(word: str) -> bool:
    """Whether a word, in lower case, is the name of no person and of no place."""
    return word in _nobody_words()


def is_clinical(word: str) -> bool:
    """Whether a word, in lower case, is one that medicine uses."""
    return word in _clinical()


def is_common(word: str) -> bool:
    """Whether a word, in lower case, is one that medicine or English also uses."""
    return word in _common()
