"""A double of Copper's Developer API with its quirks and with faults on demand, for tests, demos and users' own CI."""

from bridge.sandbox.copper.account import Account
from bridge.sandbox.copper.answers import Refusal
from bridge.sandbox.copper.double import CopperDouble, run_copper
from bridge.sandbox.copper.faults import Fault
from bridge.sandbox.copper.knobs import DoubleAccount, Knobs
from bridge.sandbox.copper.limits import Call
from bridge.sandbox.copper.store import Effect

__all__ = ["Account", "Call", "CopperDouble", "DoubleAccount", "Effect", "Fault", "Knobs", "Refusal", "run_copper"]
