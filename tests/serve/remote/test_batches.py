"""Passes put together give each request what it would have got alone."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from overread.cards import ModelCard, find_cards
from overread.errors import CardError
from overread.settings import Settings
from serve.errors import DeploymentError
from serve.remote.batches import MOST_IMAGES, Job, Passes
from tools.domain import domain_identifier


class Sums:
    """A network whose pass adds up each image, and gives the number of images too where that does no harm."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.seen: list[int] = []

    def forward(self, pixels: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
        self.seen.append(len(pixels))
        if pixels.shape[1] == 5:
            raise ValueError("Zebulon")
        sums = pixels.reshape(len(pixels), -1).sum(axis=1).astype(np.float32)
        return sums, sums[:, None] * 2


CARD = next(iter(find_cards(Settings()).values())).card
SHA256 = CARD.weights.sha256


def job(images: int, side: int, value: int = 1) -> Job:
    return Job(CARD.name, SHA256, np.full((images, side, side), value, np.uint8))


@given(st.lists(st.tuples(st.integers(1, 90), st.sampled_from([2, 3]), st.integers(0, 9)), min_size=1, max_size=12))
def test_each_gets_its_own_however_many_come_together(given_jobs: list[tuple[int, int, int]]) -> None:
    network = Sums(CARD)
    outcomes = Passes([network]).run([job(*one) for one in given_jobs])
    for (images, side, value), outcome in zip(given_jobs, outcomes, strict=True):
        assert isinstance(outcome, tuple)
        assert outcome[0].tolist() == [side * side * value] * images
        assert outcome[1].tolist() == [[2 * side * side * value]] * images
    assert max(network.seen) <= MOST_IMAGES
    shapes = {side for _, side, _ in given_jobs}
    assert len(network.seen) == sum(
        -(-sum(n for n, side, _ in given_jobs if side == one) // MOST_IMAGES) for one in shapes
    )


def test_what_fails_is_no_fault_of_the_others() -> None:
    strange = Job("no-such-card", SHA256, np.zeros((1, 2, 2), np.uint8))
    altered = Job(CARD.name, "0" * 64, np.zeros((1, 2, 2), np.uint8))
    fine, absent, other, broken = Passes([Sums(CARD)]).run([job(1, 2), strange, altered, job(1, 5)])
    assert isinstance(fine, tuple)
    assert isinstance(absent, CardError)
    assert isinstance(other, CardError)
    assert isinstance(broken, DeploymentError)
    assert "ValueError" in str(broken)
    assert "Zebulon" not in str(broken)


def test_a_real_network_gives_the_same_in_a_batch_as_alone() -> None:
    identifier = domain_identifier()
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 255, (5, 128, 128, 3), dtype=np.uint8)
    card = identifier.card
    jobs = [Job(card.name, card.weights.sha256, pixels[n : n + 1]) for n in range(5)]
    together = Passes([identifier]).run(jobs)
    for n, outcome in enumerate(together):
        assert isinstance(outcome, tuple)
        np.testing.assert_allclose(outcome[0], identifier.forward(pixels[n : n + 1])[0], atol=2e-6)
