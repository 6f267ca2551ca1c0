# Every target makes what it needs: the virtual environment from the lock file, and the Debian packages below.
# Needs root on Debian 12 (the tests and the demo make network namespaces of their own).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
# The plugin is linked with the library of the interpreter that compiles it, so the project uses one: Debian's.
PYTHON := /usr/bin/python3.11
PACKAGES := python3.11 python3.11-venv dbus systemd iproute2 iputils-ping curl nftables libnftables1 iptables conntrack \
	containernetworking-plugins gcc libc6-dev libpython3.11-dev strace zsh
ARM64_PACKAGES := gcc-aarch64-linux-gnu libc6-dev-arm64-cross
BROWSER_PACKAGES := chromium fonts-dejavu-core pngquant
IMAGE_PACKAGES := buildah mmdebstrap skopeo
E2E_PACKAGES := $(IMAGE_PACKAGES) containerd runc etcd-server docker-registry busybox-static
IMAGE = ccr.ccs.tencentyun.com/tke-eni/ipamd:$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' ipamd/__init__.py)
# Most tests wait for processes rather than compute: more workers than cores. 0 runs them one after another.
WORKERS ?= 6
# In the order of tests/conftest.py, not by the number of tests in a file: that says nothing of how long they take.
IN_PARALLEL = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Some machines switch compiled files off. Each worker and each daemon would compile what it imports again: of 10 s of
# CPU for collecting the tests 5 s, and that once for each worker.
export PYTHONDONTWRITEBYTECODE :=
PROTOS := $(addprefix proto/tke/eni/v1/,cni.proto diagnosis.proto introspection.proto maintenance.proto)

.PHONY: help
help:  ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

# Somebody else's apt may be at work.
APT := -o DPkg::Lock::Timeout=300

define install
	@mkdir -p build
	@missing=$$(for p in $(1); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "installing Debian packages:" $$missing; \
		apt-get $(APT) update -qq >/dev/null; \
		DEBIAN_FRONTEND=noninteractive apt-get $(APT) install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@touch $@
endef

build/packages.ok: Makefile
	$(call install,$(PACKAGES))

build/image-packages.ok: Makefile
	$(call install,$(IMAGE_PACKAGES))

build/arm64-packages.ok: Makefile
	$(call install,$(ARM64_PACKAGES))

build/browser-packages.ok: Makefile
	$(call install,$(BROWSER_PACKAGES))

build/e2e-packages.ok: Makefile
	$(call install,$(E2E_PACKAGES))

$(VENV)/locked: requirements.lock | build/packages.ok
	@echo "making the virtual environment $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@touch $@

# Apart: setup.cfg also has the rules of the linters, and those need no new environment.
$(VENV)/ok: $(VENV)/locked setup.cfg pyproject.toml
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: venv
venv: $(VENV)/ok  ## make the virtual environment and install the Debian packages

build/cni/tke-route-eni: $(wildcard cni_plugin/*.py cni_plugin/*.[ch]) | $(VENV)/ok
	@$(PYTHON) -I -S cni_plugin/build.py --output $@

.PHONY: shim
shim: build/cni/tke-route-eni  ## build the CNI plugin into build/cni

.PHONY: shim-arm64
shim-arm64: $(VENV)/ok build/arm64-packages.ok  ## build the CNI plugin for arm64 into build/cni/arm64, with Debian's cross compiler
	@$(PY) -m testbed.arm64 --output build/cni/arm64/tke-route-eni

.PHONY: demo
demo: $(VENV)/ok shim  ## a region, a node and three Pods on this machine; ARGS=--keep leaves it running
	@$(PY) -m testbed.demo $(ARGS)

.PHONY: prometheus
prometheus: $(VENV)/ok  ## unpack Debian's prometheus and promtool, for the tests of the alerts
	@$(PY) -m testbed.monitoring

.PHONY: test
test: lint shim prometheus  ## lint, unit, netns and scenario tests, WORKERS files at a time
	@$(PY) -m pytest -q $(IN_PARALLEL) $(ARGS)

# Measured tests need half as much time again, and some fail by that alone: `make test` says whether they pass, this says
# what they run. Whoever was killed has no data. The sources are kept with it: `make mutants` follows lines that move.
define measured
	@rm -rf build/coverage && mkdir -p build/coverage && cp -r ipamd build/coverage/
	@COVERAGE_PROCESS_START=$(CURDIR)/setup.cfg COVERAGE_FILE=$(CURDIR)/build/coverage/data \
		$(PY) -m pytest -q $(IN_PARALLEL) -o timeout=300 -p no:cacheprovider \
		--junitxml=build/coverage/tests.xml $(1) || [ $$? -eq 1 ]
	@cd build/coverage && $(CURDIR)/$(PY) -m coverage combine -q --rcfile=$(CURDIR)/setup.cfg --data-file=data .
	@$(PY) -m coverage report --rcfile=setup.cfg --data-file=build/coverage/data $(2)
endef

.PHONY: coverage
coverage: $(VENV)/ok shim prometheus  ## the tests again with branch coverage of ipamd measured, printed and held against the floor in setup.cfg
	$(call measured,$(ARGS))

# Only what `make mutants` reads: which test ran a line.
.PHONY: coverage-more
coverage-more: $(VENV)/ok  ## records what tests that are new or changed run, for `make mutants`; ARGS names their files
	@more=build/coverage/more/$$(date +%s) && mkdir -p $$more && cp -r ipamd $$more/ && \
	COVERAGE_PROCESS_START=$(CURDIR)/setup.cfg COVERAGE_FILE=$(CURDIR)/$$more/data \
		$(PY) -m pytest -q -o timeout=300 -p no:cacheprovider --junitxml=$$more/tests.xml $(ARGS) && \
	cd $$more && $(CURDIR)/$(PY) -m coverage combine -q --rcfile=$(CURDIR)/setup.cfg --data-file=data .

UNITS := core runtime store kube cloud ctl flags installation metrics
comma := ,
empty :=
space := $(empty) $(empty)

.PHONY: coverage-units
coverage-units: $(VENV)/ok shim  ## the same of the core, the runtime kit and the adapters, by their own tests: minutes
	$(call measured,$(UNITS:%=tests/%),--include="$(subst $(space),$(comma),$(UNITS:%=ipamd/%/*))")

.PHONY: mutants
mutants: $(VENV)/ok shim  ## do tests notice one wrong operator? ARGS="--count 60 --seed 1"; needs what `make coverage` has measured
	@$(PY) -m testbed.mutants $(ARGS)

.PHONY: contract
contract: $(VENV)/ok build/e2e-packages.ok kubernetes helm  ## the simulators against tccli, the Go SDK and a real API server, our gRPC against grpc-go, deploy/ on the latter, a real kube-proxy
	@$(PY) -m pytest -q tests/contract/cloud/clients tests/contract/grpc tests/contract/kube_proxy tests/apiserver $(ARGS)
	@$(PY) -m testbed.apiserver $(PY) -m pytest -q tests/contract/kube $(ARGS)

.PHONY: browser
browser: $(VENV)/ok shim build/browser-packages.ok  ## the status pages in headless Chromium
	@$(PY) -m pytest -q tests/browser $(ARGS)

.PHONY: pictures
pictures: $(VENV)/ok shim prometheus build/browser-packages.ok  ## the pictures of status pages and dashboard in docs/img, from a run of some minutes
	@$(PY) -m testbed.monitoring.pictures $(ARGS)

.PHONY: test-failed
test-failed: shim prometheus  ## only the tests that failed last; an error when none did
	@$(PY) -m pytest -q --last-failed --last-failed-no-failures none $(ARGS)

.PHONY: lint
lint: $(VENV)/ok  ## ruff, mypy strict, import-linter, freshness of the generated code
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache
	@$(MAKE) --no-print-directory proto-check

define generate
	@mkdir -p $(1)
	@$(PY) -m grpc_tools.protoc -Iproto --python_out=$(1) --grpc_python_out=$(1) \
		--plugin=protoc-gen-mypy=$(VENV)/bin/protoc-gen-mypy \
		--plugin=protoc-gen-mypy_grpc=$(VENV)/bin/protoc-gen-mypy_grpc \
		--mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) $(PROTOS)
	@find $(1) -mindepth 2 -name '*_pb2*' -exec mv -t $(1) {} +
	@find $(1) -mindepth 1 -type d -name tke -prune -exec rm -r {} +
	@sed -i 's/from tke\.eni\.v1 import/from ipamd.rpc import/; s/import tke\.eni\.v1\.\(\w*\)/import ipamd.rpc.\1/; s/tke\.eni\.v1\.\(\w*_pb2\)/ipamd.rpc.\1/g' \
		$(1)/*_pb2*.py $(1)/*_pb2*.pyi
endef

.PHONY: proto
proto: $(VENV)/ok  ## generate ipamd/rpc from proto/
	$(call generate,ipamd/rpc)

.PHONY: docs
docs: $(VENV)/ok  ## write the tables of flags into docs/
	@$(PY) -m testbed.documentation

.PHONY: proto-check
proto-check: $(VENV)/ok
	@rm -rf build/proto
	$(call generate,build/proto)
	@for f in build/proto/*_pb2*; do cmp -s $$f ipamd/rpc/$${f##*/} || \
		{ echo "ipamd/rpc/$${f##*/} is not what proto/ says: run 'make proto' and commit"; exit 1; }; done

IMAGE_SOURCES := $(wildcard deploy/image/*) setup.cfg pyproject.toml $(wildcard cni_plugin/*.py cni_plugin/*.[ch]) \
		$(shell find ipamd -name '*.py')

build/image/ipamd.tar: $(IMAGE_SOURCES) | build/image-packages.ok
	@echo "building the image $(IMAGE)"
	@deploy/image/build.sh $(IMAGE) $@

build/image/ipamd-amd64.tar build/image/ipamd-arm64.tar: build/image/ipamd-%.tar: $(IMAGE_SOURCES) | build/image-packages.ok
	@echo "building the image $(IMAGE) for $*"
	@deploy/image/build.sh $(IMAGE) $@ $*

build/image/ipamd.oci.tar: build/image/ipamd-amd64.tar build/image/ipamd-arm64.tar
	@deploy/image/index.sh $(IMAGE) $@ $^

.PHONY: image
image: build/image/ipamd.tar  ## build the container image into build/image/ipamd.tar, for docker load or ctr images import

.PHONY: images
images: build/image/ipamd.oci.tar  ## the image for amd64 and for arm64 under one name, into build/image/ipamd.oci.tar; each also alone

build/sbom/ok: testbed/sbom/requirements.lock | build/packages.ok
	@$(PYTHON) -m venv --clear build/sbom
	@build/sbom/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

build/image/%.cdx.json: build/image/%.tar build/sbom/ok
	@build/sbom/bin/python -m testbed.sbom $< $@

.PHONY: sbom
sbom: build/image/ipamd.cdx.json  ## the image's bill of materials (CycloneDX) into build/image/ipamd.cdx.json

.PHONY: kubernetes
kubernetes: $(VENV)/ok  ## build the Kubernetes programs from the Go module proxy, once for each release
	@$(PY) -m testbed.kubernetes

.PHONY: kubernetes-oldest kubernetes-newest
kubernetes-oldest kubernetes-newest: kubernetes-%: $(VENV)/ok
	@$(PY) -m testbed.kubernetes $*

# What asks the API server, and nothing of kubelet or kube-proxy. Other programs than API server and controllers are
# those of `make kubernetes`.
.PHONY: oldest newest
oldest newest: %: $(VENV)/ok build/e2e-packages.ok kubernetes kubernetes-% helm  ## deploy/ and the contract on the API server of the oldest, or newest, Kubernetes that can be built
	@export KUBEBUILDER_ASSETS=$$($(PY) -m testbed.kubernetes $* --directory); \
	$(PY) -m pytest -q tests/apiserver $(ARGS); \
	$(PY) -m testbed.apiserver $(PY) -m pytest -q tests/contract/kube $(ARGS)

.PHONY: chart
chart: $(VENV)/ok  ## write the Helm chart deploy/chart anew from the manifests
	@$(PY) -m testbed.chart

.PHONY: helm
helm: $(VENV)/ok  ## build Helm from the Go module proxy, once for each release
	@$(PY) -m testbed.helm

.PHONY: containerd coredns kube-router aws-vpc-cni
containerd: $(VENV)/ok  ## build containerd 2.x from the Go module proxy, once for each release
	@$(PY) -m testbed.containerd

coredns: $(VENV)/ok  ## build CoreDNS from the Go module proxy, once for each release
	@$(PY) -m testbed.coredns

kube-router: $(VENV)/ok  ## build kube-router, whose firewall enforces NetworkPolicies, from the Go module proxy
	@$(PY) -m testbed.kube_router

aws-vpc-cni: $(VENV)/ok  ## build the AWS VPC CNI's plugin from the Go module proxy, once for each release
	@$(PY) -m testbed.aws_vpc_cni

# Kubernetes first: it takes longest, and what comes after it has most of its packages compiled.
.PHONY: programs
programs: $(VENV)/ok build/e2e-packages.ok kubernetes image containerd helm kube-router coredns build/browser-packages.ok  ## build all that the suites of .ci/run need of others
	@$(PY) -m testbed.conformance --prepare

.PHONY: conformance
conformance: $(VENV)/ok build/e2e-packages.ok kubernetes containerd coredns kube-router image  ## Kubernetes' own tests of the network on that cluster; ARGS=--bounded runs a few; into build/conformance.xml
	@$(PY) -m testbed.conformance $(ARGS)

FILES := tests/contract/kube tests/e2e tests/deploy/test_image.py
.PHONY: e2e
e2e: $(VENV)/ok build/e2e-packages.ok kubernetes containerd helm kube-router image  ## tests on a real cluster on this machine; ARGS goes to pytest, FILES are which
	@CONTRACT_KUBERNETES=real $(PY) -m pytest -q -o timeout=400 -m "not release" --junitxml=build/e2e.xml $(FILES) $(ARGS)

.PHONY: release-tests
release-tests: $(VENV)/ok build/e2e-packages.ok kubernetes containerd image  ## what is tried before a release: from the version before to this one and back, on a real cluster
	@$(PY) -m pytest -q -o timeout=600 -m release tests/e2e $(ARGS)

.PHONY: cluster
cluster: $(VENV)/ok build/e2e-packages.ok kubernetes image  ## the cluster of the e2e tests, until Ctrl-C
	@$(PY) -m testbed.cluster --deploy --image $(IMAGE)=build/image/ipamd.tar $(ARGS)

.PHONY: bench
bench: $(VENV)/ok shim  ## ratios against ptp + host-local, the AWS VPC CNI and bare forwarding in one run; ARGS=--quick; into build/bench.json
	@$(MAKE) --no-print-directory aws-vpc-cni || echo "the bench goes on without the AWS VPC CNI"
	@$(PY) -m testbed.bench $(ARGS)

.PHONY: soak
soak: $(VENV)/ok shim  ## Pods come and go for minutes: what grows? ARGS="--minutes 10"; into build/soak.json
	@$(PY) -m testbed.soak $(ARGS)

.PHONY: scale
scale: $(VENV)/ok  ## 5,000 nodes, 50,000 Pods and 5,000 EIPs on one account: does it keep up? Into build/scale.json
	@$(PY) -m testbed.scale $(ARGS)

.PHONY: faults
faults: $(VENV)/ok shim  ## kill, break and lose on purpose; prints the matrix, counts into build/faults.json
	@$(PY) -m testbed.faults $(ARGS)

.PHONY: release
release: $(VENV)/ok  ## set the version: VERSION=MAJOR.MINOR.PATCH; see RELEASING.md
	@$(PY) -m testbed.release "$(VERSION)"

.PHONY: lock
lock: $(VENV)/ok  ## resolve setup.cfg again into requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	@$(VENV)/bin/uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --all-extras --no-header setup.cfg -o requirements.lock
	@$(VENV)/bin/uv pip compile -q --python-version 3.11 --generate-hashes --extra admission --extra metrics --no-header -c requirements.lock setup.cfg -o deploy/image/requirements.lock

.PHONY: format
format: $(VENV)/ok  ## let ruff format and mend what it can
	@$(VENV)/bin/ruff check --fix-only -q .
	@$(VENV)/bin/ruff format -q .

.PHONY: clean
clean:  ## remove what the targets made
	@rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
