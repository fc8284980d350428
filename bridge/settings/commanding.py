"""The groups of settings about commands and their replies: what flows from Kafka to Copper, and back as an answer.

A field's docstring is its row in docs/reference/configuration.md.
"""

from pydantic import Field

from bridge.settings.groups import Group
from bridge.settings.values import ActionPatterns, Count, KeyName, Patterns, Secret


class CommandsSettings(Group):
    """Kafka to Copper."""

    allowed: ActionPatterns = ("*",)
    """Patterns of `<entity>.<action>`, such as `company.*` or `*.get`; anything else is answered with `forbidden`."""
    allow_delete: bool = True
    """false: delete commands are answered with `forbidden`, whatever `commands.allowed` says."""
    signing_keys: dict[KeyName, Secret] = Field(default={})
    """Key id to secret, 16 characters or more; with any, only signed commands count. Environment or secret files."""
    max_in_flight: Count = 16
    """Commands of one account that are carried out side by side."""


class RepliesSettings(Group):
    """Where answers may go."""

    allowed: Patterns = ("copper.*.replies", "*.copper-replies")
    """Patterns of topics that a command may name for its reply; anything else gets the default topic."""
