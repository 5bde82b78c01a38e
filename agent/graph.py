"""The LangGraph graph: the way a question goes.

    screen → read → identify → examine → retrieve → consult → write → finish

A question that may not be answered goes from ``screen`` to ``write``, and so do images of which none is
accepted. A question without images goes from ``screen`` to ``retrieve``. Without a language model there is nothing to
consult.
"""

import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy, TimeoutPolicy

from agent.nodes.consult import consult
from agent.nodes.examine import examine
from agent.nodes.finish import finish
from agent.nodes.identify import identify
from agent.nodes.read import read
from agent.nodes.retrieve import retrieve
from agent.nodes.screen import screen
from agent.nodes.write import write
from agent.run import Run
from agent.spans import step
from agent.state import ThreadState
from overread.settings import Settings

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime

    CompiledGraph = CompiledStateGraph[ThreadState, Run, ThreadState, ThreadState]


class Node(Protocol):
    """A step of the graph: takes the state, gives back what it changes."""

    def __call__(self, state: ThreadState, *, runtime: "Runtime[Run]") -> Awaitable[ThreadState]:
        """Run the step."""


RETRY = RetryPolicy(initial_interval=0.1, max_attempts=2, retry_on=(ConnectionError, InterruptedError))
"""For the nodes that send their events only after their work is done, so nothing is sent twice."""


def build_graph(settings: Settings, checkpointer: "BaseCheckpointSaver[Any] | None" = None) -> "CompiledGraph":
    """The compiled graph. With a checkpointer, a thread's state outlives its runs."""
    graph: StateGraph[ThreadState, Run, ThreadState, ThreadState] = StateGraph(ThreadState, context_schema=Run)
    limit = TimeoutPolicy(run_timeout=settings.node_timeout_s)
    writing = TimeoutPolicy(run_timeout=settings.answer_timeout_s)
    graph.add_node("screen", timed("screen", screen), timeout=limit, retry_policy=RETRY)
    graph.add_node("read", timed("read", read), timeout=limit)
    graph.add_node("identify", timed("identify", identify), timeout=limit, retry_policy=RETRY)
    graph.add_node("examine", timed("examine", examine), timeout=writing)
    graph.add_node("retrieve", timed("retrieve", retrieve), timeout=limit, retry_policy=RETRY)
    graph.add_node("consult", timed("consult", consult), timeout=writing)
    graph.add_node("write", timed("write", write), timeout=writing)
    graph.add_node("finish", timed("finish", finish))
    graph.add_edge(START, "screen")
    graph.add_conditional_edges("screen", after_screen, ["read", "retrieve", "write"])
    graph.add_conditional_edges("read", after_read, ["identify", "write"])
    graph.add_conditional_edges("identify", after_identify, ["examine", "write"])
    graph.add_edge("examine", "retrieve")
    graph.add_edge("retrieve", "consult")
    graph.add_edge("consult", "write")
    graph.add_edge("write", "finish")
    graph.add_edge("finish", END)
    return graph.compile(checkpointer=checkpointer)


def after_screen(state: ThreadState) -> str:
    """Where a screened question goes."""
    if state["refused_question"]:
        return "write"
    return "read" if state["with_images"] else "retrieve"


def after_read(state: ThreadState) -> str:
    """Whether any image could be read."""
    return "identify" if state["readable"] else "write"


def after_identify(state: ThreadState) -> str:
    """Whether any image was accepted."""
    return "examine" if state["new_images"] else "write"


def timed(name: str, node: Node) -> Node:
    """The node, its milliseconds written into the run's timings."""

    async def run_node(state: ThreadState, *, runtime: "Runtime[Run]") -> ThreadState:
        begun = time.monotonic()
        try:
            with step(runtime.context.span, name):
                return await node(state, runtime=runtime)
        finally:
            runtime.context.took(name, begun)

    return run_node
