"""Thousands of agents in virtual time: the product's pure parts decide, the simulator's rate limits answer.

Real are the plans (`ipamd.core.pool`), the ledger, every limiter, back-off and pace, and how the account
counts calls. Made up are the wires between them: a call takes a moment, a change as long as the simulated
cloud takes for it, nobody crashes, and the Kubernetes API answers at once.
"""
