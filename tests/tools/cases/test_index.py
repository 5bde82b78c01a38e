import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cases.index import CaseEntry, CaseIndex
from tools.errors import ToolError

DOMAINS = ("ct/abdomen", "ct/head", "fundus")


def entry(number: int, domain: str, label: str = "normal") -> CaseEntry:
    return CaseEntry(id=f"case{number}", label=label, domain=domain, source="test")


def unit(seed: int, rows: int, dimensions: int = 8) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(st.lists(st.sampled_from(DOMAINS), max_size=30), st.sampled_from([*DOMAINS, "ct"]), st.integers(0, 7))
def test_a_search_equals_brute_force(domains: list[str], wanted: str, k: int) -> None:
    vectors = unit(len(domains), len(domains)).astype(np.float16).reshape(len(domains), 8)
    index = CaseIndex([entry(number, domain) for number, domain in enumerate(domains)], vectors)
    query = unit(99, 1)[0]
    scores = vectors.astype(np.float32) @ query
    rows = [row for row, domain in enumerate(domains) if domain == wanted]
    expected = sorted(rows, key=lambda row: -scores[row])[:k]
    found = index.search(query, wanted, k)
    assert [near.entry.id for near in found] == [f"case{row}" for row in expected]
    assert np.allclose([near.similarity for near in found], scores[expected], atol=1e-5)
    assert (wanted in index.domains) == bool(rows)


def test_entries_and_vectors_belong_together() -> None:
    with pytest.raises(ToolError, match="one float16 vector"):
        CaseIndex([entry(1, "fundus")], np.zeros((2, 8), dtype=np.float16))
    with pytest.raises(ToolError, match="same id"):
        CaseIndex([entry(1, "fundus"), entry(1, "fundus")], np.zeros((2, 8), dtype=np.float16))
