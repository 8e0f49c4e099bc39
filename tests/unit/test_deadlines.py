"""One timer for many deadlines: it ends what is late, and nothing else."""

import asyncio

import pytest

from app.deadlines import Deadlines


async def test_what_is_late_ends_in_timeout_error_and_the_rest_goes_on() -> None:
    deadlines = Deadlines(0.1)

    async def wait(seconds: float) -> str:
        with deadlines.open():
            await asyncio.sleep(seconds)
        return "done"

    waits = [wait(0), wait(30), wait(0.01), wait(30)]
    answers = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, TimeoutError, str, TimeoutError]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    deadlines = Deadlines(60)

    async def wait() -> None:
        with deadlines.open():
            await asyncio.sleep(30)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_outer_of_two_deadlines() -> None:
    outer, inner = Deadlines(0.05), Deadlines(60)
    seen = []

    async def wait() -> None:
        with outer.open():
            try:
                with inner.open():
                    await asyncio.sleep(30)
            except BaseException as error:
                seen.append(type(error))
                raise

    with pytest.raises(TimeoutError):
        await wait()
    assert seen == [asyncio.CancelledError]


async def test_it_may_be_caught_and_work_goes_on() -> None:
    deadlines = Deadlines(0.05)
    for _ in range(3):
        with pytest.raises(TimeoutError), deadlines.open():
            await asyncio.sleep(30)
    await asyncio.sleep(0.2)  # nothing that was left behind cancels this


async def test_an_error_inside_is_the_one_that_is_seen() -> None:
    with pytest.raises(LookupError), Deadlines(60).open():
        raise LookupError


async def test_no_timer_stays_when_nothing_waits() -> None:
    deadlines = Deadlines(0.05)
    with deadlines.open():
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    assert deadlines._timer is None
