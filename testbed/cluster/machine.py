"""A machine of the cluster: a CVM's network namespace, and mounts, processes, groups, a host name of its own.

Its process 1 holds the namespaces. When that ends, the kernel ends everything on the machine at once, as a
power cut does: daemons, container shims, containers, mounts. Process 1 dies with the process that runs the
cluster, so nothing outlives that. The disk survives a power cut.

For the main thread only: a machine dies with the thread that started it.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.cluster import reboot
from testbed.cluster.cgroups import MachineGroup
from testbed.cluster.layout import Cvm
from testbed.cluster.program import MachineError, Program, await_child
from testbed.kubernetes import locate

_INIT = Path(__file__).with_name("machine_init.sh")
_SYSCTLS = {
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.keys.root_maxbytes": "25000000",
}
"""What kubelet expects (setupKernelTunables), shown to it instead of set by it."""
_DISK = ("etc", "opt", "work-etc", "work-opt", "var-lib", "var-log", "sysctl", "programs")
_NAMESPACES = ("--mount", "--uts", "--pid", "--cgroup")
_BOOT_SECONDS = 20.0


class Machine:
    """One CVM that runs programs.

    Invariant: `programs` has every program in the order of `add`, whether it runs or not; none runs while
    the power is off.
    """

    def __init__(self, cvm: Cvm, *, run_name: str, directory: Path, logs: Path) -> None:
        """Lay out an empty disk below `directory`; the machine is off. Its host name is the Node's."""
        self.name = cvm.name
        self.netns = cvm.netns
        self.group = MachineGroup(run_name, cvm.name)
        self.disk = directory / cvm.name
        self._host_name = cvm.private_ip
        self.programs: dict[str, Program] = {}
        self.at_boot: list[Callable[[], None]] = []
        self._logs = logs
        self._holder: subprocess.Popen[bytes] | None = None
        self._init = 0
        for part in _DISK:
            (self.disk / part).mkdir(parents=True)
        (self.disk / "no-program").touch()
        for key, value in _SYSCTLS.items():
            (self.disk / "sysctl" / key).write_text(value + "\n")

    def write(self, path: str, content: str | bytes, *, mode: int = 0o644) -> None:
        """Put a file below /etc, /opt, /var/lib or /var/log of the machine; while it is off only."""
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        target.chmod(mode)

    def path(self, path: str) -> Path:
        """Where the host sees a path of the machine's disk; while the machine is off only."""
        for top in ("/etc/", "/opt/", "/var/lib/", "/var/log/"):
            if path.startswith(top) and not self.is_on:
                part = top.strip("/").replace("/", "-")
                return self.disk / part / path.removeprefix(top)
        raise MachineError(
            f"{path} cannot be laid out on {self.name}: only /etc, /opt, /var/lib, /var/log can"
        )

    def install(self, name: str, *, source: Path | None = None) -> None:
        """Let a program be found at `installed`; while off only.

        `source` is where the host has it, by default where the programs of the cluster are.
        """
        (self.disk / "programs" / name).symlink_to(source or locate(name))
        self.write(installed(name), "")

    @property
    def root(self) -> Path:
        """Where the host sees the file system of the machine, while it is on."""
        return Path(f"/proc/{self._init}/root")

    @property
    def is_on(self) -> bool:
        """Whether the machine has power."""
        return self._holder is not None and self._holder.poll() is None

    def boot(self) -> None:
        """Switch the machine on: call what `at_boot` has, then start the programs that it had before."""
        if self.is_on:
            return
        if self._init:
            reboot.forget(self.netns)
        self.group.create()
        (self.disk / "ready").unlink(missing_ok=True)
        namespaces = ["nsenter", f"--net=/run/netns/{self.netns}", "unshare", *_NAMESPACES]
        command = [
            *namespaces,
            "--fork",
            "--kill-child",
            "/bin/sh",
            str(_INIT),
            str(self.disk),
            self._host_name,
        ]
        with (self._logs / f"{self.name}-init.log").open("ab") as log:
            self._holder = subprocess.Popen(
                _joining(self.group.roots, command),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._init = await_child(self._holder, seconds=_BOOT_SECONDS)
        self._wait((self.disk / "ready").exists, "process 1 did not arrange its mounts")
        for prepare in self.at_boot:
            prepare()
        for program in self.programs.values():
            program.start()

    def power_off(self) -> None:
        """Cut the power: everything on the machine ends at once, and nothing of it is told."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
            self._holder = None
            for program in self.programs.values():
                program.forget()
        self.group.remove()

    def add(self, name: str, *command: str, after: str = "") -> Program:
        """Install a program and start it, each time as soon as the shell condition `after` is true."""
        wait = f'until {after}; do sleep 0.1; done; exec "$@"'
        argv = ["/bin/sh", "-c", wait, name, *command] if after else list(command)
        program = Program(name, self._logs / f"{self.name}-{name}.log", lambda: self.command(*argv))
        self.programs[name] = program
        program.start()
        return program

    def command(self, *argv: str) -> list[str]:
        """Give the command that runs `argv` on the machine, as a member of its control groups."""
        if not self.is_on:
            raise MachineError(f"machine {self.name} is off")
        enter = ["nsenter", f"--target={self._init}", *_NAMESPACES, "--net", "--"]
        return _joining(self.group.members, [*enter, *argv])

    def run(self, *argv: str, seconds: float = 60.0) -> str:
        """Run a short command on the machine and give what it printed; MachineError when it fails."""
        done = subprocess.run(
            self.command(*argv), cwd="/", capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode != 0:
            raise MachineError(f"{' '.join(argv)} on {self.name}: {done.stdout}{done.stderr}".strip())
        return done.stdout

    def close(self) -> None:
        """Switch the machine off and remove its disk; safe to repeat."""
        self.power_off()
        shutil.rmtree(self.disk, ignore_errors=True)

    def _wait(self, done: Callable[[], bool], failure: str) -> None:
        end = time.monotonic() + _BOOT_SECONDS
        while not done():
            if not self.is_on or time.monotonic() > end:
                log = (self._logs / f"{self.name}-init.log").read_text(errors="replace")
                raise MachineError(f"machine {self.name} did not boot: {failure}\n{log}")
            time.sleep(0.01)


def installed(program: str) -> str:
    """Give the path on a machine of a program that `Machine.install` was asked for."""
    return f"/opt/kubernetes/{program}"


def _joining(groups: Sequence[Path], argv: list[str]) -> list[str]:
    """Give the command that joins control groups, dies with its parent, and becomes `argv`."""
    join = 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; exec "$@"'
    files = [str(path) for path in groups]
    return ["setpriv", "--pdeathsig", "KILL", "/bin/sh", "-ec", join, "join", *files, "--", *argv]
