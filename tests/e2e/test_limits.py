"""Limits and presence as callers of JSON meet them, through the gateway."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.chassis.limits import Limits
from services.chassis.testing import eventually
from tests.e2e.system import System, running_system

pytestmark = pytest.mark.e2e

STORE = "/v1/stores/gangnam-gukbap"
LIMITS = Limits(most_streams_of_pass=2, most_streams_of_address=3).environment


class Watching(AsyncExitStack):
    """Streams that stay open until the end of the block."""

    def __init__(self, session: aiohttp.ClientSession, system: System) -> None:
        super().__init__()
        self._session = session
        self._system = system

    async def status(self, path: str, **headers: str) -> tuple[int, Any]:
        """How one more is answered: its status, and what was said where it was refused."""
        told = {**self._system.callers.headers("GET", path), **headers}
        answer = await self.enter_async_context(self._session.get(self._system.url + path, headers=told))
        if answer.status != 200:
            return answer.status, await answer.json()
        await answer.content.readline()
        return 200, None


async def test_streams_joins_and_codes_have_their_limits_over_json(tmp_path: Path) -> None:
    async with running_system(tmp_path / "data", environment=LIMITS) as system, system.http() as session:
        phone = {"partySize": 2, "phone": "01012345678"}
        names = []
        for _ in range(3):
            status, joined = await system.json("POST", f"{STORE}/receptions", phone)
            assert status == 200, joined
            names.append(joined["name"])
            if len(names) < 3:
                await system.json("POST", f"/v1/{joined['name']}:cancel", {})
        await system.json("POST", f"/v1/{names[-1]}:cancel", {})
        status, refused = await system.json("POST", f"{STORE}/receptions", phone)
        assert (status, refused["details"][0]["reason"]) == (429, "TOO_MANY_JOINS")
        assert float(refused["details"][-1]["retryDelay"].rstrip("s")) > 500

        _, party = await system.json("POST", f"{STORE}/receptions", {"partySize": 2})
        for path, most in ((f"/v1/{party['name']}:watch", 2), (f"{STORE}/view:watch", 3)):
            async with Watching(session, system) as watching:
                for n in range(most):
                    assert (await watching.status(path, **{"x-forwarded-for": f"9.9.9.{n}"}))[0] == 200
                status, refused = await watching.status(path)
                assert (status, refused["details"][0]["reason"]) == (429, "TOO_MANY_STREAMS")
                assert refused["details"][-1]["retryDelay"] == "5s"

            async def is_open_again(path: str = path) -> bool:
                async with Watching(session, system) as again:
                    return (await again.status(path))[0] == 200

            await eventually(is_open_again)

        await system.json("PATCH", f"{STORE}?updateMask=presenceRequired", {"presenceRequired": True})

        async def is_required() -> bool:
            return (await system.json("POST", f"{STORE}/receptions", {"partySize": 2}))[0] == 400

        await eventually(is_required)
        _, shown = await system.json("GET", f"{STORE}/presenceCode")
        status, joined = await system.json("POST", f"{STORE}/receptions?presenceCode={shown['code']}", {"partySize": 2})
        assert status == 200, joined
