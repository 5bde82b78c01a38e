from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.records import Context
from serve.arguments import choices, image_place, read_context, read_request
from serve.errors import ArgumentsError


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "DOE^JANE.dcm"
    path.write_bytes(b"x")
    return str(path)


def test_the_question_is_last_and_images_come_before(image: str) -> None:
    request = read_request([image, image, " What is this? "], "case-7", ["age_band=child, view=pa"], 3)
    assert request.question == "What is this?"
    assert request.images == (Path(image), Path(image))
    assert request.thread == "case-7"
    assert request.frame == 3
    assert request.context == Context(age_band="child", view="PA")


def test_a_folder_is_a_study(tmp_path: Path) -> None:
    assert read_request([str(tmp_path), "What is this?"]).images == (tmp_path,)


def test_without_an_image_it_is_a_question_of_knowledge() -> None:
    assert read_request(["What is pneumonia?"]).images == ()


@pytest.mark.parametrize(
    ("words", "more", "said"),
    [
        (["  "], {}, "the question is empty"),
        (["{image}"], {}, "the question is missing"),
        (["{image}", "{image}"], {}, "the question is missing"),
        (["{folder}"], {}, "the question is missing"),
        (["{image}", "DOE.png", "what?"], {}, "the second image is no file or folder"),
        (["a", "b", "c", "d", "what?"], {}, "the first image is no file"),
        (["https://example.org/DOE.png", "what?"], {}, "the image is an address"),
        (["x\0y", "what?"], {}, "the image is no file"),
        (["what?" * 2000], {}, "longer than"),
        (["what?"], {"thread": "../DOE"}, "a thread id is"),
        (["what?"], {"thread": ""}, "a thread id is"),
        (["what?"], {"frame": -1}, "--frame counts from 0"),
        (["what?"], {"context": ["age=4"]}, "--context takes key=value"),
        (["what?"], {"context": ["child"]}, "--context takes key=value"),
        (["what?"], {"context": [""]}, "--context takes key=value"),
        (["what?"], {"context": ["age_band=DOE"]}, "--context age_band takes one of: newborn"),
        (["what?"], {"context": ["view=DOE"]}, "--context view takes one of: AP"),
        (["what?"], {"context": ["body_part=JANE DOE"]}, "--context body_part takes one word"),
        (["what?"], {"context": ["view=PA", "view=AP"]}, "names view twice"),
    ],
)
def test_a_fault_is_one_line_that_names_no_file(
    image: str, tmp_path: Path, words: list[str], more: dict[str, object], said: str
) -> None:
    filled = [word.replace("{image}", image).replace("{folder}", str(tmp_path)) for word in words]
    with pytest.raises(ArgumentsError) as caught:
        read_request(filled, **more)  # type: ignore[arg-type]
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert "DOE" not in message


@given(st.sampled_from(sorted(choices())), st.text(max_size=20))
def test_a_context_value_is_taken_as_listed_or_refused(key: str, value: str) -> None:
    try:
        context = read_context([f"{key}={value}"])
    except ArgumentsError:
        return
    taken = getattr(context, key)
    assert taken.lower() == value.strip().lower()
    assert not choices()[key] or taken in choices()[key]


def test_places() -> None:
    assert image_place(0, 1) == "the image"
    assert [image_place(n, 5) for n in range(4)] == [
        "the first image",
        "the second image",
        "the third image",
        "image 4",
    ]


def test_a_prior_stands_beside_one_image(image: str, tmp_path: Path) -> None:
    assert read_request([image, "Has it grown?"], prior=Path(image)).prior == Path(image)
    for words, prior, said in (
        ([image, image, "Has it grown?"], Path(image), "one image"),
        (["Has it grown?"], Path(image), "one image"),
        ([image, "Has it grown?"], tmp_path / "none.dcm", "no file"),
        ([image, "Has it grown?"], Path("https://example.org/a.dcm"), "address"),
    ):
        with pytest.raises(ArgumentsError, match=said):
            read_request(words, prior=prior)
