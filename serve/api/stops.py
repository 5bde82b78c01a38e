"""Ends a stream of text at the first stop sequence, however the text is cut into pieces."""

from collections.abc import Sequence


class Stops:
    """Holds back only what may be the beginning of a stop sequence. The sequences are not part of the text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.met = False

    def take(self, text: str) -> str:
        """What may be told now. After a stop sequence was met: nothing."""
        if self.met:
            return ""
        whole = self._held + text
        for at in range(len(whole)):
            if any(whole.startswith(stop, at) for stop in self._stops):
                self.met, self._held = True, ""
                return whole[:at]
            rest = len(whole) - at
            if any(len(stop) > rest and stop.startswith(whole[at:]) for stop in self._stops):
                self._held = whole[at:]
                return whole[:at]
        self._held = ""
        return whole

    def rest(self) -> str:
        """What was held back when the text has come to its end."""
        held, self._held = self._held, ""
        if self.met:
            return ""
        found = [at for stop in self._stops if (at := held.find(stop)) >= 0]
        if found:
            self.met = True
            return held[: min(found)]
        return held
