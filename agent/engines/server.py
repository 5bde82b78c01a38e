"""Any OpenAI-compatible server as an engine: vLLM, Ollama, a vendor's."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable
from pydantic import BaseModel, SecretStr, ValidationError

from agent.engines.starts import ClaimStarts
from agent.errors import EngineError, EngineStatusError
from overread.catalogue import is_loopback
from overread.records import Usage
from overread.settings import Settings

NAME = "llm"

BROKEN = (httpx.HTTPError, ValueError, TypeError, LookupError, AttributeError, OSError)
"""What the client raises beside its own errors when a server breaks off or sends what is no answer."""


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


async def served_model(settings: Settings) -> str:
    """The model to ask for: the one set, or the first the server lists. Raises ``EngineError``."""
    if settings.llm_model:
        return settings.llm_model
    url = f"{(settings.llm_base_url or '').rstrip('/')}/models"
    headers = {"Authorization": f"Bearer {settings.llm_api_key.get_secret_value()}"}
    try:
        async with httpx.AsyncClient(timeout=settings.llm_first_token_s, trust_env=False) as client:
            answer = await client.get(url, headers=headers)
            answer.raise_for_status()
            models = _Models.model_validate_json(answer.content).data
    except (httpx.HTTPError, httpx.InvalidURL, ValidationError) as error:
        raise EngineError(f"the language model server did not list its models ({type(error).__name__})") from None
    if not models:
        raise EngineError("the language model server serves no model; load one, or set OVERREAD_LLM_MODEL")
    return models[0].id


def server_model(settings: Settings, model: str, extra_body: dict[str, Any] | None = None) -> BaseChatModel:
    """A LangChain chat model that talks to the configured server. Deterministic where the server is.

    ``extra_body`` are fields of the request that OpenAI's API does not have.
    """
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        base_url=settings.llm_base_url,
        api_key=SecretStr(settings.llm_api_key.get_secret_value()),
        model=model,
        temperature=settings.llm_temperature,
        seed=settings.llm_seed,
        max_retries=0,
        timeout=settings.llm_first_token_s + settings.llm_stall_s,
        max_tokens=settings.llm_max_tokens,
        stream_usage=True,
        logprobs=settings.llm_logprobs or None,
        extra_body=extra_body,
        http_async_client=_client(settings),
    )


def _client(settings: Settings) -> httpx.AsyncClient:
    """A client for one model, whose connections are not kept.

    LangChain shares its own between all event loops of a process, and a kept connection belongs to one of them. A
    proxy must not see what goes to this machine.
    """
    outside = not is_loopback(urlsplit(settings.llm_base_url or "").hostname or "")
    return httpx.AsyncClient(trust_env=outside, verify=_tls(), limits=httpx.Limits(max_keepalive_connections=0))


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


async def chunks(
    model: Runnable[LanguageModelInput, AIMessage],
    messages: Sequence[BaseMessage],
    settings: Settings,
    usage: Usage,
) -> AsyncGenerator[AIMessageChunk, None]:
    """The pieces of an answer as they come, up to its end. Fills ``usage``.

    Raises ``EngineError`` when the first piece or the next one takes too long, the server breaks off or cannot be
    reached, or sends what is no answer; ``EngineStatusError`` when it answers with an error status.
    """
    # Imported here: whoever sets no server must not wait for its client.
    from openai import APIStatusError, OpenAIError

    stream = cast("AsyncGenerator[AIMessageChunk, None]", model.astream(list(messages)))
    wait = settings.llm_first_token_s
    ended = False
    try:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(stream), wait)
            except StopAsyncIteration:
                break
            wait = settings.llm_stall_s
            if chunk.usage_metadata:
                usage["input_tokens"] = usage.get("input_tokens", 0) + chunk.usage_metadata["input_tokens"]
                usage["output_tokens"] = usage.get("output_tokens", 0) + chunk.usage_metadata["output_tokens"]
            ended = ended or bool(chunk.response_metadata.get("finish_reason"))
            yield chunk
    except TimeoutError:
        raise EngineError("the language model server took too long") from None
    except APIStatusError as error:
        raise EngineStatusError(f"the language model server answered {error.status_code}") from None
    except (OpenAIError, *BROKEN) as error:
        raise EngineError(f"the language model server failed ({type(error).__name__})") from None
    finally:
        await stream.aclose()
    if not ended:
        raise EngineError("the language model server broke off")


async def stream_text(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    settings: Settings,
    usage: Usage,
    starts: ClaimStarts | None = None,
) -> AsyncGenerator[str, None]:
    """The text of an answer as it comes. Fills ``usage``, and tells ``starts`` how probable each token was.

    Raises ``EngineError`` as ``chunks`` does, and when the answer is empty or asks for a tool: none is offered here.
    """
    some = False
    async with aclosing(chunks(model, messages, settings, usage)) as pieces:
        async for chunk in pieces:
            if chunk.tool_call_chunks:
                raise EngineError("the language model asked for a tool that it was not offered")
            if starts is not None:
                starts.hear(chunk.response_metadata.get("logprobs"))
            if chunk.text:
                some = True
                yield chunk.text
    if not some:
        raise EngineError("the language model server sent an empty answer")
