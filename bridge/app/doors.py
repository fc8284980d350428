"""What the two ports are given about accounts: the way of a customer on the public one, deeds on the internal one.

Called by `app.running` once there is a world.
"""

import secrets
import time
from collections.abc import Callable

from bridge.app.administering import Administering
from bridge.app.connecting import Connecting, Place
from bridge.app.oauth import Keys, linking, oauth_of
from bridge.app.world import World
from bridge.settings import Settings
from bridge.web.accounts import AccountsApi


def consent(world: World, place: Place) -> Connecting | None:
    """The way of a customer; None where OAuth is not set up."""
    if world.settings.oauth.client_id is None:
        return None
    keys = Keys(world.secrets.now)
    return Connecting(
        lambda: oauth_of(world.secrets.now(), keys),
        world.accounts,
        place,
        chance=lambda: secrets.token_urlsafe(32),
        clock=time.time,
    )


def accounts_api(world: Callable[[], tuple[World, Place] | None], settings: Settings) -> AccountsApi:
    """What the internal port shows and does; nothing before there is a world."""

    def administering() -> Administering | None:
        there = world()
        if there is None:
            return None
        here, place = there
        return Administering(
            here.accounts,
            lambda: linking(here.secrets.now()),
            place,
            lambda: here.membership.owned,
            time.time,
        )

    def token() -> str | None:
        there = world()
        secret = (settings if there is None else there[0].secrets.now()).server.token
        return None if secret is None else secret.get_secret_value()

    return AccountsApi(
        lambda: [] if (there := administering()) is None else there.accounts(),
        lambda: {} if (there := administering()) is None else there.deeds,
        token,
    )
