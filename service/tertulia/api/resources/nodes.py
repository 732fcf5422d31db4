"""The nodes that serve a chat, and draining one."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tertulia.api.callers import Operating
from tertulia.api.values import Items, moment_or_none

router = APIRouter(tags=["nodes"])


class NodeBody(BaseModel):
    """A node's registration in the chat. What it tells of itself is a few seconds old."""

    chat: str
    node: str = Field(description="As configured")
    registration: str
    state: str = Field(description="up, draining, silent, stale or buried")
    sessions: int = Field(description="Nicknames that it holds in this chat")
    lease_seconds: float | None
    lag_seconds: float | None
    version: str | None
    host: str | None
    ops: str | None
    pid: int | None
    started: datetime | None


class DrainingBody(BaseModel):
    """A node that drains."""

    node: str
    sessions: int = Field(description="That it had in this chat, and that go now")


@router.get("/nodes")
async def get_nodes(caller: Operating) -> Items[NodeBody]:
    """List the nodes that serve the token's chat."""
    return Items(
        items=[
            NodeBody(**{**asdict(it), "started": moment_or_none(it.started)})
            for it in await caller.deployment.nodes(caller.chat)
        ]
    )


@router.post("/nodes/{node}/drain", status_code=202)
async def drain(caller: Operating, node: str) -> DrainingBody:
    """Drain a node: it ends its sessions and stops, as after a SIGTERM. Answered when it has begun."""
    drained = await caller.deployment.drain(node, caller.chat)
    return DrainingBody(node=drained[0].node, sessions=sum(it.sessions for it in drained))
