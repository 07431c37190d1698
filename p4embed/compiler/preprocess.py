"""The preprocessor's options; what it does with them is in `preprocess`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PreprocessorOptions:
    """What the command line says to the preprocessor."""

    include_paths: tuple[str, ...] = ()
    """Searched in order, after the including file's directory for `#include "..."`; the
    compiler's own include directory comes last."""
    defines: tuple[str, ...] = ()
    """`NAME` or `NAME=value`, as after -D."""
    undefines: tuple[str, ...] = ()
    """As after -U."""
