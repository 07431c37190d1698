"""A cursor over parsed JSON that knows where it stands, so every complaint carries its path."""

from __future__ import annotations

from collections.abc import Iterator


class LoadError(ValueError):
    """A program that cannot be loaded: ``path`` says where, ``message`` why and what would do."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


MOST_BITS = 1 << 16
"""Of a field, a parameter, a register. What is wider is a slip, and could not be held."""

_NAMES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
}


def describe(value: object) -> str:
    """A JSON value as a message shows it, cut to a length that fits a line."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}...'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return str(value)


class Json:
    """A value within the document. Attributes that only describe the source are ignored."""

    __slots__ = ("path", "value")

    DESCRIPTIVE = frozenset({"source_info", "pragmas", "pi_omit"})

    def __init__(self, value: object, path: str = "$") -> None:
        self.value = value
        self.path = path

    def fail(self, message: str) -> LoadError:
        """An error at this place, to be raised."""
        return LoadError(self.path, message)

    def expected(self, what: str) -> LoadError:
        """An error that shows the value and says what would be right."""
        return self.fail(f"{describe(self.value)}; expected {what}")

    @property
    def is_object(self) -> bool:
        """Whether the value is an object."""
        return isinstance(self.value, dict)

    @property
    def is_null(self) -> bool:
        """Whether the value is ``null``."""
        return self.value is None

    def keys(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
        """Check an object's attributes: all of the required, none but the optional."""
        members = self._object()
        for name in required:
            if name not in members:
                raise self.fail(f"attribute '{name}' is missing")
        for name in members:
            if name not in required and name not in optional and name not in self.DESCRIPTIVE:
                known = ", ".join(sorted((*required, *optional)))
                raise LoadError(
                    f"{self.path}.{name}", f"unknown attribute; expected one of {known}"
                )

    def has(self, name: str) -> bool:
        """Whether an object has a non-null attribute of this name."""
        return self._object().get(name) is not None

    def __getitem__(self, name: str) -> Json:
        members = self._object()
        if name not in members:
            raise self.fail(f"attribute '{name}' is missing")
        return Json(members[name], f"{self.path}.{name}")

    def get(self, name: str) -> Json | None:
        """An attribute that may be missing or null."""
        return self[name] if self.has(name) else None

    def items(self) -> Iterator[tuple[str, Json]]:
        """An object's attributes."""
        for name, value in self._object().items():
            yield name, Json(value, f"{self.path}.{name}")

    def array(self, length: int | None = None) -> list[Json]:
        """An array's elements, of a fixed number if ``length`` is given."""
        if not isinstance(self.value, list):
            raise self.expected("an array")
        if length is not None and len(self.value) != length:
            raise self.fail(f"{len(self.value)} elements; expected {length}")
        return [Json(item, f"{self.path}[{i}]") for i, item in enumerate(self.value)]

    def elements(self, name: str) -> list[Json]:
        """The elements of an array attribute; none when it is missing or null."""
        child = self.get(name)
        return child.array() if child is not None else []

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.expected("a string")
        return self.value

    def boolean(self) -> bool:
        """A boolean."""
        if not isinstance(self.value, bool):
            raise self.expected("true or false")
        return self.value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean attribute that may be missing."""
        child = self.get(name)
        return default if child is None else child.boolean()

    def integer(self, low: int = 0, high: int | None = None) -> int:
        """An integer within bounds."""
        bounds = f"an integer >= {low}" if high is None else f"an integer in {low}..{high}"
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.expected(bounds)
        if self.value < low or (high is not None and self.value > high):
            raise self.expected(bounds)
        return self.value

    def width(self) -> int:
        """How many bits something has."""
        return self.integer(1, MOST_BITS)

    def hexadecimal(self) -> int:
        """A hexadecimal string, possibly negative."""
        text = self.value
        if isinstance(text, str):
            digits = text[1:] if text.startswith("-") else text
            if digits[:2].lower() == "0x":
                digits = digits[2:]
            if digits and all(c in "0123456789abcdefABCDEF" for c in digits):
                number = int(digits, 16)
                return -number if text.startswith("-") else number
        raise self.expected("a hexadecimal string such as '0x0800'")

    def _object(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            raise self.expected("an object")
        return self.value
