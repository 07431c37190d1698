"""Play a film with aiortsp: ``python rtsp_client.py URL PACKETS``; prints how many came."""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlparse

from aiortsp.rtcp.parser import RTCP
from aiortsp.rtsp.connection import RTSPConnection
from aiortsp.rtsp.session import RTSPMediaSession
from aiortsp.transport import RTPTransportClient, transport_for_scheme
from dpkt.rtp import RTP


class Counter(RTPTransportClient):
    """Notes what comes until enough came."""

    def __init__(self, wanted: int) -> None:
        self.numbers: list[int] = []
        self.reports = 0
        self.done = asyncio.Event()
        self._wanted = wanted

    def handle_rtp(self, rtp: RTP) -> None:
        self.numbers.append(rtp.seq)
        if len(self.numbers) >= self._wanted:
            self.done.set()

    def handle_rtcp(self, _rtcp: RTCP) -> None:
        self.reports += 1


async def main(url: str, wanted: int) -> None:
    counter = Counter(wanted)
    transport_class = transport_for_scheme("rtsp")
    host = urlparse(url).hostname
    async with (
        RTSPConnection(host, 554, timeout=5) as connection,
        transport_class(connection, timeout=5) as transport,
        RTSPMediaSession(connection, url, transport=transport) as session,
    ):
        transport.subscribe(counter)
        await session.play()
        await counter.done.wait()
    numbers = counter.numbers
    lost = numbers[-1] - numbers[0] + 1 - len(numbers)
    print(f"film: {lost} lost, reports: {counter.reports > 0}")


asyncio.run(asyncio.wait_for(main(sys.argv[1], int(sys.argv[2])), 15))
