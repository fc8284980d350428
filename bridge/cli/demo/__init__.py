"""`copper-bridge demo`: the bridge at work between a Copper double and a real Kafka, shown as it happens.

`staging` sets up and tears down, `story` makes things happen, `witness` remembers what was read back from Kafka and
tells what is missing, `screen` writes the lines. Called by `bridge.cli.sandboxes`.
"""

from bridge.cli.demo.staging import demo

__all__ = ["demo"]
