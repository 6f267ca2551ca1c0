"""The flags of `ipamd controller`, and what is said about wrong ones."""

import argparse
import json
import logging

import pytest

from ipamd import __main__, logs
from ipamd.controller import options
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import cluster_settings
from tests.deploy import manifests


def settings(*flags, environment=None):
    parser = argparse.ArgumentParser()
    options.add_arguments(parser)
    return options.settings(parser.parse_args(flags), environment or {})


def test_the_cluster_id_is_enough_inside_a_pod():
    chosen = settings(
        "--cluster-id=cls-1", environment={"POD_NAME": "tke-eni-ipamd-x", "POD_NAMESPACE": "tke"}
    )

    assert chosen.cluster_id == "cls-1"
    assert (chosen.namespace, chosen.lease_namespace) == ("tke", "tke")
    assert chosen.identity.startswith("tke-eni-ipamd-x_")
    assert (chosen.workers, chosen.resync, chosen.region) == (16, 300.0, "")
    assert chosen.lease_timing.duration == 15.0
    assert chosen.admission_webhook is None


def test_a_lease_elsewhere_does_not_move_the_settings():
    chosen = settings("--cluster-id=c", "--lease-namespace=leases", environment={"POD_NAMESPACE": "tke"})
    assert (chosen.namespace, chosen.lease_namespace) == ("tke", "leases")


def test_outside_of_a_pod_the_settings_are_looked_for_where_they_are_shipped():
    chosen = settings("--cluster-id=c", "--kubeconfig=/home/me/.kube/config")
    assert (
        chosen.namespace == manifests.one("ConfigMap", cluster_settings.CONFIG_MAP)["metadata"]["namespace"]
    )


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ((), "--cluster-id is not given"),
        (("--cluster-id=a b",), "--cluster-id is 'a b'"),
        (("--cluster-id=c", "--region=Guangzhou"), "--region is 'Guangzhou'"),
        (("--cluster-id=c", "--workers=0"), "--workers is 0"),
        (("--cluster-id=c", "--workers=65"), "1 to 64"),
        (("--cluster-id=c", "--resync=5"), "--resync: duration '5'"),
        (("--cluster-id=c", "--resync=5s"), "allowed are 10s to 24h"),
        (("--cluster-id=c", "--lease-namespace=A_B"), "--lease-namespace"),
        (("--cluster-id=c", "--kube-client-qps=0"), "--kube-client-qps is 0"),
        (("--cluster-id=c", "--kube-client-qps=nan"), "--kube-client-qps is nan"),
        (("--cluster-id=c", "--kube-client-burst=0"), "--kube-client-burst is 0"),
        (("--cluster-id=c", "--leader-elect-renew-deadline=15s"), "--leader-elect-lease-duration >"),
        (("--cluster-id=c", "--admission-webhook=:61691"), "--admission-webhook is ':61691'"),
        (("--cluster-id=c", "--leader-elect-lease-duration=x"), "--leader-elect-lease-duration"),
        (
            ("--cluster-id=c", "--claim-expired-duration=4m59s"),
            "--claim-expired-duration is 4m59s; allowed are 5m to",
        ),
        (
            ("--cluster-id=c", "--claim-expired-duration=0"),
            "--claim-expired-duration is 0; allowed are 5m",
        ),
        (("--cluster-id=c", "--claim-expired-duration=1d"), "--claim-expired-duration: duration '1d'"),
    ],
)
def test_a_wrong_flag_is_named_with_its_value_and_what_is_allowed(flags, named):
    with pytest.raises(InvalidInputError) as refusal:
        settings(*flags)

    assert named in str(refusal.value)


def test_the_rules_for_claims_are_tke_s_unless_said_otherwise():
    assert settings("--cluster-id=c").rules == ClusterRules()
    assert settings(
        "--cluster-id=c",
        "--claim-expired-duration=720h",
        "--claim-absence=10m",
        "--enable-ownerref",
        "--eip-id-list-rule=tagged",
    ).rules == ClusterRules(expire_after=2592000.0, least_absence=600.0, cascade=True, tagged_only=True)


def test_a_wrong_flag_ends_the_process_with_2_and_one_line(capsys):
    assert __main__.main(["controller"]) == 2

    assert capsys.readouterr().err == (
        "ipamd controller: --cluster-id is not given; give the cluster's id, for example cls-abcd1234\n"
    )


def test_without_a_cluster_to_talk_to_the_way_out_is_named(capsys):
    assert __main__.main(["controller", "--cluster-id=c", "--kubeconfig=/nonexistent"]) == 2

    assert "/nonexistent" in capsys.readouterr().err


def test_json_lines_hold_message_and_traceback(capsys):
    logs.configure("info", "json")
    try:
        int("boom")
    except ValueError:
        logging.getLogger("ipamd.x").exception("it %s", "failed")
    logging.getLogger("ipamd.x").debug("unseen")

    (line,) = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["level"], record["logger"], record["message"]) == ("error", "ipamd.x", "it failed")
    assert "ValueError: invalid literal" in record["exception"]
    assert record["time"].endswith("Z")


def test_text_lines_begin_with_time_and_level(capsys):
    logs.configure("warning", "text")

    logging.getLogger("ipamd.x").warning("careful")
    logging.getLogger("ipamd.x").info("unseen")

    (line,) = capsys.readouterr().err.splitlines()
    assert line[10] == "T"
    assert line.endswith("WARNING ipamd.x: careful")


def test_a_kubeconfig_that_no_repetition_mends_ends_the_process_with_one_line(tmp_path, capfd):
    path = tmp_path / "config"
    cluster = {"server": "https://192.0.2.1", "proxy-url": "socks5://192.0.2.9"}
    document = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
    }
    path.write_text(json.dumps(document))

    assert (
        __main__.main(["controller", "--cluster-id=c", "--region=ap-guangzhou", f"--kubeconfig={path}"]) == 2
    )

    (line,) = capfd.readouterr().err.splitlines()
    assert f'kubeconfig {path}: clusters["c"].proxy-url' in line
