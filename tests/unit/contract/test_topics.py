import re

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.topics import TopicNames, TopicSpec, topic_specs

DAY_MS = 86_400_000
NAMES = TopicNames("copper")


def spec(topic: str) -> TopicSpec:
    return next(each for each in topic_specs(NAMES) if each.name == topic)


def test_every_topic_is_named_once_and_in_legal_characters() -> None:
    topics = [each.name for each in topic_specs(NAMES)]
    assert len(topics) == len(set(topics)) == 6 * 9 + 3 + 8
    assert all(re.fullmatch(r"[a-z0-9.-]{1,249}", topic) for topic in topics)


def test_the_prefix_of_the_settings_begins_every_topic() -> None:
    assert all(each.name.startswith("crm.eu.") for each in topic_specs(TopicNames("crm.eu")))


def test_events_are_kept_fourteen_days_and_requests_and_answers_seven() -> None:
    for topic, days in {
        "created": 14,
        "upserted": 14,
        "changes": 14,
        "commands": 7,
        "replies": 7,
        "commands-dlt": 30,
    }.items():
        config = spec(f"copper.lead.{topic}").config
        assert (config["cleanup.policy"], int(config["retention.ms"])) == ("delete", days * DAY_MS), topic


def test_state_and_cursors_are_compacted_with_tombstones_kept_a_week() -> None:
    for topic in ["copper.task.state", NAMES.cursors]:
        config = spec(topic).config
        assert (config["cleanup.policy"], int(config["delete.retention.ms"])) == ("compact", 7 * DAY_MS)
        assert "retention.ms" not in config


def test_the_journal_is_compacted_and_forgotten_after_thirty_days() -> None:
    config = spec(NAMES.journal).config
    assert (config["cleanup.policy"], int(config["retention.ms"])) == ("compact,delete", 30 * DAY_MS)


def test_an_entity_that_takes_commands_only_has_no_topics_of_events() -> None:
    topics = {each.name for each in topic_specs(NAMES) if ".activity." in each.name}
    assert topics == {NAMES.commands("activity"), NAMES.replies("activity"), NAMES.dead_letters("activity")}


def test_replies_may_go_to_no_topic_of_the_bridge_but_those_of_replies() -> None:
    topics = {each.name for each in topic_specs(NAMES)}
    takers = {topic for topic in topics if NAMES.may_take_replies(topic)}
    assert takers == {NAMES.replies(entity) for entity in CATALOGUE.entities}


def test_replies_may_go_to_no_topic_that_the_bridge_or_kafka_might_use_later() -> None:
    assert not NAMES.may_take_replies("copper.bridge.parked")
    assert not NAMES.may_take_replies("__consumer_offsets")
    assert NAMES.may_take_replies("shop.copper-replies")
