"""A services processing unit: sets sessions up, forwards and ages them, and ends them.

``machine`` takes the messages. ``first_path`` goes from a create-session message to the central
point's acknowledgement, by way of the ``decisions``, and ``installation`` from there to the release
of the first packet; ``live_path`` has every later packet and the ageing;
``teardown`` is the end, and the way back. Decisions rest on ``policy``, ``services``, ``tcp`` and
``express``. ``session`` is what an SPU holds of a flow, ``controller.record`` the same as bytes;
``inspection`` is what it shows of itself.
"""

from controller.spu.inspection import SessionView
from controller.spu.machine import Spu
from controller.spu.session import SessionState

__all__ = ["SessionState", "SessionView", "Spu"]
