from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serve.chat.pieces import Piece, changes, placed

ATTRS = st.sampled_from([{}, {"class": "x"}, {"class": "y", "open": None}])
BOXES = st.sampled_from(["left", "right"])
WHOLE = st.builds(Piece, st.sampled_from("abcd"), BOXES, st.sampled_from(["one", "two"]), ATTRS)
INSIDE = st.builds(Piece, st.sampled_from("ef"), BOXES, st.just(""), ATTRS)
PIECES = st.lists(WHOLE | INSIDE, unique_by=lambda piece: piece.id, max_size=6)


class Browser:
    """What ``static/pieces.js`` does with a list of changes."""

    def __init__(self) -> None:
        self.boxes: dict[str, list[str]] = {"left": [], "right": []}
        self.html: dict[str, str] = {}
        self.attrs: dict[str, dict[str, Any]] = {}

    def apply(self, told: list[dict[str, Any]]) -> None:
        for change in told:
            id_ = change["id"]
            if change.get("gone"):
                self._take(id_)
                del self.html[id_]
                continue
            if "html" in change:
                self.html[id_] = change["html"]
                self.attrs.pop(id_, None)
            if "box" in change:
                self._take(id_)
                box = self.boxes[change["box"]]
                box.insert(box.index(change["after"]) + 1 if change["after"] else 0, id_)
            if "attrs" in change:
                self.attrs.setdefault(id_, {}).update(change["attrs"])

    def _take(self, id_: str) -> None:
        for box in self.boxes.values():
            if id_ in box:
                box.remove(id_)


@given(st.lists(PIECES, min_size=1, max_size=4))
def test_the_changes_turn_one_page_into_the_next(pages: list[list[Piece]]) -> None:
    browser = Browser()
    before = placed([])
    for page in pages:
        now = placed(page)
        browser.apply(changes(before, now))
        before = now
        shown = [piece for piece in page if piece.html]
        assert browser.boxes == {box: [piece.id for piece in shown if piece.box == box] for box in ("left", "right")}
        assert browser.html == {piece.id: piece.html for piece in shown}
    assert changes(before, before) == []


def test_only_what_changed_travels() -> None:
    first, second = Piece("a", "box", "<p id=a>1</p>"), Piece("b", "box", "<p id=b>2</p>")
    other = Piece("b", "box", "<p id=b>3</p>")
    assert changes(placed([first, second]), placed([first, other])) == [{"id": "b", "html": other.html}]
    assert changes(placed([first]), placed([first, second])) == [
        {"id": "b", "html": second.html, "box": "box", "after": "a"}
    ]
