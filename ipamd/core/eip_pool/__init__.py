"""EIPPool: EIPs that Pods take and give back, the user's or made by the controller."""
