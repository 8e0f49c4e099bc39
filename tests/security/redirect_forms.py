"""Addresses that a redirect is asked to lead to: those of the URL standard's tests, and of attacks.

The service that gets them is ``BASE_URL`` and trusts ``TRUSTED``.
"""

import itertools
import json
from pathlib import Path
from typing import Final

BASE_URL: Final = "http://example.org"
"""The base of most of the standard's tests, so that what is relative there is so here."""
TRUSTED: Final = ("http://example.com", "https://*.wild.example", "myapp://")
LANDINGS: Final = ("http://example.org", "http://example.com", "https://a.wild.example")
"""The origins among the trusted ones that a form below can lead to."""

_EVIL: Final = "evil.example"
_STARTS: Final = (
    "/", "//", "///", "/.", "/./", "/.//", "/././/", "/..", "/../", "/..//", "/../..//", "/a/..//",
    "/a/../..//", "/%2e/", "/%2e//", "/%2E//", "/.%2e//", "/%2e.//", "/%2e%2e//", "/%2E%2e/../",
    "/a/%2e%2e//", "/%2f", "/%2F/", "/.%2f", "/%5c", "/%5C/", "/\\", "\\", "\\\\", "/.\\", "/..\\",
    "\\/", "/.\\/", "/\t/", "/\n/", "/\r\n/", "/.\t//", "/.\n./\t/", "\t//", " //", "\x00//",
    "\x0c/", "/\x00/", "/\x0b/", "/\u2028/", "/\u3000/", "/;//", "/..;//", "/.?//", "/#//", "/@",
    "/:@", "/%252e//", "/%252f", "/%c0%ae//", "/\uff0e//", "/\uff0f", "/\u2044", "/\u2215",
    "http:", "http:/", "http://", "http:///", "http:\\\\", "HTTP://", "ht\ttp://", "https:",
    "https:/", "https://", "http://example.com@", "http://example.com:80@", "http://example.com%40",
    "http://example.com\\@", "http://example.com/@", "http://example.com#@", "http://example.com?@",
    "http://example.com.", "http://example.com\t.", "http://example.com%2e", "http://example.com%00",
    "http://example.com/.//", "http://example.com/..//", "http://example.com//", "https://wild.",
    "http://example.com\\.", "http://example.com;", "http://example.com,", "http://example.com%23",
    "http://example.com:80", "http://example.com:443", "http://example.com:0080/", "//example.com@",
    "http://[::1]@", "http://example.com\uff0e", "http://example.com\uff0f", "http://example.com\u3002",
    "javascript:", "javascript://example.com/%0a", "java\tscript:", "data:text/html,", "vbscript:",
    "blob:http://example.com/", "file://", "ftp://", "ws://", "about:", "view-source:http://",
    "myapp:", "myapp:/", "myapp2://", "intent://",
)  # fmt: skip
_ENDS: Final = (_EVIL, f"{_EVIL}/%2e%2e", f"{_EVIL}?a=b#c", f"{_EVIL}:80\\@example.com")
_GOOD: Final = (
    "/", "/a", "/a/b?c=d#e", "/a/../b", "/a//b", "/a?u=//evil.example", "/a#//evil.example", "/ü",
    "http://example.com", "http://example.com/", "http://example.com:80/a", "HTTP://EXAMPLE.com/a",
    "http://example.org/a", "http://example.com/a?b=http://evil.example", "http://example.com//a",
    "https://a.wild.example", "https://a.wild.example/x?y#z", "myapp://open", "myapp://open/a?b",
    "http://ex\u00adample.com", "http://\uff25xample.com", "http://example\u3002com",
)  # fmt: skip
_WPT: Final = Path(__file__).parent / "data" / "wpt-urls.json"

STANDARD: Final[tuple[str, ...]] = tuple(json.loads(_WPT.read_text()))
"""The inputs of web-platform-tests' urltestdata.json; its licence is beside it."""
ATTACKS: Final = tuple(start + end for start, end in itertools.product(_STARTS, _ENDS))
FORMS: Final = tuple(dict.fromkeys((*_GOOD, *ATTACKS, *STANDARD)))
