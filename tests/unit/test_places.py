"""How many statements of the REST API run at once."""

import pytest

from app.rest.places import for_api, for_key


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 10, 100])
def test_places_leave_a_connection_where_there_are_several(size: int) -> None:
    assert 1 <= for_key(size) <= for_api(size) <= max(1, size - 1)
    assert for_key(size) <= max(1, size // 2)
