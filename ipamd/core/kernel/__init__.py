"""What is known of the Linux kernel: releases that do, rules of others. Pure."""
