"""The composition root: settings in, running bridge out. The only place that knows every part.

`running` is the life of the process, `shards` makes what an owned shard consists of, `hooks` receives webhooks,
`observing` turns what the parts tell into metrics and log lines. No decision is taken here.
"""

from bridge.app.running import Running, run, serving

__all__ = ["Running", "run", "serving"]
