"""Measures the domain identifier through the shipped class, on pictures that taught and tuned nothing."""

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import auroc, bootstrap, ece, proportion
from overread.cards import Figure
from tools.domain import DomainDecision, DomainIdentifier
from training.card import figure
from training.domain_pictures import Part, Parts, drawn, half
from training.pictures import picture_sets

COMMAND = "python -m training.domain"


def measure(identifier: DomainIdentifier, parts: Parts) -> tuple[Figure, ...]:
    """Every figure of the card, on pictures that taught and tuned nothing."""
    from training.domain import as_input

    held = half(parts.check, first=False)
    food = held.where(held.labels == "food")
    held = held.where(held.labels != "food")
    unseen = parts.unseen
    others = drawn(25, 9)
    on_held, on_unseen = (identifier.identify(list(as_input(p.pixels))) for p in (held, unseen))
    photographs = np.concatenate([everyday(), as_input(food.pixels)])
    on_photographs = identifier.identify(list(photographs))
    on_drawn = identifier.identify(list(as_input(others.pixels)))
    sources = f"sources never learned from: {', '.join(_titles(unseen.sets))}"
    figures = [
        *_known(on_unseen, unseen, sources),
        *_known(on_held, held, "sources learned from, other patients"),
        _refused("everyday pictures refused", on_photographs, "photographs and food never learned from"),
        _refused("noise, pages, screenshots, charts refused", on_drawn, "drawn with another seed"),
    ]
    good = np.array([_certainty(d) for d in on_unseen])
    for name, bad in (("photographs", on_photographs), ("drawn pictures", on_drawn)):
        score = np.concatenate([good, [_certainty(d) for d in bad]])
        truth = np.arange(len(score)) < len(good)
        span = bootstrap(lambda r, t=truth, s=score: auroc(t[r], s[r]), list(np.arange(len(score)).astype(str)))  # type: ignore[misc]
        figures.append(
            figure(f"AUROC, medical against {name}", auroc(truth, score), len(score), sources, COMMAND, span)
        )
    for name in np.unique(unseen.sets):
        rows = np.flatnonzero(unseen.sets == name)
        chosen = [on_unseen[row] for row in rows]
        taken = [d for d in chosen if d.accepted]
        right = sum(_modality(d.label) == _modality(str(unseen.labels[rows[0]])) for d in taken)
        title = picture_sets()[str(name)].title
        figures.append(
            figure("accepted", len(taken) / len(rows), len(rows), title, COMMAND, proportion(len(taken), len(rows)))
        )
        figures.append(
            figure(
                "accepted that are right by modality",
                right / max(1, len(taken)),
                len(taken),
                title,
                COMMAND,
                proportion(right, len(taken)),
            )
        )
    return tuple(figures)


def _known(decisions: list[DomainDecision], part: Part, data: str) -> list[Figure]:
    truth = [str(label) for label in part.labels]
    taken = np.array([d.accepted for d in decisions])
    best = [_modality(d.label or d.alternatives[0].label) for d in decisions]
    modality = np.array([b == _modality(t) for b, t in zip(best, truth, strict=True)])
    right = np.array([d.label in (t, _modality(t)) for d, t in zip(decisions, truth, strict=True)])
    probability = np.array([d.probability for d in decisions])
    n, k = len(decisions), int(taken.sum())
    who = list(part.patients[taken])
    r, p = right[taken], probability[taken]
    span = bootstrap(lambda rows: ece(r[rows], p[rows]), who)
    return [
        figure(
            "right by modality, refusals aside or not",
            float(modality.mean()),
            n,
            data,
            COMMAND,
            proportion(int(modality.sum()), n),
        ),
        figure(
            "accepted that are right by modality",
            float(modality[taken].mean()),
            k,
            data,
            COMMAND,
            proportion(int(modality[taken].sum()), k),
        ),
        figure("accepted whose label is right", float(r.mean()), k, data, COMMAND, proportion(int(r.sum()), k)),
        figure("known domains refused", 1 - k / n, n, data, COMMAND, proportion(n - k, n)),
        figure("ECE of accepted", ece(r, p), k, data, COMMAND, span),
    ]


def _refused(name: str, decisions: list[DomainDecision], data: str) -> Figure:
    refused = sum(not d.accepted for d in decisions)
    return figure(name, refused / len(decisions), len(decisions), data, COMMAND, proportion(refused, len(decisions)))


def _certainty(decision: DomainDecision) -> float:
    return max([decision.probability, *(a.probability for a in decision.alternatives)])


def _modality(label: str) -> str:
    return label.split("/")[0]


def _titles(sets: NDArray[np.str_]) -> list[str]:
    return [picture_sets()[str(name)].title for name in np.unique(sets)]


def everyday() -> NDArray[np.uint8]:
    """Photographs never trained or tuned on, from the wheels of scikit-image, scikit-learn and gradio."""
    from importlib.resources import files

    from PIL import Image

    from tools.networks import square
    from training.domain import INPUT

    names = [("skimage", f"data/{n}") for n in ("chelsea.png", "coffee.png", "astronaut.png", "color.png")]
    names += [("sklearn", f"datasets/images/{n}") for n in ("china.jpg", "flower.jpg")]
    names += [("gradio", f"media_assets/images/{n}") for n in ("cheetah.jpg", "lion.jpg", "tower.jpg", "groot.jpeg")]
    pictures = []
    for package, name in names:
        place = files(package).joinpath(name)
        if place.is_file():
            with place.open("rb") as file, Image.open(file) as image:
                pictures.append(square(np.asarray(image.convert("RGB")), INPUT["size"]))
    return np.stack(pictures)
