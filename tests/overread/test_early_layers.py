import numpy as np
import pytest

from overread.early_layers import EarlyLayers, early_layers, gelu
from overread.encoder import sentence_encoder

TEXT = ["no", "acute", "cardiopulmonary", "abnormality", "in", "Wapakoneta", "."]


def test_all_layers_say_what_the_encoder_says() -> None:
    layers = EarlyLayers(6)
    pieces = layers.pieces(TEXT)
    ids, meant = sentence_encoder().tokens([" ".join(TEXT)])[0]
    assert [piece for word in pieces for piece in word] == ids.tolist()
    deep = layers.words(pieces)[:, 384:]
    at = 0
    for word, own in zip(pieces, deep, strict=True):
        if len(word) == 1:
            assert float(own @ meant[at] / np.linalg.norm(own)) > 0.999
        at += len(word)


def test_a_word_without_pieces_is_unknown() -> None:
    layers = early_layers(0)
    assert layers.pieces(["\u0000", "heart"])[0] == layers.pieces(["x" * 300])[0]


def test_many_pieces_are_cut() -> None:
    assert max(map(len, early_layers(0).pieces(["qzx" * 20]))) == 8


@pytest.mark.parametrize("depth", [0, 1])
def test_shapes(depth: int) -> None:
    layers = early_layers(depth)
    assert layers.words(layers.pieces(TEXT)).shape == (len(TEXT), 768)
    assert layers.words(layers.pieces(TEXT)).dtype == np.float32


def test_gelu_is_the_known_function() -> None:
    assert np.allclose(gelu(np.array([-1, 0, 1, 3], np.float32)), [-0.1588, 0, 0.8412, 2.9964], atol=1e-3)
