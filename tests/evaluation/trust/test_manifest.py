from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evaluation.errors import ManifestError
from evaluation.trust.bench import chosen_of
from evaluation.trust.manifest import Row, drawn, mask_of, read_manifest
from overread.records import Context

Write = Callable[[Sequence[Mapping[str, str]]], Path]


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(tmp_path / "Kowalski.png")
    return "Kowalski.png"


def row_of(number: int, taught: frozenset[str] = frozenset()) -> Row:
    return Row(
        number, Path(f"{number}.png"), "dermoscopy", None, None, None, "", (), f"p{number % 5}", taught, Context()
    )


def test_a_row_is_read(write: Write, picture: str) -> None:
    said = {
        "file": picture, "domain": "xray/chest", "labels": "pneumonia|oedema", "looked_for": "pneumonia|oedema|mass",
        "boxes": "pneumonia:1,2,5,7; oedema:0,0,2,2", "patient": "p1", "taught": "a|b", "age_band": "child", "sex": "F",
        "view": "AP", "hospital": "north",
    }  # fmt: skip
    manifest = read_manifest(write([said]))
    (row,) = manifest.rows
    assert (row.number, row.domain, row.patient) == (2, "xray/chest", "p1")
    assert row.boxes == (("pneumonia", (1, 2, 5, 7)), ("oedema", (0, 0, 2, 2)))
    assert [row.holds(name) for name in ("pneumonia", "mass", "fracture")] == [True, False, None]
    assert row.context == Context(age_band="child", sex="F", view="AP")
    assert manifest.group_columns == ("age_band", "sex", "view", "hospital")
    assert row.groups["hospital"] == "north"


def test_nothing_and_not_known_differ(write: Write, picture: str) -> None:
    rows = read_manifest(write([{"file": picture, "domain": "none", "labels": said} for said in ("", "-")])).rows
    assert [row.domain for row in rows] == [None, None]
    assert [row.holds("melanoma") for row in rows] == [None, False]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"file": "nowhere.png"}, "file"), ({"domain": "xray/elbow"}, "domain"), ({"age_band": "old"}, "age_band"),
        ({"mask": "no.png"}, "mask"), ({"boxes": "pneumonia:1,2,3"}, "box"), ({"boxes": "x:5,1,2,3"}, "box"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_by_its_line_alone(write: Write, picture: str, changed: dict[str, str], word: str) -> None:
    good = {"file": picture, "domain": "dermoscopy"} | dict.fromkeys(changed, "") | {"file": picture}
    good["domain"] = "dermoscopy"
    with pytest.raises(ManifestError, match=word) as raised:
        read_manifest(write([good, {**good, **changed}]))
    assert "line 3" in str(raised.value)
    assert "Kowalski" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "file\n", "file,domain\n", "file,domain,domain\na,b,c\n", "file,domain\nx\n"])
def test_a_file_that_is_no_manifest(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ManifestError):
        read_manifest(path)


def test_a_mask_of_another_size_is_told(write: Write, picture: str, tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 6), 255, np.uint8)).save(tmp_path / "m.png")
    (row,) = read_manifest(write([{"file": picture, "domain": "dermoscopy", "mask": "m.png"}])).rows
    mask = mask_of(row, (8, 6))
    assert mask is not None
    assert mask.all()
    with pytest.raises(ManifestError, match="size"):
        mask_of(row, (9, 6))


@given(st.integers(1, 60), st.integers(0, 40), st.integers(0, 3))
def test_rows_are_drawn_alike_whatever_others_there_are(n: int, most: int, seed: int) -> None:
    rows = [row_of(k) for k in range(2, n + 2)]
    found = drawn(rows, most, seed)
    assert len(found) == min(most, n)
    assert found == drawn(reversed(rows), most, seed)
    assert {r.number for r in drawn(rows, most // 2, seed)} <= {r.number for r in found}


def test_rows_that_taught_a_model_are_left_out_where_others_suffice() -> None:
    rows = [row_of(k, frozenset({"m"} if k < 30 else ())) for k in range(40)]
    chosen = chosen_of(rows, "m", 10, 0)
    assert (chosen.taught, chosen.note) == (0, "")
    few = chosen_of(rows[:33], "m", 12, 0)
    assert few.taught > 0
    assert "too good" in few.note
