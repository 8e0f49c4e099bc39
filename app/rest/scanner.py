"""A text that is read from left to right, as the parts of a query string are."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from app.rest.errors import RestError, bad_syntax

Result = TypeVar("Result")
_NAME: Final = re.compile(r'"((?:[^"\\]|\\.)+)"|([\w $-]*[\w$])', re.ASCII)


class Text:
    """A text and how far it has been read."""

    def __init__(self, what: str, text: str) -> None:
        self.what = what
        self.text = text
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self.text)

    @property
    def rest(self) -> str:
        return self.text[self.at :]

    def error(self, expected: str, at: int | None = None) -> RestError:
        return bad_syntax(self.what, self.text, (self.at if at is None else at) + 1, expected)

    def whole(self, parse: "Callable[[Text], Result]") -> Result:
        result = parse(self)
        self.end()
        return result

    def end(self) -> None:
        if not self.done:
            raise self.error("the end")

    def peek(self, word: str) -> bool:
        return self.text.startswith(word, self.at)

    def take(self, word: str) -> bool:
        if self.peek(word):
            self.at += len(word)
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.error(f'"{word}"')

    def name(self, expected: str) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise self.error(expected)
        self.at = match.end()
        if match[1] is not None:
            return re.sub(r"\\(.)", r"\1", match[1])
        return match[2].strip()

    def until(self, ends: str) -> str:
        start = self.at
        while not self.done and self.text[self.at] not in ends:
            self.at += 1
        return self.text[start : self.at]

    def remainder(self) -> str:
        rest, self.at = self.rest, len(self.text)
        return rest

    def quoted(self) -> str:
        """A value in double quotes, in which a backslash keeps the next character as it is."""
        start = self.at
        match = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(self.text, start)
        if match is None:
            raise self.error("a closing quote", start)
        self.at = match.end()
        return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)

    def elements(self, closing: str) -> list[str | None]:
        """Values up to ``closing``, parted by commas, each maybe in quotes.

        ``}`` ends an array as PostgreSQL writes it: blanks around a value do not count, and
        NULL without quotes is null.
        """
        found: list[str | None] = []
        array = closing == "}"
        if self.take(closing):
            return found
        while True:
            if self.peek('"'):
                found.append(self.quoted())
            else:
                start = self.at
                element = self.until("," + closing)
                if array:
                    element = element.strip()
                    if not element or "{" in element or '"' in element:
                        raise self.error("an element, in quotes if it is empty", start)
                found.append(None if array and element.upper() == "NULL" else element)
            if self.take(closing):
                return found
            self.expect(",")
