from evaluation.model_docs import PAGE, page
from overread.cards import STARTER, read_card
from overread.catalogue import read_catalogue
from overread.settings import Settings


def test_the_page_is_what_the_cards_say() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "docs/models.md is not what the cards say; run: python -m evaluation.model_docs"


def test_every_shipped_card_is_on_it_with_its_figures_limits_and_checksum() -> None:
    text = page()
    for path in STARTER.glob("*/card.yaml"):
        card = read_card(path).card
        assert f"### {card.name}\n" in text
        assert card.weights.sha256 in text
        assert all(limit in text for limit in card.limits)
        assert all(f"`{figure.command}`" in text for figure in card.figures)


def test_every_model_of_the_catalogue_is_on_it_with_its_licence() -> None:
    text = page()
    for entry in read_catalogue(Settings(catalogue=None)).values():
        assert f"[{entry.name}]({entry.homepage})" in text
        assert entry.licence in text
