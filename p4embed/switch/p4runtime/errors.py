"""Errors of P4Runtime: canonical codes, and the details that a failed batch carries.

Source: P4Runtime specification, "Error Reporting Messages". ``grpcio-status`` is not used: its
``google.rpc`` messages clash with those that finsy brings.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import grpc
from finsy.proto import p4r, rpc_status

from p4embed.switch.engine import Status

log = logging.getLogger("p4embed.switch")

Code = grpc.StatusCode

SPACE = "p4embed-switch"
"""Namespace of ``p4.v1.Error.code``; only canonical codes are used."""


class MismatchError(ValueError):
    """P4Info and program do not belong together."""


class P4RuntimeError(Exception):
    """A request, or one update of a batch, that fails with a canonical code."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> P4RuntimeError:
    """``INVALID_ARGUMENT``."""
    return P4RuntimeError(Code.INVALID_ARGUMENT, message)


def not_found(message: str) -> P4RuntimeError:
    """``NOT_FOUND``."""
    return P4RuntimeError(Code.NOT_FOUND, message)


def unimplemented(message: str) -> P4RuntimeError:
    """``UNIMPLEMENTED``."""
    return P4RuntimeError(Code.UNIMPLEMENTED, message)


def denied(message: str) -> P4RuntimeError:
    """``PERMISSION_DENIED``."""
    return P4RuntimeError(Code.PERMISSION_DENIED, message)


_FAILURES = {
    Status.EXISTS: (Code.ALREADY_EXISTS, "table '{}' has an entry with this key"),
    Status.MISSING: (Code.NOT_FOUND, "table '{}' has no entry with this key"),
    Status.FULL: (Code.RESOURCE_EXHAUSTED, "table '{}' is full"),
    Status.CONST: (Code.PERMISSION_DENIED, "table '{}' has constant entries"),
}


def failure(status: Status, table: str) -> P4RuntimeError | None:
    """What a client hears of an update to a table; ``None`` if it went well."""
    if status is Status.OK:
        return None
    code, message = _FAILURES[status]
    return P4RuntimeError(code, message.format(table))


def number(code: grpc.StatusCode) -> int:
    """A canonical code's number."""
    value: int = code.value[0]
    return value


class BatchError(Exception):
    """A batch of which some requests failed: an outcome for each, ``None`` where it went well."""

    def __init__(self, what: str, outcomes: Sequence[P4RuntimeError | None]) -> None:
        super().__init__(what)
        self.outcomes = outcomes

    def status(self) -> rpc_status.Status:
        """``UNKNOWN``, with one ``p4.v1.Error`` per request of the batch, in order."""
        failed = sum(outcome is not None for outcome in self.outcomes)
        first = next(outcome for outcome in self.outcomes if outcome is not None)
        status = rpc_status.Status(
            code=number(Code.UNKNOWN),
            message=f"{failed} of {len(self.outcomes)} failed; the first: {first.message}",
        )
        for outcome in self.outcomes:
            error = p4r.Error(canonical_code=0)
            if outcome is not None:
                error.canonical_code = number(outcome.code)
                error.message = outcome.message
                error.space = SPACE
            status.details.add().Pack(error)
        return status


def internal(error: Exception) -> P4RuntimeError:
    """``INTERNAL``, for what should never happen; the log's debug level says where it did."""
    log.error("internal error: %s: %s", type(error).__name__, error)
    log.debug("where it happened", exc_info=error)
    return P4RuntimeError(Code.INTERNAL, f"internal error: {type(error).__name__}: {error}")
