"""Builds and measures the starter index of similar cases: ``python -m training.cases``.

Nothing is trained: the vectors are the domain identifier's. When its weights change, run this again.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import auroc, bootstrap
from overread.cards import Figure, ModelCard, Weights
from overread.packaged import packaged_yaml
from tools.cases.file import write_index
from tools.cases.index import CaseEntry, CaseIndex, Floats
from tools.cases.similar import ARCHITECTURE
from tools.domain import DomainIdentifier, domain_identifier
from training.card import figure, training_sets, write_card
from training.command import begin, parser_for
from training.domain_pictures import LARGEST
from training.domain_pictures import SEED as DOMAIN_SEED
from training.pictures import Picture, data_root, load, read_pictures, share

log = logging.getLogger(__name__)

NAME, FILE, COMMAND = "similar-cases", "cases.safetensors", "python -m training.cases"
CHILD_SEED = 7
"""The seed by which ``training.chest_child`` splits its patients."""
K = 5
MEASURED = 400
"""Most pictures of one set that are measured on."""
UNLABELLED = "unlabelled"
HELD = "patients that are not in the index and that the image tower never learned from"
LIMITS = (
    "Similar means: alike to the image tower, which learned to tell kinds of image apart. It does not mean that the "
    "same disease is shown.",
    "The labels are those of the cases, as their sets give them. NIH's were mined from reports. They are no finding "
    "about the image that was asked about, and have no calibrated probability.",
    "Among chest X-rays, films of children (Kermany) and of adults (NIH) stand side by side; what looks alike is often "
    "alike in age, machine and crop.",
    "Many kinds of image have only unlabelled cases, or few of them.",
    "The index holds no picture, but whoever has a picture can tell whether it is in it.",
)


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = packaged_yaml("training", "data/case_labels.yaml")
    return words


def label_of(picture: Picture) -> str:
    """The label of a picture as the index has it."""
    if picture.set.name == "cxr_nih":
        return ", ".join(part.replace("_", " ").lower() for part in picture.label.split("|")) or UNLABELLED
    return _words().get(picture.set.name, {}).get(picture.label, UNLABELLED)


def held_out(picture: Picture) -> bool:
    """Whether the patient is one the domain identifier is measured on."""
    return share(picture.patient, DOMAIN_SEED + 1) < 0.2


def chosen(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Picture]]:
    """The pictures for the index, and those to measure on; both openly licensed, and no patient in both.

    Left out of the index are the patients whom the domain identifier and the child pneumonia model are measured
    on. Large sets are thinned by patient, as the domain identifier's training thins them.
    """
    sizes = Counter(picture.set.name for picture in pictures)
    inside, outside = [], []
    for picture in pictures:
        if not picture.open or picture.set.domain is None:
            continue
        if held_out(picture):
            if share(picture.patient, 41) < MEASURED / (0.2 * sizes[picture.set.name]):
                outside.append(picture)
        elif share(picture.patient, DOMAIN_SEED) < LARGEST / sizes[picture.set.name] and (
            picture.set.name != "cxr_kermany" or share(picture.patient, CHILD_SEED) < 0.7
        ):
            inside.append(picture)
    return inside, outside


def build(pictures: Sequence[Picture], identifier: DomainIdentifier, size: int = 144) -> CaseIndex:
    """The index of some pictures, in their order."""
    vectors = identifier.embed(list(load(pictures, size))).astype(np.float16)
    entries = [
        CaseEntry(
            id=f"s{number:04d}", label=label_of(p), domain=p.set.domain or "", source=p.set.title, licence=p.set.licence
        )
        for number, p in enumerate(pictures, 1)
    ]
    return CaseIndex(entries, vectors)


def measure(index: CaseIndex, pictures: Sequence[Picture], vectors: Floats) -> list[Figure]:
    """How far the labels of the nearest cases agree with those of pictures of other patients."""
    labels = np.array([label_of(p) for p in pictures])
    sets = np.array([p.set.name for p in pictures])
    patients = np.array([p.patient for p in pictures])
    near = [
        [found.entry.label for found in index.search(vector, p.set.domain or "", K)]
        for p, vector in zip(pictures, vectors, strict=True)
    ]
    figures = []
    for name, word, what in (
        ("cxr_kermany", "pneumonia", "pneumonia on chest X-rays of children"),
        ("dermoscopy_isic2017", "melanoma", "melanoma in dermoscopy"),
    ):
        rows = np.flatnonzero(sets == name)
        truth = np.array([_says(label, word) for label in labels[rows]])
        vote = np.array([np.mean([_says(label, word) for label in near[row]]) for row in rows])
        figures += [_auroc(f"{what}: AUROC of the share among the {K} nearest", truth, vote, patients[rows], name)]
    rows = np.flatnonzero(sets == "mr_brain_nickparvar")
    right = np.array([_most(near[row]) == labels[row] for row in rows])
    commonest = Counter(labels[rows].tolist()).most_common(1)[0][0]
    figures += [
        _rate(f"brain MR, four labels: accuracy of the commonest among the {K} nearest", right, patients[rows]),
        _rate(
            "brain MR, four labels: accuracy of always naming the commonest label",
            labels[rows] == commonest,
            patients[rows],
        ),
    ]
    nearest = np.argsort(-(vectors @ index.vectors.astype(np.float32).T), axis=1)[:, :K]
    domains = np.array([entry.domain for entry in index.entries])
    same = (domains[nearest] == np.array([p.set.domain for p in pictures])[:, None]).mean(axis=1)
    figures.append(_rate(f"nearest {K} of the whole index that are of the same domain", same, patients))
    return figures


def _says(label: str, word: str) -> bool:
    return word in label and not label.startswith("no")


def _most(labels: Sequence[str]) -> str:
    """The commonest; of equally common ones the one of the nearest case."""
    counts = Counter(labels)
    return max(labels, key=lambda label: counts[label])


def _auroc(name: str, truth: NDArray[np.bool_], vote: Floats, patients: NDArray[np.str_], data: str) -> Figure:
    interval = bootstrap(lambda rows: auroc(truth[rows], vote[rows].astype(np.float64)), patients.tolist())
    return figure(name, auroc(truth, vote.astype(np.float64)), len(truth), f"{data}; {HELD}", COMMAND, interval)


def _rate(name: str, right: NDArray[np.generic], patients: NDArray[np.str_]) -> Figure:
    values = right.astype(np.float64)
    interval = bootstrap(lambda rows: float(values[rows].mean()), patients.tolist())
    return figure(name, float(values.mean()), len(values), HELD, COMMAND, interval)


def main(arguments: list[str] | None = None) -> None:
    """Build, measure, and write the card and its index."""
    parser = parser_for(COMMAND, __doc__, NAME)
    given = begin(parser, arguments, seed=0)
    identifier = domain_identifier()
    inside, outside = chosen(read_pictures(data_root(given.data)))
    log.info("%d for the index, %d to measure on", len(inside), len(outside))
    index = build(inside, identifier)
    figures = measure(index, outside, identifier.embed(list(load(outside, 144))))
    for one in figures:
        log.info("%s: %.3f %s (n %d)", one.name, one.value, one.interval, one.n)
    write(given.out, index, inside, figures, identifier.card.weights.sha256)


def write(folder: Path, index: CaseIndex, pictures: Sequence[Picture], figures: Sequence[Figure], tower: str) -> None:
    """Write the index and the card that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    write_index(path, index, tower)
    path.chmod(0o644)
    card = ModelCard(
        name=NAME,
        version="1",
        title="The search for similar cases",
        task="similarity",
        domains=index.domains,
        architecture=ARCHITECTURE,
        input={"tower": tower, "k": K},
        labels=(),
        training=training_sets(pictures),
        figures=tuple(figures),
        weights=Weights(
            file=FILE,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            licence="vectors Apache-2.0; labels under the licences of their sets, CC BY-SA 3.0 for the prostate MR set",
        ),
        limits=LIMITS,
    )
    write_card(folder, card)


if __name__ == "__main__":
    main()
