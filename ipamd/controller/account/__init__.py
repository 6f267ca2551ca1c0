"""What the controller knows of the cloud account: its kind, its quotas, its clock."""
