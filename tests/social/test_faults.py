"""A provider that is not well: a clear redirect with an error, nothing half written, no hang.

The first test needs a service that has no provider's keys yet.
"""

import asyncio
from typing import Final

import pytest

from tests.social.conftest import Rows, RunService
from tests.social.hosts.stand_in import SECRET
from tests.social.running_hosts import BUILT_IN, PLAYED, RunningHosts
from tests.social.visitor import Visitor
from tests.support import Service

PROFILE: Final = {
    "google": "keys",
    "github": "user",
    "microsoft": "keys",
    "apple": "keys",
    "discord": "@me",
    "facebook": "me",
    "gitlab": "user",
    "linkedin": "userinfo",
    "slack": "openid.connect.userInfo",
    "spotify": "me",
    "twitter": "me",
    "twitch": "keys",
    "openid": "keys",
    "plain": "user",
}
"""The endpoint that decides who somebody is."""
QUICK: Final = ("500", "not_json", "wrong_json", "empty", "redirect", "huge", "nested")
LATE: Final = ("slow", "silent")

each_provider = pytest.mark.parametrize("provider", PLAYED)


async def test_slow_and_silent_providers_end_in_an_error(
    hosts: RunningHosts, service: Service, rows: Rows
) -> None:
    visitors: list[Visitor] = []
    callbacks: list[tuple[str, str]] = []
    for provider in PLAYED:
        for how in LATE:
            for endpoint in ("token", PROFILE[provider]):
                if endpoint == "keys":  # which are nobody's own
                    hosts.fail(provider, endpoint, how)
                hosts.sign_in_as(provider, faults={endpoint: how})
                visitor = Visitor(service.url, hosts)
                visitors.append(visitor)
                callback = await visitor.up_to_callback(await visitor.begin(provider))
                code = "invalid_code" if endpoint == "token" else "unable_to_get_user_info"
                callbacks.append((callback, code))
    ends = await asyncio.gather(
        *(
            visitor.come_back(callback)
            for visitor, (callback, _) in zip(visitors, callbacks, strict=True)
        )
    )
    assert ends == [f"/oops?error={code}" for _, code in callbacks]
    assert await rows.counts() == (0, 0, 0)
    for visitor in visitors:
        assert await visitor.session() is None
        await visitor.__aexit__(None, None, None)


@each_provider
async def test_wrong_profile_ends_in_an_error(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    for how in QUICK:
        hosts.fail(provider, PROFILE[provider], how)
        danced = await visitor.dance(provider)
        assert danced.location == "/oops?error=unable_to_get_user_info", how
        assert hosts.asked(provider, PROFILE[provider])[-1].query.count(("followed", "1")) == 0
    assert await rows.counts() == (0, 0, 0)
    assert await visitor.session() is None
    hosts.mend(provider, PROFILE[provider])
    assert (await visitor.dance(provider)).location == "/welcome"


@each_provider
async def test_wrong_answer_to_the_code_ends_in_an_error(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    for how in QUICK:
        hosts.fail(provider, "token", how)
        danced = await visitor.dance(provider)
        # an answer without tokens is found out when they are needed
        code = "unable_to_get_user_info" if how == "empty" else "invalid_code"
        assert danced.location == f"/oops?error={code}", how
    assert len(hosts.asked(provider, "token")) == len(QUICK)  # nothing is asked twice
    assert await rows.counts() == (0, 0, 0)
    hosts.mend(provider, "token")
    assert (await visitor.dance(provider)).location == "/welcome"


async def test_person_signs_in_without_what_is_not_needed(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    for how in QUICK[:4]:
        hosts.fail("microsoft", "$value", how)
        assert (await visitor.dance("microsoft")).location == "/welcome", how


async def test_list_of_addresses_that_fails_is_an_error(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    for how in QUICK:
        hosts.fail("github", "emails", how)
        assert (await visitor.dance("github")).location == "/oops?error=email_not_found", how
    assert await rows.counts() == (0, 0, 0)


async def test_keys_that_change_are_fetched_again(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    providers = [provider for provider in PLAYED if PROFILE[provider] == "keys"]
    for provider in providers:
        assert (await visitor.dance(provider)).location == "/welcome"
        hosts.rotate_keys(provider)
    before = await rows.counts()
    waiting = set(providers)
    async with asyncio.timeout(90):
        while waiting:
            for provider in sorted(waiting):
                danced = await visitor.dance(provider)
                if danced.error is None:
                    waiting.remove(provider)
                else:  # at most half a minute: a flood of wrong tokens makes no flood of asking
                    assert danced.location == "/oops?error=unable_to_get_user_info"
                    assert await rows.counts() >= before
            await asyncio.sleep(2 if waiting else 0)
    for provider in providers:
        fetched = hosts.asked(provider, "keys")
        assert len(fetched) <= 2


async def test_connection_that_a_provider_has_ended_costs_nobody_the_sign_in(
    visitor: Visitor, hosts: RunningHosts
) -> None:
    hosts.sign_in_as("gitlab", subject="no number")  # its profile fails, and the host hangs up
    assert (await visitor.dance("gitlab")).error == "unable_to_get_user_info"
    hosts.sign_in_as("gitlab", subject="4711", email="nobody-yet@example.com")
    assert (await visitor.dance("gitlab")).location == "/welcome"


async def test_certificate_of_another_authority_is_refused(
    run_service: RunService, hosts: RunningHosts
) -> None:
    stranger = str(hosts.authority.parent / "stranger" / "authority.pem")
    with run_service(SSL_CERT_FILE=stranger) as service:
        async with Visitor(service.url, hosts) as visitor:
            for provider in BUILT_IN:
                danced = await visitor.dance(provider)
                assert danced.location == "/oops?error=invalid_code"
                assert hosts.asked(provider, "token") == []


def test_log_holds_no_secret_of_all_this(service: Service) -> None:
    log = service.log.read_text()
    assert "unable_to_get_user_info" in log
    for provider in PLAYED:
        for kind in ("code", "access", "refresh"):
            assert f"{provider}.{kind}." not in log
    assert SECRET not in log
    assert "ada@example.com" not in log.lower()
