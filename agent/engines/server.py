"""Any OpenAI-compatible server as an engine: vLLM, Ollama, a vendor's."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from openai import OpenAIError
from pydantic import BaseModel, SecretStr, ValidationError

from agent.errors import EngineError
from overread.settings import Settings

NAME = "llm"

BROKEN = (OpenAIError, httpx.HTTPError, ValueError, TypeError, LookupError, AttributeError, OSError)
"""What the client raises when a server breaks off or sends what is no answer: not one family of errors."""


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


def server_model(settings: Settings, model: str) -> BaseChatModel:
    """A LangChain chat model that talks to the configured server. Deterministic where the server is."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        base_url=settings.llm_base_url,
        api_key=SecretStr(settings.llm_api_key.get_secret_value()),
        model=model,
        temperature=0,
        max_retries=0,
        timeout=settings.llm_first_token_s + settings.llm_stall_s,
        max_tokens=settings.llm_max_tokens,
        stream_usage=True,
    )


async def stream_text(
    model: BaseChatModel, messages: list[BaseMessage], settings: Settings, usage: dict[str, int]
) -> AsyncIterator[str]:
    """The text of an answer as it comes. Fills ``usage``.

    Raises ``EngineError`` when the first token or the next one takes too long, the server breaks off
    or cannot be reached, asks for a tool that was not offered, or sends what is no answer.
    """
    stream = cast("AsyncGenerator[AIMessageChunk, None]", model.astream(messages))
    wait = settings.llm_first_token_s
    some = ended = False
    try:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(stream), wait)
            except StopAsyncIteration:
                break
            wait = settings.llm_stall_s
            if chunk.tool_call_chunks:
                raise EngineError("the language model asked for a tool that it was not offered")
            if chunk.usage_metadata:
                usage["input_tokens"] = usage.get("input_tokens", 0) + chunk.usage_metadata["input_tokens"]
                usage["output_tokens"] = usage.get("output_tokens", 0) + chunk.usage_metadata["output_tokens"]
            ended = ended or bool(chunk.response_metadata.get("finish_reason"))
            if chunk.text:
                some = True
                yield chunk.text
    except EngineError:
        raise
    except TimeoutError:
        raise EngineError("the language model server took too long") from None
    except BROKEN as error:
        raise EngineError(f"the language model server failed ({type(error).__name__})") from None
    finally:
        await stream.aclose()
    if not some:
        raise EngineError("the language model server sent an empty answer")
    if not ended:
        raise EngineError("the language model server broke off")
