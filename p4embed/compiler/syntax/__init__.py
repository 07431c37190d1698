"""From source text to syntax tree (P4_16 specification, sections 6.1, 6.2 and the grammar).

preprocess       includes, macros, conditional groups; hands on tokens
macros           the expansion of macros
lexer            tokens of a text
cursor           what all parts of the parser share: tokens ahead, type names, recovery
type_parser      types, annotations, names
expression_parser, statement_parser, block_parser
                 expressions; statements; controls, parsers, tables
parser           top-level declarations; `parse`

Tokens come from `preprocess` and go to `parse`, which gives an `ast.Program`. Nothing is
resolved here but what the grammar needs: which names are types.
"""

from p4embed.compiler.syntax.parser import parse
from p4embed.compiler.syntax.preprocess import PreprocessorOptions, preprocess, preprocess_source

__all__ = ["PreprocessorOptions", "parse", "preprocess", "preprocess_source"]
