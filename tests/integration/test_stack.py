"""The parts that demo and tests start, towards the other users of the machine."""

import os
import pathlib
import subprocess

import pymysql
import pytest

import stack

CONNECT = """
import pymysql, sys
try:
    pymysql.connect(unix_socket=sys.argv[1], user=sys.argv[2])
except pymysql.err.OperationalError as error:
    sys.exit(f"refused: {error}")
"""


def status(pid):
    """{"Uid": "0 0 0 0", ...} of a process."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.strip() for name, rest in (line.split(":", 1) for line in lines)}


@pytest.mark.skipif("os.geteuid() != 0", reason="whoever else starts it is somebody already")
def test_what_root_starts_runs_as_somebody_who_owns_nothing(new_folder, build):
    parts = [stack.Broker(new_folder(), build), stack.Database(new_folder()),
             stack.Cameras(new_folder(), 1)]
    try:
        stack.together([part.start for part in parts])
        for part in parts:
            for pid in part.members():
                told = status(pid)
                assert set(told["Uid"].split()) == {str(stack.somebody()["user"])}, part.name
                assert set(told["Gid"].split()) == {str(stack.somebody()["group"])}, part.name
                assert told["Groups"] == "" and int(told["CapEff"], 16) == 0, part.name
    finally:
        stack.together([part.stop for part in parts])


def test_the_database_listens_on_a_socket_that_nobody_else_reaches(new_folder):
    with stack.Database(new_folder()) as database:
        assert database.execute("SELECT @@skip_networking")[0][0] == 1
        accounts = dict(database.execute("SELECT user, authentication_string FROM mysql.user"))
        assert set(accounts) == {"mariadb.sys", "kafkacam", database.administrator} | (
            {"root"} & set(accounts))
        assert accounts[database.administrator] == "invalid"        # the kernel's word alone
        database.folder.chmod(0o711)        # even who comes through to the socket
        with pytest.raises(pymysql.err.OperationalError):
            pymysql.connect(unix_socket=str(database.socket), user="kafkacam")
        if os.geteuid() == 0:
            other = subprocess.run(
                ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/python3",
                 "-c", CONNECT, database.socket, database.administrator], capture_output=True, text=True,
                timeout=60, check=False)
            assert "Access denied" in other.stderr


@pytest.mark.skipif("os.geteuid() != 0", reason="others cannot make a folder that is closed to them")
def test_a_folder_that_they_cannot_get_to_is_named(folder):
    folder.chmod(0o700)
    with pytest.raises(stack.StackError, match=f"{folder}: user .* cannot get through"):
        stack.Database(folder / "closed").start()
