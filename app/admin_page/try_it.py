"""The same as a screen shows or does, as a program asks for it: curl, Python, JavaScript.

Whatever stands in a value is quoted for the language, so that a name or an address that somebody
has made for it is text there, too. Keys and tokens are names of environment variables.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlencode

Credential = Literal["key", "session"]
"""A service key, for the REST API; the token of a session, by the plugin ``bearer``."""

_HEADERS: Final[Mapping[Credential, tuple[str, str, str]]] = {
    "key": ("apikey", "", "GATEPOST_KEY"),
    "session": ("authorization", "Bearer ", "GATEPOST_TOKEN"),
}
"""The header, what stands before the credential in it, and the variable that holds this."""

_SAFE: Final = "!*(),.:-_~"
"""What stays readable in a query string; none of it means anything to a shell within quotes."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to one of the two APIs. ``path`` begins with /; ``body`` is what JSON can hold."""

    title: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: Any = None
    credential: Credential | None = "key"


class Sample(NamedTuple):
    """A call in one language."""

    language: str
    code: str


class TryIt(NamedTuple):
    """A call in each language, for the macro in _try_it.html."""

    title: str
    samples: tuple[Sample, ...]


def try_it(base_url: str, *calls: Call) -> list[TryIt]:
    """The calls for a service at ``base_url``."""
    return [
        TryIt(
            call.title,
            (
                Sample("curl", _curl(base_url, call)),
                Sample("Python", _python(base_url, call)),
                Sample("JavaScript", _javascript(base_url, call)),
            ),
        )
        for call in calls
    ]


def _url(base_url: str, call: Call) -> str:
    query = urlencode(call.query, quote_via=quote, safe=_SAFE)
    return f"{base_url}{_path(call)}{'?' if query else ''}{query}"


def _path(call: Call) -> str:
    return quote(call.path, safe="/" + _SAFE)


def _curl(base_url: str, call: Call) -> str:
    method = [] if call.method == "GET" else ["-X", call.method]
    lines = [" ".join(["curl", *method, shlex.quote(_url(base_url, call))])]
    if call.credential:
        header, scheme, variable = _HEADERS[call.credential]
        lines.append(f'-H "{header}: {scheme}${variable}"')
    if call.body is not None:
        lines.append("-H 'content-type: application/json'")
        lines.append(f"--data-raw {shlex.quote(json.dumps(call.body))}")
    return " \\\n  ".join(lines)


def _python(base_url: str, call: Call) -> str:
    arguments = [repr(f"{base_url}{_path(call)}")]
    if call.query:
        arguments.append(f"params={dict(call.query)!r}")
    if call.credential:
        header, scheme, variable = _HEADERS[call.credential]
        value = f'os.environ["{variable}"]'
        value = f'f"{scheme}{{os.environ[{variable!r}]}}"' if scheme else value
        arguments.append(f'headers={{"{header}": {value}}}')
    if call.body is not None:
        arguments.append(f"json={call.body!r}")
    given = "".join(f"    {argument},\n" for argument in arguments)
    imports = "import os\n\nimport httpx\n" if call.credential else "import httpx\n"
    call_ = f"answer = httpx.{call.method.lower()}(\n{given})\n"
    return f"{imports}\n{call_}print(answer.raise_for_status().{_read(call)})"


def _read(call: Call) -> str:
    """How an answer is read; the endpoints of operators answer with text."""
    return "json()" if call.credential else "text"


def _javascript(base_url: str, call: Call) -> str:
    options: list[str] = []
    headers: list[str] = []
    if call.method != "GET":
        options.append(f"method: {json.dumps(call.method)}")
    if call.credential:
        header, scheme, variable = _HEADERS[call.credential]
        value = f"process.env.{variable}"
        headers.append(f"{header}: {f'`{scheme}${{{value}}}`' if scheme else value}")
    if call.body is not None:
        headers.append('"content-type": "application/json"')
    if headers:
        options.append(f"headers: {{ {', '.join(headers)} }}")
    if call.body is not None:
        options.append(f"body: JSON.stringify({json.dumps(call.body)})")
    given = "".join(f"  {option},\n" for option in options)
    url = json.dumps(_url(base_url, call))
    ask = f"fetch({url}, {{\n{given}}})" if options else f"fetch({url})"
    read = "json()" if call.credential else "text()"
    return f"const answer = await {ask};\nconsole.log(await answer.{read});"
