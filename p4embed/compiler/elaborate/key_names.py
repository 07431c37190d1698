"""What match fields are called, in BMv2 JSON as in P4Info."""

from __future__ import annotations

import re

from p4embed.compiler import ast
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.elaborate.storage import annotated_string
from p4embed.compiler.elaborate.values import (
    Unsupported,
)


def key_name(checked: CheckedProgram, element: ast.KeyElement) -> str:
    """The name of a match field: `@name`, or the expression as it is written.

    Raises:
        Unsupported: the expression is computed, so it has no name.
    """
    for a in element.annotations:
        if a.name == "name" and a.literals:
            return str(a.literals[0])
    return _expression_name(checked, element.expression)


def _expression_name(checked: CheckedProgram, expr: ast.Expression) -> str:
    def name_of(part: ast.Expression) -> str:
        return _expression_name(checked, part)

    match expr:
        case ast.Member(base=base, member=member):
            field = checked.names.get(expr)
            if isinstance(field, ast.StructField):
                member = annotated_string(field, "name") or member
            # A field's name that begins with a dot stands for the whole path.
            return member[1:] if member.startswith(".") else f"{name_of(base)}.{member}"
        case ast.PathExpression(name=name):
            return name
        case ast.Index(base=base, index=index):
            return f"{name_of(base)}[{name_of(index)}]"
        case ast.Slice(base=base, high=high, low=low):
            return f"{name_of(base)}[{name_of(high)}:{name_of(low)}]"
        case ast.Call(callee=ast.Member(base=base, member="isValid")):
            return f"{name_of(base)}.$valid$"
        case ast.Binary(op="&", left=left, right=right):
            return f"{name_of(left)} & {name_of(right)}"
        case ast.IntLiteral(value=value):
            is_hex = re.match(r"(\d+[ws])?0[xX]", expr.span.text) is not None
            return hex(value) if is_hex else str(value)
    raise Unsupported("a key that is computed needs a name", expr.span, 'add @name("...") to it')
