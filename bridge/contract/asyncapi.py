"""The AsyncAPI 3 document of the bridge, made from the catalogue, the schemas and the examples.

Called by `publish` and by the status pages. Told from the bridge's side: it sends events and replies, it receives
commands. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.contract.catalogue import CATALOGUE, Action, Entity
from bridge.contract.events import Kind
from bridge.contract.examples import NAMES, Example, examples, messages_of
from bridge.contract.schemas import command_name, event_name, record_name
from bridge.contract.topics import topic_specs

Document = dict[str, Any]

_CONTRACT_VERSION = "1.0.0"
_CALLERS = "callers.replies"
_FORMAT = "application/schema+json;version=draft-2020-12"
_ABOUT = """Every change in Copper CRM as an event, and commands carried out against Copper.

Read with isolation.level=read_committed: other readers see records of aborted transactions. Topic names begin with the
prefix of the bridge's settings, here its default. Every topic has the same number of partitions."""


def document() -> Document:
    """The whole document; `$ref`s to schemas are relative to the directory `topics/`."""
    followed = [CATALOGUE.entities[name] for name in CATALOGUE.followed]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Copper Kafka bridge",
            "version": _CONTRACT_VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": _channels(followed),
        "operations": _operations(followed),
        "components": {
            "messages": _messages(followed),
            "schemas": _headers(),
            "correlationIds": {
                "correlation": {
                    "description": "Echoed byte for byte, under the name it came with",
                    "location": "$message.header#/correlation-id",
                }
            },
        },
    }


def _channels(followed: Iterable[Entity]) -> Document:
    bindings = {spec.name: _channel_binding(spec.config) for spec in topic_specs(NAMES)}

    def channel(topic: str, about: str, messages: Iterable[str]) -> Document:
        refs = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
        return {"address": topic, "description": about, "messages": refs, "bindings": {"kafka": bindings[topic]}}

    channels: Document = {}
    for row in CATALOGUE.triggers:
        names = [f"{row.entity}.{kind}" for kind in messages_of(row.kind)]
        topic = NAMES.event(row.entity, row.kind)
        channels[f"{row.entity}.{row.kind}"] = channel(topic, f"{row.title}: {row.noticed}", names)
    for entity in followed:
        kinds = [f"{entity.name}.{kind}" for kind in Kind]
        about = f"Every change of {entity.name} records in order, and the rows of a first snapshot"
        channels[f"{entity.name}.changes"] = channel(NAMES.changes(entity.name), about, kinds)
        about = f"{entity.title} records as last seen; null when deleted"
        channels[f"{entity.name}.state"] = channel(NAMES.state(entity.name), about, [f"{entity.name}.record"])
    for name, entity in CATALOGUE.entities.items():
        commands = [f"{name}.{action.name}.command" for action in CATALOGUE.actions_of(name)]
        channels[f"{name}.commands"] = channel(NAMES.commands(name), f"Requests on {name} records", commands)
        about = f"Answers to {name} commands that name no other topic"
        channels[f"{name}.replies"] = channel(NAMES.replies(name), about, ["reply"])
        about = f"{entity.title} commands that can never be carried out, bytes and headers untouched"
        channels[f"{name}.commands-dlt"] = channel(NAMES.dead_letters(name), about, ["dead-letter"])
    about = "Dead letters that were put back too often; as they were"
    channels["bridge.parked"] = channel(NAMES.parked, about, ["dead-letter"])
    about = "Webhook notices, written before Copper gets its answer; hints, never facts"
    channels["bridge.inbox"] = channel(NAMES.inbox, about, ["notice"])
    about = "What operators ask of a running bridge; every message is answered on the notifications topic"
    channels["bridge.control"] = channel(NAMES.control, about, ["control"])
    about = "Answers to control messages, progress of snapshots, deletes that are held back"
    channels["bridge.notifications"] = channel(NAMES.notifications, about, ["announcement"])
    about = "Up to when everything has been published, per account and entity"
    channels["bridge.watermarks"] = channel(NAMES.watermarks, about, ["watermark"])
    about = "A topic of the caller's own, named by the command and allowed by replies.allowed"
    caller: Document = {"address": None, "description": about, "messages": {"reply": _message_ref("reply")}}
    return {**channels, _CALLERS: caller}


def _channel_binding(config: Mapping[str, str]) -> Document:
    known = {key: int(config[key]) for key in ("retention.ms", "delete.retention.ms") if key in config}
    settings = {"cleanup.policy": config["cleanup.policy"].split(","), **known}
    return {"topicConfiguration": settings, "bindingVersion": "0.5.0"}


def _message_ref(name: str) -> Document:
    return {"$ref": f"#/components/messages/{name}"}


def _operations(followed: Iterable[Entity]) -> Document:
    sent = [(f"{row.entity}.{row.kind}", row.title) for row in CATALOGUE.triggers]
    sent += [(f"{each.name}.changes", f"Every change: {each.title}") for each in followed]
    sent += [(f"{each.name}.state", f"{each.title} as last seen") for each in followed]
    sent += [(f"{name}.replies", f"Answer: {each.title}") for name, each in CATALOGUE.entities.items()]
    sent += [(f"{name}.commands-dlt", f"Dead letter: {each.title}") for name, each in CATALOGUE.entities.items()]
    sent += [("bridge.parked", "Dead letter that was put back too often")]
    sent += [("bridge.notifications", "What operators are told"), ("bridge.watermarks", "What is complete")]
    sends = {name: {"action": "send", "channel": _channel_ref(name), "summary": title} for name, title in sent}
    control = {"action": "receive", "channel": _channel_ref("bridge.control"), "summary": "What operators ask"}
    commands = {f"{row.entity}.{row.name}": _receive(row) for row in CATALOGUE.actions}
    return {**sends, **commands, "bridge.control": control}


def _channel_ref(name: str) -> Document:
    return {"$ref": f"#/channels/{name}"}


def _receive(action: Action) -> Document:
    channel = f"{action.entity}.commands"
    default = NAMES.replies(action.entity)
    about = f"Also reply-to or reply_to. Without any, or when it is not allowed: {default}"
    return {
        "action": "receive",
        "channel": _channel_ref(channel),
        "summary": action.title,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{action.entity}.{action.name}.command"}],
        "reply": {
            "address": {"location": "$message.header#/kafka_replyTopic", "description": about},
            "channel": _channel_ref(_CALLERS),
            "messages": [{"$ref": f"#/channels/{_CALLERS}/messages/reply"}],
        },
    }


def _messages(followed: Iterable[Entity]) -> Document:
    shown: dict[str, Example] = {}
    for example in examples():
        shown.setdefault(example.schema, example)

    def message(schema: str, title: str, headers: str, key: str) -> Document:
        found = shown.get(schema)
        example = {"examples": [{"headers": dict(found.headers), "payload": found.value}]} if found else {}
        correlated = {"correlationId": {"$ref": "#/components/correlationIds/correlation"}}
        return {
            "title": title,
            "headers": {"$ref": f"#/components/schemas/{headers}"},
            **(correlated if headers in {"commandHeaders", "replyHeaders"} else {}),
            "payload": {"schemaFormat": _FORMAT, "schema": {"$ref": f"./schemas/{schema}.json"}},
            "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": "0.5.0"}},
            **example,
        }

    record_key = "<account>/<id>"
    messages: Document = {}
    for entity in followed:
        name = entity.name
        for kind in Kind:
            title = f"{entity.title} {kind}"
            messages[f"{name}.{kind}"] = message(event_name(name, kind), title, "eventHeaders", record_key)
        messages[f"{name}.record"] = message(record_name(name), f"{entity.title} record", "eventHeaders", record_key)
    free = "free; the account's name puts it in the right partition at once"
    for row in CATALOGUE.actions:
        name = f"{row.entity}.{row.name}.command"
        messages[name] = message(command_name(row), row.title, "commandHeaders", free)
    messages["reply"] = message("reply.v1", "Answer to a command", "replyHeaders", "the command's key")
    messages["notice"] = message("notice.v1", "Webhook notice", "noticeHeaders", "<account>")
    messages["control"] = message("control.v1", "Control message", "controlHeaders", "the account's name")
    messages["announcement"] = message("announcement.v1", "Announcement", "announcementHeaders", "<account>")
    messages["watermark"] = message("watermark.v1", "Watermark", "watermarkHeaders", "<account>/<entity>")
    letter: Document = {"title": "Dead letter", "headers": {"$ref": "#/components/schemas/letterHeaders"}}
    return {**messages, "dead-letter": letter}


def _headers() -> Document:
    return {
        f"{family}Headers": {
            "type": "object",
            "required": [name for name, row in headers.items() if row.get("always")],
            "properties": {name: {"type": "string", "description": row["about"]} for name, row in headers.items()},
        }
        for family, headers in CATALOGUE.headers.items()
    }
