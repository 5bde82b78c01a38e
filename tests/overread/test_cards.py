import hashlib
from pathlib import Path

import pytest
import yaml

from overread.cards import Label, Population, find_cards, read_card
from overread.errors import CardError
from overread.records import Context
from overread.settings import Settings

CARD = {
    "name": "tiny",
    "version": "1",
    "title": "A tiny model",
    "task": "classification",
    "domains": ["xray/chest"],
    "architecture": "none",
    "labels": [{"name": "pneumonia"}],
    "training": [],
    "weights": {"file": "weights.safetensors", "sha256": hashlib.sha256(b"w").hexdigest(), "licence": "Apache-2.0"},
    "limits": [],
}


def write_card(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"w")
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump({**CARD, **changes}))
    return path


def test_a_card_gives_its_weights_once_they_match(tmp_path: Path) -> None:
    found = read_card(write_card(tmp_path / "tiny"))
    assert found.weights() == tmp_path / "tiny" / "weights.safetensors"


def test_tampered_weights_are_an_error(tmp_path: Path) -> None:
    found = read_card(write_card(tmp_path / "tiny"))
    (tmp_path / "tiny" / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(CardError, match="SHA-256"):
        found.weights()


def test_missing_weights_are_an_error(tmp_path: Path) -> None:
    found = read_card(write_card(tmp_path / "tiny"))
    (tmp_path / "tiny" / "weights.safetensors").unlink()
    with pytest.raises(CardError, match="missing"):
        found.weights()


def test_weights_cannot_lie_elsewhere(tmp_path: Path) -> None:
    weights = {**CARD["weights"], "file": "../weights.safetensors"}  # type: ignore[dict-item]
    with pytest.raises(CardError, match="bare file name"):
        read_card(write_card(tmp_path / "tiny", weights=weights)).weights()


def test_a_wrong_field_is_named(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="task"):
        read_card(write_card(tmp_path / "tiny", task="guessing"))


def test_a_card_of_the_user_hides_one_of_ours(tmp_path: Path) -> None:
    write_card(tmp_path / "mine" / "tiny", version="mine")
    write_card(tmp_path / "cache" / "models" / "tiny", version="pulled")
    where = Settings(models=tmp_path / "mine", cache=tmp_path / "cache")
    assert find_cards(where)["tiny"].card.version == "mine"


def test_every_starter_card_has_its_weights() -> None:
    for found in find_cards(Settings(models=None, cache=Path("no-such-folder"))).values():
        assert found.weights().stat().st_size < 40_000_000


@pytest.mark.parametrize(
    ("context", "fits"),
    [
        (Context(age_band="child", view="AP"), True),
        (Context(age_band="adult", view="AP"), False),
        (Context(view="AP"), False),
        (Context(age_band="child"), False),
        (Context(age_band="child", view="PA"), False),
    ],
)
def test_outside_or_unknown_is_a_misfit(context: Context, fits: bool) -> None:
    reason = Population(age_bands=("child",), views=("AP",)).misfit(context)
    assert (reason is None) == fits


def test_a_view_that_is_not_known_may_pass_and_a_wrong_one_never() -> None:
    population = Population(age_bands=("child",), views=("AP", "PA"), view_needed=False)
    assert population.misfit(Context(age_band="child")) is None
    assert population.misfit(Context(age_band="child", view="LL")) == "this model speaks only for the views AP and PA"


def test_a_model_for_everyone_fits_everyone() -> None:
    assert Population().misfit(Context()) is None


def test_a_band_is_a_probability() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        Label(name="x", present_from=1.5)
