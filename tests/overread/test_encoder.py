import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from overread.encoder import DIMENSIONS, sentence_encoder, token_batches


def test_rows_are_unit_vectors_in_the_order_given() -> None:
    texts = ["a chest X-ray", "a much longer sentence about the radiograph of somebody's thorax", "soup"]
    encoder = sentence_encoder()
    together = encoder.encode(texts)
    assert together.shape == (3, DIMENSIONS)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.vstack([encoder.encode([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-4)


def test_like_meanings_lie_closer() -> None:
    xray, film, soup = sentence_encoder().encode(["a chest X-ray", "a radiograph of the thorax", "a bowl of soup"])
    assert xray @ film > xray @ soup + 0.2


def test_nothing_in_nothing_out() -> None:
    assert sentence_encoder().encode([]).shape == (0, DIMENSIONS)


def test_a_text_that_comes_twice_has_the_same_row_twice() -> None:
    encoder = sentence_encoder()
    rows = encoder.encode(["soup", "a chest X-ray", "soup"])
    assert np.array_equal(rows[0], rows[2])
    assert np.allclose(rows[1], encoder.encode(["a chest X-ray"])[0], atol=1e-5)


def test_a_long_text_among_short_ones_changes_none_of_them() -> None:
    encoder = sentence_encoder()
    long = "The heart is enlarged and the lungs are clear. " * 60
    together = encoder.encode([long, *(f"finding number {n}" for n in range(40))])
    assert np.allclose(together[1], encoder.encode(["finding number 0"])[0], atol=1e-4)
    assert np.allclose(together[0], encoder.encode([long])[0], atol=1e-4)


@given(lengths=st.lists(st.integers(1, 300), max_size=60), most=st.integers(1, 40), budget=st.integers(1, 2_000))
def test_batches_hold_each_place_once_within_their_bounds(lengths: list[int], most: int, budget: int) -> None:
    batches = token_batches(lengths, most, budget)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= most
        assert len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= budget
