"""copper-kafka-bridge: Copper CRM changes as Kafka events, Kafka commands as Copper calls."""

__version__ = "0.1.0"
