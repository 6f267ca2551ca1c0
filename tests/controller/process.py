"""`ipamd controller` as a process with its flags, as the Deployment runs it."""

import json
import os
import socket
import subprocess
import sys

import urllib3


class Process:
    """One replica, with a short Lease; flags may be changed or added: `lease_name="x"` is --lease-name=x."""

    def __init__(self, world, directory, **flags):
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "c",
                    "clusters": [{"name": "c", "cluster": {"server": world.kube.url}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "users": [{"name": "u", "user": {}}],
                }
            )
        )
        self.health_address = free_address()
        self.log = (directory / "controller.log").open("a")
        flags = {
            "cluster_id": "cls-test",
            "region": "ap-guangzhou",
            "kubeconfig": kubeconfig,
            "cloud_endpoint": world.cloud_url,
            "health_address": self.health_address,
            "leader_elect_lease_duration": "1s",
            "leader_elect_renew_deadline": "900ms",
            "leader_elect_retry_period": "100ms",
            "log_level": "debug",
            **flags,
        }
        self._popen = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ipamd",
                "controller",
                *(f"--{name.replace('_', '-')}={value}" for name, value in flags.items()),
            ],
            stderr=self.log,
            env={
                **os.environ,
                "TENCENTCLOUD_SECRET_ID": "AKIDdemo",
                "TENCENTCLOUD_SECRET_KEY": "demo-secret-key",
            },
        )

    def probe(self, path):
        """Ask as the kubelet does; return status and text, (0, "") while nobody listens."""
        try:
            answer = urllib3.request("GET", f"http://{self.health_address}{path}", timeout=5, retries=False)
        except urllib3.exceptions.HTTPError:
            return 0, ""
        return answer.status, answer.data.decode()

    @property
    def ended(self):
        return self._popen.poll() is not None

    def wait(self, seconds):
        """Wait until it ends by itself; return its exit code."""
        return self._popen.wait(seconds)

    def kill(self):
        self._popen.kill()
        self._popen.wait()
        self.log.close()

    def end(self):
        self._popen.terminate()
        code = self._popen.wait(20)
        self.log.close()
        return code


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"
