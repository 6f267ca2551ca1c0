"""Faults on purpose: what is promised about crashes, broken clouds and lost answers, tried and counted."""
