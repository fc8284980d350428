"""What Python programs import to command, and to wait: `from bridge.client import CopperCommands`."""

from bridge.access import Access
from bridge.client.commands import Copper, CopperCommands
from bridge.client.connecting import KafkaTrouble
from bridge.client.entities import Record
from bridge.client.outcomes import (
    CommandExpired,
    CommandFailed,
    CommandTrouble,
    NoReply,
    NotUnderstood,
    OutcomeUnknown,
)
from bridge.client.signing import signing_key
from bridge.client.waiting import Waited, wait_complete
from bridge.contract.signing import SigningKey
from bridge.settings import KafkaSecurity

__all__ = [
    "Access",
    "CommandExpired",
    "CommandFailed",
    "CommandTrouble",
    "Copper",
    "CopperCommands",
    "KafkaSecurity",
    "KafkaTrouble",
    "NoReply",
    "NotUnderstood",
    "OutcomeUnknown",
    "Record",
    "SigningKey",
    "Waited",
    "signing_key",
    "wait_complete",
]
