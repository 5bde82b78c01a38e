"""The application for Ray Serve. A config file names it ``serve.ray_app:app``; ``overread serve --ray`` runs it.

The names of the deployments, for a config file: ``Ingress``, ``Networks``, ``Search``, ``Guards``. What a file says
of one goes before what is said here.
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
    """The application, each deployment with one replica that fits a small machine. A config file makes it larger."""
    return made(given.host, {})


def made(host: str, options: Mapping[str, Options]) -> Application:
    """The application, with options of deployments by their names."""
    chosen = settings()
    drain_s = max(1.0, chosen.api_drain_s)
    # Above what the application lets in by itself, so that it is the application that says no, and to whom.
    most = 4 * chosen.api_runs
    networks = _deployment(Networks, options, max_ongoing_requests=64, max_queued_requests=128)
    search = _deployment(Search, options, max_ongoing_requests=32, max_queued_requests=256)
    guards = _deployment(Guards, options, max_ongoing_requests=8, max_queued_requests=64)
    ingress = _deployment(
        serve.ingress()(Ingress),
        options,
        max_ongoing_requests=most,
        max_queued_requests=most,
        graceful_shutdown_timeout_s=drain_s,
        graceful_shutdown_wait_loop_s=0.5,
        request_router_config=STICKY,
    )
    return ingress.bind(host, networks.bind(), search.bind(), guards.bind())


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
