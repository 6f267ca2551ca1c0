"""What importing the adapter brings into every node's daemon."""

import subprocess
import sys

IMPORTS = "import sys, ipamd.cloud.tencent, ipamd.cloud.polling, ipamd.cloud.metadata; print(*sys.modules)"


def test_neither_typed_models_nor_an_event_loop_nor_the_kubernetes_client_is_loaded():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    unwanted = {"asyncio", "httpx", "kubernetes", "grpc", "pyroute2", "tencentcloud.common.credential"}
    assert not unwanted & loaded
    assert {name for name in loaded if name.startswith("tencentcloud.")} <= {
        name for name in loaded if name.startswith("tencentcloud.common")
    }
