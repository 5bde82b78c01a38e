import numpy as np

from overread.encoder import DIMENSIONS, sentence_encoder


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
