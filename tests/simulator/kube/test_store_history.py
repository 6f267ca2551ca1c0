"""The store against a model: whoever applies its changes has its state, at any revision it remembers."""

import threading

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulator.kube.objects import Obj
from simulator.kube.storage import Change, CompactedError, Entry, Key, Store

RESOURCES = ("pods", "eipclaims.networking.tke.cloud.tencent.com")
NAMES = st.sampled_from(["a", "b", "c", "d"])
NAMESPACES = st.sampled_from(["default", "other"])
HISTORY = 12


def apply(state: dict[Key, Obj], entry: Entry) -> None:
    """Do what a watcher does with an event."""
    if entry.change is Change.DELETED:
        assert state.pop(entry.key)["metadata"] != entry.obj["metadata"]
        return
    assert (entry.key in state) is (entry.change is Change.MODIFIED)
    state[entry.key] = entry.obj


class StoreMachine(RuleBasedStateMachine):
    """Random writes, compactions and watchers that read at their own pace."""

    watchers = Bundle("watchers")

    @initialize()
    def start(self):
        self.store = Store(history=HISTORY)
        self.states: dict[int, dict[Key, Obj]] = {self.store.revision: {}}

    def state(self) -> dict[Key, Obj]:
        return dict(self.states[max(self.states)])

    def remember(self, state):
        assert self.store.revision == max(self.states) + 1
        self.states[self.store.revision] = state

    @rule(resource=st.sampled_from(RESOURCES), namespace=NAMESPACES, name=NAMES, value=st.integers())
    def put(self, resource, namespace, name, value):
        key = Key(resource, namespace, name)
        stored = self.store.put(key, {"metadata": {"name": name, "namespace": namespace}, "spec": value})
        assert stored["metadata"]["resourceVersion"] == str(self.store.revision)
        self.remember({**self.state(), key: stored})

    @precondition(lambda self: self.state())
    @rule(data=st.data())
    def remove(self, data):
        state = self.state()
        key = data.draw(st.sampled_from(sorted(state)))
        last = self.store.remove(key)
        assert last["spec"] == state.pop(key)["spec"]
        self.remember(state)

    @rule(name=NAMES, back=st.integers(0, 5))
    def rehearse(self, name, back):
        oldest = self.store.oldest
        with self.store.rehearsal():
            self.store.put(Key(RESOURCES[0], "default", name), {"metadata": {}, "spec": None})
            self.store.remove(Key(RESOURCES[0], "default", name))
            self.store.compact(self.store.revision - back)
        assert (self.store.revision, self.store.oldest) == (max(self.states), oldest)

    @rule(back=st.integers(0, 5))
    def compact(self, back):
        oldest = self.store.oldest
        assert self.store.compact(self.store.revision - back) >= oldest

    @rule(target=watchers)
    def watch(self):
        return {"revision": self.store.revision, "state": self.state()}

    @rule(watcher=watchers)
    def read(self, watcher):
        if watcher["revision"] < self.store.oldest:
            with pytest.raises(CompactedError):
                self.store.changes_after(watcher["revision"])
            watcher.update(revision=self.store.revision, state=self.state())
            return
        for entry in self.store.changes_after(watcher["revision"]):
            assert entry.revision == watcher["revision"] + 1
            apply(watcher["state"], entry)
            watcher["revision"] = entry.revision
        assert watcher["state"] == self.state()

    @rule(back=st.integers(0, 15), resource=st.sampled_from(RESOURCES))
    def look_back(self, back, resource):
        revision = max(1, self.store.revision - back)
        if revision < self.store.oldest:
            with pytest.raises(CompactedError):
                self.store.snapshot(resource, at=revision)
            return
        items, shown = self.store.snapshot(resource, at=revision)
        assert shown == revision
        state = self.states[revision]
        assert items == [state[key] for key in sorted(state) if key.resource == resource]

    @invariant()
    def the_list_is_the_state(self):
        state = self.state()
        for resource in RESOURCES:
            for namespace in ("", "other"):
                expected = [
                    state[key]
                    for key in sorted(state)
                    if key.resource == resource and namespace in ("", key.namespace)
                ]
                assert self.store.snapshot(resource, namespace) == (expected, self.store.revision)

    @invariant()
    def the_history_is_bounded(self):
        assert self.store.revision - self.store.oldest <= HISTORY


StoreMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestStore = StoreMachine.TestCase


def test_writers_in_many_threads_make_one_history():
    store = Store()
    start = store.revision

    def write(number: int) -> None:
        for step in range(50):
            store.put(Key("pods", "default", f"p{number}"), {"metadata": {}, "spec": step})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = store.changes_after(start)
    assert [entry.revision for entry in entries] == list(range(start + 1, start + 201))
    for number in range(4):
        mine = [entry.obj["spec"] for entry in entries if entry.key.name == f"p{number}"]
        assert mine == list(range(50))


def test_waiting_ends_with_a_write_a_wake_up_or_the_time():
    store = Store()
    assert not store.wait(store.tick, 0.01)
    for act in (store.wake, lambda: store.put(Key("pods", "", "p"), {"metadata": {}})):
        tick = store.tick
        thread = threading.Thread(target=act)
        thread.start()
        assert store.wait(tick, 60)
        thread.join()
        assert store.wait(tick, 60)
