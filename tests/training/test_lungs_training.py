import csv
from pathlib import Path

import numpy as np
import torch

from tools.unet import UNetShape
from training import lungs
from training.pictures import share
from training.sam_objects import Outlined, read_outlined


def films(count: int = 4) -> lungs.Films:
    """Films on which lung is bright, and their masks."""
    masks = np.zeros((count, 64, 64), dtype=np.uint8)
    masks[:, 16:48, 8:28] = 255
    masks[:, 16:48, 36:56] = 255
    return lungs.Films((masks * 0.7 + 30).astype(np.uint8), masks)


def test_a_film_and_its_mask_are_moved_together() -> None:
    torch.manual_seed(0)
    how = lungs.Strength(gamma=0, contrast=0, brightness=0, blur=0, noise=0, mark=0)
    x, wanted = lungs.changed(films(), np.arange(4), how, torch.device("cpu"))
    assert x.shape == wanted.shape == (4, 1, 64, 64)
    assert ((x > 0.45) == (wanted > 0.47)).float().mean() > 0.98


def test_a_network_learns_from_few_steps(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    monkeypatch.setattr(lungs, "SHAPE", UNetShape(64, (8, 8, 16)))
    how = lungs.Strength(gamma=0, contrast=0, brightness=0, blur=0, noise=0.02, mark=0)
    monkeypatch.setattr(lungs, "AUGMENTATION", how)
    network = lungs.train(films(), 80, 60.0, 4)
    pixels = torch.from_numpy(films().pixels)[:, None].float() / 255
    found = network(pixels)[:, 0] > 0
    wanted = torch.from_numpy(films().masks[:, ::2, ::2] > 127)
    assert 2 * (found & wanted).sum() / (found.sum() + wanted.sum()) > 0.9


def test_films_are_seen_as_squares() -> None:
    mask = np.zeros((50, 80), dtype=bool)
    mask[:, 40:] = True
    film = Outlined(
        "cxr_cohen", "parts", "learn", "p", np.full((50, 80, 3), 7, np.uint8), mask, mask.astype(np.int32), ()
    )
    seen = lungs.as_seen([film])
    side = lungs.SHAPE.size
    assert seen.pixels.shape == seen.masks.shape == (1, side, side)
    assert set(np.unique(seen.pixels)) == {7}
    assert seen.masks[0, 0, 0] == 0
    assert seen.masks[0, -1, -1] == 255


def test_no_patient_teaches_and_is_measured(shared_data: Path) -> None:
    with (shared_data / "images.csv").open(newline="", encoding="utf-8") as lines:
        rows = {row["file"]: row for row in csv.DictReader(lines) if row["domain"] == lungs.SET and row["mask"]}
    found = read_outlined(shared_data, [lungs.SET])
    assert len(found) == len(rows)
    measured = {film.patient for film in found if film.role == "measure"}
    teaching = {film.patient for film in found if film.role != "measure"}
    kept_back = {patient for patient in teaching if share(patient, lungs.SEED) < lungs.VALIDATION}
    assert measured.isdisjoint(teaching)
    assert 3 <= len(kept_back) < len(teaching) / 2
    assert sum(not row["license"].startswith(("CC BY 3.0", "CC BY 4.0")) for row in rows.values()) == sum(
        film.role == "measure" for film in found
    )
