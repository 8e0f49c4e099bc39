"""Deadline: TimeoutError in time, and every other way out as it is."""

import asyncio

import pytest

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
