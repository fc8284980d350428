"""What the settings say about OAuth: keys that seal, the application at Copper, links.

Called by `app.world` and `app.running`, and by the command line for a link. Settings are asked each time, as secrets
may be replaced; what is made of them is kept as long as they are the same.
"""

import hashlib
import hmac
from collections.abc import Callable

from bridge.app.connecting import CALLBACK_PATH, Linking, OAuth
from bridge.app.sealing import Sealing
from bridge.copper.oauth import Application
from bridge.settings import Settings

_LINKS = b"copper-bridge links"


class Keys:
    """The sealing keys, as they are now."""

    def __init__(self, now: Callable[[], Settings]) -> None:
        self._now = now
        self._settings: Settings | None = None
        self._sealing: Sealing | None = None

    def __call__(self) -> Sealing | None:
        """The same object until the keys are others; None without any."""
        settings = self._now()
        if self._settings is None or settings.oauth.keys != self._settings.oauth.keys:
            keys = {name: key.get_secret_value() for name, key in settings.oauth.keys.items()}
            self._sealing = Sealing(keys) if keys else None
        self._settings = settings
        return self._sealing


def linking(settings: Settings) -> Linking | None:
    """What makes and judges links; None where OAuth is not set up. Its keys are derived from those that seal."""
    oauth, url = settings.oauth, settings.webhooks.public_url
    if oauth.client_id is None or url is None:
        return None
    newest_first = [oauth.keys[name].get_secret_value().encode() for name in sorted(oauth.keys, reverse=True)]
    keys = [hmac.new(key, _LINKS, hashlib.sha256).digest() for key in newest_first]
    return Linking(url, keys, oauth.link_valid.total_seconds())


def oauth_of(settings: Settings, sealing: Callable[[], Sealing | None]) -> OAuth:
    """All that connecting needs.

    Raises:
        ValueError: OAuth is not set up.
    """
    oauth, links, seals = settings.oauth, linking(settings), sealing()
    if oauth.client_id is None or oauth.client_secret is None or links is None or seals is None:
        raise ValueError("settings let no client without its secret, keys and an address through")
    application = Application(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret.get_secret_value(),
        authorize_url=oauth.authorize_url,
        token_url=oauth.token_url,
        redirect_uri=f"{links.public_url}{CALLBACK_PATH}",
    )
    return OAuth(application, links, seals, settings.copper.timeout.total_seconds())
