"""Calls of another deployment, from a thread: bounded in time, made once more when its replica died, typed errors."""

import logging
from typing import TYPE_CHECKING, Any

from ray import serve
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException, ReplicaUnavailableError

from overread.errors import OverreadError
from serve.errors import BusyError, DeploymentError

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

log = logging.getLogger(__name__)


class Calls:
    """The methods of one deployment. What is called changes nothing there, so it may be called twice."""

    def __init__(self, application: str, name: str, wait_s: float) -> None:
        """``application`` is called; ``name`` is told in errors; ``wait_s`` is how long one call may take."""
        self._application = application
        self._handle: DeploymentHandle | None = None
        self._name = name
        self._wait_s = wait_s

    def __call__(self, method: str, *arguments: object) -> Any:
        """What the method returns. Never from an event loop.

        Raises ``BusyError`` when too many wait, ``DeploymentError`` when there is no answer, and what the method
        raised when that was an ``OverreadError``.
        """
        try:
            return self._once(method, arguments)
        except (RayActorError, ReplicaUnavailableError):
            log.warning("a replica of %s died; its call is made again", self._name)
        try:
            return self._once(method, arguments)
        except (RayActorError, ReplicaUnavailableError):
            raise DeploymentError(f"{self._name} is not there at the moment; ask again") from None

    def _once(self, method: str, arguments: tuple[object, ...]) -> Any:
        try:
            # Asked for when it is needed: both applications start at the same time.
            self._handle = self._handle or serve.get_app_handle(self._application)
            return getattr(self._handle, method).remote(*arguments).result(timeout_s=self._wait_s)
        except BackPressureError:
            raise BusyError(f"too many requests wait for {self._name}; ask again in a moment") from None
        except TimeoutError:
            raise DeploymentError(f"{self._name} took longer than {self._wait_s:g} s; ask again") from None
        except (RayActorError, ReplicaUnavailableError):
            raise
        except RayTaskError as error:
            # As it stands its text holds a traceback.
            if isinstance(error.cause, OverreadError):
                raise error.cause from None
            raise DeploymentError(f"{self._name} stopped with {type(error.cause).__name__}; ask again") from None
        except (RayError, RayServeException) as error:
            raise DeploymentError(f"{self._name} gave no answer ({type(error).__name__}); ask again") from None
