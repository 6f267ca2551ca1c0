"""gRPC code generated from proto/ by `make proto`; never edited."""
