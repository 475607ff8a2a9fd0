"""The parts of a kafkacam system, started and stopped for the demo, the tests and the benchmarks:
broker, database, demo cameras, producer, httpd. Each lives in a folder of its own with its log, on
ports of its own on 127.0.0.1, and waits until it really answers.

    with Stack(folder, cameras=4) as stack:
        print(stack.httpd.url("/cam/1"))

A part that does not come up, does not stop, or leaves a process behind raises StackError with what
happened and the end of its log. Passwords stand in files that only the owner reads."""

from .account import close_to_others, somebody, temporary_folder
from .apache_kafka import ApacheKafka
from .broker import MAX_CAMERAS, Broker, Outside
from .build import Build
from .cameras import Cameras
from .chain import Stack
from .cluster import Cluster
from .database import Database
from .httpd import Httpd
from .journal import read_journal, stop_recorded, write_journal
from .part import Part, Running
from .places import PYTHON, SOURCE, cache_folder, write_private
from .ports import free_port, listening
from .processes import command_line, process_stat, processes_in, session_members
from .producer import Producer
from .waiting import StackError, together, wait_for
