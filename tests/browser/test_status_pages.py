"""The status pages in a real browser: they are drawn, refresh themselves, and nothing that they show runs."""

import http.server
import re
import threading

import pytest

from ipamd.page import layout
from testbed.bed import Bed
from testbed.browser import Browser
from tests.controller.process import free_address

STATUS = "127.0.0.1:61682"
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


class PagesBed(Bed):
    """A bed whose daemons serve their pages."""

    controller_page = ""


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    with PagesBed(tmp_path_factory.mktemp("pages")) as bed:
        bed.start_region()
        bed.controller_page = free_address()
        bed.start_controller(options=[f"--status-address={bed.controller_page}", "--log-level=debug"])
        bed.start_agent(options=[f"--status-address={STATUS}", "--log-level=debug"])
        bed.wait_until_ready()
        assert bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)[1].exit_code == 0
        assert bed.add_pod("web-1")[1].exit_code == 0
        yield bed


def agent(bed):
    return Browser(netns=bed.node.netns), f"http://{STATUS}/"


def controller(bed):
    return Browser(), f"http://{bed.controller_page}/"


PAGES = {"agent": agent, "controller": controller}


@pytest.mark.parametrize("page", PAGES)
def test_a_browser_takes_the_page_as_it_is_and_has_nothing_to_complain_of(bed, page):
    browser, url = PAGES[page](bed)

    sight = browser.visit(url)

    assert "<h1>tke-eni-" in sight.dom
    assert sight.console == ()


def test_a_browser_complains_of_a_style_that_is_not_the_page_s():
    """So that the test above is one."""
    answer = layout.page("title", "", [])
    body = answer.body.replace(b"</style>", b"p { color: red } </style>")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", answer.content_type)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sight = Browser().visit(f"http://127.0.0.1:{server.server_address[1]}/")
        server.shutdown()

    assert any("Content Security Policy" in line for line in sight.console)


def test_the_agent_s_enis_are_drawn_with_a_square_for_each_address(bed):
    browser, url = agent(bed)

    dom = browser.visit(url).dom

    kinds = re.findall(r'class="slot (\w+)"', dom.partition('class="legend"')[0])
    assert kinds.count("primary") == 1
    assert kinds.count("pod") == 2
    assert kinds.count("free") >= 3
    assert "<title>" in dom
    assert "Pod default/web-0, EIP" in dom


def test_a_page_asks_for_itself_again_without_a_script(bed):
    browser, url = controller(bed)

    def asked():
        return bed.controller.log.read_text().count('"GET / HTTP')

    before = asked()
    with browser.staying(url):
        bed.wait_until("asked three times", lambda: asked() - before >= 3, seconds=60)


def test_what_somebody_writes_into_a_pod_is_text(bed):
    browser, url = agent(bed)
    bed.add_pod("web-2", annotations={"eip-attributes": HOSTILE}, eip=True)

    sight = browser.visit(url)

    assert "&lt;img src=x" in sight.dom, "what the agent says of the annotation is on the page"
    assert "<title>tke-eni-agent</title>" in sight.dom
    assert "<script" not in sight.dom
    assert "<img" not in sight.dom
    assert sight.console == ()
