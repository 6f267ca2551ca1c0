"""Whether a node is fit: what is judged to be in the way, and with which next step."""

import json

import pytest

from ipamd.core.preflight import machine
from ipamd.core.preflight.result import Fitness, FitnessCheck, Judgement

OURS = "10-tke-eni.conflist"
WANTED = ("/opt/cni/bin", "/etc/cni/net.d")


def network(*types):
    return json.dumps({"name": "n", "plugins": [{"type": kind} for kind in types]}).encode()


@pytest.mark.parametrize(
    ("release", "fitness"), [("4.17.9", Fitness.PROBLEM), ("4.18.0-193.el8", Fitness.OK), ("6.1", Fitness.OK)]
)
def test_a_kernel_has_to_be_new_enough(release, fitness):
    assert machine.kernel(release).fitness is fitness


def test_what_the_kernel_refuses_is_told_with_its_advice():
    assert machine.features("", "").fitness is Fitness.OK
    refused = machine.features("could not write the nft table", "")
    assert (refused.fitness, refused.text) == (Fitness.PROBLEM, "could not write the nft table")
    assert "nf_tables" in refused.next_step
    assert machine.features("no", "mount it").next_step == "mount it"
    assert machine.features_untried("not permitted").fitness is Fitness.UNKNOWN


@pytest.mark.parametrize(
    ("program", "fitness"),
    [
        (None, Fitness.OK),
        (b"\x7fELF TKE_ENI_SOCKET", Fitness.OK),
        (b"\x7fELF go", Fitness.PROBLEM),
    ],
)
def test_a_plugin_of_our_name_has_to_be_ours(program, fitness):
    assert machine.plugin("/opt/cni/bin/tke-route-eni", program).fitness is fitness


@pytest.mark.parametrize(
    ("files", "fitness"),
    [
        ({}, Fitness.OK),
        ({OURS: b"", "20-flannel.conflist": network("flannel")}, Fitness.OK),
        ({"00-README": b""}, Fitness.OK),
        ({"05-cilium.conflist": network("cilium-cni")}, Fitness.PROBLEM),
        ({"00-multus.conf": network("multus")}, Fitness.WARNING),
        ({"00-broken.conf": b"{"}, Fitness.PROBLEM),
    ],
)
def test_a_network_that_comes_first_is_in_the_way(files, fitness):
    (found,) = machine.order("/etc/cni/net.d", OURS, files)
    assert found.fitness is fitness


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "there is no other"),
        ({OURS: b""}, "there is no other"),
        ({"20-flannel.conflist": b""}, f"nothing comes before {OURS}"),
        ({OURS: b"", "20-flannel.conflist": b""}, f"nothing comes before {OURS}"),
        ({"00-notes.txt": b""}, "there is no other"),
    ],
)
def test_it_is_told_whether_there_is_another_at_all(files, told):
    assert [judged.text for judged in machine.order("/etc/cni/net.d", OURS, files)] == [told]


def test_where_containerd_looks_is_told():
    assert machine.runtime("/c.toml", {}, WANTED).text == f"containerd looks in {WANTED[0]} and {WANTED[1]}"


@pytest.mark.parametrize(
    ("several", "fitness"),
    [
        (["/opt/cni/bin", "/b"], Fitness.OK),
        (["/a", "/b"], Fitness.PROBLEM),
        ([], Fitness.OK),
        ("x", Fitness.OK),
    ],
)
def test_several_directories_of_programs_count_where_there_are_some(several, fitness):
    cni = {"bin_dirs": several, "bin_dir": WANTED[0]}
    configuration = {"plugins": {"io.containerd.grpc.v1.cri": {"cni": cni}}}
    assert machine.runtime("/c.toml", configuration, WANTED).fitness is fitness


def test_each_file_that_comes_first_is_named():
    found = machine.order("/d", OURS, {"01-a.conf": b"", "02-b.conf": b""})
    assert [one.subject for one in found] == ["file/d/01-a.conf", "file/d/02-b.conf"]


def cri(name, **cni):
    return {"plugins": {name: {"cni": cni}}}


@pytest.mark.parametrize(
    ("configuration", "fitness"),
    [
        (None, Fitness.UNKNOWN),
        ({}, Fitness.OK),
        ({"plugins": "text"}, Fitness.OK),
        (cri("io.containerd.grpc.v1.cri", bin_dir="/opt/cni/bin", conf_dir="/etc/cni/net.d"), Fitness.OK),
        (cri("io.containerd.grpc.v1.cri", bin_dir="/usr/lib/cni"), Fitness.PROBLEM),
        (cri("io.containerd.grpc.v1.cri", conf_dir="/etc/other"), Fitness.PROBLEM),
        (cri("io.containerd.cri.v1.runtime", bin_dirs=["/usr/lib/cni", "/opt/cni/bin"]), Fitness.OK),
        (cri("io.containerd.cri.v1.runtime", bin_dirs=["/usr/lib/cni"]), Fitness.PROBLEM),
    ],
)
def test_containerd_has_to_look_where_we_write(configuration, fitness):
    assert machine.runtime("/etc/containerd/config.toml", configuration, WANTED).fitness is fitness


@pytest.mark.parametrize(("fitness", "step"), [(Fitness.OK, "do it"), (Fitness.PROBLEM, "")])
def test_whatever_is_not_well_has_a_next_step_and_nothing_else(fitness, step):
    with pytest.raises(ValueError, match="Clock"):
        Judgement(check=FitnessCheck.CLOCK, fitness=fitness, subject="s", text="t", next_step=step)
