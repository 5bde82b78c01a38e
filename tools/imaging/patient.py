"""Whether the files of one folder are all of one patient. Two people are never made into one study."""

import re

from pydicom import Dataset

from tools.errors import UnreadableStudyError

_Loose = tuple[str, str, str]


class OnePatient:
    """Is shown every header; raises as soon as two cannot be of the same patient.

    Two different Patient IDs are two patients. A file without one belongs to the others by the
    patient's name (and birth date, where both state it), or else by the Study Instance UID; a file of
    which nothing says whose it is makes the whole folder an error. Holds identity, so it is not to be kept.
    """

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._names: set[str] = set()
        self._births: set[str] = set()
        self._studies: set[str] = set()
        self._loose: set[_Loose] = set()

    def add(self, header: Dataset, has_picture: bool) -> None:
        """Raises ``UnreadableStudyError`` for a second Patient ID. Without a picture, only the ID is looked at."""
        identifier = _text(header, "PatientID")
        entry = (_name(header), _text(header, "PatientBirthDate"), _text(header, "StudyInstanceUID"))
        if identifier:
            self._ids.add(identifier)
            self._know(entry)
        elif has_picture:
            self._loose.add(entry)
        if len(self._ids) > 1:
            raise UnreadableStudyError("The files are of more than one patient; give the files of one.")

    def check(self) -> None:
        """Raises ``UnreadableStudyError`` when a file without a Patient ID is not surely of the same patient."""
        loose = sorted(self._loose, reverse=True)
        if not self._ids and loose:
            # No file states an ID: one with a name, if there is one, stands for the patient.
            self._know(loose.pop(0))
        if not all(self._belongs(*entry) for entry in loose):
            raise UnreadableStudyError(
                "It is not certain that the files are all of one patient: some state no patient ID; "
                "give the files of one study."
            )

    def _know(self, entry: _Loose) -> None:
        for known, value in zip((self._names, self._births, self._studies), entry, strict=True):
            if value:
                known.add(value)

    def _belongs(self, name: str, birth: str, study: str) -> bool:
        if birth and self._births and birth not in self._births:
            return False
        if name and self._names:
            return name in self._names
        return study in self._studies


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None or isinstance(value, bytes) else str(value).strip()


def _name(header: Dataset) -> str:
    """The words of the name in no order: the same name is written in many ways."""
    return " ".join(sorted(re.findall(r"\w+", _text(header, "PatientName").casefold())))
