"""The way into Kafka: what every client of the project, the bridge's and others', is made with, and why it is refused.

The one place that turns security settings into arguments of aiokafka. Called by `bridge.kafka` and `bridge.client`;
knows nothing of topics and messages. It fetches tokens over HTTP, which is why it is a layer of its own.
"""

from bridge.access.entry import Access
from bridge.access.reasons import ACLS, NoToken, denied

__all__ = ["ACLS", "Access", "NoToken", "denied"]
