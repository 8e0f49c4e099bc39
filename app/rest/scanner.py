"""Reads a text from left to right, such as the parts of a query string."""

import re
from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

from ..errors import RestError
from .errors import bad_syntax

Result = TypeVar("Result")
_NAME: Final = re.compile(r'"((?:[^"\\]++|\\.)++)"|([\w $-]*[\w$])', re.ASCII)
_BLANKS: Final = re.compile(r"[ \t]*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)


@cache
def _none_of(characters: str) -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(characters)}]*")


class Scanner:
    """A text and the position up to which it has been read."""

    def __init__(self, what: str, text: str) -> None:
        """``what`` names the text in error messages."""
        self.what = what
        self.text = text
        self.position = 0

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.text)

    @property
    def rest(self) -> str:
        return self.text[self.position :]

    def error(self, expected: str, position: int | None = None) -> RestError:
        start = self.position if position is None else position
        return bad_syntax(self.what, self.text, start + 1, expected)

    def parse_all(self, parse: "Callable[[Scanner], Result]") -> Result:
        """What ``parse`` makes of the text. Raises RestError when it leaves a part unread."""
        result = parse(self)
        self.expect_end()
        return result

    def expect_end(self) -> None:
        if not self.at_end:
            raise self.error("the end")

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Match ``pattern`` at the position and move past it."""
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def peek(self, word: str) -> bool:
        return self.text.startswith(word, self.position)

    def take(self, word: str) -> bool:
        if self.peek(word):
            self.position += len(word)
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.error(f'"{word}"')

    def skip_blanks(self) -> None:
        self.match(_BLANKS)

    def take_spaced(self, word: str) -> bool:
        """Take a word, and the blanks around it, which mean nothing there."""
        start = self.position
        self.skip_blanks()
        if self.take(word):
            self.skip_blanks()
            return True
        self.position = start
        return False

    def expect_spaced(self, word: str) -> None:
        if not self.take_spaced(word):
            raise self.error(f'"{word}"')

    def name(self, expected: str) -> str:
        match = self.match(_NAME)
        if match is None:
            raise self.error(expected)
        if match[1] is not None:
            return re.sub(r"\\(.)", r"\1", match[1])
        return match[2].strip()

    def until(self, ends: str) -> str:
        """The text up to the first of the characters ``ends``, or to its end."""
        start = self.position
        match = self.match(_none_of(ends))
        return self.text[start : match.end()] if match else ""

    def remainder(self) -> str:
        rest, self.position = self.rest, len(self.text)
        return rest

    def quoted(self) -> str:
        """A value in double quotes; a backslash escapes the next character."""
        match = self.match(_QUOTED)
        if match is None:
            raise self.error("a closing quote")
        return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)

    def value(self, ends: str) -> str:
        """A value up to one of the characters ``ends``, which quotes hide; they are not part of it.

        Quotes that are not the whole of it are: ``a"b``, and a ``"`` alone.
        """
        start = self.position
        match = self.match(_QUOTED)
        if match is not None and (self.at_end or self.text[self.position] in ends):
            return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)
        self.position = start
        return self.until(ends)

    def elements(self, closing: str) -> list[str | None]:
        """Values separated by commas up to ``closing``, each maybe in quotes.

        With ``}`` they follow the rules of PostgreSQL's array literals: blanks around a value do
        not count, and NULL without quotes is null.
        """
        found: list[str | None] = []
        is_array = closing == "}"
        if self.take(closing):
            return found
        while True:
            if not is_array:
                found.append(self.value("," + closing))
            elif self.peek('"'):
                found.append(self.quoted())
            else:
                start = self.position
                element = self.until("," + closing).strip()
                if not element or "{" in element or '"' in element:
                    raise self.error("an element, in quotes if it is empty", start)
                found.append(None if element.upper() == "NULL" else element)
            if self.take(closing):
                return found
            self.expect(",")
