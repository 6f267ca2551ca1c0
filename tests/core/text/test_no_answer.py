"""Why no answer came, without the words of the libraries between us and the system."""

import ssl
import urllib.error

from ipamd.core.text import no_answer


def raised(error, cause=None):
    """The error as it is once it has been raised from another."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_the_system_tells_whatever_libraries_have_made_of_it():
    refused = ConnectionRefusedError(111, "Connection refused")
    pool = raised(RuntimeError("HTTPConnectionPool(host='a', port=1): Max retries exceeded"), refused)

    assert no_answer.cause(raised(ValueError("it failed"), pool)) == "connection refused"


def test_an_error_that_was_raised_while_another_was_handled_has_its_cause():
    error = ValueError("HTTPConnectionPool")
    error.__context__ = OSError(113, "No route to host")

    assert no_answer.cause(error) == "no route to host"


def test_a_context_that_was_put_aside_tells_nothing():
    error = ValueError("the answer is empty")
    error.__context__, error.__suppress_context__ = OSError(113, "No route to host"), True

    assert no_answer.cause(error) == "the answer is empty"


def test_of_two_attempts_the_later_one_tells():
    first = ConnectionResetError(104, "Connection reset by peer")
    assert no_answer.cause(raised(OSError(113, "No route to host"), first)) == "no route to host"


def test_a_certificate_is_refused_with_its_reason():
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] (_ssl.c:1000)")
    error.verify_message = "self-signed certificate"

    assert no_answer.cause(error) == "its certificate is not accepted: self-signed certificate"


def test_time_that_is_over_is_told_as_such():
    assert no_answer.cause(TimeoutError()) == "no answer in time"
    assert no_answer.cause(raised(ValueError("x"), TimeoutError("timed out"))) == "no answer in time"


def test_a_server_that_hangs_up_is_told():
    said = "Remote end closed connection without response"
    assert no_answer.cause(raised(ValueError("x"), ConnectionResetError(said))) == said.lower()


def test_what_nothing_is_known_of_keeps_its_words_or_its_name():
    assert no_answer.cause(ValueError("Connection broken", 5)) == "Connection broken"
    assert no_answer.cause(KeyError()) == "KeyError"
    assert no_answer.cause(urllib.error.URLError("unknown url type")) == "unknown url type"
