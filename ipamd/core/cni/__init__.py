"""The CNI specification: requests, configurations, results and errors. Pure."""
