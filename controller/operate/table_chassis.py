"""Operational commands about SPUs, their load and what runs out, as data."""

from __future__ import annotations

from controller.config.values import number
from controller.operate import performance, show_chassis
from controller.operate.commands import Command, Option

_FPC = Option("fpc", "Only this services card", number(0, 255))
_SPU = number(1, 255)

SHOW_CHASSIS = Command(
    "chassis",
    "Cards and alarms",
    (
        Command("alarms", "What runs out or is not there", run=show_chassis.alarms),
        Command("spu", "SPUs: state, share, sessions", run=show_chassis.spus),
    ),
)

SHOW_MONITORING = Command(
    "monitoring",
    "Load of SPUs and central point",
    (
        Command(
            "performance",
            "The last minute",
            (
                Command(
                    "session", "Sessions, second by second", options=(_FPC,),
                    run=performance.session,
                ),
                Command(
                    "spu", "Load in percent, second by second", options=(_FPC,),
                    run=performance.spu,
                ),
            ),
        ),
    ),
    (_FPC,),
    performance.monitoring,
)  # fmt: skip

REQUEST_CHASSIS = Command(
    "chassis",
    "Cards",
    options=(
        Option("spu", "The SPU", _SPU, is_required=True),
        Option("offline", "Take it out: its sessions end"),
        Option("drain", "Give it no new flows: its sessions go on"),
        Option("online", "Put it in again, or give it new flows again"),
    ),
    run=show_chassis.request_spu,
)
