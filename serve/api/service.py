"""What the routes of one server work with."""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from overread.settings import Settings
from serve.errors import NoStudyError
from serve.keys import Keys, keys_file
from serve.studies import Studies

if TYPE_CHECKING:
    from starlette.requests import Request

    from agent.parts import Parts
    from serve.api.admission import Admission
    from serve.api.health import Readiness
    from serve.api.metrics import MeasuredAssistant, Metrics

MOST_LOOKS = 10_000


@dataclass(frozen=True)
class Look:
    """One image that a run looked at: whose it is, and the handle it was named by, if by one."""

    owner: str
    handle: str | None


@dataclass
class Looks:
    """Whose the pictures are that the assistant keeps, by the ``study_id`` of the events. The oldest are forgotten."""

    _seen: OrderedDict[str, Look] = field(default_factory=OrderedDict)

    def note(self, study_id: str, look: Look) -> None:
        """A run has read an image."""
        self._seen[study_id] = look
        while len(self._seen) > MOST_LOOKS:
            self._seen.popitem(last=False)

    def of(self, owner: str, study_id: str) -> Look:
        """The look of that id, if it is the owner's. Raises ``NoStudyError``."""
        look = self._seen.get(study_id)
        if look is None or look.owner != owner:
            raise NoStudyError
        return look

    def at(self, handles: "set[str]") -> list[str]:
        """The study ids of all looks at these handles, the oldest first."""
        return [study_id for study_id, look in self._seen.items() if look.handle in handles]

    def forget(self, study_id: str) -> None:
        """It is kept no longer."""
        self._seen.pop(study_id, None)


@dataclass
class Service:
    """The parts of one server. ``folder`` is private and goes with the process."""

    settings: Settings
    folder: Path
    keys: Keys
    studies: Studies
    looks: Looks
    metrics: "Metrics"
    admission: "Admission"
    readiness: "Readiness"
    assistant: "MeasuredAssistant"

    @classmethod
    def of(cls, settings: Settings, folder: Path, parts: "Parts | None" = None) -> "Service":
        """The parts that these settings name, none of them loaded yet. ``parts`` are the assistant's; unset, they
        run in this process.
        """
        from agent.parts import Parts
        from serve.api.admission import Admission
        from serve.api.health import Readiness
        from serve.api.metrics import MeasuredAssistant, Metrics

        metrics, parts = Metrics(), parts or Parts(settings)
        return cls(
            settings=settings,
            folder=folder,
            keys=Keys(keys_file(settings)),
            studies=Studies(settings),
            looks=Looks(),
            metrics=metrics,
            admission=Admission(settings, metrics),
            readiness=Readiness(settings, parts),
            assistant=MeasuredAssistant(settings, metrics, parts),
        )

    def forget(self, handles: "set[str]") -> None:
        """Drop the pictures that were made of studies which are deleted."""
        for study_id in self.looks.at(handles):
            self.assistant.drop(study_id)
            self.looks.forget(study_id)


def service_of(request: "Request") -> Service:
    """The server's parts, in a route."""
    return cast("Service", request.app.state.service)


def owner_of(request: "Request") -> str:
    """Who asks: the id of the key, or ``local`` on an open loopback server. Set before any route runs."""
    return cast("str", request.state.owner)
