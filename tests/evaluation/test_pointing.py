"""The pointing game on maps whose peaks are known."""

import numpy as np
import pytest

from evaluation.pointing import nih_boxes, pointing

NOTE = 'age=54 sex=M view=AP bbox1024=[["Pneumonia", "512", "256", "256", "128"], ["Effusion", "0", "0", "10", "10"]]'


def test_boxes_are_read_by_finding() -> None:
    assert nih_boxes(NOTE, "Pneumonia") == [(0.5, 0.25, 0.75, 0.375)]
    assert nih_boxes("age=3 view=AP bbox1024=[]", "Pneumonia") == []
    assert nih_boxes("age=3", "Pneumonia") == []


def test_hits_and_both_kinds_of_chance_are_counted() -> None:
    maps = np.zeros((3, 4, 4))
    maps[0, 1, 2] = 2  # middle at x 0.625, y 0.375
    maps[1, 1, 2] = 3
    maps[2, 0, 0] = 1
    game = pointing(maps, [[(0.5, 0.25, 0.75, 0.5)]] * 3)
    assert (game.hits, game.n) == (2, 3)
    assert game.anywhere == pytest.approx(1 / 16)
    assert game.usual == 3


def test_overlapping_boxes_are_counted_once() -> None:
    game = pointing(np.zeros((1, 2, 2)), [[(0, 0, 0.5, 0.5), (0, 0, 0.5, 0.5)]])
    assert game.anywhere == pytest.approx(0.25)
