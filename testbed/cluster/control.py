"""The power switches of the cluster's machines, for tests in other processes: JSON over HTTP on loopback.

`GET /` lists machines and programs; `POST /<machine>` with {"do": ...} switches a machine, `POST
/<machine>/<program>` acts on one program. The work is done on the main thread, one request after the other:
a machine dies with the thread that started it.
"""

import json
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from simulator.http_server import HttpReply, HttpRequest, HttpServer, loopback_socket
from testbed.cluster.machine import Machine
from testbed.cluster.program import MachineError, Program

_MACHINE: Mapping[str, Callable[[Machine], None]] = {
    "power-off": lambda machine: machine.power_off(),
    "boot": lambda machine: machine.boot(),
}
_PROGRAM: Mapping[str, Callable[[Program], None]] = {
    "start": lambda program: program.start(),
    "stop": lambda program: program.stop(),
    "kill": lambda program: program.kill(),
    "freeze": lambda program: program.signal(signal.SIGSTOP),
    "thaw": lambda program: program.signal(signal.SIGCONT),
}


class ControlServer(HttpServer):
    """Serves the switches; `work` must be running for them to do anything."""

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        """Start to listen at any free port."""
        self._machines = machines
        self._requests: SimpleQueue[tuple[HttpRequest, Future[HttpReply]]] = SimpleQueue()
        super().__init__([loopback_socket()], self._hand_over)

    def work(self, stop: threading.Event) -> None:
        """Do what is asked, until `stop` is set; on the main thread."""
        while not stop.is_set():
            try:
                request, future = self._requests.get(timeout=0.2)
            except Empty:
                continue
            try:
                future.set_result(self._answer(request))
            except (MachineError, OSError) as error:
                future.set_result(_json(500, {"error": str(error)}))
            except BaseException as error:
                future.set_exception(error)
                raise

    def _hand_over(self, request: HttpRequest) -> HttpReply:
        future: Future[HttpReply] = Future()
        self._requests.put((request, future))
        return future.result()

    def _answer(self, request: HttpRequest) -> HttpReply:
        parts = [part for part in request.path.split("/") if part]
        if request.method == "GET" and not parts:
            return _json(200, self._state())
        machine = self._machines.get(parts[0]) if parts else None
        if request.method != "POST" or machine is None or len(parts) > 2:
            known = ", ".join(self._machines)
            return _error(404, f"there is no {request.method} {request.path}; machines are {known}")
        do = str(json.loads(request.body or b"{}").get("do"))
        if len(parts) == 1:
            return _act(_MACHINE, do, machine)
        program = machine.programs.get(parts[1])
        if program is None:
            return _error(404, f"{machine.name} has no {parts[1]}; it has {', '.join(machine.programs)}")
        return _act(_PROGRAM, do, program)

    def _state(self) -> dict[str, object]:
        return {
            name: {
                "on": machine.is_on,
                "root": str(machine.root) if machine.is_on else "",
                "running": [program.name for program in machine.programs.values() if program.is_running],
            }
            for name, machine in self._machines.items()
        }


def _act(actions: Mapping[str, Callable[..., None]], do: str, target: Machine | Program) -> HttpReply:
    if do not in actions:
        return _error(400, f"do must be one of {', '.join(actions)}, not {do!r}")
    actions[do](target)
    return _json(200, {})


def _error(status: int, message: str) -> HttpReply:
    return _json(status, {"error": message})


def _json(status: int, document: object) -> HttpReply:
    return HttpReply(status=status, content_type="application/json", body=json.dumps(document).encode())
