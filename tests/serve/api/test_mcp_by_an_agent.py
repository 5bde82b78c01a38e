"""Another agent uses Overread: a LangGraph graph that lists the tools over MCP and calls them as its model says."""

from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import httpx2
import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.prebuilt import ToolNode
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

QUESTION = "What is in this film, and how is a pneumothorax confirmed?"


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def call(name: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": f"call-{name}"}])


def langchain_tool(client: Client, tool: Any) -> StructuredTool:
    async def run(**arguments: Any) -> tuple[str, Any]:
        result = await client.call_tool(tool.name, arguments)
        text = result.content[0].text
        if result.is_error:
            raise ValueError(text)
        return text, result.structured_content

    return StructuredTool(name=tool.name, description=tool.description, args_schema=tool.input_schema, coroutine=run,
                          func=None, response_format="content_and_artifact", handle_tool_error=True)  # fmt: skip


@pytest.fixture
def script(api: Any) -> Iterator[list[AIMessage]]:
    """What the model says, one turn after the other: it looks, reads up, checks a claim of its own, and ends."""
    import skimage

    with api.client(api.alice) as client:
        with open(f"{skimage.__path__[0]}/data/retina.jpg", "rb") as file:
            study = client.post("/v1/studies", files={"file": file}).json()
        yield [
            call("identify_domain", image=study["reference"]),
            call("ask", question="What do you see?", images=[study["reference"]]),
            call("search_knowledge", query="How is a pneumothorax confirmed?"),
            call("verify_claims", claims=[{"claim": "It is a fundus photograph.", "evidence": ["A chest film."]}]),
            AIMessage("A fundus photograph."),
        ]
        client.delete(f"/v1/studies/{study['id']}")


async def test_a_langgraph_agent_lists_the_tools_and_calls_them(api: Any, script: list[AIMessage]) -> None:
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {api.alice}"}, timeout=200, trust_env=False)
    async with Client(streamable_http_client(f"{api.url}/mcp", http_client=http)) as client:
        tools = [langchain_tool(client, tool) for tool in (await client.list_tools()).tools]
        assert len(tools) == 11
        model = GenericFakeChatModel(messages=iter(script))

        async def think(state: State) -> State:
            return {"messages": [await model.ainvoke(state["messages"])]}

        graph = StateGraph(State)
        graph.add_node("think", think)
        graph.add_node("act", ToolNode(tools))
        graph.add_edge(START, "think")
        graph.add_conditional_edges("think", lambda state: "act" if state["messages"][-1].tool_calls else END)
        graph.add_edge("act", "think")
        done = await graph.compile().ainvoke({"messages": [HumanMessage(QUESTION)]})

    said = {one.name: one for one in done["messages"] if isinstance(one, ToolMessage)}
    assert [one for one in said if said[one].status == "error"] == []
    assert said["identify_domain"].artifact["label"] == "fundus"
    assert said["ask"].artifact["claims"][0]["evidence"] == ["D1"]
    assert said["search_knowledge"].artifact["passages"]
    assert said["verify_claims"].artifact["claims"][0]["verdict"] != "supported"
    assert done["messages"][-1].content == "A fundus photograph."
