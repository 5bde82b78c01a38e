"""What happens to an element of a DICOM header: PS3.15, Annex E, table E.1-1, with the options a user chose.

The table is ``data/basic_profile.csv``: tag, keyword, the Basic Profile's action, and a column for each option. A tag
that is new in the table since September 2024 has no entry in the options' columns, and goes whatever is chosen.
"""

import csv
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from overread.packaged import packaged_text, packaged_yaml
from overread.records import Record

if TYPE_CHECKING:
    from pydicom import DataElement

Option = Literal["uids", "dates", "descriptors", "device", "institution", "patient"]
OPTIONS: tuple[Option, ...] = get_args(Option)
"""What may be retained; the names are the table's columns."""

METHODS: dict[str, tuple[str, str]] = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "patient": ("113108", "Retain Patient Characteristics Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}
"""The codes of the profile and its options (PS3.16, CID 7050)."""

_DATE_VRS = frozenset({"DA", "DT", "TM"})


class Retained(Record):
    """What stays beside what the Basic Profile leaves. Sex and age always stay, an age above 89 as 90.

    ``uids`` as they are; ``dates`` moved by whole days, the same for all of one patient; ``descriptors``, which
    are free text, without the identity that is found in them; ``device``, ``institution`` and further ``patient``
    characteristics as the table's columns say.
    """

    options: frozenset[Option] = frozenset()

    @property
    def methods(self) -> list[tuple[str, str]]:
        """Code and meaning of what was done."""
        done = {"basic", "patient", *self.options}
        return [method for name, method in METHODS.items() if name in done]

    def action(self, tag: int, element: "DataElement") -> str:
        """What happens to an element.

        ``K`` keep (cleaned inside), ``X`` remove, ``Z`` empty, ``U`` new UID, ``S`` shift the date, ``C`` clean the
        text. The profile's ``D`` (a dummy value) is done as ``Z``. Private elements, curves and overlays go. Text
        and dates that no table names go as well.
        """
        group = tag >> 16
        if group % 2 or group & 0xFF00 in (0x5000, 0x6000) or group in (0x0004, 0xFFFA, 0xFFFC):
            return "X"
        if element.keyword in rules()["keep"]:
            return "K"
        listed = profile().get(tag)
        vr = str(element.VR)
        if listed is None:
            return "X" if vr in rules()["remove_vr"] or not element.keyword else "K"
        chosen = None if element.keyword in rules()["ages"] else self._chosen(listed, vr)
        return chosen or _basic(listed["action"], vr, element.keyword)

    def _chosen(self, listed: dict[str, str], vr: str) -> str | None:
        """What the options say of an element, or ``None``. A date that a device's identity would keep is moved
        where dates are moved: it would tell by how much.
        """
        said = {listed[option] for option in self.options}
        if "dates" in self.options and listed["dates"] and vr in _DATE_VRS:
            return "S"
        if "K" in said:
            return "K"
        return "C" if "C" in said and vr not in _DATE_VRS else None


def _basic(listed: str, vr: str, keyword: str) -> str:
    if "U" in listed:
        return "U" if vr == "UI" else "K"
    if listed == "D" and vr == "SQ":
        return "K" if keyword in rules()["clean_inside"] else "X"
    return "X" if listed.startswith("X") else "Z"


@lru_cache(maxsize=1)
def profile() -> dict[int, dict[str, str]]:
    """The table's rows by tag."""
    lines = packaged_text("guardrails.phi", "data/basic_profile.csv").splitlines()
    return {int(row["tag"], 16): row for row in csv.DictReader(lines)}


@lru_cache(maxsize=1)
def rules() -> dict[str, Any]:
    """``data/header_rules.yaml``, its lists as sets."""
    read = packaged_yaml("guardrails.phi", "data/header_rules.yaml")
    for key in ("keep", "ages", "clean_inside", "remove_vr"):
        read[key] = frozenset(read[key])
    return dict(read)
