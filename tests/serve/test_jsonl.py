from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.errors import ArgumentsError
from serve.jsonl import Row, check_output, read_rows, text_of, write_rows


def read(path: Path) -> list[str]:
    return list(read_rows(path, lambda row: text_of(row, "text")))


def test_lines_come_in_order_and_empty_ones_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\ufeff{"text": "a"}\n\n{"text": "b\u2028c"}', "utf-8")
    assert read(tmp_path / "a.jsonl") == ["a", "b\u2028c"]


@pytest.mark.parametrize(
    "line", ["{", "[1]", "3", '{"text": 3}', '{"no": "text"}', '{"text": NaN}', "[" * 100_000, "Jane Doe"]
)
def test_a_bad_line_is_one_error_with_its_number_and_no_value(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n' + line + "\n", "utf-8")
    with pytest.raises(ArgumentsError, match=r"^line 2: ") as caught:
        read(tmp_path / "a.jsonl")
    assert "Jane" not in str(caught.value)


def test_what_is_no_text_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe{\x00")
    with pytest.raises(ArgumentsError, match="UTF-8"):
        read(tmp_path / "a.jsonl")


def test_a_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("before", "utf-8")

    def rows() -> Iterator[Row]:
        yield {"a": 1}
        raise ArgumentsError("line 2: no")

    with pytest.raises(ArgumentsError, match="line 2"):
        write_rows(out, rows())
    assert out.read_text("utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert write_rows(out, iter([{"a": "é"}])) == 1
    assert out.read_text("utf-8") == '{"a": "é"}\n'


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n", "utf-8")
    with pytest.raises(ArgumentsError, match="overwritten"):
        check_output(tmp_path / "a.jsonl", tmp_path / "a.jsonl")
    with pytest.raises(ArgumentsError, match="folder"):
        check_output(tmp_path / "no" / "b.jsonl", tmp_path / "a.jsonl")
