"""The same raw requests, good and bad, to a real Better Auth server and to Gatepost.

What differs is listed in TOLERATED with the reason, or fails; an entry there that differs no more
fails too. With DIFFERENTIAL=self a second Better Auth server stands in for Gatepost: nothing may
differ then, which is how the comparison itself is held.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from tests.interop.auth import scenarios
from tests.interop.auth.compare import SAFER, differences
from tests.interop.auth.provider import Provider, provider
from tests.interop.auth.servers import (
    SELF,
    Running,
    Setup,
    better_auth,
    subject,
)
from tests.interop.auth.setups import SETUPS
from tests.interop.auth.tolerated import TOLERATED
from tests.interop.auth.visitor import MADE_UP, SCENARIOS, Answer, Scenario, Visitor
from tests.social.running_hosts import RunningHosts, running_hosts
from tests.support import Server

REQUESTS: Final[set[str]] = set()
"""Every request that was sent, with what servers made up taken out."""
RAN: Final[set[str]] = set()

assert scenarios


@dataclass(frozen=True)
class Pair:
    """Both servers, set up alike, each on its own database."""

    setup: Setup
    reference: Running
    other: Running
    provider: Provider | None
    hosts: Sequence[RunningHosts | None]
    """Of each server."""


@pytest.fixture(scope="module")
def pair(
    request: pytest.FixtureRequest,
    postgres: Server,
    template: str,
    node: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    setup = SETUPS[request.param]
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        first, second = (stack.enter_context(postgres.database(template)) for _ in range(2))
        if setup.columns:
            for database in (first, second):
                postgres.sql(setup.columns, database)
        asked = stack.enter_context(provider()) if setup.providers else None
        if asked is not None:
            setup = setup.at(asked.url)
        hosts: list[RunningHosts | None] = [None, None]
        setups = [setup, setup]
        if setup.played:
            for number, name in enumerate(("reference", "subject")):
                (folder / name).mkdir()
                played = stack.enter_context(running_hosts(folder / name))
                hosts[number] = played
                setups[number] = replace(setup, environment=played.proxied_environment())
        reference = stack.enter_context(better_auth(setups[0], postgres, first, folder, node))
        other = stack.enter_context(subject(setups[1], postgres, second, folder, node))
        yield Pair(setup, reference, other, asked, hosts)


@pytest.mark.parametrize(
    ("pair", "scenario"),
    [
        pytest.param(setup, one, id=f"{setup}-{one.name}")
        for setup in SETUPS
        for one in SCENARIOS
        if one.setup == setup
    ],
    indirect=["pair"],
    scope="module",
)
def test_both_servers_give_the_same_responses(
    pair: Pair, scenario: Scenario, postgres: Server
) -> None:
    visitors = [
        Visitor(
            server,
            postgres,
            scenario.name,
            pair.setup.base_url,
            provider=pair.provider,
            hosts=hosts,
        )
        for server, hosts in zip((pair.reference, pair.other), pair.hosts, strict=True)
    ]
    with ThreadPoolExecutor(2) as pool:
        visits = [pool.submit(scenario.run, visitor) for visitor in visitors]
        surprise, error = (visit.exception() for visit in visits)
    for visitor in visitors:
        visitor.close()
    if surprise is not None:
        raise surprise
    reference, visitor = visitors

    RAN.add(scenario.name)
    REQUESTS.update(
        MADE_UP.sub("…", repr(asked)).replace(f".{scenario.name}@", "@")
        for asked in reference.requests
    )

    tolerated = {} if SELF else TOLERATED.get(scenario.name, {})
    found, used = [f"Better Auth: {text}" for text in reference.unexpected], set()
    ours = {entry.name: entry.answer for entry in visitor.transcript}
    safer = {} if SELF else SAFER
    for difference in differences(reference.transcript, visitor.transcript, safer):
        if difference.entry in tolerated:
            used.add(difference.entry)
        else:
            found.append(str(difference))
    if error is not None:
        found.append(f"after {visitor.transcript[-1].name}: {error!r}")
    for name, (status, _) in tolerated.items():
        answer = ours.get(name)
        if name not in used:
            found.append(f"{name}: tolerated, but does not differ")
        elif isinstance(answer, Answer) and answer.status != status:
            found.append(f"{name}: tolerated with status {status}, not {answer.status}")
    if found:
        pytest.fail(f"{len(found)} differences\n" + "\n".join(found), pytrace=False)


def test_every_tolerated_difference_has_a_scenario() -> None:
    assert set(TOLERATED) <= {scenario.name for scenario in SCENARIOS}


def test_scenarios_send_many_requests(capsys: pytest.CaptureFixture[str]) -> None:
    if len(RAN) < len(SCENARIOS):
        pytest.skip("not every scenario ran")
    with capsys.disabled():
        sys.stdout.write(f" [{len(REQUESTS)} distinct requests] ")
    assert len(REQUESTS) >= 250
