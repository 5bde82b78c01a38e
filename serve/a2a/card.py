"""The agent card: what this agent does, where it is reached, and whether a key is needed."""

from functools import lru_cache
from typing import Any

from a2a.types.a2a_pb2 import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)
from a2a.utils.constants import PROTOCOL_VERSION_1_0, TransportProtocol

from overread import __version__
from overread.packaged import packaged_yaml

PATH = "/a2a"


@lru_cache(maxsize=1)
def described() -> dict[str, Any]:
    """What is told of the agent, as the data file has it."""
    data: dict[str, Any] = packaged_yaml("serve.a2a", "card.yaml")
    return data


def agent_card(base: str, with_keys: bool) -> AgentCard:
    """The card of an agent that is reached under ``base``. ``with_keys``: it lets nobody in without one."""
    said = described()
    card = AgentCard(
        name=said["name"],
        description=said["description"],
        version=__version__,
        supported_interfaces=[
            AgentInterface(
                url=f"{base.rstrip('/')}{PATH}",
                protocol_binding=TransportProtocol.JSONRPC.value,
                protocol_version=PROTOCOL_VERSION_1_0,
            )
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=False, extended_agent_card=False),
        default_input_modes=said["input_modes"],
        default_output_modes=said["output_modes"],
        skills=[AgentSkill(**skill) for skill in said["skills"]],
    )
    if with_keys:
        scheme = HTTPAuthSecurityScheme(scheme="Bearer", description="An API key of this server: overread keys add")
        card.security_schemes["key"].CopyFrom(SecurityScheme(http_auth_security_scheme=scheme))
        card.security_requirements.append(SecurityRequirement(schemes={"key": StringList()}))
    return card
