"""Takes identity out of a DICOM header: the Basic Application Level Confidentiality Profile.

Source: DICOM PS3.15, Annex E. What happens to which element is ``guardrails.phi.profile``'s. Pixels are not looked at.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from guardrails.errors import DetectorError, HeaderTooDeepError
from guardrails.phi.dates import read_date, shift_date
from guardrails.phi.identity import Identity
from guardrails.phi.profile import Retained, rules
from guardrails.phi.text import TextDetector, redact

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010, 0x7FE00001, 0x7FE00002, 0x7FE00003})
_UID_ROOT = "2.25."
"""Root for UIDs made from a 128-bit number (PS3.5, annex B.2)."""
_KIND_BY_VR = {"PN": "name", "UI": "uid", "DA": "date", "DT": "date"}
_SOP_CLASS_ROOT = "1.2.840.10008."
_WRITTEN = frozenset({"PN", "SH", "LO", "ST", "LT", "UC", "UT"})
MOST_TEXTS = 64
"""Texts of a header that are remembered."""
_LONGEST_TEXT = 4_000
_LONGEST = {"SH": 16, "LO": 64, "AE": 16, "ST": 1024, "LT": 10240, "UC": 100_000, "UT": 100_000}
"""The longest text of a value representation (PS3.5, section 6.2), where one is cleaned."""


class HeaderStripper:
    """Strips the headers of one run and keeps their identifying values in ``identity``.

    ``retained`` is what the user chose to keep; descriptors are cleaned with ``detector``. Pseudonyms, new UIDs
    and the days that dates are moved by come from ``key``: the same key gives the same ones in every run.

    One stripper serves all studies of a run: the same UID always becomes the same new UID. Without a key, one
    is made that lives only as long as this object. ``texts`` are what people wrote in the header, of
    three words and more, for whoever looks for orders in them; they are as identifying as the header was.
    """

    def __init__(
        self,
        identity: Identity | None = None,
        max_depth: int = 16,
        retained: Retained | None = None,
        key: bytes | None = None,
        detector: TextDetector | None = None,
    ) -> None:
        self.identity = identity if identity is not None else Identity()
        self.removed = 0
        self.replaced = 0
        self.texts: list[str] = []
        self._max_depth = max_depth
        self.retained = retained or Retained()
        self._key = key or secrets.token_bytes(32)
        self._detector = detector
        self._uids: dict[str, str] = {}
        self._days = 0

    def dataset(self, ds: "Dataset") -> "Dataset":
        """A stripped copy of a data set, its file meta information included.

        The pixel data element is shared with the original, not copied, and neither is changed.
        Everything needed to decode and scale pixels stays. Raises ``HeaderTooDeepError``.
        """
        age = _age(ds)
        self._days = self._shift_of(patient_of(ds))
        if "descriptors" in self.retained.options:
            # What a description may name stands anywhere in the header, so all of it is known before the first.
            self._remember_all(ds, 0)
        clean = self._stripped(ds, 0)
        if age is not None:
            clean.PatientAge = age
        clean.PatientIdentityRemoved = "YES"
        clean.DeidentificationMethod = [meaning for _, meaning in self.retained.methods]
        meta = getattr(ds, "file_meta", None)
        if meta is not None:
            clean.file_meta = self._stripped_meta(meta)
        return clean

    def metadata(self, values: Mapping[str, str]) -> None:
        """Text that came inside a PNG or JPEG: none of it is kept, all of it is counted and remembered."""
        for key, value in values.items():
            self.removed += 1
            self._hear(value)
            kind = next((kind for word, kind in rules()["metadata"].items() if word in key.lower()), None)
            if kind is not None:
                self.identity.add(value, kind)

    def pseudonym(self, value: str) -> str:
        """A name for whom ``value`` names: always the same for this stripper, and nothing can be told from it."""
        return "P" + hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:12].upper()

    def _stripped(self, ds: "Dataset", depth: int) -> "Dataset":
        from pydicom import Dataset

        if depth > self._max_depth:
            raise HeaderTooDeepError("the DICOM header nests its sequences too deep to be read safely; re-export it")
        clean = Dataset()
        for element in _elements(ds):
            kept = self._kept(element, depth)
            if kept is not None:
                clean.add(kept)
        _copy_decoding_state(ds, clean)
        return clean

    def _kept(self, element: "DataElement", depth: int) -> "DataElement | None":
        """The element as it may stay, or ``None`` when it goes."""
        from pydicom import DataElement

        tag = element.tag
        if int(tag) in _PIXELS:
            return element
        if str(element.VR) in _WRITTEN:
            for value in _values(element.value):
                self._hear(value)
        action = self.retained.action(int(tag), element)
        filled = not element.is_empty
        if action not in ("K", "C"):
            self._remember(element, depth)
        if action == "X":
            self.removed += filled
            return None
        if action == "U":
            self.replaced += filled
            return DataElement(tag, "UI", self._new_uids(element.value))
        if action == "S":
            self.replaced += filled
            return DataElement(tag, element.VR, self._shifted(element))
        if action == "Z":
            self.replaced += filled
            return DataElement(tag, element.VR, None if element.VR != "SQ" else [])
        if element.VR == "SQ":
            return DataElement(tag, "SQ", [self._stripped(item, depth + 1) for item in element.value])
        if action == "C":
            return self._cleaned(element)
        return copy(element)

    def _cleaned(self, element: "DataElement") -> "DataElement | None":
        """A descriptor without the identity in it; ``None`` when it is no text, or cannot be looked at."""
        from pydicom import DataElement

        longest = _LONGEST.get(str(element.VR))
        if longest is None or self._detector is None:
            self.removed += not element.is_empty
            return None
        try:
            found = [redact(value, self.identity, self._detector) for value in _values(element.value)]
        except DetectorError:
            self.removed += not element.is_empty
            return None
        self.replaced += any(one.count for one in found)
        texts = [one.text[:longest] for one in found]
        return DataElement(element.tag, element.VR, texts if len(texts) != 1 else texts[0])

    def _shifted(self, element: "DataElement") -> Any:
        """The dates moved, times as they are; what is no full date is left out."""
        if element.VR == "TM":
            return element.value
        moved = [shift_date(value, self._days) for value in _values(element.value)]
        kept = [value for value in moved if value is not None]
        return kept if len(kept) != 1 else kept[0]

    def _shift_of(self, patient: str) -> int:
        """By how many days the dates of a patient are moved: 1 to ten years back, told by the key alone."""
        digest = hmac.new(self._key, b"days\0" + patient.encode(), hashlib.sha256).digest()
        return -1 - int.from_bytes(digest[:8], "big") % 3652

    def _remember_all(self, ds: "Dataset", depth: int) -> None:
        if depth > self._max_depth:
            raise HeaderTooDeepError("the DICOM header nests its sequences too deep to be read safely; re-export it")
        for element in _elements(ds):
            if self.retained.action(int(element.tag), element) not in ("K", "C"):
                self._remember(element, depth)
            elif element.VR == "SQ":
                for item in element.value:
                    self._remember_all(item, depth + 1)

    def _remember(self, element: "DataElement", depth: int) -> None:
        """Put what is removed, and all that is in it, into the list of exact matches."""
        if depth > self._max_depth:
            raise HeaderTooDeepError("the DICOM header nests its sequences too deep to be read safely; re-export it")
        if element.VR == "SQ":
            for item in element.value:
                for inner in _elements(item):
                    if str(inner.VR) in _WRITTEN:
                        for value in _values(inner.value):
                            self._hear(value)
                    self._remember(inner, depth + 1)
            return
        kind = rules()["identity"].get(element.keyword) or _KIND_BY_VR.get(str(element.VR))
        if kind is None:
            return
        for value in _values(element.value):
            if not value.startswith(_SOP_CLASS_ROOT):
                self.identity.add(value, kind)

    def _hear(self, text: str) -> None:
        if len(self.texts) < MOST_TEXTS and len(text.split()) >= 3:
            self.texts.append(text[:_LONGEST_TEXT])

    def _stripped_meta(self, meta: "Dataset") -> Any:
        from pydicom.dataset import FileMetaDataset

        clean = FileMetaDataset()
        for keyword in ("FileMetaInformationVersion", "MediaStorageSOPClassUID", "TransferSyntaxUID"):
            if keyword in meta:
                setattr(clean, keyword, getattr(meta, keyword))
        if "MediaStorageSOPInstanceUID" in meta:
            if "uids" in self.retained.options:
                clean.MediaStorageSOPInstanceUID = meta.MediaStorageSOPInstanceUID
                return clean
            self._remember(meta["MediaStorageSOPInstanceUID"], 0)
            clean.MediaStorageSOPInstanceUID = self._new_uids(meta.MediaStorageSOPInstanceUID)
        return clean

    def _new_uids(self, value: object) -> Any:
        uids = [self._new_uid(uid) for uid in _values(value)]
        return uids if len(uids) != 1 else uids[0]

    def _new_uid(self, uid: str) -> str:
        if not uid or uid.startswith(_SOP_CLASS_ROOT):
            return uid
        if uid not in self._uids:
            digest = hmac.new(self._key, uid.encode(), hashlib.sha256).digest()
            self._uids[uid] = _UID_ROOT + str(int.from_bytes(digest[:16], "big"))
        return self._uids[uid]


def patient_of(ds: "Dataset") -> str:
    """What tells one patient from another in a header: the id, else the name, else the study. May be empty."""
    found = (str(ds[tag].value) for tag in ("PatientID", "PatientName", "StudyInstanceUID") if tag in ds)
    return next((value for value in found if value and value != "None"), "")


def _elements(ds: "Dataset") -> Iterator["DataElement"]:
    """The elements of a data set; one whose value cannot be read comes as an empty one of its tag."""
    from pydicom import DataElement

    for tag in sorted(ds.keys()):
        try:
            yield ds[tag]
        except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError, OverflowError):
            yield DataElement(tag, "UN", b"")


def _values(value: object) -> list[str]:
    if value is None or isinstance(value, bytes):
        return []
    if isinstance(value, (str, int, float)) or not hasattr(value, "__iter__"):
        return [str(value)]
    if type(value).__name__ == "PersonName":
        return [str(value)]
    return [str(one) for one in value]


def _age(ds: "Dataset") -> str | None:
    """The patient's age as a DICOM age string, given or from two dates, everything above 89 made 90."""
    given = str(ds.get("PatientAge", "") or "").strip().upper()
    if given[:3].isdigit() and given[3:] in ("D", "W", "M", "Y"):
        return "090Y" if given.endswith("Y") and int(given[:3]) > 89 else given
    born, seen = (read_date(str(ds.get(word, "") or "")) for word in ("PatientBirthDate", "StudyDate"))
    if born is None or seen is None or seen < born:
        return None
    days = (seen - born).days
    if days < 365 * 2:
        return f"{days // 30:03d}M"
    return f"{min(int(days / 365.25), 90):03d}Y"


def _copy_decoding_state(ds: "Dataset", clean: "Dataset") -> None:
    """How the bytes of the original were encoded: pydicom decodes pixels by it."""
    implicit_vr, little_endian = getattr(ds, "original_encoding", (None, None))
    if implicit_vr is not None:
        clean.set_original_encoding(implicit_vr, little_endian, ds.original_character_set)
