"""What Debian's Python client of Kafka cannot do, by librdkafka itself: transactions, and deleting the
records before an offset."""

import ctypes

COPY = 2                # RD_KAFKA_MSG_F_COPY
PRODUCER = 0
WAIT_MS = 30000

library = ctypes.CDLL("librdkafka.so.1")
pointer = ctypes.c_void_p
for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_topic_new", "rd_kafka_begin_transaction",
             "rd_kafka_init_transactions", "rd_kafka_commit_transaction", "rd_kafka_abort_transaction",
             "rd_kafka_queue_new", "rd_kafka_queue_poll", "rd_kafka_DeleteRecords_new",
             "rd_kafka_topic_partition_list_new", "rd_kafka_topic_partition_list_add"):
    getattr(library, name).restype = pointer
for name in ("rd_kafka_error_string", "rd_kafka_event_error_string"):
    getattr(library, name).restype = ctypes.c_char_p


def check(error):
    assert not error, library.rd_kafka_error_string(pointer(error)).decode()


class Client:
    """A producer. Ends with the process's memory: call close()."""

    def __init__(self, address, **settings):
        conf = pointer(library.rd_kafka_conf_new())
        why = ctypes.create_string_buffer(512)
        for name, value in {"bootstrap_servers": address, **settings}.items():
            assert library.rd_kafka_conf_set(conf, name.replace("_", ".").encode(), value.encode(),
                                             why, ctypes.c_size_t(512)) == 0, why.value
        self.client = pointer(library.rd_kafka_new(PRODUCER, conf, why, ctypes.c_size_t(512)))
        assert self.client.value, why.value
        self.topics = {}

    def close(self):
        for topic in self.topics.values():
            library.rd_kafka_topic_destroy(topic)
        library.rd_kafka_destroy(self.client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Transactions(Client):
    def __init__(self, address, identity):
        super().__init__(address, transactional_id=identity)
        check(library.rd_kafka_init_transactions(self.client, WAIT_MS))

    def begin(self):
        check(library.rd_kafka_begin_transaction(self.client))

    def write(self, topic, partition, value):
        """Waits until the broker has it."""
        if topic not in self.topics:
            self.topics[topic] = pointer(library.rd_kafka_topic_new(self.client, topic.encode(), None))
        assert library.rd_kafka_produce(self.topics[topic], partition, COPY, value,
                                        ctypes.c_size_t(len(value)), None, ctypes.c_size_t(0), None) == 0
        assert library.rd_kafka_flush(self.client, WAIT_MS) == 0

    def commit(self):
        check(library.rd_kafka_commit_transaction(self.client, WAIT_MS))

    def abort(self):
        check(library.rd_kafka_abort_transaction(self.client, WAIT_MS))


def delete_before(address, topic, partition, offset):
    """The log starts at offset from now on, as after its retention."""
    with Client(address) as client:
        partitions = pointer(library.rd_kafka_topic_partition_list_new(1))
        added = library.rd_kafka_topic_partition_list_add(partitions, topic.encode(), partition)
        offset_at = ctypes.sizeof(pointer) + 8          # after its topic and partition
        ctypes.c_int64.from_address(added + offset_at).value = offset
        asked = (pointer * 1)(library.rd_kafka_DeleteRecords_new(partitions))
        queue = pointer(library.rd_kafka_queue_new(client.client))
        library.rd_kafka_DeleteRecords(client.client, asked, ctypes.c_size_t(1), None, queue)
        event = pointer(library.rd_kafka_queue_poll(queue, WAIT_MS))
        assert event.value and not library.rd_kafka_event_error(event), \
            event.value and library.rd_kafka_event_error_string(event)
        library.rd_kafka_event_destroy(event)
        library.rd_kafka_queue_destroy(queue)
        library.rd_kafka_DeleteRecords_destroy(asked[0])
        library.rd_kafka_topic_partition_list_destroy(partitions)
