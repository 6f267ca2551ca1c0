"""A Tencent Cloud region on one machine."""
