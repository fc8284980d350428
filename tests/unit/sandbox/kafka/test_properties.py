"""The brokers' settings, as a file and as the container image's variables."""

from bridge.sandbox.kafka.ports import free_ports
from bridge.sandbox.kafka.properties import as_text, environment, server_properties


def test_three_nodes_keep_three_copies_of_which_two_must_have_a_record() -> None:
    three, one = server_properties(3, {}), server_properties(1, {})
    names = "default.replication.factor", "transaction.state.log.replication.factor", "min.insync.replicas"
    assert [three[name] for name in names] == ["3", "3", "2"]
    assert [one[name] for name in names] == ["1", "1", "1"]


def test_the_callers_properties_win() -> None:
    assert server_properties(1, {"auto.create.topics.enable": "true"})["auto.create.topics.enable"] == "true"


def test_variables_are_named_as_the_image_reads_them() -> None:
    assert environment({"node.id": "1", "a_b-c.d": "2"}) == {"KAFKA_NODE_ID": "1", "KAFKA_A__B___C_D": "2"}


def test_a_file_has_a_line_for_each() -> None:
    assert as_text({"node.id": "1", "x": ""}) == "node.id=1\nx=\n"


def test_ports_are_different_and_none_that_the_system_gives_to_clients() -> None:
    ports = free_ports(30)
    assert len(set(ports)) == 30
    assert max(ports) < 30_000
