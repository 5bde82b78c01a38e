"""The manifest on which the starter models are audited: shared data, and which model learned from which image.

Run ``python -m training.trust_manifest --out MANIFEST.csv``, then ``overread audit run --data MANIFEST.csv --out
FOLDER``.
"""

import argparse
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent.question import age_band_of
from evaluation.trust.manifest import NO_DOMAIN, NOTHING
from training import brain_mr, cases, chest_adult, dermoscopy
from training.domain_pictures import LARGEST, tunes
from training.domain_pictures import SEED as DOMAIN_SEED
from training.pictures import Picture, data_root, read_pictures, share
from training.sam_objects import mask_sets, role_of

COLUMNS = ("file", "domain", "labels", "looked_for", "mask", "mask_of", "boxes", "patient", "taught", "age_band", "sex",
           "view", "age_group", "source")  # fmt: skip
PER_SET = 250
"""Most images of one set; those that taught no finding come first."""

MEMBERS = 25
"""Images of one set that are in the case index, to ask whether it tells."""

CHILD, ADULT, BRAIN, SKIN = "cxr_kermany", "cxr_nih", "mr_brain_nickparvar", "dermoscopy_isic2017"
LUNGS = "cxr_cohen"
PNEUMONIA = frozenset(
    ("COVID-19", "Pneumonia", "Varicella", "E.Coli", "Lipoid", "Pneumocystis", "Influenza", "Klebsiella",
     "Streptococcus", "Chlamydophila")
)  # fmt: skip
"""Labels of that set which its authors list under pneumonia. Its films taught no classifier of chest X-rays."""


@dataclass
class Taught:
    """Which cards learned from which image, calibration and choices of thresholds among it."""

    root: Path
    pictures: Sequence[Picture]

    @cached_property
    def _by_group(self) -> Mapping[Path, float]:
        """The place of every image of the sets that are split by groups of like images."""
        split = brain_mr.read_split(self.root)
        shown, _, _, place = dermoscopy.placed(self.root)
        pairs = [*zip(split.pictures, split.place, strict=True), *zip(shown, place, strict=True)]
        return {picture.path: float(one) for picture, one in pairs}

    @cached_property
    def _sizes(self) -> Mapping[str, int]:
        names = [picture.set.name for picture in self.pictures]
        return {name: names.count(name) for name in set(names)}

    @cached_property
    def _indexed(self) -> frozenset[Path]:
        inside, _ = cases.chosen(self.pictures)
        return frozenset(picture.path for picture in inside)

    def of(self, picture: Picture, mask: bool) -> list[str]:
        """The names of the cards."""
        out = [self._finding(picture)] if self._finding(picture) else []
        if self._domain(picture):
            out.append("domain-clip")
        if picture.path in self._indexed:
            out.append("similar-cases")
        one = mask_sets().get(picture.set.name)
        if mask and one is not None and role_of(one, picture.licence, picture.patient) != "measure":
            out += ["sam-starter", *(["lungs"] if picture.set.name == LUNGS else [])]
        return out

    def _finding(self, picture: Picture) -> str:
        name = picture.set.name
        if name == CHILD:
            return "chest-findings-child" if share(picture.patient, cases.CHILD_SEED) < 0.85 else ""
        if name == ADULT:
            return "chest-findings-adult"
        if name == BRAIN:
            return "brain-mr-findings" if self._by_group.get(picture.path, 1.0) < 0.84 else ""
        if name == SKIN:
            return "dermoscopy-findings" if self._by_group.get(picture.path, 1.0) < 0.75 else ""
        return ""

    def _domain(self, picture: Picture) -> bool:
        used = share(picture.patient, DOMAIN_SEED) < LARGEST / self._sizes[picture.set.name]
        if picture.set.use == "measurement":
            return used and tunes(picture)
        return used and share(picture.patient, DOMAIN_SEED + 1) >= 0.2


def rows(root: Path, per_set: int) -> Iterator[dict[str, str]]:
    """The manifest's rows, set by set."""
    pictures = read_pictures(root)
    taught = Taught(root, pictures)
    masks = read_masks(root)
    for name in dict.fromkeys(picture.set.name for picture in pictures):
        own = [p for p in pictures if p.set.name == name]
        own.sort(key=lambda p: share(f"{p.patient}:{p.path.name}", 3))
        told = [(p, taught.of(p, p.path in masks)) for p in own]
        fresh = [one for one in told if not any("findings" in card for card in one[1])]
        learned = [one for one in told if any("findings" in card for card in one[1])]
        members = [one for one in learned if "similar-cases" in one[1]][:MEMBERS]
        # Of a set that all of it taught, such as the adult films, there is nothing else to measure on.
        shown = [*fresh[:per_set], *members] if fresh else learned[: 2 * per_set]
        for picture, cards in shown:
            yield _row(picture, cards, masks.get(picture.path))


def read_masks(root: Path) -> dict[Path, tuple[Path, str]]:
    """The mask of each image that has one, and what it is of. A drawn outline, such as a fetal head's, is no mask."""
    lines_alone = {one.set for one in mask_sets().values() if one.shape == "outline"}
    with (root / "images.csv").open(newline="", encoding="utf-8") as lines:
        return {
            root / row["file"]: (root / row["mask"], row["mask_of"])
            for row in csv.DictReader(lines)
            if row["mask"] and row["domain"] not in lines_alone
        }


def _row(picture: Picture, cards: Sequence[str], mask: tuple[Path, str] | None) -> dict[str, str]:
    name = picture.set.name
    labels, looked_for = _labels(picture)
    age = re.search(r"age=(\d+)", picture.note)
    years = int(age.group(1)) if age else None
    sex, view = re.search(r"sex=([MF])\b", picture.note), re.search(r"view=(PA|AP)\b", picture.note)
    band = "child" if name == CHILD else age_band_of(years) if years is not None else ""
    return {
        "file": str(picture.path.resolve()),
        "domain": picture.set.domain or NO_DOMAIN,
        "labels": labels,
        "looked_for": looked_for,
        "mask": str(mask[0].resolve()) if mask and _same_size(picture.path, mask[0]) else "",
        "mask_of": ("lung fields" if name == LUNGS else mask[1]) if mask else "",
        "boxes": _boxes(picture),
        "patient": picture.patient,
        "taught": "|".join(cards),
        "age_band": band,
        "sex": sex.group(1) if sex else "",
        "view": view.group(1) if view else "AP" if name == CHILD else "",
        "age_group": "" if years is None or years < 18 else "18-39" if years < 40 else "40-64" if years < 65 else "65+",
        "source": name,
    }


def _labels(picture: Picture) -> tuple[str, str]:
    """What an image shows and what was looked for, in the cards' words; empty where the set does not say."""
    name, label = picture.set.name, picture.label
    if name == CHILD:
        return (NOTHING if label == "normal" else "pneumonia"), "pneumonia"
    if name == ADULT:
        found = [ours for ours, theirs in chest_adult.CANDIDATES.items() if theirs in label.split("|")]
        return "|".join(found) or NOTHING, "|".join(chest_adult.CANDIDATES)
    if name == LUNGS:
        shown = "pneumonia" if label in PNEUMONIA else NOTHING if label == "No Finding" else ""
        return shown, "pneumonia" if shown else ""
    if name == BRAIN:
        return brain_mr.LABELS[label], "|".join(brain_mr.LABELS.values())
    if name == SKIN:
        return ("melanoma" if label == dermoscopy.MELANOMA else NOTHING), "melanoma"
    return "", ""


def _boxes(picture: Picture) -> str:
    from PIL import Image

    from evaluation.pointing import nih_boxes

    if picture.set.name != ADULT:
        return ""
    with Image.open(picture.path) as image:
        width, height = image.size
    out = []
    for ours, theirs in chest_adult.CANDIDATES.items():
        for x0, y0, x1, y1 in nih_boxes(picture.note, theirs):
            edges = (int(x0 * width), int(y0 * height), min(round(x1 * width), width), min(round(y1 * height), height))
            out.append(f"{ours}:{','.join(map(str, edges))}")
    return ";".join(out)


def _same_size(one: Path, other: Path) -> bool:
    from PIL import Image

    with Image.open(one) as first, Image.open(other) as second:
        return first.size == second.size


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with images.csv (else OVERREAD_SHARED/data, ../shared/data)")
    parser.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    parser.add_argument("--per-set", type=int, default=PER_SET, help="at most so many images of one set")
    given = parser.parse_args(arguments)
    with given.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows(data_root(given.data), given.per_set))


if __name__ == "__main__":
    main()
