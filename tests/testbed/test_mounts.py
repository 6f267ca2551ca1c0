"""A mount that only one thread and what it starts can see."""

import subprocess
import threading

import pytest

from testbed import mounts


def test_only_the_thread_and_its_processes_see_the_mount(tmp_path):
    shown, place = tmp_path / "shown", tmp_path / "place"
    shown.mkdir()
    place.mkdir()
    (shown / "socket").write_text("here")
    seen = []

    def look():
        mounts.show_at(shown, place)
        seen.append(subprocess.run(["cat", str(place / "socket")], check=True, capture_output=True).stdout)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert seen == [b"here"]
    assert not (place / "socket").exists()


def test_the_main_thread_stays_where_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="main thread"):
        mounts.show_at(tmp_path, tmp_path)


def test_a_place_that_is_not_there_is_named(tmp_path):
    errors = []

    def look():
        try:
            mounts.show_at(tmp_path, tmp_path / "none")
        except OSError as error:
            errors.append(str(error))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert len(errors) == 1
    assert f"cannot be mounted at {tmp_path}/none" in errors[0]
