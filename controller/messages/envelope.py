"""All messages, and the envelope that one travels in."""

from __future__ import annotations

from typing import NamedTuple

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
from controller.messages.neighbors import NeighborResolved, ResolveNeighbor
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


class Outbound(NamedTuple):
    """A message and who gets it."""

    to: Actor
    message: Message
