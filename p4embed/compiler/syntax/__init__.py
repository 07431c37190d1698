"""From source text to syntax tree (P4_16 specification, sections 6.1, 6.2 and the grammar).

preprocess         includes, macros, conditional groups; hands on tokens
macros             the expansion of macros
lexer              tokens of a text
cursor             what all parts of the parser share: tokens ahead, type names, recovery
expression_parser  types and expressions
keyset_parser      what select cases and table entries match
annotation_parser  annotations
statement_parser   statements
block_parser       controls, parsers, tables
parser             top-level declarations; `parse`

The parser is one class, built up in this order from `Cursor` on: each module adds the rules
of the grammar that need none of the later ones.

Tokens come from `preprocess` and go to `parse`, which gives an `ast.Program`. Nothing is
resolved here but what the grammar needs: which names are types.
"""

from p4embed.compiler.syntax.parser import parse
from p4embed.compiler.syntax.preprocess import PreprocessorOptions, preprocess, preprocess_source

__all__ = ["PreprocessorOptions", "parse", "preprocess", "preprocess_source"]
