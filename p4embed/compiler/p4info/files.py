"""P4Info as a file: protobuf text, JSON or binary."""

from __future__ import annotations

from pathlib import Path

from finsy.proto import p4i
from google.protobuf import json_format, text_format

HEADER = "# proto-file: p4/config/v1/p4info.proto\n# proto-message: p4.config.v1.P4Info\n\n"


def form_of(name: str) -> str:
    """`text`, `json` or `binary` by the file's suffix."""
    if name.endswith(".json"):
        return "json"
    return "binary" if name.endswith(".bin") else "text"


def text(info: p4i.P4Info) -> str:
    """The text form, headed as p4c heads it."""
    return HEADER + text_format.MessageToString(info, as_utf8=True)


def write(info: p4i.P4Info, path: Path, form: str) -> None:
    """Write the file, and the directories above it where they are missing.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    match form:
        case "json":
            path.write_text(json_format.MessageToJson(info) + "\n", encoding="utf-8")
        case "binary":
            path.write_bytes(info.SerializeToString(deterministic=True))
        case _:
            path.write_text(text(info), encoding="utf-8")
