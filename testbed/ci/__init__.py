"""What decides whether a change lands: all suites, beside each other where they mostly wait (`.ci/run`)."""
