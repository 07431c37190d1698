"""All messages, and the envelope that one travels in."""

from __future__ import annotations

from controller.messages.actors import Actor
from controller.messages.grants import GrantMessage
from controller.messages.membership import MembershipMessage
from controller.messages.neighbors import NeighborMessage
from controller.messages.npu import NpuMessage
from controller.messages.observer import ObserverMessage
from controller.messages.operator import OperatorMessage
from controller.messages.sessions import SessionMessage

Message = (
    NpuMessage
    | SessionMessage
    | GrantMessage
    | MembershipMessage
    | NeighborMessage
    | OperatorMessage
    | ObserverMessage
)
Outbound = tuple[Actor, Message]
"""A message and who gets it. (Plain: a first packet's walk makes fifteen of them, and a named tuple
takes ten times as long to make.)"""
