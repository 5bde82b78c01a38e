"""The tagger by itself, in the detector, in the stream, and when it fails. Its weights are the shipped ones."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.errors import DetectorError
from guardrails.gate import WITHHELD, Gate, Ledger, Released
from guardrails.phi import tagger as module
from guardrails.phi.folding import fold
from guardrails.phi.identity import Identity
from guardrails.phi.spans import Span
from guardrails.phi.tagger import NAME, NameTagger, name_tagger, words_of
from guardrails.phi.tags import TAGS
from guardrails.phi.text import TextDetector, redact
from overread.cards import STARTER, read_card
from overread.errors import CardError
from overread.settings import Settings

DETECTOR = TextDetector(tagged=True)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Kindly review Thandeka Mbatha, who fell on the stairs at home.", ["Thandeka Mbatha"]),
        ("I spoke with Ottoline Penhaligon and she agrees to the biopsy.", ["Ottoline Penhaligon"]),
        ("pt wulfric penhaligon seen by dr quilligan, knee pain for 3 days", ["wulfric penhaligon", "quilligan"]),
        ("Please call her daughter Yuliana about the result.", ["Yuliana"]),
        ("Mrs Etxeberria's husband, Itziar, brought the films.", ["Etxeberria", "Itziar"]),
        ("She was transferred from Ballaghaderreen General Hospital last night.", ["Ballaghaderreen"]),
        ("He lives in Wapakoneta with his brother Kwesi.", ["Wapakoneta", "Kwesi"]),
        ("Reported by Hovhannes Harutyunyan, checked by S. Watanuki.", ["Hovhannes Harutyunyan", "Watanuki"]),
        # Surname first, and halves of names that are also words: the comma and the month must not hide the rest.
        ("Report on Fitzgerald, June, 27274818, 18/12/1970, seen at Zabrze.", ["Fitzgerald", "June"]),
        ("Report on Kowalski, June, 71470472, DOB 24.01.1960.", ["Kowalski", "June"]),
        ("Report on June PETROVA, 93244305, 1979-03-09, seen at Dept of Radiology, Zabrze.", ["June", "PETROVA"]),
        ("Report on Brown, CHIDI, 66564133, DOB 09.12.1981.", ["Brown", "CHIDI"]),
    ],
)
def test_names_that_no_list_knows_are_found_in_unseen_sentences(text: str, names: list[str]) -> None:
    shown = redact(text, None, DETECTOR).text
    assert not [word for name in names for word in name.split() if word in shown]


CLINICAL = [
    "Parkinson's disease and Graves disease, Down syndrome, Wilms tumor, Ewing sarcoma.",
    "A Foley catheter and a Swan-Ganz catheter are in place; the Dobhoff tube is not.",
    "It may cause oedema. May be normal.",
    "T2 hyperintense at L4-L5, BRCA1, EGFR, TP53, HER2 and KRAS were tested.",
    "Metformin, Eliquis and Keytruda were stopped; Humira was started.",
    "The scan was made on a Siemens Skyra with Gadovist.",
    "Kerley B lines, Hampton hump and the sign of Westermark are absent.",
    "Baker's cyst behind the knee, Morton's neuroma in the foot, Colles fracture of the wrist.",
    "The model finds no signs of pneumothorax: the probability is 3 % [F2].",
    "This looks like a chest X-ray, with a probability of 98 % (95 % interval 96 % to 99 %) [D1].",
    "Whipple procedure, Billroth II and Roux-en-Y were considered.",
    "Staphylococcus aureus and Klebsiella grew; Gram stain negative.",
    "[NAME] was seen at [PLACE] on [DATE] for asthma [S1].",
    "Research use; not a medical device.",
    "The image is a chest radiograph in PA view, 40 slices, modality CR [D1].",
    "Technique This is a mammogram in LLO view, one frame [D1].",
    "Drusen, 83 % [F13].",
    "Attention is drawn to labral fraying, which should be confirmed by a radiologist [F3].",
    "Placenta praevia is thought to be absent [F6].",
    "The lung area is 85,336 cm², by counting pixels [M1].",
    "The lung area is 93,338 mm2, by counting pixels [M1].",
]


@pytest.mark.parametrize("text", CLINICAL)
def test_clinical_words_stay(text: str) -> None:
    assert redact(text, None, DETECTOR).text == text


def test_a_word_of_medicine_beside_a_name_is_not_its_other_half() -> None:
    assert redact("Effusion, Smith reported, is small.", None, DETECTOR).text == "Effusion, [NAME] reported, is small."


def test_a_bare_number_is_left_to_the_patterns() -> None:
    for text in ("The lung area in image 3 is 17206.38 mm², by pixels of the mask [M3].", "It is 90210 in all of it."):
        assert name_tagger().spans(text) == []


def test_a_text_of_one_word_is_not_judged() -> None:
    assert name_tagger().spans("Thandeka") == []
    assert name_tagger().spans("42") == []
    assert name_tagger().spans("") == []


PIECES = st.sampled_from(
    [
        "Ottoline ",
        "Penhaligon ",
        "seen by ",
        "Dr. ",
        "in ",
        "Wapakoneta",
        ". ",
        "\n",
        "[F1]",
        "pneumonia ",
        "\ufb01",
        "\u200b",
        "É",
        "42 ",
    ]
)


@settings(max_examples=60)
@given(st.lists(PIECES, max_size=90) | st.text(max_size=300).map(lambda text: [text]))
def test_spans_are_in_order_inside_and_the_same_without_memory(pieces: list[str]) -> None:
    text, last = "".join(pieces), 0
    found = name_tagger().spans(text)
    for span in found:
        assert last <= span.start < span.end <= len(text)
        last = span.end
    tagger = name_tagger()
    tagger._known.clear()
    assert tagger.spans(text) == found


@settings(max_examples=60)
@given(st.lists(PIECES, max_size=60), st.data())
def test_what_is_far_from_a_part_says_nothing_about_it(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    far = "Reported by Hovhannes Harutyunyan. The lungs are clear in all of their parts. "
    around = "one two three four "
    alone = name_tagger().spans(around + text + " " + around, (len(around) + start, len(around) + end))
    longer = far + around + text + " " + around + far
    among = name_tagger().spans(longer, (len(far + around) + start, len(far + around) + end))
    assert [Span(s.start - len(far), s.end - len(far), s.kind) for s in among] == alone


def test_a_name_in_a_long_text_about_nobody_else_is_found() -> None:
    plain = "The lungs are clear. The heart is normal in size. Bones are intact. " * 8
    sentence = "I spoke with Ottoline Penhaligon and she agrees. "
    shown = "".join(one.text for one in Gate(Identity(), Ledger(), DETECTOR).offline(plain + sentence + plain))
    assert "[NAME]" in shown or "spoke" not in shown
    assert "Penhaligon" not in shown
    assert "Ottoline" not in shown
    found = name_tagger().spans(plain + sentence + plain, (len(plain), len(plain) + len(sentence)))
    assert [(plain + sentence)[span.start : span.end] for span in found] == ["Ottoline Penhaligon"]


@settings(max_examples=60)
@given(st.lists(PIECES, max_size=60), st.data())
def test_the_stream_equals_the_offline_result(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    offline = Gate(Identity(), Ledger(), DETECTOR).offline(text)
    name_tagger()._known.clear()
    gate = Gate(Identity(), Ledger(), DETECTOR)
    streamed = [released for chunk in chunks for released in gate.feed(chunk)] + gate.finish()
    assert streamed == offline


def test_every_split_of_a_sentence_gives_the_same() -> None:
    text = "I spoke with Ottoline Penhaligon.\nShe lives in Wapakoneta. Thanks, K. Mbatha"
    offline = Gate(Identity(), Ledger(), DETECTOR).offline(text)
    assert sum(one.redacted for one in offline) >= 2
    for cut in range(len(text) + 1):
        gate = Gate(Identity(), Ledger(), DETECTOR)
        released: list[Released] = [*gate.feed(text[:cut]), *gate.feed(text[cut:]), *gate.finish()]
        assert released == offline


def test_a_long_text_is_judged_piece_by_piece() -> None:
    plain = "The lungs are clear. The heart is normal in size. Bones are intact. "
    for before in (0, 1, 7, 20):
        text = plain * before + "Kindly review Thandeka Mbatha, who fell on the stairs. " + plain * 20
        shown = redact(text, None, DETECTOR).text
        assert shown == text.replace("Thandeka Mbatha", "[NAME]")
    assert name_tagger().spans("x" * 5000 + " " + "漢" * 3000) is not None


def test_the_head_says_probabilities() -> None:
    words = words_of(fold("Seen by Ottoline Penhaligon in Wapakoneta.").text)
    chances = name_tagger().probabilities(words)
    assert chances.shape == (len(words), len(TAGS))
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-5)


def test_a_tagger_that_raises_withholds(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> NameTagger:
        raise CardError("Ottoline")

    monkeypatch.setattr(module, "name_tagger", broken)
    with pytest.raises(DetectorError) as caught:
        DETECTOR.spans("Seen by Ottoline Penhaligon")
    assert "Ottoline" not in str(caught.value)
    gate = Gate(Identity(), Ledger(), DETECTOR)
    assert [(one.text, one.withheld) for one in gate.offline("Research use; not a medical device.")] == [("", "error")]
    assert gate.scrub("anything") == WITHHELD


def test_weights_that_are_not_the_cards_are_refused(tmp_path: Path) -> None:
    for file in (STARTER / NAME).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(CardError, match="SHA-256"):
        NameTagger(read_card(tmp_path / "card.yaml"))


def test_the_setting_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().name_tagger
    monkeypatch.setenv("OVERREAD_NAME_TAGGER", "false")
    assert not Settings().name_tagger
    sentence = "Kindly review Thandeka Mbatha, who fell."
    assert TextDetector(tagged=False).spans(sentence) == []
    assert TextDetector(tagged=True).spans(sentence) != []


def test_the_tagger_needs_neither_torch_nor_transformers() -> None:
    program = (
        "import sys; from guardrails.phi.text import TextDetector; d = TextDetector(tagged=True);"
        "assert d.spans('Kindly review Thandeka Mbatha, who fell.');"
        "assert not {'torch', 'transformers', 'spacy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])


def test_the_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in (STARTER / NAME).iterdir()) < 1_000_000


def test_who_the_patient_is_said_to_be_is_a_name_and_what_is_not() -> None:
    shown = redact("The patient is Zebulon Quixotry and has a cough.", None, DETECTOR).text
    assert shown == "The patient is [NAME] and has a cough."
    for text in ("The patient is Full Code.", "The patient is Covid Positive now.", "The patient was well."):
        assert redact(text, None, DETECTOR).text == text


def test_the_town_behind_a_department_is_a_place() -> None:
    shown = redact("The film was read at the Department of Nuclear Medicine, Zabrze in May.", None, DETECTOR).text
    assert "Zabrze" not in shown
    text = "Department of Radiology, Nurse on call; Department of Surgery, Chest X-ray done."
    assert redact(text, None, TextDetector(tagged=False)).text == text
