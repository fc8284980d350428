"""Settings: what an operator may say, checked as a whole before anything starts.

`load` is called by the composition root and the command line; the groups are what every part is given. Knows files and
an environment that is handed in, no network.
"""

from bridge.settings.commanding import CommandsSettings, RepliesSettings
from bridge.settings.groups import (
    AccountSettings,
    CopperSettings,
    EntityEvents,
    EventsSettings,
    TopicsSettings,
    WebhooksSettings,
)
from bridge.settings.kafka import KafkaSecurity, KafkaSettings
from bridge.settings.loading import Loaded, load, load_reach, loaded
from bridge.settings.reporting import SettingsProblem
from bridge.settings.rereading import Rereading
from bridge.settings.whole import Listen, LogSettings, ServerSettings, Settings, StateSettings

__all__ = [
    "AccountSettings",
    "CommandsSettings",
    "CopperSettings",
    "EntityEvents",
    "EventsSettings",
    "KafkaSecurity",
    "KafkaSettings",
    "Listen",
    "Loaded",
    "LogSettings",
    "RepliesSettings",
    "Rereading",
    "ServerSettings",
    "Settings",
    "SettingsProblem",
    "StateSettings",
    "TopicsSettings",
    "WebhooksSettings",
    "load",
    "load_reach",
    "loaded",
]
