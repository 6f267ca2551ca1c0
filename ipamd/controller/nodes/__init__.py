"""What the Nodes of gone agents say: the condition TkeEniReady."""
