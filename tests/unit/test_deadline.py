"""Deadline: TimeoutError in time, and every other way out as it is."""

import asyncio
import time

import pytest
import uvloop

from app.deadline import Deadline


async def test_deadline_ends_the_block_and_leaves_the_task_uncancelled() -> None:
    deadline = Deadline(0.02)
    with pytest.raises(TimeoutError), deadline:
        await asyncio.sleep(60)
    assert deadline.expired
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_block_that_ends_in_time_is_not_cancelled_later() -> None:
    deadline = Deadline(0.02)
    with deadline:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert not deadline.expired


async def test_timeout_error_of_the_block_is_not_the_deadline() -> None:
    deadline = Deadline(60)
    with pytest.raises(TimeoutError, match="own"), deadline:
        raise TimeoutError("own")
    assert not deadline.expired


async def test_cancellation_from_outside_stays_one() -> None:
    async def wait() -> None:
        with Deadline(60):
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_inner_deadline_leaves_the_outer_one_running() -> None:
    outer, inner = Deadline(60), Deadline(0.02)
    with outer:
        with pytest.raises(TimeoutError), inner:
            await asyncio.sleep(60)
        await asyncio.sleep(0)
    assert inner.expired
    assert not outer.expired


def test_deadline_needs_a_task() -> None:
    async def nothing() -> None:
        return None

    with pytest.raises(RuntimeError), Deadline(1):
        asyncio.run(nothing())


def test_every_deadline_is_a_timeout_error_under_uvloop() -> None:
    async def expire() -> str:
        try:
            with Deadline(0.003):
                await asyncio.sleep(60)
        except TimeoutError:
            return "timeout"
        except asyncio.CancelledError:
            return "cancelled"
        return "nothing"

    async def many() -> list[str]:
        return [await expire() for _ in range(300)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(many()) == ["timeout"] * 300


async def test_deadlines_of_equal_length_leave_the_task_uncancelled() -> None:
    with pytest.raises(TimeoutError), Deadline(0.02), Deadline(0.02):
        await asyncio.sleep(60)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_cancellation_beside_the_deadline_stays_one() -> None:
    async def wait() -> None:
        with Deadline(0.01):
            time.sleep(0.03)  # noqa: ASYNC251 - so that the deadline is due and has not fired
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
