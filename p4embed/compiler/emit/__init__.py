"""From the lowered program to the BMv2 JSON file (behavioral-model, docs/JSON_format.md).

document     the file and its sections
expressions  expressions as JSON
values       arguments of primitives, parser operations
"""

from p4embed.compiler.emit.document import dumps

__all__ = ["dumps"]
