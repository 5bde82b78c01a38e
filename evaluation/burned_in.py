"""How well burned-in identity is found: on pictures this module writes identity into, and on clean ones.

Run ``python -m evaluation.burned_in [FOLDER]`` where FOLDER holds images to write on (``shared/data/images``);
without it, grounds are drawn.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from guardrails.phi.identity import Identity
from guardrails.phi.pixels import Picture, TextReader, identifying_boxes, may_hold_text
from guardrails.phi.text import TextDetector
from overread.records import Box

LAST = (
    "KOWALSKI", "OKAFOR", "NGUYEN", "Fitzgerald", "Haddad", "Lindqvist", "PETROVA", "Castellanos", "Whitaker",
    "Oyelaran", "Brown", "Yamamoto",
)  # fmt: skip
FIRST = ["Agnieszka", "CHIDI", "Linh", "MAEVE", "Omar", "Astrid", "OLGA", "Rafael", "June", "FOLA", "Kenji", "Tomasz"]
PLACES = ("St. Brigid Hospital", "NORTHVALE CLINIC", "Dept of Radiology, Zabrze", "Mercy Medical Center")
HARMLESS = (
    "MI 0.8",
    "TIS 0.4",
    "FR 33Hz",
    "Gn 52%",
    "12.0 cm",
    "LIVER",
    "R",
    "PA",
    "Frq 3.5 MHz",
    "DR 70",
    "W 400 L 40",
)
COLOURS = ((255, 255, 255), (220, 220, 220), (255, 255, 90), (120, 255, 120), (90, 210, 255), (170, 170, 170))


@dataclass(frozen=True)
class Written:
    """A picture uint8 ``(H, W, 3)`` with text on it: the boxes of identifying lines, and of harmless ones."""

    picture: Picture
    identifying: tuple[Box, ...]
    harmless: tuple[Box, ...]


def drawn_ground(generator: np.random.Generator, height: int = 480, width: int = 640) -> Picture:
    """A speckled fan on black, much like an ultrasound screen."""
    rows, columns = np.mgrid[:height, :width]
    angle = np.arctan2(columns - width / 2, rows - height * 0.12)
    reach = np.hypot(columns - width / 2, rows - height * 0.12)
    fan = (np.abs(angle) < 0.6) & (reach > height * 0.1) & (reach < height * 0.8)
    speckle = np.clip(generator.rayleigh(40, (height, width)) * np.exp(-reach / height), 0, 255)
    return np.repeat(np.where(fan, speckle, 0).astype(np.uint8)[:, :, None], 3, axis=2)


def identity_lines(generator: np.random.Generator) -> list[str]:
    """Lines as machines write them, each of which says who the patient is, when, or where."""

    def pick(some: Iterable[str]) -> str:
        return str(generator.choice(list(some)))

    year, month, day = (
        int(generator.integers(1930, 2024)),
        int(generator.integers(1, 13)),
        int(generator.integers(1, 29)),
    )
    number = str(generator.integers(1_000_000, 99_999_999))
    name = pick((f"{pick(LAST)}, {pick(FIRST)}", f"{pick(FIRST)} {pick(LAST)}", f"{pick(LAST)}^{pick(FIRST)}"))
    date = pick((f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day:02d}.{month:02d}.{year}"))
    return [name, pick((f"ID: {number}", f"MRN {number}", number)), pick((date, f"DOB {date}")), pick(PLACES)]


def write_on(ground: Picture, generator: np.random.Generator) -> Written:
    """Up to four identifying and three harmless lines in corners and along the edges, none over another.

    All of a line can be read: where the ground is light in one place and dark in another, it stands on a dark bar.
    """
    image = Image.fromarray(ground)
    pen = ImageDraw.Draw(image)
    height, width = ground.shape[:2]
    taken: list[Box] = []
    boxes: dict[bool, list[Box]] = {True: [], False: []}
    lines = [(line, True) for line in identity_lines(generator)]
    lines += [(str(line), False) for line in generator.choice(HARMLESS, 3, replace=False)]
    for line, identifying in lines[: 7 if width >= 400 else 2]:
        size = int(generator.integers(12, 25)) * max(min(height, width), 400) // 480
        font = ImageFont.load_default(size)
        x0, y0, x1, y1 = pen.textbbox((0, 0), line, font=font)
        for _ in range(40):
            x = int(generator.choice([4, max(width - x1 - 6, 0), generator.integers(0, max(width - x1 - 4, 1))]))
            y = int(generator.choice([generator.integers(2, height // 6), generator.integers(height * 5 // 6, height)]))
            box = (int(x + x0), int(y + y0), int(x + x1), int(y + y1))
            if box[2] < width and box[3] < height and not any(_overlap(box, other) for other in taken):
                colour = COLOURS[generator.integers(len(COLOURS))]
                darkest, brightest = np.quantile(np.asarray(image)[box[1] : box[3], box[0] : box[2]], (0.02, 0.98))
                if generator.random() < 0.5 or (darkest <= 90 and brightest >= 110):
                    pen.rectangle((box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3), fill=(0, 0, 0))
                elif darkest > 90:
                    colour = (0, 0, 0)
                pen.text((x, y), line, fill=colour, font=font)
                taken.append((box[0] - 8, box[1] - 6, box[2] + 8, box[3] + 6))
                boxes[identifying].append(box)
                break
    return Written(np.asarray(image), tuple(boxes[True]), tuple(boxes[False]))


def covered(box: Box, masks: Iterable[Box]) -> float:
    """The share of a box that lies under masks."""
    x0, y0, x1, y1 = box
    under = np.zeros((y1 - y0, x1 - x0), bool)
    for a, b, c, d in masks:
        under[max(b - y0, 0) : max(d - y0, 0), max(a - x0, 0) : max(c - x0, 0)] = True
    return float(under.mean())


def measure(grounds: Iterable[Picture], seed: int = 0) -> dict[str, Any]:
    """Identifying boxes found (nine tenths of them masked), harmless ones hit, and what is masked of clean pictures."""
    generator = np.random.default_rng(seed)
    reader, detector, identity = TextReader(), TextDetector(), Identity()
    found = lines = hit = harmless = pictures = looked = asked = 0
    clean: list[float] = []
    for ground in grounds:
        pictures += 1
        written = write_on(ground, generator)
        asked += may_hold_text(None, written.picture)
        looked += may_hold_text(None, ground)
        masks = identifying_boxes(written.picture, reader.read(written.picture), identity, detector)
        lines += len(written.identifying)
        found += sum(covered(box, masks) >= 0.9 for box in written.identifying)
        harmless += len(written.harmless)
        hit += sum(covered(box, masks) >= 0.5 for box in written.harmless)
        whole: Box = (0, 0, ground.shape[1], ground.shape[0])
        clean.append(covered(whole, identifying_boxes(ground, reader.read(ground), identity, detector)))
    return {
        "pictures": pictures,
        "identifying_lines": lines,
        "recall": round(found / max(lines, 1), 4),
        "harmless_hit": f"{hit}/{harmless}",
        "clean_masked_mean": round(float(np.mean(clean)), 5),
        "clean_masked_most": round(float(np.max(clean)), 5),
        "clean_over_2_percent": sum(share > 0.02 for share in clean),
        "read_when_written_on": f"{asked}/{pictures}",
        "read_when_clean": f"{looked}/{pictures}",
    }


def pictures_in(folder: Path, most: int) -> Iterator[Picture]:
    """Every so-many-th PNG or JPEG under a folder, by path; at most ``most``, made no larger than 1,024 pixels."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".png", ".jpg", ".jpeg"})
    for path in paths[:: max(len(paths) // most, 1)][:most]:
        with Image.open(path) as image:
            image.thumbnail((1024, 1024))
            yield np.asarray(image.convert("RGB"))


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--most", type=int, default=60)
    chosen = parser.parse_args()
    generator = np.random.default_rng(1)
    drawn = (drawn_ground(generator) for _ in range(chosen.most))
    grounds = pictures_in(chosen.folder, chosen.most) if chosen.folder else drawn
    sys.stdout.write(json.dumps(measure(grounds)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
