"""What a run promises, checked one by one: a line each, and any 'not' fails the run."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass(slots=True)
class Expectations:
    """Collects outcomes as they come and prints them at the end."""

    outcomes: list[tuple[bool, str, str]] = field(default_factory=list)

    def expect(self, promise: str, kept: bool, seen: str = "") -> bool:
        """Note whether a promise was kept; ``seen`` is shown when it was not."""
        self.outcomes.append((kept, promise, seen))
        return kept

    @property
    def all_kept(self) -> bool:
        """Whether anything was promised, and all of it kept."""
        return bool(self.outcomes) and all(kept for kept, _, _ in self.outcomes)

    def report(self) -> None:
        """Print a line for each promise, and what was seen instead where one was not kept."""
        colour = sys.stdout.isatty()
        for kept, promise, seen in self.outcomes:
            word = " ok" if kept else "NOT"
            if colour:
                word = f"\033[{32 if kept else 31}m{word}\033[0m"
            print(f"  {word}  {promise}")
            if not kept and seen:
                for line in seen.strip().splitlines():
                    print(f"         {line}")
