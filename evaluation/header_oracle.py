"""What is left in a DICOM header, beside the package dicom-anonymizer as an oracle, over pydicom's own test files.

Run ``python -m evaluation.header_oracle``. Each value that the oracle removes or replaces (edition 2026c of
PS3.15's table) is looked for in what ours leaves.
"""

import argparse
import sys
import warnings
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from evaluation.figure import Figure, as_lines, at_most
from guardrails.phi.header import HeaderStripper

EDITION = "dicomfields_2026c"
KEPT = {
    "PatientSex": "sex is kept: Retain Patient Characteristics",
    "PatientAge": "age is kept, above 89 as 90: Retain Patient Characteristics",
    "CodeValue": "the oracle removes whole sequences that the table lets stay with new UIDs (X/Z/U*); ours cleans them",
    "CodingSchemeDesignator": "as CodeValue",
    "CodeMeaning": "as CodeValue",
}
"""What the oracle changes and ours keeps, and why."""
STANDARD = "1.2.840.10008."
"""UIDs that the standard itself gives out, to SOP classes and palettes, identify nobody, and ours keeps them."""
_UNREADABLE = (ValueError, TypeError, KeyError, NotImplementedError, AttributeError, OverflowError)


@dataclass
class Comparison:
    """Files compared, values the oracle changed, values kept for a reason, and keyword by file of what else is left."""

    files: int = 0
    changed: int = 0
    kept: int = 0
    left: dict[str, set[str]] = field(default_factory=dict)


def pydicom_files(most: int | None = None) -> list[Path]:
    """The DICOM files that come with pydicom, below a megabyte each."""
    found = (Path(pydicom.__file__).parent / "data").rglob("*")
    kept = (one for one in found if one.is_file() and (one.suffix == ".dcm" or not one.suffix))
    return sorted(one for one in kept if one.stat().st_size < 1_000_000)[:most]


def compare(paths: list[Path]) -> Comparison:
    """Run both over every file that can be read, and lay what they leave side by side."""
    from dicomanonymizer import anonymize_dataset
    from dicomanonymizer.simpledicomanonymizer import initialize_actions

    found = Comparison()
    for path in paths:
        dataset = _read(path)
        if dataset is None or "DirectoryRecordSequence" in dataset:
            continue
        theirs = deepcopy(dataset)
        try:
            anonymize_dataset(theirs, base_rules_gen=lambda: initialize_actions(EDITION))
        except _UNREADABLE:
            continue  # the oracle cannot work on this file
        found.files += 1
        after = {where: value for where, _, value in _leaves(theirs)}
        ours = {where: value for where, _, value in _leaves(HeaderStripper(max_depth=64).dataset(dataset))}
        for where, keyword, value in _leaves(dataset):
            if where in after and after[where] == value:
                continue
            found.changed += 1
            if where not in ours or ours[where] != value:
                continue
            if keyword in KEPT or str(value).startswith(STANDARD):
                found.kept += 1
            else:
                found.left.setdefault(keyword, set()).add(path.name)
    return found


def _leaves(dataset: Dataset, at: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], str, Any]]:
    """Every value of a data set but pixels that can be read: where it is, its keyword, the value."""
    for tag in sorted(dataset.keys()):
        try:
            element = dataset[tag]
        except _UNREADABLE:
            continue
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _leaves(item, (*at, int(tag), number))
        elif int(tag) >> 16 != 0x7FE0 and not element.is_empty:
            yield (*at, int(tag)), element.keyword, element.value


def _read(path: Path) -> Dataset | None:
    try:
        dataset = pydicom.dcmread(path, force=True)
        return dataset if len(dataset) else None
    except (InvalidDicomError, EOFError, OSError, *_UNREADABLE):
        return None


def figures(most: int | None = None) -> list[Figure]:
    """How many values that the oracle takes out or replaces ours leaves, without and with a reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = compare(pydicom_files(most))
    except ImportError:
        return [Figure("header values left", None, 0, note="needs pip install dicom-anonymizer")]
    note = f"{found.files} files; {found.kept} kept for a reason that is written down"
    left = sum(map(len, found.left.values()))
    return [Figure("header values left that dicom-anonymizer changes", left, found.changed, aim=at_most(0), note=note)]


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, help="at most so many files")
    sys.stdout.write(as_lines(figures(parser.parse_args().most)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
