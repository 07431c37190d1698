"""From syntax tree to checked program: names, types and compile-time values.

Every violation of the language becomes a diagnostic. The checker is a chain of classes,
each in a module named for its concern and building on the one before: `names`, `inference`,
`types`, `conversions`, `operators`, `expressions`, `arguments`, `rules`, `calls`, `statements`,
`keysets`, `parsers`, `tables`, `functions`, `instances`, `declarations`. Then
`instantiate` makes the tree of instances.

scope         declared names, and where in the program one is
compatibility which types convert to which, and how type variables bind
evaluate      compile-time values

What it finds is stored beside the tree, in `p4embed.compiler.checked`; passes behind it
read that alone.
"""

from p4embed.compiler.check.program import check

__all__ = ["check"]
