"""The REST API held to its own description, by Schemathesis.

It makes up requests from GET /rest/v1/, good and bad ones, and compares the answers with it.
FUZZ_CASES says how many; the seed is fixed, so the same ones come each time.
"""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import strategies as st

from tests.security.target import CASES, Answer, Request, Target, attacked, mutated
from tests.support import IN_CI, KEYS

if IN_CI:
    import requests
    import schemathesis
else:
    requests = pytest.importorskip("requests")  # of Schemathesis
    schemathesis = pytest.importorskip("schemathesis")

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
MODES: Final = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def target(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with attacked(module_database_url, tmp_path_factory.mktemp("attacked")) as target:
        yield target


def ask(target: Target, path: bytes, key: str = "backend") -> Answer:
    return target.wire.send(Request("GET", path, ((b"apikey", KEYS[key].encode()),)))


def as_request(case: Any, key: str) -> Request:
    """A case of Schemathesis as it goes over the wire; a write is rolled back."""
    sent = case.as_transport_kwargs(base_url="http://gatepost.test/rest/v1")
    url = urlsplit(sent["url"])
    query = "&".join(
        f"{quote(str(name), safe='')}={quote(str(value), safe='', errors='surrogatepass')}"
        for name, value in (sent.get("params") or {}).items()
    )
    headers = [(b"apikey", KEYS[key].encode()), (b"prefer", b"tx=rollback, return=representation")]
    body = None
    if case.method not in ("GET", "HEAD"):
        given = sent.get("json", sent.get("data"))
        headers.append((b"content-type", (case.media_type or "application/json").encode()))
        if isinstance(given, dict) and case.media_type == "application/x-www-form-urlencoded":
            pairs = (f"{quote(str(k), safe='')}={quote(str(v), safe='')}" for k, v in given.items())
            body = "&".join(pairs).encode()
        elif isinstance(given, bytes):
            body = given
        else:
            body = json.dumps(given).encode()
    target = f"{quote(url.path, safe='/%')}{f'?{query}' if query else ''}"
    return Request(case.method.upper(), target.encode(), tuple(headers), body)


def test_answers_are_as_described(target: Target) -> None:
    document = ask(target, b"/rest/v1/", "all").json
    schema = schemathesis.openapi.from_dict(document)
    operations = [
        schema[path][method]
        for path, described in document["paths"].items()
        for method in METHODS
        if method.lower() in described
    ]
    statuses: set[int] = set()

    def attack(given: tuple[Any, str]) -> None:
        case, key = given
        for request in mutated(as_request(case, key)):
            answer = target.wire.send(request)
            target.check(request, answer, secrets_only=True)
            statuses.add(answer.status)

    cases = st.one_of(
        [operation.as_strategy(generation_mode=mode) for operation in operations for mode in MODES]
    )
    target.attack(
        st.tuples(cases, st.sampled_from(("backend", "reader", "writer"))), attack, CASES // 4
    )
    assert {400, 403} <= statuses


def test_rows_are_as_described(target: Target) -> None:
    """Each column by its type, of real rows: what is made up seldom finds one."""
    document = ask(target, b"/rest/v1/", "all").json
    schema = schemathesis.openapi.from_dict(document)
    for path in document["paths"]:
        operation = schema[path]["GET"]
        answer = ask(target, b"/rest/v1" + path.encode(), "all")
        assert answer.status == 200
        assert answer.json or path in ("/erasures", "/session_policies"), path
        operation.validate_response(
            schemathesis.Response(
                status_code=200,
                headers={"content-type": ["application/json"]},
                content=answer.body,
                request=requests.Request("GET", target.service.url).prepare(),
                elapsed=0.0,
                verify=False,
            )
        )
