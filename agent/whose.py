"""Whether two studies can be of one patient, and which was made first: known while they are read, and kept nowhere.

Of names and numbers there are only keyed hashes, whose key lives as long as the process.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

    from tools.imaging.study import HeaderStripper

_KEY = secrets.token_bytes(32)


@dataclass
class Whose:
    """What the headers of one study say of its patient and its date. Empty for a study without headers."""

    _ids: set[str] = field(default_factory=set, repr=False)
    _names: set[str] = field(default_factory=set, repr=False)
    _births: set[str] = field(default_factory=set, repr=False)
    _dates: set[str] = field(default_factory=set, repr=False)

    def watching(self, stripper: "HeaderStripper") -> "HeaderStripper":
        """A stripper that does what ``stripper`` does, and lets this object see each header first."""
        return _Watched(self, stripper)

    def see(self, header: "Dataset") -> None:
        """Remember whose a header is."""
        for known, keyword in ((self._ids, "PatientID"), (self._births, "PatientBirthDate")):
            known.update(_hashed(_text(header, keyword)))
        self._names.update(_hashed(" ".join(sorted(re.findall(r"\w+", _text(header, "PatientName").casefold())))))
        for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
            date = re.sub(r"\D", "", _text(header, keyword))[:8]
            if len(date) == 8:
                self._dates.add(date)
                break

    def another_patient(self, other: "Whose") -> bool:
        """Whether the two surely are of two patients: by ID, else by name; or by birth date."""
        if self._births and other._births and not self._births & other._births:
            return True
        if self._ids and other._ids:
            return not self._ids & other._ids
        return bool(self._names and other._names and not self._names & other._names)

    def later_than(self, other: "Whose") -> bool:
        """Whether this study was surely made on a later day than ``other``."""
        return bool(self._dates and other._dates and min(self._dates) > max(other._dates))


class _Watched:
    def __init__(self, whose: Whose, stripper: "HeaderStripper") -> None:
        self._whose, self._stripper = whose, stripper

    def dataset(self, dataset: "Dataset") -> "Dataset":
        self._whose.see(dataset)
        return self._stripper.dataset(dataset)

    def metadata(self, values: Mapping[str, str]) -> None:
        self._stripper.metadata(values)


def _text(header: "Dataset", keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None or isinstance(value, bytes) else str(value).strip()


def _hashed(text: str) -> set[str]:
    return {hmac.new(_KEY, text.encode(), hashlib.sha256).hexdigest()} if text else set()
