import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overread.domains import domains
from training.errors import TrainingError
from training.pictures import data_root, load, picture_sets, read_pictures, share

FIELDS = ["split", "domain", "file", "label", "license", "note"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [
        ("cxr_kermany", "images/pneumonia_person12_bacteria_3.jpeg", "pneumonia_bacterial", "Kermany 2018: CC BY 4.0"),
        ("cxr_kermany", "images/pneumonia_person12_virus_4.jpeg", "pneumonia_viral", "Kermany 2018: CC BY 4.0"),
        ("cxr_kermany", "images/normal_IM_0115_0001_0002.jpeg", "normal", "Kermany 2018: CC BY 4.0"),
        ("cxr_cohen", "images/a.jpg", "COVID-19", "CC BY-NC-SA 4.0"),
        ("us_lung_pocus", "images/b.jpg", "regular", "per-image"),
        ("us_carotid", "images/c.jpg", "", "License: Unknown"),
    ]
    (tmp_path / "images").mkdir()
    with (tmp_path / "images.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for k, (name, path, label, licence) in enumerate(rows):
            Image.new("L", (20 + k, 30), 40 * k).save(tmp_path / path)
            writer.writerow(dict(zip(FIELDS, ("dev", name, path, label, licence, ""), strict=True)))
    return tmp_path


def test_only_open_rows_may_teach_findings(root: Path) -> None:
    assert [p.open for p in read_pictures(root)] == [True, True, True, False, False, False]


def test_pictures_of_one_person_share_a_key(root: Path) -> None:
    first, second, third, *_ = read_pictures(root, ["cxr_kermany"])
    assert first.patient == second.patient == "cxr_kermany:person12"
    assert third.patient == "cxr_kermany:normal_IM_0115"
    assert share(first.patient, 7) == share(second.patient, 7)


def test_pictures_are_squares_and_come_from_the_cache_again(root: Path, tmp_path: Path) -> None:
    pictures = read_pictures(root)
    fresh = load(pictures, 16, tmp_path / "cache")
    assert fresh.shape == (6, 16, 16, 3)
    assert np.array_equal(fresh, load(pictures, 16, tmp_path / "cache"))
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_missing_data_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--data"):
        data_root(tmp_path)


def test_every_set_names_a_known_domain_or_none() -> None:
    assert {one.domain for one in picture_sets().values()} - {None} <= set(domains())
