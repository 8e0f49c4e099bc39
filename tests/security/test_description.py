"""Both APIs held to the description at /openapi.json, by Schemathesis.

It makes up requests from the document, good and bad ones. No answer is a 5xx, and each has a
status, a media type, headers and a body that the document names for the operation.
"""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.security.target import BASE, CASES, Target, attacked
from tests.support import IN_CI, KEYS

if IN_CI:
    import schemathesis
    from schemathesis.specs.openapi import checks
else:
    schemathesis = pytest.importorskip("schemathesis")
    checks = pytest.importorskip("schemathesis.specs.openapi.checks")

EXAMPLES: Final = CASES // 250
"""Of each operation, good and bad ones each; the seed is fixed, so the same ones come each time."""
HASHING: Final = ("sign-up", "sign-in/email", "password")
"""In the paths of operations that take a tenth of a second, of which there is but one example."""
MODES: Final = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
COOKIE: Final = "better-auth.session_token"
NOT_CHECKED: Final = (HealthCheck.too_slow, HealthCheck.filter_too_much)
CONFORMS: Final = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)


@pytest.fixture(scope="module")
def target(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("attacked")
    with attacked(module_database_url, folder, GATEPOST_DOCS="true") as target:
        yield target


@pytest.mark.parametrize("mode", MODES)
def test_answers_are_as_described(target: Target, mode: Any) -> None:
    key = {"apikey": KEYS["backend"]}
    document = httpx.get(f"{target.service.url}/openapi.json", headers=key).raise_for_status()
    schema = schemathesis.openapi.from_dict(document.json())
    paths = document.json()["paths"]
    assert len(paths) > 30
    statuses: set[int] = set()

    def attack(case: Any, signed_in: bool) -> None:
        if case.operation.path.startswith("/rest/"):
            headers = key | {"prefer": "tx=rollback, return=representation"}
        else:
            headers = {"origin": BASE}
            headers |= {"cookie": f"{COOKIE}={target.own_cookie}"} if signed_in else {}
        answer = case.call(
            base_url=target.service.url, headers=headers, allow_redirects=False, timeout=30
        )
        assert answer.status_code < 500, (case, answer.text)
        case.validate_response(answer, checks=list(CONFORMS))
        statuses.add(answer.status_code)

    for path, method in [(path, method) for path, item in paths.items() for method in item]:
        described, operation = paths[path][method], schema[path][method.upper()]
        if mode is MODES[1] and not (described["parameters"] or "requestBody" in described):
            continue  # there is nothing that could be wrong
        target.sign_in()
        examples = 1 if any(part in path for part in HASHING) else EXAMPLES
        cases = operation.as_strategy(generation_mode=mode)
        settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=NOT_CHECKED,
        )(seed(1)(given(cases, st.booleans())(attack)))()
    target.check_afterwards()
    assert {200, 400, 401} <= statuses
