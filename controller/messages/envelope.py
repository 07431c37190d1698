"""All messages, and the envelope that one travels in."""

from __future__ import annotations

from controller.messages.actors import Actor
from controller.messages.grants import (
    AllocateNat,
    CloseGates,
    GatesOpened,
    GatesRefused,
    NatGranted,
    NatRefused,
    OpenGates,
    ReleaseNat,
)
from controller.messages.membership import SpuAccepted, SpuFailed, SpuJoined
from controller.messages.neighbors import (
    NeighborForgotten,
    NeighborResolved,
    ResolveNeighbor,
)
from controller.messages.npu import (
    Distribute,
    InstallWing,
    LimitSessions,
    PacketIn,
    PurgeSpu,
    ReadWing,
    RemoveWing,
    SpuPurged,
    TraceCopy,
    Transmit,
    WingIdle,
    WingInstalled,
    WingRead,
    WingRemoved,
    WingsPurged,
)
from controller.messages.observer import (
    NatNotice,
    PacketDropped,
    RanOut,
    SessionClosed,
    SessionCreated,
    SessionDenied,
    SpuChanged,
    StepTaken,
    WatermarkPassed,
)
from controller.messages.operator import (
    ClearPersistentNat,
    ClearSession,
    DrainSpu,
    InjectNatFaults,
    Reconfigure,
)
from controller.messages.sessions import (
    AbandonSession,
    AgeEarly,
    AnswerSyn,
    AuditMissing,
    AuditSessions,
    ConfirmSessions,
    CreateRequest,
    CreateSession,
    Deliver,
    FirstFragment,
    InstallAck,
    InstallRefused,
    InstallSession,
    PendingExpired,
    Redirect,
    RemoveSession,
    SessionsUnknown,
    WingLeftOut,
)

Message = (
    PacketIn
    | TraceCopy
    | WingInstalled
    | WingRemoved
    | WingIdle
    | WingRead
    | InstallWing
    | RemoveWing
    | ReadWing
    | LimitSessions
    | Transmit
    | CreateSession
    | AnswerSyn
    | Deliver
    | FirstFragment
    | Redirect
    | CreateRequest
    | AllocateNat
    | NatGranted
    | NatRefused
    | ReleaseNat
    | InstallSession
    | InstallAck
    | InstallRefused
    | AbandonSession
    | PendingExpired
    | AgeEarly
    | WingLeftOut
    | RemoveSession
    | OpenGates
    | GatesOpened
    | GatesRefused
    | CloseGates
    | SpuFailed
    | SpuJoined
    | SpuAccepted
    | DrainSpu
    | PurgeSpu
    | WingsPurged
    | SpuPurged
    | Distribute
    | SpuChanged
    | WatermarkPassed
    | AuditSessions
    | AuditMissing
    | ConfirmSessions
    | SessionsUnknown
    | ResolveNeighbor
    | NeighborResolved
    | NeighborForgotten
    | ClearSession
    | Reconfigure
    | StepTaken
    | PacketDropped
    | RanOut
    | NatNotice
    | ClearPersistentNat
    | InjectNatFaults
    | SessionDenied
    | SessionCreated
    | SessionClosed
)


Outbound = tuple[Actor, Message]
"""A message and who gets it. (Plain: a first packet's walk makes fifteen of them, and a named tuple
takes ten times as long to make.)"""
