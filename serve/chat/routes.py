"""The page's own routes, under a key that only the open page knows. Whoever else asks is told that nothing is there."""

from fastapi import APIRouter, Depends

from serve.chat import conversations, pixels, planes, studies
from serve.chat.visitor import same_origin, session_of


def page_routes() -> APIRouter:
    """The routes, for an application whose ``state.page`` is the page."""
    router = APIRouter(
        prefix="/page/{key}", include_in_schema=False, dependencies=[Depends(same_origin), Depends(session_of)]
    )
    for module in (conversations, pixels, planes, studies):
        router.include_router(module.router)
    return router
