import io
import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from overread.events import DeltaEvent, Event
from serve.printing import printable
from serve.terminal import LiveTranscript, PlainTranscript, transcript_for


def plain(events: list[Event], images: int = 1) -> str:
    out = io.StringIO()
    transcript = transcript_for(out, images)
    for event in events:
        transcript.show(event)
    transcript.close()
    return out.getvalue()


def live(events: list[Event], width: int = 80) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
    transcript = LiveTranscript(console)
    for event in events:
        transcript.show(event)
    transcript.close()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def words_of(text: str) -> str:
    """What is read: without ANSI sequences, borders, spinners and line breaks."""
    bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return " ".join(re.sub(r"[│╭╮╰╯─⠀-⣿]", " ", bare).split())


def test_plain_shows_an_answer_in_order(answered: list[Event]) -> None:
    text = plain(answered)
    expected = [
        "Study     CR, 512 x 1024 pixels, spacing 0.2 x 0.25 mm, age group child, view AP",
        "Privacy   14 header values removed, 1 header value replaced; pixels not checked for burned-in text",
        "Domain    chest X-ray, 97 % [D1]",
        "          or: bone X-ray 2 %",
        "Tool      chest-child: started",
        "Tool      chest-child: finished",
        "Finding   pneumonia: signs found, 93 % (95 % interval 88 % to 96 %) [F1]",
        "Measured  heart width: 81.5 mm (widest row of the mask) [M1]",
        "Tool      chest-adult: skipped: this model speaks only for: adult",
        "Passage   [S1] Pneumonia: What it is",
        "          Overread notes https://example.org/p?a=1&b=2",
        "Engine    built-in composer, no language model.",
        "The child model finds signs of pneumonia, with a probability of 93 % [F1].\n",
        "Withheld  a sentence was withheld: nothing in the evidence supports it",
        "Pneumonia is an infection of the lung [S1].\n",
        "Sureness  91 % that every sentence shown is right",
        "          Research use; not a medical device.",
    ]
    at = [text.find(line) for line in expected]
    assert -1 not in at, expected[at.index(-1)]
    assert at == sorted(at)


def test_plain_has_no_ansi_no_times_and_no_trailing_blanks(answered: list[Event]) -> None:
    text = plain(answered)
    assert "\x1b" not in text
    assert "340" not in text
    assert "0.3 s" not in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_plain_shows_why_it_refused(refused: list[Event]) -> None:
    text = plain(refused)
    assert "Domain    not accepted: a photograph [D1]" in text
    assert "Refusal   No answer: this is not an image I know" in text
    assert "Why: This is no medical image I know." in text
    assert "What is missing: A medical image." in text
    assert "What would help: Send the original." in text
    assert text.count("This is no medical image I know.") == 1
    assert "Sureness" not in text


def test_several_images_are_told_apart_by_place(answered: list[Event]) -> None:
    second = [event.model_copy(update={"study_id": "study-2"}) for event in answered if hasattr(event, "study_id")]
    text = plain([*answered, *second], images=2)
    assert "Study     (image 1) CR" in text
    assert "Domain    (image 2) chest X-ray" in text
    assert "study-2" not in text


def test_live_says_what_plain_says(answered: list[Event]) -> None:
    said = words_of(live(answered))
    for row in plain(answered).splitlines():
        if "started" not in row:
            assert " ".join(row.split()) in said
    assert "0.3 s" in said


def test_live_shows_a_refusal_as_a_panel(refused: list[Event]) -> None:
    text = live(refused)
    assert "╭─ No answer: this is not an image I know" in words_of(text) or "╭" in text
    assert "Why: This is no medical image I know." in words_of(text)


@given(st.lists(st.text(max_size=40), max_size=12))
def test_the_plain_answer_is_the_text_of_its_pieces(pieces: list[str]) -> None:
    out = io.StringIO()
    transcript = PlainTranscript(out)
    for piece in pieces:
        transcript.show(DeltaEvent(text=piece))
    transcript.close()
    assert out.getvalue().strip() == printable("".join(pieces)).strip()


@given(st.text(alphabet=st.sampled_from("ab [F1].\n漢"), max_size=200), st.integers(12, 60))
def test_live_keeps_every_word_and_the_width(text: str, width: int) -> None:
    written = live([DeltaEvent(text=text)], width)
    assert words_of(written.split("\x1b[?25h")[-1]).replace(" ", "") == "".join(text.split())


@given(st.text())
def test_nothing_printed_can_steer_the_terminal(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", printable(text))
