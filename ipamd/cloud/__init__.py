"""Tencent Cloud over the official SDK, and the metadata service of the CVM."""
