"""The application for Ray Serve. A config file names it ``serve.ray_app:app``; ``overread serve --ray`` runs it.

Beside it run ``serve.ray_app:networks``, ``:search`` and ``:guards``, as applications of the names
``overread-networks`` and so on. What a config file says of a deployment goes before what is said here.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.deployment import Application, Deployment

from overread.settings import settings
from serve.api.failures import RETRY_AFTER_S
from serve.remote.deployments import Guards, Ingress, Networks, Search

Options = Mapping[str, Any]

NAME = "overread"
QUIET = {"enable_access_log": False, "log_level": "WARNING"}
"""What Ray itself logs of a request is its path and its client: nothing that we want in a log."""

BACKPRESSURE = {"status_code": 503, "retry_after_s": RETRY_AFTER_S}
SMALL = {"num_cpus": 0.25, "num_gpus": 0}

STICKY = RequestRouterConfig(
    request_router_class="ray.serve.experimental.consistent_hash_router.ConsistentHashRouter",
    request_router_kwargs={"num_fallback_replicas": 2},
)
"""Requests of one caller go to one replica while it is there: that is where its pictures and its limits are."""


class Given(BaseModel):
    """The ``args`` of the application in a config file. ``host`` is the address that Ray's proxy listens on."""

    model_config = ConfigDict(extra="forbid")

    host: str = "127.0.0.1"


def app(given: Given) -> Application:
    """What answers, with one replica that fits a small machine. A config file makes it larger.

    The parts it calls are applications of their own, so that they are still there while it ends what goes on.
    """
    return ingress(given.host, {})


def networks() -> Application:
    """The networks."""
    return part(Networks, {})


def search() -> Application:
    """The search."""
    return part(Search, {})


def guards() -> Application:
    """The guards that take long."""
    return part(Guards, {})


def ingress(host: str, options: Mapping[str, Options]) -> Application:
    """What answers, with options of deployments by their names."""
    chosen = settings()
    # Above what the application lets in by itself, so that it is the application that says no, and to whom.
    most = 4 * chosen.api_runs
    made = _deployment(
        serve.ingress()(Ingress),
        options,
        max_ongoing_requests=most,
        max_queued_requests=most,
        graceful_shutdown_timeout_s=max(1.0, chosen.api_drain_s),
        graceful_shutdown_wait_loop_s=0.5,
        request_router_config=STICKY,
    )
    return made.bind(host)


def part(kind: type, options: Mapping[str, Options]) -> Application:
    """One of the parts, with options of deployments by their names."""
    return _deployment(kind, options, **PARTS[kind]).bind()


PARTS: Mapping[type, Options] = {
    Networks: {"max_ongoing_requests": 64, "max_queued_requests": 128},
    Search: {"max_ongoing_requests": 32, "max_queued_requests": 256},
    Guards: {"max_ongoing_requests": 8, "max_queued_requests": 64},
}
"""The parts. Each is an application of the name that ``part_name`` gives."""


def _deployment(kind: type, options: Mapping[str, Options], **settled: Any) -> Deployment:
    plain = {
        "name": kind.__name__,
        "num_replicas": 1,
        "ray_actor_options": SMALL,
        "backpressure_config": BACKPRESSURE,
        "logging_config": QUIET,
        "health_check_period_s": 5,
        "health_check_timeout_s": 30,
    }
    made = serve.deployment(kind, **(plain | settled))
    found = options.get(kind.__name__)
    return made.options(**found) if found else made
