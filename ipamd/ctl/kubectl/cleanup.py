"""`kubectl eni cleanup`: `ipamctl eip cleanup` for the cluster of the kubeconfig."""

import argparse
import os

from ipamd.core.kubernetes import cluster_settings
from ipamd.ctl import command_line, eip
from ipamd.ctl.kubectl import access
from ipamd.kube.errors import NotFoundError
from ipamd.kube.resources import CONFIGMAPS


def add_command(commands: "command_line.Subparsers") -> None:
    """Add the command, which knows the cluster and its id by itself."""
    added = eip.add_cleanup(commands, kubeconfig=argparse.SUPPRESS)
    added.add_argument("--context", default=argparse.SUPPRESS, help="of the kubeconfig")
    added.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ipamd.ctl import eip_cleanup  # noqa: PLC0415 - loads the cloud SDK

    options.kubeconfig = access.kubeconfig(options, os.environ)
    if not options.cluster_id:
        options.cluster_id = _cluster_id(options)
    return eip_cleanup.run(options, os.environ)


def _cluster_id(options: argparse.Namespace) -> str:
    """Return what the cluster's ConfigMap says, empty if it says nothing. Raises: KubeError."""
    with access.client(options) as api:
        try:
            found = api.get(CONFIGMAPS, cluster_settings.CONFIG_MAP, cluster_settings.NAMESPACE)
        except NotFoundError:
            return ""
    return cluster_settings.cluster_id(found)
